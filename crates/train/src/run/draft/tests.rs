use super::*;
use crate::BatchSize;
use thalweg_nn::Optimizer;

const TASK: Shapes<'static> =
    Shapes { sample: &[8, 8], vocabulary: None, outputs: 10, places: None, table: None };

fn resolved(settings: &[&str]) -> Result<Config, RunError> {
    let mut draft = Draft::new();
    for setting in settings {
        draft.set(setting)?;
    }
    let loaded = thalweg_data::open("digits").expect("the embedded set is sound");
    draft.resolve("digits", &loaded)
}

fn refused(settings: &[&str]) -> String {
    match resolved(settings) {
        Ok(config) => panic!("{settings:?} gives {config:?}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn layers_lie_on_one_another() {
    let config = resolved(&[
        "train.epochs=3",
        "train.epochs=4",
        "train.batch_size=full",
        "train.optimizer=sgd",
        "train.momentum=0.9",
        "network.hidden=[32]",
        "network.activation=elu",
    ]);
    let config = config.unwrap();
    assert_eq!(config.train.epochs, 4);
    assert_eq!(config.train.batch_size, BatchSize::Full);
    assert!(matches!(&config.train.optimizer, Optimizer::Sgd(sgd) if sgd.momentum == 0.9));
    assert_eq!(config.network.hidden, Some(vec![32]));
    let nodes = config.network.nodes(&TASK);
    let names: Vec<&str> = nodes.iter().map(|node| node.layer.name()).collect();
    assert_eq!(names, ["flatten", "linear", "elu", "dropout", "linear"]);
}

#[test]
fn a_written_config_reads_back_as_it_was() {
    let config = resolved(&["train.tol=0.001", "train.loss={type='focal', gamma=1.5}"]).unwrap();
    let text = config.to_toml().unwrap();
    assert_eq!(toml::from_str::<Config>(&text).unwrap(), config, "{text}");
}

#[test]
fn layers_replace_the_perceptron_and_the_other_way_round() {
    let listed = "network.layers=['flatten', {type='linear', out=10}]";
    let config = resolved(&[listed]).unwrap();
    assert_eq!(config.network.nodes(&TASK).len(), 2);
    assert_eq!(config.network.hidden, None);
    let config = resolved(&[listed, "network.preset=linear"]).unwrap();
    assert_eq!(config.network.layers, None);
    assert_eq!(config.network.hidden, Some(vec![]));
}

#[test]
fn mistakes_name_the_key_the_place_and_the_nearest_word() {
    let message = refused(&["train.epoch=3"]);
    assert!(message.contains("unknown key 'train.epoch', in --set train.epoch=3"), "{message}");
    assert!(message.contains("did you mean 'epochs'?"), "{message}");
    let message = refused(&["train.optimizer=adamm"]);
    assert!(message.contains("did you mean 'adam'?"), "{message}");
    let message = refused(&["network.activation=rleu"]);
    assert!(message.contains("did you mean 'relu'?"), "{message}");
    let message = refused(&["train.momentum=0.9"]);
    assert!(message.contains("unknown key 'train.momentum'"), "{message}");
    let message = refused(&["network.preset=mpl"]);
    assert!(message.contains("did you mean 'mlp'?"), "{message}");
    let message = refused(&["train.lr=fast"]);
    assert!(message.contains("train.lr") && message.contains("--set train.lr=fast"), "{message}");
}

#[test]
fn what_nobody_said_is_not_blamed_on_a_neighbour() {
    let mut draft = Draft::new();
    draft.set("train.epochs=3").unwrap();
    draft.set("train.label_smoothing=2").unwrap();
    let place = |key: &str| draft.problem(key, "wrong".into(), "hint".into()).message();
    assert_eq!(place("train.batch_size"), "wrong, in the defaults");
    assert_eq!(place("train.epochs"), "wrong, in --set train.epochs=3");
    assert_eq!(place("train.loss"), "wrong, in --set train.label_smoothing=2");
}

#[test]
fn impossible_numbers_are_refused() {
    for (setting, says) in [
        ("train.epochs=0", "train.epochs: must be at least 1"),
        ("train.batch_size=0", "train.batch_size: must be at least 1"),
        ("train.lr=0", "train.lr: must be > 0"),
        ("train.lr=-0.1", "train.lr: must be > 0"),
        ("train.lr=nan", "train.lr: must be > 0"),
        ("train.max_time=soon", "no length of time"),
        ("train.isa=sse9", "train.isa: 'sse9' is unknown"),
        ("train.epochs=-1", "train.epochs"),
    ] {
        let message = refused(&[setting]);
        assert!(
            message.contains(says) && message.contains(&format!("in --set {setting}")),
            "{message}"
        );
    }
}

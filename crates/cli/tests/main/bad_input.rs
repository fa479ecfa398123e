//! What goes wrong: a clear error with its place and a hint, the right exit code, and nothing left behind.

use std::fs;

use crate::support::Place;

/// Runs a command that must fail so, and leave the folder as it was.
fn fails(place: &Place, arguments: &[&str], code: i32, says: &[&str]) {
    let before = place.list(".");
    let done = place.thalweg(arguments);
    assert_eq!(done.code, Some(code), "{arguments:?}: {}", done.err);
    assert!(done.err.starts_with("error: "), "{arguments:?}: {}", done.err);
    assert!(done.err.contains("\nhint: "), "{arguments:?}: {}", done.err);
    assert!(!done.err.contains("panicked"), "{arguments:?}: {}", done.err);
    for words in says {
        assert!(done.err.contains(words), "{arguments:?}: '{words}' is not in: {}", done.err);
    }
    assert_eq!(place.list("."), before, "{arguments:?} left something");
    assert_eq!(place.list("runs"), [""; 0], "{arguments:?} left a run");
}

#[test]
fn impossible_requests_are_usage_errors() {
    let place = Place::new();
    for (arguments, says) in [
        (&["--threads", "0"][..], &["threads", "--threads 0"][..]),
        (&["--threads", "1000000"], &["from 1 to 1024"]),
        (&["--epochs", "0"], &["train.epochs: must be at least 1", "--epochs 0"]),
        (&["--epochs", "-3"], &["train.epochs", "-3"]),
        (&["--batch-size", "0"], &["train.batch_size", "--batch-size 0"]),
        (&["--batch-size", "5000"], &["5000", "1258", "--batch-size 5000"]),
        (&["--batch-size", "some"], &["\"full\"", "--batch-size some"]),
        (&["--lr", "0"], &["train.lr", "--lr 0"]),
        (&["--lr", "-0.1"], &["train.lr", "--lr -0.1"]),
        (&["--lr", "nan"], &["train.lr"]),
        (&["--seed", "-1"], &["train.seed"]),
        (&["--max-time", "soon"], &["train.max_time", "10m"]),
        (&["--preset", "mpl"], &["did you mean 'mlp'?"]),
        (&["--set", "train.epoch=3"], &["unknown key 'train.epoch'", "did you mean 'epochs'?"]),
        (&["--set", "data.split.vaild=0.1"], &["data.split.vaild", "did you mean 'valid'?"]),
        (&["--set", "nonsense"], &["KEY=VALUE"]),
        (&["--set", "network.activation=rleu"], &["did you mean 'relu'?"]),
        (&["--set", "network.hidden=[0]"], &["outputs must be at least 1"]),
        (&["--set", "network.dropout=2"], &["probability", "network.dropout=2"]),
        (&["--set", "train.optimizer.betas=[2,0.9]"], &["betas[0]"]),
        (&["--set", "data.split.valid=0.9"], &["leave nothing for training"]),
        (&["--set", "train.loss.weight=[1,2]"], &["2 numbers for 10 classes"]),
        (&["--config", "missing.toml"], &["missing.toml"]),
        (&["digts"], &["no data set and no path named 'digts'", "did you mean 'digits'?"]),
    ] {
        fails(&place, &[&["train"], arguments].concat(), 2, says);
    }
    // What the argument parser itself refuses has its own form, and the same exit code.
    assert_eq!(place.thalweg(&["train", "--foo"]).code, Some(2));
    assert_eq!(place.thalweg(&["train", "--overwrite"]).code, Some(2));
    assert_eq!(place.thalweg(&["--help"]).code, Some(0));
}

#[test]
fn networks_that_cannot_be_built_are_usage_errors() {
    let place = Place::new();
    let image = "{type='unsqueeze', axis=1}";
    let conv = |options: &str| {
        format!(
            "network.layers=[{image}, {{type='conv2d', out=4, {options}}}, 'flatten', {{type='linear', out=10}}]"
        )
    };
    for (setting, says) in [
        (conv("kernel=9"), &["layer 1, Conv2d 1 → 4", "9", "8"][..]),
        (
            conv("kernel=3, groups=2"),
            &["layer 1, Conv2d", "groups must divide the 1 input channels, got 2"],
        ),
        (conv("kernel=3, padding='smae'"), &["padding"]),
        (conv("kernl=3"), &["kernl"]),
        ("network.layers=[{type='lstm', hidden=4}, {type='linear', out=9}]".into(), &["8 × 9"]),
        (
            "network.layers=[{type='embedding', num=3, dim=2}]".into(),
            &["layer 0, Embedding", "i64"],
        ),
        (
            "network.layers=['flatten', {type='linear', out=10, inputs=['q']}]".into(),
            &["node '1'", "'q'", "known here are x, 0"],
        ),
        (
            "network.layers=[{name='a', type='flatten'}, {name='a', type='linear', out=10}]".into(),
            &["node 'a'", "taken"],
        ),
        ("network.preset=gpt".into(), &["preset gpt", "ids"]),
        ("network.preset=vea".into(), &["did you mean 'vae'?"]),
        ("train.goal=recontruct".into(), &["did you mean 'reconstruct'?"]),
        ("train.mixup=-1".into(), &["mixup"]),
        ("train.groups=[{pattern='*', max_norm=0}]".into(), &["max_norm"]),
        ("train.patience=never".into(), &["train.patience", "off"]),
    ] {
        fails(&place, &["train", "--set", &setting], 2, says);
    }
}

#[test]
fn what_does_not_fit_the_data_is_a_usage_error() {
    let place = Place::new();
    fs::write(place.path("t.csv"), "text,kind\none two,a\nthree four,b\n".repeat(9))
        .expect("written");
    for (arguments, says) in [
        (&["t.csv", "--target", "knd"][..], &["knd", "did you mean 'kind'?"][..]),
        (&["t.csv", "--window", "0"], &["window"]),
        (&["t.csv", "--kind", "txt"], &["txt", "did you mean 'text'?"]),
        (&["t.csv", "--test-where", "somewhere"], &["somewhere", "crc32"]),
        (&["t.csv", "--set", "data.targte=kind"], &["unknown key 'data.targte'", "'target'"]),
        (&["t.csv", "--preset", "lenet"], &["preset lenet"]),
        (&["digits", "--window", "4"], &["data option window", "idx"]),
        (&["digits", "--label-pattern", "{label}.wav"], &["label_pattern"]),
    ] {
        fails(&place, &[&["train"], arguments].concat(), 2, says);
    }
    let place = Place::new();
    place.train(&["--out", "run"]);
    fails(&place, &["generate", "run"], 1, &["classification", "thalweg train"]);
    assert_eq!(place.thalweg(&["inspect", "run", "--dot", "--step"]).code, Some(2));
}

#[test]
fn config_files_say_where_they_are_wrong() {
    let place = Place::new();
    fs::write(place.path("bad.toml"), "[train]\nepochs = 1\nlr = = 2\n").expect("written");
    fails(&place, &["train", "--config", "bad.toml"], 2, &["bad.toml, line 3"]);
    fs::write(place.path("bad.toml"), "[train]\noptimiser = 'adam'\n").expect("written");
    fails(
        &place,
        &["train", "--config", "bad.toml"],
        2,
        &["optimiser", "did you mean 'optimizer'?"],
    );
    fs::write(place.path("bad.toml"), "[trian]\nepochs = 1\n").expect("written");
    fails(&place, &["train", "--config", "bad.toml"], 2, &["trian", "did you mean 'train'?"]);
}

#[test]
fn a_diverging_loss_fails_and_leaves_nothing() {
    let place = Place::new();
    fails(&place, &["train", "--lr", "1e30", "--quiet"], 1, &["diverged", "learning rate"]);
    fails(&place, &["train", "--lr", "1e30", "--out", "x/y", "--quiet"], 1, &["diverged"]);
}

#[test]
fn unwritable_places_are_named() {
    let place = Place::new();
    fs::write(place.path("file"), "").expect("written");
    let quick = ["train", "--epochs", "1", "--out"];
    fails(&place, &[&quick[..], &["file"]].concat(), 1, &["file"]);
    fails(&place, &[&quick[..], &["file/run"]].concat(), 1, &["file/run"]);
    fs::create_dir_all(place.path("busy/checkpoints")).expect("a folder");
    let lock = fs::File::create(place.path("busy/checkpoints/in-use")).expect("a file");
    lock.try_lock().expect("a lock");
    fails(&place, &[&quick[..], &["busy"]].concat(), 1, &["another training is writing into"]);
}

#[test]
fn damaged_idx_sets_are_refused() {
    let place = Place::new();
    place.idx("set", 4);
    let images = "set/train-images-idx3-ubyte";
    let good = place.read(images);
    for (bytes, says) in [
        (&good[..100], &["train-images-idx3-ubyte", "claims"][..]),
        (&[&[1, 2], &good[2..]].concat(), &["byte 0"]),
        (&[&good[..], &[0]].concat(), &["beyond"]),
        (&good[..10], &["header"]),
    ] {
        fs::write(place.path(images), bytes).expect("written");
        fails(&place, &["train", "set", "--epochs", "1"], 1, says);
    }
    fs::write(place.path(images), &good).expect("written");
    let labels = place.read("set/train-labels-idx1-ubyte");
    let gap: Vec<u8> = labels.iter().map(|&b| if b == 1 { 2 } else { b }).collect();
    fs::write(place.path("set/train-labels-idx1-ubyte"), [&labels[..8], &gap[8..]].concat())
        .expect("written");
    fails(&place, &["train", "set", "--epochs", "1"], 1, &["no training sample has label 1"]);
    fs::remove_file(place.path("set/train-labels-idx1-ubyte")).expect("removed");
    fails(&place, &["train", "set", "--epochs", "1"], 1, &["train-labels"]);
}

#[test]
fn broken_run_folders_are_refused() {
    let place = Place::new();
    place.train(&["--out", "run"]);
    let (model, weights) = (place.read("run/model.json"), place.read("run/model.safetensors"));
    let format = format!("\"format\": {}", place.json("run/model.json")["format"]);
    let refused = |code: i32, says: &[&str]| {
        for verb in [&["evaluate", "run"][..], &["predict", "run", "digits"], &["inspect", "run"]] {
            fails(&place, verb, code, says);
        }
    };
    let write = |name: &str, bytes: &[u8]| {
        fs::write(place.path("run").join(name), bytes).expect("written");
    };
    write("model.safetensors", &weights[..weights.len() / 2]);
    refused(1, &["model.safetensors is damaged"]);
    write("model.safetensors", &weights);
    write("model.json", &model[..model.len() / 2]);
    refused(1, &["model.json is damaged"]);
    let newer = String::from_utf8(model.clone()).expect("UTF-8").replace(&format, "\"format\": 99");
    write("model.json", newer.as_bytes());
    refused(1, &["format 99", "update thalweg"]);
    let other =
        String::from_utf8(model.clone()).expect("UTF-8").replace("\"out\": 128", "\"out\": 99");
    write("model.json", other.as_bytes());
    refused(1, &["model.safetensors is damaged", "1.weight"]);
    fs::remove_file(place.path("run/model.json")).expect("removed");
    refused(2, &["is not a run: it has no model.json"]);
    fails(&place, &["evaluate", "nowhere"], 2, &["there is no such folder"]);
    fs::write(place.path("file"), "").expect("written");
    fails(&place, &["evaluate", "file"], 2, &["it is a file"]);
}

#[test]
fn data_that_does_not_fit_the_network_is_refused() {
    let place = Place::new();
    place.idx("large", 9);
    place.train(&["--out", "run"]);
    for verb in [&["evaluate", "run", "large"][..], &["predict", "run", "large"]] {
        fails(&place, verb, 1, &["9 × 9", "8 × 8", "large"]);
    }
    fails(&place, &["predict", "run", "digits", "--out", "missing/p.csv"], 1, &["missing/p.csv"]);
    fails(&place, &["evaluate", "run", "digts"], 2, &["did you mean 'digits'?"]);
    fails(&place, &["predict", "run", "digits", "--threads", "0"], 2, &["--threads 0"]);
    fails(&place, &["inspect", "run", "--step", "--rows", "0"], 2, &["--rows 0"]);
}

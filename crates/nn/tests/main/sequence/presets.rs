//! The presets for sequences: shapes, errors, and that they come back from what is written of them.

use thalweg_graph::{DType, Tensor};
use thalweg_nn::presets::{Shapes, preset, presets};
use thalweg_nn::{Dag, Forward, NodeSpec};

fn nodes(name: &str, shapes: &Shapes<'_>) -> Vec<NodeSpec> {
    (preset(name).unwrap().nodes)(shapes).unwrap_or_else(|error| panic!("{name}: {error:?}"))
}

fn refusal(name: &str, shapes: &Shapes<'_>) -> String {
    (preset(name).unwrap().nodes)(shapes).unwrap_err().what
}

/// The shape of the output for a batch of two.
fn output(nodes: &[NodeSpec], sample: &[usize], dtype: DType) -> Vec<usize> {
    let shape = [&[2], sample].concat();
    let y = Dag::new(nodes.to_vec()).forward(&Tensor::zeros(dtype, shape));
    y.ok().unwrap().shape().to_vec()
}

#[test]
fn of_ids() {
    let text =
        Shapes { sample: &[12], vocabulary: Some(30), outputs: 5, places: None, table: None };
    for name in ["text-cnn", "lstm", "gru", "transformer"] {
        assert_eq!(output(&nodes(name, &text), &[12], DType::I64), [2, 5], "{name}");
    }
    let places = Shapes { places: Some(12), ..text };
    for name in ["tagger", "char-lm", "gpt"] {
        assert_eq!(output(&nodes(name, &places), &[12], DType::I64), [2, 12, 5], "{name}");
    }
    let pairs = Shapes { places: Some(5), ..text };
    assert_eq!(output(&nodes("seq2seq", &pairs), &[12], DType::I64), [2, 5, 5]);
    let ratings =
        Shapes { sample: &[2], vocabulary: Some(30), outputs: 1, places: None, table: None };
    assert_eq!(output(&nodes("two-tower", &ratings), &[2], DType::I64), [2, 1]);
    let circumstances = Shapes { sample: &[5], ..ratings };
    assert_eq!(output(&nodes("two-tower", &circumstances), &[5], DType::I64), [2, 1]);
}

#[test]
fn of_numbers() {
    let series =
        Shapes { sample: &[24, 3], vocabulary: None, outputs: 6, places: None, table: None };
    for name in ["text-cnn", "lstm", "gru", "transformer", "forecaster"] {
        assert_eq!(output(&nodes(name, &series), &[24, 3], DType::F32), [2, 6], "{name}");
    }
    let single = Shapes { sample: &[24], ..series };
    assert_eq!(output(&nodes("forecaster", &single), &[24], DType::F32), [2, 6]);
}

#[test]
fn of_other_data_are_refused() {
    let images =
        Shapes { sample: &[1, 28, 28], vocabulary: None, outputs: 10, places: None, table: None };
    for name in ["text-cnn", "lstm", "gru", "transformer", "tagger"] {
        assert!(refusal(name, &images).contains("reads sequences"), "{name}");
    }
    for name in ["char-lm", "gpt", "seq2seq", "two-tower"] {
        assert!(refusal(name, &images).contains("takes ids"), "{name}");
    }
    assert!(refusal("forecaster", &images).contains("takes numbers"));
    let ids = Shapes { sample: &[1], vocabulary: Some(9), ..images };
    assert!(refusal("two-tower", &ids).contains("a user and an item"));
    assert!(refusal("seq2seq", &ids).contains("a source and a target"));
}

#[test]
fn are_written_and_read_back() {
    let text =
        Shapes { sample: &[12], vocabulary: Some(30), outputs: 5, places: Some(4), table: None };
    let pairs = Shapes { sample: &[2], ..text };
    let series =
        Shapes { sample: &[12, 1], vocabulary: None, outputs: 5, places: None, table: None };
    let mut seen = 0;
    for preset in presets() {
        let fitting = [&text, &pairs, &series].map(|shapes| (preset.nodes)(shapes));
        for nodes in fitting.into_iter().flatten() {
            let json = serde_json::to_string(&nodes).unwrap();
            assert_eq!(serde_json::from_str::<Vec<NodeSpec>>(&json).unwrap(), nodes, "{json}");
            seen += 1;
        }
    }
    assert!(seen >= presets().len(), "{seen}");
}

#[test]
fn options_have_defaults_and_refuse_what_they_do_not_know() {
    let read = |json: &str| serde_json::from_str::<NodeSpec>(json);
    for json in [
        r#"{"type": "rnn_relu", "hidden": 3}"#,
        r#"{"type": "lstm", "hidden": 3, "layers": 2, "bidirectional": true, "dropout": 0.1}"#,
        r#"{"type": "multihead_attention", "heads": 2, "causal": true}"#,
        r#"{"type": "transformer_encoder", "heads": 2}"#,
        r#"{"type": "transformer_decoder_layer", "heads": 2, "inputs": ["a", "b"]}"#,
        r#"{"type": "learned_positions"}"#,
        r#"{"type": "pool_time", "how": "last"}"#,
        r#"{"type": "transpose", "axes": [1, 2]}"#,
        r#"{"type": "two_tower", "users": 5, "items": 6}"#,
        r#"{"type": "seq2seq", "source_ids": 5, "target_ids": 6, "source": 3}"#,
        r#"{"type": "forecaster", "horizon": 12}"#,
    ] {
        let node = read(json).unwrap_or_else(|error| panic!("{json}: {error}"));
        let again = serde_json::to_string(&node).unwrap();
        assert_eq!(read(&again).unwrap(), node);
    }
    assert!(read(r#"{"type": "lstm", "hiden": 3}"#).is_err());
    assert!(read(r#"{"type": "lstm", "hidden": 3, "both": true}"#).is_err());
}

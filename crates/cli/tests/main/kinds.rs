//! Every kind of data, from the file to the prediction: trained with the network that is chosen for it, judged, looked
//! into, used, and trained again from its config.

use std::fs;

use serde_json::Value;

use crate::support::{Place, last};

impl Place {
    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, content).expect("written");
    }

    /// Trains, does all that a run is for, and gives the summary. `worst`: the greatest difference between a gradient
    /// and its slope.
    fn whole_life(&self, arguments: &[&str], worst: f64) -> Value {
        let quick = ["train", "--set", "train.epochs=1", "--json", "--quiet", "--out", "run"];
        let summary = last(&self.ok(&[&quick, arguments].concat()).out);
        self.ok(&[
            "train",
            "--config",
            "run/config.toml",
            "--out",
            "again",
            "--quiet",
            "--threads",
            "1",
        ]);
        for file in ["model.safetensors", "model.json", "metrics.jsonl", "config.toml"] {
            let [first, second] = ["run", "again"].map(|run| self.read(&format!("{run}/{file}")));
            assert!(first == second, "{arguments:?}: {file} is not the same");
        }
        if !summary["test"].is_null() {
            let evaluated = last(&self.ok(&["evaluate", "run", "--json"]).out);
            assert_eq!(evaluated["metrics"]["loss"], summary["test"]["loss"]);
        }
        assert!(self.ok(&["inspect", "run"]).out.contains("multiply-adds a row"));
        let inspected = last(&self.ok(&["inspect", "run", "--json"]).out);
        assert_eq!(inspected["parameters"], summary["parameters"]);
        assert!(inspected["multiply_adds"].is_u64(), "{inspected}");
        let drawn = self.ok(&["inspect", "run", "--dot"]).out;
        assert!(drawn.starts_with("digraph") && drawn.contains("\"x\" -> "), "{drawn}");
        let step = last(&self.ok(&["inspect", "run", "--step", "--rows", "2", "--json"]).out);
        let difference = step["worst_difference"].as_f64().expect("a number");
        assert!(difference < worst, "{arguments:?}: {step}");
        summary
    }
}

/// A small network of words, so that the microscope is quick.
const SMALL_LSTM: &str = "network.layers=[{type='embedding', num=40, dim=4, padding_idx=0, name='e'}, \
    {type='lstm', hidden=3, bidirectional=true, inputs=['e', 'x'], name='s'}, \
    {type='pool_time', how='max', inputs=['s', 'x']}, {type='linear', out=2}]";

#[test]
fn tables_of_text_are_classified() {
    let place = Place::new();
    let row = |i: usize| match i % 2 {
        0 => format!("{i},a good and fine film,yes\n"),
        _ => format!("{i},a bad one,no\n"),
    };
    let rows: String = (0..60).map(row).collect();
    place.write("films.csv", format!("id,text,verdict\n{rows}"));
    let arguments = ["films.csv", "--kind", "text", "--target", "verdict", "--test-where", "crc32"];
    let arguments = [&arguments[..], &["--set", SMALL_LSTM]].concat();
    let summary = place.whole_life(&arguments, 0.05);
    assert_eq!(summary["task"], "classification");
    assert!(summary["test"]["rows"].as_u64().is_some_and(|rows| (1..30).contains(&rows)));
    // Without the column of answers, and in another order.
    place.write("new.csv", "text\na bad one\na good and fine film\n");
    let predicted = place.ok(&["predict", "run", "new.csv", "--proba"]).out;
    assert!(predicted.starts_with("verdict,verdict=no,verdict=yes\n"), "{predicted}");
    assert_eq!(predicted.lines().count(), 3);
    // Without rows to watch there is no patience.
    let all =
        ["--kind", "text", "--set", "data.split.valid=0", "--set", SMALL_LSTM, "--out", "all"];
    assert!(place.train(&[&["films.csv"], &all[..]].concat())["valid"].is_null());
    let judged = last(&place.ok(&["evaluate", "run", "films.csv", "--json"]).out);
    assert_eq!(judged["rows"], summary["test"]["rows"]);
}

#[test]
fn texts_are_continued() {
    let place = Place::new();
    let text = "the cat sat on the mat. ".repeat(40);
    place.write("book.txt", &text);
    let small = "network.layers=[{type='embedding', num=12, dim=4}, {type='gru', hidden=4}, \
        {type='linear', out=12}]";
    let arguments = ["book.txt", "--window", "8", "--set", small];
    let summary = place.whole_life(&arguments, 0.05);
    assert_eq!(summary["task"], "language_model");
    let valid = &summary["valid"];
    let bits = valid["bits_per_token"].as_f64().expect("bits");
    let loss = valid["loss"].as_f64().expect("a loss");
    assert!((bits * std::f64::consts::LN_2 - loss).abs() < 1e-9 && valid["perplexity"].is_f64());
    assert!(summary["baselines"]["unigram"]["bits_per_token"].as_f64().is_some_and(|x| x > 1.0));
    // What it writes for its page, it writes again.
    let [text, again] =
        ["run", "again"].map(|run| place.json(&format!("{run}/report.json"))["text"].take());
    assert_eq!(text["text"].as_str().map(|text| text.chars().count()), Some(300), "{text}");
    assert_eq!((&text["temperature"], &text), (&0.8.into(), &again));
    let written = place.ok(&["generate", "run", "--prompt", "the ", "--tokens", "20"]).out;
    assert!(written.starts_with("the ") && written.len() > 20, "{written}");
    let refused = place.thalweg(&["predict", "run", "book.txt"]);
    assert_eq!(refused.code, Some(2));
    assert!(refused.err.contains("thalweg generate run"), "{}", refused.err);
}

#[test]
fn series_are_forecast() {
    let place = Place::new();
    let value = |i: usize| 100 + 10 * (i % 6) + i;
    let rows: String = (0..120).map(|i| format!("{i},{}\n", value(i))).collect();
    place.write("sales.csv", format!("month,sold\n{rows}"));
    let arguments = ["sales.csv", "--kind", "series", "--horizon", "3", "--window", "12"];
    let summary = place.whole_life(&arguments, 0.05);
    assert_eq!(summary["task"], "forecast");
    let naive = &summary["baselines"]["seasonal_naive"];
    // Every season the numbers are six higher.
    assert_eq!((&naive["season"], naive["rmse"].as_f64()), (&6.into(), Some(6.0)));
    assert!(summary["baselines"]["last_value"]["rmse"].is_f64());
    // The last fifth: all of what came, and of each forecast the first and the last number.
    let forecast = place.json("run/report.json")["forecast"].take();
    let points = |name: &str| -> Vec<[f64; 2]> {
        serde_json::from_value(forecast[name].clone()).expect("points")
    };
    let came = (96..120).map(|i| [(i - 95) as f64, value(i) as f64]);
    assert_eq!(points("truth"), came.collect::<Vec<_>>());
    for (name, steps) in [("near", 1..=22), ("far", 3..=24)] {
        let steps: Vec<f64> = steps.map(f64::from).collect();
        assert_eq!(points(name).iter().map(|point| point[0]).collect::<Vec<_>>(), steps);
    }
    let predicted = place.ok(&["predict", "run", "sales.csv"]).out;
    let lines: Vec<&str> = predicted.lines().collect();
    assert_eq!((lines[0], lines.len()), ("sold_1,sold_2,sold_3", 2));
    // In the units of the series.
    let first: f64 = lines[1].split(',').next().unwrap_or("").parse().expect("a number");
    assert!((100.0..400.0).contains(&first), "{predicted}");
}

#[test]
fn ratings_are_foretold() {
    let place = Place::new();
    // Users and items of their own kindness.
    let rating = |u: usize, i: usize| 3.0 + [0.5, -0.5][u % 2] + [-1.0, 0.0, 1.0][i % 3];
    let pairs = (0..20).flat_map(|u| (0..9).map(move |i| (u, i)));
    let rows: String = pairs.map(|(u, i)| format!("u{u},i{i},{}\n", rating(u, i))).collect();
    place.write("stars.csv", format!("user,item,stars\n{rows}"));
    let summary = place.whole_life(&["stars.csv", "--kind", "ratings"], 0.05);
    assert_eq!(summary["task"], "recommendation");
    let biases = summary["baselines"]["biases"]["rmse"].as_f64().expect("a number");
    let mean = summary["baselines"]["mean"]["rmse"].as_f64().expect("a number");
    assert!(biases < 0.2 * mean, "{biases} {mean}");
    place.write("ask.csv", "user,item\nu0,i2\nnobody,i0\n");
    let predicted = place.ok(&["predict", "run", "ask.csv"]).out;
    assert_eq!(predicted.lines().count(), 3);
    assert!(predicted.starts_with("stars\n"), "{predicted}");
}

#[test]
fn words_are_tagged() {
    let place = Place::new();
    let sentence = "the DET\ncat NOUN\nsleeps VERB\n\na DET\ndog NOUN\n\n".repeat(20);
    place.write("tags.conll", sentence);
    let small = "network.layers=[{type='embedding', num=7, dim=4, padding_idx=0, name='e'}, \
        {type='lstm', hidden=4, inputs=['e', 'x']}, {type='linear', out=3}]";
    let summary =
        place.whole_life(&["tags.conll", "--epochs", "60", "--lr", "0.02", "--set", small], 0.05);
    assert_eq!(summary["task"], "sequence_labelling");
    assert!(summary["test"]["accuracy"].as_f64().is_some_and(|share| share > 0.9), "{summary}");
    let predicted = place.ok(&["predict", "run", "tags.conll"]).out;
    assert_eq!(predicted.lines().nth(1), Some("DET NOUN VERB"), "{predicted}");
    assert_eq!(predicted.lines().nth(2), Some("DET NOUN"), "{predicted}");
}

#[test]
fn one_text_is_made_of_another() {
    let place = Place::new();
    let word = |i: usize| ["ab", "ba", "abb", "bab"][i % 4];
    let pair = |i: usize| format!("{}\t{}\n", word(i), word(i).to_uppercase());
    place.write("pairs.tsv", (0..40).map(pair).collect::<String>());
    let arguments = ["pairs.tsv", "--kind", "pairs", "--set", "data.level=char"];
    let summary = place.whole_life(&arguments, 0.1);
    assert_eq!(summary["task"], "translation");
}

#[test]
fn recordings_are_told_apart_by_their_names() {
    let place = Place::new();
    for i in 0..24u32 {
        let (label, speaker) =
            (["low", "high"][i as usize % 2], ["anna", "bo", "cy"][i as usize / 8]);
        let rate = 8000u32;
        let step = if label == "low" { 12 } else { 3 };
        let samples: Vec<u8> = (0..rate / 4)
            .flat_map(|t| {
                let up = t / step % 2 == 0;
                (if up { 9000i16 } else { -9000 } + (t * i % 7) as i16).to_le_bytes()
            })
            .collect();
        let size = samples.len() as u32;
        let wav = [
            &b"RIFF"[..],
            &(36 + size).to_le_bytes(),
            b"WAVEfmt ",
            &16u32.to_le_bytes(),
            &1u16.to_le_bytes(),
            &1u16.to_le_bytes(),
            &rate.to_le_bytes(),
            &(2 * rate).to_le_bytes(),
            &2u16.to_le_bytes(),
            &16u16.to_le_bytes(),
            b"data",
            &size.to_le_bytes(),
            &samples,
        ];
        place.write(&format!("sounds/{label}_{speaker}_{i}.wav"), wav.concat());
    }
    let small = "network.layers=[{type='conv2d', out=2, kernel=3}, 'relu', 'global_avg_pool', \
        {type='linear', out=2}]";
    let arguments = [
        "sounds",
        "--label-pattern",
        "{label}_{speaker}_{take}.wav",
        "--test-where",
        "speaker=cy",
        "--set",
        "data.mels=8",
        "--set",
        small,
    ];
    let summary = place.whole_life(&arguments, 0.05);
    assert_eq!((&summary["task"], &summary["test"]["rows"]), (&"classification".into(), &8.into()));
    // Names say nothing when predicting.
    fs::rename(place.path("sounds/low_anna_0.wav"), place.path("sounds/x.wav")).expect("moved");
    let predicted = place.ok(&["predict", "run", "sounds"]).out;
    assert_eq!(predicted.lines().count(), 25);
}

#[test]
fn images_go_through_convolutions_and_back() {
    let place = Place::new();
    place.idx("shapes", 8);
    let small = "network.layers=[{type='unsqueeze', axis=1}, {type='conv2d', out=3, kernel=3, padding=1, \
        name='c'}, 'relu', {type='conv2d', out=3, kernel=3, padding=1, name='d', same_as='c'}]";
    let refused = place.thalweg(&["train", "shapes", "--set", small]);
    assert_eq!(refused.code, Some(2), "{}", refused.err);
    assert!(refused.err.contains("axis 1"), "{}", refused.err);
    let skip = "network.layers=[{type='unsqueeze', axis=1}, {type='conv2d', out=3, kernel=3, padding=1, \
        name='c'}, 'relu', {type='conv2d', out=3, kernel=3, padding=1, name='d'}, {type='add', \
        inputs=['c', 'd']}, 'global_avg_pool', {type='linear', out=3}]";
    let summary = place.whole_life(&["shapes", "--set", skip], 0.05);
    assert_eq!(summary["task"], "classification");
}

#[test]
fn autoencoders_need_no_labels() {
    let place = Place::new();
    place.idx("shapes", 4);
    for preset in ["autoencoder", "vae"] {
        let arguments = ["shapes", "--preset", preset, "--overwrite"];
        let quick = ["train", "--epochs", "1", "--json", "--quiet", "--out", "run"];
        let summary = last(&place.ok(&[&quick[..], &arguments].concat()).out);
        assert_eq!(summary["task"], "reconstruction", "{preset}");
        assert!(summary["test"]["rmse"].is_f64() && summary["test"]["accuracy"].is_null());
        let evaluated = last(&place.ok(&["evaluate", "run", "--json"]).out);
        assert_eq!(evaluated["metrics"]["rmse"], summary["test"]["rmse"]);
        let shown = place.json("run/report.json")["reconstructions"].take();
        let shown: Vec<Value> = serde_json::from_value(shown).expect("a list");
        assert_eq!(shown.len(), 8.min(summary["test"]["rows"].as_u64().unwrap_or(0) as usize));
        for pair in &shown {
            for picture in [&pair["given"], &pair["made"]] {
                assert!(picture.as_str().is_some_and(|text| text.starts_with("iVBOR")), "{pair}");
            }
            assert!(pair["given"] != pair["made"], "{pair}");
        }
        let predicted = place.ok(&["predict", "run", "shapes"]).out;
        assert_eq!(predicted.lines().next().map(|line| line.split(',').count()), Some(16));
    }
}

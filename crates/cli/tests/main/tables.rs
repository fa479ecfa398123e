//! Tables by way of the program: a configuration to begin with, the flags, and places that cannot be written to.

use std::fs;

use crate::support::{Done, Place, last};

/// Rows of a number, a category, a group, a day, and an answer that the number gives away.
fn table(place: &Place, name: &str, rows: usize) {
    let row = |i: usize| {
        let size = (i * 37 % 101) as f64 / 10.0;
        let kind = if size > 5.0 { "big" } else { "small" };
        let colour = ["red", "green", "blue"][i % 3];
        format!("{size},{colour},g{},2024-{:02}-{:02},{kind}\n", i / 4, 1 + i / 28 % 12, 1 + i % 28)
    };
    let rows: String = (0..rows).map(row).collect();
    fs::write(place.path(name), format!("size,colour,house,day,kind\n{rows}")).expect("written");
}

const QUICK: [&str; 6] = ["train", "t.csv", "--epochs", "1", "--json", "--quiet"];

#[test]
fn a_configuration_trains_after_one_line_was_edited() {
    let place = Place::new();
    table(&place, "t.csv", 200);
    let said = place.ok(&["init", "t.csv", "--target", "kind", "--out", "t.toml"]);
    assert!(said.out.contains("thalweg train --config t.toml"), "{}", said.out);
    let text = String::from_utf8(place.read("t.toml")).expect("UTF-8");
    let edit = |line: &str| match line.starts_with("epochs = ") {
        true => "epochs = 2\n".to_string(),
        false => format!("{line}\n"),
    };
    fs::write(place.path("t.toml"), text.lines().map(edit).collect::<String>()).expect("written");
    let trained = place.ok(&["train", "--config", "t.toml", "--out", "run", "--json", "--quiet"]);
    assert_eq!(last(&trained.out)["epochs"], 2);
    let evaluated = place.ok(&["evaluate", "run"]).out;
    assert!(evaluated.contains("next\n  thalweg predict run DATA"), "{evaluated}");
    // Without the column of answers; kept columns stand in front, several in one flag.
    fs::write(place.path("new.csv"), "house,size,colour,day\ng1,9.5,red,2024-01-05\n").unwrap();
    let kept = ["--keep", "house,size", "--keep", "colour"];
    let predicted = place.ok(&[&["predict", "run", "new.csv"], &kept[..]].concat()).out;
    assert!(predicted.starts_with("house,size,colour,kind\ng1,9.5,red,"), "{predicted}");
    // What was tried out before the training stays in the report of a run that goes on.
    place.ok(&["resume", "run", "--epochs", "+1", "--quiet"]);
    let report = place.json("run/report.json");
    assert_eq!(report["preflight"].as_array().map(Vec::len), Some(2), "{report}");
}

#[test]
fn flags_say_how_a_table_is_learned() {
    let place = Place::new();
    table(&place, "t.csv", 200);
    table(&place, "more.csv", 40);
    let train = |flags: &[&str]| -> Done {
        place.ok(&[&QUICK[..], flags, &["--out", "run", "--overwrite"]].concat())
    };
    let columns = || -> Vec<(String, String)> {
        let model = place.json("run/model.json");
        let columns = model["encoding"]["columns"].as_array().cloned().unwrap_or_default();
        let word = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_string();
        columns.iter().map(|c| (word(&c["name"]), word(&c["reason"]))).collect()
    };
    let reason = |name: &str| {
        let found = columns().into_iter().find(|(column, _)| column == name);
        found.map(|(_, reason)| reason).unwrap_or_default()
    };
    train(&["--type", "house=category", "--drop", "day,colour"]);
    for name in ["house", "day", "colour"] {
        assert_eq!(reason(name), "as was asked for", "{name}");
    }
    assert_eq!(
        last(&train(&["--target", "size", "--task", "regression"]).out)["task"],
        "regression"
    );
    train(&["--group", "house"]);
    assert_eq!(reason("house"), "rows are grouped by it");
    assert_eq!(last(&train(&["--time-col", "day"]).out)["test"]["rows"], 40);
    let parts = last(&train(&["--valid", "more.csv", "--test", "more.csv"]).out);
    assert_eq!((&parts["valid"]["rows"], &parts["test"]["rows"]), (&40.into(), &40.into()));
    // The names of the columns are a row then, and no other answer is like that one.
    let bare = train(&["--header", "false", "--target", "5", "--type", "1=category"]);
    assert_eq!(last(&bare.out)["task"], "classification");
    train(&["--balance", "--metric", "f1"]);
    for (flags, says) in [
        (&["--drop", "colours"][..], "did you mean 'colour'?"),
        (&["--type", "size=nmber"], "did you mean 'number'?"),
        (&["--target", "Kind "], "did you mean 'kind'?"),
        (&["--metric", "acuracy"], "accuracy"),
    ] {
        let done = place.thalweg(&[&QUICK[..], flags].concat());
        assert!(done.code == Some(2) && done.err.contains(says), "{flags:?}: {}", done.err);
    }
}

#[test]
fn a_program_of_ones_own_gets_the_same_answers() {
    use thalweg::{Cell, Model};
    let place = Place::new();
    table(&place, "t.csv", 200);
    let numbers = [9.5, 0.3, 5.2];
    let new: String = numbers.map(|size| format!("{size},red\n")).concat();
    fs::write(place.path("new.csv"), format!("size,colour\n{new}")).expect("written");
    let rows = numbers.map(|size| [("size", Cell::from(size)), ("colour", "red".into())]);
    place.ok(&[&QUICK[..], &["--drop", "day,house", "--out", "kinds"]].concat());
    let printed = place.ok(&["predict", "kinds", "new.csv", "--proba"]).out;
    let mut model = Model::load(place.path("kinds")).expect("a run");
    assert_eq!((model.target(), model.classes().len()), ("kind", 2));
    let said = model.predict(&rows).expect("answers");
    for (line, said) in printed.lines().skip(1).zip(&said) {
        let own = format!("{},{},{}", said.answer, said.scores[0], said.scores[1]);
        assert_eq!(line, own);
    }
    assert_eq!(said.len(), 3);

    // A number, of what is left without the column that tells it.
    let regression = ["--target", "size", "--drop", "day,house", "--out", "sizes"];
    place.ok(&[&QUICK[..], &regression].concat());
    fs::write(place.path("new.csv"), "colour,kind\nred,big\nblue,\n").expect("written");
    let rows = [
        [("colour", Cell::from("red")), ("kind", "big".into())],
        [("colour", "blue".into()), ("kind", Cell::Missing)],
    ];
    let printed = place.ok(&["predict", "sizes", "new.csv"]).out;
    let mut model = Model::load(place.path("sizes")).expect("a run");
    let said = model.predict(&rows).expect("answers");
    let own: Vec<&str> = said.iter().map(|said| said.answer.as_str()).collect();
    assert_eq!(printed.lines().skip(1).collect::<Vec<_>>(), own);
}

#[test]
fn members_that_average_probabilities_are_not_judged_by_squares() {
    let place = Place::new();
    table(&place, "t.csv", 200);
    let done = place.thalweg(&[&QUICK[..], &["--set", "train.loss=mse"]].concat());
    assert_eq!(done.code, Some(2), "{}", done.err);
    assert!(
        done.err.contains("train.loss=mse") && done.err.contains("--preset mlp"),
        "{}",
        done.err
    );
    assert_eq!(place.list("runs"), [""; 0]);
}

#[test]
fn what_cannot_be_learned_from_is_said_plainly() {
    let place = Place::new();
    for (name, content, code, says) in [
        ("only.csv", "y\na\nb\n".repeat(9), 1, "it is the only one"),
        ("one.csv", "x,y\n1,a\n".into(), 1, "the only row has the target 'a'"),
        ("-", String::new(), 2, "not from a pipe"),
    ] {
        if name != "-" {
            fs::write(place.path(name), content).expect("written");
        }
        let done = place.thalweg(&["train", name, "--kind", "table"]);
        assert!(done.code == Some(code) && done.err.contains(says), "{name}: {}", done.err);
    }
    fs::write(place.path("old.toml"), "data = 't.csv'\n").expect("written");
    let done = place.thalweg(&["train", "--config", "old.toml"]);
    assert!(done.err.contains("a table of settings"), "{}", done.err);
}

#[cfg(unix)]
mod refused {
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::process::Command;

    use super::*;

    /// Runs the program where files may have `blocks` blocks at most: what a full disk is like.
    fn full(place: &Place, blocks: u32, arguments: &str) -> Done {
        let script = format!(
            "trap '' XFSZ; ulimit -f {blocks}; exec {} {arguments}",
            env!("CARGO_BIN_EXE_thalweg")
        );
        let mut command = Command::new("sh");
        command.current_dir(place.path("")).args(["-c", &script]);
        command.output().expect("a shell").into()
    }

    #[test]
    fn a_full_disk_leaves_nothing_half_written() {
        let place = Place::new();
        table(&place, "t.csv", 200);
        let before = place.list(".");
        let done = full(&place, 8, "train t.csv --epochs 1 --out run --quiet");
        assert_eq!(done.code, Some(1), "{}", done.err);
        assert!(done.err.contains("cannot write") && done.err.contains("space"), "{}", done.err);
        assert_eq!(place.list("."), before);
        place.ok(&[&QUICK[..], &["--out", "run"]].concat());
        let [run, before] = [".", "run"].map(|folder| place.list(folder));
        let done = full(&place, 0, "predict run t.csv --out p.csv");
        assert_eq!(done.code, Some(1), "{}", done.err);
        assert!(done.err.contains("p.csv") && done.err.contains("space"), "{}", done.err);
        assert_eq!([".", "run"].map(|folder| place.list(folder)), [run, before]);
    }

    #[test]
    fn a_folder_that_may_not_be_written_to_is_named() {
        let place = Place::new();
        table(&place, "t.csv", 200);
        fs::create_dir(place.path("locked")).expect("a folder");
        let lock = |mode| {
            fs::set_permissions(place.path("locked"), fs::Permissions::from_mode(mode)).unwrap();
        };
        lock(0o555);
        if fs::write(place.path("locked/probe"), "").is_ok() {
            lock(0o755);
            eprintln!("skipped: this user may write everywhere");
            return;
        }
        let done = place.thalweg(&[&QUICK[..], &["--out", "locked/run"]].concat());
        lock(0o755);
        assert_eq!(done.code, Some(1), "{}", done.err);
        assert!(
            done.err.contains("locked/run") && done.err.contains("permissions"),
            "{}",
            done.err
        );
        assert_eq!(place.list("locked"), [""; 0]);
    }

    #[test]
    fn a_link_that_leads_nowhere_is_called_so() {
        let place = Place::new();
        symlink("gone.csv", place.path("t.csv")).expect("a link");
        let done = place.thalweg(&["train", "t.csv"]);
        assert_eq!(done.code, Some(2));
        assert!(done.err.contains("a link to something that is not there"), "{}", done.err);
    }
}

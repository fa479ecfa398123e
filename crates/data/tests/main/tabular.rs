//! Tables of many columns: what columns are taken for and why, and what rows become.

use std::collections::BTreeMap;

use thalweg_data::tabular::encoder::Encoder;
use thalweg_data::tabular::{Cell, ColumnType, Table, TableTask};
use thalweg_data::{
    Encoding, Kind, Loaded, Raw, SourceOptions, Targets, open_as, open_features, open_unlabelled,
    open_with,
};

use crate::files::*;
use crate::real::shared;

/// Forty rows: each cell from the number of its row; the last column is learned.
fn table(header: &str, row: impl Fn(usize) -> String) -> (tempfile::TempDir, std::path::PathBuf) {
    let rows: String = (0..40).map(|i| format!("{},{}\n", row(i), ["no", "yes"][i % 2])).collect();
    one("table.csv", format!("{header},y\n{rows}").as_bytes())
}

fn learned(path: &std::path::Path, options: SourceOptions) -> (Loaded, Table) {
    let loaded = open_with(text(path), &options).unwrap();
    let Encoding::Table(table) = loaded.encoding.clone() else { panic!("a table was expected") };
    (loaded, table)
}

/// A column of this name and these cells, beside one of numbers: what it is taken for and why.
fn taken(name: &str, cell: impl Fn(usize) -> String) -> (String, String) {
    let (_folder, path) = table(&format!("{name},x"), |i| format!("{},{}", cell(i), i * 7 % 11));
    let (loaded, _) = learned(&path, SourceOptions::default());
    let report = &loaded.columns[0];
    assert_eq!(report.name, name);
    (report.kind.clone(), report.reason.clone())
}

/// Row `row` of the features.
fn row(loaded: &Loaded, row: usize) -> Vec<f32> {
    let width = loaded.train.features.width();
    match loaded.train.features.raw() {
        Raw::F32(values) => values[row * width..(row + 1) * width].to_vec(),
        other => panic!("{other:?}"),
    }
}

/// The cell of each row.
type Cells<'a> = &'a dyn Fn(usize) -> String;

#[test]
fn every_type_is_known_with_a_reason() {
    let scattered = |i: usize| i * 17 % 41;
    let word = |i: usize| ["red", "green", "blue"][i % 3].to_string();
    let hash = |i: usize| format!("{:032x}", (i as u128 + 1) * 0x9e37_79b9_7f4a_7c15_f39c);
    let cases: [(&str, Cells<'_>, &str, &str); 17] = [
        ("a", &|i| format!("{}.5", scattered(i)), "number", "every cell is a number"),
        ("a", &|i| (scattered(i) % 5).to_string(), "number", "whole numbers, 5 different ones"),
        ("a", &|i| (i % 2).to_string(), "number", "whole numbers, 2 different ones"),
        ("a", &|i| ["Yes", "no"][i / 3 % 2].into(), "boolean", "its cells mean yes and no"),
        ("a", &word, "category", "3 different values"),
        (
            "zip",
            &|i| format!("{:05}", scattered(i)),
            "category",
            "numbers with zeros before them are codes",
        ),
        ("a", &|i| (i + 100).to_string(), "identifier", "whole numbers that count up, row by row"),
        (
            "user_id",
            &|i| (scattered(i) + 100).to_string(),
            "identifier",
            "called an id, and every row has another whole number",
        ),
        (
            "price",
            &|i| (scattered(i) + 100).to_string(),
            "number",
            "whole numbers, 40 different ones",
        ),
        ("a", &hash, "identifier", "a code of its own in nearly every row"),
        ("a", &|i| format!("n{i}"), "identifier", "another single word in nearly every row"),
        (
            "a",
            &|i| format!("the {i} th word of {}", i * 3),
            "text",
            "6.0 words in a cell, 40 different ones",
        ),
        ("a", &|_| "same".into(), "constant", "every cell is the same"),
        ("a", &|_| "NA".into(), "constant", "there is nothing in it"),
        ("a", &|i| format!("2024-02-{:02}", i % 28 + 1), "time", "times, written year-month-day"),
        ("a", &|i| format!("{}/7/2024 12:30", i % 31 + 1), "time", "times, written day/month/year"),
        (
            "a",
            &|i| format!("{}/7/2024", i % 12 + 1),
            "time",
            "times, written month/day/year; whether day or month is first cannot be seen",
        ),
    ];
    for (name, cell, kind, reason) in cases {
        assert_eq!(taken(name, cell), (kind.to_string(), reason.to_string()), "{}", cell(0));
    }
}

#[test]
fn numbers_that_count_up_stay_where_nothing_else_is_left() {
    let (_folder, path) = table("x", |i| i.to_string());
    let (loaded, table) = learned(&path, SourceOptions::default());
    assert!(matches!(table.columns[0].encoder, Encoder::Number(_)));
    assert!(loaded.columns[0].reason.contains("nothing else"), "{}", loaded.columns[0].reason);
}

#[test]
fn a_column_that_is_lacking_is_no_slip_of_another_one_learned_from() {
    let (_folder, path) = table("a,flag", |i| format!("{}.5,{}", i * 7 % 11, i % 2));
    let (loaded, _) = learned(&path, SourceOptions::default());
    for (header, row, hint) in
        [("a", "1", "add the column"), ("a,flags", "1,1", "did you mean 'flags'?")]
    {
        let (_folder, lacking) = one("b.csv", format!("{header}\n{row}\n").as_bytes());
        let error =
            open_features(text(&lacking), &loaded.encoding, &SourceOptions::default()).unwrap_err();
        assert!(error.hint().contains(hint), "{error}: {}", error.hint());
    }
    // A number that never was in training is one like others.
    let (_folder, two) = one("c.csv", b"a,flag\n1.5,2\n");
    open_features(text(&two), &loaded.encoding, &SourceOptions::default()).unwrap();
}

#[test]
fn types_can_be_said_and_columns_dropped() {
    let (_folder, path) = table("a,b,c", |i| format!("{},{},{}", i % 7, i * 3 % 40, i % 5));
    let options = SourceOptions {
        types: Some(BTreeMap::from([("a".into(), ColumnType::Category)])),
        drop: Some(vec!["c".into()]),
        ..Default::default()
    };
    let (loaded, table) = learned(&path, options);
    let kinds: Vec<&str> = loaded.columns.iter().map(|column| column.kind.as_str()).collect();
    assert_eq!(kinds, ["category", "number", "dropped"]);
    assert_eq!(loaded.columns[0].reason, "as was asked for");
    // Seven values, each with four training rows at least; those with five are known.
    assert_eq!((table.layout.numbers.len(), table.layout.categories.len()), (1, 1));
    assert_eq!(loaded.train.features.width(), 2);
    let drop = |name: &str| SourceOptions { drop: Some(vec![name.into()]), ..Default::default() };
    assert_says(open_with(text(&path), &drop("d")), &["no column 'd'", "a, b, c, y"]);
    assert_says(open_with(text(&path), &drop("y")), &["column 'y' is what is to be learned"]);
    let none = SourceOptions {
        drop: Some(vec!["a".into(), "b".into(), "c".into()]),
        ..Default::default()
    };
    assert_says(open_with(text(&path), &none), &["there is no column to learn 'y' from"]);
}

#[test]
fn rows_are_numbers_then_ids() {
    // Missing numbers in both a row of training and others: an indicator; values of fewer than five rows share an id.
    let (_folder, path) = table("colour,size", |i| {
        let colour = if i == 39 { "odd" } else { ["red", "blue"][i / 2 % 2] };
        format!("{colour},{}", if i % 4 == 3 { String::new() } else { (i % 3).to_string() })
    });
    let (loaded, table) = learned(&path, SourceOptions::default());
    let places = table.places();
    assert_eq!(places, [(1, 0), (0, 2)], "the number first, with its indicator, then the id");
    let Encoding::Table(known) = &loaded.encoding else { panic!() };
    assert_eq!(known.layout.categories, [4], "missing, unknown, blue, red");
    assert_eq!(row(&loaded, 3), [0.0, 1.0, 2.0], "nothing, and blue");
    assert_eq!(row(&loaded, 0)[1..], [0.0, 3.0]);
    assert_eq!(row(&loaded, 39)[2], 1.0, "rare values share the unknown one's id");
    assert_eq!(classes(&loaded.train.targets).1, ["no", "yes"]);
    // JSON keeps it.
    let json = serde_json::to_string(&loaded.encoding).unwrap();
    assert_eq!(serde_json::from_str::<Encoding>(&json).unwrap(), loaded.encoding);
}

#[test]
fn medians_and_quantiles_come_from_training_rows() {
    let value = |i: usize| (i * i) as f64 / 8.0;
    let (_folder, path) = table("x", |i| value(i).to_string());
    let (loaded, table) = learned(&path, SourceOptions::default());
    let parts = loaded.parts.as_ref().unwrap();
    let train: Vec<f64> = parts.train.iter().map(|&row| value(row)).collect();
    let median = (train[train.len() / 2 - 1] + train[train.len() / 2]) / 2.0;
    assert_eq!(train.len(), 28);
    let Encoder::Number(number) = &table.columns[0].encoder else { panic!() };
    assert_eq!(f64::from(number.median), median);
    let quantiles = &table.layout.numbers[0];
    assert!(quantiles.is_sorted() && quantiles.len() <= 48);
    assert_eq!(quantiles[0], number.scaled(train[0]));
    assert_eq!(quantiles.last(), Some(&number.scaled(train[27])));
    assert_eq!(table.layout.rows, 28);
}

#[test]
fn other_tables_are_read_by_name() {
    let (_folder, path) = table("a,b", |i| format!("{},{}", i % 7, ["u", "v"][i / 5 % 2]));
    let (loaded, table) = learned(&path, SourceOptions::default());
    let options = SourceOptions::default();
    // Without the target, in another order, with a column more.
    let (_other, bare) = one("new.csv", b"z,b,a\n1,u,3\n2,w,\n");
    let (features, notes) = open_unlabelled(text(&bare), &loaded.encoding, &options).unwrap();
    assert_eq!(notes, ["passed over, since nothing was learned of it: column z"]);
    let rows = table
        .encode_rows([
            [("a", Cell::Number(3.0)), ("b", "u".into())],
            [("a", Cell::Missing), ("b", "w".into())],
        ])
        .unwrap();
    assert_eq!(features, rows);
    let Encoder::Number(number) = &table.columns[0].encoder else { panic!() };
    assert_eq!(rows.raw(), &Raw::F32(vec![number.scaled(3.0), 2.0, 0.0, 1.0]));

    let (_other, wrong) = one("new.csv", b"A,b\n3,u\n");
    assert_says(
        open_features(text(&wrong), &loaded.encoding, &options),
        &["no column 'a'; the columns are A, b", "did you mean 'A'?"],
    );
    let (_other, wrong) = one("new.csv", b"a,b\n3,u\nfour,u\n");
    assert_says(
        open_features(text(&wrong), &loaded.encoding, &options),
        &["new.csv: line 3, column 'a': a number is needed, there is 'four'", "correct the cell"],
    );
    assert_says(
        table.encode_rows([[("a", 3.0.into()), ("c", Cell::Missing)]]),
        &["no column 'b'; the columns are a, c"],
    );
    let names = ["no", "yes"].map(String::from);
    let (_other, judged) = one("new.csv", b"a,b,y\n3,u,yes\n4,u,\n");
    let judged = open_as(text(&judged), &loaded.encoding, &names, &options).unwrap();
    assert_eq!(classes(&judged.train.targets).0, [1]);
    assert!(judged.notes[0].starts_with("1 rows of "), "{:?}", judged.notes);
}

#[test]
fn strays_among_numbers_are_named() {
    let (_folder, path) =
        table("a,b", |i| format!("{},{}", if i == 20 { "x".into() } else { i.to_string() }, i % 3));
    assert_says(
        open_with(text(&path), &SourceOptions::default()),
        &[
            "table.csv: line 22, column 'a': a number is needed, there is 'x'; nearly all other cells of the column are numbers",
            "correct the cell, leave it empty, or say --type a=category",
        ],
    );
    let types = Some(BTreeMap::from([("a".into(), ColumnType::Category)]));
    let (loaded, _) = learned(&path, SourceOptions { types, ..Default::default() });
    assert_eq!(loaded.columns[0].kind, "category");
}

fn target(
    cells: impl Fn(usize) -> String,
    task: Option<TableTask>,
) -> Result<Loaded, thalweg_data::DataError> {
    let rows: String = (0..60).map(|i| format!("{},{}\n", i * 7 % 60, cells(i))).collect();
    let (_folder, path) = one("table.csv", format!("x,y\n{rows}").as_bytes());
    open_with(text(&path), &SourceOptions { task, target: Some("y".into()), ..Default::default() })
}

#[test]
fn the_task_follows_from_the_target() {
    let cases: [(Cells<'_>, TableTask, &str); 6] = [
        (&|i| ["no", "yes"][i % 2].into(), TableTask::Classification, "two different values"),
        (&|i| ["a", "b", "c"][i % 3].into(), TableTask::Classification, "3 different texts"),
        (
            &|i| (i % 3).to_string(),
            TableTask::Classification,
            "only 3 different whole numbers; --task regression takes them as numbers",
        ),
        (
            &|i| (i % 30).to_string(),
            TableTask::Regression,
            "numbers; --task classification takes them as classes",
        ),
        (&|i| format!("{i}.25"), TableTask::Regression, "numbers"),
        (
            &|i| ["a;b", "b", "c;a"][i % 3].into(),
            TableTask::Multilabel,
            "lists of labels; --task classification takes each list as a class",
        ),
    ];
    for (cells, task, reason) in cases {
        let loaded = target(cells, None).unwrap();
        let Encoding::Table(table) = &loaded.encoding else { panic!() };
        assert_eq!((table.target.task, table.target.reason.as_str()), (task, reason));
    }
    let numbers = target(|i: usize| (i % 3).to_string(), Some(TableTask::Regression)).unwrap();
    assert!(matches!(numbers.train.targets, Targets::Values { dims: 1, .. }));
    // Classes that are numbers are told apart as numbers.
    let same = target(|i: usize| ["1", "1.0", "2"][i % 3].into(), None).unwrap();
    assert_eq!(classes(&same.train.targets).1, ["1", "2"]);
    let lists = target(|i: usize| ["a;b", "b", "c;a"][i % 3].into(), None).unwrap();
    let Targets::Labels { flags, names } = &lists.train.targets else { panic!() };
    assert_eq!((&flags[..9], names.join("")), (&[1, 1, 0, 0, 1, 0, 1, 0, 1][..], "abc".into()));
}

#[test]
fn targets_that_cannot_be_learned_are_named() {
    assert_says(target(|_| "on".into(), None), &["column 'y': all 60 rows have the target 'on'"]);
    assert_says(
        target(|_| String::new(), None),
        &["column 'y': there is nothing in the column that is to be learned"],
    );
    assert_says(
        target(|i| if i == 9 { "x".into() } else { format!("{i}.5") }, None),
        &["line 11, column 'y': a number is needed to learn from, there is 'x'"],
    );
    let some =
        target(|i| if i % 6 == 0 { "?".into() } else { ["a", "b"][i % 2].into() }, None).unwrap();
    assert_eq!(some.notes, ["10 of 60 rows are left out: nothing in column 'y'"]);
    assert_eq!(some.train.rows(), 50);
}

#[test]
fn what_a_table_is_for_is_seen_in_its_columns() {
    let kind = |content: &str, target: Option<&str>| {
        let (_folder, path) = one("table.csv", content.as_bytes());
        let target = target.map(String::from);
        // Few rows make parts without rows, which is another matter than the kind.
        let options = SourceOptions { target, ..Default::default() };
        open_with(text(&path), &options).map(|loaded| loaded.encoding.kind())
    };
    let rows = |row: &dyn Fn(usize) -> String| (0..100).map(row).collect::<String>();
    let reviews = rows(&|i| format!("a fine film number {i},{}\n", ["bad", "good"][i % 2]));
    assert_eq!(kind(&format!("review,mood\n{reviews}"), None).unwrap(), Kind::Text);
    let mixed = rows(&|i| format!("a fine film number {i},{i},{}\n", ["bad", "good"][i % 2]));
    assert_eq!(kind(&format!("review,stars,mood\n{mixed}"), None).unwrap(), Kind::Table);
    let colours = rows(&|i| format!("{},{},{}\n", ["a", "b"][i % 2], ["c", "d"][i / 2 % 2], i % 2));
    assert_eq!(kind(&format!("p,q,r\n{colours}"), None).unwrap(), Kind::Table);
    let numbers = rows(&|i| format!("{i},{}\n", i * i));
    assert_eq!(kind(&format!("t,v\n{numbers}"), None).unwrap(), Kind::Series);
    let numbers = rows(&|i| format!("{},{}\n", i * 7 % 100, i * i));
    assert_eq!(kind(&format!("t,v\n{numbers}"), Some("v")).unwrap(), Kind::Table);
}

#[test]
fn real_tables_are_understood() {
    let Some(folder) = shared("tables") else { return };
    let kinds = |name: &str, target: &str| {
        let options = SourceOptions { target: Some(target.into()), ..Default::default() };
        let (loaded, _) = learned(&folder.join(name), options);
        let parts = loaded.parts.unwrap();
        let kinds: Vec<String> = loaded.columns.iter().map(|column| column.kind.clone()).collect();
        ([parts.train.len(), parts.valid.len(), parts.test.len()], kinds.join(" "))
    };
    assert_eq!(kinds("iris.csv", "species"), ([105, 15, 30], ["number"; 4].join(" ")));
    let titanic = "number text category number number number category number category category \
        category number category";
    let (parts, found) = kinds("titanic.csv", "survived");
    assert_eq!((parts.iter().sum::<usize>(), found.as_str()), (1309, titanic));
    let (_, adult) = kinds("adult_train.csv.gz", "income");
    assert_eq!(
        adult,
        "number category number category number category category category category \
        category number number number category"
    );
    let digits = SourceOptions { target: Some("65".into()), ..Default::default() };
    let (loaded, table) = learned(&folder.join("digits.csv"), digits);
    assert_eq!((loaded.train.rows(), table.layout.numbers.len()), (1797, 61));
    assert_eq!(table.target.task, TableTask::Classification);
}

//! Each check has a table where it fires and one where it does not.

use super::*;
use crate::random::Philox;

/// Columns by name, nature and cells; the last one is the target. Every tenth row is for validation, the two after it
/// for the test, unless parts are given.
struct Made {
    columns: Vec<(&'static str, Nature, Vec<String>)>,
    parts: Option<Vec<usize>>,
}

impl Made {
    fn of(columns: Vec<(&'static str, Nature, Vec<String>)>) -> Made {
        Made { columns, parts: None }
    }

    fn examined(self) -> Examined {
        let (name, nature, answers) = self.columns.last().unwrap();
        let n = answers.len();
        let usual = || (0..n).map(|row| [1, 2, 2, 0, 0, 0, 0, 0, 0, 0][row % 10]).collect();
        let parts: Vec<usize> = self.parts.unwrap_or_else(usual);
        let answer = match nature {
            Nature::Number => {
                Answer::Numbers(answers.iter().map(|cell| cell.parse().unwrap()).collect())
            }
            _ => {
                let mut names: Vec<&String> = answers.iter().collect();
                names.sort();
                names.dedup();
                let of = |cell| names.iter().position(|name| *name == cell).unwrap();
                let labels: Vec<usize> = answers.iter().map(of).collect();
                let mut classes: Vec<_> =
                    names.iter().map(|name| (name.to_string(), [0; 3])).collect();
                for (&label, &part) in labels.iter().zip(&parts) {
                    classes[label].1[part] += 1;
                }
                Answer::Classes { classes, labels }
            }
        };
        let mut twins = Twins::default();
        for (row, &part) in parts.iter().enumerate() {
            twins.add(row_hash(self.columns.iter().map(|(_, _, cells)| &cells[row])), part);
        }
        let seen = self.columns[..self.columns.len() - 1].iter().map(|(name, nature, cells)| {
            let filled = cells.iter().filter(|cell| !cell.is_empty()).count();
            let cells = cells.iter().map(String::as_str);
            Seen::new(name, *nature, cells, [filled as u64, (n - filled) as u64])
        });
        let rows = [0, 1, 2].map(|part| parts.iter().filter(|p| **p == part).count() as u64);
        Examined { columns: seen.collect(), target: name.to_string(), answer, parts, rows, twins }
    }

    fn check(self) -> Vec<Check> {
        examine(&self.examined())
    }
}

/// The findings of one name, without passes.
fn findings<'a>(checks: &'a [Check], name: &str) -> Vec<&'a Check> {
    assert!(
        checks.iter().any(|check| check.name == name),
        "no check is called {name}: {checks:#?}"
    );
    checks.iter().filter(|check| check.name == name && check.status != Status::Pass).collect()
}

fn fires(checks: &[Check], name: &str, status: Status, words: &[&str]) {
    let found = findings(checks, name);
    let says = |check: &&Check| {
        check.status == status
            && words.iter().all(|word| format!("{} {}", check.saw, check.action).contains(word))
    };
    assert!(found.iter().any(says), "{name} {words:?}: {found:#?}");
}

fn quiet(checks: &[Check], name: &str) {
    assert_eq!(findings(checks, name), Vec::<&Check>::new());
}

/// Numbers from 0 to 1.
fn uniform(stream: u64, n: usize) -> Vec<f64> {
    let mut random = Philox::new(1, stream);
    (0..n).map(|_| (random.next_u64() >> 11) as f64 / (1u64 << 53) as f64).collect()
}

fn texts(numbers: impl IntoIterator<Item = f64>) -> Vec<String> {
    numbers.into_iter().map(|x| x.to_string()).collect()
}

fn number(name: &'static str, stream: u64, n: usize) -> (&'static str, Nature, Vec<String>) {
    (name, Nature::Number, texts(uniform(stream, n)))
}

fn words<'a>(n: usize, of: impl Fn(usize) -> &'a str) -> Vec<String> {
    (0..n).map(|row| of(row).to_string()).collect()
}

/// Whether a random number is below 0.5, with every eighth answer the other way.
fn noisy(stream: u64, n: usize) -> Vec<String> {
    let yes = uniform(stream, n).into_iter().enumerate();
    yes.map(|(i, x)| if (x < 0.5) ^ (i % 8 == 0) { "yes" } else { "no" }.to_string()).collect()
}

/// Two numbers, and a class that the first of them tells mostly.
fn clean(n: usize) -> Vec<(&'static str, Nature, Vec<String>)> {
    vec![number("a", 1, n), number("b", 2, n), ("y", Nature::Category, noisy(1, n))]
}

fn with(n: usize, name: &'static str, nature: Nature, cells: Vec<String>) -> Vec<Check> {
    let mut columns = clean(n);
    columns.insert(2, (name, nature, cells));
    Made::of(columns).check()
}

#[test]
fn nothing_is_wrong_with_clean_tables() {
    let checks = Made::of(clean(400)).check();
    assert!(checks.iter().all(|check| check.status == Status::Pass), "{checks:#?}");
    assert!(checks.iter().all(|check| !check.saw.is_empty() && check.action.is_empty()));
    let mut columns = clean(400);
    columns[2] = number("y", 3, 400);
    let checks = Made::of(columns).check();
    assert!(checks.iter().all(|check| check.status == Status::Pass), "{checks:#?}");
}

#[test]
fn rows_and_classes_must_be_enough() {
    fires(&Made::of(clean(3)).check(), "rows", Status::Fail, &["only 0 rows"]);
    fires(&Made::of(clean(60)).check(), "rows", Status::Warn, &["42 to learn from"]);
    let names = ["c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8", "c9", "c10", "c11", "c12"];
    let mut many: Vec<_> = (0..12).map(|i| number(names[i], i as u64, 80)).collect();
    many.push(("y", Nature::Category, noisy(1, 80)));
    fires(&Made::of(many).check(), "rows", Status::Warn, &["56 rows", "12 columns"]);

    let one = || vec![number("a", 1, 100), ("y", Nature::Category, words(100, |_| "x"))];
    fires(&Made::of(one()).check(), "classes", Status::Fail, &["of one class, 'x'"]);
    let mut number = one();
    number[1] = ("y", Nature::Number, words(100, |_| "7"));
    fires(&Made::of(number).check(), "classes", Status::Fail, &["'y' is 7 in every row"]);

    let of = |row: usize| if row % 100 == 4 { "rare" } else { ["p", "q"][row % 2] };
    let checks = Made::of(vec![one().remove(0), ("y", Nature::Category, words(100, of))]).check();
    fires(&checks, "classes", Status::Warn, &["fewer than 10", "'rare'"]);
    fires(&checks, "imbalance", Status::Warn, &["'rare'", "--balance"]);
    let of = |row: usize| if row == 0 { "late" } else { ["p", "q"][row % 2] };
    let checks = Made::of(vec![one().remove(0), ("y", Nature::Category, words(100, of))]).check();
    fires(&checks, "classes", Status::Warn, &["no row to learn from is of class 'late'"]);
}

#[test]
fn columns_without_much_in_them() {
    let empty = with(100, "void", Nature::Constant, words(100, |_| ""));
    fires(&empty, "missing", Status::Warn, &["nothing stands in 'void'", "--drop void"]);
    quiet(&empty, "constant");
    let half = with(100, "half", Nature::Category, words(100, |i| ["u", "v", "", ""][i / 2 % 4]));
    quiet(&half, "missing");
    let most = with(100, "most", Nature::Category, words(100, |i| ["", "", "", "v"][i / 2 % 4]));
    fires(&most, "missing", Status::Warn, &["'most' 76"]);

    let same = with(100, "same thing", Nature::Constant, words(100, |_| "k"));
    fires(&same, "constant", Status::Warn, &["'same thing'", "--drop \"same thing\""]);
    let id = with(100, "code", Nature::Identifier, texts((0..100).map(f64::from)));
    fires(&id, "identifiers", Status::Warn, &["'code'", "--type code=category"]);

    let other = |i: usize| format!("Person Number {i}");
    let name = with(100, "full_name", Nature::Text, (0..100).map(other).collect());
    fires(&name, "identifiers", Status::Warn, &["'full_name'", "--drop full_name"]);
    let review = with(100, "review", Nature::Text, (0..100).map(other).collect());
    quiet(&review, "identifiers");

    let tickets: Vec<String> = (0..300).map(|i| format!("t{}", i / 3)).collect();
    fires(
        &with(300, "ticket", Nature::Category, tickets),
        "many values",
        Status::Warn,
        &["'ticket' has 100 different values in 300", "--type ticket=text"],
    );
    let cities: Vec<String> = (0..3000).map(|i| format!("c{}", i % 60)).collect();
    quiet(&with(3000, "city", Nature::Category, cities), "many values");
}

#[test]
fn columns_that_say_the_same() {
    let noise = uniform(9, 300);
    let nearly = |by: f64| {
        texts(uniform(1, 300).iter().zip(&noise).map(move |(x, e)| 3.0 - 2.0 * x + by * e))
    };
    let same = with(300, "again", Nature::Number, nearly(0.01));
    fires(
        &same,
        "redundant",
        Status::Warn,
        &["'a' and 'again'", "correlation -1.0000", "--drop again"],
    );
    quiet(&with(300, "like", Nature::Number, nearly(0.2)), "redundant");

    let mut columns = clean(300);
    let level = |i: usize| ["low", "middle", "high"][i * 7 % 3];
    columns.insert(0, ("level", Nature::Category, words(300, level)));
    let rank = |i: usize| ["1", "2", "3"][i * 7 % 3];
    columns.insert(0, ("rank", Nature::Number, words(300, rank)));
    fires(
        &Made::of(columns).check(),
        "redundant",
        Status::Warn,
        &["'rank' and 'level'", "3 values"],
    );
}

#[test]
fn equal_rows() {
    let n = 200;
    // The last rows are those from 5 on once more.
    let repeat = |rows: usize, cells: Vec<String>| -> Vec<String> {
        (0..n).map(|i| cells[if i >= n - rows { i - (n - rows) + 5 } else { i }].clone()).collect()
    };
    let made = |rows| {
        let columns = clean(n).into_iter();
        Made::of(columns.map(|(name, nature, cells)| (name, nature, repeat(rows, cells))).collect())
    };
    fires(&made(20).check(), "duplicates", Status::Warn, &["validation and test rows", "--group"]);
    quiet(&made(1).check(), "duplicates");
    let inside = Made { parts: Some(vec![0; n]), ..made(20) };
    fires(&inside.check(), "duplicates", Status::Warn, &["20 of 200 (10.0 %) repeat another"]);
}

#[test]
fn rows_of_few_values_repeat_by_chance() {
    let n = 400;
    let coarse = |stream| texts(uniform(stream, n).into_iter().map(|x| (3.0 * x).floor()));
    let columns = vec![
        ("a", Nature::Number, coarse(1)),
        ("b", Nature::Number, coarse(2)),
        ("y", Nature::Category, noisy(1, n)),
    ];
    let checks = Made::of(columns).check();
    quiet(&checks, "duplicates");
    let found = checks.iter().find(|check| check.name == "duplicates").unwrap();
    assert!(found.saw.contains("by chance"), "{found:?}");
}

#[test]
fn shares_of_equal_rows_stay_right_in_long_tables() {
    let mut twins = Twins::default();
    let n = 100_000u64;
    for row in 0..n {
        // A tenth of the test rows occur among the training rows.
        let content = if row % 50 == 3 { row - 3 } else { row };
        twins.add(row_hash([content.to_le_bytes()]), if row % 5 == 3 { 2 } else { 0 });
    }
    let checks = duplicates::of_twins(&twins);
    let share: f64 =
        checks[0].saw.split(['(', ' ']).filter_map(|w| w.parse().ok()).next_back().unwrap();
    assert!(
        checks[0].saw.starts_with("of the rows looked at") && (share - 10.0).abs() < 1.5,
        "{checks:?}"
    );
}

#[test]
fn columns_that_tell_the_class() {
    let n = 400;
    let answers = noisy(1, n);
    let told = |wrong: usize| {
        let tell = |(i, y): (usize, &String)| (y == "yes") ^ (i % wrong == 1);
        answers.iter().enumerate().map(tell).collect::<Vec<bool>>()
    };
    let code = |wrong| told(wrong).into_iter().map(|y| if y { "A" } else { "B" }.to_string());
    let leak = with(n, "code", Nature::Category, code(101).collect());
    fires(&leak, "leakage", Status::Warn, &["'code' alone tells 'y'", "--drop code"]);
    assert_eq!(findings(&leak, "leakage").len(), 1);
    quiet(&with(n, "code", Nature::Category, code(15).collect()), "leakage");

    let noise = uniform(5, n);
    let score =
        |by: f64| texts(told(n + 9).iter().zip(&noise).map(|(y, e)| f64::from(*y) + by * e));
    fires(&with(n, "score", Nature::Number, score(0.9)), "leakage", Status::Warn, &["'score'"]);
    quiet(&with(n, "score", Nature::Number, score(2.0)), "leakage");

    // Filled for nearly all of one class, and for hardly any of the other, with things that say nothing.
    let boat = told(67)
        .into_iter()
        .zip(&noise)
        .map(|(y, e)| if y { format!("{:.0}", 9.0 * e) } else { String::new() });
    let boat = with(n, "boat", Nature::Category, boat.collect());
    fires(&boat, "leakage", Status::Warn, &["where 'boat' is filled, 'y' is 'yes' in 9"]);
    // Filled for a quarter of one class alone.
    let body = told(n + 9)
        .into_iter()
        .zip(&noise)
        .map(|(y, e)| if !y && *e < 0.4 { e.to_string() } else { String::new() });
    let body = with(n, "body", Nature::Number, body.collect());
    fires(&body, "leakage", Status::Warn, &["where 'body' is filled, 'y' is 'no' in 100 %"]);
    let gaps = noise.iter().map(|e| if *e < 0.25 { e.to_string() } else { String::new() });
    quiet(&with(n, "gaps", Nature::Number, gaps.collect()), "leakage");
}

#[test]
fn columns_that_tell_a_number() {
    let n = 600;
    let (y, noise) = (uniform(3, n), uniform(4, n));
    let with = |cells: Vec<String>| {
        let mut columns = clean(n);
        columns[1] = ("b", Nature::Number, cells);
        // Far from even: the rank counts, not the distance.
        columns[2] = ("y", Nature::Number, texts(y.iter().map(|y| 1.0 / (0.01 + y * y))));
        Made::of(columns).check()
    };
    let line = texts(y.iter().map(|y| 5.0 - 1.0 / (0.01 + y * y)));
    fires(&with(line), "leakage", Status::Warn, &["'b' and 'y' lie on a line", "--drop b"]);
    let curve = texts(y.iter().map(|y| y * y * y));
    fires(&with(curve), "leakage", Status::Warn, &["'b' alone explains"]);
    quiet(&with(texts(y.iter().zip(&noise).map(|(y, e)| y + 0.4 * e))), "leakage");
}

#[test]
fn parts_that_differ() {
    let n = 1000;
    let later: Vec<usize> = (0..n).map(|row| if row < 700 { 0 } else { 2 }).collect();
    let drifting = |columns| Made { columns, parts: Some(later.clone()) }.check();
    quiet(&drifting(clean(n)), "drift");
    let mut columns = clean(n);
    columns.insert(0, ("year", Nature::Number, texts((0..n).map(|row| row as f64))));
    let checks = drifting(columns);
    fires(&checks, "drift", Status::Warn, &["'year' differs between training and test", "by 1.00"]);
    assert_eq!(findings(&checks, "drift").len(), 1);
    let mut columns = clean(n);
    let shop =
        |row: usize| if row.is_multiple_of(3) && row >= 700 { "new" } else { ["p", "q"][row % 2] };
    columns.insert(0, ("shop", Nature::Category, words(n, shop)));
    fires(&drifting(columns), "drift", Status::Warn, &["the distribution of 'shop'"]);
    let mut columns = clean(n);
    let gaps = |(row, x): (usize, f64)| {
        if row >= 700 && row % 2 == 0 { String::new() } else { x.to_string() }
    };
    columns.insert(
        0,
        ("gaps", Nature::Number, uniform(7, n).into_iter().enumerate().map(gaps).collect()),
    );
    fires(&drifting(columns), "drift", Status::Warn, &["how often there is something in 'gaps'"]);
    let mut columns = clean(n);
    columns[2] = ("y", Nature::Number, texts((0..n).map(|row| row as f64)));
    fires(&drifting(columns), "drift", Status::Warn, &["'y' differs"]);
    // Few rows say nothing.
    let columns = vec![
        ("year", Nature::Number, texts((0..60).map(f64::from))),
        ("y", Nature::Category, noisy(1, 60)),
    ];
    let parts = (0..60).map(|row| if row < 40 { 0 } else { 2 }).collect();
    quiet(&Made { columns, parts: Some(parts) }.check(), "drift");
}

#[test]
fn odd_targets() {
    let n = 800;
    let with = |y: Vec<f64>| {
        let mut columns = clean(n);
        columns[2] = ("price", Nature::Number, texts(y));
        Made::of(columns).check()
    };
    let capped = with(uniform(3, n).iter().map(|x| x.min(0.96)).collect());
    fires(&capped, "target", Status::Warn, &["'price' is 0.96", "cap"]);
    let zeros = with(uniform(3, n).iter().map(|x| (x - 0.4).max(0.0)).collect());
    fires(&zeros, "target", Status::Warn, &["'price' is 0 in", "the least there is"]);
    let unknown = with(uniform(3, n).iter().map(|x| if *x < 0.3 { 0.5 } else { *x }).collect());
    fires(&unknown, "target", Status::Warn, &["'price' is 0.5"]);
    // Ratings have few values; each is a pile.
    quiet(&with(uniform(3, n).iter().map(|x| (x * 5.0).floor()).collect()), "target");
    let mut wild = uniform(3, n);
    wild[17] = 1e6;
    fires(&with(wild), "target", Status::Warn, &["far out in 1 of 800", "1000000", "huber"]);

    let mut columns = clean(n);
    columns[2] = ("y", Nature::Category, words(n, |row| ["yes", "Yes", "no"][row * 7 % 3]));
    fires(&Made::of(columns).check(), "target", Status::Warn, &["'Yes', 'yes'"]);
}

#[test]
fn texts_for_people() {
    assert_eq!(quoted(["a", "b"]), "'a', 'b'");
    assert_eq!(quoted(["a"; 7]), "'a', 'a', 'a', 'a', 'a' and 2 more");
    assert_eq!(drops(["a", "home dest"]), "--drop a --drop \"home dest\"");
    assert_eq!([percent(0, 9), percent(9, 9), percent(1, 3)], ["0 %", "100 %", "33.3 %"]);
    assert_eq!([percent(999, 1000), percent(1, 3000)], ["99.90 %", "0.03 %"]);
    assert_eq!(spread(10, 4).collect::<Vec<_>>(), [0, 2, 5, 7]);
    assert_eq!(spread(3, 4).collect::<Vec<_>>(), [0, 1, 2]);
    let split = |parts: &[&str]| row_hash(parts.iter().map(|part| part.as_bytes()));
    assert_ne!(split(&["ab", "c"]), split(&["a", "bc"]));
    assert_ne!(split(&["a", ""]), split(&["a"]));
}

#[test]
fn numbers_with_signs_are_seen() {
    let cells = |form: fn(usize) -> String| (0..40).map(form).collect::<Vec<_>>();
    let target = || cells(|i| ["a", "b"][i % 2].into());
    for form in [
        |i: usize| format!("${i}"),
        |i: usize| format!("{i} %"),
        |i: usize| format!("{i},234.5"),
        |i: usize| format!("{i}.234,5"),
    ] {
        let columns = vec![("x", Nature::Category, cells(form)), ("y", Nature::Category, target())];
        let checks = Made::of(columns).check();
        let found = findings(&checks, "numbers");
        assert!(found.len() == 1 && found[0].saw.contains("'x'"), "{checks:?}");
    }
    for form in [
        |i: usize| format!("{i}.2.1"),
        |i: usize| format!("2024-01-{i}"),
        |i: usize| format!("AB {i}"),
        |i: usize| format!("12:{i}"),
        |i: usize| format!("{i}"),
    ] {
        let columns = vec![("x", Nature::Category, cells(form)), ("y", Nature::Category, target())];
        assert!(findings(&Made::of(columns).check(), "numbers").is_empty());
    }
}

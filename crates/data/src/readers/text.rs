//! Tables with a column of text, to learn a class or a number from.

use serde::{Deserialize, Serialize};

use crate::dataset::Dataset;
use crate::encoding::Encoding;
use crate::error::{DataError, thousands};
use crate::features::{Features, Raw};
use crate::options::{Level, SourceOptions, Transform};
use crate::samples::{check_classes, class_ids, class_names};
use crate::source::Loaded;
use crate::tabular::number;
use crate::tabular::whole::Whole;
use crate::targets::Targets;
use crate::vocabulary::{PAD, UNKNOWN, Vocabulary};

/// Tokens that occur less often are unknown, where nobody says otherwise; so the unknown one is learned.
pub(crate) const MIN_COUNT: usize = 2;
/// The share of the training texts that are not cut, in thousandths.
const WHOLE: usize = 995;
/// Numbers of more different values than this are not classes.
const MAX_CLASSES: usize = 50;

/// How a cell of text becomes ids.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Text {
    /// Whether the first line of a file names the columns.
    pub header: bool,
    /// The column that is read.
    pub column: String,
    /// The column that was learned.
    pub target: String,
    /// What was done with the numbers of the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transform: Option<Transform>,
    /// What a token is.
    pub level: Level,
    /// The tokens by id; id 0 is padding, id 1 the unknown one.
    pub vocabulary: Vocabulary,
    /// Tokens in a sample; longer texts are cut, shorter ones padded at the end. A text without tokens is one unknown
    /// token.
    pub length: usize,
}

/// Reads a table with a column of text.
pub(crate) fn read(
    table: &Whole,
    name: &str,
    options: &SourceOptions,
    known: Option<(&Text, &[String])>,
) -> Result<Loaded, DataError> {
    let (text, classes) = known.unzip();
    let wanted = options.target.as_deref().or(text.map(|text| text.target.as_str()));
    let target = table.column_or(wanted, table.columns().len() - 1, "targets")?;
    let wanted = options.column.as_deref().or(text.map(|text| text.column.as_str()));
    let column = match wanted {
        Some(wanted) => table.column(wanted)?,
        None => text_column(table, target)?,
    };
    let transform = options.transform.or(text.and_then(|text| text.transform));

    let mut notes = table.notes();
    let (rows, answers) = answers(table, target, transform, &mut notes)?;
    let (train, test) = table.deal(rows, options.test.as_ref())?;
    let cells =
        |rows: &[usize]| -> Vec<&str> { rows.iter().map(|&row| table.cell(row, column)).collect() };
    let text = match text {
        Some(text) => text.clone(),
        None => Text::fit(table, &cells(&train), [column, target], transform, options),
    };
    let names = match (classes, &answers) {
        (None, Answers::Numbers) => None,
        (Some([]), _) => None,
        (Some(classes), _) => Some(classes.to_vec()),
        (None, Answers::Signs(_)) => Some(SIGNS.map(String::from).to_vec()),
        (None, Answers::Cells) => {
            let names = class_names(train.iter().map(|&row| table.cell(row, target)));
            check_classes(&names, &table.file(), train.len())?;
            Some(names)
        }
    };
    let set = |name: String, rows: &[usize]| {
        let targets = match &names {
            Some(names) => {
                let labels: Vec<&str> = rows
                    .iter()
                    .map(|&row| match &answers {
                        Answers::Signs(signs) => SIGNS[usize::from(signs[row] > 0.0)],
                        _ => table.cell(row, target),
                    })
                    .collect();
                let labels = class_ids(&labels, names, |i| table.place(rows[i], target))?;
                Targets::Classes { labels, names: names.clone() }
            }
            None => {
                let values = rows.iter().map(|&row| Ok(table.number(row, target)? as f32));
                Targets::Values { values: values.collect::<Result<_, DataError>>()?, dims: 1 }
            }
        };
        Dataset::new(name, text.encode(&cells(rows))?, targets)
    };
    let test = match test.as_slice() {
        [] => None,
        rows => Some(set(format!("{name}-test"), rows)?),
    };
    let train = set(name.into(), &train)?;
    Ok(Loaded { notes, ..Loaded::of(train, test, Encoding::Text(text)) })
}

/// Reads texts to predict on.
pub(crate) fn read_features(
    table: &Whole,
    text: &Text,
    options: &SourceOptions,
) -> Result<Features, DataError> {
    let column = table.column(options.column.as_deref().unwrap_or(&text.column))?;
    let cells: Vec<&str> = (0..table.rows()).map(|row| table.cell(row, column)).collect();
    text.encode(&cells)
}

/// The classes of [`Transform::Sign`].
const SIGNS: [&str; 2] = ["negative", "positive"];

/// What a target column holds.
enum Answers {
    /// Names of classes.
    Cells,
    /// Numbers of which the sign is the class, by row of the table.
    Signs(Vec<f64>),
    /// Numbers.
    Numbers,
}

/// The rows with an answer, and of what kind the answers are.
fn answers(
    table: &Whole,
    target: usize,
    transform: Option<Transform>,
    notes: &mut Vec<String>,
) -> Result<(Vec<usize>, Answers), DataError> {
    let name = &table.columns()[target];
    let mut rows: Vec<usize> = (0..table.rows()).collect();
    let mut leave_out = |rows: &mut Vec<usize>, without: &dyn Fn(usize) -> bool, why: &str| {
        let before = rows.len();
        rows.retain(|&row| !without(row));
        match before - rows.len() {
            0 => {}
            n => notes.push(format!(
                "{} of {} rows are left out: {why} in column '{name}'",
                thousands(n as u64),
                thousands(before as u64)
            )),
        }
    };
    leave_out(&mut rows, &|row| table.is_missing(row, target), "nothing");
    let answers = match transform {
        Some(Transform::Sign) => {
            let mut signs = vec![0.0; table.rows()];
            for &row in &rows {
                signs[row] = table.number(row, target)?;
            }
            leave_out(&mut rows, &|row| signs[row] == 0.0, "0");
            Answers::Signs(signs)
        }
        None => {
            let numbers = rows.iter().map(|&row| number::finite(table.cell(row, target)));
            match numbers.collect::<Option<Vec<f64>>>() {
                Some(numbers) if !are_classes(&numbers) => Answers::Numbers,
                _ => Answers::Cells,
            }
        }
    };
    match rows.is_empty() {
        false => Ok((rows, answers)),
        true => Err(DataError::content(
            table.file(),
            format!("no row has anything to learn in column '{name}'"),
            format!("name another target; the columns are {}", table.columns().join(", ")),
        )),
    }
}

/// Whether numbers are names of classes: whole, and few.
fn are_classes(numbers: &[f64]) -> bool {
    let mut sorted = numbers.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted.dedup();
    sorted.len() <= MAX_CLASSES && sorted.iter().all(|number| number.fract() == 0.0)
}

/// Of the columns that are not numbers the one with the most different cells.
pub(crate) fn text_column(table: &Whole, target: usize) -> Result<usize, DataError> {
    let different = |column: usize| {
        let mut cells: Vec<&str> = (0..table.rows()).map(|row| table.cell(row, column)).collect();
        cells.sort_unstable();
        cells.dedup();
        cells.len()
    };
    let texts = (0..table.columns().len()).filter(|&c| c != target && !table.is_numeric(c));
    // The first of equals.
    texts.rev().max_by_key(|&column| different(column)).ok_or_else(|| {
        DataError::content(
            table.file(),
            format!("there is no column of text beside the target '{}'", table.columns()[target]),
            format!(
                "name another target, or the column of text; the columns are {}",
                table.columns().join(", ")
            ),
        )
    })
}

impl Text {
    /// What suits the texts to learn from, where `options` do not say it.
    fn fit(
        table: &Whole,
        cells: &[&str],
        [column, target]: [usize; 2],
        transform: Option<Transform>,
        options: &SourceOptions,
    ) -> Text {
        let level = options.level.unwrap_or_else(|| level(cells));
        let tokens: Vec<Vec<String>> = cells.iter().map(|cell| level.tokens(cell)).collect();
        let all = tokens.iter().flatten().map(String::as_str);
        let vocabulary =
            Vocabulary::of(&[PAD, UNKNOWN], all, options.min_count.unwrap_or(MIN_COUNT));
        let length = options.length.unwrap_or_else(|| length(tokens.iter().map(Vec::len)));
        let name = |column: usize| table.columns()[column].clone();
        Text {
            header: table.has_header(),
            column: name(column),
            target: name(target),
            transform,
            level,
            vocabulary,
            length,
        }
    }

    fn encode(&self, cells: &[&str]) -> Result<Features, DataError> {
        let mut ids = Vec::with_capacity(cells.len() * self.length);
        for cell in cells {
            ids.extend(padded(&self.vocabulary, &self.level.tokens(cell), self.length));
        }
        Features::new(Raw::I64(ids), vec![self.length])
    }
}

/// Words where most texts have a space in them, else characters.
pub(crate) fn level(cells: &[&str]) -> Level {
    let spaced = cells.iter().filter(|cell| cell.contains(char::is_whitespace)).count();
    if spaced * 2 > cells.len() { Level::Word } else { Level::Char }
}

/// The length that cuts hardly any text.
pub(crate) fn length(lengths: impl Iterator<Item = usize>) -> usize {
    super::quantile(&mut lengths.collect::<Vec<_>>(), WHOLE, 1000)
}

/// The ids of tokens, cut or padded with id 0; of no tokens one unknown one.
pub(crate) fn padded(vocabulary: &Vocabulary, tokens: &[String], length: usize) -> Vec<i64> {
    let mut ids: Vec<i64> = tokens.iter().take(length).map(|token| vocabulary.id(token)).collect();
    if ids.is_empty() {
        ids.push(vocabulary.id(UNKNOWN));
    }
    ids.resize(length, 0);
    ids
}

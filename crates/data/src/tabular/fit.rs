//! From what was gathered about a table to how its rows become samples.

use std::collections::BTreeMap;
use std::path::Path;

use super::encoder::{Boolean, Category, Encoder, MISSING, Moment, Number, Words, quantile};
use super::facts::Facts;
use super::infer::{ColumnType, infer};
use super::number;
use super::sample::Sample;
use super::schema::{Column, ColumnReport, Layout};
use super::source::TableSource;
use super::time::{Cycle, Forms, years};
use crate::error::{DataError, figure, thousands};
use crate::files::read_file;
use crate::options::SourceOptions;
use crate::place::Place;
use crate::readers::audio::Audio;
use crate::readers::images::Images;
use crate::readers::text::{MIN_COUNT, length, level};
use crate::vocabulary::{PAD, UNKNOWN, Vocabulary};

use super::chunk::is_missing;

/// Training rows that a value needs to have an id of its own.
const COMMON: u64 = 5;
/// Quantiles of a number at most.
const QUANTILES: usize = 48;
/// Files that must be there for a column to be taken for paths.
const LOOKED_AT: usize = 20;
/// Files that are looked into for the sizes of images and recordings.
const OPENED: usize = 1_000;
/// Values of a number up to which it has no quantiles.
const FEW: usize = 3;

/// A column that was understood.
pub(crate) struct Fitted {
    pub column: Column,
    pub report: ColumnReport,
    /// The quantiles of each of its numbers.
    quantiles: Vec<Vec<f32>>,
}

/// The layout of a row of these columns.
pub(crate) fn layout(fitted: &[Fitted], rows: usize) -> Layout {
    let mut layout = Layout { rows, ..Layout::default() };
    for Fitted { column, quantiles, .. } in fitted {
        layout.numbers.extend(quantiles.iter().cloned());
        match &column.encoder {
            Encoder::Category(category) => layout.categories.push(category.values.len()),
            Encoder::Text(words) => layout.texts.push([words.length, words.vocabulary.len()]),
            Encoder::Image(images) => {
                layout.images.push([images.channels, images.height, images.width]);
            }
            Encoder::Audio(audio) => layout.sounds.push([audio.mels, audio.frames]),
            _ => {}
        }
    }
    layout
}

/// What is made of a column; `index` is its place in the sample.
pub(crate) fn fit(
    name: &str,
    facts: &Facts,
    sample: &Sample,
    index: usize,
    options: &SourceOptions,
    source: &TableSource,
) -> Result<Fitted, DataError> {
    let file = source.file().path;
    let folder = file.parent().unwrap_or(Path::new(""));
    let cells = || sample.column(index).filter(|cell| !is_missing(cell));
    // One that is missing is a mistake in a column of paths; where most are, it is none.
    let exists = || {
        let looked = cells().take(LOOKED_AT).map(|cell| folder.join(cell).is_file());
        let found: Vec<bool> = looked.collect();
        found.iter().filter(|&&is| is).count() * 2 > found.len()
    };
    let of = |said: &Option<Vec<String>>| said.iter().flatten().any(|column| column == name);
    let said = options.types.as_ref().and_then(|types| types.get(name));
    let (kind, reason) = match said {
        _ if of(&options.drop) => return Ok(dropped(name, facts, "as was asked for")),
        _ if options.group.as_deref() == Some(name) => {
            return Ok(dropped(name, facts, "rows are grouped by it"));
        }
        Some(&kind) => (kind, "as was asked for".into()),
        None => match infer(name, facts, &exists) {
            Ok(found) => found,
            Err(_) if options.skip_bad => {
                (ColumnType::Number, "nearly every cell is a number".into())
            }
            Err((row, text)) => {
                return Err(DataError::content(
                    source.place(row, index),
                    format!(
                        "a number is needed, there is '{text}'; nearly all other cells of the column are numbers"
                    ),
                    format!(
                        "correct the cell, leave it empty, or say --type {name}=category; \
                        --skip-bad leaves such rows out"
                    ),
                ));
            }
        },
    };
    // Those that cannot be read are named when all rows are.
    let files = || {
        cells().take(OPENED).filter_map(|cell| {
            let path = folder.join(cell);
            Some((read_file(&path).ok()?, Place::file(&path)))
        })
    };
    let indicator = facts.missing_in_train > 0;
    let numbers = |cells: &mut dyn Iterator<Item = f64>| {
        let mut numbers: Vec<f64> = cells.collect();
        numbers.sort_unstable_by(f64::total_cmp);
        numbers
    };
    let (encoder, quantiles, content) = match kind {
        ColumnType::Number => {
            let found = numbers(&mut cells().filter_map(number::parse));
            let number = Number::fit(&found, indicator);
            let [least, most] = facts.range;
            let content = match least <= most {
                true => {
                    let [least, most, median] = [least, most, quantile(&found, 0.5)].map(figure);
                    format!("{least} … {most}, median {median}")
                }
                false => String::new(),
            };
            let quantiles = scaled_quantiles(&number, &found, indicator);
            (Encoder::Number(number), quantiles, content)
        }
        ColumnType::Boolean => {
            let quantiles = vec![vec![]; 1 + usize::from(indicator)];
            (Encoder::Boolean(Boolean { indicator }), quantiles, shares(facts))
        }
        ColumnType::Category => {
            let values = facts.values();
            let common = values.iter().filter(|(_, [_, train])| *train >= COMMON);
            let names = [MISSING, UNKNOWN].into_iter().chain(common.map(|(cell, _)| *cell));
            let values = Vocabulary::from(names.map(String::from).collect::<Vec<_>>());
            (Encoder::Category(Category { values }), vec![], shares(facts))
        }
        ColumnType::Time => {
            let form = facts.times.form().or_else(|| majority(cells()));
            let Some(form) = form else {
                return Err(DataError::option(
                    "types",
                    format!("column '{name}' holds no times that can be read"),
                    "write them as 2024-05-31, 31/5/2024 or 5/31/2024, or say another type",
                ));
            };
            let times: Vec<_> = cells().filter_map(|cell| form.parse(cell)).collect();
            let line = numbers(&mut times.iter().map(years));
            let varies = |cycle: &Cycle| {
                let first = times.first().map(|time| cycle.turn(time));
                times.iter().any(|time| Some(cycle.turn(time)) != first)
            };
            let cycles: Vec<Cycle> = Cycle::ALL.into_iter().filter(varies).collect();
            let years = Number::fit(&line, indicator);
            let mut quantiles = scaled_quantiles(&years, &line, indicator);
            quantiles.resize(quantiles.len() + 2 * cycles.len(), vec![]);
            let content = match (times.iter().min(), times.iter().max()) {
                (Some(first), Some(last)) => format!("{} … {}", first.date(), last.date()),
                _ => String::new(),
            };
            (Encoder::Time(Moment { form, years, cycles }), quantiles, content)
        }
        ColumnType::Text => {
            let cells: Vec<&str> = cells().collect();
            let level = options.level.unwrap_or_else(|| level(&cells));
            let tokens: Vec<Vec<String>> = cells.iter().map(|cell| level.tokens(cell)).collect();
            let all = tokens.iter().flatten().map(String::as_str);
            let least = options.min_count.unwrap_or(MIN_COUNT);
            let vocabulary = Vocabulary::of(&[PAD, UNKNOWN], all, least);
            let length = options.length.unwrap_or_else(|| length(tokens.iter().map(Vec::len)));
            let content = format!(
                "up to {length} tokens, {} different ones",
                thousands(vocabulary.len() as u64)
            );
            (Encoder::Text(Words { level, vocabulary, length }), vec![], content)
        }
        ColumnType::Image => {
            let images = Images::of_column(files(), options)?;
            let Images { channels, height, width, .. } = images;
            let content = format!("{height} × {width} pixels, {channels} channels");
            (Encoder::Image(images), vec![], content)
        }
        ColumnType::Audio => {
            let audio = Audio::of_column(files(), options)?;
            let content = format!("{} Hz, {} frames", audio.rate, audio.frames);
            (Encoder::Audio(audio), vec![], content)
        }
        ColumnType::Identifier => (Encoder::Identifier, vec![], String::new()),
        ColumnType::Constant => {
            let cell = facts.values().keys().next().map_or(String::new(), |cell| cell.to_string());
            (Encoder::Constant, vec![], cell)
        }
    };
    Ok(fitted(name, facts, encoder, reason, quantiles, content))
}

fn dropped(name: &str, facts: &Facts, reason: &str) -> Fitted {
    fitted(name, facts, Encoder::Dropped, reason.into(), vec![], String::new())
}

fn fitted(
    name: &str,
    facts: &Facts,
    encoder: Encoder,
    reason: String,
    quantiles: Vec<Vec<f32>>,
    content: String,
) -> Fitted {
    let report = ColumnReport {
        name: name.into(),
        kind: encoder.name().into(),
        reason: reason.clone(),
        missing: facts.missing,
        content,
    };
    Fitted { column: Column { name: name.into(), reason, encoder }, report, quantiles }
}

/// The form that most cells have, where not all have one.
fn majority<'a>(cells: impl Iterator<Item = &'a str>) -> Option<super::time::Form> {
    let mut counts: BTreeMap<usize, (usize, super::time::Form)> = BTreeMap::new();
    for cell in cells {
        for (rank, form) in Forms::ORDER.into_iter().enumerate() {
            if form.parse(cell).is_some() {
                counts.entry(rank).or_insert((0, form)).0 += 1;
            }
        }
    }
    counts.into_values().rev().max_by_key(|(count, _)| *count).map(|(_, form)| form)
}

/// The quantiles of a number as scaled, and none for its indicator.
fn scaled_quantiles(number: &Number, sorted: &[f64], indicator: bool) -> Vec<Vec<f32>> {
    let places = (0..QUANTILES).map(|i| i as f64 / (QUANTILES - 1) as f64);
    let mut found: Vec<f32> = places.map(|share| number.scaled(quantile(sorted, share))).collect();
    found.dedup();
    if found.len() < FEW {
        found.clear();
    }
    let mut all = vec![found];
    all.resize(1 + usize::from(indicator), vec![]);
    all
}

/// The most frequent values with their shares.
fn shares(facts: &Facts) -> String {
    const SHOWN: usize = 3;
    let mut values: Vec<(&str, u64)> =
        facts.values().into_iter().map(|(cell, [all, _])| (cell, all)).collect();
    values.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let filled = facts.filled.max(1) as f64;
    let share = |&(cell, count): &(&str, u64)| {
        let cell: String = cell.chars().take(20).collect();
        format!("{cell} {:.0} %", 100.0 * count as f64 / filled)
    };
    let mut words: Vec<String> = values.iter().take(SHOWN).map(share).collect();
    if values.len() > SHOWN {
        words.push("…".into());
    }
    words.join(", ")
}

//! A linear model of the same rows, which every network has to beat: how encoded samples become its design.

use serde_json::{Map, Value, json};
use thalweg_data::random::spread;
use thalweg_data::{Encoding, Scaling, Targets};

use super::baselines::label_figures;
use crate::judge::linear::{Design, Linear, Truth};
use crate::{ClassCounts, Part, RegressionSums};

/// Rows that are read together.
const READ_AT_ONCE: usize = 256;
/// Rows of the design that judges.
const JUDGED_AT_ONCE: usize = 1 << 16;
/// Rows that are learned from at most.
const ROWS: usize = 50_000;
/// Products of rows, numbers of a row that are not 0, and outputs; what fits a second or two.
const WORK: usize = 6_000_000;
/// Fewer rows than these make no model worth naming.
const FEWEST_ROWS: usize = 200;
/// Numbers in a sample that is looked at.
const WIDEST: usize = 16_384;
/// Values of a category, and tokens of a text, that have a weight of their own.
const VALUES: usize = 500;
/// The inverse strengths of the penalty that are tried, from strong to weak.
const STRENGTHS: [f64; 4] = [0.01, 0.1, 1.0, 10.0];
/// The stream of the choice of rows.
const STREAM: u64 = 9 << 60;

/// What a part of a sample is.
#[derive(Clone, Copy, Debug)]
enum Piece {
    /// A number.
    Number,
    /// The id of a category.
    Category,
    /// Ids of tokens, of which each that is there counts once; 0 is padding.
    Tokens(usize),
}

impl Piece {
    fn width(self) -> usize {
        if let Piece::Tokens(length) = self { length } else { 1 }
    }
}

/// What samples are made of, as far as a linear model reads it: pictures and recordings in a table it does not; `None` where a linear model cannot read them.
fn pieces(encoding: &Encoding, part: &Part) -> Option<Vec<Piece>> {
    let width = part.data.features.width();
    let pieces = match encoding {
        Encoding::Table(table) => {
            let layout = &table.layout;
            let texts = layout.texts.iter().map(|[length, _]| Piece::Tokens(*length));
            (layout.numbers.iter().map(|_| Piece::Number))
                .chain(layout.categories.iter().map(|_| Piece::Category))
                .chain(texts)
                .collect()
        }
        Encoding::Text(_) => vec![Piece::Tokens(width)],
        Encoding::Values | Encoding::Images(_) | Encoding::Audio(_) | Encoding::Series(_)
            if !part.data.features.is_ids() =>
        {
            vec![Piece::Number; width]
        }
        _ => return None,
    };
    (numbers(&pieces) <= WIDEST).then_some(pieces)
}

/// Numbers of a sample that are looked at.
fn numbers(pieces: &[Piece]) -> usize {
    pieces.iter().map(|piece| piece.width()).sum()
}

/// How samples become rows of a design.
struct Reader {
    pieces: Vec<Piece>,
    /// For each piece where it begins in a row of the design, and for ids those that have a place of their own, ascending;
    /// all others share the place before.
    places: Vec<(usize, Vec<u32>)>,
    width: usize,
    scaling: Scaling,
}

impl Reader {
    /// With the most frequent ids of `rows`.
    fn new(pieces: Vec<Piece>, part: &Part, rows: &[usize]) -> Option<Reader> {
        // Bytes are not centred: what is 0 stays 0, and the bias makes up for it.
        let scaling = match part.data.features.is_bytes() {
            true => {
                let mean = vec![0.0; part.scaling.mean.len()];
                Scaling { mean, ..part.scaling.clone() }
            }
            false => part.scaling.clone(),
        };
        let mut reader = Reader { places: vec![], width: 0, pieces, scaling };
        let mut counts: Vec<Vec<u32>> = reader.pieces.iter().map(|_| vec![]).collect();
        let pieces = &reader.pieces;
        reader.walk(part, rows, |sample| {
            for ((piece, values), counts) in cut(pieces, sample).zip(&mut counts) {
                let ids = if let Piece::Number = piece { &[] } else { values };
                for &id in ids {
                    let id = id as usize;
                    if counts.len() <= id {
                        counts.resize(id + 1, 0);
                    }
                    counts[id] += 1;
                }
            }
        })?;
        for counts in counts {
            let ids = frequent(&counts);
            let start = reader.width;
            reader.width += 1 + ids.len();
            reader.places.push((start, ids));
        }
        Some(reader)
    }

    /// Shows rows; nothing where one cannot be read any more, since those after it would stand beside other targets.
    fn walk(&self, part: &Part, rows: &[usize], mut see: impl FnMut(&[f32])) -> Option<()> {
        let features = &part.data.features;
        let width = features.width();
        let mut samples = vec![0.0; width * READ_AT_ONCE.min(rows.len())];
        for rows in rows.chunks(READ_AT_ONCE) {
            let samples = &mut samples[..width * rows.len()];
            let read = match features.is_ids() {
                true => {
                    let mut places = samples.chunks_exact_mut(width);
                    features.visit(rows, |ids| {
                        if let Some(place) = places.next() {
                            place.copy_from_slice(ids);
                        }
                    })
                }
                false => features.fill(rows, &self.scaling, samples),
            };
            read.ok()?;
            samples.chunks_exact(width).for_each(&mut see);
        }
        Some(())
    }

    fn design(&self, part: &Part, rows: &[usize]) -> Option<Design> {
        let mut design = Design::new(self.width);
        let mut row: Vec<(usize, f32)> = Vec::new();
        self.walk(part, rows, |sample| {
            for ((piece, values), (start, ids)) in cut(&self.pieces, sample).zip(&self.places) {
                let place = |&id: &f32| match ids.binary_search(&(id as u32)) {
                    Ok(at) => start + 1 + at,
                    Err(_) => *start,
                };
                match piece {
                    Piece::Number => row.push((*start, values[0])),
                    Piece::Category => row.push((place(&values[0]), 1.0)),
                    Piece::Tokens(_) => {
                        let there = values.iter().filter(|id| **id > 0.0).map(place);
                        let mut places: Vec<usize> = there.collect();
                        places.sort_unstable();
                        places.dedup();
                        row.extend(places.into_iter().map(|at| (at, 1.0)));
                    }
                }
            }
            design.push(row.drain(..));
        })?;
        Some(design)
    }
}

/// The pieces of a sample.
fn cut<'a>(pieces: &'a [Piece], sample: &'a [f32]) -> impl Iterator<Item = (Piece, &'a [f32])> {
    let mut rest = sample;
    pieces.iter().map(move |&piece| {
        let (values, after) = rest.split_at(piece.width().min(rest.len()));
        rest = after;
        (piece, values)
    })
}

/// The ids that occur most often, ascending.
fn frequent(counts: &[u32]) -> Vec<u32> {
    let mut ids: Vec<u32> =
        (0..counts.len() as u32).filter(|&id| counts[id as usize] > 0).collect();
    ids.sort_by_key(|&id| std::cmp::Reverse(counts[id as usize]));
    ids.truncate(VALUES);
    ids.sort_unstable();
    ids
}

/// What a linear model is to say, numbers scaled by `scaling` (mean and deviation of each).
fn truth(part: &Part, rows: &[usize], scaling: &[[f64; 2]]) -> Option<Truth> {
    match &part.data.targets {
        Targets::Classes { labels, names } => {
            let labels =
                rows.iter().map(|&row| usize::try_from(labels[row]).unwrap_or(0)).collect();
            Some(Truth::Classes { labels, classes: names.len() })
        }
        Targets::Labels { flags, names } => {
            let n = names.len();
            let flags = rows.iter().flat_map(|row| &flags[row * n..(row + 1) * n]).copied();
            Some(Truth::Labels { flags: flags.collect(), labels: n })
        }
        Targets::Values { values, dims } => {
            let scaled = |(x, [mean, std]): (&f32, &[f64; 2])| (f64::from(*x) - mean) / std;
            let row = |row: &usize| values[row * dims..(row + 1) * dims].iter().zip(scaling);
            let values = rows.iter().flat_map(row).map(scaled).collect();
            Some(Truth::Values { values, dims: *dims })
        }
        Targets::Sequence { .. } => None,
    }
}

/// Mean and deviation of each target number; a deviation of 0 counts as 1.
fn scaling(part: &Part, rows: &[usize]) -> Vec<[f64; 2]> {
    let Targets::Values { values, dims } = &part.data.targets else { return vec![] };
    let mean_of = |i: usize, f: &dyn Fn(f64) -> f64| {
        rows.iter().map(|row| f(f64::from(values[row * dims + i]))).sum::<f64>()
            / rows.len().max(1) as f64
    };
    let each = (0..*dims).map(|i| {
        let mean = mean_of(i, &|x| x);
        let std = mean_of(i, &|x| (x - mean) * (x - mean)).sqrt();
        [mean, if std > 0.0 { std } else { 1.0 }]
    });
    each.collect()
}

/// At most `most` of the rows of a part, in their order.
fn some_rows(part: &Part, most: usize) -> Vec<usize> {
    spread(0, STREAM, most, part.rows.len()).into_iter().map(|place| part.rows[place]).collect()
}

/// The figures of a logistic (of numbers: a ridge) regression that learned from `train` and was strengthened by `valid`, on
/// the judged rows, and its name. `None` where it cannot read the samples or would take long.
pub(super) fn linear(
    encoding: &Encoding,
    train: &Part,
    valid: Option<&Part>,
    judged: &Part,
) -> Option<(&'static str, Value)> {
    let pieces = pieces(encoding, train)?;
    let outputs = truth(train, &[], &[])?.outputs();
    let of_row = (numbers(&pieces) * outputs).max(1);
    let rows = (WORK / of_row).clamp(FEWEST_ROWS, ROWS);
    if rows * of_row > 4 * WORK {
        return None;
    }
    let rows = some_rows(train, rows);
    let scales = scaling(train, &rows);
    let reader = Reader::new(pieces, train, &rows)?;
    let (design, known) = (reader.design(train, &rows)?, truth(train, &rows, &scales)?);

    let watched = valid.map(|valid| {
        let rows = some_rows(valid, ROWS / 10);
        Some((reader.design(valid, &rows)?, truth(valid, &rows, &scales)?))
    });
    let fit = |start: Linear, strength: f64| {
        start.fit(&design, &known, 1.0 / (rows.len() as f64 * strength), 60)
    };
    let mut model = Linear::zero(reader.width, outputs);
    let mut strength = 1.0;
    match watched.flatten() {
        None => model = fit(model, strength),
        Some((watched, truth)) => {
            let (mut best, mut last) = (f64::INFINITY, model.clone());
            for tried in STRENGTHS {
                last = fit(last, tried);
                let loss = last.loss(&watched, &truth);
                if loss < best {
                    (best, strength, model) = (loss, tried, last.clone());
                }
            }
        }
    }
    // The design takes much more memory than the rows; large parts are judged piece by piece.
    let (mut loss, mut said) = (0.0, Vec::new());
    for rows in judged.rows.chunks(JUDGED_AT_ONCE) {
        let design = reader.design(judged, rows)?;
        let share = rows.len() as f64 / judged.rows.len() as f64;
        loss += share * model.loss(&design, &truth(judged, rows, &scales)?);
        said.extend(model.say(&design));
    }
    let mut figures = figures(judged, &said, &scales, loss)?;
    figures.insert("trained_rows".into(), json!(rows.len()));
    figures.insert("penalty".into(), json!(1.0 / strength));
    let name = if let Truth::Values { .. } = known { "linear" } else { "logistic" };
    Some((name, Value::Object(figures)))
}

/// What the outputs `said` are worth.
fn figures(
    judged: &Part,
    said: &[f64],
    scales: &[[f64; 2]],
    loss: f64,
) -> Option<Map<String, Value>> {
    let figures = match &judged.data.targets {
        Targets::Classes { labels, names } => {
            let labels: Vec<i64> = judged.rows.iter().map(|&row| labels[row]).collect();
            let scores: Vec<f32> = match names.len() {
                2 => said.iter().flat_map(|&z| [0.0, z as f32]).collect(),
                _ => said.iter().map(|&z| z as f32).collect(),
            };
            let mut counts = ClassCounts::new(names.len());
            counts.add(&scores, &labels);
            let found = counts.finish(loss);
            json!({ "accuracy": found.accuracy, "f1_macro": found.f1_macro, "loss": loss })
        }
        Targets::Labels { names, .. } => {
            let scores: Vec<f32> = said.iter().map(|&z| z as f32).collect();
            label_figures(judged, &scores, Some(loss / names.len().max(1) as f64))
        }
        Targets::Values { dims, .. } => {
            let mut truth = vec![0.0; judged.rows.len() * dims];
            judged.data.targets.fill_values(judged.rows, &mut truth).ok()?;
            let means: Vec<f64> =
                (scaling(judged, judged.rows).iter()).map(|[mean, _]| *mean).collect();
            let unscaled = |(i, z): (usize, &f64)| {
                let [mean, std] = scales[i % dims];
                (z * std + mean) as f32
            };
            let said: Vec<f32> = said.iter().enumerate().map(unscaled).collect();
            let mut sums = RegressionSums::new(&means);
            sums.add(&said, &truth);
            let found = sums.finish(loss);
            json!({ "rmse": found.rmse, "mae": found.mae, "r2": found.r2 })
        }
        Targets::Sequence { .. } => return None,
    };
    figures.as_object().cloned()
}

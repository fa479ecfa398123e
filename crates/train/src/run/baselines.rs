//! What can be said without a network: what every network has to beat.

use serde_json::{Map, Value, json};
use thalweg_data::{Encoding, IGNORED, Raw, Targets};

use super::calibration::holding;
use super::insights::Rival;
use super::linear::linear;
use crate::{LabelCounts, Part};

/// Predictors without a network, fitted on `train`, their choices made on `valid`, measured on `judged`.
pub(super) fn baselines(
    encoding: &Encoding,
    train: &Part,
    valid: Option<&Part>,
    judged: Option<&Part>,
) -> Value {
    let Some(judged) = judged else { return json!({}) };
    let mut found = Map::new();
    let mut add = |name: &str, value: Value| found.insert(name.into(), value);
    match (&train.data.targets, &judged.data.targets) {
        (Targets::Values { .. }, Targets::Values { .. }) => {
            let by_column = mean(train);
            add("mean", json!({ "rmse": rmse(judged, |_, i| by_column[i]) }));
        }
        (Targets::Labels { names, .. }, _) => {
            let (known, rows) = (holding(train), train.rows.len());
            let often = |label: usize| {
                let held = known.iter().skip(label).step_by(names.len()).filter(|&&h| h).count();
                if 2 * held > rows { 1.0 } else { -1.0 }
            };
            let said: Vec<f32> = (0..names.len()).map(often).collect();
            add("majority_labels", label_figures(judged, &said.repeat(judged.rows.len()), None));
        }
        (Targets::Classes { names, .. } | Targets::Sequence { names, .. }, _) => {
            let (known, counts) = (labels(judged), counts(train, names.len()));
            // The first of equals, so that the choice is fixed.
            let class = (0..names.len()).rev().max_by_key(|&class| counts[class]).unwrap_or(0);
            let right = known.iter().filter(|&&label| label == class as i64).count();
            let accuracy = right as f64 / known.len().max(1) as f64;
            add("majority_class", json!({ "class": names.get(class), "accuracy": accuracy }));
            if let Encoding::Language(_) = encoding {
                add("unigram", json!({ "bits_per_token": unigram(&counts, &known) }));
            }
        }
        _ => {}
    }
    if let Some((name, figures)) = linear(encoding, train, valid, judged) {
        add(name, figures);
    }
    match encoding {
        Encoding::Ratings(ratings) => {
            let ids = [ratings.users.len(), ratings.items.len()];
            if let Some((biases, ridge)) = Biases::chosen(train, valid, ids) {
                let rmse = rmse(judged, |row, _| biases.say(pair(judged, row)));
                add("biases", json!({ "rmse": rmse, "ridge": ridge }));
            }
        }
        Encoding::Series(_) => {
            let window = train.data.features.width();
            let error = |part: &Part, season| rmse(part, |row, i| naive(part, row, season, i));
            let seasons = (1..=window).map(|season| (season, error(train, season)));
            let season = seasons.min_by(|a, b| a.1.total_cmp(&b.1)).map_or(1, |(season, _)| season);
            add("seasonal_naive", json!({ "rmse": error(judged, season), "season": season }));
            add("last_value", json!({ "rmse": error(judged, 1) }));
        }
        _ => {}
    }
    Value::Object(found)
}

/// What labels are worth that are said where `scores` are above 0.
pub(super) fn label_figures(judged: &Part, scores: &[f32], loss: Option<f64>) -> Value {
    let truth: Vec<f32> =
        holding(judged).into_iter().map(|holds| f32::from(u8::from(holds))).collect();
    let labels = judged.data.targets.names().map_or(0, <[String]>::len);
    let mut counts = LabelCounts::new(labels);
    counts.add(scores, &truth);
    let found = counts.finish(loss.unwrap_or(0.0));
    let mut figures = json!({
        "accuracy": found.accuracy,
        "f1_micro": found.f1_micro,
        "f1_macro": found.f1_macro,
        "hamming": found.hamming,
    });
    if let Some(loss) = loss {
        figures["loss"] = json!(loss);
    }
    figures
}

/// The baselines beside the network, whose figures are `network`; of several figures they are compared by `first`.
pub(super) fn rivals(baselines: &Value, network: &Value, first: &str) -> Vec<Rival> {
    let rival = |(name, figures): (&String, &Value)| {
        let metrics = [first, "accuracy", "rmse", "bits_per_token"].into_iter();
        let metric = metrics.filter(|metric| figures[metric].is_number());
        let (metric, value, network) = metric
            .filter_map(|metric| {
                Some((metric, figures[metric].as_f64()?, network[metric].as_f64()?))
            })
            .next()?;
        let name = match name.as_str() {
            "majority_class" => {
                let class = figures["class"].as_str().unwrap_or("?").escape_debug();
                format!("always saying '{class}', the most frequent class")
            }
            "majority_labels" => "always saying what each label is more often".into(),
            "mean" => "always saying the mean".into(),
            "unigram" => "the frequency of each token alone".into(),
            "biases" => "mean and ridge-tuned biases of user and item".into(),
            "last_value" => "saying the last value again".into(),
            "seasonal_naive" => {
                format!("what was {} steps before (seasonal naive)", figures["season"])
            }
            "logistic" => "a logistic regression".into(),
            "linear" => "a linear (ridge) regression".into(),
            other => other.replace('_', " "),
        };
        let beaten = match metric {
            "accuracy" | "f1_macro" => network > value,
            _ => network < value,
        };
        let figures = figures.clone();
        Some(Rival { name, figures, metric: metric.into(), value, network, beaten })
    };
    baselines.as_object().into_iter().flatten().filter_map(rival).collect()
}

/// The labels that count, of the rows of a part.
fn labels(part: &Part) -> Vec<i64> {
    match &part.data.targets {
        Targets::Classes { labels, .. } => part.rows.iter().map(|&row| labels[row]).collect(),
        Targets::Sequence { labels, length, .. } => {
            let of = |&row: &usize| labels[row * length..(row + 1) * length].iter().copied();
            part.rows.iter().flat_map(of).filter(|&label| label != IGNORED).collect()
        }
        Targets::Labels { .. } | Targets::Values { .. } => vec![],
    }
}

fn counts(part: &Part, classes: usize) -> Vec<usize> {
    let mut counts = vec![0; classes];
    for label in labels(part) {
        if let Some(count) = usize::try_from(label).ok().and_then(|label| counts.get_mut(label)) {
            *count += 1;
        }
    }
    counts
}

/// Bits for each token where its frequency in training, plus one, is all that is known.
fn unigram(counts: &[usize], truth: &[i64]) -> f64 {
    let total = (counts.iter().sum::<usize>() + counts.len()) as f64;
    let bits: Vec<f64> =
        counts.iter().map(|&count| libm::log2(total / (count as f64 + 1.0))).collect();
    let sum: f64 = truth.iter().filter_map(|&label| bits.get(usize::try_from(label).ok()?)).sum();
    sum / truth.len().max(1) as f64
}

/// The mean of each target number.
fn mean(part: &Part) -> Vec<f64> {
    let Targets::Values { values, dims } = &part.data.targets else { return vec![] };
    let sum = |i| part.rows.iter().map(|row| f64::from(values[row * dims + i])).sum::<f64>();
    (0..*dims).map(|i| sum(i) / part.rows.len() as f64).collect()
}

/// The root of the mean squared error of what is said of number `i` of a row.
fn rmse(part: &Part, say: impl Fn(usize, usize) -> f64) -> f64 {
    let Targets::Values { values, dims } = &part.data.targets else { return f64::NAN };
    let square = |row: usize, i: usize| {
        let error = f64::from(values[row * dims + i]) - say(row, i);
        error * error
    };
    let sum: f64 = part.rows.iter().flat_map(|&row| (0..*dims).map(move |i| square(row, i))).sum();
    (sum / (part.rows.len() * dims) as f64).sqrt()
}

/// Number `i` of a forecast that repeats the last `season` numbers of the sample.
fn naive(part: &Part, row: usize, season: usize, i: usize) -> f64 {
    let Raw::F32(values) = part.data.features.raw() else { return f64::NAN };
    let window = part.data.features.width();
    f64::from(values[row * window + window - season + i % season])
}

/// The user and the item of a row.
fn pair(part: &Part, row: usize) -> [usize; 2] {
    let Raw::I64(ids) = part.data.features.raw() else { return [0, 0] };
    let width = part.data.features.width();
    [0, 1].map(|i| usize::try_from(ids[row * width + i]).unwrap_or(0))
}

/// Ratings as mean + bias of the user + bias of the item, with squares of the biases penalised.
struct Biases {
    mean: f64,
    /// Of users, of items.
    of: [Vec<f64>; 2],
}

impl Biases {
    /// Fitted on `train` with the two ridges, for users and for items, that do best on `valid`; where there is none, on
    /// `train` itself.
    fn chosen(train: &Part, valid: Option<&Part>, ids: [usize; 2]) -> Option<(Biases, [f64; 2])> {
        const RIDGES: [f64; 8] = [0.3, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0];
        let watched = valid.unwrap_or(train);
        let grid = RIDGES.iter().flat_map(|&users| RIDGES.map(|items| [users, items]));
        let each = grid.map(|ridge| {
            let biases = Biases::fit(train, ids, ridge);
            (rmse(watched, |row, _| biases.say(pair(watched, row))), biases, ridge)
        });
        let best = each.min_by(|a, b| a.0.total_cmp(&b.0));
        best.map(|(_, biases, ridge)| (biases, ridge))
    }

    /// Alternating least squares: b = Σ residual/(n + ridge), of users and items in turn.
    fn fit(train: &Part, ids: [usize; 2], ridge: [f64; 2]) -> Biases {
        const TURNS: usize = 10;
        let mean = mean(train).first().copied().unwrap_or(0.0);
        let mut biases = Biases { mean, of: ids.map(|n| vec![0.0; n]) };
        let Targets::Values { values, .. } = &train.data.targets else { return biases };
        for turn in 0..2 * TURNS {
            let side = turn % 2;
            let mut sums = vec![(0.0, 0.0); ids[side]];
            for &row in train.rows {
                let ids = pair(train, row);
                let other = biases.of[1 - side].get(ids[1 - side]).copied().unwrap_or(0.0);
                if let Some((sum, n)) = sums.get_mut(ids[side]) {
                    *sum += f64::from(values[row]) - mean - other;
                    *n += 1.0;
                }
            }
            biases.of[side] = sums.iter().map(|(sum, n)| sum / (n + ridge[side])).collect();
        }
        biases
    }

    fn say(&self, ids: [usize; 2]) -> f64 {
        let [users, items] = &self.of;
        let of = |biases: &[f64], id: usize| biases.get(id).copied().unwrap_or(0.0);
        self.mean + of(users, ids[0]) + of(items, ids[1])
    }
}

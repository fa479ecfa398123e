//! How much each column of a table matters to a network: how much worse a figure gets where the column's cells are
//! shuffled among the rows (permutation importance, Breiman 2001).

use thalweg_data::random::{permutation, spread};
use thalweg_data::{Dataset, Encoding, Features, Raw, Targets};
use thalweg_nn::Dag;

use super::calibration::{Calibration, holding};
use super::error::RunError;
use super::insights::Importance;
use super::labels;
use crate::{LabelCounts, Metrics, Part, Trainer};

/// Rows that are judged at most.
const ROWS: usize = 2_000;
/// Shuffles of each column.
const REPEATS: usize = 3;
/// Multiplications by weights at most; fewer rows where that is more.
const WORK: usize = 20_000_000_000;
/// Numbers of all rows at most.
const NUMBERS: usize = 1 << 22;
/// The streams of the shuffles.
const STREAM: u64 = 10 << 60;

/// The importance of every column on some of the judged rows, the most important first; none where it is no table.
pub(super) fn importance(
    trainer: &mut Trainer<Dag>,
    encoding: &Encoding,
    calibration: &Calibration,
    judged: &Part,
) -> Result<Vec<Importance>, RunError> {
    let Encoding::Table(table) = encoding else { return Ok(vec![]) };
    let places = table.places();
    // A little is to be done for a row of even the smallest network.
    let of_row = (places.len() * REPEATS).max(1) * (trainer.store().numel() + 5_000);
    let most = (WORK / of_row).min(NUMBERS / judged.data.features.width()).clamp(50, ROWS);
    let chosen = spread(0, STREAM, most, judged.rows.len());
    let rows: Vec<usize> = chosen.into_iter().map(|place| judged.rows[place]).collect();
    let mut set = Dataset {
        name: judged.data.name.clone(),
        features: judged.data.features.select(&rows)?,
        targets: judged.data.targets.select(&rows)?,
    };
    let (width, shape) = (set.features.width(), set.features.shape().to_vec());
    let all: Vec<usize> = (0..rows.len()).collect();
    let Raw::F32(values) = set.features.raw() else { return Ok(vec![]) };
    let values = values.clone();
    let mut figure = |values: Vec<f32>| -> Result<f64, RunError> {
        set.features = Features::new(Raw::F32(values), shape.clone())?;
        let part = Part { data: &set, rows: &all, scaling: judged.scaling };
        measure(trainer, calibration, &part)
    };
    let whole = figure(values.clone())?;
    let mut found = Vec::new();
    for (column, start) in places {
        let column = &table.columns[column];
        let span = start..start + column.encoder.width();
        let mut drops = Vec::with_capacity(REPEATS);
        for repeat in 0..REPEATS {
            let stream = STREAM + 1 + (start * REPEATS + repeat) as u64;
            let order = permutation(0, stream, rows.len());
            let mut shuffled = values.clone();
            for (row, from) in shuffled.chunks_exact_mut(width).zip(order) {
                let cells = from * width + span.start..from * width + span.end;
                row[span.clone()].copy_from_slice(&values[cells]);
            }
            drops.push(whole - figure(shuffled)?);
        }
        let mean = drops.iter().sum::<f64>() / REPEATS as f64;
        let square = drops.iter().map(|drop| (drop - mean) * (drop - mean)).sum::<f64>();
        found.push(Importance {
            column: column.name.clone(),
            drop: mean,
            deviation: (square / (REPEATS - 1) as f64).sqrt(),
            metric: if judged.data.targets.names().is_some() { "accuracy" } else { "rmse" }.into(),
        });
    }
    found.sort_by(|a, b| b.drop.total_cmp(&a.drop));
    Ok(found)
}

/// The accuracy with the threshold, or less the rmse: the more the better.
fn measure(
    trainer: &mut Trainer<Dag>,
    calibration: &Calibration,
    part: &Part,
) -> Result<f64, RunError> {
    let mut scores = Vec::new();
    let keep = calibration.threshold != 0.5 || !calibration.thresholds.is_empty();
    let metrics = trainer.examine(part, ROWS, &mut |batch| {
        if keep {
            scores.extend_from_slice(batch);
        }
    })?;
    Ok(match (metrics, &part.data.targets) {
        (Metrics::Regression(scores), _) => -scores.rmse,
        (Metrics::Classification(_), Targets::Classes { labels, .. }) if keep => {
            let p = calibration.probabilities(&scores, 2);
            let hits = p.chunks_exact(2).zip(labels);
            let hits = hits.filter(|(row, label)| calibration.said(row) as i64 == **label);
            hits.count() as f64 / labels.len() as f64
        }
        (Metrics::Labels(_), Targets::Labels { names, .. }) if keep => {
            let (p, truth) = (calibration.shares(&scores), holding(part));
            let mut counts = LabelCounts::new(names.len());
            labels::count(&mut counts, &p, &truth, names.len(), calibration);
            counts.finish(0.0).accuracy
        }
        (metrics, _) => metrics.accuracy().unwrap_or(0.0),
    })
}

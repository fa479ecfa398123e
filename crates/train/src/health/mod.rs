//! The network's own doctor: what looks unhealthy while a network learns, in words, with what to try.
//!
//! Every so many batches the network is looked at through a [`Probe`]; at the end of an epoch what was seen is judged.
//! Everything that the judgement goes by is in [`Health`], which belongs to a checkpoint.

mod probe;

pub(crate) use probe::{Probe, Seen};

use serde::{Deserialize, Serialize};

use crate::history::EpochReport;
use crate::run::insights::Finding;

/// Rows that are looked at.
pub(crate) const ROWS: usize = 32;
/// Batches between two looks, at the least: a look costs less than a step, so about 2 % of the time.
const SELDOM: usize = 50;
/// Looks that an epoch is enough for.
const PER_EPOCH: usize = 8;
/// Looks before units are called dead.
const ENOUGH: usize = 4;

/// The share of units that never wake from which on it is said.
const DEAD: f64 = 0.3;
/// The share of saturated outputs from which on it is said.
const SATURATED: f64 = 0.5;
/// How much smaller than the greatest a layer's gradient is that vanishes.
const VANISHING: f64 = 1e-4;
/// How much greater than it was the gradient is that explodes.
const EXPLODING: f64 = 100.0;
/// The share of a weight that a step may change.
const WILD: f64 = 0.2;
/// Epochs without progress that are a plateau.
const PLATEAU: usize = 10;
/// Epochs since the best one after which it is overfitting, and how much worse it is by then.
const OVERFITTING: (usize, f64) = (5, 1.1);

/// The doctor's notes.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Health {
    /// What was seen since units were last judged.
    seen: Vec<Seen>,
    /// Weights and the shares of them that a step changed, since the last judgement.
    changes: Vec<(String, f64)>,
    /// What was found, each kind in each layer once.
    pub(crate) findings: Vec<Finding>,
}

/// Whether the network is looked at before this batch of the training.
pub(crate) fn is_due(batch: u64, per_epoch: usize) -> bool {
    let every = SELDOM.max(per_epoch.div_ceil(PER_EPOCH)) as u64;
    batch % every == every - 1
}

impl Health {
    pub(crate) fn add(&mut self, seen: Seen, changes: Vec<(String, f64)>) {
        self.seen.push(seen);
        self.changes.extend(changes);
    }

    /// Judges at the end of the last of `epochs`; gives what is found for the first time.
    pub(crate) fn judge(&mut self, epochs: &[EpochReport]) -> Vec<Finding> {
        let Some(last) = epochs.last() else { return vec![] };
        let mut found = self.of_changes();
        found.extend(of_curves(epochs));
        if self.seen.len() >= ENOUGH {
            found.extend(self.of_units());
            found.extend(self.of_gradients());
            self.seen.clear();
        }
        self.changes.clear();
        let mut new = Vec::new();
        for finding in found {
            new.extend(self.note(Finding { epoch: last.epoch, ..finding }));
        }
        new
    }

    /// Writes a finding down; gives it back where nothing of its kind was known of its layer.
    pub(crate) fn note(&mut self, finding: Finding) -> Option<Finding> {
        let known = |known: &Finding| known.kind == finding.kind && known.layer == finding.layer;
        if self.findings.iter().any(known) {
            return None;
        }
        self.findings.push(finding.clone());
        Some(finding)
    }

    fn of_units(&self) -> Vec<Finding> {
        let Some((first, rest)) = self.seen.split_first() else { return vec![] };
        let rows = self.seen.len() * ROWS;
        let mut found = Vec::new();
        for (i, (layer, active)) in first.active.iter().enumerate() {
            let woke = |unit: usize| {
                let in_look = |seen: &Seen| {
                    seen.active.get(i).is_some_and(|(_, active)| active.get(unit) == Some(&true))
                };
                active[unit] || rest.iter().any(in_look)
            };
            let dead = (0..active.len()).filter(|unit| !woke(*unit)).count();
            let share = dead as f64 / active.len().max(1) as f64;
            if share >= DEAD {
                found.push(finding(
                    "dead_units",
                    layer,
                    format!(
                        "{:.0} % of units ({dead} of {}) never active in {rows} rows looked at",
                        share * 100.0,
                        active.len()
                    ),
                    "try leaky_relu or elu, or a lower learning rate",
                ));
            }
        }
        for (i, (layer, _)) in first.saturated.iter().enumerate() {
            let shares = self.seen.iter().filter_map(|seen| seen.saturated.get(i));
            let sum: f64 = shares.map(|(_, share)| share).sum();
            let share = sum / self.seen.len() as f64;
            if share >= SATURATED {
                found.push(finding(
                    "saturated",
                    layer,
                    format!("{:.0} % of outputs saturated: almost no gradient passes", share * 100.0),
                    "try relu, a normalisation before it, smaller first weights or a lower learning rate",
                ));
            }
        }
        found
    }

    /// Of the mean gradients of weights; parameters whose gradient is exactly 0 are the pre-flight's matter.
    fn of_gradients(&self) -> Option<Finding> {
        let first = self.seen.first()?;
        let mean = |i: usize| {
            let grads = self.seen.iter().filter_map(|seen| seen.grads.get(i));
            grads.map(|(_, grad)| grad).sum::<f64>() / self.seen.len() as f64
        };
        let means: Vec<(&str, f64)> = (first.grads.iter().enumerate())
            .filter(|(_, (name, _))| name.ends_with("weight"))
            .map(|(i, (name, _))| (name.as_str(), mean(i)))
            .filter(|(_, mean)| *mean > 0.0 && mean.is_finite())
            .collect();
        let least = means.iter().copied().min_by(|a, b| a.1.total_cmp(&b.1))?;
        let most = means.iter().copied().max_by(|a, b| a.1.total_cmp(&b.1))?;
        (least.1 < most.1 * VANISHING).then(|| {
            finding(
                "vanishing",
                layer_of(least.0),
                format!(
                    "its gradient is {:.1e}, that of {} {:.1e}: it hardly learns",
                    least.1,
                    layer_of(most.0),
                    most.1
                ),
                "try a normalisation, skip connections, relu in place of sigmoid or tanh, or fewer layers",
            )
        })
    }

    fn of_changes(&self) -> Vec<Finding> {
        let mut found = Vec::new();
        let mut names: Vec<&str> = self.changes.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        for name in names {
            let of_it = || self.changes.iter().filter(|(other, _)| other == name);
            let mean = of_it().map(|(_, ratio)| ratio).sum::<f64>() / of_it().count().max(1) as f64;
            if mean > WILD {
                found.push(finding(
                    "update_ratio",
                    layer_of(name),
                    format!(
                        "a step changes its weights by {:.0} %; about 0.1 % is usual",
                        mean * 100.0
                    ),
                    "try a lower learning rate, or a warm-up",
                ));
            }
        }
        found
    }
}

/// What the losses of the epochs tell.
fn of_curves(epochs: &[EpochReport]) -> Vec<Finding> {
    let mut found = Vec::new();
    let Some(last) = epochs.last() else { return found };
    let before: Vec<f64> = epochs[..epochs.len() - 1]
        .iter()
        .map(|epoch| epoch.grad_norm)
        .filter(|norm| norm.is_finite())
        .collect();
    let least = before.iter().copied().fold(f64::INFINITY, f64::min);
    if last.grad_norm > least * EXPLODING && least > 0.0 && last.grad_norm > 1.0 {
        found.push(finding(
            "exploding",
            "",
            format!("the gradient's norm rose from {least:.1e} to {:.1e}", last.grad_norm),
            "try clip_norm = 1, or a lower learning rate",
        ));
    }
    if let Some(then) = epochs.len().checked_sub(PLATEAU + 1).map(|place| &epochs[place]) {
        let least = epochs[epochs.len() - PLATEAU..].iter().map(|epoch| epoch.train.loss);
        let least = least.fold(f64::INFINITY, f64::min);
        if least > then.train.loss * 0.99 && least > 1e-6 && last.lr * 10.0 > then.lr {
            found.push(finding(
                "plateau",
                "",
                format!(
                    "the training loss has not fallen in {PLATEAU} epochs ({:.4} then, {least:.4} at best since)",
                    then.train.loss
                ),
                "try another learning rate, a larger network, or stop: it may be all that can be learned here",
            ));
        }
    }
    let valid = |epoch: &EpochReport| epoch.valid.as_ref().map(crate::Metrics::loss);
    let best = epochs
        .iter()
        .filter_map(|epoch| Some((epoch, valid(epoch)?)))
        .min_by(|a, b| a.1.total_cmp(&b.1));
    let (patience, worse) = OVERFITTING;
    if let (Some((best, least)), Some(now)) = (best, valid(last))
        && last.epoch >= best.epoch + patience
        && now > least * worse
        && last.train.loss < best.train.loss
    {
        found.push(finding(
            "overfitting",
            "",
            format!(
                "the validation loss has risen since epoch {} ({least:.4} then, {now:.4} now), while the training loss fell",
                best.epoch
            ),
            "try dropout, weight decay, augmentation or a smaller network; patience stops it in time",
        ));
    }
    found
}

fn finding(kind: &str, layer: &str, saw: String, try_this: &str) -> Finding {
    Finding { kind: kind.into(), layer: layer.into(), epoch: 0, saw, try_this: try_this.into() }
}

/// A parameter's layer: `3.weight` is of `3`.
fn layer_of(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(layer, _)| layer)
}

impl std::fmt::Display for Finding {
    /// `hidden2: 61 % of units never active → try leaky_relu or elu`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Finding { layer, saw, try_this, .. } = self;
        let of = if layer.is_empty() { "" } else { ": " };
        write!(f, "{layer}{of}{saw} → {try_this}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Timing, TrainScores};

    fn epochs(losses: &[f64], grad_norms: &[f64]) -> Vec<EpochReport> {
        let epoch = |(i, (&loss, &grad_norm)): (usize, (&f64, &f64))| EpochReport {
            epoch: i + 1,
            steps: i as u64 + 1,
            rows: 1,
            lr: 0.1,
            train: TrainScores { loss, accuracy: None },
            valid: None,
            grad_norm,
            skipped_steps: 0,
            timing: Timing::default(),
        };
        losses.iter().zip(grad_norms).enumerate().map(epoch).collect()
    }

    fn kinds(found: &[Finding]) -> Vec<(&str, &str, usize)> {
        found.iter().map(|f| (f.kind.as_str(), f.layer.as_str(), f.epoch)).collect()
    }

    #[test]
    fn what_is_ill_is_found_once() {
        let mut health = Health::default();
        let one = epochs(&[1.0], &[1.0]);
        for _ in 0..ENOUGH {
            let grads = vec![("0.weight".to_string(), 1e-9), ("2.weight".to_string(), 1.0)];
            let seen = Seen { grads, ..Seen::default() };
            health.add(seen, vec![("2.weight".to_string(), 0.5), ("0.weight".to_string(), 0.001)]);
        }
        let found = health.judge(&one);
        assert_eq!(kinds(&found), [("update_ratio", "2", 1), ("vanishing", "0", 1)]);
        health.add(Seen::default(), vec![("2.weight".to_string(), 0.5)]);
        assert!(health.judge(&one).is_empty());
        assert_eq!(health.findings.len(), 2);
    }

    #[test]
    fn curves_tell_of_explosions_and_plateaus() {
        let of = |losses: &[f64], norms: &[f64]| of_curves(&epochs(losses, norms));
        assert_eq!(kinds(&of(&[1.0, 1.0], &[0.1, 50.0])), [("exploding", "", 0)]);
        assert!(of(&[1.0, 1.0], &[0.1, 5.0]).is_empty());
        assert_eq!(kinds(&of(&[1.0; 11], &[1.0; 11])), [("plateau", "", 0)]);
        let falling: Vec<f64> = (0..11).map(|i| 1.0 - 0.05 * f64::from(i)).collect();
        assert!(of(&falling, &[1.0; 11]).is_empty());
    }
}

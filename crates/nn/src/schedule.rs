//! Learning-rate schedules: the rate of each step as a pure function of its number.
//!
//! The rate is an input of the compiled step, so a schedule never changes the graph. Cosines are `libm`'s: the same
//! bits everywhere. [`Plateau`] is the one schedule with a memory; it watches a metric.

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

/// How the learning rate goes over the steps of a run. A step is whatever the caller counts, batches or epochs.
/// In a config file: `{ type = "warmup", steps = 500, then = { type = "cosine" } }`.
///
/// The numbers are those of PyTorch's `torch.optim.lr_scheduler`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Schedule {
    /// The base rate, always.
    #[default]
    Constant,
    /// base·γ^⌊t/every⌋. PyTorch's `StepLR`.
    Step {
        /// The length of a stair in steps, ≥ 1.
        every: u64,
        /// The factor of each stair; default 0.1.
        #[serde(default = "tenth")]
        gamma: f64,
    },
    /// base·γⁿ, n being the number of milestones that are reached. PyTorch's `MultiStepLR`.
    MultiStep {
        /// The steps from which the rate is lower.
        milestones: Vec<u64>,
        /// The factor at each milestone; default 0.1.
        #[serde(default = "tenth")]
        gamma: f64,
    },
    /// base·γᵗ. PyTorch's `ExponentialLR`.
    Exponential {
        /// The factor of each step.
        gamma: f64,
    },
    /// min + ½(base − min)(1 + cos(πt/T)), and min from T on. After
    /// [Loshchilov and Hutter 2016](https://arxiv.org/abs/1608.03983); PyTorch's `CosineAnnealingLR`.
    Cosine {
        /// The last rate; default 0.
        #[serde(default)]
        min: f64,
        /// T in steps; default: all of the run.
        #[serde(default)]
        total: Option<u64>,
    },
    /// Rises linearly, (t+1)/steps of the base rate in step t, then follows another schedule, whose step 0 is
    /// step `steps` of the run.
    Warmup {
        /// The length of the rise in steps.
        steps: u64,
        /// What follows; default `constant`.
        #[serde(default)]
        then: Box<Schedule>,
    },
    /// From max/div up to max over the first part of the run, then down to max/(div·final_div), both as half a
    /// cosine. After [Smith and Topin 2017](https://arxiv.org/abs/1708.07120); PyTorch's `OneCycleLR`.
    OneCycle {
        /// The greatest rate; default: the base rate.
        #[serde(default)]
        max: Option<f64>,
        /// The length of the cycle in steps; default: all of the run.
        #[serde(default)]
        total: Option<u64>,
        /// The share of the run that rises; default 0.3.
        #[serde(default = "three_tenths")]
        pct_start: f64,
        /// The first rate is max/div; default 25.
        #[serde(default = "twenty_five")]
        div: f64,
        /// The last rate is max/(div·final_div); default 1e4.
        #[serde(default = "ten_thousand")]
        final_div: f64,
    },
    /// The base rate, lowered where a metric stops getting better: [`Plateau`] says when.
    ReduceOnPlateau(PlateauOptions),
}

fn tenth() -> f64 {
    0.1
}

fn three_tenths() -> f64 {
    0.3
}

fn twenty_five() -> f64 {
    25.0
}

fn ten_thousand() -> f64 {
    1e4
}

impl Schedule {
    /// The rate of step `step` (from 0) of a run of `total` steps with the base rate `base`. Of
    /// `reduce_on_plateau` this is the base rate; its memory is in a [`Plateau`].
    pub fn lr(&self, base: f64, step: u64, total: u64) -> f64 {
        match self {
            Schedule::Constant | Schedule::ReduceOnPlateau(_) => base,
            Schedule::Step { every, gamma } => base * power(*gamma, step / (*every).max(1)),
            Schedule::MultiStep { milestones, gamma } => {
                base * power(*gamma, milestones.iter().filter(|&&m| m <= step).count() as u64)
            }
            Schedule::Exponential { gamma } => base * power(*gamma, step),
            Schedule::Cosine { min, total: own } => {
                let total = own.unwrap_or(total);
                if step >= total { *min } else { anneal(base, *min, step as f64 / total as f64) }
            }
            Schedule::Warmup { steps, .. } if step < *steps => {
                base * (step + 1) as f64 / *steps as f64
            }
            Schedule::Warmup { steps, then } => {
                then.lr(base, step - steps, total.saturating_sub(*steps))
            }
            Schedule::OneCycle { max, total: own, pct_start, div, final_div } => {
                let (max, total) = (max.unwrap_or(base), own.unwrap_or(total) as f64);
                let first = max / div;
                let (top, end) = (pct_start * total - 1.0, total - 1.0);
                let t = (step as f64).min(end);
                // A part without length is already over.
                let share =
                    |from: f64, to: f64| if to > from { (t - from) / (to - from) } else { 1.0 };
                match t <= top {
                    true => anneal(first, max, share(0.0, top)),
                    false => anneal(max, first / final_div, share(top, end)),
                }
            }
        }
    }

    /// What is wrong with the numbers, in words; `Ok` where nothing is.
    pub fn check(&self) -> Result<(), String> {
        let positive = |name: &str, x: f64| match x.is_finite() && x > 0.0 {
            true => Ok(()),
            false => Err(format!("{name} must be > 0, got {x}")),
        };
        match self {
            Schedule::Constant => Ok(()),
            Schedule::Step { every: 0, .. } => Err("every must be at least 1, got 0".to_owned()),
            Schedule::Step { gamma, .. }
            | Schedule::MultiStep { gamma, .. }
            | Schedule::Exponential { gamma } => positive("gamma", *gamma),
            Schedule::Cosine { min, .. } if !(min.is_finite() && *min >= 0.0) => {
                Err(format!("min must be finite and ≥ 0, got {min}"))
            }
            Schedule::Cosine { total: Some(0), .. } | Schedule::OneCycle { total: Some(0), .. } => {
                Err("total must be at least 1, got 0".to_owned())
            }
            Schedule::Cosine { .. } => Ok(()),
            Schedule::Warmup { then, .. } => match **then {
                Schedule::ReduceOnPlateau(_) => {
                    Err("reduce_on_plateau cannot follow a warm-up: it counts no steps".to_owned())
                }
                _ => then.check(),
            },
            Schedule::OneCycle { max, pct_start, div, final_div, .. } => {
                positive("max", max.unwrap_or(1.0))?;
                positive("div", *div)?;
                positive("final_div", *final_div)?;
                match (0.0..=1.0).contains(pct_start) {
                    true => Ok(()),
                    false => Err(format!("pct_start must be from 0 to 1, got {pct_start}")),
                }
            }
            Schedule::ReduceOnPlateau(options) => match options {
                PlateauOptions { factor, .. } if !(0.0..1.0).contains(factor) => {
                    Err(format!("factor must be at least 0 and below 1, got {factor}"))
                }
                PlateauOptions { min_lr, .. } if !(min_lr.is_finite() && *min_lr >= 0.0) => {
                    Err(format!("min_lr must be finite and ≥ 0, got {min_lr}"))
                }
                PlateauOptions { threshold, .. } if !threshold.is_finite() => {
                    Err(format!("threshold must be finite, got {threshold}"))
                }
                _ => Ok(()),
            },
        }
    }
}

fn power(base: f64, exponent: u64) -> f64 {
    libm::pow(base, exponent as f64)
}

/// From `start` to `end` as half a cosine, `share` of the way.
fn anneal(start: f64, end: f64, share: f64) -> f64 {
    end + (start - end) / 2.0 * (1.0 + libm::cos(PI * share))
}

/// Which way a metric gets better.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Better {
    /// Downwards: a loss.
    #[default]
    Min,
    /// Upwards: an accuracy.
    Max,
}

/// The numbers of `reduce_on_plateau`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PlateauOptions {
    /// What the rate is multiplied by; default 0.1.
    pub factor: f64,
    /// How many observations without a better one are let pass; default 10.
    pub patience: u64,
    /// How much better counts as better, relative to the best so far; default 1e-4.
    pub threshold: f64,
    /// The least rate; default 0.
    pub min_lr: f64,
    /// Which way is better; default `min`.
    pub mode: Better,
}

impl Default for PlateauOptions {
    fn default() -> Self {
        let mode = Better::Min;
        PlateauOptions { factor: 0.1, patience: 10, threshold: 1e-4, min_lr: 0.0, mode }
    }
}

/// The memory of `reduce_on_plateau`: after more than `patience` observations in a row that are not better than the
/// best one, the rate is multiplied by `factor`. PyTorch's `ReduceLROnPlateau` (relative threshold, no cool-down).
///
/// ```
/// use thalweg_nn::schedule::{Plateau, PlateauOptions};
/// let mut plateau = Plateau::new(PlateauOptions { patience: 1, ..Default::default() }, 0.5);
/// let rates: Vec<f64> = [2.0, 1.0, 1.0, 1.0].map(|loss| plateau.observe(loss)).to_vec();
/// assert_eq!(rates, [0.5, 0.5, 0.5, 0.05]);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plateau {
    options: PlateauOptions,
    lr: f64,
    best: Option<f64>,
    waited: u64,
}

impl Plateau {
    /// Nothing observed yet; the rate is `base`.
    pub fn new(options: PlateauOptions, base: f64) -> Plateau {
        Plateau { options, lr: base, best: None, waited: 0 }
    }

    /// The rate now.
    pub fn lr(&self) -> f64 {
        self.lr
    }

    /// Takes in the metric of one more epoch, and gives the rate from now on. NaN is not better than anything.
    pub fn observe(&mut self, metric: f64) -> f64 {
        /// PyTorch's: a smaller change of the rate is not made.
        const LEAST_CHANGE: f64 = 1e-8;
        let PlateauOptions { factor, patience, threshold, min_lr, mode } = self.options;
        let better = match mode {
            Better::Min => metric < self.best.unwrap_or(f64::INFINITY) * (1.0 - threshold),
            Better::Max => metric > self.best.unwrap_or(f64::NEG_INFINITY) * (1.0 + threshold),
        };
        match better {
            true => (self.best, self.waited) = (Some(metric), 0),
            false => self.waited += 1,
        }
        if self.waited > patience {
            self.waited = 0;
            let lower = (self.lr * factor).max(min_lr);
            if self.lr - lower > LEAST_CHANGE {
                self.lr = lower;
            }
        }
        self.lr
    }
}

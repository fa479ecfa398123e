//! Going on with a run: one that was stopped, to where it was planned to end and to the same bits; one that is
//! finished, for more epochs or with more patience.

use std::path::Path;

use serde_json::{Value, json};
use thalweg_data::Batches;

use super::config::Config;
use super::data::{PartName, RunData};
use super::draft::Draft;
use super::error::RunError;
use super::folder::{CONFIG, DATA, LAST, RunFolder, SUMMARY};
use super::model::{read, read_config};
use super::session::{Session, fix_length};
use crate::{Checkpoint, Extension, Stopped};

/// How many epochs a run is to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Epochs {
    /// So many more than are done.
    More(usize),
    /// So many altogether.
    Total(usize),
}

/// What is to be different when a run goes on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wish {
    /// More epochs.
    pub epochs: Option<Epochs>,
    /// Another patience.
    pub patience: Option<usize>,
}

/// A run that is about to go on.
pub struct Resumed {
    /// Its training.
    pub session: Session,
    /// Its folder.
    pub folder: RunFolder,
    /// What will happen, in words.
    pub notes: Vec<String>,
}

impl Session {
    /// Opens a run to go on with it: [`Session::train`] does.
    ///
    /// A run that was interrupted, killed or stopped by a time limit goes on to where it was planned to end. With more
    /// epochs it goes on from where it stands at its last rate (a tenth of `train.lr` where that is below a
    /// hundredth of it) for two thirds of them, then falling linearly to 0. With another patience, one that was stopped early goes
    /// on from its last weights; the best ones stay remembered.
    ///
    /// # Errors
    /// [`RunError::NotARun`], [`RunError::Busy`], [`RunError::Config`] where there is nothing to do or the wish cannot
    /// be met, [`RunError::Fit`] where the data has changed, and whatever [`Session::prepare`] finds.
    pub fn resume(run: &Path, wish: &Wish, threads: usize) -> Result<Resumed, RunError> {
        let config = read_config(run)?;
        let folder = RunFolder::reopen(run)?;
        let checkpoint = match run.join(LAST).exists() {
            true => Some(checkpoint(run)?),
            false => None,
        };
        let ended = ended(run)?;
        let mut draft = Draft::new();
        draft.file(&run.join(CONFIG))?;
        let mut session = Session::prepare(&draft, &config.data.path, threads)?;
        session.compare_data(run)?;
        let per_epoch = steps_per_epoch(&session.config, &session.data)?;
        let train = &mut session.config.train;
        let Some(checkpoint) = checkpoint else {
            if ended.is_some() || wish.epochs.is_some() || wish.patience.is_some() {
                let hint = "without flags it begins anew; or train again with its config.toml";
                return Err(wrong(run, "it has no checkpoint to go on from", hint.into()));
            }
            return Ok(Resumed {
                session,
                folder,
                notes: vec!["there is no checkpoint yet: the training begins anew".into()],
            });
        };
        let done = checkpoint.epochs();
        let mut notes = vec![format!(
            "goes on {} epoch {}",
            if checkpoint.is_within_an_epoch() { "within" } else { "with" },
            done + 1
        )];
        if ended == Some(Stopped::MaxTime) {
            let planned = checkpoint.total_steps();
            let whole = per_epoch.saturating_mul(train.epochs as u64);
            train.max_steps = (planned < whole).then_some(planned);
        }
        if let Some(patience) = wish.patience {
            train.patience = Some(patience);
        }
        match wish.epochs {
            Some(epochs) => {
                let total = match epochs {
                    Epochs::More(more) => done.saturating_add(more),
                    Epochs::Total(total) => total,
                };
                if total <= done {
                    let what = format!("{done} epochs are done already");
                    let hint = format!("ask for more: --epochs +5, or --epochs {}", done + 5);
                    return Err(wrong(run, &what, hint));
                }
                let last = checkpoint.steps().saturating_sub(1);
                let rate = train.extended.iter().find_map(|extension| extension.lr(last));
                let rate = rate
                    .or(checkpoint.plateau_lr())
                    .unwrap_or_else(|| train.schedule.lr(train.lr, last, checkpoint.total_steps()));
                let (lr, why) = match rate < train.lr / 100.0 {
                    true => {
                        (train.lr / 10.0, "a tenth of train.lr, since the last rate is almost 0")
                    }
                    false => (rate, "its last rate"),
                };
                fix_length(&mut train.schedule, checkpoint.total_steps());
                let from = checkpoint.steps();
                let all = per_epoch.saturating_mul(total as u64);
                // An extension that is cut short ends where the next one begins.
                train.extended.retain(|extension| extension.from < from);
                if let Some(extension) = train.extended.last_mut() {
                    extension.steps = extension.steps.min(from - extension.from);
                }
                train.extended.push(Extension { from, steps: all.saturating_sub(from), lr });
                (train.epochs, train.max_steps) = (total, None);
                notes.push(format!(
                    "up to epoch {total} at rate {lr:.3e} ({why}), which falls linearly to 0 over the last third"
                ));
            }
            None => match ended {
                None | Some(Stopped::MaxTime | Stopped::Interrupted) => {}
                Some(Stopped::EarlyStopping) if wish.patience.is_some() && done < train.epochs => {
                    notes.push(format!(
                        "from its last weights, the best ones remembered, up to epoch {}",
                        train.epochs
                    ));
                }
                Some(_) => {
                    let what = format!("it is finished: {done} epochs are done");
                    let run = run.display();
                    let hint = format!(
                        "for more: `thalweg resume {run} --epochs +5`; a run that was stopped early \
                         goes on with --patience"
                    );
                    return Err(RunError::Config { what, place: run.to_string(), hint });
                }
            },
        }
        session.from = Some(checkpoint);
        Ok(Resumed { session, folder, notes })
    }

    /// What the data is like: a sum over its rows (of very many: over some of them), their parts and what was fitted to them.
    pub(super) fn data_story(&self) -> Result<Value, RunError> {
        let mut sum = Fnv::default();
        for part in [PartName::Train, PartName::Valid, PartName::Test] {
            let rows = self.data.rows(part);
            let Some(part) = self.data.part(part, &self.scaling) else { continue };
            let looked_at: Vec<usize> = looked_at(rows, part.data.features.width()).collect();
            looked_at.iter().for_each(|row| sum.add(&(*row as u64).to_le_bytes()));
            part.data.hashes(&looked_at, |hash| sum.add(&hash.to_le_bytes()))?;
        }
        let rows = [PartName::Train, PartName::Valid, PartName::Test]
            .map(|part| self.data.rows(part).len());
        Ok(json!({ "rows": rows, "sum": format!("{:016x}", sum.0) }))
    }

    fn compare_data(&self, run: &Path) -> Result<(), RunError> {
        let path = run.join(DATA);
        let Ok(bytes) = std::fs::read(&path) else { return Ok(()) };
        let then: Value = serde_json::from_slice(&bytes)
            .map_err(|error| RunError::Damaged { path, problem: error.to_string() })?;
        let now = self.data_story()?;
        if then == now {
            return Ok(());
        }
        let parts = |story: &Value| story["rows"].to_string();
        let how = match then["rows"] == now["rows"] {
            true => "its values are others".to_string(),
            false => format!(
                "rows for training, validation and test were {}, now {}",
                parts(&then),
                parts(&now)
            ),
        };
        Err(RunError::Fit {
            what: format!(
                "the data has changed since the run began: {how}, in {}",
                self.config.data.path
            ),
            hint: format!(
                "bring the old data back, or train anew: `thalweg train --config {}`",
                run.join(CONFIG).display()
            ),
        })
    }
}

/// Numbers of a part that are all looked at to recognise it.
const NUMBERS: usize = 1 << 24;
/// Numbers that are looked at of a part with more, and rows that are taken together: rows that lie in a file are read in
/// blocks.
const SOME: usize = 1 << 20;
const TOGETHER: usize = 128;

/// The rows of a part by which it is recognised: all, or runs of them, evenly spread from the first to the last.
fn looked_at(rows: &[usize], width: usize) -> impl Iterator<Item = usize> {
    let width = width.max(1);
    let runs = match rows.len().saturating_mul(width) > NUMBERS {
        true => (SOME / width / TOGETHER).max(2),
        false => 1,
    };
    let length = if runs == 1 { rows.len() } else { TOGETHER.min(rows.len()) };
    let last = rows.len() - length;
    (0..runs).flat_map(move |run| {
        let start = last * run / (runs - 1).max(1);
        rows[start..start + length].iter().copied()
    })
}

/// A sum by which data is recognised: FNV-1a of 64 bits.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Fnv {
        Fnv(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}

fn checkpoint(run: &Path) -> Result<Checkpoint, RunError> {
    Checkpoint::from_bytes(read(run, LAST)?)
        .map_err(|error| RunError::Damaged { path: run.join(LAST), problem: error.message() })
}

/// Why the run ended, if it did.
fn ended(run: &Path) -> Result<Option<Stopped>, RunError> {
    let path = run.join(SUMMARY);
    let Ok(bytes) = std::fs::read(&path) else { return Ok(None) };
    let damaged = |problem: String| RunError::Damaged { path: path.clone(), problem };
    let summary: Value =
        serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
    let stopped = serde_json::from_value(summary["stopped"].clone());
    stopped.map(Some).map_err(|error| damaged(error.to_string()))
}

fn steps_per_epoch(config: &Config, data: &RunData) -> Result<u64, RunError> {
    let train = &config.train;
    let rows = data.rows(PartName::Train).to_vec();
    let batch = train.fit_options(None).batch_rows(rows.len());
    let batches = Batches::new(rows, batch, train.seed)?.drop_last(train.drop_last);
    Ok(batches.count().div_ceil(train.accumulate) as u64)
}

fn wrong(run: &Path, what: &str, hint: String) -> RunError {
    RunError::Config { what: what.into(), place: run.display().to_string(), hint }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_rows_runs_are_looked_at_from_the_first_to_the_last() {
        let some: Vec<usize> = (0..1000).map(|row| 3 * row).collect();
        assert!(looked_at(&some, 12).eq(some.iter().copied()));
        assert_eq!(looked_at(&[], 12).count(), 0);

        let many: Vec<usize> = (0..2 << 20).collect();
        let seen: Vec<usize> = looked_at(&many, 12).collect();
        assert!(seen.len() * 12 <= SOME && seen.len() * 12 > SOME / 2);
        assert!(seen.is_sorted());
        assert_eq!((seen[0], seen.last()), (0, many.last()));
        assert_eq!(seen[TOGETHER - 1], TOGETHER - 1);
    }
}

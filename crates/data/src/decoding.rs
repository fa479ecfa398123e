//! Files that are read and decoded on background threads, each of which has a handle of its own.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use crate::error::DataError;
use crate::files::Files;

/// The files of each sample.
pub(crate) type Groups = Arc<Vec<Vec<usize>>>;

/// What is made of the files of a sample.
pub(crate) type Work<R> = dyn Fn(&mut Files, &[usize]) -> Result<R, DataError> + Send + Sync;

/// Samples on which threads work. They stop where nobody waits any more.
pub(crate) struct Decoding<R> {
    answers: Receiver<(usize, Result<R, DataError>)>,
    count: usize,
}

impl<R: Send + 'static> Decoding<R> {
    /// Begins to work on the samples `which` of `groups`.
    pub(crate) fn begin(
        files: &Files,
        groups: &Groups,
        which: Vec<usize>,
        work: Arc<Work<R>>,
    ) -> Decoding<R> {
        let count = which.len();
        let (sender, answers) = channel();
        let (which, next) = (Arc::new(which), Arc::new(AtomicUsize::new(0)));
        let threads = thread::available_parallelism().map_or(1, usize::from).min(count);
        let worker = || {
            let (mut files, groups, which) =
                (files.clone(), Arc::clone(groups), Arc::clone(&which));
            let (sender, next, work) = (sender.clone(), Arc::clone(&next), Arc::clone(&work));
            move || loop {
                let i = next.fetch_add(1, Ordering::Relaxed);
                let Some(&sample) = which.get(i) else { return };
                let answer = guarded(&*work, &mut files, &groups[sample]);
                if sender.send((i, answer)).is_err() {
                    return;
                }
            }
        };
        let started = (0..threads).filter(|_| thread::Builder::new().spawn(worker()).is_ok());
        // Where the system gives no thread, this one does it.
        if started.count() == 0 {
            worker()();
        }
        Decoding { answers, count }
    }

    /// What came of each sample, in order, once all are done.
    pub(crate) fn finish(self) -> Vec<Result<R, DataError>> {
        let mut answers: Vec<_> = self.answers.into_iter().take(self.count).collect();
        answers.sort_unstable_by_key(|(i, _)| *i);
        answers.into_iter().map(|(_, answer)| answer).collect()
    }
}

/// The work on a sample. A decoder that panics on a damaged file makes no worse an error than others do.
fn guarded<R>(work: &Work<R>, files: &mut Files, group: &[usize]) -> Result<R, DataError> {
    let done = catch_unwind(AssertUnwindSafe(|| work(files, group)));
    done.unwrap_or_else(|_| {
        Err(DataError::content(
            files.place(group.first().copied().unwrap_or(0)),
            "the decoder gave up on the file",
            "it is damaged; save it again, or leave such files out with --skip-bad",
        ))
    })
}

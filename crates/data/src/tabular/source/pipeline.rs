//! Work in order on background threads, with bounded memory.
//!
//! One thread cuts a source into jobs, a few do them and make of their results what is wanted, and the caller gets that in
//! the order of the jobs. The caller holds a place in a queue for each job that is under way, so no more than [`AHEAD`]
//! results exist at a time. All that does not depend on the order belongs to the jobs: what the caller does, nobody does
//! beside it.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::error::DataError;

/// Jobs that are under way or done before their results are taken, at most.
const AHEAD: usize = 4;
/// Threads that do jobs, at most. The two others wait most of the time.
const WORKERS: usize = 4;

/// A piece of work.
pub(super) type Job<T> = Box<dyn FnOnce() -> Result<T, DataError> + Send>;

/// Takes a job; false where nobody wants more.
pub(super) type Take<'a, T> = &'a mut dyn FnMut(Job<T>) -> bool;

/// Does the jobs of `produce`, lets `work` make something of each result, and shows that to `visit`, in order. The first
/// error, in that order, ends it.
pub(super) fn in_order<J, T: Send>(
    produce: impl FnOnce(Take<'_, J>) -> Result<(), DataError> + Send,
    work: impl Fn(J) -> Result<T, DataError> + Sync,
    mut visit: impl FnMut(T) -> Result<(), DataError>,
) -> Result<(), DataError> {
    type Answer<T> = Result<T, DataError>;
    let (to_workers, jobs) = sync_channel::<(Job<J>, SyncSender<Answer<T>>)>(AHEAD);
    let (to_caller, answers) = sync_channel::<Receiver<Answer<T>>>(AHEAD);
    let jobs = Mutex::new(jobs);
    let jobs_in_turn = || {
        let next = || jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        while let Ok((job, answer)) = next() {
            // Where nobody waits for it any more, there is nothing to do about it.
            let _ = answer.send(job().and_then(&work));
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads.min(WORKERS) {
            scope.spawn(jobs_in_turn);
        }
        let producer = scope.spawn(move || {
            produce(&mut |job| {
                let (answer, place) = sync_channel(1);
                to_caller.send(place).is_ok() && to_workers.send((job, answer)).is_ok()
            })
        });
        let visited = answers
            .into_iter()
            .map_while(|answer| answer.recv().ok())
            .try_for_each(|answer| visit(answer?));
        match producer.join() {
            Ok(produced) => visited.and(produced),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

/// Does the jobs of `produce` one after the other on the thread of the caller, until `visit` has seen enough.
pub(super) fn one_by_one<T>(
    produce: impl FnOnce(Take<'_, T>) -> Result<(), DataError>,
    mut visit: impl FnMut(T) -> bool,
) -> Result<(), DataError> {
    let mut failed = None;
    produce(&mut |job| match job() {
        Ok(done) => visit(done),
        Err(error) => {
            failed = Some(error);
            false
        }
    })?;
    failed.map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::place::Place;

    fn numbers(
        n: usize,
        bad: Option<usize>,
    ) -> impl FnOnce(Take<'_, usize>) -> Result<(), DataError> {
        move |take| {
            for i in 0..n {
                let job = Box::new(move || match bad == Some(i) {
                    true => Err(DataError::content(Place::default(), format!("job {i}"), "")),
                    false => Ok(i),
                });
                if !take(job) {
                    break;
                }
            }
            Ok(())
        }
    }

    #[test]
    fn results_come_in_the_order_of_the_jobs() {
        let mut seen = Vec::new();
        let visit = |i| {
            seen.push(i);
            Ok(())
        };
        assert!(in_order(numbers(1000, None), Ok, visit).is_ok());
        assert_eq!(seen, (0..1000).collect::<Vec<_>>());
    }

    #[test]
    fn the_first_error_ends_it() {
        let mut seen = 0;
        let error = in_order(numbers(1000, Some(500)), Ok, |_| {
            seen += 1;
            Ok(())
        });
        assert!(error.is_err_and(|error| error.message().contains("job 500")));
        assert_eq!(seen, 500);
        let stop = |i| match i {
            9 => Err(DataError::NoRows { what: "stop" }),
            _ => Ok(()),
        };
        assert!(in_order(numbers(1000, None), Ok, stop).is_err());
    }

    #[test]
    fn enough_is_enough() {
        let mut seen = 0;
        assert!(
            one_by_one(numbers(1000, Some(10)), |_| {
                seen += 1;
                seen < 5
            })
            .is_ok()
        );
        assert_eq!(seen, 5);
    }
}

//! The one thread pool: a broadcast fork-join with a hand-off well under a microsecond.
//!
//! A training step of a small network is a few microseconds of arithmetic between barriers, so waking threads
//! through the operating system would cost more than it brings. Workers therefore spin for a while after each
//! job before they park. A job is a number of tasks that are claimed one by one through an atomic counter; the
//! caller works too, and never waits for a worker that did not start: who comes late finds the job closed.
//!
//! # Why it is sound
//!
//! All coordination goes through one word, `state` = epoch | open bit | number of active workers.
//!
//! * **A job is seen whole.** The caller writes `job` and `next`, then stores `state` with the open bit. A worker
//!   joins by a compare-exchange that succeeds only on an open state and reads (acquires) that store or a
//!   read-modify-write after it, which belongs to its release sequence. So it sees this job's `job` and `next`.
//! * **A job outlives its workers.** The caller clears the open bit, after which no compare-exchange can succeed,
//!   and then waits until the number of active workers is 0. Only then does `run` return, and with it end the
//!   borrow of the closure; only then may `job` and `next` be written again (the next caller has taken `busy`,
//!   which the previous one released). The epoch only keeps a worker from joining one job twice; if it wraps
//!   around, a worker may sit out a job, nothing else.
//! * **Results are seen.** Each worker leaves by a releasing decrement; these form one release sequence, and the
//!   caller acquires its end when it reads 0.
//! * **No wake-up is lost.** A worker about to park stores `asleep`, then loads `state`; the caller stores `state`,
//!   then loads `asleep`. All four are sequentially consistent, so at least one sees the other's store: the worker
//!   does not park, or the caller unparks it (and an unpark before the park makes the park return at once).

use std::any::Any;
use std::cell::UnsafeCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

/// The most threads that a pool has, the caller included.
pub const MAX_THREADS: usize = 1024;

const ACTIVE: usize = 0xffff;
const OPEN: usize = 1 << 16;
const STOP: usize = 1 << 17;
const EPOCH_UNIT: usize = 1 << 18;
const EPOCH: usize = !(EPOCH_UNIT - 1);

/// About half a millisecond: longer than the gaps within a training step, shorter than a person notices.
const SPINS: usize = 20_000;
/// When threads outnumber cores, a spinning worker keeps a working one from its core.
const SPINS_OVERSUBSCRIBED: usize = 100;

type Task<'a> = dyn Fn(usize, usize) + Sync + 'a;

#[derive(Clone, Copy)]
struct Job {
    f: &'static Task<'static>,
    tasks: usize,
}

/// Keeps what different threads write on different cache lines (two, as they are fetched in pairs).
#[repr(align(128))]
struct Line<T>(T);

struct Shared {
    state: Line<AtomicUsize>,
    next: Line<AtomicUsize>,
    job: Line<UnsafeCell<Option<Job>>>,
    asleep: Box<[Line<AtomicBool>]>,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
    spins: usize,
}

// SAFETY: `job` is written only by the caller that holds `busy` while no worker is active, and read only by active
// workers (see the head of this file); everything else is `Sync` by itself.
unsafe impl Sync for Shared {}

/// A fixed set of threads that run the tasks of one job at a time.
///
/// ```
/// use std::sync::atomic::{AtomicUsize, Ordering};
/// let pool = thalweg_cpu::pool::Pool::new(2);
/// let sum = AtomicUsize::new(0);
/// pool.run(10, &|task, _worker| {
///     sum.fetch_add(task, Ordering::Relaxed);
/// });
/// assert_eq!(sum.into_inner(), 45);
/// ```
pub struct Pool {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
    busy: AtomicBool,
}

impl Pool {
    /// A pool of `threads` threads, counting the one that calls [`Pool::run`]; 0 is taken as 1, and at most
    /// [`MAX_THREADS`] are used. Where the system refuses to start a thread (or has none, as in WebAssembly), the
    /// pool makes do with those it got: results never depend on their number.
    #[must_use]
    pub fn new(threads: usize) -> Self {
        let threads = threads.clamp(1, MAX_THREADS);
        let cores = thread::available_parallelism().map_or(1, |n| n.get());
        let shared = Arc::new(Shared {
            state: Line(AtomicUsize::new(0)),
            next: Line(AtomicUsize::new(0)),
            job: Line(UnsafeCell::new(None)),
            asleep: (1..threads).map(|_| Line(AtomicBool::new(false))).collect(),
            panic: Mutex::new(None),
            spins: if threads <= cores { SPINS } else { SPINS_OVERSUBSCRIBED },
        });
        let spawn = |worker: usize| {
            let shared = Arc::clone(&shared);
            thread::Builder::new()
                .name(format!("thalweg-{worker}"))
                .spawn(move || shared.serve(worker))
                .ok()
        };
        let workers = (1..threads).map_while(spawn).collect();
        Self { shared, workers, busy: AtomicBool::new(false) }
    }

    /// The number of threads, counting the caller: worker numbers are below it.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.workers.len() + 1
    }

    /// Calls `f(task, worker)` once for every `task` in `0..tasks` and returns when all calls have returned.
    ///
    /// Two calls with the same `worker` never overlap within one `run`, so `worker` can index scratch memory. Which
    /// worker gets which task is not determined. Nothing is allocated.
    ///
    /// A single task, a pool of one thread, a call from inside a task, and a call while another thread is using
    /// the pool run on the calling thread, as worker 0.
    ///
    /// # Panics
    ///
    /// If a call of `f` panics, the tasks not yet begun are dropped and the (first) panic goes on in the caller.
    pub fn run(&self, tasks: usize, f: &Task<'_>) {
        let alone = tasks <= 1 || self.workers.is_empty();
        if alone
            || self
                .busy
                .compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed)
                .is_err()
        {
            return (0..tasks).for_each(|task| f(task, 0));
        }
        // SAFETY: only the lifetime changes; no worker uses the job after `join` (see the head of this file).
        let f = unsafe { std::mem::transmute::<&Task<'_>, &'static Task<'static>>(f) };
        let job = Job { f, tasks };
        self.fork(job);
        self.shared.work(job, 0);
        self.join();
        let panic = self.shared.panic.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.busy.store(false, Ordering::Release);
        if let Some(panic) = panic {
            resume_unwind(panic);
        }
    }

    /// Publishes the job and wakes as many parked workers as there are tasks for.
    fn fork(&self, job: Job) {
        let shared = &*self.shared;
        // SAFETY: this thread holds `busy` and no worker is active, so nobody reads or writes the cell.
        unsafe { *shared.job.0.get() = Some(job) };
        shared.next.0.store(0, Ordering::Relaxed);
        let epoch = shared.state.0.load(Ordering::Relaxed) & EPOCH;
        shared.state.0.store(epoch.wrapping_add(EPOCH_UNIT) | OPEN, Ordering::SeqCst);
        let sleepers = self
            .workers
            .iter()
            .zip(&shared.asleep)
            .filter(|(_, asleep)| asleep.0.load(Ordering::SeqCst));
        for (worker, asleep) in sleepers.take(job.tasks - 1) {
            asleep.0.store(false, Ordering::Relaxed);
            worker.thread().unpark();
        }
    }

    /// Closes the job and waits for the workers that had joined it.
    fn join(&self) {
        let state = &self.shared.state.0;
        let mut active = state.fetch_and(!OPEN, Ordering::AcqRel) & ACTIVE;
        let mut spins = 0;
        while active != 0 {
            // A worker that lost its core needs ours.
            if spins < SPINS {
                std::hint::spin_loop()
            } else {
                thread::yield_now()
            }
            spins += 1;
            active = state.load(Ordering::Acquire) & ACTIVE;
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.state.0.store(STOP, Ordering::SeqCst);
        for worker in self.workers.drain(..) {
            worker.thread().unpark();
            // A worker catches the panics of its tasks: there is no other news in its end.
            let _ = worker.join();
        }
    }
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool").field("threads", &self.threads()).finish()
    }
}

impl Shared {
    /// The life of a worker: join each job that opens, until told to stop.
    fn serve(&self, worker: usize) {
        let mut seen = 0;
        while let Some(open) = self.wait(seen, &self.asleep[worker - 1].0) {
            let join =
                self.state.0.compare_exchange(open, open + 1, Ordering::Acquire, Ordering::Relaxed);
            if join.is_err() {
                continue;
            }
            seen = open & EPOCH;
            // SAFETY: this worker is active: the job was published before the state it joined by, and stays.
            if let Some(job) = unsafe { *self.job.0.get() } {
                self.work(job, worker);
            }
            self.state.0.fetch_sub(1, Ordering::Release);
        }
    }

    /// Waits for an open job with another epoch than `seen` and returns its state; `None` says stop.
    fn wait(&self, seen: usize, asleep: &AtomicBool) -> Option<usize> {
        let news = |order| {
            let state = self.state.0.load(order);
            let open = state & OPEN != 0 && state & EPOCH != seen;
            (open || state & STOP != 0).then_some(state)
        };
        let state = 'news: loop {
            for _ in 0..self.spins {
                if let Some(state) = news(Ordering::Relaxed) {
                    break 'news state;
                }
                std::hint::spin_loop();
            }
            asleep.store(true, Ordering::SeqCst);
            if news(Ordering::SeqCst).is_none() {
                thread::park();
            }
            asleep.store(false, Ordering::Relaxed);
        };
        (state & STOP == 0).then_some(state)
    }

    /// Claims and runs tasks until none is left; keeps the first panic for the caller.
    fn work(&self, job: Job, worker: usize) {
        let claim = || loop {
            let task = self.next.0.fetch_add(1, Ordering::Relaxed);
            if task >= job.tasks {
                return;
            }
            (job.f)(task, worker);
        };
        if let Err(panic) = catch_unwind(AssertUnwindSafe(claim)) {
            self.next.0.store(job.tasks, Ordering::Relaxed);
            let mut first = self.panic.lock().unwrap_or_else(PoisonError::into_inner);
            match *first {
                None => *first = Some(panic),
                // Dropping a payload may panic in turn, which would leave the job without an end.
                Some(_) => std::mem::forget(panic),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU32;
    use std::time::Duration;

    const THREADS: [usize; 4] = [1, 2, 3, 8];

    fn count_each(pool: &Pool, tasks: usize) {
        let counts: Vec<AtomicU32> = (0..tasks).map(|_| AtomicU32::new(0)).collect();
        let overlap: Vec<AtomicBool> =
            (0..pool.threads()).map(|_| AtomicBool::new(false)).collect();
        pool.run(tasks, &|task, worker| {
            assert!(
                !overlap[worker].swap(true, Ordering::Relaxed),
                "two tasks of worker {worker} overlap"
            );
            counts[task].fetch_add(1, Ordering::Relaxed);
            overlap[worker].store(false, Ordering::Relaxed);
        });
        assert!(
            counts.iter().all(|c| c.load(Ordering::Relaxed) == 1),
            "{tasks} tasks, {} threads",
            pool.threads()
        );
    }

    #[test]
    fn every_task_runs_exactly_once() {
        for threads in THREADS {
            let pool = Pool::new(threads);
            assert_eq!(pool.threads(), threads);
            for tasks in [0, 1, 2, 3, 7, 8, 9, 100, 1000, 10_000] {
                count_each(&pool, tasks);
            }
        }
        assert_eq!(Pool::new(0).threads(), 1);
    }

    #[test]
    fn a_hundred_thousand_tiny_runs() {
        for threads in [2, 8] {
            let pool = Pool::new(threads);
            // Plain memory, not atomics: the join alone must make the tasks' writes visible.
            let mut sums = vec![0u64; threads * 16];
            for round in 0..100_000 {
                let base = sums.as_mut_ptr() as usize;
                pool.run(threads, &|task, _| {
                    let slot = (base + task * 128) as *mut u64;
                    // SAFETY: each task owns its slot during a run, and runs follow each other.
                    unsafe { *slot += 1 };
                });
                assert!((0..threads).all(|t| sums[t * 16] == round + 1));
            }
        }
    }

    #[test]
    fn workers_take_part() {
        let pool = Pool::new(2);
        let other = AtomicBool::new(false);
        // The first task ends only when the second has run, which needs a second thread.
        pool.run(2, &|_, worker| {
            if worker == 1 {
                other.store(true, Ordering::Release);
            }
            while !other.load(Ordering::Acquire) {
                thread::yield_now();
            }
        });
    }

    #[test]
    fn a_panic_reaches_the_caller_and_leaves_the_pool_usable() {
        for threads in THREADS {
            let pool = Pool::new(threads);
            for bad in [0, 1, 63] {
                let result = catch_unwind(AssertUnwindSafe(|| {
                    pool.run(64, &|task, _| assert!(task != bad, "task {task} fails"));
                }));
                let message = *result
                    .expect_err("the panic is passed on")
                    .downcast::<String>()
                    .expect("a message");
                assert_eq!(message, format!("task {bad} fails"));
                count_each(&pool, 100);
            }
            let all = catch_unwind(AssertUnwindSafe(|| pool.run(64, &|_, _| panic!("all fail"))));
            assert!(all.is_err());
            count_each(&pool, 100);
        }
    }

    #[test]
    fn nested_runs_complete() {
        for threads in THREADS {
            let pool = Pool::new(threads);
            let count = AtomicUsize::new(0);
            pool.run(20, &|_, _| {
                pool.run(10, &|_, inner| {
                    assert_eq!(inner, 0);
                    count.fetch_add(1, Ordering::Relaxed);
                });
            });
            assert_eq!(count.into_inner(), 200);
        }
    }

    #[test]
    fn concurrent_callers_complete() {
        let pool = Pool::new(3);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..2000).for_each(|i| count_each(&pool, i % 17)));
            }
        });
    }

    #[test]
    fn parked_workers_wake_and_stop() {
        for threads in THREADS {
            let pool = Pool::new(threads);
            let parked = |asleep: &Line<AtomicBool>| asleep.0.load(Ordering::Relaxed);
            for _ in 0..3 {
                while !pool.shared.asleep.iter().all(parked) {
                    thread::sleep(Duration::from_millis(1));
                }
                count_each(&pool, 50);
            }
            while !pool.shared.asleep.iter().all(parked) {
                thread::sleep(Duration::from_millis(1));
            }
            drop(pool);
        }
        (0..200).for_each(|_| drop(Pool::new(3)));
    }
}

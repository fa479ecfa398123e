//! Running a graph in every way that must give the same bits, and comparing with the reference.

use std::collections::BTreeMap;

use thalweg_cpu::{Cpu, Isa};
use thalweg_graph::{Error, Executor, Feed, Reference, StateId, Tensor, Value};
use thalweg_plan::Passes;

pub type States = BTreeMap<StateId, Value>;

/// Values of outputs and states after a run.
pub type Outcome = Result<(Vec<Value>, States), Error>;

pub fn run(
    executor: &dyn Executor,
    outputs: &[Tensor],
    updates: &[(StateId, Tensor)],
    feeds: &[Feed<Value>],
    states: &States,
) -> Outcome {
    let mut states = states.clone();
    let outputs = executor.run(outputs, updates, feeds, &mut states)?;
    Ok((outputs, states))
}

/// Every set of passes.
pub fn all_passes() -> Vec<Passes> {
    let mut all = vec![];
    for bits in 0..8 {
        all.push(Passes { simplify: bits & 1 == 0, fuse: bits & 2 == 0, reuse: bits & 4 == 0 });
    }
    all
}

thread_local! {
    /// Executors of 1, 2, 3 and 8 threads. Each test thread has its own: a pool that is busy with one caller's job lets
    /// another caller work alone, which would test less.
    static CPUS: [Cpu; 4] = [1, 2, 3, 8].map(Cpu::new);
}

/// Runs on the CPU with every set of passes and several thread counts; all must agree to the bit, and other instruction
/// sets closely. Returns what they agree on.
pub fn run_all_ways(
    outputs: &[Tensor],
    updates: &[(StateId, Tensor)],
    feeds: &[Feed<Value>],
    states: &States,
) -> Outcome {
    let cpus = CPUS.with(Clone::clone);
    let mut agreed: Option<(Outcome, String)> = None;
    for (i, passes) in all_passes().into_iter().enumerate() {
        for cpu in if i == 0 { &cpus[..] } else { &cpus[1..2] } {
            let cpu = cpu.clone().with_passes(passes);
            let got = run(&cpu, outputs, updates, feeds, states);
            let way = format!("{passes:?}, {} threads", cpu.threads());
            match &agreed {
                None => agreed = Some((got, way)),
                Some((first, first_way)) => match (first, &got) {
                    (Ok(a), Ok(b)) => assert_eq!(a, b, "{first_way} differs from {way}"),
                    (Err(a), Err(b)) => assert_eq!(a.what(), b.what(), "{first_way}, {way}"),
                    (a, b) => panic!("{first_way} gives {a:?}, {way} gives {b:?}"),
                },
            }
        }
    }
    let (agreed, _) = agreed.unwrap();
    for isa in Isa::available().skip(1) {
        let other = run(&cpus[1].clone().with_isa(isa), outputs, updates, feeds, states);
        if let (Ok(a), Ok(b)) = (&agreed, &other) {
            for (a, b) in a.0.iter().zip(&b.0) {
                assert_close(a, b, 1e-4, &format!("{isa:?}"));
            }
        }
    }
    agreed
}

/// Compares with the reference executor.
pub fn assert_reference(
    outputs: &[Tensor],
    updates: &[(StateId, Tensor)],
    feeds: &[Feed<Value>],
    states: &States,
    tolerance: f64,
    what: &str,
) {
    let want = run(&Reference::new(), outputs, updates, feeds, states);
    let got = run_all_ways(outputs, updates, feeds, states);
    match (want, got) {
        (Ok(want), Ok(got)) => {
            for (w, g) in want.0.iter().zip(&got.0).chain(want.1.values().zip(got.1.values())) {
                assert_close(w, g, tolerance, what);
            }
        }
        (Err(want), Err(got)) => assert_eq!(want.what(), got.what(), "{what}"),
        (want, got) => panic!("{what}: the reference gives {want:?}, the cpu {got:?}"),
    }
}

/// Equal shapes and types; elements within `tolerance` (absolute, and relative to the larger one); NaN and
/// infinities in the same places.
pub fn assert_close(want: &Value, got: &Value, tolerance: f64, what: &str) {
    assert_eq!((want.shape(), want.dtype()), (got.shape(), got.dtype()), "{what}");
    if !want.dtype().is_float() {
        assert_eq!(want.to_i64(), got.to_i64(), "{what}");
        return;
    }
    for (i, (w, g)) in want.to_f64().iter().zip(got.to_f64()).enumerate() {
        let close = (w.is_nan() && g.is_nan())
            || *w == g
            || (w - g).abs() <= tolerance * (1.0 + w.abs().max(g.abs()));
        assert!(close, "{what}: element {i} of {want:?} is {w}, got {g} in {got:?}");
    }
}

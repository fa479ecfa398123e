//! Every case of the op table, compiled and run in every way: values, gradients and the errors met while running.

use thalweg_cpu::Cpu;
use thalweg_graph::random::uniform_f64;
use thalweg_graph::table::{Case, OpEntry, table};
use thalweg_graph::{DType, Feed, Tensor, Value, grad_or_none, reachable};

use crate::support::{States, assert_reference};

/// Ops that have no fast kernel yet.
const SLOW: &[&str] = &["argsort", "cumsum"];

/// The inputs of a case and the values to feed.
fn feeds(case: &Case, seed: u64) -> (Vec<Tensor>, Vec<Feed<Value>>) {
    let inputs: Vec<Tensor> = (case.inputs.iter().enumerate())
        .map(|(i, sample)| Tensor::input(&format!("x{i}"), sample.dtype, &sample.shape))
        .collect();
    let values = case.values(seed);
    let feeds = inputs.iter().zip(values).map(|(t, value)| Feed { input: t.clone(), value });
    let feeds = feeds.collect();
    (inputs, feeds)
}

/// Every case but those of states, which are the business of `program.rs`.
fn each(entries: &[OpEntry], mut f: impl FnMut(&OpEntry, &Case, &str)) {
    for entry in entries.iter().filter(|e| e.name != "state") {
        for case in &entry.cases {
            f(entry, case, &format!("{}, {}", entry.name, case.name));
        }
    }
}

/// How far results may be from the reference, which computes in `f64`: nothing where no number is rounded.
fn tolerance(outputs: &[Tensor]) -> f64 {
    const EXACT: [&str; 6] =
        ["index_select", "gather", "slice_at", "update_slice_at", "concat", "pad"];
    let exact = |op: &str| EXACT.contains(&op) || op.starts_with("random") || op.starts_with("arg");
    let sources = ["input", "constant", "full"];
    let all = reachable(outputs);
    match () {
        _ if all.iter().all(|t| exact(t.op().name()) || sources.contains(&t.op().name())) => 0.0,
        _ if all.iter().any(|t| t.dtype() == DType::F32) => 1e-5,
        _ => 1e-13,
    }
}

#[test]
fn every_case_equals_the_reference() {
    each(&table(), |_, case, place| {
        for seed in [1, 2] {
            let (inputs, feeds) = feeds(case, seed);
            let outputs = [(case.build)(&inputs)];
            let tolerance = tolerance(&outputs);
            assert_reference(&outputs, &[], &feeds, &States::new(), tolerance, place);
        }
    });
}

#[test]
fn every_gradient_equals_the_reference() {
    let entries = table();
    each(&entries, |entry, case, place| {
        let (inputs, feeds) = feeds(case, 3);
        let made = (case.build)(&inputs);
        if !entry.differentiable || !case.smooth || !made.dtype().is_float() {
            return;
        }
        let wrt: Vec<Tensor> = inputs.into_iter().filter(|t| t.dtype().is_float()).collect();
        let cotangent = uniform_f64(5, 0, 0, made.numel());
        let cotangent = Value::from_f64(made.dtype(), &cotangent, made.shape()).unwrap();
        let cotangent = Tensor::constant(cotangent);
        let gradients = grad_or_none(&made, Some(&cotangent), &wrt);
        let gradients = gradients.unwrap_or_else(|e| panic!("{place}: {e}"));
        let outputs: Vec<Tensor> = gradients.into_iter().flatten().chain([made]).collect();
        assert_reference(&outputs, &[], &feeds, &States::new(), tolerance(&outputs), place);
    });
}

#[test]
fn every_case_runs_in_f64() {
    let entries = table();
    let mut count = 0;
    each(&entries, |_, case, place| {
        let mut case = case.clone();
        for sample in case.inputs.iter_mut().filter(|s| s.dtype == DType::F32) {
            sample.dtype = DType::F64;
        }
        let (inputs, feeds) = feeds(&case, 4);
        let made = (case.build)(&inputs);
        // A case with an f32 constant of its own does not mix with f64.
        if made.error().is_none() && inputs.iter().any(|t| t.dtype() == DType::F64) {
            count += 1;
            assert_reference(&[made], &[], &feeds, &States::new(), 1e-12, place);
        }
    });
    assert!(count > 200, "only {count} cases take f64");
}

#[test]
fn errors_at_run_time_are_those_of_the_reference() {
    let mut met = vec![];
    for entry in &table() {
        for error in &entry.errors {
            let made = (error.build)();
            // An input without a value is named by the program that asks for it.
            if made.error().is_none() && !["input", "state"].contains(&entry.name) {
                assert_reference(&[made], &[], &[], &States::new(), 0.0, error.expect);
                met.push(entry.name);
            }
        }
    }
    for name in ["index_select", "index_add", "gather", "scatter_add", "check_range", "slice_at"] {
        assert!(met.contains(&name), "no error of {name} was met: {met:?}");
    }
}

#[test]
fn only_the_known_ops_are_slow() {
    let cpu = Cpu::new(1);
    each(&table(), |_, case, place| {
        let (inputs, _) = feeds(case, 1);
        let program = cpu.compile(&inputs, &[(case.build)(&inputs)], &[]);
        let slow = program.unwrap_or_else(|e| panic!("{place}: {e}")).slow_ops();
        assert!(slow.iter().all(|op| SLOW.contains(op)), "{place}: {slow:?}");
    });
}

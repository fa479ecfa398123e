//! The op table: complete, sound, and with gradients that agree with finite differences.

use std::collections::HashSet;

use thalweg_graph::gradcheck::{Options, gradcheck};
use thalweg_graph::table::{Case, op_names, table};
use thalweg_graph::{
    Error, Feed, NoStates, RefValue, Reference, Tensor, Value, print, reachable, verify,
};

fn leaves(case: &Case) -> Vec<Tensor> {
    (case.inputs.iter().enumerate())
        .map(|(i, sample)| Tensor::input(&format!("x{i}"), sample.dtype, &sample.shape))
        .collect()
}

fn evaluate(result: &Tensor, leaves: &[Tensor], values: &[Value]) -> Result<RefValue, Error> {
    let feeds: Vec<Feed<RefValue>> = (leaves.iter().zip(values))
        .map(|(leaf, value)| Feed { input: leaf.clone(), value: RefValue::from_value(value) })
        .collect();
    Ok(Reference::new().evaluate(std::slice::from_ref(result), &feeds, &NoStates)?.remove(0))
}

#[test]
fn every_op_has_an_entry_with_everything() {
    let entries = table();
    let names: HashSet<&str> = entries.iter().map(|e| e.name).collect();
    assert_eq!(names.len(), entries.len(), "two entries share a name");
    for name in op_names() {
        let entry = entries.iter().find(|e| e.name == name);
        let entry = entry.unwrap_or_else(|| panic!("{name} has no entry"));
        assert!(!entry.formula.is_empty(), "{name} has no formula");
        assert!(!entry.cases.is_empty(), "{name} has no cases");
        assert!(!entry.errors.is_empty(), "{name} has no errors");
        let mut titles = HashSet::new();
        for case in &entry.cases {
            assert!(titles.insert(&case.name), "{name} has two cases `{}`", case.name);
        }
        let reached = entry.cases.iter().any(|case| {
            let made = [(case.build)(&leaves(case))];
            reachable(&made).iter().any(|node| node.op().name() == name)
        });
        assert!(reached || name == "state", "no case of {name} applies it");
    }
}

/// The table must know every op that any case reaches: a new op cannot be forgotten.
#[test]
fn every_reached_op_is_named() {
    let known = op_names();
    for entry in table() {
        for case in &entry.cases {
            for node in reachable(&[(case.build)(&leaves(case))]) {
                let op = node.op().name();
                assert!(known.contains(&op), "{}, {}: {op} is not listed", entry.name, case.name);
            }
        }
    }
}

#[test]
fn ops_meet_empty_single_and_strided_inputs() {
    let sources = ["full", "constant", "input", "state", "iota"];
    for entry in table().iter().filter(|e| op_names().contains(&e.name)) {
        let (name, cases) = (entry.name, &entry.cases);
        if name == "state" {
            continue;
        }
        let made: Vec<Tensor> = cases.iter().map(|c| (c.build)(&leaves(c))).collect();
        let sizes = |n: usize| {
            made.iter().any(|t| t.numel() == n)
                || cases.iter().any(|c| c.inputs.iter().any(|s| s.shape.numel() == n))
        };
        assert!(sizes(0), "{name} has no empty case");
        assert!(sizes(1), "{name} has no case of one element");
        if !sources.contains(&name) && !name.starts_with("random") {
            for look in ["permuted", "flipped", "sliced"] {
                assert!(cases.iter().any(|c| c.name.ends_with(look)), "{name} is not {look}");
            }
        }
        let largest = cases.iter().flat_map(|c| &c.inputs).map(|s| s.shape.numel()).max();
        assert!(largest <= Some(200), "{name} has a case of {largest:?} elements");
    }
}

#[test]
fn cases_build_verify_print_and_run() {
    for entry in table() {
        for case in &entry.cases {
            let place = format!("{}, {}", entry.name, case.name);
            let leaves = leaves(case);
            let result = (case.build)(&leaves).ok().unwrap_or_else(|e| panic!("{place}: {e}"));
            let roots = [result.clone()];
            verify(&roots).unwrap_or_else(|e| panic!("{place}: {e}"));
            assert!(print::text(&roots).ends_with('\n') && print::dot(&roots).ends_with("}\n"));
            let values = case.values(1);
            let value = evaluate(&result, &leaves, &values);
            let value = value.unwrap_or_else(|e| panic!("{place}: {e}"));
            assert_eq!((&value.shape, value.dtype), (result.shape(), result.dtype()), "{place}");
            assert_eq!(value.to_value().numel(), result.numel(), "{place}");
        }
    }
}

#[test]
fn errors_say_what_is_wrong() {
    for entry in table() {
        for error in &entry.errors {
            let result = (error.build)();
            let message = match evaluate(&result, &[], &[]) {
                Ok(value) => panic!("{}: `{}` did not fail: {value:?}", entry.name, error.expect),
                Err(e) => e.to_string(),
            };
            let (name, expect) = (entry.name, error.expect);
            assert!(message.contains(expect), "{name}: expected `{expect}` in `{message}`");
            // The families are called through function pointers, which have no caller's place.
            let families =
                ["unary", "binary", "compare", "reduce"].map(|f| format!("src/ops/{f}.rs"));
            let placed = message.contains("src/table/");
            let family = families.iter().any(|file| message.contains(file.as_str()));
            assert!(placed || family, "{name}: not the caller's place in `{message}`");
        }
    }
}

#[test]
fn gradients_of_first_and_second_order_agree_with_finite_differences() {
    let mut checked = HashSet::new();
    for entry in table().iter().filter(|e| e.differentiable) {
        for case in entry.cases.iter().filter(|c| c.smooth) {
            let result = (case.build)(&leaves(case));
            let floats = case.inputs.iter().any(|s| s.dtype.is_float());
            if !floats || !result.dtype().is_float() {
                continue;
            }
            let build = &case.build;
            let outcome = gradcheck(|x| build(x), &case.values(2), &Options::default());
            outcome.unwrap_or_else(|e| panic!("{}, {}: {e}", entry.name, case.name));
            checked.insert(entry.name);
        }
    }
    for entry in table().iter().filter(|e| e.differentiable && e.name != "state") {
        assert!(checked.contains(entry.name), "{} was not checked", entry.name);
    }
}

/// Where values are infinite or NaN, gradients still have the inputs' shapes and evaluate.
#[test]
fn gradients_of_rough_cases_exist() {
    for entry in table().iter().filter(|e| e.differentiable) {
        for case in &entry.cases {
            let (leaves, values) = (leaves(case), case.values(3));
            let result = (case.build)(&leaves);
            if !result.dtype().is_float() {
                continue;
            }
            let place = format!("{}, {}", entry.name, case.name);
            let gradients = thalweg_graph::grad(&result.sum_all(), &leaves);
            for (gradient, leaf) in
                gradients.unwrap_or_else(|e| panic!("{place}: {e}")).iter().zip(&leaves)
            {
                assert_eq!(gradient.shape(), leaf.shape(), "{place}");
                assert_eq!(gradient.dtype(), leaf.dtype(), "{place}");
                verify(std::slice::from_ref(gradient)).unwrap_or_else(|e| panic!("{place}: {e}"));
                evaluate(gradient, &leaves, &values).unwrap_or_else(|e| panic!("{place}: {e}"));
            }
        }
    }
}

//! The updater around the rules: the guard, groups, resuming, accumulation, what it refuses; and schedules.

use thalweg_graph::{DType, Error, Executor, Feed, Reference, States, Tensor, Value, grad};
use thalweg_nn::optim::{Accumulator, Adam, AdamW, Group, Optimizer, RmsProp, Sgd, Step, Updater};
use thalweg_nn::schedule::{Better, Plateau, PlateauOptions};
use thalweg_nn::{EntryKind, Init, Param, Schedule, Store};

use crate::help::{bound, set, value};

/// Two parameters and a loss whose gradients are their values times an input.
struct Problem {
    params: Vec<(String, Param)>,
    store: Store,
    x: Tensor,
    loss: Tensor,
    grads: Vec<Tensor>,
    lr: Tensor,
}

impl Problem {
    fn new() -> Problem {
        let pair = [Param::new("a", [3], Init::Ones), Param::new("b", [2], Init::Ones)];
        let mut store = bound(&pair);
        set(&mut store, "0", &[1.0, -2.0, 3.0]);
        set(&mut store, "1", &[0.5, 4.0]);
        let x = Tensor::input("x", DType::F32, []);
        let tensors = pair.each_ref().map(Param::tensor);
        let square = |w: &Tensor| (w * w).sum_all();
        let loss = (square(&tensors[0]) + square(&tensors[1])) * 0.5 * &x;
        let grads = grad(&loss, &tensors).unwrap();
        let params = pair.into_iter().enumerate().map(|(i, p)| (i.to_string(), p)).collect();
        Problem { params, store, x, loss, grads, lr: Tensor::input("lr", DType::F64, []) }
    }

    fn build(&mut self, updater: &Updater) -> Result<Step, Error> {
        updater.build(&mut self.store, &self.params, &self.grads, &self.loss, &self.lr)
    }

    fn feeds(&self, x: f32, lr: f64) -> [Feed<Value>; 2] {
        [
            Feed { input: self.x.clone(), value: Value::scalar(x) },
            Feed { input: self.lr.clone(), value: Value::scalar(lr) },
        ]
    }

    /// Runs a step; whether it was applied.
    fn run(&mut self, step: &Step, x: f32, lr: f64) -> bool {
        let feeds = self.feeds(x, lr);
        let applied = std::slice::from_ref(&step.applied);
        let seen = Reference::new().run(applied, &step.writes, &feeds, &mut self.store).unwrap();
        seen[0].to_f64() == [1.0]
    }

    fn everything(&self) -> Vec<(String, Value)> {
        self.store.entries().map(|e| (e.name().to_owned(), e.value().clone())).collect()
    }

    fn at(&self, name: &str) -> Vec<f64> {
        self.store.value(name).unwrap().to_f64()
    }
}

#[test]
fn the_guard_keeps_everything_where_a_number_is_not_finite() {
    let optimizers: [Optimizer; 4] = [
        Sgd { momentum: 0.9, ..Default::default() }.into(),
        Adam::default().into(),
        AdamW::default().into(),
        RmsProp { centered: true, momentum: 0.9, ..Default::default() }.into(),
    ];
    for optimizer in optimizers {
        for clip_norm in [None, Some(1.0)] {
            let mut problem = Problem::new();
            let updater = Updater { clip_norm, ..Updater::new(optimizer.clone()) };
            let step = problem.build(&updater).unwrap();
            assert!(problem.run(&step, 1.0, 0.1));
            let before = problem.everything();
            for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX] {
                assert!(!problem.run(&step, bad, 0.1), "{optimizer:?} at {bad}");
                assert_eq!(problem.everything(), before, "{optimizer:?} at {bad}");
            }
            assert!(problem.run(&step, 1.0, 0.1));
            assert_ne!(problem.everything(), before);
            assert_eq!(problem.at("optim.step"), [2.0]);
        }
    }
}

#[test]
fn without_the_guard_nan_is_written() {
    let mut problem = Problem::new();
    let step = problem.build(&Updater { guard: false, ..Updater::new(Sgd::default()) }).unwrap();
    assert!(problem.run(&step, f32::NAN, 0.1));
    assert!(problem.at("0").iter().all(|x| x.is_nan()));
}

#[test]
fn frozen_parameters_have_no_write_no_slots_and_no_part_in_the_norm() {
    let mut problem = Problem::new();
    let groups = vec![Group::frozen("*"), Group::new("1")];
    let step = problem.build(&Updater { groups, ..Updater::new(Adam::default()) }).unwrap();
    assert!(step.writes.iter().all(|(id, _)| *id != problem.params[0].1.id()));
    let names: Vec<&str> = problem.store.entries().map(|entry| entry.name()).collect();
    assert_eq!(names, ["0", "1", "optim.step", "optim.exp_avg.1", "optim.exp_avg_sq.1"]);
    let feeds = problem.feeds(1.0, 0.1);
    let norm = std::slice::from_ref(&step.grad_norm);
    let norm = Reference::new().run(norm, &[], &feeds, &mut problem.store).unwrap();
    assert_eq!(norm[0].to_f64(), [(0.5f64 * 0.5 + 16.0).sqrt()]);
}

#[test]
fn the_last_matching_group_decides() {
    let mut problem = Problem::new();
    let first = Group { lr_scale: 0.5, weight_decay: Some(1.0), ..Group::new("*") };
    let groups = vec![first, Group { lr_scale: 2.0, ..Group::new("1") }];
    let step = problem.build(&Updater { groups, ..Updater::new(Sgd::default()) }).unwrap();
    problem.run(&step, 1.0, 0.125);
    // w − 0.5·lr·(w + 1·w), and w − 2·lr·w.
    assert_eq!(problem.at("0"), [0.875, -1.75, 2.625]);
    assert_eq!(problem.at("1"), [0.375, 3.0]);
}

#[test]
fn one_plan_serves_every_rate_and_a_resumed_run_continues() {
    let updater = Updater::new(Adam::default());
    let mut straight = Problem::new();
    let step = straight.build(&updater).unwrap();
    let mut resumed = Problem::new();
    let resumed_step = resumed.build(&updater).unwrap();
    for i in 0..4 {
        straight.run(&step, 1.0, 0.1 / (i + 1) as f64);
    }
    for i in 0..2 {
        resumed.run(&resumed_step, 1.0, 0.1 / (i + 1) as f64);
    }
    let checkpoint = resumed.store.to_safetensors(&EntryKind::ALL).unwrap();
    let mut again = Problem::new();
    let step = again.build(&updater).unwrap();
    again.store.load_safetensors(&checkpoint, true).unwrap();
    for i in 2..4 {
        again.run(&step, 1.0, 0.1 / (i + 1) as f64);
    }
    assert_eq!(again.everything(), straight.everything());
}

#[test]
fn building_twice_continues_the_same_slots() {
    let mut problem = Problem::new();
    let updater = Updater::new(Sgd { momentum: 0.9, ..Default::default() });
    let step = problem.build(&updater).unwrap();
    problem.run(&step, 1.0, 0.1);
    let before = problem.everything();
    let again = problem.build(&updater).unwrap();
    assert_eq!(problem.everything(), before);
    let ids = |step: &Step| step.writes.iter().map(|(id, _)| *id).collect::<Vec<_>>();
    assert_eq!(ids(&again), ids(&step));
}

#[test]
fn accumulated_batches_are_one_large_batch() {
    let updater = Updater {
        clip_norm: Some(1.0),
        groups: vec![Group::frozen("1")],
        ..Updater::new(Adam::default())
    };
    let mut large = Problem::new();
    let step = large.build(&updater).unwrap();
    let mut small = Problem::new();
    let sums = Accumulator::new(&mut small.store, &small.params, &updater).unwrap();
    let quarter = Tensor::scalar(0.25, DType::F64);
    let add = sums.add(&small.grads, &quarter).unwrap();
    let Problem { params, store, loss, grads, lr, .. } = &mut small;
    let last = sums.build(&updater, store, params, grads, &quarter, loss, lr).unwrap();
    for _ in 0..3 {
        // The gradient is linear in x: batches of 1, 2, 3 and 2 have the mean 2.
        for x in [1.0, 2.0, 3.0] {
            let feeds = small.feeds(x, 0.1);
            Reference::new().run(&[], &add, &feeds, &mut small.store).unwrap();
        }
        assert!(small.run(&last, 2.0, 0.1));
        assert!(large.run(&step, 2.0, 0.1));
        assert_eq!(small.at("accum.0"), [0.0; 3]);
        assert_eq!(small.at("0"), large.at("0"));
    }
    assert_eq!(small.store.value("accum.1"), None);
    // A bad batch costs its step, and no other.
    let feeds = small.feeds(f32::NAN, 0.1);
    Reference::new().run(&[], &add, &feeds, &mut small.store).unwrap();
    assert!(!small.run(&last, 1.0, 0.1));
    assert!(small.run(&last, 1.0, 0.1));
    assert!(small.at("0").iter().all(|x| x.is_finite()));
}

#[test]
fn shared_parameters_get_the_summed_gradient() {
    let w = Param::new("w", [1], Init::Constant(2.0));
    let mut store = bound(&w);
    let loss = (w.tensor() * 3.0 + w.clone().tensor() * w.tensor()).sum_all();
    let slope = grad(&loss, &[w.tensor()]).unwrap();
    assert_eq!(value(&slope[0], &store), [3.0 + 2.0 * 2.0]);
    let params = [("0".to_owned(), w.clone())];
    let lr = Tensor::scalar(0.5, DType::F64);
    let step = Updater::new(Sgd::default()).build(&mut store, &params, &slope, &loss, &lr).unwrap();
    Reference::new().run(&[], &step.writes, &[], &mut store).unwrap();
    assert_eq!(store.get(w.id()).unwrap().to_f64(), [-1.5]);
}

#[test]
fn what_cannot_be_built_says_why() {
    let sgd = || Updater::new(Sgd::default());
    let group = |group| Updater { groups: vec![group], ..sgd() };
    let nesterov = Sgd { nesterov: true, ..Default::default() };
    let betas = Adam { betas: (0.9, 1.0), ..Default::default() };
    let cases = [
        (group(Group::new("*.bias")), "the group `*.bias` matches no parameter"),
        (group(Group::frozen("*")), "no parameter is left to train"),
        (group(Group { lr_scale: -1.0, ..Group::new("*") }), "lr_scale must be finite and ≥ 0"),
        (group(Group::max_norm("*", -1.0)), "max_norm must be > 0, got -1"),
        (Updater { clip_norm: Some(0.0), ..sgd() }, "clip_norm must be > 0, got 0"),
        (Updater { clip_value: Some(f64::NAN), ..sgd() }, "clip_value must be > 0, got NaN"),
        (Updater::new(nesterov), "Nesterov's momentum needs momentum"),
        (Updater::new(betas), "betas[1] must be at least 0 and below 1, got 1"),
        (
            Updater::new(Sgd { weight_decay: -0.1, ..Default::default() }),
            "weight_decay must be finite and ≥ 0, got -0.1",
        ),
    ];
    for (updater, said) in cases {
        let mut problem = Problem::new();
        let error = problem.build(&updater).unwrap_err().to_string();
        assert!(error.contains(said) && error.contains("optimizers.rs"), "{error}, not {said}");
        assert_eq!(problem.store.entries().len(), 2, "nothing is added: {said}");
    }
    let mut problem = Problem::new();
    problem.grads.pop();
    let error = problem.build(&sgd()).unwrap_err().to_string();
    assert!(error.contains("2 parameters come with 1 gradients"), "{error}");
    let mut problem = Problem::new();
    problem.grads.swap(0, 1);
    let error = problem.build(&sgd()).unwrap_err().to_string();
    assert!(error.contains("`0` is f32[3], its gradient f32[2]"), "{error}");
    let mut problem = Problem::new();
    problem.lr = Tensor::scalar(0.1, DType::F32);
    let error = problem.build(&sgd()).unwrap_err().to_string();
    assert!(error.contains("must be an f64 scalar, got f32[]"), "{error}");
    let mut problem = Problem::new();
    problem.store.insert("optim.momentum_buffer.0", EntryKind::Optimizer, Value::scalar(0.0f32));
    let momentum = Sgd { momentum: 0.9, ..Default::default() };
    let error = problem.build(&Updater::new(momentum)).unwrap_err().to_string();
    assert!(error.contains("the store's `optim.momentum_buffer.0` is f32[]"), "{error}");
}

#[test]
fn configs_of_optimizers_have_pytorchs_defaults() {
    let read = |text: &str| serde_json::from_str::<Optimizer>(text);
    assert_eq!(read(r#"{"type": "sgd"}"#).unwrap(), Sgd::default().into());
    assert_eq!(read(r#"{"type": "adam"}"#).unwrap(), Adam::default().into());
    let adamw = read(r#"{"type": "adamw", "betas": [0.8, 0.9]}"#).unwrap();
    assert_eq!(adamw, AdamW { betas: (0.8, 0.9), eps: 1e-8, weight_decay: 0.01 }.into());
    let rms = read(r#"{"type": "rmsprop"}"#).unwrap();
    assert_eq!((rms.default_lr(), rms.slots()), (1e-2, vec!["square_avg"]));
    let error = read(r#"{"type": "adam", "momentum": 0.9}"#).unwrap_err().to_string();
    assert!(error.contains("unknown field `momentum`"), "{error}");
}

#[test]
fn schedules_hold_their_last_rate_and_stay_in_bounds() {
    let read = |text: &str| serde_json::from_str::<Schedule>(text).unwrap();
    let cosine = read(r#"{"type": "cosine", "min": 0.125}"#);
    assert_eq!([10, 11, 1000].map(|step| cosine.lr(1.0, step, 10)), [0.125; 3]);
    let cycle = read(r#"{"type": "one_cycle"}"#);
    assert_eq!(cycle.lr(1.0, 99, 10), cycle.lr(1.0, 9, 10));
    for total in 0..40 {
        for share in [0.0, 0.01, 0.3, 0.99, 1.0] {
            let (div, final_div) = (25.0, 1e4);
            let cycle =
                Schedule::OneCycle { max: None, total: None, pct_start: share, div, final_div };
            for step in 0..total + 2 {
                let lr = cycle.lr(1.0, step, total);
                assert!((0.0..=1.0).contains(&lr), "{lr} in step {step} of {total}, {share}");
            }
        }
        assert!((0.0..=1.0).contains(&cosine.lr(1.0, 0, total)));
    }
    let warm = read(r#"{"type": "warmup", "steps": 4, "then": {"type": "step", "every": 2}}"#);
    let rates: Vec<f64> = (0..7).map(|step| warm.lr(1.0, step, 7)).collect();
    assert_eq!(rates, [0.25, 0.5, 0.75, 1.0, 1.0, 1.0, 0.1]);
    assert_eq!(read(r#"{"type": "warmup", "steps": 0}"#).lr(1.0, 0, 5), 1.0);
}

#[test]
fn schedules_that_make_no_sense_say_why() {
    for (text, said) in [
        (r#"{"type": "step", "every": 0}"#, "every must be at least 1"),
        (r#"{"type": "step", "every": 2, "gamma": 0}"#, "gamma must be > 0, got 0"),
        (r#"{"type": "cosine", "min": -1}"#, "min must be finite and ≥ 0"),
        (r#"{"type": "one_cycle", "pct_start": 2}"#, "pct_start must be from 0 to 1, got 2"),
        (r#"{"type": "one_cycle", "total": 0}"#, "total must be at least 1"),
        (
            r#"{"type": "warmup", "steps": 1, "then": {"type": "exponential", "gamma": -1}}"#,
            "gamma",
        ),
        (r#"{"type": "warmup", "steps": 1, "then": {"type": "reduce_on_plateau"}}"#, "warm-up"),
        (r#"{"type": "reduce_on_plateau", "factor": 1}"#, "factor must be at least 0"),
    ] {
        let schedule: Schedule = serde_json::from_str(text).unwrap();
        let error = schedule.check().unwrap_err();
        assert!(error.contains(said), "{error}, not {said}");
    }
    let unknown = r#"{"type": "reduce_on_plateau", "cooldown": 1}"#;
    let error = serde_json::from_str::<Schedule>(unknown).unwrap_err().to_string();
    assert!(error.contains("unknown field `cooldown`"), "{error}");
}

#[test]
fn nan_never_counts_as_better() {
    for mode in [Better::Min, Better::Max] {
        let options = PlateauOptions { patience: 1, mode, ..Default::default() };
        let mut plateau = Plateau::new(options, 1.0);
        assert_eq!([f64::NAN; 3].map(|metric| plateau.observe(metric)), [1.0, 0.1, 0.1]);
    }
}

//! What the planner promises: exact simplification, one program where one pass suffices, states in place, memory
//! that is used again.

use thalweg_graph::ops::{Cell, Recurrence, RecurrentState, RecurrentWeights, Unary};
use thalweg_graph::{DType, Map, NoStates, Reference, StateId, Tensor, grad, reachable, verify};
use thalweg_plan::simplify::simplify;
use thalweg_plan::{Code, Home, Kernel, Passes, Plan, RowProgram, plan};

fn input(shape: &[usize]) -> Tensor {
    Tensor::input("x", DType::F32, shape)
}

fn programs(plan: &Plan) -> Vec<&RowProgram> {
    plan.steps
        .iter()
        .filter_map(|step| match &step.kernel {
            Kernel::Rows(program) => Some(program),
            _ => None,
        })
        .collect()
}

fn log_softmax(z: &Tensor) -> Tensor {
    let shifted = z - z.max(&[-1]).keepdim(z, &[-1]).detach();
    &shifted - shifted.exp().sum(&[-1]).log().keepdim(z, &[-1])
}

#[test]
fn softmax_cross_entropy_and_its_gradient_are_one_program() {
    let (z, y) = (input(&[64, 10]), Tensor::input("y", DType::I64, [64]));
    let classes = Tensor::iota(DType::I64, [64, 10], 1);
    let picked = Tensor::select(
        &classes.equal(&y.unsqueeze(1)),
        &log_softmax(&z),
        &Tensor::zeros(DType::F32, [64, 10]),
    );
    let rows = -picked.sum(&[1]);
    let dz = grad(&rows.mean_all(), &[z]).unwrap().remove(0);
    let bias = dz.sum(&[0]);
    let plan = plan(&[rows, dz, bias], &[], Passes::default()).unwrap();
    let programs = programs(&plan);
    assert_eq!(programs.len(), 1, "{plan}");
    assert_eq!((programs[0].rows.as_slice(), programs[0].cols), (&[64][..], 10));
    assert_eq!(programs[0].column_sums.len(), 1);
}

#[test]
fn an_optimizer_update_is_one_flat_program_that_writes_in_place() {
    let ids = [StateId::fresh(), StateId::fresh()];
    let w = Tensor::state(ids[0], "w", DType::F32, [64, 64]);
    let m = Tensor::state(ids[1], "m", DType::F32, [64, 64]);
    let g = input(&[64, 64]);
    let norm = (&g * &g).sum_all();
    let ok = norm.is_finite();
    let new_m = &m * 0.9 + &g;
    let new_w = &w - &new_m * 0.1;
    let updates =
        [(ids[0], Tensor::select(&ok, &new_w, &w)), (ids[1], Tensor::select(&ok, &new_m, &m))];
    let plan = plan(&[], &updates, Passes::default()).unwrap();
    let programs = programs(&plan);
    // The norm must be known before anything is overwritten.
    assert_eq!(programs.len(), 2, "{plan}");
    let update = programs[1];
    assert_eq!((update.rows.len(), update.cols), (0, 64 * 64));
    let stored: Vec<bool> = (update.stores.iter())
        .map(|s| matches!(plan.buffers[s.to.buffer].home, Home::State(_)))
        .collect();
    assert_eq!(stored, [true, true], "{plan}");
}

#[test]
fn movements_cost_nothing() {
    let x = input(&[4, 6]);
    let moved = x.t().narrow(0, 1, 4).flip(&[1]).unsqueeze(0).broadcast_to([3, 4, 4]);
    let plan = plan(&[moved.sum_all()], &[], Passes::default()).unwrap();
    // A reduction needs evenly spaced rows, so one copy is made; nothing else.
    assert!(programs(&plan).len() <= 2, "{plan}");
    let direct = x.t().narrow(0, 1, 4).exp();
    let plan2 = thalweg_plan::plan(&[direct], &[], Passes::default()).unwrap();
    assert_eq!(programs(&plan2).len(), 1, "{plan2}");
    assert!(plan.arena_bytes < 1024 && plan2.arena_bytes <= 128, "{plan}{plan2}");
}

#[test]
fn simplification_keeps_signs_of_zero_and_nan() {
    let x = input(&[3]);
    // x + 0 is not x for −0; x·0 is not 0 for NaN; x − 0, x + (−0), x·1 are x.
    for kept in [&x + 0.0, &x * 0.0, 0.0 - &x] {
        assert_ne!(simplify(std::slice::from_ref(&kept), true)[0].id(), x.id());
    }
    for gone in [&x - 0.0, &x + -0.0, &x * 1.0, &x / 1.0, -(-&x), x.t_twice()] {
        assert_eq!(simplify(&[gone], true)[0].id(), x.id());
    }
}

trait TransposeTwice {
    fn t_twice(&self) -> Tensor;
}

impl TransposeTwice for Tensor {
    fn t_twice(&self) -> Tensor {
        self.reshape([3, 1]).reshape([1, 3]).reshape([3])
    }
}

#[test]
fn equal_nodes_are_computed_once_and_constants_now() {
    let x = input(&[3]);
    let twice = x.exp() + x.exp();
    let simple = &simplify(&[twice], true)[0];
    assert_eq!(simple.inputs()[0].id(), simple.inputs()[1].id());
    let two = Tensor::ones(DType::F32, [3]) + 1.0;
    let folded = &simplify(&[two], true)[0];
    assert_eq!(folded.op().name(), "full");
    assert_eq!(
        Reference::new().evaluate(std::slice::from_ref(folded), &[], &NoStates).unwrap()[0]
            .floats(),
        [2.0; 3]
    );
    verify(std::slice::from_ref(folded)).unwrap();
}

#[test]
fn slices_of_padded_tensors_are_not_padded() {
    let x = input(&[3, 4]);
    let padded = x.pad(&[2, 1], &[1, 2], 7.0);
    let rows = |t: Tensor| simplify(&[t], true).remove(0);
    assert_eq!(rows(padded.narrow(0, 2, 3).narrow(1, 1, 4)).id(), x.id());
    assert_eq!(rows(padded.narrow(1, 2, 2)).op().name(), "pad");
    let sum = x.reshape([12]).pad(&[0], &[8], 0.0) + input(&[8]).pad(&[12], &[0], 0.0);
    let part = rows(sum.narrow(0, 12, 8));
    assert_eq!(part.op().name(), "add");
    assert!(reachable(&[part]).iter().all(|t| t.op().name() != "pad"));
    // Every window of a padded tensor, with the reference's values.
    for start in 0..6 {
        for len in 0..=6 - start {
            let x = Tensor::new(&[1.0f32, 2.0, 3.0], [3]);
            let window = x.pad(&[2], &[1], 7.0).narrow(0, start, len);
            let both = [window.clone(), rows(window)];
            let values = Reference::new().evaluate(&both, &[], &NoStates).unwrap();
            assert_eq!(values[0].floats(), values[1].floats(), "{start}..{}", start + len);
        }
    }
}

/// The parts of a recurrent layer's result that have no cotangent do not get one of zeros in memory.
#[test]
fn recurrent_gradients_are_not_padded() {
    let how = Recurrence { cell: Cell::Lstm, reverse: false };
    let (steps, batch, units) = (6, 2, 3);
    let w_hh = input(&[4 * units, units]);
    let bias = input(&[4 * units]);
    let weights = RecurrentWeights { w_hh: w_hh.clone(), b_ih: bias.clone(), b_hh: bias.clone() };
    let zeros = Tensor::zeros(DType::F32, [batch, units]);
    let start = RecurrentState { h: zeros.clone(), c: Some(zeros) };
    let out = input(&[steps, batch, 4 * units]).recurrent(how, &weights, &start, None);
    let gradients = grad(&out.output.sum_all(), &[w_hh, bias]).unwrap();
    let plan = plan(&gradients, &[], Passes::default()).unwrap();
    let names: Vec<&str> = plan.steps.iter().map(|step| step.name).collect();
    assert!(!names.contains(&"pad") && !names.contains(&"slice"), "{names:?}");
    assert_eq!(names.iter().filter(|name| name.starts_with("recurrent")).count(), 2, "{names:?}");
}

#[test]
fn every_pass_can_be_off() {
    let x = input(&[8, 8]);
    let y = (x.exp() + 1.0).log().sum(&[1]);
    let fused = plan(std::slice::from_ref(&y), &[], Passes::default()).unwrap();
    let single = plan(&[y], &[], Passes { simplify: false, fuse: false, reuse: false }).unwrap();
    assert_eq!(fused.steps.len(), 1);
    assert!(single.steps.len() >= 4 && single.arena_bytes > fused.arena_bytes);
    let loads = |p: &Plan| {
        let code = programs(p).into_iter().flat_map(|p| p.code.clone());
        code.filter(|i| matches!(i.code, Code::Load(_))).count()
    };
    assert!(loads(&single) > loads(&fused));
}

#[test]
fn poison_and_misfit_updates_are_errors() {
    let x = input(&[2, 3]);
    let poisoned = x.matmul(&x);
    assert!(plan(&[poisoned], &[], Passes::default()).is_err());
    let id = StateId::fresh();
    let w = Tensor::state(id, "w", DType::F32, [3]);
    let error = plan(&[&w + 1.0], &[(id, x)], Passes::default()).unwrap_err().to_string();
    assert!(error.contains("3 f32 elements") && error.contains("[2, 3]"), "{error}");
}

/// The backward pass of a GELU between two products, of so many rows.
fn gelu_step(rows: usize) -> Plan {
    let (x, [w, v]) = (input(&[rows, 256]), [0; 2].map(|_| input(&[256, 256])));
    let h = x.matmul(&w);
    let y = &h * (((&h * 0.7).erf() + 1.0) * 0.5);
    let loss = y.matmul(&v).exp().sum_all();
    plan(&grad(&loss, &[x, w, v]).unwrap(), &[], Passes::default()).unwrap()
}

#[test]
fn large_results_are_computed_again_rather_than_stored() {
    let stores = |plan: &Plan| programs(plan).iter().map(|p| p.stores.len()).max().unwrap();
    // Of the forward pass, the argument is in memory; Φ and the exponential need not be.
    let large = gelu_step(2048);
    assert_eq!(stores(&large), 1, "{large}");
    let erf = |p: &&&RowProgram| {
        let erf = Map::Unary(Unary::Erf);
        p.code.iter().any(|i| matches!(&i.code, Code::Map(map, _) if *map == erf))
    };
    assert_eq!(programs(&large).iter().filter(erf).count(), 2, "{large}");
    // In the cache they cost nothing.
    let small = gelu_step(16);
    assert_eq!(programs(&small).iter().filter(erf).count(), 1, "{small}");
}

#[test]
fn programs_that_read_the_same_memory_are_one() {
    let (x, w) = (input(&[64, 32]), input(&[32, 32]));
    let g = x.matmul(&w);
    let outputs = [g.sum(&[0]), (&g * &x).sum(&[0]), g.sum(&[1]), g.exp()];
    let plan = plan(&outputs, &[], Passes::default()).unwrap();
    assert_eq!(programs(&plan).len(), 1, "{plan}");
    assert_eq!(programs(&plan)[0].column_sums.len(), 2);
}

//! Compiled programs: states written in place, errors that leave them alone, memory known in advance.

use thalweg_cpu::Cpu;
use thalweg_graph::{DType, Feed, StateId, Tensor, Value, grad};

use crate::support::{States, assert_reference};

fn state(states: &mut States, data: &[f32], shape: &[usize]) -> (StateId, Tensor) {
    let id = StateId::fresh();
    states.insert(id, Value::new(data, shape).unwrap());
    (id, Tensor::state(id, "w", DType::F32, shape))
}

fn ramp(n: usize) -> Vec<f32> {
    (0..n).map(|i| ((i * 7 + 3) % 23) as f32 / 23.0 - 0.4).collect()
}

#[test]
fn a_training_step_equals_the_reference() {
    let mut states = States::new();
    let (id1, w1) = state(&mut states, &ramp(20 * 16), &[16, 20]);
    let (id2, w2) = state(&mut states, &ramp(16 * 3), &[3, 16]);
    let (id3, b1) = state(&mut states, &ramp(16), &[16]);
    let (id4, m1) = state(&mut states, &vec![0.1; 16 * 20], &[16, 20]);
    let x = Tensor::new(&ramp(32 * 20), [32, 20]);
    let h = (x.matmul(&w1.t()) + &b1).relu();
    let z = h.matmul(&w2.t());
    let shifted = &z - z.max(&[-1]).keepdim(&z, &[-1]).detach();
    let logp = &shifted - shifted.exp().sum(&[-1]).log().keepdim(&z, &[-1]);
    let loss = -logp.mean_all();
    let g = grad(&loss, &[w1.clone(), w2.clone(), b1.clone()]).unwrap();
    let m = &m1 * 0.9 + &g[0];
    let norm = (&g[0] * &g[0]).sum_all() + (&g[1] * &g[1]).sum_all();
    let ok = norm.is_finite();
    let guard = |new: Tensor, old: &Tensor| Tensor::select(&ok, &new, old);
    let updates = vec![
        (id1, guard(&w1 - &m * 0.1, &w1)),
        (id2, guard(&w2 - &g[1] * 0.1, &w2)),
        (id3, guard(&b1 - &g[2] * 0.1, &b1)),
        (id4, guard(m, &m1)),
    ];
    assert_reference(&[loss, norm], &updates, &[], &states, 1e-5, "step");
}

#[test]
fn states_are_read_before_they_are_written() {
    let mut states = States::new();
    let (ia, a) = state(&mut states, &ramp(12), &[3, 4]);
    let (ib, b) =
        state(&mut states, &ramp(12)[..12].iter().map(|x| x * 2.0).collect::<Vec<_>>(), &[3, 4]);
    // A swap, a transpose of itself through memory, and an output of the old value.
    let swapped = vec![(ia, b.clone()), (ib, a.clone())];
    assert_reference(&[a.clone(), b.clone()], &swapped, &[], &states, 0.0, "swap");
    let reversed = vec![(ia, a.flip(&[0, 1])), (ib, &a + &b)];
    assert_reference(std::slice::from_ref(&a), &reversed, &[], &states, 0.0, "flip");
    let summed = vec![(ia, &a - a.sum(&[0])), (ib, &b * a.sum(&[1]).keepdim(&a, &[1]))];
    assert_reference(&[b.sum_all()], &summed, &[], &states, 1e-6, "reduced");
}

#[test]
fn guarded_updates_see_the_old_states() {
    let mut states = States::new();
    let (ia, a) = state(&mut states, &ramp(12), &[3, 4]);
    let (ib, b) = state(&mut states, &ramp(24)[12..], &[3, 4]);
    for ok in [1.0f32, f32::NAN] {
        let ok = Tensor::new(&[ok], []).is_finite();
        let choose = |new: &Tensor, old: &Tensor| Tensor::select(&ok, new, old);
        let (new_a, new_b) = (choose(&b, &a), choose(&a, &b));
        // Alone, and in one program with what reads both.
        let updates = [(ia, new_a.clone()), (ib, new_b.clone())];
        assert_reference(&[], &updates, &[], &states, 0.0, "a guarded swap");
        let sum = &new_a * 2.0 + &new_b;
        assert_reference(
            std::slice::from_ref(&sum),
            &updates,
            &[],
            &states,
            1e-6,
            "a guarded swap and a sum",
        );
        let sums = [sum.sum(&[1]), new_a.sum(&[0])];
        assert_reference(&sums, &updates, &[], &states, 1e-6, "a guarded swap and its sums");
        let both = choose(&(&a + &b), &a);
        let updates = [(ia, both.clone()), (ib, choose(&(&a - &b), &b))];
        assert_reference(&[], &updates, &[], &states, 1e-6, "guarded sums");
        assert_reference(&[both.exp()], &updates, &[], &states, 1e-6, "a guarded sum, read");
        assert_reference(&[], &[(ia, choose(&b, &a)), (ib, &a * 2.0)], &[], &states, 0.0, "half");
    }
}

#[test]
fn a_failing_step_leaves_every_state_untouched() {
    let mut states = States::new();
    let (id, w) = state(&mut states, &ramp(12), &[3, 4]);
    let ids = Tensor::new(&[0i64, 7], [2]);
    let picked = w.index_select(0, &ids);
    let updates = vec![(id, &w + 1.0)];
    let before = states.clone();
    let error = thalweg_graph::Executor::run(&Cpu::new(2), &[picked], &updates, &[], &mut states);
    assert!(error.unwrap_err().to_string().contains('7'));
    assert_eq!(states, before);
}

#[test]
fn missing_and_misshaped_values_are_errors() {
    let x = Tensor::input("x", DType::F32, [2]);
    let cpu = Cpu::new(1);
    let missing = cpu.compile(&[], &[&x + 1.0], &[]).unwrap_err().to_string();
    assert!(missing.contains("input `x`"), "{missing}");
    let mut program = cpu.compile(std::slice::from_ref(&x), &[&x + 1.0], &[]).unwrap();
    let wrong = Value::zeros(DType::F32, [3]);
    let error = program.run(cpu.pool(), &[&wrong], &mut States::new()).unwrap_err().to_string();
    assert!(error.contains("f32[2]") && error.contains("f32[3]"), "{error}");
    let id = StateId::fresh();
    let unknown = Tensor::state(id, "gone", DType::F32, [2]);
    let mut program = cpu.compile(&[], &[unknown], &[]).unwrap();
    let error = program.run(cpu.pool(), &[], &mut States::new()).unwrap_err().to_string();
    assert!(error.contains("gone"), "{error}");
}

#[test]
fn a_program_asks_for_no_more_threads_than_it_has_memory_for() {
    let x = Tensor::input("x", DType::F32, [300, 300]);
    let mut program = Cpu::new(2).compile(std::slice::from_ref(&x), &[x.exp()], &[]).unwrap();
    let value = Value::zeros(DType::F32, [300, 300]);
    let error = program.run(Cpu::new(3).pool(), &[&value], &mut States::new()).unwrap_err();
    assert!(error.to_string().contains("2 threads, run on a pool of 3"), "{error}");
    let ones = program.run(Cpu::new(1).pool(), &[&value], &mut States::new()).unwrap();
    assert!(ones[0].to_f64().iter().all(|&x| x == 1.0));
}

#[test]
fn an_empty_program_and_empty_tensors_run() {
    let states = States::new();
    assert_reference(&[], &[], &[], &states, 0.0, "nothing");
    let empty = Tensor::zeros(DType::F32, [0, 3]);
    let outputs = [
        empty.clone(),
        empty.sum(&[0]),
        empty.sum(&[1]),
        empty.prod(&[0]),
        empty.matmul(&Tensor::ones(DType::F32, [3, 2])),
    ];
    assert_reference(&outputs, &[], &[], &states, 0.0, "empty");
    // A row of no elements has a product all the same.
    let x = Tensor::input("x", DType::F32, [3, 0]);
    let feeds = [Feed { input: x.clone(), value: Value::zeros(DType::F32, [3, 0]) }];
    let outputs = [x.sum(&[1]), x.prod(&[1]), x.prod(&[1]).exp() + 1.0, x.exp() * 2.0];
    assert_reference(&outputs, &[], &feeds, &states, 1e-6, "empty rows");
}

#[test]
fn intermediate_results_share_memory() {
    let x = Tensor::input("x", DType::F32, [64, 64]);
    let mut y = x.clone();
    for _ in 0..20 {
        y = y.matmul(&x).relu();
    }
    let program = Cpu::new(1).compile(&[x], &[y], &[]).unwrap();
    // A product and its input must both be there; a third buffer is never needed.
    assert!(program.plan().arena_bytes <= 3 * 64 * 64 * 4, "{}", program.plan().arena_bytes);
}

//! A layer of 256 units over 64 steps of 32 sequences, forward and backward: milliseconds, and the multiply-adds of its
//! products in a second. `cargo bench -p thalweg-cpu --bench recurrent`.

use std::time::{Duration, Instant};

use thalweg_cpu::Cpu;
use thalweg_graph::ops::{Cell, Recurrence, RecurrentState, RecurrentWeights};
use thalweg_graph::random::uniform_f32;
use thalweg_graph::{DType, NoStates, Tensor, Value, grad};
use thalweg_plan::Kernel;

const STEPS: usize = 64;
const BATCH: usize = 32;
const UNITS: usize = 256;

fn main() {
    for cell in Cell::ALL {
        for threads in [1, 2] {
            measure(cell, threads);
        }
    }
}

fn measure(cell: Cell, threads: usize) {
    let rows = cell.gates() * UNITS;
    let input = |name: &str, shape: &[usize]| Tensor::input(name, DType::F32, shape);
    let mut inputs = vec![
        input("x", &[STEPS, BATCH, rows]),
        input("w_hh", &[rows, UNITS]),
        input("b_ih", &[rows]),
        input("b_hh", &[rows]),
        input("h", &[BATCH, UNITS]),
    ];
    inputs.extend((cell == Cell::Lstm).then(|| input("c", &[BATCH, UNITS])));
    let [x, w_hh, b_ih, b_hh, h] = [0, 1, 2, 3, 4].map(|i| inputs[i].clone());
    let weights = RecurrentWeights { w_hh, b_ih, b_hh };
    let start = RecurrentState { h, c: inputs.get(5).cloned() };
    let out = x.recurrent(Recurrence { cell, reverse: false }, &weights, &start, None).output;
    let loss = (&out * &out).sum_all();
    let gradients = grad(&loss, &[x, weights.w_hh]).expect("recurrent layers have gradients");
    let cpu = Cpu::new(threads);
    let mut program = cpu.compile(&inputs, &gradients, &[]).expect("it compiles");
    let values: Vec<Value> = (inputs.iter().zip(0..))
        .map(|(input, stream)| {
            let drawn = uniform_f32(1, 0, stream, input.numel());
            let small: Vec<f32> = drawn.iter().map(|u| (u - 0.5) * 0.2).collect();
            Value::new(&small, input.shape()).expect("as many elements")
        })
        .collect();
    let feeds: Vec<&Value> = values.iter().collect();
    let mut best = vec![f64::INFINITY; program.plan().steps.len()];
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_millis(700) {
        let mut last = Instant::now();
        let mut done = |step: usize| {
            best[step] = best[step].min(last.elapsed().as_secs_f64());
            last = Instant::now();
        };
        program.run_observed(cpu.pool(), &feeds, &mut NoStates, &mut done).expect("it runs");
    }
    for (step, seconds) in program.plan().steps.iter().zip(&best) {
        if let Kernel::Call(call) = &step.kernel {
            let work = call.tensor.op().multiply_adds(call.tensor.inputs(), &call.tensor);
            let (ms, rate) = (seconds * 1e3, work as f64 / seconds * 1e-9);
            println!("{cell:8?} {threads} threads {:15} {ms:8.3} ms {rate:8.1} G/s", step.name);
        }
    }
}

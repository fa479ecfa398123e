//! Milliseconds and GFLOP/s of attention, forward and backward: `cargo bench -p thalweg-cpu --bench attention`. Hidden
//! scores are not counted.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use thalweg_cpu::Cpu;
use thalweg_graph::ops::Attention;
use thalweg_graph::{DType, Tensor, Value, grad_or_none};

/// Sequences, heads, length, width of a head; causal.
const CASES: [([usize; 4], bool); 6] = [
    ([16, 4, 128, 64], true),
    ([16, 4, 128, 64], false),
    ([64, 4, 32, 16], false),
    ([1, 8, 1024, 64], true),
    ([1, 2, 4096, 64], true),
    ([1, 8, 1024, 128], false),
];

/// The least time of a run in about half a second, in seconds.
fn time(cpu: &Cpu, inputs: &[Tensor], outputs: &[Tensor]) -> f64 {
    let values: Vec<Value> = inputs
        .iter()
        .enumerate()
        .map(|(i, x)| {
            let numbers = thalweg_graph::random::uniform_f32(i as u64, 0, 0, x.numel());
            Value::new(&numbers, x.shape()).expect("as many numbers as elements")
        })
        .collect();
    let feeds: Vec<&Value> = values.iter().collect();
    let mut program = cpu.compile(inputs, outputs, &[]).expect("a plan");
    let (begin, mut best) = (Instant::now(), f64::INFINITY);
    while begin.elapsed() < Duration::from_millis(500) {
        let start = Instant::now();
        program.run(cpu.pool(), &feeds, &mut BTreeMap::new()).expect("a run");
        best = best.min(start.elapsed().as_secs_f64());
    }
    best
}

fn main() {
    println!("{:32} {:>8} {:>18} {:>18}", "", "threads", "forward", "with backward");
    for (shape @ [batch, heads, length, width], causal) in CASES {
        let [q, k, v, g] = ["q", "k", "v", "g"].map(|name| Tensor::input(name, DType::F32, shape));
        let y = q.attention(&k, &v, None, &Attention { scale: 0.125, causal });
        let wrt = [q.clone(), k.clone(), v.clone()];
        let gradients = grad_or_none(&y, Some(&g), &wrt).expect("gradients");
        let mut both: Vec<Tensor> = gradients.into_iter().flatten().collect();
        both.push(y.clone());
        let scores = length * if causal { length + 1 } else { 2 * length } / 2;
        let product = (2 * batch * heads * width * scores) as f64;
        for threads in [1, 2] {
            let cpu = Cpu::new(threads);
            let forward = time(&cpu, &wrt, std::slice::from_ref(&y));
            let all = time(&cpu, &[q.clone(), k.clone(), v.clone(), g.clone()], &both);
            let show = |seconds: f64, products: f64| {
                format!("{:.3} ms {:5.0}", seconds * 1e3, products * product / seconds / 1e9)
            };
            let name = format!("{shape:?}{}", if causal { " causal" } else { "" });
            println!("{name:32} {threads:>8} {:>18} {:>18}", show(forward, 2.0), show(all, 7.0));
        }
    }
}

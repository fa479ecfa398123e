//! GFLOP/s of matrix products, and the hand-off of a fork-join, for 1 and 2 threads: `cargo bench -p thalweg-cpu`.

use std::time::{Duration, Instant};

use thalweg_cpu::gemm::{Gemm, GemmSpec};
use thalweg_cpu::isa::Isa;
use thalweg_cpu::pool::Pool;

/// How A and B are stored (n as they are, t transposed), products of a batch, and m, k, n: those of the networks in
/// `benches/peers`, and a few large ones.
const SHAPES: [(&str, usize, [usize; 3]); 40] = [
    ("nt", 1, [64, 784, 512]),
    ("nn", 1, [64, 512, 784]),
    ("tn", 1, [512, 64, 784]),
    ("nt", 1, [64, 512, 256]),
    ("nn", 1, [64, 256, 512]),
    ("tn", 1, [256, 64, 512]),
    ("nt", 1, [64, 256, 10]),
    ("nn", 1, [64, 10, 256]),
    ("tn", 1, [10, 64, 256]),
    ("nt", 1, [32, 20, 64]),
    ("nt", 1, [32, 64, 64]),
    ("nn", 1, [32, 64, 64]),
    ("tn", 1, [64, 32, 64]),
    ("nt", 1, [32, 64, 3]),
    ("tn", 1, [3, 32, 64]),
    ("nt", 1, [1, 784, 512]),
    ("nt", 1, [1, 512, 256]),
    ("nn", 1, [1, 512, 784]),
    ("nn", 1, [512, 512, 512]),
    ("nt", 1, [512, 784, 512]),
    ("tn", 1, [512, 512, 784]),
    ("nt", 1, [64, 3136, 128]),
    ("tn", 1, [128, 64, 3136]),
    ("nn", 1, [64, 128, 3136]),
    ("nt", 1, [32, 256, 1024]),
    ("nn", 1, [32, 1024, 256]),
    ("nt", 1, [2048, 128, 1024]),
    ("tn", 1, [1024, 2048, 256]),
    ("nt", 1, [2048, 256, 1024]),
    ("nn", 1, [2048, 256, 1024]),
    ("nt", 1, [2048, 1024, 256]),
    ("nn", 1, [2048, 1024, 256]),
    ("tn", 1, [256, 2048, 1024]),
    ("tn", 1, [1024, 2048, 256]),
    ("nt", 1, [2048, 256, 768]),
    ("tn", 1, [768, 2048, 256]),
    ("nt", 64, [128, 64, 128]),
    ("nn", 64, [128, 128, 64]),
    ("tn", 64, [128, 128, 64]),
    ("nn", 1, [2048, 2048, 2048]),
];

/// Runs the shapes; or, given `LAYOUT BATCH M K N THREADS`, that one, and prints microseconds.
fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    if let [layout, numbers @ ..] = &arguments[..]
        && let Ok([batch, m, k, n, threads]) =
            <[usize; 5]>::try_from(numbers.iter().flat_map(|x| x.parse()).collect::<Vec<_>>())
    {
        let [median, best] = product(layout, batch, [m, k, n], &Pool::new(threads));
        println!("{} {}", median * 1e6, best * 1e6);
        return;
    }
    let pools = [Pool::new(1), Pool::new(2)];
    println!(
        "{:32} {:>9} {:>12} {:>22}",
        "batch x m x k x n", "threads", "us median", "GFLOP/s median (best)"
    );
    for (layout, batch, shape) in SHAPES {
        for pool in &pools {
            let [median, best] = product(layout, batch, shape, pool);
            let [m, k, n] = shape;
            let [median_rate, best_rate] =
                [median, best].map(|s| 2.0 * (batch * m * n * k) as f64 / s * 1e-9);
            let us = median * 1e6;
            let name = format!("{layout} {batch} x {m} x {k} x {n}");
            println!(
                "{name:32} {:>9} {us:>12.2} {median_rate:>13.1} ({best_rate:.1})",
                pool.threads()
            );
        }
    }
    for pool in &pools {
        let [median, best] = seconds(|| pool.run(2, &|_, _| {}));
        println!(
            "fork-join, {} threads: {:.0} ns median ({:.0} best)",
            pool.threads(),
            median * 1e9,
            best * 1e9
        );
    }
}

/// Median and least seconds of the products of a batch.
fn product(layout: &str, batch: usize, [m, k, n]: [usize; 3], pool: &Pool) -> [f64; 2] {
    let mut spec = GemmSpec { batch, ..GemmSpec::row_major(m, k, n) };
    if layout.starts_with('t') {
        spec = spec.a_transposed();
    }
    if layout.ends_with('t') {
        spec = spec.b_transposed();
    }
    let gemm = Gemm::<f32>::new(Isa::detect(), &spec);
    let sizes = [m * k, k * n, m * n];
    let [a, b, c] = sizes.map(|size| memory(batch * size));
    let offsets = |i: usize| sizes.map(|size| (i * size) as isize);
    let scratch = memory(gemm.scratch_len(pool.threads()));
    seconds(|| {
        // SAFETY: the memory has the sizes of the spec.
        unsafe { gemm.run_batched(pool, a, b, c, &offsets, scratch) };
    })
}

/// Zeros on whole cache lines, as a plan's arena has them; never freed.
fn memory(len: usize) -> *mut f32 {
    #[derive(Clone, Copy)]
    #[repr(align(64))]
    struct Line(#[expect(dead_code, reason = "used through a pointer")] [f32; 16]);
    let lines = vec![Line([0.0; 16]); len.div_ceil(16).max(1)].leak();
    lines.as_mut_ptr().cast()
}

/// Median and least time of a call, from samples of about 50 us over about 0.3 s.
fn seconds(mut f: impl FnMut()) -> [f64; 2] {
    let once = Instant::now();
    f();
    let calls = (50e-6 / once.elapsed().as_secs_f64()).ceil() as u32;
    let mut samples = Vec::new();
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(300) {
        let sample = Instant::now();
        (0..calls).for_each(|_| f());
        samples.push(sample.elapsed().as_secs_f64() / f64::from(calls));
    }
    samples.sort_by(f64::total_cmp);
    [samples[samples.len() / 2], samples[0]]
}

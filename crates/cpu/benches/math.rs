//! Nanoseconds per element of each function of `thalweg_cpu::math` on each instruction-set path, on 4096 elements
//! (in the first-level cache), one thread. The best of 20 runs.

use std::hint::black_box;
use std::time::Instant;

use thalweg_cpu::isa::Isa;
use thalweg_cpu::math::kernels;

type Kernel = unsafe fn(*mut f32, *const f32, usize);
type Selector = fn(Isa) -> Kernel;

const N: usize = 4096;
const CALLS: usize = 200;

fn nanoseconds(kernel: Kernel, input: &[f32], output: &mut [f32]) -> f64 {
    let run = |_| {
        let start = Instant::now();
        for _ in 0..CALLS {
            // SAFETY: both arrays have N elements and do not overlap; `main` has checked the instruction set.
            unsafe { kernel(black_box(output.as_mut_ptr()), black_box(input.as_ptr()), N) };
        }
        start.elapsed().as_secs_f64() * 1e9 / (CALLS * N) as f64
    };
    (0..20).map(run).fold(f64::INFINITY, f64::min)
}

fn main() {
    let kernels: [(&str, Selector); 11] = [
        ("exp", kernels::exp),
        ("expm1", kernels::expm1),
        ("log", kernels::log),
        ("log1p", kernels::log1p),
        ("tanh", kernels::tanh),
        ("sigmoid", kernels::sigmoid),
        ("erf", kernels::erf),
        ("softplus", kernels::softplus),
        ("sin", kernels::sin),
        ("cos", kernels::cos),
        ("sqrt", kernels::sqrt),
    ];
    // From -8 to 8, in no order that a branch predictor could learn; positive where the function asks for it.
    let mixed: Vec<f32> = (0..N).map(|i| (i * 1237 % N) as f32 / 256.0 - 8.0).collect();
    let positive: Vec<f32> = mixed.iter().map(|x| x.abs() + 0.01).collect();
    let mut output = vec![0.0; N];

    println!("{:10} {:>10} {:>10} {:>10}   ns per element", "", "portable", "avx2", "avx512");
    for (name, kernel) in kernels {
        let input =
            if name.starts_with("log") || name.ends_with("sqrt") { &positive } else { &mixed };
        print!("{name:10}");
        for isa in [Isa::Portable, Isa::Avx2, Isa::Avx512] {
            if isa.is_available() {
                print!(" {:10.3}", nanoseconds(kernel(isa), input, &mut output));
            } else {
                print!(" {:>10}", "-");
            }
        }
        println!();
    }
}

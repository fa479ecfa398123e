//! Training steps side by side with PyTorch, in one run: the contestants take turns, and what counts is the
//! ratio.
//!
//! `cargo bench` measures thalweg alone where no Python with `torch` is found; `THALWEG_PYTHON` names
//! the interpreter (default `python3`). The workloads: T1 is the MLP 784-512-256-10 with Adam, T2 the MLP 20-64-64-3 with
//! SGD and momentum, T3 a convolutional network with Adam, T5 and T5gru two recurrent layers over 64 characters with Adam, T6 a small causal Transformer
//! with AdamW. Words behind `--` choose the workloads.

#[path = "peers/cnn.rs"]
mod cnn;
#[path = "peers/gpt.rs"]
mod gpt;
#[path = "peers/recurrent.rs"]
mod recurrent;

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use thalweg::prelude::*;
use thalweg::{cpu, graph, nn};

type Fallible<T> = Result<T, Box<dyn std::error::Error>>;

/// One contest: a workload, how many rows a batch has, how many threads work, PyTorch's mode.
struct Contest {
    workload: &'static str,
    batch: usize,
    threads: usize,
    mode: &'static str,
}

const CONTESTS: &[Contest] = &[
    Contest { workload: "T2", batch: 32, threads: 1, mode: "eager" },
    Contest { workload: "T2", batch: 32, threads: 1, mode: "fused" },
    Contest { workload: "T1", batch: 64, threads: 1, mode: "fused" },
    Contest { workload: "T1", batch: 64, threads: 2, mode: "fused" },
    Contest { workload: "T1", batch: 512, threads: 1, mode: "fused" },
    Contest { workload: "T1", batch: 512, threads: 2, mode: "fused" },
    Contest { workload: "T3", batch: 64, threads: 1, mode: "fused" },
    Contest { workload: "T3", batch: 64, threads: 1, mode: "channels_last" },
    Contest { workload: "T3", batch: 64, threads: 2, mode: "fused" },
    Contest { workload: "T3", batch: 64, threads: 2, mode: "channels_last" },
    Contest { workload: "T5", batch: 32, threads: 1, mode: "fused" },
    Contest { workload: "T5", batch: 32, threads: 2, mode: "fused" },
    Contest { workload: "T5gru", batch: 32, threads: 1, mode: "fused" },
    Contest { workload: "T5gru", batch: 32, threads: 2, mode: "fused" },
    Contest { workload: "T6", batch: 16, threads: 1, mode: "fused" },
    Contest { workload: "T6", batch: 16, threads: 2, mode: "fused" },
];

const ROUNDS: usize = 7;
const ROUND: Duration = Duration::from_millis(500);

/// A training step on one fixed batch, ready to be run again and again.
struct Step {
    executor: cpu::Cpu,
    program: cpu::Program,
    store: Store,
    x: Value,
    y: Value,
    lr: Value,
}

impl Step {
    fn new(contest: &Contest) -> Fallible<Step> {
        match contest.workload {
            "T3" => cnn::step(contest),
            "T5" | "T5gru" => recurrent::step(contest),
            "T6" => gpt::step(contest),
            _ => Step::mlp(contest),
        }
    }

    fn mlp(contest: &Contest) -> Fallible<Step> {
        let (sizes, optimizer, lr): (&[usize], nn::Optimizer, f64) = match contest.workload {
            "T1" => (&[784, 512, 256, 10], nn::optim::Adam::default().into(), 1e-3),
            _ => {
                let sgd = nn::optim::Sgd { momentum: 0.9, ..Default::default() };
                (&[20, 64, 64, 3], sgd.into(), 1e-2)
            }
        };
        let (inputs, classes) = (sizes[0], sizes[sizes.len() - 1]);
        let mut network = Sequential::new();
        for (i, &size) in sizes[1..].iter().enumerate() {
            network = if i == 0 { network } else { network.relu() }.linear(size);
        }
        let n = contest.batch;
        network.build([n, inputs], DType::F32)?;
        let pixels = graph::random::uniform_f32(1, 0, 0, n * inputs);
        let labels: Vec<i64> = (0..n as i64).map(|i| i * 7 % classes as i64).collect();
        let x = Value::new(&pixels, [n, inputs]).ok_or("the batch has the wrong size")?;
        let y = Value::from_slice(&labels);
        Step::of(&network, |logits| logits.clone(), optimizer, lr, [x, y], contest.threads)
    }

    /// The step of a network on the batch `[x, y]`; `rows` makes its outputs rows of logits, one for each label.
    fn of<M: Module + Forward>(
        network: &M,
        rows: impl Fn(&Tensor) -> Tensor,
        optimizer: nn::Optimizer,
        lr: f64,
        [x, y]: [Value; 2],
        threads: usize,
    ) -> Fallible<Step> {
        let mut store = Store::new(0);
        store.bind(network)?;
        let x_input = Tensor::input("x", x.dtype(), x.shape());
        let y_input = Tensor::input("y", y.dtype(), y.shape());
        let lr_input = Tensor::input("lr", DType::F64, graph::Shape::scalar());
        let loss = nn::losses::cross_entropy(&rows(&network.forward(&x_input)), &y_input);
        let params = nn::parameters(network);
        let wrt: Vec<Tensor> = params.iter().map(|(_, p)| p.tensor()).collect();
        let grads = graph::grad(&loss, &wrt)?;
        let step = Updater::new(optimizer).build(&mut store, &params, &grads, &loss, &lr_input)?;
        let executor = cpu::Cpu::new(threads);
        let program = executor.compile(&[x_input, y_input, lr_input], &[loss], &step.writes)?;
        Ok(Step { executor, program, store, x, y, lr: Value::scalar(lr) })
    }

    fn run(&mut self) -> Fallible<f64> {
        let feeds = [&self.x, &self.y, &self.lr];
        let outputs = self.program.run(self.executor.pool(), &feeds, &mut self.store)?;
        Ok(outputs[0].item().unwrap_or(f64::NAN))
    }

    /// Runs for a while: the milliseconds of each step, and the last loss.
    fn round(&mut self, length: Duration) -> Fallible<(Vec<f64>, f64)> {
        let begin = Instant::now();
        let (mut times, mut loss) = (vec![], f64::NAN);
        while begin.elapsed() < length {
            let start = Instant::now();
            loss = self.run()?;
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
        Ok((times, loss))
    }
}

/// PyTorch in a process of its own: it answers each line on its input with one on its output.
struct Torch {
    child: Child,
    ask: ChildStdin,
    answer: BufReader<ChildStdout>,
}

impl Torch {
    fn start() -> Option<Torch> {
        let python = std::env::var("THALWEG_PYTHON").unwrap_or("python3".to_owned());
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../benches/peers/torch_peer.py");
        let mut child = Command::new(python)
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let (ask, answer) = (child.stdin.take()?, BufReader::new(child.stdout.take()?));
        let mut torch = Torch { child, ask, answer };
        let hello = torch.read()?;
        println!("PyTorch {}", hello["torch"].as_str().unwrap_or("?"));
        Some(torch)
    }

    fn read(&mut self) -> Option<serde_json::Value> {
        let mut line = String::new();
        self.answer.read_line(&mut line).ok().filter(|&n| n > 0)?;
        serde_json::from_str(&line).ok()
    }

    /// Milliseconds of each step in a round of about that length, and the last loss.
    fn round(&mut self, contest: &Contest, length: Duration) -> Option<(Vec<f64>, f64)> {
        let Contest { workload, batch, threads, mode } = contest;
        writeln!(self.ask, "{workload} {batch} {threads} {mode} {}", length.as_secs_f64()).ok()?;
        let reply = self.read()?;
        let times = reply["times"].as_array()?.iter().filter_map(|t| t.as_f64()).collect();
        Some((times, reply["loss"].as_f64()?))
    }
}

impl Drop for Torch {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Prints where the time of one step goes, kernel by kernel, at its best: `cargo bench -- profile`.
fn profile(contest: &Contest) -> Fallible<()> {
    let mut step = Step::new(contest)?;
    step.round(Duration::from_millis(20))?;
    let kernels = step.program.plan().steps.len();
    let mut times = vec![vec![]; kernels];
    for _ in 0..100 {
        let mut last = Instant::now();
        let mut done = |kernel: usize| {
            let now = Instant::now();
            times[kernel].push((now - last).as_secs_f64() * 1e6);
            last = now;
        };
        let feeds = [&step.x, &step.y, &step.lr];
        step.program.run_observed(step.executor.pool(), &feeds, &mut step.store, &mut done)?;
    }
    println!("{} batch {} threads {}", contest.workload, contest.batch, contest.threads);
    let mut sum = 0.0;
    for (kernel, times) in times.iter_mut().enumerate() {
        let us = times.iter().copied().fold(f64::INFINITY, f64::min);
        sum += us;
        let shape = match &step.program.plan().steps[kernel].kernel {
            thalweg::plan::Kernel::Rows(p) => {
                format!("{:?} × {}, {} ops", p.rows, p.cols, p.code.len())
            }
            thalweg::plan::Kernel::MatMul(m) => format!("{} × {} × {}", m.m, m.k, m.n),
            thalweg::plan::Kernel::Call(_) => String::new(),
        };
        println!("{us:10.2} µs  {:12} {shape}", step.program.plan().steps[kernel].name);
    }
    println!("{sum:10.2} µs  together");
    Ok(())
}

fn main() -> Fallible<()> {
    let words: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let mut chosen = words.iter().filter(|word| *word != "profile").peekable();
    let all = chosen.peek().is_none();
    let chosen: Vec<&String> = chosen.collect();
    let contests = CONTESTS.iter().filter(|c| all || chosen.iter().any(|w| *w == c.workload));
    if words.iter().any(|word| word == "profile") {
        return contests.filter(|c| c.mode == "fused").try_for_each(profile);
    }
    let mut torch = Torch::start();
    if torch.is_none() {
        println!("no Python with torch (set THALWEG_PYTHON): thalweg alone");
    }
    println!("{:28} {:>12} {:>12} {:>22}", "", "thalweg ms", "PyTorch ms", "PyTorch ÷ thalweg");
    for contest in contests {
        let mut step = Step::new(contest)?;
        step.round(ROUND * 2)?;
        torch.as_mut().map(|t| t.round(contest, ROUND * 2));
        let (mut ours, mut theirs, mut ratios) = (vec![], vec![], vec![]);
        let mut losses = (0.0, 0.0);
        for _ in 0..ROUNDS {
            let (mut times, loss) = step.round(ROUND)?;
            let our = median(&mut times);
            ours.push(our);
            losses.0 = loss;
            let reply = torch.as_mut().and_then(|t| t.round(contest, ROUND));
            if let Some((mut times, loss)) = reply {
                let their = median(&mut times);
                theirs.push(their);
                ratios.push(their / our);
                losses.1 = loss;
            }
        }
        let name = format!(
            "{} batch {} {} thread{} {}",
            contest.workload,
            contest.batch,
            contest.threads,
            if contest.threads == 1 { "" } else { "s" },
            contest.mode
        );
        let ratio = median(&mut ratios);
        let spread = match (ratios.first(), ratios.last()) {
            (Some(low), Some(high)) => format!("{ratio:.2} ({low:.2}–{high:.2})"),
            _ => "–".to_owned(),
        };
        println!(
            "{name:28} {:>12.4} {:>12.4} {spread:>22}",
            median(&mut ours),
            median(&mut theirs)
        );
        println!("{:28} last loss {:.2e} and {:.2e}", "", losses.0, losses.1);
    }
    Ok(())
}

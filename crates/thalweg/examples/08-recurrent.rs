//! 8. Sequences: an LSTM with truncated backpropagation through time. `cargo run --release --example 08-recurrent`
//!
//! A lamp that is switched on and off, seldom, and must be remembered for hundreds of steps: at each step the network sees 1
//! (on), −1 (off) or, nearly always, 0, and says whether the lamp is lit. The sequence comes in windows of 16 steps; the
//! state goes on from window to window, gradients stop between them.

use thalweg::graph::random;
use thalweg::nn::{Carry, Lstm, losses, optim::Adam, parameters};
use thalweg::prelude::*;

const BATCH: usize = 32;
const WINDOW: usize = 16;
const HIDDEN: usize = 24;

#[derive(Module)]
struct Net {
    memory: Lstm,
    output: Linear,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let net = Net { memory: Lstm::new(1, HIDDEN), output: Linear::new(HIDDEN, 1) };
    let mut store = Store::new(3);
    store.bind(&net)?;

    let x = Tensor::input("switched", DType::F32, [BATCH, WINDOW, 1]);
    let y = Tensor::input("lit", DType::F32, [BATCH, WINDOW, 1]);
    let [h, c] = ["h", "c"].map(|name| Tensor::input(name, DType::F32, [1, BATCH, HIDDEN]));
    let lr = Tensor::input("lr", DType::F64, []);
    // The state is fed: it is a value from the window before, through which nothing flows back.
    let start = Carry { h: h.clone(), c: Some(c.clone()) }.detach();
    let (states, carry) = net.memory.forward_with(&x, Some(&start), None);
    let logits = net.output.forward(&states);
    let loss = losses::binary_cross_entropy_with_logits(&logits, &y);
    let right = logits.gt(&logits.zeros_like()).equal(&y.gt(&y.zeros_like())).cast(DType::F32);

    let params = parameters(&net);
    let wrt: Vec<Tensor> = params.iter().map(|(_, param)| param.tensor()).collect();
    let grads = grad(&loss, &wrt)?;
    let updater = Updater { clip_norm: Some(1.0), ..Updater::new(Adam::default()) };
    let step = updater.build(&mut store, &params, &grads, &loss, &lr)?;
    let cpu = Cpu::new(2);
    let end = carry.c.ok_or("an LSTM has a memory")?;
    let outputs = [loss, right.mean_all(), carry.h, end];
    let mut learn = cpu.compile(&[x, y, h, c, lr], &outputs, &step.writes)?;

    let lr = Value::scalar(0.01f64);
    let zeros = || Value::zeros(DType::F32, [1, BATCH, HIDDEN]);
    let (mut h, mut c, mut lit) = (zeros(), zeros(), [0.0f32; BATCH]);
    let mut recent = 0.0;
    for window in 0..500u64 {
        let draws = random::uniform_f32(11, window, 0, BATCH * WINDOW);
        let switched = |&u: &f32| if u < 0.02 { 1.0 } else { -f32::from(u < 0.04) };
        let seen: Vec<f32> = draws.iter().map(switched).collect();
        let mut truth = vec![];
        for (row, lit) in seen.chunks(WINDOW).zip(&mut lit) {
            for &switched in row {
                *lit = if switched == 0.0 { *lit } else { (switched + 1.0) / 2.0 };
                truth.push(*lit);
            }
        }
        let shape = [BATCH, WINDOW, 1];
        let x = Value::new(&seen, shape).ok_or("a batch of switches")?;
        let y = Value::new(&truth, shape).ok_or("a batch of answers")?;
        let values = learn.run(cpu.pool(), &[&x, &y, &h, &c, &lr], &mut store)?;
        (h, c) = (values[2].clone(), values[3].clone());
        recent = values[1].item().unwrap_or_default();
        if window % 100 == 99 {
            println!(
                "after {:5} steps: {:.1} % right",
                (window + 1) * WINDOW as u64,
                100.0 * recent
            );
        }
    }
    assert!(recent > 0.95);
    Ok(())
}

//! T3: a small convolutional network on images of 28 × 28.

use thalweg::prelude::*;
use thalweg::{graph, nn};

use crate::{Contest, Fallible, Step};

pub fn step(contest: &Contest) -> Fallible<Step> {
    let same = |inputs, outputs| nn::Conv2d::new(inputs, outputs, 3).padding(1);
    let network = Sequential::new()
        .push(same(1, 32))
        .relu()
        .max_pool2d(2)
        .push(same(32, 64))
        .relu()
        .max_pool2d(2)
        .flatten()
        .linear(128)
        .relu()
        .linear(10);
    let (n, image) = (contest.batch, [1, 28, 28]);
    let shape = [n, image[0], image[1], image[2]];
    network.build(shape, DType::F32)?;
    let pixels = graph::random::uniform_f32(1, 0, 0, shape.iter().product());
    let labels: Vec<i64> = (0..n as i64).map(|i| i * 7 % 10).collect();
    let x = Value::new(&pixels, shape).ok_or("the batch has the wrong size")?;
    let optimizer = nn::optim::Adam::default().into();
    let batch = [x, Value::from_slice(&labels)];
    Step::of(&network, Tensor::clone, optimizer, 1e-3, batch, contest.threads)
}

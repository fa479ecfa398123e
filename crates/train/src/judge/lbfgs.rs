//! The minimum of a smooth function by L-BFGS (Nocedal 1980): Newton's direction, with curvature guessed from the last
//! few steps.

use std::collections::VecDeque;

/// Steps that are remembered.
const MEMORY: usize = 10;

/// Walks from `x` to where `function`, which writes its gradient, is least: until no component of the gradient is above
/// `tolerance`, for at most `steps` steps. Each step makes the function less (Armijo's rule). Gives the least value.
pub fn minimise(
    x: &mut [f64],
    steps: usize,
    tolerance: f64,
    mut function: impl FnMut(&[f64], &mut [f64]) -> f64,
) -> f64 {
    let mut gradient = vec![0.0; x.len()];
    let mut value = function(x, &mut gradient);
    // Differences of places and of gradients, and 1 over their product, the newest last.
    let mut memory: VecDeque<(Vec<f64>, Vec<f64>, f64)> = VecDeque::new();
    for _ in 0..steps {
        if gradient.iter().all(|g| g.abs() <= tolerance) {
            break;
        }
        let direction = direction(&gradient, &memory);
        let slope = dot(&direction, &gradient);
        // The first step has no curvature to go by.
        let mut length = if memory.is_empty() { 1.0 / norm(&gradient).max(1.0) } else { 1.0 };
        let (mut next, mut there) = (x.to_vec(), vec![0.0; x.len()]);
        let reached = loop {
            next.iter_mut()
                .zip(x.iter().zip(&direction))
                .for_each(|(n, (x, d))| *n = x + length * d);
            let reached = function(&next, &mut there);
            if reached <= value + 1e-4 * length * slope {
                break Some(reached);
            }
            length /= 2.0;
            if length < 1e-12 {
                break None;
            }
        };
        // No step makes it less: this is as far as rounding lets it come.
        let Some(reached) = reached else { break };
        let moved: Vec<f64> = next.iter().zip(x.iter()).map(|(a, b)| a - b).collect();
        let turned: Vec<f64> = there.iter().zip(&gradient).map(|(a, b)| a - b).collect();
        let product = dot(&moved, &turned);
        if product > 1e-14 * norm(&moved) * norm(&turned) {
            memory.push_back((moved, turned, 1.0 / product));
            if memory.len() > MEMORY {
                memory.pop_front();
            }
        }
        x.copy_from_slice(&next);
        (gradient, value) = (there, reached);
    }
    value
}

/// −H·gradient, with the inverse Hessian H that the memory suggests (the two loops).
fn direction(gradient: &[f64], memory: &VecDeque<(Vec<f64>, Vec<f64>, f64)>) -> Vec<f64> {
    let mut q: Vec<f64> = gradient.iter().map(|g| -g).collect();
    let mut weights = Vec::with_capacity(memory.len());
    for (moved, turned, rho) in memory.iter().rev() {
        let weight = rho * dot(moved, &q);
        q.iter_mut().zip(turned).for_each(|(q, y)| *q -= weight * y);
        weights.push(weight);
    }
    if let Some((_, turned, rho)) = memory.back() {
        let scale = 1.0 / (rho * dot(turned, turned));
        q.iter_mut().for_each(|q| *q *= scale);
    }
    for ((moved, turned, rho), weight) in memory.iter().zip(weights.into_iter().rev()) {
        let change = weight - rho * dot(turned, &q);
        q.iter_mut().zip(moved).for_each(|(q, s)| *q += change * s);
    }
    q
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn norm(a: &[f64]) -> f64 {
    dot(a, a).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crooked_valley() {
        // Rosenbrock's function, whose minimum is 0 at (1, 1).
        let mut x = [-1.2, 1.0];
        let least = minimise(&mut x, 200, 1e-10, |x, g| {
            let (a, b) = (1.0 - x[0], x[1] - x[0] * x[0]);
            g[0] = -2.0 * a - 400.0 * x[0] * b;
            g[1] = 200.0 * b;
            a * a + 100.0 * b * b
        });
        assert!(least < 1e-18 && x.iter().all(|x| (x - 1.0).abs() < 1e-8), "{least} at {x:?}");
    }
}

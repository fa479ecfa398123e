//! A recurrence as a loop of primitives: what the ops mean.

use super::{Cell, Operands, Recurrence};
use crate::dtype::DType;
use crate::tensor::Tensor;

/// What every step gives, in the order of time: states `[1, N, H]`, that before the first step included, saved gates
/// `[1, N, gates·H]` and `q_n` `[1, N, H]`.
#[derive(Default)]
pub struct Walked {
    pub h: Vec<Tensor>,
    pub c: Vec<Tensor>,
    pub gates: Vec<Tensor>,
    pub inner: Vec<Tensor>,
}

/// Walks through all steps. `shift` `[T, N, gates·H]`, where given, is added to the hidden projections.
pub fn walk(how: Recurrence, given: &Operands, shift: Option<&Tensor>) -> Walked {
    let [w_hh, b_ih, b_hh] = given.weights;
    let (steps, units) = (given.x.dim(0), w_hh.dim(1));
    let lengths = given.lengths.map(|t| t.check_range(1, steps as i64 + 1, "sequence length"));
    let mut h = given.h0.clone();
    let mut c = given.c0.cloned();
    let mut walked = Walked { h: vec![h.clone()], ..Walked::default() };
    walked.c.extend(c.clone());
    for step in 0..steps {
        let t = if how.reverse { steps - 1 - step } else { step };
        let at = |all: &Tensor| all.narrow(0, t, 1).squeeze(0);
        let p = at(given.x) + b_ih;
        let mut q = h.matmul(&w_hh.t()) + b_hh;
        if let Some(shift) = shift {
            q = q + at(shift);
        }
        let gate = |of: &Tensor, i: usize| of.narrow(1, i * units, units);
        // Beyond its length a sequence carries its state on.
        let inside = lengths
            .as_ref()
            .map(|all| Tensor::full(t as f64, DType::I64, all.shape()).lt(all).unsqueeze(1));
        let carry = |new: Tensor, old: &Tensor| match &inside {
            Some(inside) => Tensor::select(inside, &new, old),
            None => new,
        };
        let mut gates = vec![];
        match how.cell {
            Cell::RnnTanh => h = carry((p + q).tanh(), &h),
            Cell::RnnRelu => h = carry((p + q).relu(), &h),
            Cell::Lstm => {
                let a = p + q;
                let (i, f) = (gate(&a, 0).sigmoid(), gate(&a, 1).sigmoid());
                let (g, o) = (gate(&a, 2).tanh(), gate(&a, 3).sigmoid());
                if let Some(old) = &c {
                    let new = &f * old + &i * &g;
                    h = carry(&o * new.tanh(), &h);
                    c = Some(carry(new, old));
                }
                gates = vec![i, f, g, o];
            }
            Cell::Gru => {
                let r = (gate(&p, 0) + gate(&q, 0)).sigmoid();
                let z = (gate(&p, 1) + gate(&q, 1)).sigmoid();
                let inner = gate(&q, 2);
                let n = (gate(&p, 2) + &r * &inner).tanh();
                h = carry(&n + &z * (&h - &n), &h);
                walked.inner.push(inner);
                gates = vec![r, z, n];
            }
        }
        if !gates.is_empty() {
            walked.gates.push(Tensor::concat(&gates, 1));
        }
        walked.h.push(h.clone());
        walked.c.extend(c.clone());
    }
    for block in [&mut walked.h, &mut walked.c, &mut walked.gates, &mut walked.inner] {
        if how.reverse {
            block.reverse();
        }
        block.iter_mut().for_each(|t| *t = t.unsqueeze(0));
    }
    walked
}

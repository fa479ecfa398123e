//! Simplification: the same values from fewer ops. Every rewrite is exact, to the sign of a zero and the
//! propagation of NaN.
//!
//! One walk from the leaves to the roots rebuilds each node on its simplified inputs, rewrites it where a
//! rule applies, and reuses an equal node that has been seen before. What the roots do not reach is gone.

use std::collections::HashMap;

use thalweg_graph::ops::{
    Binary, Broadcast, Cast, Constant, Detach, Full, Pad, Permute, Reduce, ReduceKind, Reshape,
    Select, Slice, Unary,
};
use thalweg_graph::{Class, NoStates, Reference, Shape, Tensor, Value, reachable};

/// Rewrites `roots` to equal tensors made of fewer ops. Without `optional` rewrites only reductions are brought into the
/// form that executors know, which is what fixes their order: the one rewrite that a plan cannot do without.
pub fn simplify(roots: &[Tensor], optional: bool) -> Vec<Tensor> {
    let mut new: HashMap<u64, Tensor> = HashMap::new();
    let mut seen: HashMap<(String, Vec<u64>), Tensor> = HashMap::new();
    for node in reachable(roots) {
        let inputs: Vec<Tensor> = node.inputs().iter().map(|t| new[&t.id()].clone()).collect();
        let moved = inputs.iter().zip(node.inputs()).any(|(a, b)| a.id() != b.id());
        let rebuilt = if moved { node.with_inputs(&inputs) } else { node.clone() };
        if !optional {
            new.insert(node.id(), order_reduction(&rebuilt).unwrap_or(rebuilt));
            continue;
        }
        let mut simple = rewrite(&rebuilt);
        if let Some(key) = simple.op().key() {
            let inputs = simple.inputs().iter().map(Tensor::id).collect();
            simple = seen.entry((key, inputs)).or_insert(simple).clone();
        }
        new.insert(node.id(), simple);
    }
    roots.iter().map(|t| new[&t.id()].clone()).collect()
}

/// The number that `t` holds everywhere, where it does.
fn splat(t: &Tensor) -> Option<f64> {
    match t.op().downcast::<Full>() {
        Some(full) => Some(t.dtype().round_float(full.value)),
        None if t.op().downcast::<Broadcast>().is_some() => splat(&t.inputs()[0]),
        None => None,
    }
}

fn is(t: &Tensor, number: f64) -> bool {
    splat(t).is_some_and(|x| x == number && x.is_sign_negative() == number.is_sign_negative())
}

fn rewrite(t: &Tensor) -> Tensor {
    fold(t)
        .or_else(|| algebra(t))
        .or_else(|| movement(t))
        .or_else(|| slice_of_pad(t))
        .or_else(|| order_reduction(t))
        .unwrap_or(t.clone())
}

/// Constants computed now. Only ops whose kernels are correctly rounded take part: the fast `exp` may
/// differ from the reference in the last bit, and folding must not change a bit.
fn fold(t: &Tensor) -> Option<Tensor> {
    const SMALL: usize = 4096;
    let exact = match t.op().class() {
        Class::Map(thalweg_graph::Map::Unary(op)) => matches!(
            op,
            Unary::Neg | Unary::Abs | Unary::Sign | Unary::Sqrt | Unary::Relu | Unary::Not
        ),
        Class::Map(thalweg_graph::Map::Binary(op)) => op != Binary::Pow,
        Class::Map(thalweg_graph::Map::Iota { .. }) => false,
        Class::Map(_) => true,
        _ => false,
    };
    if !exact || t.inputs().is_empty() || t.numel() > SMALL {
        return None;
    }
    if let Some(values) = t.inputs().iter().map(splat).collect::<Option<Vec<f64>>>() {
        let scalars: Vec<Tensor> = (values.iter().zip(t.inputs()))
            .map(|(&x, input)| Tensor::full(x, input.dtype(), Shape::scalar()))
            .collect();
        let scalar = t.with_inputs(&scalars);
        let value = Reference::new().evaluate(&[scalar], &[], &NoStates).ok()?;
        return Some(Tensor::full(*value[0].floats().first()?, t.dtype(), t.shape()));
    }
    let constant = |t: &Tensor| t.op().downcast::<Constant>().is_some() || splat(t).is_some();
    if !t.inputs().iter().all(constant) {
        return None;
    }
    let value = Reference::new().evaluate(std::slice::from_ref(t), &[], &NoStates).ok()?;
    Some(Tensor::constant(value.first()?.to_value()))
}

fn algebra(t: &Tensor) -> Option<Tensor> {
    let inputs = t.inputs();
    if let Some(op) = t.op().downcast::<Binary>() {
        let (a, b) = (&inputs[0], &inputs[1]);
        // x + (−0) and x − 0 keep every x, even −0; x + 0 does not: (−0) + 0 is +0.
        return match op {
            Binary::Add if is(b, -0.0) => Some(a.clone()),
            Binary::Add if is(a, -0.0) => Some(b.clone()),
            Binary::Sub if is(b, 0.0) => Some(a.clone()),
            Binary::Mul | Binary::Div if is(b, 1.0) => Some(a.clone()),
            Binary::Mul if is(a, 1.0) => Some(b.clone()),
            Binary::Mul if is(b, -1.0) && t.dtype().is_float() => Some(a.neg()),
            Binary::Mul if is(a, -1.0) && t.dtype().is_float() => Some(b.neg()),
            _ => None,
        };
    }
    if t.op().downcast::<Select>().is_some() {
        if inputs[1].id() == inputs[2].id() {
            return Some(inputs[1].clone());
        }
        return splat(&inputs[0]).map(|cond| inputs[if cond != 0.0 { 1 } else { 2 }].clone());
    }
    let inner = inputs.first()?;
    match (t.op().downcast::<Unary>(), inner.op().downcast::<Unary>()) {
        (Some(Unary::Neg), Some(Unary::Neg)) | (Some(Unary::Not), Some(Unary::Not)) => {
            return Some(inner.inputs()[0].clone());
        }
        (Some(Unary::Relu | Unary::Abs), Some(Unary::Relu)) => return Some(inner.clone()),
        _ => {}
    }
    if t.op().downcast::<Detach>().is_some()
        || (t.op().downcast::<Cast>().is_some() && inner.dtype() == t.dtype())
    {
        return Some(inner.clone());
    }
    None
}

/// Movements of one number are that number; two movements of one kind are one.
fn movement(t: &Tensor) -> Option<Tensor> {
    if t.op().class() != Class::View {
        return None;
    }
    let inner = &t.inputs()[0];
    if let Some(x) = splat(inner) {
        return Some(Tensor::full(x, t.dtype(), t.shape()));
    }
    if t.op().downcast::<Reshape>().is_some() {
        if t.shape() == inner.shape() {
            return Some(inner.clone());
        }
        if inner.op().downcast::<Reshape>().is_some() {
            return Some(inner.inputs()[0].reshape(t.shape()));
        }
        if let Some(Constant(value)) = inner.op().downcast() {
            return Value::clone(value).reshaped(t.shape()).map(Tensor::constant);
        }
    }
    if t.op().downcast::<Broadcast>().is_some() {
        if t.shape() == inner.shape() {
            return Some(inner.clone());
        }
        if inner.op().downcast::<Broadcast>().is_some() {
            return Some(inner.inputs()[0].broadcast_to(t.shape()));
        }
    }
    if let (Some(outer), Some(first)) =
        (t.op().downcast::<Permute>(), inner.op().downcast::<Permute>())
    {
        let order: Vec<isize> = outer.order.iter().map(|&a| first.order[a] as isize).collect();
        return Some(inner.inputs()[0].permute(&order));
    }
    None
}

/// A slice of a padded tensor is a padded slice: the tensor's own where it lies inside, one number where it lies outside. A
/// slice of a sum of padded tensors, which is how the cotangents of several slices of one result come together,
/// is the sum of the slices. What nobody reads of such cotangents is then never made.
fn slice_of_pad(t: &Tensor) -> Option<Tensor> {
    let slice = t.op().downcast::<Slice>()?;
    let inner = &t.inputs()[0];
    if slice.steps.iter().any(|&step| step != 1) {
        return None;
    }
    if inner.op().downcast::<Binary>() == Some(&Binary::Add) && t.numel() < inner.numel() {
        let [a, b] = [0, 1].map(|i| t.with_inputs(&inner.inputs()[i..=i]));
        let [x, y] = [&a, &b].map(slice_of_pad);
        return (x.is_some() || y.is_some()).then(|| x.unwrap_or(a) + y.unwrap_or(b));
    }
    let pad = inner.op().downcast::<Pad>().filter(|pad| pad.steps.iter().all(|&step| step == 1))?;
    let mut source = inner.inputs()[0].clone();
    let (mut before, mut after) = (vec![], vec![]);
    for axis in 0..t.rank() {
        let (start, end) = (slice.starts[axis], slice.starts[axis] + slice.lens[axis]);
        let (first, past) = (pad.starts[axis], pad.starts[axis] + source.shape()[axis]);
        let (from, to) = (start.max(first), end.min(past));
        if from >= to {
            return Some(Tensor::full(pad.value, t.dtype(), t.shape()));
        }
        before.push(from - start);
        after.push(end - to);
        if (from, to) != (first, past) {
            source = source.narrow(axis as isize, from - first, to - from);
        }
    }
    let whole = before.iter().chain(&after).all(|&n| n == 0);
    let source = slice_of_pad(&source).unwrap_or(source);
    Some(if whole { source } else { source.pad(&before, &after, pad.value) })
}

/// A reduction as the executors know them: over trailing axes, or over leading ones. Axes of extent 1 are
/// dropped first; a sum over both ends is taken over the trailing axes, then over the leading ones; anything
/// else is moved to the end. This is the documented order of every reduction.
fn order_reduction(t: &Tensor) -> Option<Tensor> {
    let Reduce { kind, axes } = t.op().downcast::<Reduce>()?;
    let x = &t.inputs()[0];
    if kind.is_arg() {
        return None;
    }
    let reduce = |x: &Tensor, axes: Vec<usize>| {
        Tensor::from_op(Reduce { kind: *kind, axes }, std::slice::from_ref(x))
    };
    let dims = x.shape();
    if axes.is_empty() {
        return Some(x.clone());
    }
    if dims.contains(&1) {
        let squeezed: Vec<usize> = dims.iter().copied().filter(|&d| d != 1).collect();
        let place = |axis: usize| dims[..axis].iter().filter(|&&d| d != 1).count();
        let axes: Vec<usize> = axes.iter().filter(|&&a| dims[a] != 1).map(|&a| place(a)).collect();
        let x = x.reshape(squeezed);
        let done = if axes.is_empty() {
            x
        } else {
            {
                let inner = reduce(&x, axes);
                order_reduction(&inner).unwrap_or(inner)
            }
        };
        return Some(done.reshape(t.shape()));
    }
    let rank = dims.rank();
    let trailing = (0..axes.len()).rev().take_while(|&i| axes[i] + axes.len() == rank + i).count();
    if trailing == axes.len() {
        return None;
    }
    let leading = (0..axes.len()).take_while(|&i| axes[i] == i).count();
    if *kind == ReduceKind::Sum && leading == axes.len() {
        return None;
    }
    if *kind == ReduceKind::Sum && leading + trailing == axes.len() {
        let inner = reduce(x, axes[leading..].to_vec());
        return Some(reduce(&inner, axes[..leading].to_vec()));
    }
    let order: Vec<isize> = ((0..rank).filter(|a| !axes.contains(a)))
        .chain(axes.iter().copied())
        .map(|a| a as isize)
        .collect();
    Some(reduce(&x.permute(&order), (rank - axes.len()..rank).collect()))
}

/// Gives every reduction to one number an operand of its own, where that is cheap to compute twice. The square of a
/// gradient is wanted by the global norm, on which all updates wait, and by the update itself: sharing it would tie the
/// two into one program, and the update could not be written in place.
pub fn unshare(roots: &[Tensor]) -> Vec<Tensor> {
    let nodes = reachable(roots);
    let mut uses: HashMap<u64, usize> = HashMap::new();
    for input in nodes.iter().flat_map(|n| n.inputs()) {
        *uses.entry(input.id()).or_default() += 1;
    }
    let mut new: HashMap<u64, Tensor> = HashMap::new();
    for node in &nodes {
        let mut inputs: Vec<Tensor> = node.inputs().iter().map(|t| new[&t.id()].clone()).collect();
        let to_one = node.op().downcast::<Reduce>().is_some() && node.numel() == 1;
        let original = node.inputs().first();
        if let Some(operand) = original.filter(|t| to_one && uses[&t.id()] > 1 && is_cheap(t)) {
            inputs[0] = inputs[0].with_inputs(new[&operand.id()].inputs());
        }
        let moved = inputs.iter().zip(node.inputs()).any(|(a, b)| a.id() != b.id());
        new.insert(node.id(), if moved { node.with_inputs(&inputs) } else { node.clone() });
    }
    roots.iter().map(|t| new[&t.id()].clone()).collect()
}

fn is_cheap(t: &Tensor) -> bool {
    let arithmetic = [Binary::Add, Binary::Sub, Binary::Mul];
    t.op().downcast::<Binary>().is_some_and(|op| arithmetic.contains(op))
}

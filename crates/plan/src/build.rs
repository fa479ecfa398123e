//! From tensors to a plan: simplify, locate, fuse, order, emit, place in memory.

use std::collections::HashMap;
use std::sync::Arc;

use thalweg_graph::ops::{Concat, Constant, Full, Input, Pad, State};
use thalweg_graph::{Error, ErrorKind, Layer, Layout, OpError, StateId, Tensor, reachable, verify};

use crate::emit::{Leaving, copy, emit};
use crate::fuse::{Fusion, inputs};
use crate::locate::{Graph, Node, Role};
use crate::memory;
use crate::plan::{Buffer, Call, Home, Kernel, MatMul, Matrix, Plan, Step};
use crate::recompute::{Copies, recompute};
use crate::row::BufferId;
use crate::simplify::{simplify, unshare};

/// Passes that can be switched off to find a wrong one. All are on by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passes {
    /// Rewrite the graph to fewer ops.
    pub simplify: bool,
    /// Fuse elementwise chains and reductions.
    pub fuse: bool,
    /// Let buffers share memory when their lifetimes allow it, and write states in place.
    pub reuse: bool,
}

impl Default for Passes {
    fn default() -> Self {
        Passes { simplify: true, fuse: true, reuse: true }
    }
}

/// Something that runs as a whole, one or more kernels.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Unit {
    Group(usize),
    Node(Node),
}

/// Arranges the computation of `outputs`, and of the new values of states in `updates`.
pub fn plan(
    outputs: &[Tensor],
    updates: &[(StateId, Tensor)],
    passes: Passes,
) -> Result<Plan, Error> {
    let mut roots: Vec<Tensor> = outputs.to_vec();
    roots.extend(updates.iter().map(|(_, t)| t.clone()));
    if let Some(error) = roots.iter().find_map(Tensor::error) {
        return Err(error.clone());
    }
    roots = simplify(&roots, passes.simplify);
    let mut copies = Copies::new();
    if passes.fuse {
        (roots, copies) = recompute(&unshare(&roots));
    }
    if let Some(error) = roots.iter().find_map(Tensor::error) {
        return Err(error.clone());
    }
    if cfg!(debug_assertions) {
        verify(&roots)?;
    }
    let graph = Graph::new(reachable(&roots), &roots);
    let fusion = Fusion::new(&graph, passes.fuse, &copies);
    Builder::new(&graph, &fusion, passes).build(
        &roots[..outputs.len()],
        updates,
        &roots[outputs.len()..],
    )
}

/// A plan in the making.
pub(crate) struct Builder<'a> {
    pub graph: &'a Graph,
    pub fusion: &'a Fusion,
    passes: Passes,
    pub units: Vec<Unit>,
    /// The unit that computes a node.
    pub unit_of: Vec<Option<usize>>,
    /// The units that read the memory of a node.
    readers: Vec<Vec<usize>>,
    buffers: Vec<Buffer>,
    pub buffer_of: HashMap<Node, BufferId>,
    state_buffers: HashMap<StateId, BufferId>,
    inputs: Vec<Tensor>,
    states: Vec<Tensor>,
}

impl<'a> Builder<'a> {
    fn new(graph: &'a Graph, fusion: &'a Fusion, passes: Passes) -> Self {
        let mut units: Vec<(Node, Unit)> = vec![];
        for (i, group) in fusion.groups.iter().enumerate() {
            let all = group.members.iter().map(|m| m.0).chain(group.column_sums.iter().copied());
            if let Some(last) = all.max() {
                units.push((last, Unit::Group(i)));
            }
        }
        for node in 0..graph.nodes.len() {
            if matches!(graph.role(node), Role::MatMul | Role::Assembled | Role::Call) {
                units.push((node, Unit::Node(node)));
            }
        }
        units.sort_unstable_by_key(|u| u.0);
        let units: Vec<Unit> = units.into_iter().map(|u| u.1).collect();
        let mut unit_of = vec![None; graph.nodes.len()];
        for (i, unit) in units.iter().enumerate() {
            match *unit {
                Unit::Node(node) => unit_of[node] = Some(i),
                Unit::Group(g) => {
                    let group = &fusion.groups[g];
                    group.members.iter().for_each(|m| unit_of[m.0] = Some(i));
                    group.column_sums.iter().for_each(|&n| unit_of[n] = Some(i));
                }
            }
        }
        let mut builder = Builder {
            graph,
            fusion,
            passes,
            units,
            unit_of,
            readers: vec![vec![]; graph.nodes.len()],
            buffers: vec![],
            buffer_of: HashMap::new(),
            state_buffers: HashMap::new(),
            inputs: vec![],
            states: vec![],
        };
        for unit in 0..builder.units.len() {
            for node in builder.nodes_of(unit) {
                inputs(graph, node).for_each(|root| builder.readers[root].push(unit));
            }
        }
        builder
    }

    fn build(
        mut self,
        outputs: &[Tensor],
        updates: &[(StateId, Tensor)],
        values: &[Tensor],
    ) -> Result<Plan, Error> {
        for node in 0..self.graph.nodes.len() {
            self.give_home(node);
        }
        let mut targets = vec![];
        for (&(id, ref tensor), value) in updates.iter().zip(values) {
            let node = self.graph.node(value);
            let root = self.graph.located[node].root;
            targets.push((self.state_buffer(id, tensor)?, root, node));
        }

        // States that their producer can write in place; the rest is copied at the end.
        let in_place: Vec<bool> = match self.passes.reuse {
            true => targets.iter().map(|&(_, root, node)| self.writes_itself(root, node)).collect(),
            false => vec![false; targets.len()],
        };
        let (order, in_place) = self.order(&targets, in_place);

        let mut steps = vec![];
        // A given value that leaves the plan is set aside before anything is overwritten.
        let mut set_aside: HashMap<Node, BufferId> = HashMap::new();
        let leaving: Vec<Node> = outputs.iter().map(|t| self.graph.node(t)).collect();
        for node in leaving.iter().copied().chain(targets.iter().map(|t| t.2)) {
            let root = self.graph.located[node].root;
            if self.graph.nodes[root].op().downcast::<State>().is_some()
                && !set_aside.contains_key(&root)
            {
                let buffer = self.arena(root);
                let layout = Layout::contiguous(self.graph.nodes[root].shape());
                let dtype = self.graph.nodes[root].dtype();
                let kernel = copy(Ok((self.buffer_of[&root], &layout)), (buffer, &layout), dtype);
                steps.push(self.step(root, Kernel::Rows(kernel)));
                set_aside.insert(root, buffer);
            }
        }
        for &unit in &order {
            self.unit_steps(unit, &targets, &in_place, outputs, &mut steps);
        }
        for (&(buffer, root, node), _) in targets.iter().zip(&in_place).filter(|(_, done)| !**done)
        {
            let from = set_aside.get(&root).copied().unwrap_or_else(|| self.buffer_of[&root]);
            let layout = &self.graph.located[node].layout;
            let to = Layout::contiguous(&layout.shape);
            let dtype = self.graph.nodes[root].dtype();
            steps.push(
                self.step(node, Kernel::Rows(copy(Ok((from, layout)), (buffer, &to), dtype))),
            );
        }
        let outputs: Vec<(BufferId, usize)> = leaving
            .iter()
            .map(|&node| {
                let located = &self.graph.located[node];
                let buffer = set_aside.get(&located.root).copied();
                (buffer.unwrap_or_else(|| self.buffer_of[&located.root]), located.layout.offset)
            })
            .collect();
        let shapes = leaving.iter().map(|&n| self.graph.nodes[n].shape().clone()).collect();
        let kept: Vec<BufferId> = outputs.iter().map(|o| o.0).collect();
        let arena_bytes = memory::place(&mut self.buffers, &steps, &kept, self.passes.reuse);
        Ok(Plan {
            buffers: self.buffers,
            steps,
            inputs: self.inputs,
            states: self.states,
            outputs,
            output_shapes: shapes,
            arena_bytes,
        })
    }

    /// Memory for a root that is given, or that somebody else than its own program reads.
    fn give_home(&mut self, node: Node) {
        let tensor = &self.graph.nodes[node];
        let home = match self.graph.role(node) {
            Role::View => return,
            Role::Given => {
                if let Some(Constant(value)) = tensor.op().downcast() {
                    Home::Constant(Arc::clone(value))
                } else if let Some(state) = tensor.op().downcast::<State>() {
                    if let Some(&buffer) = self.state_buffers.get(&state.id) {
                        self.buffer_of.insert(node, buffer);
                        return;
                    }
                    self.state_buffers.insert(state.id, self.buffers.len());
                    self.states.push(tensor.clone());
                    Home::State(self.states.len() - 1)
                } else if tensor.op().downcast::<Input>().is_some() {
                    self.inputs.push(tensor.clone());
                    Home::Input(self.inputs.len() - 1)
                } else {
                    debug_assert!(tensor.op().downcast::<Full>().is_some());
                    return;
                }
            }
            _ => Home::Arena(0),
        };
        self.buffer_of.insert(node, self.buffers.len());
        self.buffers.push(Buffer { home, dtype: tensor.dtype(), len: tensor.numel() });
    }

    fn state_buffer(&mut self, id: StateId, value: &Tensor) -> Result<BufferId, Error> {
        if let Some(&buffer) = self.state_buffers.get(&id) {
            let state = &self.buffers[buffer];
            if state.len != value.numel() || state.dtype != value.dtype() {
                let (want, got) = (state.dtype, value.dtype());
                let what = format!(
                    "a state of {} {want} elements cannot take {got}{}",
                    state.len,
                    value.shape()
                );
                return Err(value.error_here(OpError::new(ErrorKind::Shape, what)));
            }
            return Ok(buffer);
        }
        let (dtype, len) = (value.dtype(), value.numel());
        self.states.push(Tensor::state(id, "updated", dtype, value.shape()));
        self.buffers.push(Buffer { home: Home::State(self.states.len() - 1), dtype, len });
        self.state_buffers.insert(id, self.buffers.len() - 1);
        Ok(self.buffers.len() - 1)
    }

    fn arena(&mut self, like: Node) -> BufferId {
        let tensor = &self.graph.nodes[like];
        self.buffers.push(Buffer {
            home: Home::Arena(0),
            dtype: tensor.dtype(),
            len: tensor.numel(),
        });
        self.buffers.len() - 1
    }

    /// True where the program that computes `root` may store straight into the state.
    fn writes_itself(&self, root: Node, node: Node) -> bool {
        let fused = self.graph.role(root) == Role::Fused;
        let Some(group) = self.fusion.group_of[root].map(|g| &self.fusion.groups[g]) else {
            return false;
        };
        let identity = {
            let layout = &self.graph.located[node].layout;
            layout.offset == 0 && layout.is_contiguous()
        };
        fused && identity && group.members.iter().any(|m| m.0 == root)
    }

    pub fn nodes_of(&self, unit: usize) -> Vec<Node> {
        match self.units[unit] {
            Unit::Node(node) => vec![node],
            Unit::Group(g) => {
                let group = &self.fusion.groups[g];
                group.members.iter().map(|m| m.0).chain(group.column_sums.iter().copied()).collect()
            }
        }
    }

    fn step(&self, node: Node, kernel: Kernel) -> Step {
        let tensor = &self.graph.nodes[node];
        let layer: Option<Arc<Layer>> = tensor.layer().cloned();
        Step { kernel, name: tensor.op().name(), layer }
    }

    fn unit_steps(
        &mut self,
        unit: usize,
        targets: &[(BufferId, Node, Node)],
        in_place: &[bool],
        outputs: &[Tensor],
        steps: &mut Vec<Step>,
    ) {
        match self.units[unit] {
            Unit::Group(g) => {
                let group = self.fusion.groups[g].clone();
                let mut leaving = vec![];
                for node in self.nodes_of(unit) {
                    let mut buffers = vec![];
                    if self.read_outside(unit, node, targets, in_place, outputs) {
                        buffers.push(self.buffer_of[&node]);
                    }
                    let written = targets.iter().zip(in_place).filter(|(t, p)| **p && t.1 == node);
                    buffers.extend(written.map(|(t, _)| t.0));
                    if !buffers.is_empty() {
                        leaving.push(Leaving { node, buffers });
                    }
                }
                let name_of = |root: Node| self.buffer_of[&root];
                let program = emit(self.graph, &group, &leaving, &name_of);
                let last = group.members.last().map(|m| m.0).or(group.column_sums.last().copied());
                if let Some(last) = last {
                    steps.push(self.step(last, Kernel::Rows(program)));
                }
            }
            Unit::Node(node) => {
                for kernel in self.node_kernels(node) {
                    steps.push(self.step(node, kernel));
                }
            }
        }
    }

    /// True where somebody reads the memory of `node`: another unit, an output, a copy into a state.
    fn read_outside(
        &self,
        unit: usize,
        node: Node,
        targets: &[(BufferId, Node, Node)],
        in_place: &[bool],
        outputs: &[Tensor],
    ) -> bool {
        let by_unit = self.readers[node].iter().any(|&reader| reader != unit);
        let by_output = outputs.iter().any(|t| self.graph.located[self.graph.node(t)].root == node);
        let by_copy = targets.iter().zip(in_place).any(|(t, done)| !done && t.1 == node);
        by_unit || by_output || by_copy
    }

    fn node_kernels(&self, node: Node) -> Vec<Kernel> {
        let tensor = &self.graph.nodes[node];
        let to = self.buffer_of[&node];
        let source = |i: usize| {
            let from = self.graph.input(node, i);
            match self.graph.nodes[from.root].op().downcast::<Full>() {
                Some(full) if !self.graph.copied[from.root] => Err(full.value),
                _ => Ok((self.buffer_of[&from.root], &from.layout)),
            }
        };
        let own = Layout::contiguous(tensor.shape());
        if let Some(pad) = tensor.op().downcast::<Pad>() {
            let window = pad.window(tensor.inputs()[0].shape());
            let mut kernels = vec![Kernel::Rows(copy(Err(pad.value), (to, &own), tensor.dtype()))];
            let shape = tensor.inputs()[0].shape();
            if let Some(inside) = thalweg_graph::Op::view(&window, &own, shape) {
                kernels.push(Kernel::Rows(copy(source(0), (to, &inside), tensor.dtype())));
            }
            return kernels;
        }
        if let Some(concat) = tensor.op().downcast::<Concat>() {
            let mut start = 0;
            let parts = tensor.inputs().iter().enumerate().map(|(i, part)| {
                let mut inside = own.clone();
                inside.offset = start * own.strides[concat.axis] as usize;
                inside.shape = part.shape().clone();
                start += part.shape()[concat.axis];
                Kernel::Rows(copy(source(i), (to, &inside), tensor.dtype()))
            });
            return parts.collect();
        }
        if self.graph.role(node) == Role::MatMul {
            let matrix = |i: usize| {
                let from = self.graph.input(node, i);
                let rank = from.layout.shape.rank();
                Matrix {
                    buffer: self.buffer_of[&from.root],
                    offset: from.layout.offset,
                    batch_strides: from.layout.strides[..rank - 2].to_vec(),
                    row_stride: from.layout.strides[rank - 2],
                    col_stride: from.layout.strides[rank - 1],
                }
            };
            let rank = tensor.rank();
            return vec![Kernel::MatMul(MatMul {
                dtype: tensor.dtype(),
                batch: tensor.shape()[..rank - 2].to_vec(),
                m: tensor.shape()[rank - 2],
                n: tensor.shape()[rank - 1],
                k: tensor.inputs()[0].shape()[rank - 1],
                a: matrix(0),
                b: matrix(1),
                to,
            })];
        }
        let inputs = (0..tensor.inputs().len())
            .map(|i| {
                let from = self.graph.input(node, i);
                (self.buffer_of[&from.root], from.layout.clone())
            })
            .collect();
        vec![Kernel::Call(Call { tensor: tensor.clone(), inputs, to })]
    }
}

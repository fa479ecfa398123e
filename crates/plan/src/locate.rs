//! Where every node's elements lie: the node whose memory holds them (its *root*) and a layout in it.
//!
//! Movements change the layout and keep the root, so they cost nothing. Where a consumer needs contiguous
//! memory, or where strides cannot say a reshape, the node becomes a root of its own: a copy.

use std::collections::HashMap;

use thalweg_graph::ops::{Concat, Full, Pad, Reduce};
use thalweg_graph::{Class, Layout, Tensor};

/// A node by its place in [`Graph::nodes`].
pub type Node = usize;

/// Where a node's elements lie.
#[derive(Clone, Debug)]
pub struct Located {
    /// The node whose memory holds them.
    pub root: Node,
    /// Their places in it.
    pub layout: Layout,
}

/// A graph with the place of each node's elements.
pub struct Graph {
    /// Every node, inputs before users.
    pub nodes: Vec<Tensor>,
    /// Where each lies.
    pub located: Vec<Located>,
    /// Movements and constants that must be written to memory of their own.
    pub copied: Vec<bool>,
    index: HashMap<u64, Node>,
}

/// How a node is computed, as far as arranging it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Given: an input, a state, a constant, or one number.
    Given,
    /// A movement whose elements lie in its root.
    View,
    /// Computed by a row program: elementwise, a reduction, or a copy.
    Fused,
    /// A matrix product.
    MatMul,
    /// Parts written side by side: concatenation, padding.
    Assembled,
    /// Its own kernel.
    Call,
}

impl Graph {
    /// Locates `nodes` (inputs before users); `outputs` are roots that must be readable as memory.
    pub fn new(nodes: Vec<Tensor>, outputs: &[Tensor]) -> Graph {
        let index = nodes.iter().enumerate().map(|(i, t)| (t.id(), i)).collect();
        let copied = vec![false; nodes.len()];
        let mut graph = Graph { nodes, located: vec![], copied, index };
        graph.locate();
        // A consumer that cannot read what it was given asks for a copy; copies change what lies where, so
        // this repeats until everybody is content.
        loop {
            let mut wanted = graph.unreadable();
            for output in outputs {
                let node = graph.node(output);
                let root = graph.located[node].root;
                // A row program can read one number, but it has no memory to be copied out of.
                if graph.nodes[root].op().downcast::<Full>().is_some() && !graph.copied[root] {
                    wanted.push(root);
                }
                if !graph.located[node].layout.is_contiguous() {
                    wanted.push(node);
                }
            }
            wanted.retain(|&n| !graph.copied[n]);
            if wanted.is_empty() {
                return graph;
            }
            wanted.into_iter().for_each(|n| graph.copied[n] = true);
            graph.locate();
        }
    }

    /// The place of a tensor among the nodes.
    pub fn node(&self, tensor: &Tensor) -> Node {
        self.index[&tensor.id()]
    }

    /// Where input `i` of `node` lies.
    pub fn input(&self, node: Node, i: usize) -> &Located {
        &self.located[self.node(&self.nodes[node].inputs()[i])]
    }

    /// How a node is computed.
    pub fn role(&self, node: Node) -> Role {
        let tensor = &self.nodes[node];
        match tensor.op().class() {
            _ if self.copied[node] => Role::Fused,
            Class::Source => Role::Given,
            Class::View => Role::View,
            Class::Map(_) => Role::Fused,
            Class::Reduce { kind, .. } if !kind.is_arg() => Role::Fused,
            Class::MatMul => Role::MatMul,
            _ if tensor.op().downcast::<Concat>().is_some() => Role::Assembled,
            _ if tensor.op().downcast::<Pad>().is_some() => Role::Assembled,
            _ => Role::Call,
        }
    }

    fn locate(&mut self) {
        self.located.clear();
        for node in 0..self.nodes.len() {
            let tensor = &self.nodes[node];
            let own = Located { root: node, layout: Layout::contiguous(tensor.shape()) };
            let moved =
                (self.role(node) == Role::View).then(|| self.input(node, 0)).and_then(|from| {
                    let layout = tensor.op().view(&from.layout, tensor.shape())?;
                    Some(Located { root: from.root, layout })
                });
            if moved.is_none() && self.role(node) == Role::View {
                self.copied[node] = true;
            }
            self.located.push(moved.unwrap_or(own));
        }
    }

    /// Nodes whose elements a consumer cannot read where they lie.
    fn unreadable(&self) -> Vec<Node> {
        let mut wanted = vec![];
        for node in 0..self.nodes.len() {
            let role = self.role(node);
            let reduce = self.nodes[node].op().downcast::<Reduce>().filter(|_| role == Role::Fused);
            if let Some(reduce) = reduce {
                let input = self.node(&self.nodes[node].inputs()[0]);
                if !is_rows(&self.located[input].layout, &reduce.axes) {
                    wanted.push(input);
                }
            }
            if !matches!(role, Role::MatMul | Role::Call) {
                continue;
            }
            for (i, input) in self.nodes[node].inputs().iter().enumerate() {
                let input = self.node(input);
                let Located { root, layout } = &self.located[input];
                if self.nodes[*root].op().downcast::<Full>().is_some() && !self.copied[*root] {
                    wanted.push(*root);
                }
                let readable = match role {
                    Role::MatMul => is_matrix(layout),
                    _ => self.nodes[node].op().reads(i, layout),
                };
                if !readable {
                    wanted.push(input);
                }
            }
        }
        wanted
    }
}

/// True where a matrix product can read the layout: one of the last two axes is contiguous.
fn is_matrix(layout: &Layout) -> bool {
    let rank = layout.shape.rank();
    layout.shape[rank - 2..]
        .iter()
        .zip(&layout.strides[rank - 2..])
        .any(|(&d, &s)| s == 1 || d == 1)
}

/// True where rows and columns of a reduction over `axes`, trailing or leading, are evenly spaced.
fn is_rows(layout: &Layout, axes: &[usize]) -> bool {
    let rank = layout.shape.rank();
    let leading = axes.first() == Some(&0) && axes.len() < rank;
    let split = if leading { axes.len() } else { rank - axes.len() };
    let mut shape = layout.shape[..split].to_vec();
    shape.push(layout.shape[split..].iter().product());
    layout.reshape(&shape.into()).is_some()
}

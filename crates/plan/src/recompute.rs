//! Recomputation: what one program would store for a later one is computed a second time there, where that costs less
//! than the way through memory.
//!
//! A backward pass reads what the forward pass has computed on the way: of a GELU its argument, Φ and the exponential,
//! of a layer norm the centred and the normalised rows. Elementwise work on values that are in memory anyway is cheap, and
//! three tensors that live from the forward to the backward pass are not. The graph gets copies of such nodes; a copy
//! computes the same bits.

use std::collections::{BTreeMap, HashMap, HashSet};

use thalweg_graph::ops::{Binary, Full, Unary};
use thalweg_graph::{Class, Map, Tensor, reachable};

use crate::fuse::{Fusion, inputs};
use crate::locate::{Graph, Located, Node, Role};
use crate::row::Level;

/// The nodes that are copies, by their tensors, and which copies belong together.
pub type Copies = HashMap<u64, usize>;

/// Elements below which a tensor is still in the cache when it is read.
const SMALL: usize = 1 << 16;
/// What an element's way to memory or back costs, in multiplications.
const MOVE: f64 = 4.0;

/// Rewrites `roots` with copies where they pay.
pub fn recompute(roots: &[Tensor]) -> (Vec<Tensor>, Copies) {
    let graph = Graph::new(reachable(roots), roots);
    let fusion = Fusion::new(&graph, true, &Copies::new());
    let plans = Search::new(&graph, &fusion, roots).plans();
    rewrite(&graph, &fusion, roots, &plans)
}

/// What a group of nodes computes again instead of reading it.
type Plans = BTreeMap<usize, HashSet<Node>>;

struct Search<'a> {
    graph: &'a Graph,
    fusion: &'a Fusion,
    /// The groups that read each node, but for its own.
    readers: Vec<Vec<usize>>,
    /// Nodes that must be in memory whatever groups do.
    stored: Vec<bool>,
}

impl<'a> Search<'a> {
    fn new(graph: &'a Graph, fusion: &'a Fusion, roots: &[Tensor]) -> Self {
        let count = graph.nodes.len();
        let (mut readers, mut stored) = (vec![vec![]; count], vec![false; count]);
        for node in 0..count {
            for root in inputs(graph, node) {
                match fusion.group_of[node] {
                    Some(group) if fusion.group_of[root] == Some(group) => {}
                    Some(group) => readers[root].push(group),
                    None => stored[root] |= graph.role(node) != Role::View,
                }
            }
        }
        readers.iter_mut().for_each(|groups: &mut Vec<usize>| {
            groups.sort_unstable();
            groups.dedup();
        });
        roots.iter().for_each(|t| stored[graph.located[graph.node(t)].root] = true);
        Search { graph, fusion, readers, stored }
    }

    fn plans(&self) -> Plans {
        let mut plans = Plans::new();
        for reader in 0..self.fusion.groups.len() {
            // What the group reads of each other group.
            let mut read: BTreeMap<usize, Vec<Node>> = BTreeMap::new();
            for node in 0..self.graph.nodes.len() {
                if self.readers[node].contains(&reader)
                    && let Some(maker) = self.fusion.group_of[node]
                    && self.is_read_in_place(node, reader)
                {
                    read.entry(maker).or_default().push(node);
                }
            }
            for nodes in read.values() {
                if let Some(again) = self.again(reader, nodes) {
                    plans.entry(reader).or_default().extend(again);
                }
            }
        }
        plans
    }

    fn members(&self, group: usize) -> impl Iterator<Item = Node> + '_ {
        let group = &self.fusion.groups[group];
        group.members.iter().map(|m| m.0).chain(group.column_sums.iter().copied())
    }

    /// True where the group reads every element of `node`, in order.
    fn is_read_in_place(&self, node: Node, reader: usize) -> bool {
        let same = |from: &Located| {
            from.root != node || (from.layout.offset == 0 && from.layout.is_contiguous())
        };
        let numel = self.graph.nodes[node].numel();
        numel == self.fusion.groups[reader].space.numel()
            && numel >= SMALL
            && self.members(reader).all(|n| {
                (0..self.graph.nodes[n].inputs().len()).all(|i| same(self.graph.input(n, i)))
            })
    }

    /// The nodes to compute again in `reader` so that it need not read `nodes` of another group; `None` where that
    /// does not pay.
    fn again(&self, reader: usize, nodes: &[Node]) -> Option<HashSet<Node>> {
        let numel = self.graph.nodes[nodes[0]].numel();
        let is_free = |n: Node| self.is_free(n, numel, reader);
        let wanted: Vec<Node> = nodes.iter().copied().filter(|&n| is_free(n)).collect();
        let (mut again, mut loads) = (HashSet::new(), HashSet::new());
        let mut pending = wanted.clone();
        while let Some(node) = pending.pop() {
            if !again.insert(node) {
                continue;
            }
            for root in inputs(self.graph, node) {
                let is_number = self.graph.nodes[root].op().downcast::<Full>().is_some();
                match is_free(root) {
                    true => pending.push(root),
                    false if self.graph.nodes[root].numel() == numel && !is_number => {
                        loads.insert(root);
                    }
                    false => {}
                }
            }
        }
        let bytes = |n: &Node| self.graph.nodes[*n].dtype().size() as f64 / 4.0;
        // Neither stored nor loaded.
        let spared: f64 = wanted.iter().map(|n| 2.0 * bytes(n)).sum();
        let new = |n: &&Node| !self.readers[**n].contains(&reader);
        let added: f64 = loads.iter().filter(new).map(bytes).sum();
        let work: f64 = again.iter().map(|&n| cost(&self.graph.nodes[n])).sum();
        (MOVE * (spared - added) > work).then_some(again)
    }

    /// True where the node is elementwise and in memory for this group alone, or not at all.
    fn is_free(&self, node: Node, numel: usize, reader: usize) -> bool {
        let level =
            |g: usize| self.fusion.groups[g].members.iter().find(|m| m.0 == node).map(|m| m.1);
        let map = matches!(self.graph.nodes[node].op().class(), Class::Map(_));
        map && !self.graph.copied[node]
            && !self.stored[node]
            && self.readers[node].iter().all(|&g| g == reader)
            && self.graph.nodes[node].numel() == numel
            && self.fusion.group_of[node].and_then(level) == Some(Level::Full)
    }
}

/// What an element costs, in multiplications.
fn cost(t: &Tensor) -> f64 {
    match t.op().class() {
        Class::Map(Map::Unary(op)) => match op {
            Unary::Neg | Unary::Abs | Unary::Relu | Unary::Not => 1.0,
            Unary::Sqrt => 3.0,
            _ => 5.0,
        },
        Class::Map(Map::Binary(Binary::Pow)) => 20.0,
        Class::Map(Map::Binary(Binary::Div)) => 2.0,
        _ => 1.0,
    }
}

fn rewrite(
    graph: &Graph,
    fusion: &Fusion,
    roots: &[Tensor],
    plans: &Plans,
) -> (Vec<Tensor>, Copies) {
    let mut new: HashMap<u64, Tensor> = HashMap::new();
    let mut copies = Copies::new();
    let mut copied: HashMap<(usize, u64), Tensor> = HashMap::new();
    for (node, tensor) in graph.nodes.iter().enumerate() {
        let plan = fusion.group_of[node].and_then(|g| Some((g, plans.get(&g)?)));
        let mut copier = Copier { graph, new: &new, copied: &mut copied, copies: &mut copies };
        let inputs: Vec<Tensor> = match plan {
            Some((g, again)) => tensor.inputs().iter().map(|t| copier.input(g, again, t)).collect(),
            None => tensor.inputs().iter().map(|t| new[&t.id()].clone()).collect(),
        };
        new.insert(tensor.id(), with_inputs(tensor, &inputs));
    }
    (roots.iter().map(|t| new[&t.id()].clone()).collect(), copies)
}

fn with_inputs(tensor: &Tensor, inputs: &[Tensor]) -> Tensor {
    let moved = inputs.iter().zip(tensor.inputs()).any(|(a, b)| a.id() != b.id());
    if moved { tensor.with_inputs(inputs) } else { tensor.clone() }
}

struct Copier<'a> {
    graph: &'a Graph,
    new: &'a HashMap<u64, Tensor>,
    /// The copy of a tensor for a group.
    copied: &'a mut HashMap<(usize, u64), Tensor>,
    copies: &'a mut Copies,
}

impl Copier<'_> {
    /// What stands for `tensor` where `group` reads it, which computes the nodes `again`.
    fn input(&mut self, group: usize, again: &HashSet<Node>, tensor: &Tensor) -> Tensor {
        let node = self.graph.node(tensor);
        if !again.contains(&self.graph.located[node].root) {
            return self.new[&tensor.id()].clone();
        }
        if let Some(copy) = self.copied.get(&(group, tensor.id())) {
            return copy.clone();
        }
        let inputs: Vec<Tensor> =
            tensor.inputs().iter().map(|t| self.input(group, again, t)).collect();
        let copy = tensor.with_inputs(&inputs);
        self.copies.insert(copy.id(), group);
        self.copied.insert((group, tensor.id()), copy.clone());
        copy
    }
}

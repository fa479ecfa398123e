//! Fusion: which nodes become one row program.
//!
//! Walking the nodes in order, each elementwise node or reduction joins the group of one of its inputs
//! where it fits the group's iteration space and where joining makes no cycle between groups; groups that a
//! node would join together are merged. The result of a node stays in a register for its own group, and goes
//! to memory where anybody outside reads it.

use thalweg_graph::ops::{Full, Reduce, ReduceKind};
use thalweg_graph::{Class, Layout, Shape};

use crate::locate::{Graph, Located, Node, Role};
use crate::recompute::Copies;
use crate::row::Level;

/// Nodes that become one row program.
#[derive(Clone, Debug)]
pub struct Group {
    /// The iteration space.
    pub space: Shape,
    /// Where the space is cut into rows and columns; `None` as long as nothing is reduced.
    pub split: Option<usize>,
    /// The members in order, with the level of each.
    pub members: Vec<(Node, Level)>,
    /// Members that are summed over the rows.
    pub column_sums: Vec<Node>,
}

/// The groups, and which one each node belongs to.
pub struct Fusion {
    /// Every group; merged ones are empty.
    pub groups: Vec<Group>,
    /// The group of each node.
    pub group_of: Vec<Option<usize>>,
    /// The copy that each node belongs to, where it is one: see [`copies`](crate::recompute::Copies).
    copy_of: Vec<Option<usize>>,
    single: bool,
}

/// Registers of one program beyond which it is cut: a tile of each must fit into the first-level cache.
const MAX_MEMBERS: usize = 96;

/// Columns up to which a row stays in the cache while a program goes over it again. In longer rows nothing
/// elementwise may depend on a reduction of its own row: the program is cut there, and so every program
/// reads each row once.
pub const ROW_LIMIT: usize = 2048;

impl Fusion {
    /// Groups the nodes of `graph`; with `fuse` off every node is a group of its own. Nodes of one of the `copies` join
    /// no group but that of their copy, and those who read it.
    pub fn new(graph: &Graph, fuse: bool, copies: &Copies) -> Fusion {
        let count = graph.nodes.len();
        let copy_of = graph.nodes.iter().map(|t| copies.get(&t.id()).copied()).collect();
        let group_of = vec![None; count];
        let mut fusion = Fusion { groups: vec![], group_of, copy_of, single: !fuse };
        for node in 0..count {
            if graph.role(node) == Role::Fused {
                fusion.place(graph, node);
            }
        }
        if fuse {
            fusion.join_readers(graph);
        }
        fusion
    }

    /// Groups that read the same memory become one where they can, so that it is read once.
    fn join_readers(&mut self, graph: &Graph) {
        let mut readers: Vec<Vec<Node>> = vec![vec![]; graph.nodes.len()];
        for node in (0..graph.nodes.len()).filter(|&n| self.group_of[n].is_some()) {
            let is_memory = |&r: &Node| graph.nodes[r].op().downcast::<Full>().is_none();
            for root in inputs(graph, node).filter(is_memory) {
                if self.group_of[root] != self.group_of[node] {
                    readers[root].push(node);
                }
            }
        }
        for (root, readers) in readers.iter().enumerate() {
            let whole = |g: &usize| self.groups[*g].space.numel() == graph.nodes[root].numel();
            let mut groups: Vec<usize> = readers.iter().filter_map(|&n| self.group_of[n]).collect();
            groups.retain(whole);
            groups.sort_unstable();
            groups.dedup();
            for (i, &home) in groups.iter().enumerate() {
                for &other in &groups[i + 1..] {
                    self.try_merge(graph, home, other);
                }
            }
        }
    }

    fn place(&mut self, graph: &Graph, node: Node) {
        let mut joined = None;
        for candidate in self.candidates(graph, node) {
            match joined {
                None => {
                    let grown = self.with(graph, &self.groups[candidate], node);
                    if let Some(grown) = grown.filter(|_| !self.cyclic(graph, candidate, node)) {
                        self.groups[candidate] = grown;
                        self.group_of[node] = Some(candidate);
                        joined = Some(candidate);
                    }
                }
                Some(home) => self.try_merge(graph, home, candidate),
            }
        }
        if joined.is_none() {
            self.group_of[node] = Some(self.groups.len());
            self.groups.push(fresh(graph, node));
        }
    }

    /// Groups of the node's inputs, the latest first.
    fn candidates(&self, graph: &Graph, node: Node) -> Vec<usize> {
        if self.single {
            return vec![];
        }
        let roots = (0..graph.nodes[node].inputs().len()).map(|i| graph.input(node, i).root);
        let mut groups: Vec<usize> = roots.filter_map(|root| self.group_of[root]).collect();
        groups.sort_unstable_by(|a, b| b.cmp(a));
        groups.dedup();
        if let Some(copy) = self.copy_of[node] {
            let is_own = |&(n, _): &(Node, Level)| self.copy_of[n] == Some(copy);
            groups.retain(|&g| self.groups[g].members.iter().any(is_own));
        }
        groups
    }

    /// `group` with `node` added, where it fits.
    fn with(&self, graph: &Graph, group: &Group, node: Node) -> Option<Group> {
        if group.members.len() >= MAX_MEMBERS {
            return None;
        }
        let mut grown = group.clone();
        let tensor = &graph.nodes[node];
        if let Some(reduce) = tensor.op().downcast::<Reduce>().filter(|_| !graph.copied[node]) {
            let from = graph.input(node, 0);
            let (rows, columns) = cut(&from.layout.shape, reduce)?;
            let level = level_in(group, from.root)?;
            if level != Level::Full || !is_identity(&from.layout) {
                return None;
            }
            let split = (0..=group.space.rank()).find(|&k| {
                let (a, b) = (&group.space[..k], &group.space[k..]);
                a.iter().product::<usize>() == rows && b.iter().product::<usize>() == columns
            })?;
            if group.split.is_some_and(|s| s != split) {
                return None;
            }
            grown.split = Some(split);
            match is_trailing(&from.layout.shape, reduce) {
                true => grown.members.push((node, Level::Row)),
                false => grown.column_sums.push(node),
            }
            let fits =
                |&(member, level): &(Node, Level)| self.readable(graph, &grown, member, level);
            return grown.members.iter().all(fits).then_some(grown);
        }
        let row_count = group.split.map(|k| group.space[..k].iter().product::<usize>());
        let mut levels = vec![];
        if tensor.numel() == group.space.numel() {
            levels.push(Level::Full);
        }
        if row_count == Some(tensor.numel()) {
            levels.push(Level::Row);
        }
        let level = levels.into_iter().find(|&l| self.readable(graph, &grown, node, l))?;
        grown.members.push((node, level));
        Some(grown)
    }

    /// True where all inputs of a member at `level` can be read in the group's iteration space.
    fn readable(&self, graph: &Graph, group: &Group, node: Node, level: Level) -> bool {
        if graph.nodes[node].op().downcast::<Reduce>().is_some() && !graph.copied[node] {
            let from = graph.input(node, 0);
            return match level_in(group, from.root) {
                Some(have) => have == Level::Full && is_identity(&from.layout),
                None => access_layout(group, &from.layout, Level::Full).is_some(),
            };
        }
        let iota =
            matches!(graph.nodes[node].op().class(), Class::Map(thalweg_graph::Map::Iota { .. }));
        if iota {
            return access_layout(group, &iota_layout(graph, node), level).is_some();
        }
        let columns = group.split.map_or(1, |k| group.space[k..].iter().product());
        sources(graph, node).iter().all(|from| match level_in(group, from.root) {
            Some(Level::Row) if level == Level::Full && columns > ROW_LIMIT => false,
            // A sum over all rows is known when the program ends.
            None if group.column_sums.contains(&from.root) => false,
            Some(have) => is_register(group, have, level, &from.layout),
            None if graph.nodes[from.root].op().downcast::<Full>().is_some() => true,
            None => access_layout(group, &from.layout, level).is_some(),
        })
    }

    /// True where `node` reaches back into `group` through something outside of it.
    fn cyclic(&self, graph: &Graph, group: usize, node: Node) -> bool {
        let outside = |n: Node| self.group_of[n] != Some(group);
        let start: Vec<Node> = inputs(graph, node).filter(|&n| outside(n)).collect();
        self.reaches(graph, start, group)
    }

    /// True where a path leads from `start` (nodes or whole groups of them) back to `target`.
    fn reaches(&self, graph: &Graph, start: Vec<Node>, target: usize) -> bool {
        let mut seen = vec![false; graph.nodes.len()];
        let mut pending = start;
        while let Some(n) = pending.pop() {
            if std::mem::replace(&mut seen[n], true) {
                continue;
            }
            match self.group_of[n] {
                Some(g) if g == target => return true,
                // A group runs as a whole: reaching one member is reaching what all of them read.
                Some(g) => {
                    let group = &self.groups[g];
                    let all =
                        group.members.iter().map(|m| m.0).chain(group.column_sums.iter().copied());
                    for member in all {
                        seen[member] = true;
                        pending
                            .extend(inputs(graph, member).filter(|&i| self.group_of[i] != Some(g)));
                    }
                }
                None => pending.extend(inputs(graph, n)),
            }
        }
        false
    }

    /// Merges `other` into `home` where both walk one space and neither waits for the other.
    fn try_merge(&mut self, graph: &Graph, home: usize, other: usize) {
        let (a, b) = (&self.groups[home], &self.groups[other]);
        let compatible = a.space == b.space
            && (a.split.is_none() || b.split.is_none() || a.split == b.split)
            && a.members.len() + b.members.len() <= MAX_MEMBERS
            && !(a.members.is_empty() && a.column_sums.is_empty());
        if home == other || !compatible {
            return;
        }
        let outside = |from: &Group, own: usize| -> Vec<Node> {
            let all = from.members.iter().map(|m| m.0).chain(from.column_sums.iter().copied());
            all.flat_map(|n| inputs(graph, n).collect::<Vec<_>>())
                .filter(|&n| self.group_of[n] != Some(own))
                .collect()
        };
        // A direct edge between the two is what merging wants; a path through a third is a cycle.
        let through = |from: Vec<Node>, direct: usize, target: usize| {
            let indirect = from.into_iter().filter(|&n| self.group_of[n] != Some(direct)).collect();
            self.reaches(graph, indirect, target)
        };
        if through(outside(a, home), other, other) || through(outside(b, other), home, home) {
            return;
        }
        let mut merged = a.clone();
        merged.split = a.split.or(b.split);
        merged.members.extend(&b.members);
        merged.members.sort_unstable();
        merged.column_sums.extend(&b.column_sums);
        merged.column_sums.sort_unstable();
        let sums = merged.column_sums.iter().map(|&n| (n, Level::Full));
        let mut all = merged.members.iter().copied().chain(sums);
        if !all.all(|(n, level)| self.readable(graph, &merged, n, level)) {
            return;
        }
        for &(n, _) in &self.groups[other].members.clone() {
            self.group_of[n] = Some(home);
        }
        for n in self.groups[other].column_sums.clone() {
            self.group_of[n] = Some(home);
        }
        self.groups[home] = merged;
        self.groups[other] =
            Group { space: Shape::scalar(), split: None, members: vec![], column_sums: vec![] };
    }
}

/// The nodes that must have run before `node`: the roots of its inputs.
pub fn inputs(graph: &Graph, node: Node) -> impl Iterator<Item = Node> + '_ {
    sources(graph, node).into_iter().map(|from| from.root)
}

/// Where the inputs of a node lie; a copied movement reads the root behind it.
pub fn sources(graph: &Graph, node: Node) -> Vec<Located> {
    let tensor = &graph.nodes[node];
    let mut found: Vec<Located> =
        (0..tensor.inputs().len()).map(|i| graph.input(node, i).clone()).collect();
    if graph.copied[node] {
        for from in &mut found {
            // Where strides cannot say the movement, the input is contiguous memory of its own to the copy.
            if let Some(layout) = tensor.op().view(&from.layout, tensor.shape()) {
                from.layout = layout;
            }
        }
    }
    found
}

fn fresh(graph: &Graph, node: Node) -> Group {
    let tensor = &graph.nodes[node];
    match tensor.op().downcast::<Reduce>().filter(|_| !graph.copied[node]) {
        None => Group {
            // A copy walks its input as that lies, which strides may not be able to say in the new shape.
            space: match graph.copied[node] {
                true => sources(graph, node).first().map(|f| f.layout.shape.clone()),
                false => None,
            }
            .unwrap_or(tensor.shape().clone()),
            split: None,
            members: vec![(node, Level::Full)],
            column_sums: vec![],
        },
        Some(reduce) => {
            let space = graph.input(node, 0).layout.shape.clone();
            let trailing = is_trailing(&space, reduce);
            let split = if trailing { space.rank() - reduce.axes.len() } else { reduce.axes.len() };
            let (members, column_sums) =
                if trailing { (vec![(node, Level::Row)], vec![]) } else { (vec![], vec![node]) };
            Group { space, split: Some(split), members, column_sums }
        }
    }
}

fn is_trailing(shape: &Shape, reduce: &Reduce) -> bool {
    reduce.axes.first().is_none_or(|&first| first + reduce.axes.len() == shape.rank())
}

/// Rows and columns of a reduction over trailing axes, or of a sum over leading ones.
fn cut(shape: &Shape, reduce: &Reduce) -> Option<(usize, usize)> {
    let at = match is_trailing(shape, reduce) {
        true => shape.rank() - reduce.axes.len(),
        false if reduce.kind == ReduceKind::Sum => reduce.axes.len(),
        false => return None,
    };
    Some((shape[..at].iter().product(), shape[at..].iter().product()))
}

fn level_in(group: &Group, node: Node) -> Option<Level> {
    group.members.iter().find(|m| m.0 == node).map(|m| m.1)
}

fn is_identity(layout: &Layout) -> bool {
    layout.offset == 0 && layout.is_contiguous()
}

/// True where a register of level `have`, seen through `layout`, is what a member at `want` reads.
fn is_register(group: &Group, have: Level, want: Level, layout: &Layout) -> bool {
    if (have, want) == (Level::Row, Level::Full) {
        let Some(split) = group.split else { return false };
        let rows = Shape::from(&group.space[..split]);
        let mut repeated = rows.strides();
        repeated.resize(group.space.rank(), 0);
        let seen = layout.reshape(&group.space).filter(|l| l.offset == 0);
        return seen.is_some_and(|seen| {
            let axes = group.space.iter().zip(seen.strides.iter().zip(&repeated));
            axes.into_iter().all(|(&extent, (a, b))| extent == 1 || a == b)
        });
    }
    have == want && is_identity(layout)
}

/// `layout` as the group's iteration space walks it: over the space for a full member, over the rows for a
/// row-level one. `None` where strides cannot say it, or where the columns are not evenly spaced.
pub fn access_layout(group: &Group, layout: &Layout, level: Level) -> Option<Layout> {
    let split = group.split.unwrap_or(group.space.rank());
    match level {
        Level::Full => {
            let over_space = layout.reshape(&group.space)?;
            if group.split.is_some() {
                let mut rows_and_columns = group.space[..split].to_vec();
                rows_and_columns.push(group.space[split..].iter().product());
                over_space.reshape(&rows_and_columns.into())?;
            }
            Some(over_space)
        }
        _ => layout.reshape(&Shape::from(&group.space[..split])),
    }
}

/// The addresses that an iota node holds.
pub fn iota_layout(graph: &Graph, node: Node) -> Layout {
    let shape = graph.nodes[node].shape().clone();
    let mut strides = vec![0; shape.rank()];
    if let Class::Map(thalweg_graph::Map::Iota { axis }) = graph.nodes[node].op().class() {
        strides[axis] = 1;
    }
    Layout { shape, strides, offset: 0 }
}

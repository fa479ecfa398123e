//! From a group of nodes to a row program: axes that nobody tells apart are joined, members become
//! instructions, what is read outside becomes a store.

use std::collections::HashMap;

use thalweg_graph::ops::{Full, Reduce};
use thalweg_graph::{Class, DType, Layout, Map, Shape};

use crate::fuse::{Group, access_layout, iota_layout, sources};
use crate::locate::{Graph, Node};
use crate::row::{Access, BufferId, Code, ColumnSum, Instr, Level, Reg, RowProgram, Store};

/// A register that leaves the group, and the buffers it goes to.
pub struct Leaving {
    /// The member.
    pub node: Node,
    /// Contiguous buffers of the member's size.
    pub buffers: Vec<BufferId>,
}

/// The iteration axes of a program, and how each access walks them.
struct Axes {
    rows: Vec<usize>,
    cols: usize,
    accesses: Vec<Access>,
}

/// The row program of `group`. `buffer_of` names the memory of roots outside of it.
pub fn emit(
    graph: &Graph,
    group: &Group,
    leaving: &[Leaving],
    buffer_of: &dyn Fn(Node) -> BufferId,
) -> RowProgram {
    let mut body = Body { group, code: vec![], layouts: vec![], regs: HashMap::new() };
    for &(node, level) in &group.members {
        body.member(graph, node, level, buffer_of);
    }
    let sums: Vec<(Node, Reg)> = group
        .column_sums
        .iter()
        .map(|&node| (node, body.operand(graph, graph.input(node, 0), Level::Full, buffer_of)))
        .collect();
    let mut stores = vec![];
    let mut column_sums = vec![];
    for leaves in leaving {
        if let Some(&(_, reg)) = sums.iter().find(|(n, _)| *n == leaves.node) {
            column_sums.extend(leaves.buffers.iter().map(|&to| ColumnSum { reg, to }));
            continue;
        }
        let Some(&(_, level)) = group.members.iter().find(|m| m.0 == leaves.node) else { continue };
        let reg = body.regs[&(leaves.node, level)];
        let rows = Shape::from(&group.space[..group.split.unwrap_or(0)]);
        let shape = if level == Level::Full { &group.space } else { &rows };
        for &buffer in &leaves.buffers {
            body.layouts.push((buffer, Layout::contiguous(shape), level));
            stores.push((reg, body.layouts.len() - 1));
        }
    }
    let axes = join_axes(group, &body.layouts);
    let mut code = body.code;
    for instr in &mut code {
        if let Code::Load(access) | Code::Index(access) = &mut instr.code {
            *access = axes.accesses[access.buffer].clone();
            if instr.level == Level::Full && access.col_stride == 0 && axes.cols > 1 {
                let moves = access.row_strides.iter().any(|&s| s != 0);
                instr.level = if moves { Level::Row } else { Level::Uniform };
            }
        }
    }
    settle_levels(&mut code);
    let stores = stores.into_iter().map(|(reg, i)| Store { reg, to: axes.accesses[i].clone() });
    let stores = stores.collect();
    RowProgram { rows: axes.rows, cols: axes.cols, code, stores, column_sums }
}

/// A program that reads `from` and writes it to `to`, both laid out over one shape; reads the number
/// `fill` where there is nothing to read.
pub fn copy(
    from: Result<(BufferId, &Layout), f64>,
    to: (BufferId, &Layout),
    dtype: DType,
) -> RowProgram {
    let group =
        Group { space: to.1.shape.clone(), split: None, members: vec![], column_sums: vec![] };
    let mut layouts = vec![(to.0, to.1.clone(), Level::Full)];
    if let Ok((buffer, layout)) = from {
        layouts.push((buffer, layout.clone(), Level::Full));
    }
    let axes = join_axes(&group, &layouts);
    let code = match from {
        Ok(_) => Code::Load(axes.accesses[1].clone()),
        Err(fill) => Code::Imm(fill),
    };
    let level = if from.is_ok() { Level::Full } else { Level::Uniform };
    RowProgram {
        rows: axes.rows,
        cols: axes.cols,
        code: vec![Instr { code, dtype, level }],
        stores: vec![Store { reg: 0, to: axes.accesses[0].clone() }],
        column_sums: vec![],
    }
}

struct Body<'a> {
    group: &'a Group,
    code: Vec<Instr>,
    /// Every memory access: buffer, layout over the space (or over the rows), level. Until the axes are
    /// joined, an instruction names its access by its place in this list.
    layouts: Vec<(BufferId, Layout, Level)>,
    regs: HashMap<(Node, Level), Reg>,
}

impl Body<'_> {
    fn push(&mut self, code: Code, dtype: DType, level: Level) -> Reg {
        let instr = Instr { code, dtype, level };
        // Two reads of one place are one.
        let same = |i: &Instr| *i == instr && !matches!(i.code, Code::Map(..) | Code::Reduce(..));
        if let Some(reg) = self.code.iter().position(same) {
            return reg;
        }
        self.code.push(instr);
        self.code.len() - 1
    }

    fn access(&mut self, buffer: BufferId, layout: &Layout, level: Level) -> Access {
        let layout = access_layout(self.group, layout, level).unwrap_or_else(|| layout.clone());
        let entry = (buffer, layout, level);
        let place = self.layouts.iter().position(|l| *l == entry).unwrap_or_else(|| {
            self.layouts.push(entry);
            self.layouts.len() - 1
        });
        Access { buffer: place, offset: 0, row_strides: vec![], col_stride: 0 }
    }

    fn member(
        &mut self,
        graph: &Graph,
        node: Node,
        level: Level,
        buffer_of: &dyn Fn(Node) -> BufferId,
    ) {
        let tensor = &graph.nodes[node];
        let dtype = tensor.dtype();
        if let Some(full) = tensor.op().downcast::<Full>() {
            let reg = self.push(Code::Imm(dtype.round_float(full.value)), dtype, Level::Uniform);
            self.regs.insert((node, level), reg);
            return;
        }
        if let Some(reduce) = tensor.op().downcast::<Reduce>().filter(|_| !graph.copied[node]) {
            let from = self.operand(graph, graph.input(node, 0), Level::Full, buffer_of);
            let reg = self.push(Code::Reduce(reduce.kind, from), dtype, Level::Row);
            self.regs.insert((node, Level::Row), reg);
            return;
        }
        let reg = match tensor.op().class() {
            Class::Map(Map::Iota { .. }) if !graph.copied[node] => {
                let access = self.access(usize::MAX, &iota_layout(graph, node), level);
                self.push(Code::Index(access), dtype, level)
            }
            Class::Map(map) if !graph.copied[node] => {
                let regs = sources(graph, node)
                    .iter()
                    .map(|from| self.operand(graph, from, level, buffer_of))
                    .collect();
                self.push(Code::Map(map, regs), dtype, level)
            }
            _ => self.operand(graph, &sources(graph, node)[0], level, buffer_of),
        };
        self.regs.insert((node, level), reg);
    }

    fn operand(
        &mut self,
        graph: &Graph,
        from: &crate::locate::Located,
        level: Level,
        buffer_of: &dyn Fn(Node) -> BufferId,
    ) -> Reg {
        let root = &graph.nodes[from.root];
        let inside = [level, Level::Row].into_iter().find_map(|l| self.regs.get(&(from.root, l)));
        if let Some(&reg) = inside {
            return reg;
        }
        if let Some(full) = root.op().downcast::<Full>() {
            let number = root.dtype().round_float(full.value);
            return self.push(Code::Imm(number), root.dtype(), Level::Uniform);
        }
        let access = self.access(buffer_of(from.root), &from.layout, level);
        self.push(Code::Load(access), root.dtype(), level)
    }
}

/// Joins neighbouring axes that every access walks as one. Without a reduction the last axes become the
/// columns; with one the columns are what it reduces (or keeps, in a column sum).
fn join_axes(group: &Group, layouts: &[(BufferId, Layout, Level)]) -> Axes {
    let rank = group.space.rank();
    let split = group.split.unwrap_or(rank.saturating_sub(1));
    let cols: usize = group.space[split..].iter().product();
    let mut rows: Vec<usize> = group.space[..split].to_vec();
    // (row strides, column stride) of each access.
    let mut walks: Vec<(Vec<isize>, isize)> = layouts
        .iter()
        .map(|(_, layout, level)| {
            if *level != Level::Full {
                return (layout.strides.clone(), 0);
            }
            let mut shape = rows.clone();
            shape.push(cols);
            let mut strides =
                layout.reshape(&shape.into()).map_or(layout.strides.clone(), |l| l.strides);
            let col = strides.pop().unwrap_or(0);
            (strides, col)
        })
        .collect();
    let drop_axis = |rows: &mut Vec<usize>, walks: &mut Vec<(Vec<isize>, isize)>, axis: usize| {
        rows.remove(axis);
        walks.iter_mut().for_each(|(strides, _)| {
            strides.remove(axis);
        });
    };
    let mut axis = 0;
    while axis < rows.len() {
        if rows[axis] == 1 {
            drop_axis(&mut rows, &mut walks, axis);
        } else if axis > 0
            && walks.iter().all(|(s, _)| s[axis - 1] == s[axis] * rows[axis] as isize)
        {
            rows[axis] *= rows[axis - 1];
            drop_axis(&mut rows, &mut walks, axis - 1);
        } else {
            axis += 1;
        }
    }
    let mut cols = cols;
    if group.split.is_none() {
        while let Some(&last) = rows.last() {
            let at = rows.len() - 1;
            if cols == 1 {
                walks.iter_mut().for_each(|(s, col)| *col = s[at]);
            } else if walks.iter().any(|(s, col)| s[at] != *col * cols as isize) {
                break;
            }
            cols *= last;
            drop_axis(&mut rows, &mut walks, at);
        }
    }
    let accesses = layouts
        .iter()
        .zip(walks)
        .map(|((buffer, layout, _), (row_strides, col_stride))| Access {
            buffer: *buffer,
            offset: layout.offset,
            row_strides,
            col_stride,
        })
        .collect();
    Axes { rows, cols, accesses }
}

/// Lowers elementwise registers to the level of what they read: what is the same along a row is computed
/// once per row.
fn settle_levels(code: &mut [Instr]) {
    for at in 0..code.len() {
        if let Code::Map(_, regs) = &code[at].code
            && let Some(level) = regs.iter().map(|&r| code[r].level).max()
        {
            code[at].level = level;
        }
    }
}

//! What the interpreter does with a tile, one op after the other.

use thalweg_graph::DType;
use thalweg_plan::row::{Level, Reg};

use crate::kernels::{Fold, TileFn};

/// One op of a compiled row program.
#[derive(Clone, Copy)]
pub(super) enum TileOp {
    /// The register points at memory.
    Point {
        reg: Reg,
        walk: usize,
    },
    /// Elements are collected from memory.
    Gather {
        reg: Reg,
        walk: usize,
        level: Level,
    },
    /// Addresses become elements.
    Index {
        reg: Reg,
        walk: usize,
        level: Level,
        dtype: DType,
    },
    Run {
        f: TileFn,
        dst: Reg,
        args: [Reg; 3],
        level: Level,
    },
    /// As `Run`, row by row: operands advance by `steps` bytes, so that one may have an element for each row, or be the
    /// same for all.
    RunRows {
        f: TileFn,
        dst: Reg,
        args: [Reg; 3],
        steps: [isize; 3],
        dst_step: isize,
    },
    /// A choice that is the same for all elements: no element is touched.
    Choose {
        dst: Reg,
        cond: Reg,
        yes: Reg,
        no: Reg,
    },
    /// One element per row becomes one per place.
    Expand {
        f: TileFn,
        dst: Reg,
        src: Reg,
        size: usize,
    },
    /// A row reduction.
    Reduce {
        dst: Reg,
        src: Reg,
        fold: Fold,
        size: usize,
        step: isize,
    },
    /// A chunk's part of a row reduction.
    ReducePart {
        src: Reg,
        fold: Fold,
        size: usize,
        offset: usize,
    },
    /// The parts of a row, joined.
    Join {
        dst: Reg,
        fold: Fold,
        size: usize,
        offset: usize,
    },
    Store {
        src: Reg,
        walk: usize,
        level: Level,
    },
    Accumulate {
        src: Reg,
        sum: usize,
        step: isize,
    },
}

impl TileOp {
    /// The register that the op gives a value.
    pub fn defines(&self) -> Option<Reg> {
        match *self {
            TileOp::Point { reg, .. } | TileOp::Gather { reg, .. } | TileOp::Index { reg, .. } => {
                Some(reg)
            }
            TileOp::Run { dst, .. }
            | TileOp::RunRows { dst, .. }
            | TileOp::Choose { dst, .. }
            | TileOp::Expand { dst, .. }
            | TileOp::Reduce { dst, .. }
            | TileOp::Join { dst, .. } => Some(dst),
            TileOp::ReducePart { .. } | TileOp::Store { .. } | TileOp::Accumulate { .. } => None,
        }
    }

    pub fn reads(&self) -> Vec<Reg> {
        match *self {
            TileOp::Point { .. }
            | TileOp::Gather { .. }
            | TileOp::Index { .. }
            | TileOp::Join { .. } => vec![],
            TileOp::Run { args, .. } | TileOp::RunRows { args, .. } => args.to_vec(),
            TileOp::Choose { cond, yes, no, .. } => vec![cond, yes, no],
            TileOp::Expand { src, .. }
            | TileOp::Reduce { src, .. }
            | TileOp::ReducePart { src, .. }
            | TileOp::Store { src, .. }
            | TileOp::Accumulate { src, .. } => vec![src],
        }
    }
}

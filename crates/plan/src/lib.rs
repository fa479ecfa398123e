//! How a graph is arranged for execution: simplified, fused into row programs, ordered, placed in memory.
//! The same for every target; nothing here runs anything.
//!
//! The way of a graph: [`simplify`](mod@simplify) rewrites it, [`locate`] says where elements lie, [`fuse`] makes
//! groups, [`recompute`](mod@recompute) copies into later groups what need not be stored for them, [`emit`] turns a group into a [row program](row), [`memory`] places buffers, [`build`] does all of
//! it in order and yields a [`Plan`].

pub mod build;
pub mod emit;
pub mod fuse;
pub mod locate;
pub mod memory;
mod order;
pub mod plan;
pub mod recompute;
pub mod row;
pub mod simplify;

pub use build::{Passes, plan};
pub use plan::{Buffer, Call, Home, Kernel, MatMul, Matrix, Plan, Step};
pub use row::{Access, BufferId, Code, ColumnSum, Instr, Level, Reg, RowProgram, Store};

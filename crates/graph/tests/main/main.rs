//! Tests of the graph crate through its public interface.

mod generated;
mod gradients;
mod graphs;
mod ops;
mod table;
mod windows;

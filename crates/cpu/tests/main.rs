//! The fast executor against the reference executor, and against itself.

mod generated;
mod program;
mod support;

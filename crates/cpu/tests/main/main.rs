//! The fast executor against the reference executor, and against itself.

mod calls;
mod conv;
mod generated;
mod program;
mod support;
mod table;

//! The fast executor against the reference executor, and against itself.

mod attention;
mod calls;
mod conv;
mod generated;
mod program;
mod recurrent;
mod rows;
mod support;
mod table;

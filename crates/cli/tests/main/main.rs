//! The program as people meet it: the built binary, its files, its words and its exit codes.

mod bad_input;
mod kinds;
mod resume;
mod runs;
mod support;
mod trial;

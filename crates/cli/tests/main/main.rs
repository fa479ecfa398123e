//! The program as people meet it: the built binary, its files, its words and its exit codes.

mod bad_input;
mod checks;
mod judging;
mod kinds;
mod resume;
mod runs;
mod streamed;
mod support;
mod tables;
mod trial;
mod unlike;

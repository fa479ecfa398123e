//! The data crate from outside: files as they come, broken ones above all, and what the trainer asks of a set.

mod batches;
mod damage;
mod files;
mod idx;
mod real;
mod scaling;
mod sets;
mod sources;
mod splits;

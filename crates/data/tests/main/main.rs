//! The data crate from outside: files as they come, broken ones above all, and what the trainer asks of a set.

mod audio;
mod batches;
mod checks;
mod chunks;
mod damage;
mod files;
mod formats;
mod idx;
mod images;
mod language;
mod options;
mod pairs;
mod ratings;
mod real;
mod scaling;
mod series;
mod sets;
mod sources;
mod spilled;
mod splits;
mod streamed;
mod tables;
mod tabular;
mod tabular_parts;
mod tagged;
mod texts;

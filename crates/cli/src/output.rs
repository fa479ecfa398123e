//! What verbs print with: stdout without panics, tables, numbers as people write them.

use std::io::{self, Write};

use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;
use thalweg_cpu::Cpu;
pub use thalweg_report::numbers::{bytes, count, number, percent, seconds};

use crate::failure::Failure;

/// Writes text and a line break to stdout.
pub fn line(text: impl AsRef<str>) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    writeln!(out, "{}", text.as_ref())?;
    Ok(out.flush()?)
}

/// Writes one JSON object on a line of its own to stdout.
pub fn json(content: &impl Serialize) -> Result<(), Failure> {
    line(serde_json::to_string(content).map_err(io::Error::from)?)
}

/// A remark to stderr; nobody reading it is no error.
pub fn remark(text: impl AsRef<str>) {
    let _ = writeln!(io::stderr(), "{}", text.as_ref());
}

/// A table without lines: the first column to the left, the others to the right.
pub fn table(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    aligned(header, rows, CellAlignment::Right)
}

/// A table of words: all columns to the left.
pub fn left_table(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    aligned(header, rows, CellAlignment::Left)
}

fn aligned(
    header: &[&str],
    rows: impl IntoIterator<Item = Vec<String>>,
    others: CellAlignment,
) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(header);
    for row in rows {
        table.add_row(row);
    }
    for (i, column) in table.column_iter_mut().enumerate() {
        column.set_padding((if i == 0 { 0 } else { 2 }, 0));
        column.set_cell_alignment(if i == 0 { CellAlignment::Left } else { others });
    }
    let lines = table.to_string();
    lines.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

/// `[N, 8, 8]`: a shape for any number of rows.
pub fn shape(sample: &[usize]) -> String {
    let axes: Vec<String> = sample.iter().map(usize::to_string).collect();
    format!("[{}]", [vec!["N".to_string()], axes].concat().join(", "))
}

/// A command as it can be typed again: `thalweg train 'my data.csv'`.
pub fn command(words: impl IntoIterator<Item = String>) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./=:,@%+".contains(c);
    let quoted = |word: String| match !word.is_empty() && word.chars().all(plain) {
        true => word,
        false => format!("'{}'", word.replace('\'', r"'\''")),
    };
    let words = words.into_iter().skip(1).map(quoted);
    std::iter::once("thalweg".to_string()).chain(words).collect::<Vec<_>>().join(" ")
}

/// The threads that a flag asks for, or as many as the machine runs at once.
pub fn threads(flag: Option<usize>) -> Result<usize, Failure> {
    /// More than any machine has; each costs a stack.
    const MOST: usize = 1024;
    match flag {
        Some(n @ 1..=MOST) => Ok(n),
        Some(n) => Err(Failure::usage(
            format!("the number of threads must be from 1 to {MOST}, got {n}, in --threads {n}"),
            "leave it out to use all cores; it changes the speed only, no result",
        )),
        None => Ok(std::thread::available_parallelism().map_or(1, |n| n.get())),
    }
}

/// The executor for work without a config.
pub fn cpu(flag: Option<usize>) -> Result<Cpu, Failure> {
    Ok(Cpu::new(threads(flag)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_can_be_typed_again() {
        let words = ["/usr/bin/thalweg", "train", "my data.csv", "--set", "a=['b']"];
        let typed = command(words.map(String::from));
        assert_eq!(typed, r"thalweg train 'my data.csv' --set 'a=['\''b'\'']'");
    }

    #[test]
    fn shapes_are_for_any_number_of_rows() {
        assert_eq!(shape(&[8, 8]), "[N, 8, 8]");
    }
}

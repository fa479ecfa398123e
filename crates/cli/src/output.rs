//! What verbs print with: stdout without panics, tables, numbers as people write them.

use std::io::{self, Write};

use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;
use thalweg_cpu::Cpu;

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

/// `1,234,567`.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `97.25 %`.
pub fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}

/// Four digits that say something: `0.01234`, `12.34`, `1.234e-7`.
pub fn number(x: f64) -> String {
    match x.abs() {
        0.0 => "0".into(),
        size if (1e-4..1e5).contains(&size) => {
            let digits = (3 - size.log10().floor() as i32).clamp(0, 8) as usize;
            format!("{x:.digits$}")
        }
        _ => format!("{x:.3e}"),
    }
}

/// `1.2 MB`.
pub fn bytes(n: usize) -> String {
    match n as f64 {
        n if n < 1e3 => format!("{n} B"),
        n if n < 1e6 => format!("{:.1} kB", n / 1e3),
        n if n < 1e9 => format!("{:.1} MB", n / 1e6),
        n => format!("{:.1} GB", n / 1e9),
    }
}

/// `3.2 s`, `4 min 05 s`.
pub fn seconds(s: f64) -> String {
    match s {
        s if s < 60.0 => format!("{s:.1} s"),
        s if s < 3600.0 => format!("{} min {:02} s", (s / 60.0) as u64, s as u64 % 60),
        s => format!("{} h {:02} min", (s / 3600.0) as u64, (s / 60.0) as u64 % 60),
    }
}

/// `[N, 8, 8]`: a shape for any number of rows.
pub fn shape(sample: &[usize]) -> String {
    let axes: Vec<String> = sample.iter().map(usize::to_string).collect();
    format!("[{}]", [vec!["N".to_string()], axes].concat().join(", "))
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
    fn numbers_are_short_and_say_enough() {
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(count(999), "999");
        assert_eq!(number(0.0123456), "0.01235");
        assert_eq!(number(12.3456), "12.35");
        assert_eq!(number(-1.23456e-7), "-1.235e-7");
        assert_eq!(number(f64::NAN), "NaN");
        assert_eq!(seconds(245.0), "4 min 05 s");
        assert_eq!(bytes(1_234_567), "1.2 MB");
        assert_eq!(shape(&[8, 8]), "[N, 8, 8]");
    }
}

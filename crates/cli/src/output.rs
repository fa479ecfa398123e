//! What verbs print with: stdout without panics, tables, numbers as people write them.

use std::io::{self, Write};

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use console::Term;
use serde::Serialize;
use thalweg_cpu::Cpu;
pub use thalweg_report::numbers::{bytes, count, number, percent, seconds};

use crate::failure::Failure;

/// Writes text for people and a line break to stdout: a terminal gets its long lines wrapped between words.
pub fn say(text: impl AsRef<str>) -> Result<(), Failure> {
    line(fitted(text.as_ref(), &Term::stdout()))
}

/// Writes text and a line break to stdout, as it is.
pub fn line(text: impl AsRef<str>) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    writeln!(out, "{}", text.as_ref())?;
    Ok(out.flush()?)
}

/// Writes one JSON object on a line of its own to stdout.
pub fn json(content: &impl Serialize) -> Result<(), Failure> {
    line(serde_json::to_string(content).map_err(io::Error::from)?)
}

/// A remark to stderr, as [`say`] does it; nobody reading it is no error.
pub fn remark(text: impl AsRef<str>) {
    let _ = writeln!(io::stderr(), "{}", fitted(text.as_ref(), &Term::stderr()));
}

/// Text as it fits on a terminal; what is read by programs stays as it is.
fn fitted(text: &str, term: &Term) -> String {
    match term.size_checked() {
        Some((_, width)) if term.features().is_attended() => wrapped(text, usize::from(width)),
        _ => text.into(),
    }
}

/// Lines wrapped between words. What goes on below stands below the text of its line, which headings may precede.
fn wrapped(text: &str, width: usize) -> String {
    /// Headings are no longer than this, with the spaces after them.
    const HEADINGS: usize = 24;
    let wrap = |line: &str| {
        let starts = line.match_indices("  ").map(|(at, _)| {
            let rest = &line[at..];
            line.len() - rest.trim_start().len()
        });
        let indent = starts.take_while(|&start| start <= HEADINGS).last().unwrap_or(0);
        let indent = " ".repeat(indent.min(width / 2));
        let options = textwrap::Options::new(width).subsequent_indent(&indent).break_words(false);
        // A number stays with its sign.
        let line = line.replace(" %", "\u{a0}%");
        textwrap::wrap(&line, options).join("\n").replace('\u{a0}', " ")
    };
    text.split('\n').map(wrap).collect::<Vec<_>>().join("\n")
}

/// Commands and what they do, as a list.
pub fn commands(commands: &[(String, &str)]) -> String {
    let width = commands.iter().map(|(command, _)| command.chars().count()).max().unwrap_or(0);
    let lines: Vec<String> =
        commands.iter().map(|(command, what)| format!("  {command:<width$}  {what}")).collect();
    lines.join("\n")
}

/// A table without lines: the first column to the left, the others to the right.
pub fn table(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    aligned(header, rows, CellAlignment::Right, None)
}

/// A table of words for stderr: all columns to the left, as narrow as the terminal is.
pub fn left_table(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    aligned(
        header,
        rows,
        CellAlignment::Left,
        Term::stderr().size_checked().map(|(_, width)| width),
    )
}

fn aligned(
    header: &[&str],
    rows: impl IntoIterator<Item = Vec<String>>,
    others: CellAlignment,
    width: Option<u16>,
) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    if let Some(width) = width {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    }
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
    fn long_lines_go_on_below_their_text() {
        assert_eq!(wrapped("note      one two three", 20), "note      one two\n          three");
        assert_eq!(wrapped("one two three\nfour", 8), "one two\nthree\nfour");
        assert_eq!(
            wrapped("  thalweg report RUN  the page again", 26),
            "  thalweg report RUN  the\n             page again"
        );
        assert_eq!(wrapped("accuracy of 6.52 %", 17), "accuracy of\n6.52 %");
        assert_eq!(wrapped("/a/very/long/path", 8), "/a/very/long/path");
        assert_eq!(wrapped("\nx  y\n", 80), "\nx  y\n");
    }

    #[test]
    fn shapes_are_for_any_number_of_rows() {
        assert_eq!(shape(&[8, 8]), "[N, 8, 8]");
    }
}

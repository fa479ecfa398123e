//! A network as a drawing: its nodes from top to bottom, what skips ahead as arcs beside them. Blocks that repeat are
//! drawn once.

use std::collections::BTreeMap;
use std::fmt::Write;

use thalweg_train::run::dot::{Drawn, axes};

use crate::numbers::of;

/// A node with its size.
pub struct Node {
    /// What it is and what it takes.
    pub drawn: Drawn,
    /// Trained numbers.
    pub parameters: usize,
}

const LEFT: i32 = 12;
const BOX: i32 = 340;
/// What is right of the boxes, for arcs.
const BESIDE: i32 = 70;
const HEIGHT: i32 = 48;
const GAP: i32 = 15;
/// Rows of a drawing, at most; what is between is left out.
const ROWS: usize = 48;

/// What stands in a row: a node, or a note that rows are left out.
enum Row {
    Node(usize),
    Left(usize),
}

/// Nodes that follow each other and repeat.
struct Group {
    from: usize,
    period: usize,
    times: usize,
}

/// The drawing as an `<svg>` element.
#[must_use]
pub fn svg(nodes: &[Node]) -> String {
    let groups = groups(nodes);
    let rows = rows(nodes.len(), &groups);
    let top = |row: usize| 4 + row as i32 * (HEIGHT + GAP);
    // Where a node is drawn: its own row, or that of the first of its group that is like it.
    let mut row_of = BTreeMap::new();
    for (row, shown) in rows.iter().enumerate() {
        if let Row::Node(node) = *shown {
            row_of.insert(node, row);
        }
    }
    let place = |node: usize| {
        let group = groups.iter().find(|g| (g.from..g.from + g.period * g.times).contains(&node));
        let first = group.map_or(node, |g| g.from + (node - g.from) % g.period);
        row_of.get(&first).copied()
    };
    let height = top(rows.len()) - GAP + 8;
    let skips = nodes.iter().enumerate().any(|(i, node)| {
        let before = i.checked_sub(1).map(|before| &nodes[before].drawn.name);
        node.drawn.sources.iter().any(|source| Some(source) != before)
    });
    let beside = if skips || !groups.is_empty() { BESIDE } else { LEFT };
    let width = LEFT + BOX + beside;
    let mut text = format!(
        "<svg class=\"network\" viewBox=\"0 0 {width} {height}\" role=\"img\" \
         xmlns=\"http://www.w3.org/2000/svg\"><title>The network, from its input above to its output below</title>\
         <defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" \
         orient=\"auto\"><path class=\"tip\" d=\"M0 0 8 4 0 8z\"/></marker></defs>"
    );
    for group in &groups {
        if let (Some(first), Some(last)) = (place(group.from), place(group.from + group.period - 1))
        {
            let (y, tall) = (top(first) - 7, top(last) - top(first) + HEIGHT + 14);
            let _ = write!(
                text,
                "<rect class=\"group\" x=\"{}\" y=\"{y}\" width=\"{}\" height=\"{tall}\" rx=\"9\"/>\
                 <text class=\"times\" x=\"{}\" y=\"{}\" text-anchor=\"end\">{} ×</text>",
                LEFT - 8,
                width - LEFT + 2,
                width - 12,
                y + 15,
                group.times
            );
        }
    }
    let mut arcs = Vec::new();
    for (row, shown) in rows.iter().enumerate() {
        match *shown {
            Row::Left(count) => {
                let words = of(count, "more layer", "more layers");
                let (x, y) = (LEFT + BOX / 2, top(row) + HEIGHT / 2 + 4);
                let _ = write!(
                    text,
                    "<text class=\"size\" x=\"{x}\" y=\"{y}\" text-anchor=\"middle\">… {words} …</text>"
                );
            }
            Row::Node(node) => {
                write_box(&mut text, &nodes[node], top(row));
                for source in &nodes[node].drawn.sources {
                    let Some(from) = nodes.iter().rposition(|n| n.drawn.name == *source) else {
                        continue;
                    };
                    match place(from) {
                        Some(from) if from + 1 == row => {
                            let x = LEFT + BOX / 2;
                            let _ = write!(
                                text,
                                "<path class=\"edge\" marker-end=\"url(#tip)\" d=\"M{x} {}V{}\"/>",
                                top(row - 1) + HEIGHT,
                                top(row) - 1
                            );
                        }
                        Some(from) if from < row => arcs.push((from, row)),
                        _ => {}
                    }
                }
            }
        }
    }
    for (from, to) in arcs {
        let (x, y1, y2) = (LEFT + BOX, top(from) + HEIGHT / 2 + 6, top(to) + HEIGHT / 2 - 6);
        // The further it goes, the further it swings out; 4/3 makes the curve reach what is meant.
        let out = (16 + 7 * (to - from) as i32).min(width - x - 4) * 4 / 3;
        let _ = write!(
            text,
            "<path class=\"skip\" marker-end=\"url(#tip)\" d=\"M{x} {y1}C{0} {y1} {0} {y2} {1} {y2}\"/>",
            x + out,
            x + 1
        );
    }
    text + "</svg>"
}

fn write_box(text: &mut String, node: &Node, y: i32) {
    let Drawn { name, kind, shape, .. } = &node.drawn;
    let class = match (node.drawn.sources.is_empty(), node.parameters) {
        (true, _) => "input",
        (_, 0) => "plain",
        _ => "trained",
    };
    let kind = kind.replace('_', " ");
    // A name that only says where in the list it is, or what it is, says nothing more.
    let named = class != "input" && name.parse::<usize>().is_err() && *kind != **name;
    let (first, second) = match named {
        true => (short(name, 26), kind),
        false => (kind, String::new()),
    };
    let parameters = match node.parameters {
        0 => String::new(),
        n => of(n, "parameter", "parameters"),
    };
    let size = match shape.is_empty() {
        true => "one number".to_string(),
        false => axes(shape),
    };
    let [left, right] = [LEFT + 12, LEFT + BOX - 12];
    let [upper, lower] = match second.is_empty() && parameters.is_empty() {
        true => [y + HEIGHT / 2 + 5; 2],
        false => [y + 20, y + HEIGHT - 11],
    };
    let _ = write!(
        text,
        "<g class=\"{class}\"><rect x=\"{LEFT}\" y=\"{y}\" width=\"{BOX}\" height=\"{HEIGHT}\" rx=\"6\"/>\
         <text class=\"name\" x=\"{left}\" y=\"{upper}\">{}</text>\
         <text class=\"size\" x=\"{right}\" y=\"{upper}\" text-anchor=\"end\">{size}</text>",
        minijinja::HtmlEscape(&first),
    );
    for (words, x, anchor) in [(second, left, "start"), (parameters, right, "end")] {
        if !words.is_empty() {
            let words = minijinja::HtmlEscape(&words);
            let _ = write!(
                text,
                "<text class=\"size\" x=\"{x}\" y=\"{lower}\" text-anchor=\"{anchor}\">{words}</text>"
            );
        }
    }
    *text += "</g>";
}

/// The first letters of a name that is too long for its place.
fn short(name: &str, letters: usize) -> String {
    match name.char_indices().nth(letters) {
        Some((end, _)) => name[..end].to_string() + "…",
        None => name.to_string(),
    }
}

/// The rows of a drawing: every node that is not a repetition; of very many the first and the last.
fn rows(nodes: usize, groups: &[Group]) -> Vec<Row> {
    let repeated = |node: usize| {
        groups.iter().any(|g| (g.from + g.period..g.from + g.period * g.times).contains(&node))
    };
    let shown: Vec<usize> = (0..nodes).filter(|&node| !repeated(node)).collect();
    if shown.len() <= ROWS {
        return shown.into_iter().map(Row::Node).collect();
    }
    let (first, last) = (&shown[..ROWS * 2 / 3], &shown[shown.len() - ROWS / 3 + 1..]);
    let left = last[0] - first[first.len() - 1] - 1;
    let node = |&node: &usize| Row::Node(node);
    first.iter().map(node).chain([Row::Left(left)]).chain(last.iter().map(node)).collect()
}

/// Sequences of nodes that come again at once: what is alike in kind, shape, size, and in how far back their inputs are.
fn groups(nodes: &[Node]) -> Vec<Group> {
    let place: BTreeMap<&str, usize> =
        nodes.iter().enumerate().map(|(i, node)| (node.drawn.name.as_str(), i)).collect();
    let sign = |(i, node): (usize, &Node)| {
        let Drawn { kind, shape, sources, .. } = &node.drawn;
        let back = |source: &String| i - place.get(source.as_str()).copied().unwrap_or(i);
        let back: Vec<usize> = sources.iter().map(back).collect();
        (*kind, shape.clone(), node.parameters, back)
    };
    let signs: Vec<_> = nodes.iter().enumerate().map(sign).collect();
    let mut groups = Vec::new();
    fold(&signs, 0, &mut groups);
    groups.sort_by_key(|group| group.from);
    groups
}

/// Finds the repetition that saves most, then those before and behind it.
fn fold<T: PartialEq>(signs: &[T], offset: usize, groups: &mut Vec<Group>) {
    /// Fewer rows saved are not worth a frame.
    const SAVED: usize = 4;
    let mut best: Option<(usize, Group)> = None;
    for period in 2..=signs.len() / 2 {
        // How many nodes from here on are like the one a period later.
        let mut same = 0;
        for from in (0..signs.len() - period).rev() {
            same = if signs[from] == signs[from + period] { same + 1 } else { 0 };
            let times = same / period + 1;
            let saved = (times - 1) * period;
            // Of equals the last, which ends where what follows is different: a block, not its shifted self.
            if saved >= SAVED && best.as_ref().is_none_or(|(most, _)| saved > *most) {
                best = Some((saved, Group { from, period, times }));
            }
        }
    }
    if let Some((_, Group { from, period, times })) = best {
        let end = from + period * times;
        groups.push(Group { from: offset + from, period, times });
        fold(&signs[..from], offset, groups);
        fold(&signs[end..], offset + end, groups);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &str, kind: &'static str, sources: &[&str], parameters: usize) -> Node {
        let sources = sources.iter().map(ToString::to_string).collect();
        Node { drawn: Drawn { name: name.into(), kind, shape: vec![8], sources }, parameters }
    }

    #[test]
    fn blocks_that_repeat_are_drawn_once() {
        let mut nodes = vec![node("x", "input", &[], 0)];
        for block in 0..5 {
            let before = if block == 0 { "x".to_string() } else { format!("sum{}", block - 1) };
            nodes.push(node(&format!("linear{block}"), "linear", &[&before], 72));
            nodes.push(node(&format!("relu{block}"), "relu", &[&format!("linear{block}")], 0));
            let both = [before.as_str(), &format!("relu{block}")];
            nodes.push(node(&format!("sum{block}"), "add", &both, 0));
        }
        let svg = svg(&nodes);
        assert!(svg.contains("5 ×"), "{svg}");
        assert_eq!(svg.matches("<g class").count(), 4);
        assert_eq!(svg.matches("class=\"skip\"").count(), 1);
    }

    #[test]
    fn names_stay_text() {
        let nodes = [node("x", "input", &[], 0), node("<b>", "linear", &["x"], 9)];
        assert!(svg(&nodes).contains("&lt;b&gt;"));
    }
}

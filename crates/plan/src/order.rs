//! The order in which units run, and which states may be written in place.

use std::collections::BTreeSet;

use crate::build::{Builder, Unit};
use crate::fuse::{inputs, sources};
use crate::locate::{Node, Role};
use crate::row::{BufferId, Level};

impl Builder<'_> {
    /// The order in which units run. Whoever reads a state runs before it is overwritten; whatever can fail
    /// runs before anything is. Where that cannot be had, writing in place is given up.
    pub fn order(
        &self,
        targets: &[(BufferId, Node, Node)],
        mut in_place: Vec<bool>,
    ) -> (Vec<usize>, Vec<bool>) {
        let count = self.units.len();
        loop {
            let mut before: Vec<BTreeSet<usize>> = vec![BTreeSet::new(); count];
            let mut writers: Vec<Vec<BufferId>> = vec![vec![]; count];
            for (target, _) in targets.iter().zip(&in_place).filter(|(_, p)| **p) {
                if let Some(unit) = self.unit_of[target.1] {
                    writers[unit].push(target.0);
                }
            }
            for unit in 0..count {
                for node in self.nodes_of(unit) {
                    for root in inputs(self.graph, node) {
                        if let Some(producer) = self.unit_of[root].filter(|&p| p != unit) {
                            before[unit].insert(producer);
                        }
                        let Some(&buffer) = self.buffer_of.get(&root) else { continue };
                        for (writer, written) in writers.iter().enumerate() {
                            if writer != unit && written.contains(&buffer) {
                                before[writer].insert(unit);
                            }
                        }
                    }
                }
            }
            let can_fail = |u: usize| matches!(self.units[u], Unit::Node(n) if self.graph.role(n) == Role::Call);
            let failing: Vec<usize> = (0..count).filter(|&u| can_fail(u)).collect();
            for writer in (0..count).filter(|&u| !writers[u].is_empty()) {
                before[writer].extend(&failing);
            }
            let mut order = vec![];
            let mut waiting: BTreeSet<usize> = (0..count).collect();
            let mut done = vec![false; count];
            while !waiting.is_empty() {
                let ready = |&&u: &&usize| before[u].iter().all(|&b| done[b]);
                let next =
                    waiting.iter().filter(ready).min_by_key(|&&u| (!writers[u].is_empty(), u));
                let Some(&next) = next else { break };
                waiting.remove(&next);
                done[next] = true;
                order.push(next);
            }
            let misread = self.misread_states(targets, &in_place);
            if waiting.is_empty() && misread.is_empty() {
                return (order, in_place);
            }
            for (i, target) in targets.iter().enumerate() {
                let stuck = self.unit_of[target.1].is_some_and(|u| waiting.contains(&u));
                if stuck || misread.contains(&i) {
                    in_place[i] = false;
                }
            }
        }
    }

    /// Updates whose own program reads the state at other places than it writes.
    fn misread_states(&self, targets: &[(BufferId, Node, Node)], in_place: &[bool]) -> Vec<usize> {
        let wrong = |i: usize| {
            let (buffer, root, _) = targets[i];
            let Some(unit) = self.unit_of[root] else { return false };
            let level = |node: Node| {
                let Unit::Group(g) = self.units[unit] else { return None };
                self.fusion.groups[g].members.iter().find(|m| m.0 == node).map(|m| m.1)
            };
            let own_level = level(root);
            self.nodes_of(unit).into_iter().any(|node| {
                sources(self.graph, node).iter().any(|from| {
                    self.buffer_of.get(&from.root) == Some(&buffer)
                        && !(from.layout.offset == 0
                            && from.layout.is_contiguous()
                            && level(node) == own_level
                            && own_level == Some(Level::Full))
                })
            })
        };
        (0..targets.len()).filter(|&i| in_place[i] && wrong(i)).collect()
    }
}

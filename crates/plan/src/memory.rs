//! The memory plan: every intermediate result gets a place in one arena, and places are used again as soon
//! as nobody needs what lies there. The peak is known before anything runs.

use std::collections::HashMap;

use crate::plan::{Buffer, Home, Kernel, Step};
use crate::row::{BufferId, RowProgram};

/// Alignment of every buffer in bytes: one cache line.
const ALIGN: usize = 64;

/// Places the arena buffers that `steps` touch; `kept` stay readable after the last step. Returns the
/// arena's size in bytes.
pub fn place(buffers: &mut [Buffer], steps: &[Step], kept: &[BufferId], reuse: bool) -> usize {
    let in_arena = |b: BufferId| matches!(buffers[b].home, Home::Arena(_));
    let mut first: HashMap<BufferId, usize> = HashMap::new();
    let mut last: HashMap<BufferId, usize> = HashMap::new();
    for (at, step) in steps.iter().enumerate() {
        for buffer in step.kernel.writes().into_iter().chain(step.kernel.reads()) {
            first.entry(buffer).or_insert(at);
            last.insert(buffer, at);
        }
    }
    kept.iter().for_each(|&b| {
        last.insert(b, steps.len());
    });
    let bytes = |b: &Buffer| (b.len * b.dtype.size()).next_multiple_of(ALIGN);

    let mut arena = Arena::default();
    let mut placed: HashMap<BufferId, usize> = HashMap::new();
    for (at, step) in steps.iter().enumerate() {
        let mut handed_over: Vec<BufferId> = vec![];
        let mut writes = step.kernel.writes();
        writes.sort_unstable();
        writes.dedup();
        for buffer in writes {
            if !in_arena(buffer) || placed.contains_key(&buffer) {
                continue;
            }
            let heir = |from: BufferId| {
                reuse
                    && in_arena(from)
                    && last.get(&from) == Some(&at)
                    && first.get(&from) < Some(&at)
                    && !handed_over.contains(&from)
                    && bytes(&buffers[from]) == bytes(&buffers[buffer])
                    && matches!(&step.kernel, Kernel::Rows(p) if same_places(p, from, buffer))
            };
            let inherited = step.kernel.reads().into_iter().find(|&from| heir(from));
            let offset = match inherited {
                Some(from) => {
                    handed_over.push(from);
                    placed[&from]
                }
                None => arena.take(bytes(&buffers[buffer])),
            };
            placed.insert(buffer, offset);
        }
        if reuse {
            let over =
                placed.keys().copied().filter(|b| last.get(b) == Some(&at)).collect::<Vec<_>>();
            for buffer in over {
                let offset = placed[&buffer];
                if !handed_over.contains(&buffer) {
                    arena.give(offset, bytes(&buffers[buffer]));
                }
                last.remove(&buffer);
            }
        }
    }
    for (buffer, offset) in placed {
        buffers[buffer].home = Home::Arena(offset);
    }
    arena.peak
}

/// True where the program reads `from` only at the very place at which it writes `to`, with elements of one
/// size: then the result may take the input's memory.
fn same_places(program: &RowProgram, from: BufferId, to: BufferId) -> bool {
    let mut stores = program.stores.iter().filter(|s| s.to.buffer == to);
    let (Some(store), None) = (stores.next(), stores.next()) else { return false };
    if program.column_sums.iter().any(|s| s.to == to) {
        return false;
    }
    let one_size = program.loaded().filter(|a| a.buffer == from).all(|a| {
        a.offset == store.to.offset
            && a.row_strides == store.to.row_strides
            && a.col_stride == store.to.col_stride
    });
    let size = |instr: &crate::row::Instr| instr.dtype.size();
    let read = program.code.iter().find(|i| match &i.code {
        crate::row::Code::Load(a) => a.buffer == from,
        _ => false,
    });
    one_size && read.is_some_and(|r| size(r) == size(&program.code[store.reg]))
}

/// Free places of a growing piece of memory.
#[derive(Default)]
struct Arena {
    /// (offset, length), sorted, never adjacent.
    free: Vec<(usize, usize)>,
    peak: usize,
}

impl Arena {
    /// The smallest free place that fits, or new memory at the end.
    fn take(&mut self, len: usize) -> usize {
        let fitting = (0..self.free.len()).filter(|&i| self.free[i].1 >= len);
        if let Some(i) = fitting.min_by_key(|&i| self.free[i].1) {
            let (offset, have) = self.free[i];
            match have == len {
                true => {
                    self.free.remove(i);
                }
                false => self.free[i] = (offset + len, have - len),
            }
            return offset;
        }
        // A free place at the very end can be grown.
        let start = match self.free.last() {
            Some(&(offset, have)) if offset + have == self.peak => {
                self.free.pop();
                offset
            }
            _ => self.peak,
        };
        self.peak = start + len;
        start
    }

    fn give(&mut self, offset: usize, len: usize) {
        if len == 0 {
            return;
        }
        let at = self.free.partition_point(|&(o, _)| o < offset);
        self.free.insert(at, (offset, len));
        if at + 1 < self.free.len() && offset + len == self.free[at + 1].0 {
            self.free[at].1 += self.free.remove(at + 1).1;
        }
        if at > 0 && self.free[at - 1].0 + self.free[at - 1].1 == offset {
            self.free[at - 1].1 += self.free.remove(at).1;
        }
    }
}

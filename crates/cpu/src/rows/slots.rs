//! Which piece of the worker's scratch memory holds which register.

use thalweg_plan::row::Level;

use super::RegHome;
use super::compile::Compiler;
use super::op::TileOp;
use crate::kernels::CHUNK;

impl Compiler<'_> {
    /// Gives every register that needs one a place in the worker's scratch memory; returns its size. A place is
    /// used again once its register has been read for the last time.
    pub fn place_slots(&mut self) -> usize {
        let count = self.homes.len();
        let mut last = vec![0; count];
        // A register that the tail reads, or that may stand for another one, lives to the end.
        let mut lives_on = vec![false; count];
        for (at, op) in self.ops.iter().enumerate() {
            op.reads().into_iter().for_each(|r| last[r] = at);
            if let TileOp::Choose { yes, no, .. } = *op {
                lives_on[yes] = true;
                lives_on[no] = true;
            }
        }
        for op in &self.tail {
            op.reads().into_iter().chain(op.defines()).for_each(|r| lives_on[r] = true);
        }
        let full = if self.wide { CHUNK } else { self.tile_rows * self.program.cols.max(1) };
        let mut free: Vec<(usize, usize)> = vec![];
        let mut end = 0;
        let mut placed = vec![false; count];
        let bytes: Vec<usize> = (self.types.iter())
            .map(|t| {
                let elements = match t.level {
                    Level::Uniform => 1,
                    Level::Row => self.tile_rows,
                    Level::Full => full,
                };
                // The extra line keeps tiles of a power of two from falling into the same cache sets.
                (elements * t.dtype.size()).next_multiple_of(64) + 64
            })
            .collect();
        let mut take = |free: &mut Vec<(usize, usize)>, bytes: usize| {
            if let Some(i) = free.iter().position(|&(_, len)| len == bytes) {
                return free.swap_remove(i).0;
            }
            end += bytes;
            end - bytes
        };
        for (at, op) in self.ops.iter().enumerate() {
            if let Some(reg) = op.defines()
                && matches!(self.homes[reg], RegHome::Slot(_))
                && !placed[reg]
            {
                self.homes[reg] = RegHome::Slot(take(&mut free, bytes[reg]));
                placed[reg] = true;
            }
            for reg in op.reads() {
                if placed[reg] && last[reg] == at && !lives_on[reg] {
                    let RegHome::Slot(offset) = self.homes[reg] else { continue };
                    free.push((offset, bytes[reg]));
                    placed[reg] = false;
                }
            }
        }
        for op in &self.tail {
            if let Some(reg) = op.defines()
                && matches!(self.homes[reg], RegHome::Slot(_))
                && !placed[reg]
            {
                self.homes[reg] = RegHome::Slot(take(&mut vec![], bytes[reg]));
                placed[reg] = true;
            }
        }
        end
    }
}

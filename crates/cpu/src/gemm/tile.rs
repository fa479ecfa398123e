//! One task of a product: a tile of C, computed block by block of k and panel by panel of B.

use std::ops::Range;

use super::kernel::{DOT_ROWS, Dot, Outer, Target};
use super::pack::{PackA, PackB};
use super::plan::{PACK_ROWS, Path, Plan, SourceB, part};
use super::vector::{Element, Kernel, Vector};

/// Runs, by `$run`, the kernel whose const parameters, among those listed, are the given values; the first one is at
/// most `$rows`.
macro_rules! run {
    ($run:expr, $kernel:ident[$x:expr, $y:expr] up to $rows:expr, $(($($X:literal)+: $Y:tt))+ => $fields:tt) => {
        run!(@ $run, $kernel, $x, $y, $rows, $($(($X $Y))+)+ => $fields)
    };
    (@ $run:expr, $kernel:ident, $x:expr, $y:expr, $rows:expr, $(($X:literal [$($Y:literal)+]))+ => $fields:tt) => {
        match ($x, $y) {
            $($(($X, $Y) if $X <= $rows => $run($kernel::<_, $X, $Y> $fields),)+)+
            (x, y) => unreachable!("no kernel of {x} x {y}"),
        }
    };
}

pub(super) use run;

/// A tile of one product of the batch.
///
/// Valid memory: A, B and C as the plan's spec says; `shared` as packed by [`PackPanels`], if the plan shares B;
/// `local`, the worker's own scratch.
pub struct Tile<'a, T> {
    pub plan: &'a Plan,
    pub a: *const T,
    pub b: *const T,
    pub c: *mut T,
    pub shared: *const T,
    pub local: *mut T,
    /// Which tile.
    pub index: usize,
}

impl<T: Element, V: Vector<Element = T>> Kernel<V> for Tile<'_, T> {
    #[inline(always)]
    unsafe fn run(self) {
        let plan = self.plan;
        let groups = part(self.index / plan.column_tiles, plan.row_tiles, plan.groups);
        let panels = part(self.index % plan.column_tiles, plan.column_tiles, plan.panels);
        // SAFETY: the memory is valid as the fields promise.
        unsafe {
            match plan.path {
                Path::Dot => self.dot::<V>(groups, panels),
                Path::Outer { pack_a, b } => {
                    for block in 0..plan.k_blocks {
                        self.outer::<V>(groups.clone(), panels.clone(), block, pack_a, b);
                    }
                }
            }
        }
    }
}

impl<T: Element> Tile<'_, T> {
    /// # Safety
    /// As for the tile; groups and panels are of the plan.
    #[inline(always)]
    unsafe fn dot<V: Vector<Element = T>>(&self, groups: Range<usize>, panels: Range<usize>) {
        let (plan, spec) = (self.plan, &self.plan.spec);
        for group in groups {
            let rows = part(group, plan.groups, spec.m);
            for panel in panels.clone() {
                let columns = part(panel, plan.panels, spec.n);
                // SAFETY: the block lies within the product.
                unsafe {
                    let a = self.a.offset(at(rows.start, spec.a_strides[0]));
                    let b = self.b.offset(at(columns.start, spec.b_strides[1]));
                    let target = self.target(rows.start, columns.start, spec.accumulate);
                    run!(Kernel::<V>::run, Dot[rows.len(), columns.len()] up to DOT_ROWS,
                        (1: [1 2 3 4 5 6 7 8]) (2 3: [1 2 3 4]) =>
                        { k: spec.k, a, a_stride: spec.a_strides[0], b, b_stride: spec.b_strides[1], target });
                }
            }
        }
    }

    /// # Safety
    /// As for the tile; groups, panels and block are of the plan.
    #[inline(always)]
    unsafe fn outer<V: Vector<Element = T>>(
        &self,
        groups: Range<usize>,
        panels: Range<usize>,
        block: usize,
        pack_a: bool,
        source: SourceB,
    ) {
        let (plan, spec) = (self.plan, &self.plan.spec);
        let depth = part(block, plan.k_blocks, spec.k);
        let k = depth.len();
        let accumulate = spec.accumulate || block > 0;
        let first_row = part(groups.start, plan.groups, spec.m).start;
        // SAFETY: all blocks lie within the product, and the packed ones within the scratch that the plan asks for.
        unsafe {
            let a = self.a.offset(at(depth.start, spec.a_strides[1]));
            let packed_a = self.local.add(plan.local_b());
            if pack_a {
                let (m, packed) = (spec.m, groups.clone());
                Kernel::<V>::run(PackA {
                    k,
                    m,
                    groups: plan.groups,
                    packed,
                    a,
                    strides: spec.a_strides,
                    to: packed_a,
                });
            }
            for panel in panels {
                let column = panel * plan.width;
                let columns = plan.width.min(spec.n - column);
                let vectors = vectors(columns, V::LANES);
                let (b, b_stride) = match source {
                    SourceB::Shared => {
                        (self.shared.add(plan.packed_offset(&depth, panel)), plan.width as isize)
                    }
                    SourceB::Packed => {
                        (self.b.add(plan.packed_offset(&depth, panel)), plan.width as isize)
                    }
                    SourceB::Direct if columns == plan.width => {
                        let [row, unit] = spec.b_strides;
                        (self.b.offset(at(depth.start, row) + at(column, unit)), row)
                    }
                    SourceB::Direct | SourceB::Panel => {
                        V::launch(plan.pack_panel(self.b, &depth, panel, V::LANES, self.local));
                        (self.local.cast_const(), plan.width as isize)
                    }
                };
                for group in groups.clone() {
                    let rows = part(group, plan.groups, spec.m);
                    let (a, a_strides) = if pack_a {
                        (
                            packed_a.add((rows.start - first_row) * k).cast_const(),
                            [1, rows.len() as isize],
                        )
                    } else {
                        (a.offset(at(rows.start, spec.a_strides[0])), spec.a_strides)
                    };
                    let target = self.target(rows.start, column, accumulate);
                    // As functions of their own: in one large function the compiler keeps sums in memory.
                    run!(V::launch, Outer[rows.len(), vectors] up to V::ROWS,
                        (1: [1 2 4 8]) (2 3: [1 2 4]) (4 5 6 7 8 9 10 11 12 13 14: [1 2]) =>
                        { k, a, a_strides, b, b_stride, target, columns });
                }
            }
        }
    }

    /// # Safety
    /// Row and column lie within C.
    #[inline(always)]
    unsafe fn target(&self, row: usize, column: usize, accumulate: bool) -> Target<T> {
        let strides = self.plan.spec.c_strides;
        // SAFETY: the caller's promise.
        let c = unsafe { self.c.offset(at(row, strides[0]) + at(column, strides[1])) };
        Target { c, strides, accumulate }
    }
}

/// Packs some panels of B, for some rows of k.
///
/// Valid memory: B as the plan's spec says, and `packed` for as much as the plan says.
pub struct PackPanels<'a, T> {
    pub plan: &'a Plan,
    pub b: *const T,
    pub packed: *mut T,
    pub depth: Range<usize>,
    pub panels: Range<usize>,
}

impl<T: Element, V: Vector<Element = T>> Kernel<V> for PackPanels<'_, T> {
    #[inline(always)]
    unsafe fn run(self) {
        let Self { plan, b, packed, depth, panels } = self;
        let step = if plan.packs_rows() { PACK_ROWS } else { depth.len().max(1) };
        for start in depth.clone().step_by(step) {
            let depth = start..depth.end.min(start + step);
            for panel in panels.clone() {
                // SAFETY: the panel lies within B and within the packed memory.
                unsafe {
                    let to = packed.add(plan.packed_offset(&depth, panel));
                    V::launch(plan.pack_panel(b, &depth, panel, V::LANES, to));
                }
            }
        }
    }
}

impl Plan {
    /// The packing of one panel of B, for a stretch of k.
    ///
    /// # Safety
    /// B is as the spec says, the panel within it.
    #[inline(always)]
    unsafe fn pack_panel<T>(
        &self,
        b: *const T,
        depth: &Range<usize>,
        panel: usize,
        lanes: usize,
        to: *mut T,
    ) -> PackB<T> {
        let [row, column] = self.spec.b_strides;
        let first = panel * self.width;
        let columns = self.width.min(self.spec.n - first);
        // SAFETY: the caller's promise.
        let b = unsafe { b.offset(at(depth.start, row) + at(first, column)) };
        let padded = lanes * vectors(columns, lanes);
        PackB { k: depth.len(), columns, b, strides: [row, column], padded, width: self.width, to }
    }

    /// Where a stretch of k of a panel begins in a packed B.
    fn packed_offset(&self, depth: &Range<usize>, panel: usize) -> usize {
        (panel * self.spec.k + depth.start) * self.width
    }
}

/// How many vectors a micro-kernel takes for that many columns: its widths are powers of two.
fn vectors(columns: usize, lanes: usize) -> usize {
    columns.div_ceil(lanes).next_power_of_two()
}

/// The distance of element `i` at this stride.
fn at(i: usize, stride: isize) -> isize {
    i as isize * stride
}

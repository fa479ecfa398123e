//! How a product is computed: which way round, by which kernel, packed or not, in which tiles.
//!
//! All of it follows from shape, strides and instruction set, never from the number of threads: that is what makes the
//! results bit-identical for any number of threads.

use std::ops::Range;

use super::GemmSpec;
use super::kernel::{DOT_COLUMNS, DOT_ROWS};
use super::vector::Vector;

/// The longest stretch of k that is summed in registers, in bytes: the rows of A that a block takes stay in the
/// first-level cache, and the 784 pixels of an image are one stretch.
const K_BLOCK_BYTES: usize = 832 * 4;
/// A tile's block of A stays in the second-level cache.
const A_BLOCK_BYTES: usize = 256 * 1024;
/// An operand of this size stays in the first-level cache without packing.
const SMALL_BYTES: usize = 24 * 1024;
/// The most that is packed once for all tiles.
const SHARED_BYTES: usize = 16 << 20;
/// How many rows of B are packed at a time, for all panels: they use the pages and cache lines that the first one fetches.
pub const PACK_ROWS: usize = 16;
/// A task of fewer multiply-adds (about a microsecond) is not worth a hand-off.
const TASK_MIN: usize = 48 << 10;
/// Enough tasks to balance a few threads.
const TASKS: usize = 16;
/// More multiply-adds in one task would leave many threads without work.
const TASK_MAX: usize = 4 << 20;

/// Where the kernel reads B from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceB {
    /// Where it is; only a last panel that is not whole vectors wide is packed.
    Direct,
    /// A panel in the worker's scratch, packed just before use.
    Panel,
    /// Packed as a whole by a first parallel phase, for all tiles.
    Shared,
    /// Packed as a whole by the caller.
    Packed,
}

/// Which micro-kernel, on which memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    Dot,
    Outer { pack_a: bool, b: SourceB },
}

/// A product and the way it is computed. Rows come in *groups* and columns in *panels*, one of each to a micro-kernel
/// call; a tile is a range of groups times a range of panels.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The product; where it pays (`swapped`), the transposed one: Cᵀ = Bᵀ·Aᵀ.
    pub spec: GemmSpec,
    pub swapped: bool,
    pub path: Path,
    pub k_blocks: usize,
    pub groups: usize,
    /// The most rows of a group.
    pub rows: usize,
    pub panels: usize,
    /// Columns of a panel.
    pub width: usize,
    pub row_tiles: usize,
    pub column_tiles: usize,
}

/// Part `i` of `parts` parts of `0..len`, equal to within one, the larger ones first.
pub fn part(i: usize, parts: usize, len: usize) -> Range<usize> {
    let (size, larger) = (len / parts, len % parts);
    let start = i * size + i.min(larger);
    start..start + size + usize::from(i < larger)
}

/// What a plan needs to know of the vectors.
#[derive(Clone, Copy, Debug)]
pub struct Registers {
    /// Elements of a vector.
    pub lanes: usize,
    /// Rows of a block two vectors wide.
    pub rows: usize,
    pub element_bytes: usize,
}

impl Registers {
    pub fn of<V: Vector>() -> Self {
        Self { lanes: V::LANES, rows: V::ROWS, element_bytes: size_of::<V::Element>() }
    }
}

impl Plan {
    pub fn new(spec: &GemmSpec, registers: Registers) -> Self {
        let lanes = registers.lanes;
        let transposed = spec.transposed();
        let costs = [outer_cost(spec, lanes), outer_cost(&transposed, lanes)];
        let dot = is_dot(spec) && dot_cost(spec, lanes) < costs[0].min(costs[1]);
        let swapped = if dot { spec.n == 1 } else { costs[1] < costs[0] };
        let spec = if swapped { transposed } else { spec.clone() };
        let plan = if dot { Self::dot(spec) } else { Self::outer(spec, registers) };
        Self { swapped, ..plan }
    }

    /// A plan for a B that the caller packs.
    pub fn packed(spec: &GemmSpec, registers: Registers) -> Self {
        let mut plan = Self::outer(spec.clone(), registers);
        if let Path::Outer { b, .. } = &mut plan.path {
            *b = SourceB::Packed;
        }
        plan
    }

    /// Tiles of one product of the batch; none if C is empty.
    pub fn tiles(&self) -> usize {
        (self.row_tiles * self.column_tiles).min(self.groups * self.panels)
    }

    /// The length of the longest stretch of k.
    pub fn k_block(&self) -> usize {
        self.spec.k.div_ceil(self.k_blocks)
    }

    /// Elements of scratch that all tiles share: the packed B.
    pub fn shared_len(&self) -> usize {
        match self.path {
            Path::Outer { b: SourceB::Shared, .. } => self.packed_len(),
            _ => 0,
        }
    }

    /// Elements of a packed B.
    pub fn packed_len(&self) -> usize {
        self.spec.k * self.panels * self.width
    }

    /// Tasks of the first phase, which packs the shared B; each is worth a microsecond or two.
    pub fn pack_tasks(&self) -> usize {
        let most = if self.packs_rows() { self.spec.k / PACK_ROWS } else { self.panels };
        (self.shared_len() >> 13).min(most).max(1)
    }

    /// Whether B is packed by rows: its elements lie together along them.
    pub fn packs_rows(&self) -> bool {
        self.spec.b_strides[1] == 1
    }

    /// What a task of the first phase packs: some rows of all panels, where B is packed by rows, or all of some panels.
    pub fn pack_task(&self, index: usize) -> (Range<usize>, Range<usize>) {
        let tasks = self.pack_tasks();
        if self.packs_rows() {
            (part(index, tasks, self.spec.k), 0..self.panels)
        } else {
            (0..self.spec.k, part(index, tasks, self.panels))
        }
    }

    /// Elements of a worker's scratch for a panel of B.
    pub fn local_b(&self) -> usize {
        match self.path {
            Path::Outer { b: SourceB::Panel, .. } => self.k_block() * self.width,
            Path::Outer { b: SourceB::Direct, .. } if !self.spec.n.is_multiple_of(self.width) => {
                self.k_block() * self.width
            }
            _ => 0,
        }
    }

    /// Elements of a worker's scratch for a tile's block of A.
    pub fn local_a(&self) -> usize {
        match self.path {
            Path::Outer { pack_a: true, .. } => {
                self.k_block() * self.spec.m.min(self.groups.div_ceil(self.row_tiles) * self.rows)
            }
            _ => 0,
        }
    }

    fn dot(spec: GemmSpec) -> Self {
        let rows = if spec.m == 1 { 1 } else { DOT_ROWS };
        let groups = spec.m.div_ceil(rows);
        let panels = spec.n.div_ceil(DOT_COLUMNS[usize::from(spec.m == 1)]);
        let tasks = wanted_tasks(&spec);
        let (row_tiles, column_tiles) =
            if groups >= panels { (tasks.min(groups), 1) } else { (1, tasks.min(panels)) };
        Self {
            spec,
            swapped: false,
            path: Path::Dot,
            k_blocks: 1,
            groups,
            rows,
            panels,
            width: 0,
            row_tiles,
            column_tiles,
        }
    }

    fn outer(spec: GemmSpec, registers: Registers) -> Self {
        let Registers { lanes, rows, element_bytes } = registers;
        let k_blocks = (spec.k * element_bytes).div_ceil(K_BLOCK_BYTES).max(1);
        let k_block = spec.k.div_ceil(k_blocks);
        let groups = spec.m.div_ceil(rows);
        // Few rows need wide panels to keep enough sums in flight.
        let vectors = match spec.m {
            0 | 1 => 8,
            2 | 3 => 4,
            _ => 2,
        };
        let width = lanes * spec.n.div_ceil(lanes).next_power_of_two().min(vectors);
        let panels = spec.n.div_ceil(width);
        let small =
            |k_stride: isize| k_stride.unsigned_abs() * spec.k * element_bytes <= SMALL_BYTES;
        let pack_a = !is_unit(spec.a_strides[1], spec.k) && panels > 2 && !small(spec.a_strides[1]);
        let direct_b =
            is_unit(spec.b_strides[1], spec.n) && (groups <= 2 || small(spec.b_strides[0]));

        let tasks = wanted_tasks(&spec);
        let groups_max = (A_BLOCK_BYTES / element_bytes / k_block.max(1) / rows).max(4);
        let (row_tiles, column_tiles) =
            if groups <= groups_max && !pack_a && panels >= tasks.min(TASKS) / 2 {
                (1, tasks.min(panels))
            } else {
                let row_tiles = even(tasks.min(groups / 8)).max(groups.div_ceil(groups_max));
                let panels_min = if pack_a { 16 } else { 4 };
                (row_tiles, tasks.div_ceil(row_tiles).min(panels / panels_min).max(1))
            };
        let shared = row_tiles > 1
            && spec.batch == 1
            && panels * width * spec.k * element_bytes <= SHARED_BYTES;
        let b = match (direct_b, shared) {
            (true, _) => SourceB::Direct,
            (false, true) => SourceB::Shared,
            (false, false) => SourceB::Panel,
        };
        let path = Path::Outer { pack_a, b };
        Self {
            spec,
            swapped: false,
            path,
            k_blocks,
            groups,
            rows,
            panels,
            width,
            row_tiles,
            column_tiles,
        }
    }
}

/// Whether `len` elements at this stride lie next to each other.
fn is_unit(stride: isize, len: usize) -> bool {
    stride == 1 || len <= 1
}

fn is_dot(spec: &GemmSpec) -> bool {
    is_unit(spec.a_strides[1], spec.k) && is_unit(spec.b_strides[0], spec.k)
}

/// How many tasks the whole batch should make, divided among its products.
fn wanted_tasks(spec: &GemmSpec) -> usize {
    let work = [spec.n, spec.k, spec.batch].iter().fold(spec.m, |work, &n| work.saturating_mul(n));
    let tasks = 1 << (work / TASK_MIN).clamp(1, TASKS).ilog2();
    tasks.max(work / TASK_MAX).div_ceil(spec.batch.max(1))
}

/// An odd number of equal tiles would leave one of two threads idle for the last.
fn even(tiles: usize) -> usize {
    (tiles & !1).max(1)
}

/// An estimate in multiply-adds of one vector; the weights are measured ones of packing and scattered stores.
fn outer_cost(spec: &GemmSpec, lanes: usize) -> f64 {
    let [m, n, k, lanes] = [spec.m, spec.n, spec.k, lanes].map(|x| x as f64);
    let multiply = m * (n / lanes).ceil() * k;
    let pack_a = if is_unit(spec.a_strides[1], spec.k) { 0.0 } else { 0.6 };
    let pack_b = match spec.b_strides {
        [_, column] if is_unit(column, spec.n) => 0.3,
        [row, _] if is_unit(row, spec.k) => 0.8,
        _ => 2.0,
    };
    let store = if is_unit(spec.c_strides[1], spec.n) { 0.0 } else { 2.0 };
    multiply + pack_a * m * k + pack_b * n * k + store * m * n
}

fn dot_cost(spec: &GemmSpec, lanes: usize) -> f64 {
    let [m, n, k, lanes] = [spec.m, spec.n, spec.k, lanes].map(|x| x as f64);
    m * n * (1.2 * (k / lanes).ceil() + 6.0)
}

//! Products against naive loops in `f64`, on every instruction set; what surrounds operands and scratch is NaN, so a
//! read beyond an edge shows, and so does a write.

use super::{Element, Gemm, GemmSpec};
use crate::isa::Isa;
use crate::pool::Pool;

const NAN: f64 = f64::NAN;

trait Number: Element {
    const EPSILON: f64;
    fn from_f64(x: f64) -> Self;
    fn to_f64(self) -> f64;
    fn bits(self) -> u64;
}

impl Number for f32 {
    const EPSILON: f64 = Self::EPSILON as f64;
    fn from_f64(x: f64) -> Self {
        x as Self
    }
    fn to_f64(self) -> f64 {
        f64::from(self)
    }
    fn bits(self) -> u64 {
        u64::from(self.to_bits())
    }
}

impl Number for f64 {
    const EPSILON: f64 = Self::EPSILON;
    fn from_f64(x: f64) -> Self {
        x
    }
    fn to_f64(self) -> f64 {
        self
    }
    fn bits(self) -> u64 {
        self.to_bits()
    }
}

/// Small numbers with few bits, different from element to element.
fn number(seed: usize) -> f64 {
    let mixed = (seed as u64).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ((mixed >> 40) % 2001) as f64 / 1000.0 - 1.0
}

/// Where the elements of a matrix lie.
#[derive(Clone, Copy, Debug)]
enum Layout {
    Rows,
    Columns,
    GappedRows,
    GappedColumns,
    Scattered,
    Reversed,
    OneRow,
    OneColumn,
}

use Layout::*;

/// Some memory with a matrix in it, and NaN wherever the matrix is not.
struct Matrix<T> {
    data: Vec<T>,
    first: usize,
    strides: [isize; 2],
    size: [usize; 2],
}

impl<T: Number> Matrix<T> {
    fn new([rows, columns]: [usize; 2], layout: Layout, seed: usize) -> Self {
        let [r, c] = [rows as isize, columns as isize];
        let strides = match layout {
            Rows => [c, 1],
            Columns => [1, r],
            GappedRows => [c + 3, 1],
            GappedColumns => [1, r + 5],
            Scattered => [2 * c + 3, 2],
            Reversed => [-c - 1, -1],
            OneRow => [0, 1],
            OneColumn => [1, 0],
        };
        let margin = 20;
        let spans: Vec<isize> =
            [r, c].iter().zip(strides).map(|(n, s)| (n - 1).max(0) * s).collect();
        let before: usize = spans.iter().map(|&s| (-s).max(0) as usize).sum();
        let after: usize = spans.iter().map(|&s| s.max(0) as usize).sum();
        let data = vec![T::from_f64(NAN); before + after + 2 * margin + 1];
        let mut matrix = Self { data, first: before + margin, strides, size: [rows, columns] };
        for i in 0..rows {
            for j in 0..columns {
                matrix.set(i, j, T::from_f64(number(seed + matrix.place(i, j))));
            }
        }
        matrix
    }

    fn place(&self, i: usize, j: usize) -> usize {
        (self.first as isize + i as isize * self.strides[0] + j as isize * self.strides[1]) as usize
    }

    fn set(&mut self, i: usize, j: usize, x: T) {
        let place = self.place(i, j);
        self.data[place] = x;
    }

    fn at(&self, i: usize, j: usize) -> f64 {
        self.data[self.place(i, j)].to_f64()
    }
}

fn spec<T>(a: &Matrix<T>, b: &Matrix<T>, c: &Matrix<T>, accumulate: bool) -> GemmSpec {
    let [[m, k], [_, n]] = [a.size, b.size];
    let [a_strides, b_strides, c_strides] = [a.strides, b.strides, c.strides];
    GemmSpec { m, n, k, a_strides, b_strides, c_strides, accumulate, batch: 1 }
}

/// Runs the product, with NaN in the scratch and a check that nothing is written beyond it.
fn run<T: Number>(
    isa: Isa,
    pool: &Pool,
    a: &Matrix<T>,
    b: &Matrix<T>,
    c: &mut Matrix<T>,
    accumulate: bool,
) {
    let gemm = Gemm::<T>::new(isa, &spec(a, b, c, accumulate));
    let scratch_len = gemm.scratch_len(pool.threads());
    let guard = T::from_f64(77.0);
    let mut scratch = vec![T::from_f64(NAN); scratch_len];
    scratch.extend([guard; 32]);
    let [a, b] = [a, b].map(|x| x.data.as_ptr().wrapping_add(x.first));
    let c = c.data.as_mut_ptr().wrapping_add(c.first);
    // SAFETY: the spec describes the matrices, the scratch is as long as asked for, the instruction set available.
    unsafe { gemm.run(pool, a, b, c, scratch.as_mut_ptr()) };
    assert!(scratch[scratch_len..].iter().all(|&x| x == guard), "written beyond the scratch");
}

/// Compares with the naive product; everything in C's memory that is not C must be untouched.
fn check<T: Number>(
    pool: &Pool,
    isa: Isa,
    [m, k, n]: [usize; 3],
    layouts: [Layout; 3],
    accumulate: bool,
) {
    let a = Matrix::<T>::new([m, k], layouts[0], 1);
    let b = Matrix::<T>::new([k, n], layouts[1], 2);
    let old = Matrix::<T>::new([m, n], layouts[2], 3);
    let mut c = Matrix::<T>::new([m, n], layouts[2], 3);
    if !accumulate {
        c.data.fill(T::from_f64(NAN));
    }
    run(isa, pool, &a, &b, &mut c, accumulate);
    let what = || {
        format!(
            "{isa:?} {m}x{k}x{n} {layouts:?} accumulate {accumulate} threads {}",
            pool.threads()
        )
    };
    for i in 0..m {
        for j in 0..n {
            let start = if accumulate { old.at(i, j) } else { 0.0 };
            let products = (0..k).map(|p| a.at(i, p) * b.at(p, j));
            let (exact, size) =
                products.fold((start, start.abs()), |(x, s), p| (x + p, s + p.abs()));
            let got = c.at(i, j);
            let bound = (k + 2) as f64 * T::EPSILON * size;
            assert!((got - exact).abs() <= bound, "{}: C[{i}, {j}] = {got}, not {exact}", what());
            c.set(i, j, T::from_f64(NAN));
        }
    }
    assert!(c.data.iter().all(|x| x.to_f64().is_nan()), "{}: written beside C", what());
}

fn check_all<T: Number>(pool: &Pool, shape: [usize; 3], layouts: [Layout; 3]) {
    for isa in Isa::available() {
        for accumulate in [false, true] {
            check::<T>(pool, isa, shape, layouts, accumulate);
        }
    }
}

const OPERANDS: [Layout; 8] =
    [Rows, Columns, GappedRows, GappedColumns, Scattered, Reversed, OneRow, OneColumn];
const RESULTS: [Layout; 6] = [Rows, Columns, GappedRows, GappedColumns, Scattered, Reversed];

#[test]
fn every_small_size() {
    let pool = Pool::new(1);
    let sizes = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 16, 17, 33];
    for m in sizes {
        for n in sizes {
            for k in [0, 1, 2, 7, 8, 9, 31] {
                for a in [Rows, Columns] {
                    for b in [Rows, Columns] {
                        check_all::<f32>(&pool, [m, k, n], [a, b, Rows]);
                    }
                }
                check_all::<f64>(&pool, [m, k, n], [Rows, Columns, Rows]);
            }
        }
    }
}

/// All blocks that a micro-kernel computes, whole and with a last vector that is not.
#[test]
fn every_block() {
    let pool = Pool::new(1);
    for m in 1..=14 {
        for n in [11, 16, 25, 32, 60, 64, 120, 128] {
            for b in [Rows, Columns] {
                check_all::<f32>(&pool, [m, 40, n], [Rows, b, Rows]);
                check_all::<f64>(&pool, [m, 40, n / 2], [Rows, b, Rows]);
            }
        }
    }
}

#[test]
fn every_layout() {
    let pool = Pool::new(2);
    for shape in [
        [1, 40, 70],
        [70, 40, 1],
        [2, 9, 130],
        [3, 50, 70],
        [19, 70, 37],
        [64, 33, 10],
        [50, 60, 70],
    ] {
        for a in OPERANDS {
            for b in OPERANDS {
                for c in RESULTS {
                    check_all::<f32>(&pool, shape, [a, b, c]);
                }
                check_all::<f64>(&pool, shape, [a, b, Scattered]);
            }
        }
    }
}

/// Long enough in each direction for several tiles, several blocks of k and a shared B.
const LARGE: [[usize; 3]; 9] = [
    [64, 784, 512],
    [64, 512, 784],
    [512, 64, 784],
    [10, 64, 256],
    [1, 784, 512],
    [130, 1700, 90],
    [260, 100, 250],
    [7, 1000, 300],
    [300, 1000, 9],
];

#[test]
fn large_sizes() {
    let pool = Pool::new(2);
    for shape in LARGE {
        for layouts in [
            [Rows, Rows, Rows],
            [Rows, Columns, Rows],
            [Columns, Rows, Rows],
            [Columns, Columns, Columns],
        ] {
            check_all::<f32>(&pool, shape, layouts);
        }
        check_all::<f64>(&pool, shape, [Rows, Columns, GappedRows]);
    }
}

#[test]
fn bits_do_not_depend_on_threads() {
    let pools = [1, 2, 3, 8].map(Pool::new);
    fn same<T: Number>(pools: &[Pool], shape: [usize; 3], layouts: [Layout; 2]) {
        let [m, k, n] = shape;
        let a = Matrix::<T>::new([m, k], layouts[0], 5);
        let b = Matrix::<T>::new([k, n], layouts[1], 6);
        for isa in Isa::available() {
            let mut results = pools.iter().map(|pool| {
                let mut c = Matrix::new([m, n], Rows, 7);
                run(isa, pool, &a, &b, &mut c, true);
                c.data.into_iter().map(T::bits).collect::<Vec<_>>()
            });
            let first = results.next().expect("a pool");
            assert!(results.all(|c| c == first), "{isa:?} {shape:?} {layouts:?}");
        }
    }
    for shape in LARGE {
        for layouts in [[Rows, Rows], [Rows, Columns], [Columns, Rows]] {
            same::<f32>(&pools, shape, layouts);
        }
        same::<f64>(&pools, shape, [Rows, Rows]);
    }
}

/// One bad element of A spoils its row of C and nothing else, likewise a column for B; also where the other factor is 0.
#[test]
fn nan_and_infinity_stay_in_their_row_or_column() {
    let pool = Pool::new(2);
    for [m, k, n] in
        [[1, 5, 3], [3, 30, 10], [13, 9, 21], [64, 256, 10], [64, 300, 50], [5, 200, 1]]
    {
        for layouts in [[Rows, Rows], [Rows, Columns], [Columns, Rows], [Columns, Columns]] {
            for (isa, bad) in
                Isa::available().flat_map(|isa| [(isa, f32::NAN), (isa, f32::INFINITY)])
            {
                let (row, column, depth) = (m / 2, n - 1, k - 1);
                let mut a = Matrix::<f32>::new([m, k], layouts[0], 5);
                let mut b = Matrix::<f32>::new([k, n], layouts[1], 6);
                let clean = [a.data.clone(), b.data.clone()];
                for j in 0..n {
                    b.set(depth, j, 0.0);
                }
                a.set(row, depth, bad);
                let mut c = Matrix::new([m, n], Rows, 7);
                run(isa, &pool, &a, &b, &mut c, false);
                let spoiled = |i, j| c.at(i, j).is_nan() == (i == row);
                assert!(
                    (0..m).all(|i| (0..n).all(|j| spoiled(i, j))),
                    "{isa:?} {m}x{k}x{n} {layouts:?}, {bad} in A"
                );

                [a.data, b.data] = clean;
                for i in 0..m {
                    a.set(i, depth, 0.0);
                }
                b.set(depth, column, bad);
                run(isa, &pool, &a, &b, &mut c, false);
                let spoiled = |i, j| c.at(i, j).is_nan() == (j == column);
                assert!(
                    (0..m).all(|i| (0..n).all(|j| spoiled(i, j))),
                    "{isa:?} {m}x{k}x{n} {layouts:?}, {bad} in B"
                );
            }
        }
    }
}

#[test]
fn infinity_times_a_number_is_infinite() {
    let pool = Pool::new(1);
    for isa in Isa::available() {
        let mut a = Matrix::<f32>::new([9, 40], Rows, 1);
        let mut b = Matrix::<f32>::new([40, 11], Rows, 1);
        a.data.fill(1.0);
        b.data.fill(1.0);
        a.set(4, 20, f32::NEG_INFINITY);
        let mut c = Matrix::new([9, 11], Rows, 7);
        run(isa, &pool, &a, &b, &mut c, false);
        for (i, j) in (0..9).flat_map(|i| (0..11).map(move |j| (i, j))) {
            assert_eq!(c.at(i, j), if i == 4 { f64::NEG_INFINITY } else { 40.0 });
        }
    }
}

/// Heads of attention: A is [batches, m, heads, k], B the same for all heads of a batch, as it is or transposed.
#[test]
fn batches_with_any_offsets() {
    let (batches, heads) = (3, 2);
    for pool in [1, 2, 3].map(Pool::new) {
        for (isa, transposed) in Isa::available().flat_map(|isa| [(isa, false), (isa, true)]) {
            for [m, k, n] in [[5, 7, 3], [17, 33, 40], [100, 64, 90], [1, 30, 9], [40, 500, 200]] {
                let a: Vec<f64> = (0..batches * m * heads * k).map(number).collect();
                let b: Vec<f64> = (0..batches * k * n).map(|i| number(i + 1000)).collect();
                let mut spec = GemmSpec::row_major(m, k, n);
                if transposed {
                    spec = spec.b_transposed();
                }
                spec.a_strides = [(heads * k) as isize, 1];
                spec.batch = batches * heads;
                let offsets = |i: usize| {
                    let (batch, head) = (i / heads, i % heads);
                    let a = (batch * m * heads + head) * k;
                    [a, batch * k * n, i * m * n].map(|x| x as isize)
                };
                let gemm = Gemm::<f64>::new(isa, &spec);
                let mut c = vec![NAN; batches * heads * m * n];
                let mut scratch = vec![NAN; gemm.scratch_len(pool.threads())];
                let (to, scratch) = (c.as_mut_ptr(), scratch.as_mut_ptr());
                // SAFETY: offsets and strides stay within the vectors.
                unsafe { gemm.run_batched(&pool, a.as_ptr(), b.as_ptr(), to, &offsets, scratch) };
                for (place, &got) in c.iter().enumerate() {
                    let (item, i, j) = (place / (m * n), place / n % m, place % n);
                    let [a_first, b_first, _] = offsets(item).map(|x| x as usize);
                    let b_at = |p: usize| b_first + if transposed { j * k + p } else { p * n + j };
                    let products = (0..k).map(|p| a[a_first + i * heads * k + p] * b[b_at(p)]);
                    let exact: f64 = products.sum();
                    let what = || format!("{isa:?} {m}x{k}x{n}, product {item}, C[{i}, {j}]");
                    assert!((got - exact).abs() < 1e-12, "{}: {got}, not {exact}", what());
                }
            }
        }
    }
}

/// A B that is packed once gives what one packed within the run does, and the calling thread alone the bits of a pool.
#[test]
fn packed_once_and_alone() {
    let pool = Pool::new(2);
    for [m, k, n] in [[1, 20, 40], [7, 0, 9], [32, 256, 100], [100, 900, 70], [300, 40, 33]] {
        for (isa, layout) in Isa::available().flat_map(|isa| [(isa, Rows), (isa, Columns)]) {
            let a = Matrix::<f32>::new([m, k], Rows, 1);
            let b = Matrix::<f32>::new([k, n], layout, 2);
            let mut c = Matrix::<f32>::new([m, n], Rows, 3);
            let spec = spec(&a, &b, &c, true);
            let old = c.data.clone();
            let [a, b] = [a, b].map(|x| x.data[x.first..].to_vec());
            let gemm = Gemm::<f32>::with_packed_b(isa, &spec);
            let mut packed = vec![f32::NAN; gemm.packed_b_len()];
            let mut scratch = vec![f32::NAN; gemm.scratch_len(2)];
            let mut results = vec![];
            // SAFETY: the spec describes the matrices, packed B and scratch are as long as asked for.
            unsafe {
                for panel in (0..gemm.panels()).rev() {
                    gemm.pack_b(panel..panel + 1, b.as_ptr(), packed.as_mut_ptr());
                }
                let (a, packed, scratch) = (a.as_ptr(), packed.as_ptr(), scratch.as_mut_ptr());
                gemm.run(&pool, a, packed, c.data[c.first..].as_mut_ptr(), scratch);
                results.push(std::mem::replace(&mut c.data, old.clone()));
                gemm.run_alone(a, packed, c.data[c.first..].as_mut_ptr(), scratch);
                results.push(std::mem::replace(&mut c.data, old.clone()));
            }
            let gemm = Gemm::<f32>::new(isa, &spec);
            let mut scratch = vec![f32::NAN; gemm.scratch_len(2)];
            let (a, b, scratch) = (a.as_ptr(), b.as_ptr(), scratch.as_mut_ptr());
            // SAFETY: as above.
            unsafe {
                gemm.run_alone(a, b, c.data[c.first..].as_mut_ptr(), scratch);
                results.push(std::mem::replace(&mut c.data, old.clone()));
                gemm.run(&pool, a, b, c.data[c.first..].as_mut_ptr(), scratch);
                results.push(c.data);
            }
            let what = format!("{isa:?} {m}x{k}x{n}");
            for (i, x) in results[0].iter().enumerate().filter(|(_, x)| !x.is_nan()) {
                let error = (x - results[2][i]).abs();
                assert!(error <= 1e-6 * (k + 2) as f32, "{what}, packed or not: {error}");
            }
            let bits: Vec<Vec<u64>> =
                results.into_iter().map(|c| c.into_iter().map(f32::bits).collect()).collect();
            assert_eq!(bits[0], bits[1], "{what}, packed, on a pool and alone");
            assert_eq!(bits[2], bits[3], "{what}, on a pool and alone");
        }
    }
}

#[test]
fn small_products_are_one_task_and_large_ones_many() {
    let tasks = |m, k, n| Gemm::<f32>::new(Isa::detect(), &GemmSpec::row_major(m, k, n)).tasks();
    assert_eq!(tasks(32, 20, 64), 1);
    assert_eq!(tasks(0, 20, 64), 0);
    assert!(tasks(64, 784, 512) >= 8);
    assert!(tasks(2048, 2048, 2048) >= 64);
}

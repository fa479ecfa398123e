//! The vector operations against plain arithmetic on their lanes.

use std::fmt::Debug;

use super::{Element, Kernel, Vector};
use crate::isa::Isa;

/// Checks every operation of the vector it is launched for.
struct Check<T>(fn(usize) -> T);

impl<T: Element + Debug, V: Vector<Element = T>> Kernel<V> for Check<T> {
    #[inline(always)]
    unsafe fn run(self) {
        let n = V::LANES;
        let numbers = |from: usize| (from..from + n * n).map(self.0).collect::<Vec<T>>();
        let (a, b, c) = (numbers(1), numbers(50), numbers(7));
        let zero = T::default();
        let lanes = |v: V| {
            let mut to = vec![zero; n];
            // SAFETY: `to` has LANES elements.
            unsafe { v.store(to.as_mut_ptr()) };
            to
        };
        let each = |f: &dyn Fn(usize) -> T| (0..n).map(f).collect::<Vec<T>>();
        // SAFETY: the vectors have at least LANES elements, those of the transposition LANES².
        unsafe {
            let [x, y, z] = [&a, &b, &c].map(|v| V::load(v.as_ptr()));
            assert_eq!(lanes(x), a[..n]);
            assert_eq!(lanes(V::splat(b[3])), vec![b[3]; n]);
            assert_eq!(lanes(x.add(y)), each(&|i| a[i] + b[i]));
            assert_eq!(lanes(x.sub(y)), each(&|i| a[i] - b[i]));
            assert_eq!(lanes(x.mul(y)), each(&|i| a[i] * b[i]));
            assert_eq!(lanes(x.mul_add(y, z)), each(&|i| a[i] * b[i] + c[i]));
            assert_eq!(x.sum(), a[..n].iter().fold(zero, |sum, &x| sum + x));
            for count in 0..n {
                let first = V::load_first(a.as_ptr(), count);
                assert_eq!(lanes(first), each(&|i| if i < count { a[i] } else { zero }));
                let mut to = c[..n].to_vec();
                x.store_first(to.as_mut_ptr(), count);
                assert_eq!(to, each(&|i| if i < count { a[i] } else { c[i] }));
            }
            let mut to = vec![zero; n * (n + 1)];
            V::transpose(a.as_ptr(), n as isize, to.as_mut_ptr(), n + 1);
            for i in 0..n {
                assert_eq!(to[i * (n + 1)..][..n], each(&|j| a[j * n + i]), "column {i}");
            }
        }
    }
}

#[test]
fn operations_are_those_of_the_lanes() {
    fn check<T: Element>(number: fn(usize) -> T) {
        for isa in Isa::available() {
            // SAFETY: the instruction set is available.
            unsafe {
                match isa {
                    Isa::Portable => T::Portable::launch(Check(number)),
                    Isa::Avx2 => T::Avx2::launch(Check(number)),
                    Isa::Avx512 => T::Avx512::launch(Check(number)),
                }
            }
        }
    }
    // Small whole numbers: all results are exact, so roundings and the order of sums do not matter.
    check(|i| (i * 37 % 101) as f32 - 50.0);
    check(|i| (i * 37 % 101) as f64 - 50.0);
}

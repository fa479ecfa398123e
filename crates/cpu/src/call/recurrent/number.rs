//! The types that cells compute with: `f32` with vectors of every instruction set, `f64`, which is for checking, with
//! portable ones.

use std::ops::Div;

use thalweg_graph::ops::Unary;

use crate::gemm::{Element, Kernel, Vector};
use crate::isa::Isa;
use crate::math;

/// Code compiled for every instruction set.
pub trait Code<T: Element>: Kernel<T::Portable> + Kernel<T::Avx2> + Kernel<T::Avx512> {}

impl<T: Element, K> Code<T> for K where K: Kernel<T::Portable> + Kernel<T::Avx2> + Kernel<T::Avx512> {}

pub trait Number: Element + PartialOrd + Div<Output = Self> {
    const ONE: Self;

    /// Elements of a vector.
    fn lanes(isa: Isa) -> usize;

    /// Runs the code with the instruction set on.
    ///
    /// # Safety
    /// The code's promises; the machine has the instruction set.
    unsafe fn launch(isa: Isa, code: impl Code<Self>);

    fn sigmoid(self) -> Self;
    fn tanh(self) -> Self;
    fn relu(self) -> Self;
}

impl Number for f32 {
    const ONE: Self = 1.0;

    fn lanes(isa: Isa) -> usize {
        match isa {
            Isa::Portable => <Self as Element>::Portable::LANES,
            Isa::Avx2 => <Self as Element>::Avx2::LANES,
            Isa::Avx512 => <Self as Element>::Avx512::LANES,
        }
    }

    unsafe fn launch(isa: Isa, code: impl Code<Self>) {
        // SAFETY: the caller's promise.
        unsafe {
            match isa {
                Isa::Portable => <Self as Element>::Portable::launch(code),
                Isa::Avx2 => <Self as Element>::Avx2::launch(code),
                Isa::Avx512 => <Self as Element>::Avx512::launch(code),
            }
        }
    }

    #[inline(always)]
    fn sigmoid(self) -> Self {
        math::sigmoid(self)
    }
    #[inline(always)]
    fn tanh(self) -> Self {
        math::tanh(self)
    }
    #[inline(always)]
    fn relu(self) -> Self {
        if self > 0.0 || self.is_nan() { self } else { 0.0 }
    }
}

impl Number for f64 {
    const ONE: Self = 1.0;

    fn lanes(_: Isa) -> usize {
        <Self as Element>::Portable::LANES
    }

    unsafe fn launch(_: Isa, code: impl Code<Self>) {
        // SAFETY: the caller's promise.
        unsafe { <Self as Element>::Portable::launch(code) }
    }

    fn sigmoid(self) -> Self {
        Unary::Sigmoid.float(self)
    }
    fn tanh(self) -> Self {
        Unary::Tanh.float(self)
    }
    fn relu(self) -> Self {
        Unary::Relu.float(self)
    }
}

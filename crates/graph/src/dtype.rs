//! Element types, and the scalars that go with them.

use std::fmt;

/// The type of a tensor's elements. There is no implicit promotion: mixing two types is an error,
/// [`Tensor::cast`](crate::Tensor::cast) converts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DType {
    /// 32-bit IEEE float, the type networks are trained in.
    F32,
    /// 64-bit IEEE float, the type gradients are checked in.
    F64,
    /// 64-bit signed integer: labels, indices, counters.
    I64,
    /// 32-bit signed integer.
    I32,
    /// Unsigned byte: raw images.
    U8,
    /// Truth value, stored as one byte 0 or 1.
    Bool,
}

impl DType {
    /// Every type, in a fixed order.
    pub const ALL: [DType; 6] =
        [DType::F32, DType::F64, DType::I64, DType::I32, DType::U8, DType::Bool];

    /// Bytes per element.
    pub const fn size(self) -> usize {
        match self {
            DType::F32 | DType::I32 => 4,
            DType::F64 | DType::I64 => 8,
            DType::U8 | DType::Bool => 1,
        }
    }

    /// True for `f32` and `f64`: the types that have gradients.
    pub const fn is_float(self) -> bool {
        matches!(self, DType::F32 | DType::F64)
    }

    /// True for `i64`, `i32` and `u8`.
    pub const fn is_int(self) -> bool {
        matches!(self, DType::I64 | DType::I32 | DType::U8)
    }

    /// The name users see: `f32`, `i64`, `bool`, …
    pub const fn name(self) -> &'static str {
        match self {
            DType::F32 => "f32",
            DType::F64 => "f64",
            DType::I64 => "i64",
            DType::I32 => "i32",
            DType::U8 => "u8",
            DType::Bool => "bool",
        }
    }

    /// `x` as an element of this type would hold it, seen as `f64`: floats are rounded to `f32`
    /// where that is the type, integers truncate towards zero and saturate, `bool` is `x != 0`.
    pub fn round_float(self, x: f64) -> f64 {
        match self {
            DType::F32 => x as f32 as f64,
            DType::F64 => x,
            DType::I64 => x as i64 as f64,
            DType::I32 => x as i32 as f64,
            DType::U8 => x as u8 as f64,
            DType::Bool => (x != 0.0) as u8 as f64,
        }
    }

    /// `x` wrapped into the range of this integer type (two's complement); `bool` is `x != 0`.
    pub fn wrap_int(self, x: i64) -> i64 {
        match self {
            DType::I32 => x as i32 as i64,
            DType::U8 => x as u8 as i64,
            DType::Bool => (x != 0) as i64,
            _ => x,
        }
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A Rust type that can be an element of a tensor.
pub trait Element: bytemuck::Pod + PartialEq + fmt::Debug + Send + Sync {
    /// The matching [`DType`].
    const DTYPE: DType;
}

impl Element for f32 {
    const DTYPE: DType = DType::F32;
}
impl Element for f64 {
    const DTYPE: DType = DType::F64;
}
impl Element for i64 {
    const DTYPE: DType = DType::I64;
}
impl Element for i32 {
    const DTYPE: DType = DType::I32;
}
impl Element for u8 {
    const DTYPE: DType = DType::U8;
}

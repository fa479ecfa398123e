//! Host values: a shape, an element type and the elements, contiguous and row-major.

use std::fmt;

use crate::dtype::{DType, Element};
use crate::shape::Shape;

/// One cache line. Storage is made of whole lines so that kernels get 64-byte aligned memory
/// without a line of `unsafe`.
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C, align(64))]
struct Line([u8; 64]);

/// The elements of one tensor in memory: contiguous, row-major, 64-byte aligned.
#[derive(Clone)]
pub struct Value {
    shape: Shape,
    dtype: DType,
    lines: Vec<Line>,
}

impl Value {
    /// All elements zero (`false` for `bool`).
    pub fn zeros(dtype: DType, shape: impl Into<Shape>) -> Value {
        let shape = shape.into();
        let lines = (shape.numel() * dtype.size()).div_ceil(64);
        Value { shape, dtype, lines: vec![Line([0; 64]); lines] }
    }

    /// The elements `data` in row-major order; `None` where their number is not that of `shape`.
    pub fn new<T: Element>(data: &[T], shape: impl Into<Shape>) -> Option<Value> {
        let shape = shape.into();
        if shape.checked_numel()? != data.len() {
            return None;
        }
        let mut value = Value::zeros(T::DTYPE, shape);
        value.bytes_mut().copy_from_slice(bytemuck::cast_slice(data));
        Some(value)
    }

    /// A one-dimensional value that holds `data`.
    pub fn from_slice<T: Element>(data: &[T]) -> Value {
        let mut value = Value::zeros(T::DTYPE, [data.len()]);
        value.bytes_mut().copy_from_slice(bytemuck::cast_slice(data));
        value
    }

    /// A scalar.
    pub fn scalar<T: Element>(x: T) -> Value {
        let mut value = Value::zeros(T::DTYPE, Shape::scalar());
        value.bytes_mut().copy_from_slice(bytemuck::bytes_of(&x));
        value
    }

    /// Truth values; `None` where their number is not that of `shape`.
    pub fn from_bools(data: &[bool], shape: impl Into<Shape>) -> Option<Value> {
        let bytes: Vec<u8> = data.iter().map(|&b| b as u8).collect();
        let mut value = Value::new(&bytes, shape)?;
        value.dtype = DType::Bool;
        Some(value)
    }

    /// Elements given as `f64`, rounded as [`DType::round_float`] says. `data` must fit `shape`.
    pub fn from_f64(dtype: DType, data: &[f64], shape: impl Into<Shape>) -> Option<Value> {
        let shape = shape.into();
        if shape.checked_numel()? != data.len() {
            return None;
        }
        let mut value = Value::zeros(dtype, shape);
        match dtype {
            DType::F32 => fill(&mut value, data, |x| x as f32),
            DType::F64 => fill(&mut value, data, |x| x),
            DType::I64 => fill(&mut value, data, |x| x as i64),
            DType::I32 => fill(&mut value, data, |x| x as i32),
            DType::U8 => fill(&mut value, data, |x| x as u8),
            DType::Bool => fill(&mut value, data, |x| (x != 0.0) as u8),
        }
        Some(value)
    }

    /// Elements given as `i64`, wrapped as [`DType::wrap_int`] says (floats: nearest). `data` must fit `shape`.
    pub fn from_i64(dtype: DType, data: &[i64], shape: impl Into<Shape>) -> Option<Value> {
        let shape = shape.into();
        if shape.checked_numel()? != data.len() {
            return None;
        }
        let mut value = Value::zeros(dtype, shape);
        match dtype {
            DType::F32 => fill(&mut value, data, |x| x as f32),
            DType::F64 => fill(&mut value, data, |x| x as f64),
            DType::I64 => fill(&mut value, data, |x| x),
            DType::I32 => fill(&mut value, data, |x| x as i32),
            DType::U8 => fill(&mut value, data, |x| x as u8),
            DType::Bool => fill(&mut value, data, |x| (x != 0) as u8),
        }
        Some(value)
    }

    /// The shape.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The element type.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// The number of elements.
    pub fn numel(&self) -> usize {
        self.shape.numel()
    }

    /// The elements as raw bytes.
    pub fn bytes(&self) -> &[u8] {
        &bytemuck::cast_slice(&self.lines)[..self.shape.numel() * self.dtype.size()]
    }

    /// The elements as raw bytes, to be written.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        let len = self.shape.numel() * self.dtype.size();
        &mut bytemuck::cast_slice_mut(&mut self.lines)[..len]
    }

    /// The elements, where `T` is the element type (`u8` also reads `bool`); else `None`.
    pub fn as_slice<T: Element>(&self) -> Option<&[T]> {
        self.holds(T::DTYPE).then(|| bytemuck::cast_slice(self.bytes()))
    }

    /// The elements to be written, where `T` is the element type; else `None`.
    pub fn as_mut_slice<T: Element>(&mut self) -> Option<&mut [T]> {
        self.holds(T::DTYPE).then(|| bytemuck::cast_slice_mut(self.bytes_mut()))
    }

    fn holds(&self, dtype: DType) -> bool {
        dtype == self.dtype || (dtype == DType::U8 && self.dtype == DType::Bool)
    }

    /// Every element as `f64`, whatever the element type (`i64` beyond 2⁵³ is rounded).
    pub fn to_f64(&self) -> Vec<f64> {
        match self.dtype {
            DType::F32 => self.map(|x: f32| x as f64),
            DType::F64 => self.map(|x: f64| x),
            DType::I64 => self.map(|x: i64| x as f64),
            DType::I32 => self.map(|x: i32| x as f64),
            DType::U8 | DType::Bool => self.map(|x: u8| x as f64),
        }
    }

    /// Every element as `i64`, whatever the element type (floats truncate and saturate).
    pub fn to_i64(&self) -> Vec<i64> {
        match self.dtype {
            DType::F32 => self.map(|x: f32| x as i64),
            DType::F64 => self.map(|x: f64| x as i64),
            DType::I64 => self.map(|x: i64| x),
            DType::I32 => self.map(|x: i32| x as i64),
            DType::U8 | DType::Bool => self.map(|x: u8| x as i64),
        }
    }

    fn map<T: Element, R>(&self, f: impl Fn(T) -> R) -> Vec<R> {
        bytemuck::cast_slice(self.bytes()).iter().map(|&x| f(x)).collect()
    }

    /// The only element of a one-element value as `f64`; `None` for any other size.
    pub fn item(&self) -> Option<f64> {
        match self.to_f64()[..] {
            [x] => Some(x),
            _ => None,
        }
    }

    /// The same elements under another shape; `None` where the number of elements differs.
    pub fn reshaped(mut self, shape: impl Into<Shape>) -> Option<Value> {
        let shape = shape.into();
        (shape.checked_numel()? == self.numel()).then(|| {
            self.shape = shape;
            self
        })
    }
}

fn fill<T: Element, S: Copy>(value: &mut Value, data: &[S], f: impl Fn(S) -> T) {
    let out: &mut [T] = bytemuck::cast_slice_mut(value.bytes_mut());
    for (slot, &x) in out.iter_mut().zip(data) {
        *slot = f(x);
    }
}

impl PartialEq for Value {
    /// Bit equality: the same shape, type and bytes (so NaN equals itself, and 0 differs from −0).
    fn eq(&self, other: &Value) -> bool {
        self.dtype == other.dtype && self.shape == other.shape && self.bytes() == other.bytes()
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 16;
        write!(f, "{}{}", self.dtype, self.shape)?;
        let all = self.to_f64();
        f.write_str(" [")?;
        for (i, x) in all.iter().take(SHOWN).enumerate() {
            write!(f, "{}{x}", if i == 0 { "" } else { ", " })?;
        }
        f.write_str(if all.len() > SHOWN { ", …]" } else { "]" })
    }
}

//! Pieces of a tensor with channels last.

use std::mem::MaybeUninit;

use crate::gemm::{Kernel, Vector};

/// The most lanes of a vector.
const LANES: usize = 16;

/// Room for a square of vectors.
pub struct Square<V>([MaybeUninit<V>; LANES]);

impl<V: Vector> Square<V> {
    pub fn new() -> Self {
        Square([const { MaybeUninit::uninit() }; LANES])
    }

    pub fn as_mut_ptr(&mut self) -> *mut V::Element {
        self.0.as_mut_ptr().cast()
    }
}

/// Copies a rectangle of each plane to `[samples, rows, columns, padded]`, with zeros where it lies outside; the channels
/// from `channels` to `padded` are arbitrary numbers.
///
/// Valid memory: the planes of all channels and samples, and as much of `to`. `padded` is a multiple of the lanes.
pub struct Field {
    /// The plane of the first channel of the first sample.
    pub from: *const f32,
    pub samples: usize,
    /// Elements between two samples.
    pub sample: usize,
    pub channels: usize,
    /// Rows and columns of a plane.
    pub plane: [usize; 2],
    /// The rectangle's first row and column, and its extents.
    pub start: [isize; 2],
    pub extents: [usize; 2],
    pub padded: usize,
    pub to: *mut f32,
}

impl<V: Vector<Element = f32>> Kernel<V> for Field {
    #[inline(always)]
    unsafe fn run(self) {
        let Field { plane: [height, width], start, extents: [rows, columns], padded, .. } = self;
        let size = rows * columns * padded;
        let clip = |i: isize, n: usize| i.clamp(0, n as isize) as usize;
        let (top, bottom) = (clip(start[0], height), clip(start[0] + rows as isize, height));
        let mut square = Square::<V>::new();
        let square = square.as_mut_ptr();
        for sample in 0..self.samples {
            // SAFETY: what is read lies in the planes: a square only where a whole one does; what is written, in the
            // rectangle.
            unsafe {
                let to = self.to.add(sample * size);
                for i in (0..size).step_by(V::LANES) {
                    V::splat(0.0).store(to.add(i));
                }
                let from = self.from.add(sample * self.sample);
                let end = bottom * width;
                for first in (top * width..end).step_by(V::LANES) {
                    let pixels = V::LANES.min(end - first);
                    for channel in (0..self.channels).step_by(V::LANES) {
                        let channels = V::LANES.min(self.channels - channel);
                        let from = from.add(channel * height * width + first);
                        if channels == V::LANES && first + V::LANES <= height * width {
                            V::transpose(from, (height * width) as isize, square, V::LANES);
                        } else {
                            for i in 0..channels {
                                for j in 0..pixels {
                                    *square.add(j * V::LANES + i) =
                                        *from.add(i * height * width + j);
                                }
                            }
                        }
                        let (mut y, mut x) = (first / width, first % width);
                        for j in 0..pixels {
                            let (row, column) = (y as isize - start[0], x as isize - start[1]);
                            if (0..columns as isize).contains(&column) {
                                let place = (row as usize * columns + column as usize) * padded;
                                V::load(square.add(j * V::LANES)).store(to.add(place + channel));
                            }
                            x += 1;
                            if x == width {
                                (y, x) = (y + 1, 0);
                            }
                        }
                    }
                }
            }
        }
    }
}

//! Samples as pictures that people can look at.

use std::io::Cursor;

use image::{DynamicImage, GrayImage, ImageFormat, RgbImage};

use crate::features::Features;

/// The longest side of a picture; larger samples are made smaller.
const SIDE: u32 = 96;

/// A sample as a PNG: of shape `[height, width]`, `[1, height, width]` or `[3, height, width]`, of bytes. `None` for others, and
/// where there is no such row.
#[must_use]
pub fn png(features: &Features, row: usize) -> Option<Vec<u8>> {
    let (channels, height, width) = match *features.shape() {
        [height, width] => (1, height, width),
        [channels @ (1 | 3), height, width] => (channels, height, width),
        _ => return None,
    };
    if !features.is_bytes() {
        return None;
    }
    let mut sample = Vec::new();
    features.visit(&[row], |values| sample.extend(values)).ok()?;
    let bright =
        |value: &f32| (value / features.full_scale() * 255.0).round().clamp(0.0, 255.0) as u8;
    let (h, w) = (u32::try_from(height).ok()?, u32::try_from(width).ok()?);
    let area = height * width;
    let picture = match channels {
        1 => GrayImage::from_raw(w, h, sample.iter().map(bright).collect()).map(DynamicImage::from),
        _ => {
            let pixels = (0..area).flat_map(|at| [0, 1, 2].map(|c| bright(&sample[c * area + at])));
            RgbImage::from_raw(w, h, pixels.collect()).map(DynamicImage::from)
        }
    }?;
    let picture = if w.max(h) > SIDE { picture.thumbnail(SIDE, SIDE) } else { picture };
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, ImageFormat::Png).ok()?;
    Some(bytes.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::Raw;

    #[test]
    fn grey_and_coloured_samples_come_back() {
        let grey = Features::new(Raw::U8(vec![0, 8, 16, 4, 0, 0]), vec![2, 3]).unwrap();
        let grey = grey.with_full_scale(16.0).unwrap();
        let back = image::load_from_memory(&png(&grey, 0).unwrap()).unwrap().to_luma8();
        assert_eq!((back.dimensions(), back.into_raw()), ((3, 2), vec![0, 128, 255, 64, 0, 0]));
        assert_eq!(png(&grey, 1), None);

        let colours = Features::new(Raw::U8(vec![1, 2, 3, 4, 5, 6]), vec![3, 1, 2]).unwrap();
        let colours = colours.with_full_scale(255.0).unwrap();
        let back = image::load_from_memory(&png(&colours, 0).unwrap()).unwrap().to_rgb8();
        assert_eq!(back.into_raw(), [1, 3, 5, 2, 4, 6]);

        let large = Features::new(Raw::U8(vec![7; 200 * 100]), vec![200, 100]).unwrap();
        let back = image::load_from_memory(&png(&large, 0).unwrap()).unwrap();
        assert_eq!((back.width(), back.height()), (48, 96));
        let ids = Features::new(Raw::I64(vec![1, 2]), vec![2]).unwrap();
        assert_eq!(png(&ids, 0), None);
    }
}

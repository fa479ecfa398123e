//! Images and sequences of images from class folders, read by the `image` crate: PNG, JPEG, GIF, BMP and WebP.
//!
//! An image is turned as its camera says (EXIF), laid over white where it lets light through, turned to grey where one channel is wanted (Rec. 709:
//! 0.2126 R + 0.7152 G + 0.0722 B), and resized (bilinear, averaging where it shrinks). A sample that is an animation
//! or a folder of images, in the order of the numbers in their names, is a sequence: as many images as all have,
//! evenly spaced.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::sync::Arc;

#[cfg(feature = "images")]
use image::codecs::gif::GifDecoder;
use image::imageops::{FilterType, resize};
use image::metadata::Orientation;
#[cfg(feature = "images")]
use image::{AnimationDecoder, ImageFormat};
use image::{
    ColorType, DynamicImage, GrayImage, ImageDecoder, ImageError, ImageReader, ImageResult, Limits,
    RgbImage, RgbaImage,
};
use serde::{Deserialize, Serialize};

use crate::decoding::{Decoding, Groups};
use crate::encoding::Encoding;
use crate::error::DataError;
use crate::features::{Features, Raw, memory};
use crate::files::Files;
use crate::options::SourceOptions;
use crate::place::Place;
use crate::samples::{Samples, unlabelled};
use crate::source::Loaded;
use crate::streamed::Streamed;

/// The longer side of an image where nobody says, at most.
const MAX_SIDE: usize = 64;
/// Images in a sample where nobody says, at most.
const MAX_FRAMES: usize = 16;
/// Fewer sequences in folders than these are believed at their user's word only.
const FEWEST_SEQUENCES: usize = 10;
/// The longest side that is believed.
const MAX_PIXELS: u32 = 1 << 15;

/// How an image file becomes bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Images {
    /// 1 for grey, 3 for red, green, blue.
    pub channels: usize,
    /// Rows of pixels.
    pub height: usize,
    /// Columns of pixels.
    pub width: usize,
    /// Images in a sample, where samples are sequences.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frames: Option<usize>,
}

/// Reads images with their classes.
pub(crate) fn read(
    files: Files,
    name: &str,
    options: &SourceOptions,
    known: Option<(&Images, &[String])>,
) -> Result<Loaded, DataError> {
    let classes = known.map(|(_, classes)| classes);
    let check = |files: &mut Files, group: &[usize]| {
        group
            .iter()
            .try_for_each(|&file| decode(&files.read(file)?, 1, &files.place(file)).map(|_| ()))
    };
    let samples = Samples::find(files, options, classes, true, Arc::new(check))?;
    let images = match known {
        Some((images, _)) => images.clone(),
        None => {
            let (files, groups) = samples.learn();
            if options.frames.is_none() {
                check_folders(files, &groups)?;
            }
            Images::fit(files, groups, options)?
        }
    };
    let encoding = Encoding::Images(images.clone());
    samples.load(name, encoding, options.memory, |files, groups, bytes| {
        images.encode(files, groups, bytes)
    })
}

/// Refuses a few folders of images below the class folders, which are classes rather than sequences.
fn check_folders(files: &Files, groups: &Groups) -> Result<(), DataError> {
    match groups.iter().all(|group| group.len() > 1) && groups.len() < FEWEST_SEQUENCES {
        false => Ok(()),
        true => Err(DataError::content(
            Place::file(files.root()),
            format!(
                "the images lie in {} folders below the class folders, where a folder is one \
                sample, a sequence of images",
                groups.len()
            ),
            "where these folders are the classes, move them up, beside each other; where they are \
            sequences, say so with --set data.frames=N, the images that are taken of each",
        )),
    }
}

/// Reads images to predict on.
pub(crate) fn read_features(
    files: &Files,
    images: &Images,
    options: &SourceOptions,
) -> Result<Features, DataError> {
    images.encode(files, Arc::new(unlabelled(files, true)), memory(options.memory))
}

/// What a file says of itself without its pixels, as far as that is possible.
struct Probe {
    height: usize,
    width: usize,
    grey: bool,
    frames: usize,
}

impl Images {
    /// What suits the images to learn from, where `options` do not say it.
    fn fit(files: &Files, groups: Groups, options: &SourceOptions) -> Result<Images, DataError> {
        let look = |files: &mut Files, group: &[usize]| {
            let each = group.iter().map(|&file| probe(&files.read(file)?, &files.place(file)));
            each.collect::<Result<Vec<Probe>, DataError>>()
        };
        let all = (0..groups.len()).collect();
        let mut probes = Vec::new();
        let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
        for found in Decoding::begin(files, &groups, all, Arc::new(look)).finish() {
            let found = found?;
            let frames = if let [one] = &found[..] { one.frames } else { found.len() };
            *counts.entry(frames).or_default() += 1;
            probes.extend(found);
        }
        let sequences = counts.keys().any(|&frames| frames > 1);
        let usual = counts.iter().max_by_key(|&(_, count)| count).map_or(1, |(&frames, _)| frames);
        let frames = options.frames.or(sequences.then(|| usual.clamp(2, MAX_FRAMES)));
        Ok(Images { frames, ..Images::of(&probes, options)? })
    }

    /// What suits images that stand in a column of a table; those that cannot be read do not count.
    pub(crate) fn of_column(
        files: impl Iterator<Item = (Vec<u8>, Place)>,
        options: &SourceOptions,
    ) -> Result<Images, DataError> {
        let probes = files.filter_map(|(bytes, place)| probe(&bytes, &place).ok());
        Images::of(&probes.collect::<Vec<_>>(), options)
    }

    /// The most frequent size and the channels of single images.
    fn of(probes: &[Probe], options: &SourceOptions) -> Result<Images, DataError> {
        let mut sizes: BTreeMap<[usize; 2], usize> = BTreeMap::new();
        for found in probes {
            *sizes.entry([found.height, found.width]).or_default() += 1;
        }
        let grey = probes.iter().all(|found| found.grey);
        let usual = sizes.iter().max_by_key(|&(_, count)| count).map_or([1, 1], |(&size, _)| size);
        let [height, width] = options.size.map_or_else(|| shrunk(usual), |size| size.pixels());
        let channels = match options.channels {
            None => {
                if grey {
                    1
                } else {
                    3
                }
            }
            Some(channels @ (1 | 3)) => channels,
            Some(other) => {
                return Err(DataError::option(
                    "channels",
                    format!("{other} is no number of channels of an image"),
                    "1 makes images grey, 3 gives them red, green and blue",
                ));
            }
        };
        Ok(Images { channels, height, width, frames: None })
    }

    /// The bytes of a single image, `[channels, height, width]`.
    pub(crate) fn one(&self, bytes: &[u8], place: &Place) -> Result<Vec<u8>, DataError> {
        let mut out = Vec::with_capacity(self.channels * self.height * self.width);
        for image in decode(bytes, 1, place)? {
            let pixels = self.pixels(&image);
            for channel in 0..self.channels {
                out.extend(pixels.iter().skip(channel).step_by(self.channels));
            }
        }
        Ok(out)
    }

    /// The samples of these files, so many bytes of them in memory.
    fn encode(&self, files: &Files, groups: Groups, bytes: usize) -> Result<Features, DataError> {
        let Images { channels, height, width, frames } = *self;
        // The numbers may come from an edited file.
        let sound = |n: usize| (1..=MAX_PIXELS as usize).contains(&n);
        if !([height, width, frames.unwrap_or(1)].into_iter().all(sound)
            && [1, 3].contains(&channels))
        {
            let problem = format!("{self:?} describes no image");
            return Err(DataError::Inconsistent { name: "image encoding".into(), problem });
        }
        let shape = match frames {
            None => vec![channels, height, width],
            Some(frames) => vec![channels, frames, height, width],
        };
        let images = self.clone();
        let sample = move |files: &mut Files, group: &[usize]| images.sample(files, group);
        let numbers = shape.iter().product();
        let read = Streamed::read(files, groups, numbers, bytes, Arc::new(sample))?;
        Features::new(Raw::from(read), shape)?.with_full_scale(255.0)
    }

    /// The bytes of a sample, `[channels, frames, height, width]`.
    fn sample(&self, files: &mut Files, group: &[usize]) -> Result<Vec<u8>, DataError> {
        let Images { channels, height, width, frames } = *self;
        let (area, count) = (height * width, frames.unwrap_or(1));
        let mut raw = vec![0; channels * count * area];
        for (frame, image) in self.frames(files, group)?.iter().enumerate() {
            let pixels = self.pixels(image);
            for channel in 0..channels {
                let at = (channel * count + frame) * area;
                let plane = pixels.iter().skip(channel).step_by(channels);
                raw[at..at + area].iter_mut().zip(plane).for_each(|(out, &byte)| *out = byte);
            }
        }
        Ok(raw)
    }

    /// The images of a sample, as many as a sample has.
    fn frames(&self, files: &mut Files, group: &[usize]) -> Result<Vec<RgbaImage>, DataError> {
        let count = self.frames.unwrap_or(1);
        if let [file] = group {
            return decode(&files.read(*file)?, count, &files.place(*file));
        }
        let mut images = Vec::new();
        for i in spaced(count, group.len()) {
            images.extend(decode(&files.read(group[i])?, 1, &files.place(group[i]))?);
        }
        Ok(images)
    }

    /// An image in the right size and channels, pixel after pixel.
    fn pixels(&self, image: &RgbaImage) -> Vec<u8> {
        let (height, width) = (self.height as u32, self.width as u32);
        let fits = image.dimensions() == (width, height);
        let rgb = |pixel: &image::Rgba<u8>| {
            let [r, g, b, alpha] = pixel.0.map(u32::from);
            [r, g, b].map(|c| (c * alpha + 255 * (255 - alpha) + 127) / 255)
        };
        let grey = |[r, g, b]: [u32; 3]| (2126 * r + 7152 * g + 722 * b + 5000) / 10_000;
        let (w, h) = image.dimensions();
        let raw: Vec<u8> = match self.channels {
            1 => image.pixels().map(|pixel| grey(rgb(pixel)) as u8).collect(),
            _ => image.pixels().flat_map(|pixel| rgb(pixel).map(|c| c as u8)).collect(),
        };
        if fits {
            return raw;
        }
        // The lengths are those of the image, so there always is one.
        let resized = match self.channels {
            1 => GrayImage::from_raw(w, h, raw)
                .map(|image| resize(&image, width, height, FilterType::Triangle).into_raw()),
            _ => RgbImage::from_raw(w, h, raw)
                .map(|image| resize(&image, width, height, FilterType::Triangle).into_raw()),
        };
        resized.unwrap_or_default()
    }
}

/// A size whose longer side is no longer than it should be.
fn shrunk([height, width]: [usize; 2]) -> [usize; 2] {
    let longer = height.max(width);
    if longer <= MAX_SIDE {
        return [height, width];
    }
    [height, width].map(|side| ((side * MAX_SIDE * 2 + longer) / (2 * longer)).max(1))
}

fn unreadable(place: &Place) -> impl Fn(ImageError) -> DataError {
    move |error| {
        DataError::content(
            place.clone(),
            format!("the image cannot be read: {error}"),
            "the file is damaged, cut short or no PNG, JPEG, GIF, BMP or WebP; save it again, or \
            leave such files out with --skip-bad",
        )
    }
}

fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_PIXELS);
    limits.max_image_height = Some(MAX_PIXELS);
    limits
}

fn reader(bytes: &[u8]) -> ImageResult<ImageReader<Cursor<&[u8]>>> {
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format()?;
    reader.limits(limits());
    Ok(reader)
}

/// A single image, the right way up.
fn upright(bytes: &[u8]) -> ImageResult<RgbaImage> {
    let mut decoder = reader(bytes)?.into_decoder()?;
    limits().reserve(decoder.total_bytes())?;
    let orientation = decoder.orientation()?;
    let mut image = DynamicImage::from_decoder(decoder)?;
    image.apply_orientation(orientation);
    Ok(image.into_rgba8())
}

/// Whether height and width change places where an image is turned so.
fn is_on_its_side(orientation: Orientation) -> bool {
    use Orientation::{Rotate90, Rotate90FlipH, Rotate270, Rotate270FlipH};
    matches!(orientation, Rotate90 | Rotate270 | Rotate90FlipH | Rotate270FlipH)
}

#[cfg(feature = "images")]
fn is_gif(bytes: &[u8]) -> bool {
    matches!(image::guess_format(bytes), Ok(ImageFormat::Gif))
}

/// Without decoders an animation is refused as any other image is.
#[cfg(not(feature = "images"))]
fn is_gif(_: &[u8]) -> bool {
    false
}

/// Shows the images of an animation one after the other, and gives their number.
#[cfg(feature = "images")]
fn gif(bytes: &[u8], mut each: impl FnMut(usize, RgbaImage)) -> ImageResult<usize> {
    let mut decoder = GifDecoder::new(Cursor::new(bytes))?;
    decoder.set_limits(limits())?;
    let mut frames = 0;
    for frame in decoder.into_frames() {
        each(frames, frame?.into_buffer());
        frames += 1;
    }
    Ok(frames)
}

#[cfg(not(feature = "images"))]
fn gif(_: &[u8], _: impl FnMut(usize, RgbaImage)) -> ImageResult<usize> {
    Ok(0)
}

fn probe(bytes: &[u8], place: &Place) -> Result<Probe, DataError> {
    let probe = || {
        if is_gif(bytes) {
            let (mut grey, mut size) = (true, (1, 1));
            let frames = gif(bytes, |_, image| {
                grey &= image.pixels().all(|p| p[0] == p[1] && p[1] == p[2]);
                size = image.dimensions();
            })?;
            return Ok((size.1, size.0, grey, frames));
        }
        let mut decoder = reader(bytes)?.into_decoder()?;
        let (width, height) = match (decoder.dimensions(), decoder.orientation()?) {
            ((width, height), turned) if is_on_its_side(turned) => (height, width),
            (upright, _) => upright,
        };
        let grey = matches!(
            decoder.color_type(),
            ColorType::L8 | ColorType::La8 | ColorType::L16 | ColorType::La16
        );
        Ok((height, width, grey, 1))
    };
    let (height, width, grey, frames) = probe().map_err(unreadable(place))?;
    Ok(Probe { height: height as usize, width: width as usize, grey, frames })
}

/// So many images of a file: of an animation evenly spaced ones, of others the one there is.
fn decode(bytes: &[u8], count: usize, place: &Place) -> Result<Vec<RgbaImage>, DataError> {
    let decode = || {
        if !is_gif(bytes) {
            return Ok(vec![upright(bytes)?; count]);
        }
        let held = gif(bytes, |_, _| {})?;
        let mut images = Vec::new();
        gif(bytes, |at, image| {
            let times = spaced(count, held).filter(|&i| i == at).count();
            images.extend(std::iter::repeat_n(image, times));
        })?;
        Ok(images)
    };
    let images = decode().map_err(unreadable(place))?;
    match images.is_empty() {
        false => Ok(images),
        true => Err(DataError::content(
            place.clone(),
            "there is no image in it",
            "save it again, or leave it out",
        )),
    }
}

/// Which of `held` images make a sequence of `count`.
fn spaced(count: usize, held: usize) -> impl Iterator<Item = usize> {
    (0..count).map(move |frame| frame * held / count)
}

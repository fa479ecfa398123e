//! Recordings as log-mel spectrograms.
//!
//! A WAV file becomes one channel (the mean of its channels) of numbers `x` from −1 to 1 at one rate, then
//!
//! 1. *power*: `P[k, t] = |Σ_n w[n] x[t·hop − n_fft/2 + n] e^(−2πi·k·n/n_fft)|²`, with zeros before the start and
//!    after the end and the periodic Hann window `w[n] = ½ − ½ cos(2πn/n_fft)`; `1 + ⌊samples/hop⌋` frames;
//! 2. *mel*: `M[m, t] = Σ_k F[m, k] P[k, t]`, where `F[m]` is a triangle of height 1 over the frequencies
//!    `f[m] … f[m+1] … f[m+2]`, which lie evenly on the mel scale `2595 log₁₀(1 + f/700)` from 0 to half the rate
//!    (the filters of HTK; `librosa.filters.mel(htk=True, norm=None)`);
//! 3. *decibels below the loudest place*: `10 log₁₀ M − 10 log₁₀ max M`, at least −80
//!    (`librosa.power_to_db(ref=np.max)`), so that it does not matter how loud a recording is. A silent one is −80
//!    everywhere.
//!
//! Recordings are cut, or padded with −80, on both sides alike to one number of frames.

use std::collections::BTreeMap;
use std::f64::consts::PI;
use std::sync::Arc;

use realfft::{RealFftPlanner, RealToComplex};
use serde::{Deserialize, Serialize};

use super::wav;
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

/// Seconds of a Fourier transform at least; its samples are the next power of two.
const TRANSFORM: f64 = 0.025;
/// Seconds from one transform to the next.
const STEP: f64 = 0.010;
/// Mel bands where nobody says.
const MELS: usize = 40;
/// The share of the training recordings that are not cut, in percent.
const WHOLE: usize = 95;
/// The least of a decibel, and what silence is.
pub(crate) const FLOOR: f64 = -80.0;
/// Power that counts as silence.
const SILENCE: f64 = 1e-10;

/// How a recording becomes a spectrogram.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Audio {
    /// Samples a second; recordings with another rate are resampled.
    pub rate: u32,
    /// Samples in a Fourier transform.
    pub n_fft: usize,
    /// Samples from one transform to the next.
    pub hop: usize,
    /// Mel bands.
    pub mels: usize,
    /// Frames in a spectrogram.
    pub frames: usize,
}

/// Reads recordings with their classes.
pub(crate) fn read(
    files: Files,
    name: &str,
    options: &SourceOptions,
    known: Option<(&Audio, &[String])>,
) -> Result<Loaded, DataError> {
    let classes = known.map(|(_, classes)| classes);
    let check = |files: &mut Files, group: &[usize]| {
        let (bytes, place) = (files.read(group[0])?, files.place(group[0]));
        let (rate, _) = wav::header(&bytes, &place)?;
        wav::mono(&bytes, rate, &place).map(|_| ())
    };
    let samples = Samples::find(files, options, classes, false, Arc::new(check))?;
    let audio = match known {
        Some((audio, _)) => audio.clone(),
        None => {
            let (files, groups) = samples.learn();
            Audio::fit(files, groups, options)?
        }
    };
    let encoding = Encoding::Audio(audio.clone());
    samples.load(name, encoding, options.memory, |files, groups, bytes| {
        audio.encode(files, groups, bytes)
    })
}

/// Reads recordings to predict on.
pub(crate) fn read_features(
    files: &Files,
    audio: &Audio,
    options: &SourceOptions,
) -> Result<Features, DataError> {
    audio.encode(files, Arc::new(unlabelled(files, false)), memory(options.memory))
}

impl Audio {
    /// What suits the recordings to learn from, where `options` do not say it.
    fn fit(files: &Files, groups: Groups, options: &SourceOptions) -> Result<Audio, DataError> {
        let look = |files: &mut Files, group: &[usize]| {
            wav::header(&files.read(group[0])?, &files.place(group[0]))
        };
        let all = (0..groups.len()).collect();
        let headers = Decoding::begin(files, &groups, all, Arc::new(look)).finish();
        Audio::of(&headers.into_iter().collect::<Result<Vec<_>, _>>()?, options)
    }

    /// What suits recordings that stand in a column of a table; those that cannot be read do not count.
    pub(crate) fn of_column(
        files: impl Iterator<Item = (Vec<u8>, Place)>,
        options: &SourceOptions,
    ) -> Result<Audio, DataError> {
        let headers = files.filter_map(|(bytes, place)| wav::header(&bytes, &place).ok());
        Audio::of(&headers.collect::<Vec<_>>(), options)
    }

    /// What suits recordings of these rates and lengths.
    fn of(headers: &[(u32, u32)], options: &SourceOptions) -> Result<Audio, DataError> {
        let mut rates: BTreeMap<u32, usize> = BTreeMap::new();
        for (rate, _) in headers {
            *rates.entry(*rate).or_default() += 1;
        }
        let usual = rates.iter().max_by_key(|&(_, count)| count).map_or(8_000, |(&rate, _)| rate);
        let rate = options.rate.unwrap_or(usual);
        let samples = |seconds: f64| (f64::from(rate) * seconds).round().max(1.0) as usize;
        let (n_fft, hop) = (samples(TRANSFORM).next_power_of_two().max(4), samples(STEP));
        let frames = |&(from, length): &(u32, u32)| {
            let length = u64::from(length) * u64::from(rate) / u64::from(from);
            1 + length as usize / hop
        };
        let mut lengths: Vec<usize> = headers.iter().map(frames).collect();
        let frames = options.frames.unwrap_or_else(|| super::quantile(&mut lengths, WHOLE, 100));
        let audio = Audio { rate, n_fft, hop, mels: options.mels.unwrap_or(MELS), frames };
        // A band narrower than the step from one frequency to the next may hold none of them.
        match audio.filters().iter().position(|(_, weights)| weights.is_empty()) {
            None => Ok(audio),
            Some(band) => Err(DataError::option(
                "mels",
                format!(
                    "of {} bands up to {} Hz, band {band} is too narrow to hear anything",
                    audio.mels,
                    rate / 2
                ),
                "take fewer bands, such as 40, or a higher rate",
            )),
        }
    }

    /// The samples of these files, so many bytes of them in memory.
    fn encode(&self, files: &Files, groups: Groups, bytes: usize) -> Result<Features, DataError> {
        let spectrum = Spectrum::new(self)?;
        let sample = move |files: &mut Files, group: &[usize]| {
            spectrum.one(&files.read(group[0])?, &files.place(group[0]))
        };
        let numbers = self.mels * self.frames;
        let read = Streamed::read(files, groups, numbers, bytes, Arc::new(sample))?;
        Features::new(Raw::from(read), vec![1, self.mels, self.frames])
    }

    /// A spectrogram, frame after frame, as `[mels, frames]` with the right number of frames.
    fn fitted(&self, decibels: &[f64]) -> Vec<f32> {
        let held = decibels.len() / self.mels;
        let (before, skipped) =
            (self.frames.saturating_sub(held) / 2, held.saturating_sub(self.frames) / 2);
        let mut out = Vec::with_capacity(self.mels * self.frames);
        for mel in 0..self.mels {
            out.extend((0..self.frames).map(|frame| {
                let from = (frame + skipped).checked_sub(before).filter(|&from| from < held);
                from.map_or(FLOOR, |from| decibels[from * self.mels + mel]) as f32
            }));
        }
        out
    }

    /// The filter of each band: its first frequency and its weights from there.
    fn filters(&self) -> Vec<(usize, Vec<f64>)> {
        let to_mel = |f: f64| 2595.0 * libm::log10(1.0 + f / 700.0);
        let to_hz = |mel: f64| 700.0 * (libm::pow(10.0, mel / 2595.0) - 1.0);
        let top = to_mel(f64::from(self.rate) / 2.0);
        let edge = |i: usize| to_hz(top * i as f64 / (self.mels + 1) as f64);
        let weight = |band: usize, k: usize| {
            let f = k as f64 * f64::from(self.rate) / self.n_fft as f64;
            let (low, middle, high) = (edge(band), edge(band + 1), edge(band + 2));
            ((f - low) / (middle - low)).min((high - f) / (high - middle)).max(0.0)
        };
        let filter = |band: usize| {
            let heard = |&k: &usize| weight(band, k) > 0.0;
            let first = (0..=self.n_fft / 2).find(heard).unwrap_or(0);
            let weights = (first..=self.n_fft / 2).take_while(heard).map(|k| weight(band, k));
            (first, weights.collect())
        };
        (0..self.mels).map(filter).collect()
    }
}

/// What is the same for all recordings.
pub(crate) struct Spectrum {
    audio: Audio,
    window: Vec<f64>,
    filters: Vec<(usize, Vec<f64>)>,
    transform: Arc<dyn RealToComplex<f64>>,
}

impl Spectrum {
    pub(crate) fn new(audio: &Audio) -> Result<Spectrum, DataError> {
        let Audio { n_fft, hop, mels, frames, .. } = *audio;
        // The numbers may come from an edited file.
        let sound = |n: usize| (1..=1 << 20).contains(&n);
        if !([n_fft, hop, mels, frames].into_iter().all(sound) && n_fft >= 4) {
            let problem = format!("{audio:?} makes no spectrogram");
            return Err(DataError::Inconsistent { name: "audio encoding".into(), problem });
        }
        let hann = |n: usize| 0.5 - 0.5 * libm::cos(2.0 * PI * n as f64 / n_fft as f64);
        let transform = RealFftPlanner::new().plan_fft_forward(n_fft);
        let window = (0..n_fft).map(hann).collect();
        Ok(Spectrum { audio: audio.clone(), window, filters: audio.filters(), transform })
    }

    /// The spectrogram of a WAV file, `[mels, frames]`.
    pub(crate) fn one(&self, bytes: &[u8], place: &Place) -> Result<Vec<f32>, DataError> {
        Ok(self.audio.fitted(&self.decibels(&wav::mono(bytes, self.audio.rate, place)?)))
    }

    /// The spectrogram of a recording, frame after frame, `mels` decibels in each.
    fn decibels(&self, wave: &[f64]) -> Vec<f64> {
        let Audio { n_fft, hop, .. } = self.audio;
        let (mut input, mut output) =
            (self.transform.make_input_vec(), self.transform.make_output_vec());
        let mut mels = Vec::new();
        for frame in 0..=wave.len() / hop {
            for (n, (x, w)) in input.iter_mut().zip(&self.window).enumerate() {
                let at = (frame * hop + n).checked_sub(n_fft / 2);
                *x = w * at.and_then(|at| wave.get(at)).unwrap_or(&0.0);
            }
            // It fails where a buffer has another length only, and these were made for it.
            let _ = self.transform.process(&mut input, &mut output);
            for (first, weights) in &self.filters {
                let band = output[*first..].iter().zip(weights);
                mels.push(band.map(|(x, weight)| weight * x.norm_sqr()).sum::<f64>());
            }
        }
        let loudest = mels.iter().copied().fold(0.0, f64::max);
        if loudest <= SILENCE {
            return vec![FLOOR; mels.len()];
        }
        let decibel = |power: f64| 10.0 * libm::log10(power.max(SILENCE));
        mels.into_iter().map(|mel| (decibel(mel) - decibel(loudest)).max(FLOOR)).collect()
    }
}

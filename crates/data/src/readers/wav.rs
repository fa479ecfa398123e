//! WAV files as one channel of numbers from −1 to 1 at a wanted rate, read by the `hound` crate.

use std::f64::consts::PI;
use std::io::Cursor;

use hound::{SampleFormat, WavReader};

use crate::error::{DataError, thousands};
use crate::place::Place;

/// Zero crossings of the resampling filter on each side.
const CROSSINGS: f64 = 16.0;
/// The rates that are believed.
const RATES: std::ops::RangeInclusive<u32> = 1_000..=768_000;

/// The rate of a recording and its length in samples of one channel, as the header has them.
pub(super) fn header(bytes: &[u8], place: &Place) -> Result<(u32, u32), DataError> {
    let reader = open(bytes, place)?;
    Ok((reader.spec().sample_rate, reader.duration()))
}

fn open<'a>(bytes: &'a [u8], place: &Place) -> Result<WavReader<Cursor<&'a [u8]>>, DataError> {
    let fail = |problem: String| {
        DataError::content(
            place.clone(),
            problem,
            "the file is damaged, empty or no WAV file of plain numbers (8 to 32 bits); convert \
            it, or leave such files out with --skip-bad",
        )
    };
    let reader = WavReader::new(Cursor::new(bytes))
        .map_err(|error| fail(format!("the recording cannot be read: {error}")))?;
    if reader.duration() == 0 {
        return Err(fail("the recording has no samples".into()));
    }
    let rate = reader.spec().sample_rate;
    if !RATES.contains(&rate) {
        return Err(fail(format!("{rate} samples a second is no rate of a recording")));
    }
    Ok(reader)
}

/// The mean of all channels at the wanted rate.
pub(super) fn mono(bytes: &[u8], rate: u32, place: &Place) -> Result<Vec<f64>, DataError> {
    let mut reader = open(bytes, place)?;
    let spec = reader.spec();
    let channels = usize::from(spec.channels);
    let total = reader.len();
    let broken = |(at, error): (usize, hound::Error)| {
        DataError::content(
            place.clone(),
            format!(
                "the recording breaks after {} of its {} samples: {error}",
                thousands(at as u64),
                thousands(total.into())
            ),
            "the file is cut short or damaged; fetch it again, or leave such files out with --skip-bad",
        )
    };
    let values: Result<Vec<f64>, _> = match spec.sample_format {
        SampleFormat::Int => {
            let full = f64::from(1u32 << (spec.bits_per_sample.clamp(1, 32) - 1));
            let each = reader.samples::<i32>().enumerate();
            each.map(|(at, x)| Ok(f64::from(x.map_err(|e| (at, e))?) / full)).collect()
        }
        SampleFormat::Float => {
            let each = reader.samples::<f32>().enumerate();
            each.map(|(at, x)| x.map(f64::from).map_err(|e| (at, e))).collect()
        }
    };
    let values = values.map_err(broken)?;
    if let Some(at) = values.iter().position(|value| !value.is_finite()) {
        return Err(DataError::content(
            place.clone(),
            format!("sample {at} is {}, not a finite number", values[at]),
            "the file is damaged; convert it again, or leave such files out with --skip-bad",
        ));
    }
    let frames = values.chunks_exact(channels);
    let mono = frames.map(|frame| frame.iter().sum::<f64>() / channels as f64).collect();
    Ok(resampled(mono, spec.sample_rate, rate))
}

/// The signal at another rate, by a sinc of 16 zero crossings in a Hann window that lets pass what is below half of
/// the lower rate.
fn resampled(x: Vec<f64>, from: u32, to: u32) -> Vec<f64> {
    if from == to {
        return x;
    }
    let step = f64::from(from) / f64::from(to);
    let cut = (1.0 / step).min(1.0);
    let reach = CROSSINGS / cut;
    let length = (x.len() as u64 * u64::from(to)).div_ceil(from.into());
    let at = |i: u64| {
        let centre = i as f64 * step;
        let first = (centre - reach).ceil().max(0.0) as usize;
        let last = ((centre + reach).floor() as usize).min(x.len() - 1);
        let weight = |j: usize| {
            let t = j as f64 - centre;
            let window = 0.5 + 0.5 * libm::cos(PI * t / reach);
            cut * sinc(cut * t) * window
        };
        (first..=last).map(|j| x[j] * weight(j)).sum()
    };
    (0..length).map(at).collect()
}

/// sin(πt) / πt.
fn sinc(t: f64) -> f64 {
    if t == 0.0 { 1.0 } else { libm::sin(PI * t) / (PI * t) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tone below half of both rates comes through as it was, away from the ends.
    #[test]
    fn a_tone_survives_resampling() {
        let tone = |rate: u32, n: usize| -> Vec<f64> {
            (0..n).map(|i| libm::sin(2.0 * PI * 440.0 * i as f64 / f64::from(rate))).collect()
        };
        for (from, to) in [(8_000, 16_000), (44_100, 8_000), (22_050, 16_000)] {
            let n = from as usize / 4;
            let got = resampled(tone(from, n), from, to);
            let wanted = tone(to, got.len());
            assert_eq!(got.len(), (n * to as usize).div_ceil(from as usize));
            let inner = 200..got.len() - 200;
            let error = inner.map(|i| (got[i] - wanted[i]).abs()).fold(0.0, f64::max);
            assert!(error < 2e-3, "{from} to {to}: {error}");
        }
    }

    /// A tone above half of the new rate is gone.
    #[test]
    fn what_cannot_be_heard_any_more_is_left_out() {
        let x = (0..22_050).map(|i| libm::sin(2.0 * PI * 6_000.0 * f64::from(i) / 44_100.0));
        let got = resampled(x.collect(), 44_100, 8_000);
        let most = got[200..got.len() - 200].iter().fold(0.0, |a: f64, x| a.max(x.abs()));
        assert!(most < 1e-2, "{most}");
    }
}

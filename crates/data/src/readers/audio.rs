//! Recordings as log-mel spectrograms.

use serde::{Deserialize, Serialize};

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
    /// Frames in a spectrogram; longer ones are cut and shorter ones padded with silence, on both sides alike.
    pub frames: usize,
}

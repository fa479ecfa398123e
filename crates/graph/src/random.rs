//! Random numbers that depend on what they are for, and on nothing else.
//!
//! Element `i` of a draw is a function of (seed, step, stream, i) alone: never of the thread, the executor or
//! what was drawn before. The generator is Philox-4x32-10 (Salmon, Moraes, Dror, Shaw: *Parallel random
//! numbers: as easy as 1, 2, 3*, SC 2011), a counter-based one: it turns a 128-bit counter and a 64-bit key into
//! four 32-bit words.
//!
//! The layout, which is part of what "same seed, same bits" means:
//!
//! | word | content |
//! |---|---|
//! | `key[0]`, `key[1]` | low and high half of the seed |
//! | `counter[0]` | low half of the block number |
//! | `counter[1]` | low half of the step, plus 0x9E3779B9 · the high half of the block number (wrapping) |
//! | `counter[2]` | low half of the stream |
//! | `counter[3]` | high half of the stream, exclusive-or the high half of the step |
//!
//! No two (step, stream, block) share a counter as long as steps and blocks stay below 2³².

/// Philox-4x32 with ten rounds: four random words from a counter and a key.
pub fn philox4x32(counter: [u32; 4], key: [u32; 2]) -> [u32; 4] {
    let ([mut a, mut b, mut c, mut d], [mut k0, mut k1]) = (counter, key);
    for _ in 0..10 {
        let (p0, p1) = (0xD251_1F53 * a as u64, 0xCD9E_8D57 * c as u64);
        (a, b, c, d) =
            ((p1 >> 32) as u32 ^ b ^ k0, p1 as u32, (p0 >> 32) as u32 ^ d ^ k1, p0 as u32);
        (k0, k1) = (k0.wrapping_add(0x9E37_79B9), k1.wrapping_add(0xBB67_AE85));
    }
    [a, b, c, d]
}

/// One sequence of random elements, named by what it is for. Any element can be had on its own, and any range of
/// them: how parallel kernels share a draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Draw {
    /// The run's seed.
    pub seed: u64,
    /// The training step (0 for initialisers).
    pub step: u64,
    /// What the numbers are for: a hash of the layer's path and the n-th call.
    pub stream: u64,
}

impl Draw {
    /// The four words of block `block`.
    pub fn block(&self, block: u64) -> [u32; 4] {
        let halves = |x: u64| [x as u32, (x >> 32) as u32];
        let ([low, high], [step, step_high]) = (halves(block), halves(self.step));
        let [stream, stream_high] = halves(self.stream);
        let mixed = step.wrapping_add(high.wrapping_mul(0x9E37_79B9));
        philox4x32([low, mixed, stream, stream_high ^ step_high], halves(self.seed))
    }

    /// Element `i`, uniform in `[0, 1)`: the top 24 bits of word `i mod 4` of block `i / 4`, times 2⁻²⁴.
    pub fn uniform_f32(&self, i: u64) -> f32 {
        unit_f32(self.block(i / 4)[(i % 4) as usize])
    }

    /// Element `i`, uniform in `[0, 1)`: the top 53 bits of words `2·(i mod 2)` (high) and the next one (low) of
    /// block `i / 2`, times 2⁻⁵³.
    pub fn uniform_f64(&self, i: u64) -> f64 {
        let words = self.block(i / 2);
        let at = 2 * (i % 2) as usize;
        let bits = (words[at] as u64) << 32 | words[at + 1] as u64;
        (bits >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// Element `i`, normal with mean 0 and variance 1, by Box and Muller's method in `f64`: of block `i / 4`, words
    /// 0 and 1 make elements 0 and 1, words 2 and 3 make elements 2 and 3. With u = (first + 1)·2⁻³² and
    /// v = second·2⁻³², they are √(−2 ln u)·cos 2πv and √(−2 ln u)·sin 2πv; |z| ≤ 6.67.
    pub fn normal_f64(&self, i: u64) -> f64 {
        normals(self.block(i / 4))[(i % 4) as usize]
    }

    /// [`Draw::normal_f64`] rounded to `f32`.
    pub fn normal_f32(&self, i: u64) -> f32 {
        self.normal_f64(i) as f32
    }

    /// Elements `first..first + out.len()` of [`Draw::uniform_f32`].
    pub fn fill_uniform_f32(&self, first: u64, out: &mut [f32]) {
        self.fill(first, out, |words| words.map(unit_f32));
    }

    /// Elements `first..first + out.len()` of [`Draw::normal_f32`].
    pub fn fill_normal_f32(&self, first: u64, out: &mut [f32]) {
        self.fill(first, out, |words| normals(words).map(|z| z as f32));
    }

    /// Elements `first..first + out.len()` of "[`Draw::uniform_f32`] is less than `p`", as 0 and 1.
    pub fn fill_bernoulli(&self, p: f64, first: u64, out: &mut [u8]) {
        self.fill(first, out, |words| words.map(|word| ((unit_f32(word) as f64) < p) as u8));
    }

    fn fill<T: Copy>(&self, first: u64, out: &mut [T], four: impl Fn([u32; 4]) -> [T; 4]) {
        let (head, body) = out.split_at_mut(out.len().min((4 - first % 4) as usize % 4));
        if !head.is_empty() {
            let skip = (first % 4) as usize;
            let words = four(self.block(first / 4));
            head.copy_from_slice(&words[skip..skip + head.len()]);
        }
        let start = first.div_ceil(4);
        for (block, part) in (start..).zip(body.chunks_mut(4)) {
            part.copy_from_slice(&four(self.block(block))[..part.len()]);
        }
    }
}

fn unit_f32(word: u32) -> f32 {
    (word >> 8) as f32 * (1.0 / (1u32 << 24) as f32)
}

fn normals(words: [u32; 4]) -> [f64; 4] {
    const UNIT: f64 = 1.0 / (1u64 << 32) as f64;
    let pair = |first: u32, second: u32| {
        let radius = (-2.0 * libm::log((first as f64 + 1.0) * UNIT)).sqrt();
        let angle = std::f64::consts::TAU * (second as f64 * UNIT);
        (radius * libm::cos(angle), radius * libm::sin(angle))
    };
    let ((a, b), (c, d)) = (pair(words[0], words[1]), pair(words[2], words[3]));
    [a, b, c, d]
}

/// The first `n` elements of [`Draw::uniform_f32`].
pub fn uniform_f32(seed: u64, step: u64, stream: u64, n: usize) -> Vec<f32> {
    let mut out = vec![0.0; n];
    Draw { seed, step, stream }.fill_uniform_f32(0, &mut out);
    out
}

/// The first `n` elements of [`Draw::uniform_f64`].
pub fn uniform_f64(seed: u64, step: u64, stream: u64, n: usize) -> Vec<f64> {
    let draw = Draw { seed, step, stream };
    (0..n as u64).map(|i| draw.uniform_f64(i)).collect()
}

/// The first `n` elements of [`Draw::normal_f32`].
pub fn normal_f32(seed: u64, step: u64, stream: u64, n: usize) -> Vec<f32> {
    let mut out = vec![0.0; n];
    Draw { seed, step, stream }.fill_normal_f32(0, &mut out);
    out
}

/// The first `n` elements of [`Draw::normal_f64`].
pub fn normal_f64(seed: u64, step: u64, stream: u64, n: usize) -> Vec<f64> {
    let draw = Draw { seed, step, stream };
    (0..n as u64).map(|i| draw.normal_f64(i)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The known answers that come with the authors' library, Random123.
    #[test]
    fn philox_known_answers() {
        let ones = u32::MAX;
        assert_eq!(philox4x32([0; 4], [0; 2]), [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]);
        assert_eq!(
            philox4x32([ones; 4], [ones; 2]),
            [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd]
        );
        assert_eq!(
            philox4x32([0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0]),
            [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1]
        );
    }

    #[test]
    fn any_range_of_a_draw_is_the_same_numbers() {
        let draw = Draw { seed: 7, step: 3, stream: 11 };
        let (uniform, normal) = (uniform_f32(7, 3, 11, 40), normal_f32(7, 3, 11, 40));
        for first in 0..9 {
            for len in 0..12 {
                let mut out = vec![0.0f32; len];
                draw.fill_uniform_f32(first as u64, &mut out);
                assert_eq!(out, uniform[first..first + len], "{first} {len}");
                draw.fill_normal_f32(first as u64, &mut out);
                assert_eq!(out, normal[first..first + len], "{first} {len}");
            }
        }
        assert!((0..40).all(|i| draw.uniform_f32(i) == uniform[i as usize]));
        assert!((0..40).all(|i| draw.normal_f32(i) == normal[i as usize]));
    }

    #[test]
    fn every_name_of_a_draw_matters() {
        let draws =
            [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1 << 32, 0, 0), (0, 1 << 32, 0), (0, 0, 1 << 33)];
        let mut seen = vec![uniform_f32(0, 0, 0, 8)];
        for (seed, step, stream) in draws {
            let new = uniform_f32(seed, step, stream, 8);
            assert!(!seen.contains(&new), "{seed} {step} {stream}");
            seen.push(new);
        }
    }

    #[test]
    fn moments_are_those_of_the_distributions() {
        let n = 100_000;
        let moments = |x: &[f64]| {
            let mean = x.iter().sum::<f64>() / n as f64;
            (mean, x.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / n as f64)
        };
        let wide = |x: Vec<f32>| x.into_iter().map(f64::from).collect::<Vec<_>>();
        for uniform in [wide(uniform_f32(1, 2, 3, n)), uniform_f64(1, 2, 3, n)] {
            assert!(uniform.iter().all(|x| (0.0..1.0).contains(x)));
            let (mean, var) = moments(&uniform);
            assert!((mean - 0.5).abs() < 0.005 && (var - 1.0 / 12.0).abs() < 0.002, "{mean} {var}");
        }
        let normal = wide(normal_f32(1, 2, 3, n));
        let (mean, var) = moments(&normal);
        assert!(mean.abs() < 0.02 && (var - 1.0).abs() < 0.02, "{mean} {var}");
        let tail = normal.iter().filter(|x| x.abs() > 1.96).count() as f64 / n as f64;
        assert!((tail - 0.05).abs() < 0.005, "{tail}");
    }
}

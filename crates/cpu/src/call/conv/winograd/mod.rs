//! Convolutions by 3 × 3 kernels with fewer multiplications: Winograd's F(2×2, 3×3) (Lavin and Gray, 2015, "Fast
//! Algorithms for Convolutional Neural Networks").
//!
//! The result is made in squares of 2 × 2, each from a window of 4 × 4 of the input. With fixed small matrices A, B, G,
//! a square is Aᵀ [(G w Gᵀ) ⊙ (Bᵀ x B)] A: 16 products for 4 sums of 9. Over channels the 16 products are 16 matrix
//! products. The gradient by the weight is Gᵀ [(A g Aᵀ) ⊙ (Bᵀ x B)] G, summed over all squares.
//!
//! Channels come last in here, so that the small transforms work on vectors of channels. The rounding error is about
//! that of the plain sum. An infinity in the input makes its whole window NaN.

mod correlate;
mod field;
mod squares;
mod transform;
mod weight;

use super::geometry::Pass;

pub use correlate::WinogradCorrelate;
pub use weight::WinogradWeightGradient;

/// The elements of a window, each of which has a matrix product of its own.
const POINTS: usize = 16;
/// The widest row of squares.
const WIDEST: usize = 256;
/// Channels below which the transforms cost more than they save.
pub const CHANNELS: usize = 16;

/// True where a pass can be made this way, and its squares do not reach far beyond its places.
pub fn suits(pass: &Pass) -> bool {
    let reach = pass.reach().map(|(low, high)| high - low);
    let [_, y, x] = pass.places;
    let squares = y.div_ceil(2) * x.div_ceil(2);
    pass.taps.len() == 9
        && reach == [0, 2, 2]
        && [pass.step, pass.spread] == [[1; 3]; 2]
        && [pass.input[0], pass.places[0]] == [1, 1]
        && x <= 2 * WIDEST
        && 8 * squares <= 3 * y * x
}

//! A small plot of characters: braille patterns hold 2 × 4 dots each.

/// Dots in a character.
const ACROSS: usize = 2;
const DOWN: usize = 4;
/// The bit of each dot of a braille pattern, by column and row.
const BITS: [[u32; DOWN]; ACROSS] = [[0x01, 0x02, 0x04, 0x40], [0x08, 0x10, 0x20, 0x80]];

/// From which ratio on equal steps are equal ratios.
const WIDE: f64 = 20.0;

/// A character of a plot and the curve that it belongs to.
pub type Place = (char, Option<usize>);

/// Curves side by side over the same places, from 0 to 1; what is not finite is left out.
///
/// ```text
/// 2.247 ┤⢣
///       │ ⠣⡀
///       │   ⠑⢄⡀
/// 0.044 ┤      ⠉⠒⠤⠤⠤⣀⣀⣀⣀
/// ```
pub struct Plot {
    /// The least and the greatest value that are drawn.
    pub range: [f64; 2],
    /// The lines of the plot from top to bottom.
    pub lines: Vec<Vec<Place>>,
}

/// Draws curves into `width` × `height` characters; nothing where no value is finite. A later curve lies over an
/// earlier one.
pub fn plot(curves: &[&[[f64; 2]]], width: usize, height: usize) -> Option<Plot> {
    let values = || curves.iter().flat_map(|curve| curve.iter()).map(|point| point[1]);
    let finite = || values().filter(|value| value.is_finite());
    let (low, high) = (finite().reduce(f64::min)?, finite().reduce(f64::max)?);
    let log = low > 0.0 && high / low > WIDE;
    let scaled = |value: f64| if log { value.ln() } else { value };
    let (from, to) = (scaled(low), scaled(high));
    let (columns, rows) = (width * ACROSS, height * DOWN);
    let x =
        |share: f64| (share.clamp(0.0, 1.0) * columns.saturating_sub(1) as f64).round() as usize;
    let y = |value: f64| {
        let share = if to > from { (to - scaled(value)) / (to - from) } else { 0.5 };
        (share.clamp(0.0, 1.0) * rows.saturating_sub(1) as f64).round() as usize
    };
    let mut dots = vec![vec![(0u32, None); width]; height];
    let mut dot = |x: usize, y: usize, curve: usize| {
        if let Some(place) = dots.get_mut(y / DOWN).and_then(|line| line.get_mut(x / ACROSS)) {
            *place = (place.0 | BITS[x % ACROSS][y % DOWN], Some(curve));
        }
    };
    for (number, curve) in curves.iter().enumerate() {
        let mut before: Option<(usize, usize)> = None;
        for &[share, value] in curve.iter().filter(|point| point[1].is_finite()) {
            let here = (x(share), y(value));
            let (x0, y0) = before.unwrap_or(here);
            let steps = here.0.abs_diff(x0).max(here.1.abs_diff(y0)).max(1);
            let between = |a: usize, b: usize, step: usize| {
                (a as f64 + (b as f64 - a as f64) * step as f64 / steps as f64).round() as usize
            };
            for step in 0..=steps {
                dot(between(x0, here.0, step), between(y0, here.1, step), number);
            }
            before = Some(here);
        }
    }
    let braille = |bits: u32| match bits {
        0 => ' ',
        bits => char::from_u32(0x2800 + bits).unwrap_or(' '),
    };
    let line = |line: Vec<(u32, Option<usize>)>| {
        line.into_iter().map(|(bits, curve)| (braille(bits), curve)).collect()
    };
    Some(Plot { range: [low, high], lines: dots.into_iter().map(line).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(plot: &Plot) -> Vec<String> {
        plot.lines.iter().map(|line| line.iter().map(|place| place.0).collect()).collect()
    }

    #[test]
    fn a_falling_line_falls() {
        let plot = plot(&[&[[0.0, 4.0], [1.0, 1.0]]], 2, 1).unwrap();
        assert_eq!(text(&plot), ["⠑⢄"]);
        assert_eq!(plot.range, [1.0, 4.0]);
    }

    #[test]
    fn later_curves_lie_on_top_and_what_is_not_finite_is_left_out() {
        let (flat, broken) = ([[0.0, 1.0], [1.0, 1.0]], [[0.0, f64::NAN], [1.0, 1.0]]);
        let both = plot(&[&flat, &broken], 3, 1).unwrap();
        assert_eq!(both.lines[0][0].1, Some(0));
        assert_eq!(both.lines[0][2].1, Some(1));
        assert!(plot(&[&[[0.5, f64::INFINITY]]], 3, 1).is_none());
    }
}

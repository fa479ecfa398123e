//! Plots as SVG: one theme, axes with round numbers, no pixels. Colours are attributes that the page's stylesheet maps
//! to those of a dark screen; text takes the page's font.

use std::fmt::Display;
use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use thalweg_train::run::RunError;

use crate::numbers::number;

/// What texts and axes are drawn with.
pub const INK: RGBColor = RGBColor(0x4b, 0x55, 0x63);
const GRID: RGBColor = RGBColor(0xe4, 0xe4, 0xe0);
/// The colours of series, in the order in which they are used.
pub const SERIES: [RGBColor; 6] = [
    RGBColor(0x1f, 0x5f, 0xbf),
    RGBColor(0xc2, 0x55, 0x0c),
    RGBColor(0x0f, 0x76, 0x6e),
    RGBColor(0x8e, 0x3a, 0x9d),
    RGBColor(0xa8, 0x8b, 0x0a),
    RGBColor(0xb9, 0x1c, 0x3c),
];

/// Plotters puts things at whole pixels; they are made so small that nobody sees it.
const FINE: i32 = 8;
/// The size of a plot in the page's pixels: text stays readable where a phone shows it a little smaller.
const SIZE: (i32, i32) = (440, 270);
const FONT: i32 = 15;

/// How the numbers of an axis are written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Format {
    /// `0.25`, `1,000`.
    Plain,
    /// `25 %`.
    Percent,
}

/// An axis.
#[derive(Clone, Debug)]
pub struct Axis {
    /// What its numbers are.
    pub label: &'static str,
    /// From where to where; what is drawn, where nobody says.
    pub range: Option<[f64; 2]>,
    /// How its numbers are written.
    pub format: Format,
    /// Whether equal steps are equal ratios.
    pub log: bool,
    /// Whether there are numbers between the whole ones.
    pub whole: bool,
}

impl Axis {
    /// An axis of plain numbers, as long as what is drawn.
    #[must_use]
    pub fn of(label: &'static str) -> Axis {
        Axis { label, range: None, format: Format::Plain, log: false, whole: false }
    }

    /// An axis from 0 to 100 %.
    #[must_use]
    pub fn share(label: &'static str) -> Axis {
        Axis { range: Some([0.0, 1.0]), format: Format::Percent, ..Axis::of(label) }
    }

    /// The same from `low` to `high`.
    #[must_use]
    pub fn within(self, low: f64, high: f64) -> Axis {
        Axis { range: Some([low, high]), ..self }
    }
}

/// Something that is drawn.
#[derive(Clone, Debug)]
pub enum Mark {
    /// A line through points that are shown too, unless they are many.
    Line(Vec<[f64; 2]>, usize),
    /// A line whose points mean nothing.
    Curve(Vec<[f64; 2]>, usize),
    /// Dots.
    Dots(Vec<[f64; 2]>, usize),
    /// Bars side by side: where they begin and end, how high they are.
    Bars(Vec<[f64; 3]>, usize),
    /// A dashed vertical line.
    At(f64),
    /// The dashed line of equal coordinates.
    Diagonal,
}

impl Mark {
    fn points(&self) -> Vec<[f64; 2]> {
        match self {
            Mark::Line(points, _) | Mark::Curve(points, _) | Mark::Dots(points, _) => {
                points.clone()
            }
            Mark::Bars(bars, _) => {
                bars.iter().flat_map(|&[from, to, high]| [[from, 0.0], [to, high]]).collect()
            }
            Mark::At(_) | Mark::Diagonal => vec![],
        }
    }
}

/// A plot.
#[derive(Clone, Debug)]
pub struct Chart {
    /// What it shows, for those who cannot see it.
    pub title: String,
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis.
    pub y: Axis,
    /// What is drawn, the first below.
    pub marks: Vec<Mark>,
}

impl Chart {
    /// The plot as an `<svg>` element, or nothing where there is no finite point.
    ///
    /// # Errors
    /// [`RunError::Fit`] where it cannot be drawn.
    pub fn svg(&self) -> Result<Option<String>, RunError> {
        let points: Vec<[f64; 2]> = self.marks.iter().flat_map(Mark::points).collect();
        let (Some(x), Some(y)) = (Scale::of(&self.x, &points, 0), Scale::of(&self.y, &points, 1))
        else {
            return Ok(None);
        };
        let mut text = String::new();
        {
            let size = ((SIZE.0 * FINE) as u32, (SIZE.1 * FINE) as u32);
            let root = SVGBackend::with_string(&mut text, size).into_drawing_area();
            self.draw(&root, x, y)?;
            root.present().map_err(undrawn)?;
        }
        Ok(Some(self.opened(&text)))
    }

    /// The drawing with an opening tag of ours: it scales, and says what it is.
    fn opened(&self, text: &str) -> String {
        let inner = text.split_once('>').map_or("", |(_, inner)| inner);
        let title = minijinja::HtmlEscape(&self.title);
        format!(
            "<svg class=\"chart\" viewBox=\"0 0 {} {}\" role=\"img\" xmlns=\"http://www.w3.org/2000/svg\">\
             <title>{title}</title>{}",
            SIZE.0 * FINE,
            SIZE.1 * FINE,
            inner.trim()
        )
    }

    fn draw(&self, root: &Area<'_>, x: Scale, y: Scale) -> Result<(), RunError> {
        let font = |size: i32| ("sans-serif", size * FINE).into_font().color(&INK);
        let (low, high) = (x.low.max(y.low), x.high.min(y.high));
        let widest = y.ticks().iter().map(|&tick| y.say(tick).chars().count()).max().unwrap_or(1);
        let mut chart = ChartBuilder::on(root)
            .margin_top(6 * FINE)
            .margin_right(24 * FINE)
            .margin_left(18 * FINE)
            .x_label_area_size(38 * FINE)
            .y_label_area_size((widest as i32 * 7 + 12) * FINE)
            .build_cartesian_2d(x.clone(), y.clone())
            .map_err(undrawn)?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID.stroke_width(FINE as u32))
            .axis_style(INK.stroke_width(FINE as u32))
            .label_style(font(FONT))
            .axis_desc_style(font(FONT))
            .x_desc(self.x.label)
            .set_all_tick_mark_size(4 * FINE)
            .draw()
            .map_err(undrawn)?;
        // The name of the upright axis stands above it, where it can be read without turning one's head.
        for mark in &self.marks {
            let finite = |points: &[[f64; 2]]| -> Vec<(f64, f64)> {
                let drawn = points.iter().filter(|[a, b]| x.holds(*a) && y.holds(*b));
                drawn.map(|&[a, b]| (a, b)).collect()
            };
            let wide = |colour: usize| SERIES[colour % SERIES.len()].stroke_width(2 * FINE as u32);
            let dashed = |from, to| {
                let style = INK.stroke_width(FINE as u32);
                DashedLineSeries::new([from, to], 5 * FINE, 4 * FINE, style)
            };
            match mark {
                Mark::Line(points, colour) | Mark::Curve(points, colour) => {
                    let points = finite(points);
                    if points.len() <= 30 && matches!(mark, Mark::Line(..)) {
                        let fill = SERIES[colour % SERIES.len()].filled();
                        let dots = points.iter().map(|&at| Circle::new(at, 5 * FINE / 2, fill));
                        chart.draw_series(dots).map_err(undrawn)?;
                    }
                    chart.draw_series(LineSeries::new(points, wide(*colour))).map_err(undrawn)?;
                }
                Mark::Dots(points, colour) => {
                    let fill = SERIES[colour % SERIES.len()].mix(0.45).filled();
                    let dots = finite(points).into_iter();
                    let dots = dots.map(|at| Circle::new(at, 5 * FINE / 2, fill));
                    chart.draw_series(dots).map_err(undrawn)?;
                }
                Mark::Bars(bars, colour) => {
                    let fill = SERIES[colour % SERIES.len()].mix(0.75).filled();
                    let bars = bars.iter().map(|&[from, to, high]| {
                        let gap = (to - from) * 0.04;
                        Rectangle::new([(from + gap, 0.0), (to - gap, high)], fill)
                    });
                    chart.draw_series(bars).map_err(undrawn)?;
                }
                Mark::At(place) if x.holds(*place) => {
                    let line = dashed((*place, y.low), (*place, y.high));
                    chart.draw_series(line).map_err(undrawn)?;
                }
                Mark::Diagonal if low < high => {
                    chart.draw_series(dashed((low, low), (high, high))).map_err(undrawn)?;
                }
                Mark::At(_) | Mark::Diagonal => {}
            }
        }
        Ok(())
    }
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

fn undrawn(error: impl Display) -> RunError {
    RunError::Fit { what: format!("a plot cannot be drawn: {error}"), hint: String::new() }
}

/// An axis with its range: where numbers lie, and which of them are written.
#[derive(Clone, Debug)]
struct Scale {
    low: f64,
    high: f64,
    format: Format,
    log: bool,
    whole: bool,
}

impl Scale {
    /// Around what is drawn, with a little air; nothing where no number is finite.
    fn of(axis: &Axis, points: &[[f64; 2]], side: usize) -> Option<Scale> {
        let Axis { format, log, whole, .. } = *axis;
        let usable = |x: &f64| x.is_finite() && (!log || *x > 0.0);
        let values = || points.iter().map(|point| point[side]).filter(usable);
        let (low, high) = (values().reduce(f64::min)?, values().reduce(f64::max)?);
        let [low, high] = match axis.range {
            Some(range) => range,
            None if log => [low / 1.2, high * 1.2],
            None if high == low && whole => [low - 0.5, high + 0.5],
            None if high == low && low >= 0.0 => [0.0, if high > 0.0 { 2.0 * high } else { 1.0 }],
            // Bars stand on 0.
            None if low >= 0.0 && (low == 0.0 || low < 0.3 * high) => [0.0, high * 1.05],
            None if high == low => [2.0 * low, 0.0],
            None => [low - (high - low) * 0.05, high + (high - low) * 0.05],
        };
        (low < high).then_some(Scale { low, high, format, log, whole })
    }

    fn holds(&self, x: f64) -> bool {
        // Rounding must not lose what lies on the edge.
        let air = (self.high - self.low) * 1e-9;
        (self.low - air..=self.high + air).contains(&x)
    }

    /// At most six or so round numbers: 1, 2 or 5 times a power of ten apart, or, where equal steps are equal ratios,
    /// such numbers themselves.
    fn ticks(&self) -> Vec<f64> {
        let power = |k: i32| libm::pow(10.0, f64::from(k));
        if self.log {
            let (from, to) = (libm::floor(libm::log10(self.low)), libm::log10(self.high));
            let decades = from as i32..=libm::ceil(to) as i32;
            let wide = to - libm::log10(self.low);
            let digits: &[f64] = match wide {
                w if w > 3.0 => &[1.0],
                w if w > 1.5 => &[1.0, 3.0],
                _ => &[1.0, 2.0, 5.0],
            };
            let skip = (wide / 6.0).ceil().max(1.0) as i32;
            let decades = decades.filter(|k| k.rem_euclid(skip) == 0);
            let ticks = decades.flat_map(|k| digits.iter().map(move |digit| digit * power(k)));
            return ticks.filter(|&tick| self.holds(tick)).collect();
        }
        let raw = (self.high - self.low) / 6.0;
        let size = power(libm::floor(libm::log10(raw)) as i32);
        let times = [1.0, 2.0, 5.0, 10.0].into_iter().find(|times| times * size >= raw * 0.999);
        let mut step = times.unwrap_or(10.0) * size;
        if self.whole {
            step = step.max(1.0);
        }
        let first = (self.low / step - 1e-9).ceil() as i64;
        let ticks = (first..first + 20).map(|i| i as f64 * step);
        ticks.filter(|&tick| self.holds(tick)).collect()
    }

    fn say(&self, x: f64) -> String {
        // Steps are round, so what a float adds at its far end says nothing.
        let plain = |x: f64| {
            let text = number(x);
            match text.contains('.') && !text.contains('e') {
                true => text.trim_end_matches('0').trim_end_matches('.').to_string(),
                false => text,
            }
        };
        match self.format {
            Format::Percent => format!("{} %", plain(x * 100.0)),
            Format::Plain if x.abs() >= 1e4 && x.abs() < 1e9 && x.fract() == 0.0 => {
                let sign = if x < 0.0 { "-" } else { "" };
                sign.to_string() + &crate::numbers::count(x.abs() as u64)
            }
            Format::Plain => plain(x),
        }
    }
}

impl Ranged for Scale {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        match self.log {
            true => {
                let [low, high, value] = [self.low, self.high, *value].map(libm::log10);
                RangedCoordf64::from(low..high).map(&value, limit)
            }
            false => RangedCoordf64::from(self.low..self.high).map(value, limit),
        }
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        // Plotters asks for the bold lines, then for light ones between them.
        match hint.weight().allow_light_points() {
            true => vec![],
            false => self.ticks(),
        }
    }

    fn range(&self) -> Range<f64> {
        self.low..self.high
    }
}

impl ValueFormatter<f64> for Scale {
    fn format_ext(&self, value: &f64) -> String {
        self.say(*value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scale(low: f64, high: f64, log: bool) -> Scale {
        Scale { low, high, format: Format::Plain, log, whole: false }
    }

    fn said(scale: &Scale) -> Vec<String> {
        scale.ticks().iter().map(|&tick| scale.say(tick)).collect()
    }

    #[test]
    fn ticks_are_round_numbers() {
        assert_eq!(said(&scale(0.0, 1.0, false)), ["0", "0.2", "0.4", "0.6", "0.8", "1"]);
        assert_eq!(said(&scale(-3.0, 12.0, false)), ["0", "5", "10"]);
        assert_eq!(said(&scale(0.02, 2.3, true)), ["0.03", "0.1", "0.3", "1"]);
        assert_eq!(said(&scale(0.0, 52_000.0, false)).last().map(String::as_str), Some("50,000"));
        let percent = Scale { format: Format::Percent, ..scale(0.0, 1.0, false) };
        assert_eq!(percent.say(0.2), "20 %");
    }

    #[test]
    fn what_is_not_finite_is_left_out() {
        let marks = vec![Mark::Line(vec![[1.0, 0.5], [2.0, f64::NAN], [3.0, 0.25]], 0)];
        let chart =
            |marks| Chart { title: "<a>".into(), x: Axis::of("x"), y: Axis::of("y"), marks };
        let svg = chart(marks).svg().unwrap().unwrap();
        assert!(svg.contains("<title>&lt;a&gt;</title>") && !svg.contains("NaN"), "{svg}");
        assert_eq!(chart(vec![Mark::Line(vec![[0.0, f64::NAN]], 0)]).svg().unwrap(), None);
    }
}

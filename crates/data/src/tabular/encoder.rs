//! How the cells of a column become the numbers of a row.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::cell::Cell;
use super::time::{Cycle, Form, years};
use crate::error::DataError;
use crate::files::read_file;
use crate::options::Level;
use crate::place::Place;
use crate::readers::audio::{Audio, FLOOR, Spectrum};
use crate::readers::images::Images;
use crate::readers::text::padded;
use crate::vocabulary::Vocabulary;

/// What stands for an empty cell of a category.
pub const MISSING: &str = "<missing>";

/// How the cells of a column become numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Encoder {
    /// One number; with the indicator two.
    Number(Number),
    /// −1 for no, 1 for yes, 0 for nothing; with the indicator two numbers.
    Boolean(Boolean),
    /// The id of a value.
    Category(Category),
    /// The time itself, scaled, and sine and cosine of what comes round.
    Time(Moment),
    /// The ids of tokens.
    Text(Words),
    /// The pixels of an image file, from 0 to 1; 0 where there is none.
    Image(Images),
    /// The log-mel spectrogram of a recording; silence where there is none.
    Audio(Audio),
    /// The column is left out: its cells name rows.
    Identifier,
    /// The column is left out: all its cells are the same.
    Constant,
    /// The column is left out because the user said so.
    Dropped,
}

/// The parts of a row, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Section {
    Numbers,
    Categories,
    Texts,
    Images,
    Sounds,
}

impl Section {
    pub(crate) const ALL: [Section; 5] =
        [Section::Numbers, Section::Categories, Section::Texts, Section::Images, Section::Sounds];
}

/// A number, scaled robustly: with `u = (x − median) / scale` it becomes `u / √(1 + (u/3)²)`, which is about `u` near 0
/// and never beyond ±3 (Holzmüller et al. 2024, [arXiv 2407.04491](https://arxiv.org/abs/2407.04491)). A missing number
/// becomes 0, as the median does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Number {
    /// The median of the training rows.
    pub median: f32,
    /// The distance between their quartiles; where that is 0 their standard deviation; where that is 0 too, 1.
    pub scale: f32,
    /// Whether 1 follows for a missing number, 0 for others.
    pub indicator: bool,
}

/// Yes or no.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Boolean {
    /// Whether 1 follows for a missing cell, 0 for others.
    pub indicator: bool,
}

/// One of several values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Category {
    /// The values by id: id 0 is a missing cell, id 1 all that is rare or was never seen.
    pub values: Vocabulary,
}

/// A point in time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Moment {
    /// How it is written.
    pub form: Form,
    /// How the time in years is scaled.
    pub years: Number,
    /// What comes round and varies in the training rows.
    pub cycles: Vec<Cycle>,
}

/// A text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Words {
    /// What a token is.
    pub level: Level,
    /// The tokens by id; id 0 is padding, id 1 the unknown one.
    pub vocabulary: Vocabulary,
    /// Tokens in a sample; longer texts are cut, shorter ones padded at the end.
    pub length: usize,
}

impl Encoder {
    /// The part of the row that its numbers belong to; none where the column is left out.
    pub(crate) fn section(&self) -> Option<Section> {
        match self {
            Encoder::Number(_) | Encoder::Boolean(_) | Encoder::Time(_) => Some(Section::Numbers),
            Encoder::Category(_) => Some(Section::Categories),
            Encoder::Text(_) => Some(Section::Texts),
            Encoder::Image(_) => Some(Section::Images),
            Encoder::Audio(_) => Some(Section::Sounds),
            Encoder::Identifier | Encoder::Constant | Encoder::Dropped => None,
        }
    }

    /// How many numbers a cell becomes.
    #[must_use]
    pub fn width(&self) -> usize {
        match self {
            Encoder::Number(number) => number.width(),
            Encoder::Boolean(boolean) => 1 + usize::from(boolean.indicator),
            Encoder::Category(_) => 1,
            Encoder::Time(moment) => moment.years.width() + 2 * moment.cycles.len(),
            Encoder::Text(words) => words.length,
            Encoder::Image(images) => images.channels * images.height * images.width,
            Encoder::Audio(audio) => audio.mels * audio.frames,
            Encoder::Identifier | Encoder::Constant | Encoder::Dropped => 0,
        }
    }

    /// What writes many cells. `folder`: where the paths of files begin.
    pub(crate) fn writer<'a>(&'a self, folder: &'a Path) -> Result<Writer<'a>, DataError> {
        let spectrum = match self {
            Encoder::Audio(audio) => Some(Spectrum::new(audio)?),
            _ => None,
        };
        Ok(Writer { encoder: self, folder, spectrum })
    }

    /// What it is called: `number`, `category`, …
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Encoder::Number(_) => "number",
            Encoder::Boolean(_) => "boolean",
            Encoder::Category(_) => "category",
            Encoder::Time(_) => "time",
            Encoder::Text(_) => "text",
            Encoder::Image(_) => "image",
            Encoder::Audio(_) => "audio",
            Encoder::Identifier => "identifier",
            Encoder::Constant => "constant",
            Encoder::Dropped => "dropped",
        }
    }
}

/// Writes the cells of a column as numbers.
pub(crate) struct Writer<'a> {
    encoder: &'a Encoder,
    folder: &'a Path,
    /// Of a column of recordings.
    spectrum: Option<Spectrum>,
}

impl Writer<'_> {
    /// Writes the numbers of a cell into `out`, which is of its width.
    ///
    /// # Errors
    /// What is wrong with the cell, and what to do, where it is not of the kind of the column.
    pub(crate) fn write(&self, cell: Cell<'_>, out: &mut [f32]) -> Result<(), Wrong> {
        match self.encoder {
            Encoder::Number(number) => match (cell, cell.number()) {
                (_, Some(x)) => number.write(Some(x), out),
                (Cell::Missing, None) => number.write(None, out),
                (cell, None) => return Err(Wrong::new("a number is needed", cell)),
            },
            Encoder::Boolean(boolean) => {
                let yes = match cell {
                    Cell::Missing => None,
                    cell => match boolean_of(&cell.text()) {
                        Some(yes) => Some(yes),
                        None => return Err(Wrong::new("yes or no is needed", cell)),
                    },
                };
                out[0] = yes.map_or(0.0, |yes| if yes { 1.0 } else { -1.0 });
                if boolean.indicator {
                    out[1] = f32::from(yes.is_none());
                }
            }
            Encoder::Category(category) => {
                out[0] = match cell {
                    Cell::Missing => 0.0,
                    cell => category.values.id(&cell.text()) as f32,
                };
            }
            Encoder::Time(moment) => {
                let time = match cell {
                    Cell::Missing => None,
                    cell => match moment.form.parse(&cell.text()) {
                        Some(time) => Some(time),
                        None => {
                            let needed =
                                format!("a time written {} is needed", moment.form.words());
                            return Err(Wrong::new(needed, cell));
                        }
                    },
                };
                let (line, rounds) = out.split_at_mut(moment.years.width());
                moment.years.write(time.map(|time| years(&time)), line);
                for (out, cycle) in rounds.chunks_exact_mut(2).zip(&moment.cycles) {
                    // Nothing known is the middle of the circle.
                    let angle = time.map(|time| cycle.turn(&time) * std::f64::consts::TAU);
                    out[0] = angle.map_or(0.0, |angle| libm::sin(angle) as f32);
                    out[1] = angle.map_or(0.0, |angle| libm::cos(angle) as f32);
                }
            }
            Encoder::Text(words) => {
                let tokens = words.level.tokens(&cell.text());
                let ids = padded(&words.vocabulary, &tokens, words.length);
                out.iter_mut().zip(ids).for_each(|(out, id)| *out = id as f32);
            }
            Encoder::Image(images) => match self.file(cell) {
                None => out.fill(0.0),
                Some((path, bytes)) => {
                    let bytes = images.one(&bytes?, &Place::file(&path))?;
                    out.iter_mut()
                        .zip(bytes)
                        .for_each(|(out, byte)| *out = f32::from(byte) / 255.0);
                }
            },
            Encoder::Audio(_) => match (self.file(cell), &self.spectrum) {
                (Some((path, bytes)), Some(spectrum)) => {
                    let place = Place::file(&path);
                    out.copy_from_slice(&spectrum.one(&bytes?, &place)?);
                }
                _ => out.fill(FLOOR as f32),
            },
            Encoder::Identifier | Encoder::Constant | Encoder::Dropped => {}
        }
        Ok(())
    }

    /// The path and the bytes of the file that a cell names.
    fn file(&self, cell: Cell<'_>) -> Option<(PathBuf, Result<Vec<u8>, Wrong>)> {
        let path = match cell {
            Cell::Missing => return None,
            cell => self.folder.join(&*cell.text()),
        };
        let bytes = read_file(&path).map_err(|error| Wrong {
            problem: error.message(),
            hint: "correct the path (it begins in the folder of the table), leave the cell empty, \
                   or leave such rows out with --skip-bad"
                .into(),
        });
        Some((path, bytes))
    }
}

impl Number {
    /// Takes median and scale from the numbers of a sample; `indicator`: some of the training rows have none.
    pub(crate) fn fit(numbers: &[f64], indicator: bool) -> Number {
        let mut sorted = numbers.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        let median = quantile(&sorted, 0.5);
        let spread = quantile(&sorted, 0.75) - quantile(&sorted, 0.25);
        let n = sorted.len().max(1) as f64;
        let mean = sorted.iter().sum::<f64>() / n;
        let squares = sorted.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>();
        let sound = |scale: &f64| scale.is_finite() && *scale as f32 >= f32::MIN_POSITIVE;
        let scale = [spread, (squares / n).sqrt()].into_iter().find(sound).unwrap_or(1.0);
        Number { median: median as f32, scale: (scale as f32).min(f32::MAX), indicator }
    }

    fn width(&self) -> usize {
        1 + usize::from(self.indicator)
    }

    fn write(&self, x: Option<f64>, out: &mut [f32]) {
        out[0] = x.map_or(0.0, |x| self.scaled(x));
        if self.indicator {
            out[1] = f32::from(x.is_none());
        }
    }

    /// What a number becomes: u/√(1 + (u/3)²) of the distance u from the median in scales, which never passes 3.
    #[must_use]
    pub fn scaled(&self, x: f64) -> f32 {
        let u = (x - f64::from(self.median)) / f64::from(self.scale);
        // Far out the quotient would be of two infinities.
        let u = u.clamp(-1e6, 1e6);
        (u / (1.0 + u * u / (FAR * FAR)).sqrt()) as f32
    }

    /// The number that was scaled so, as near as `f32` comes.
    #[must_use]
    pub fn unscaled(&self, scaled: f32) -> f64 {
        let bent = f64::from(scaled).clamp(-FAR + 1e-6, FAR - 1e-6);
        let u = bent / (1.0 - bent * bent / (FAR * FAR)).sqrt();
        let x = u * f64::from(self.scale) + f64::from(self.median);
        // What f32 and the way back leave of a zero.
        match x.abs() < 1e-6 * f64::from(self.scale) {
            true => 0.0,
            false => x,
        }
    }
}

/// What numbers come to, however far out they are.
const FAR: f64 = 3.0;

/// A quantile of ascending numbers, linear between neighbours; 0 of none.
pub(crate) fn quantile(sorted: &[f64], share: f64) -> f64 {
    let at = share * sorted.len().saturating_sub(1) as f64;
    let below = at.floor() as usize;
    let get = |i: usize| sorted.get(i).or(sorted.last()).copied().unwrap_or(0.0);
    let (low, high) = (get(below), get(below + 1));
    low + (high - low) * (at - below as f64)
}

const YES: [&str; 5] = ["1", "true", "t", "yes", "y"];
const NO: [&str; 5] = ["0", "false", "f", "no", "n"];

/// Whether a word means yes or no.
pub(crate) fn boolean_of(cell: &str) -> Option<bool> {
    let is = |words: &[&str]| words.iter().any(|word| cell.eq_ignore_ascii_case(word));
    if is(&YES) {
        Some(true)
    } else if is(&NO) {
        Some(false)
    } else {
        None
    }
}

/// What is wrong with a cell, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wrong {
    pub problem: String,
    pub hint: String,
}

impl From<DataError> for Wrong {
    fn from(error: DataError) -> Wrong {
        Wrong { problem: error.message(), hint: error.hint() }
    }
}

impl Wrong {
    fn new(needed: impl Into<String>, found: Cell<'_>) -> Wrong {
        Wrong {
            problem: format!("{}, there is '{}'", needed.into(), found.text()),
            hint: "correct the cell, or leave it empty where nothing is known".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(encoder: &Encoder, cell: Cell<'_>, out: &mut [f32]) -> Result<(), Wrong> {
        encoder.writer(Path::new("")).unwrap().write(cell, out)
    }

    fn written(encoder: &Encoder, cell: Cell<'_>) -> Vec<f32> {
        let mut out = vec![f32::NAN; encoder.width()];
        write(encoder, cell, &mut out).unwrap();
        out
    }

    #[test]
    fn numbers_are_scaled_by_quartiles_and_bent() {
        let number = Number::fit(&[1.0, 2.0, 3.0, 4.0, 5.0], true);
        assert_eq!((number.median, number.scale), (3.0, 2.0));
        let encoder = Encoder::Number(number);
        assert_eq!(written(&encoder, Cell::Number(3.0)), [0.0, 0.0]);
        assert_eq!(written(&encoder, Cell::Missing), [0.0, 1.0]);
        // u = 3: 3 / √2.
        let bent = (3.0 / 2f64.sqrt()) as f32;
        assert_eq!(written(&encoder, Cell::Text("9")), [bent, 0.0]);
        let far = written(&encoder, Cell::Number(f64::MAX));
        assert!((2.99..=3.0).contains(&far[0]), "{far:?}");
        let wrong = write(&encoder, Cell::Text("nine"), &mut [0.0; 2]).unwrap_err();
        assert_eq!(wrong.problem, "a number is needed, there is 'nine'");

        // No distance between quartiles: the deviation; none either: 1.
        let rare = Number::fit(&[0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 3.0], false);
        assert_eq!((rare.median, rare.scale), (0.0, (63f64 / 64.0).sqrt() as f32));
        let flat = Number::fit(&[7.0; 4], false);
        assert_eq!((flat.median, flat.scale), (7.0, 1.0));
    }

    #[test]
    fn words_for_yes_and_no() {
        let encoder = Encoder::Boolean(Boolean { indicator: true });
        assert_eq!(written(&encoder, Cell::Text("Yes")), [1.0, 0.0]);
        assert_eq!(written(&encoder, Cell::Number(0.0)), [-1.0, 0.0]);
        assert_eq!(written(&encoder, Cell::Missing), [0.0, 1.0]);
        let wrong = write(&encoder, Cell::Text("maybe"), &mut [0.0; 2]).unwrap_err();
        assert_eq!(wrong.problem, "yes or no is needed, there is 'maybe'");
    }

    #[test]
    fn categories_have_ids_for_nothing_and_for_the_unknown() {
        let names = [MISSING, "<unknown>", "a", "b"].map(String::from).to_vec();
        let encoder = Encoder::Category(Category { values: names.into() });
        let ids = [Cell::Missing, Cell::Text("z"), Cell::Text("a"), Cell::Text("b")];
        assert_eq!(ids.map(|cell| written(&encoder, cell)[0]), [0.0, 1.0, 2.0, 3.0]);
    }

    #[test]
    fn times_are_a_line_and_circles() {
        let years = Number { median: 2024.0, scale: 1.0, indicator: false };
        let cycles = vec![Cycle::Month, Cycle::Hour];
        let encoder = Encoder::Time(Moment { form: Form::YearFirst, years, cycles });
        let start = written(&encoder, Cell::Text("2024-01-01T06:00"));
        assert_eq!(start[1..3], [0.0, 1.0]);
        assert!((start[3] - 1.0).abs() < 1e-6 && start[4].abs() < 1e-6, "{start:?}");
        assert_eq!(written(&encoder, Cell::Missing), [0.0; 5]);
        let wrong = write(&encoder, Cell::Text("soon"), &mut [0.0; 5]).unwrap_err();
        assert_eq!(wrong.problem, "a time written year-month-day is needed, there is 'soon'");
    }
}

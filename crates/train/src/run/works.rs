//! What a network makes that people can look at: forecasts beside what came, pictures put together again, a text.

use thalweg_data::picture::png;
use thalweg_data::readers::language::Language;
use thalweg_data::{Encoding, Features, Level, Raw, Targets};
use thalweg_nn::{Dag, Loss};

use super::examples::base64;
use super::insights::{ForecastStory, ReconstructionStory, TextStory};
use super::stories::Answered;
use crate::generate::{Generator, Sampling};
use crate::{Part, TrainError, Trainer};

/// Steps of a series that are shown.
const STEPS: usize = 300;
/// Pictures that are shown.
const PICTURES: usize = 8;
/// Tokens that are written: letters, or words.
const TOKENS: [usize; 2] = [300, 60];
/// Writing takes at most as long as to measure on so many rows: a token is one place of a row, but goes alone.
pub(super) const ROWS: usize = 300;
/// Less than 1: what is probable becomes more so.
const TEMPERATURE: f64 = 0.8;

impl Answered<'_> {
    /// The longest stretch of rows that follow each other, or the last steps of it, with what was said of each number one
    /// step before and a horizon before. Nothing where no rows follow each other.
    pub(super) fn forecast(&self) -> Option<ForecastStory> {
        let (Encoding::Series(series), Targets::Values { values, dims }, Raw::F32(windows)) =
            (&self.data.encoding, &self.part.data.targets, self.part.data.features.raw())
        else {
            return None;
        };
        let (rows, horizon, width) = (self.part.rows, *dims, series.window);
        let window = |place: usize| &windows[rows[place] * width..(rows[place] + 1) * width];
        let truth = |place: usize| &values[rows[place] * horizon..(rows[place] + 1) * horizon];
        // The next window is this one without its first number and with the first that followed.
        let goes_on = |place: usize| {
            let (now, next) = (window(place), window(place + 1));
            now[1..] == next[..width - 1] && next[width - 1] == truth(place)[0]
        };
        let ends = (0..rows.len()).filter(|&place| place + 1 == rows.len() || !goes_on(place));
        let stretches = ends.scan(0, |start, end| Some(std::mem::replace(start, end + 1)..end + 1));
        // The first of the longest.
        let longest = stretches.reduce(|a, b| if b.len() > a.len() { b } else { a })?;
        let places = longest.end.saturating_sub(STEPS).max(longest.start)..longest.end;
        if places.len() < 2 {
            return None;
        }
        let points = |ahead: usize, said: &dyn Fn(usize) -> f32| -> Vec<[f64; 2]> {
            let steps = places.clone().enumerate();
            let points = steps.map(|(i, place)| [(i + ahead + 1) as f64, f64::from(said(place))]);
            points.filter(|point| point[1].is_finite()).collect()
        };
        let mut came = points(0, &|place| truth(place)[0]);
        let rest = truth(places.end - 1)[1..].iter().enumerate();
        came.extend(rest.map(|(i, &x)| [(places.len() + i + 1) as f64, f64::from(x)]));
        let last = horizon - 1;
        Some(ForecastStory {
            horizon,
            truth: came,
            near: points(0, &|place| self.scores[place * horizon]),
            far: points(last, &|place| self.scores[place * horizon + last]),
        })
    }
}

/// Some samples and what the network makes of them, where they are pictures.
pub(super) fn reconstructions(
    trainer: &mut Trainer<Dag>,
    part: &Part,
) -> Result<Vec<ReconstructionStory>, TrainError> {
    let features = &part.data.features;
    let rows = &part.rows[..part.rows.len().min(PICTURES)];
    let given: Vec<Vec<u8>> = rows.iter().filter_map(|&row| png(features, row)).collect();
    if given.is_empty() || given.len() < rows.len() {
        return Ok(vec![]);
    }
    let made = trainer.predict(features, rows, part.scaling)?;
    let logits = matches!(trainer.loss(), Loss::BinaryCrossEntropy(_) | Loss::BinaryFocal(_));
    let bright = |(at, &y): (usize, &f32)| {
        let y = if logits { 1.0 / (1.0 + libm::expf(-y)) } else { y };
        (part.scaling.share(y, at % features.width()) * 255.0).round() as u8
    };
    let made = made.as_slice::<f32>().unwrap_or_default().iter().enumerate().map(bright);
    let made = Features::new(Raw::U8(made.collect()), features.shape().to_vec())?;
    let made = made.with_full_scale(255.0)?;
    let pair = |(i, given): (usize, Vec<u8>)| {
        let made = png(&made, i)?;
        Some(ReconstructionStory { row: i, given: base64(&given), made: base64(&made) })
    };
    Ok(given.into_iter().enumerate().filter_map(pair).collect())
}

/// What a language model writes by itself, as if a line had ended; nothing where it cannot go token by token, as one
/// that looks ahead.
pub(super) fn text(trainer: &mut Trainer<Dag>, language: &Language) -> Option<TextStory> {
    let Language { vocabulary, level, window } = language;
    let cpu = trainer.cpu().clone();
    let seed = trainer.store().seed();
    let sampling = Sampling { temperature: TEMPERATURE, seed, ..Sampling::default() };
    let generator = Generator::new(trainer.network(), &cpu, *window).ok()?;
    let mut generator = generator.never(&[vocabulary.id("")]);
    let (prompt, count) = ([vocabulary.id("\n")], TOKENS[usize::from(*level == Level::Word)]);
    let store = trainer.store_mut();
    let ids = generator.generate(&prompt, count, &sampling, &cpu, store, |_| ()).ok()?;
    let text = level.join(ids.iter().filter_map(|&id| vocabulary.token(id)));
    Some(TextStory { text, temperature: TEMPERATURE, seed })
}

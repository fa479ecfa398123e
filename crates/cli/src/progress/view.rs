//! The live view of a training, as text: a bar, the figures, the loss so far, what looks unhealthy.

use console::{Style, truncate_str};
use thalweg_report::numbers::{count, number, percent, seconds};

use super::plot::plot;

/// The losses of a run are kept as the means of so many stretches.
const STRETCHES: usize = 160;
/// Lines of the plot.
const HEIGHT: usize = 6;
/// Findings that are shown, the latest.
const FINDINGS: usize = 3;
/// Below this width there is a single line.
const NARROW: usize = 56;

/// What a terminal can show.
#[derive(Clone, Copy, Debug)]
pub struct Screen {
    /// Characters in a line.
    pub width: usize,
    /// Lines.
    pub height: usize,
    /// Whether it has more than ASCII.
    pub unicode: bool,
    /// Whether colours are welcome.
    pub colours: bool,
}

/// Loss, and accuracy where there is one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Scores {
    /// The loss.
    pub loss: f64,
    /// Of classifiers.
    pub accuracy: Option<f64>,
}

/// What is known of a training so far.
#[derive(Clone, Debug)]
pub struct View {
    /// Epochs, all of them.
    pub epochs: usize,
    /// The one that runs, from 1.
    pub epoch: usize,
    /// Steps done.
    pub step: u64,
    /// Steps, all of them.
    pub steps: u64,
    /// The epoch so far.
    pub train: Scores,
    /// After the last epoch.
    pub valid: Option<Scores>,
    /// The learning rate.
    pub lr: f64,
    /// Rows a second.
    pub speed: f64,
    /// Clock time so far.
    pub spent: f64,
    /// What looks unhealthy, the latest last.
    pub findings: Vec<String>,
    /// Sum and number of the losses of each stretch of the run.
    stretches: Vec<(f64, u64)>,
    /// Where in the run, from 0 to 1, the validation loss was what.
    valid_curve: Vec<[f64; 2]>,
}

impl View {
    /// Of a training of so many epochs that has not begun.
    pub fn new(epochs: usize) -> View {
        View {
            epochs,
            epoch: 1,
            step: 0,
            steps: 0,
            train: Scores::default(),
            valid: None,
            lr: 0.0,
            speed: 0.0,
            spent: 0.0,
            findings: vec![],
            stretches: vec![(0.0, 0); STRETCHES],
            valid_curve: vec![],
        }
    }

    /// The share of the training that is done.
    pub fn done(&self) -> f64 {
        self.step as f64 / self.steps.max(1) as f64
    }

    /// The clock time that is left, if it goes on like this.
    pub fn left(&self) -> f64 {
        self.spent * (1.0 - self.done()) / self.done().max(1e-9)
    }

    /// Notes the loss of a batch at the current step.
    pub fn learned(&mut self, loss: f64) {
        let stretch = (self.done() * STRETCHES as f64) as usize;
        if loss.is_finite() {
            let (sum, n) = &mut self.stretches[stretch.min(STRETCHES - 1)];
            *sum += loss;
            *n += 1;
        }
    }

    /// Notes how the network did on the validation rows at the current step.
    pub fn validated(&mut self, scores: Scores) {
        self.valid_curve.push([self.done(), scores.loss]);
        self.valid = Some(scores);
    }

    /// The whole view, for a terminal like this.
    pub fn draw(&self, screen: Screen) -> String {
        // The last column stays free: some terminals break the line as soon as it is filled.
        let width = screen.width.saturating_sub(1);
        let mut lines = Vec::new();
        if width < NARROW {
            let valid = self.valid.map_or(String::new(), |v| format!("  valid {}", number(v.loss)));
            lines.push(format!(
                "{}/{}  loss {}{valid}  {} left",
                self.epoch,
                self.epochs,
                number(self.train.loss),
                seconds(self.left())
            ));
        } else {
            lines.push(self.bar(screen));
            lines.push(self.figures(screen));
            if screen.unicode && screen.height >= HEIGHT + 8 {
                lines.extend(self.curves(screen, width.min(96)));
            }
        }
        let latest = self.findings.len().saturating_sub(FINDINGS);
        let mark = paint(screen, Style::new().yellow());
        lines.extend(self.findings[latest..].iter().map(|said| {
            let said: String = said.chars().filter(|c| !c.is_control()).collect();
            mark(&format!("! {said}"))
        }));
        let end = if screen.unicode { "…" } else { ".." };
        let lines: Vec<_> = lines.iter().map(|line| truncate_str(line, width, end)).collect();
        lines.join("\n")
    }

    fn bar(&self, screen: Screen) -> String {
        const WIDTH: usize = 24;
        let [full, empty] = if screen.unicode { ["━", "─"] } else { ["#", "-"] };
        let filled = (self.done() * WIDTH as f64) as usize;
        let (bright, dim) = (paint(screen, train_style()), paint(screen, Style::new().dim()));
        let time = match self.step {
            0 => String::new(),
            _ if self.step >= self.steps => format!("{} in all", seconds(self.spent)),
            _ => format!("{} left", seconds(self.left())),
        };
        format!(
            "{}{}  epoch {}/{}  step {}/{}  {} rows/s  {time}",
            bright(&full.repeat(filled)),
            dim(&empty.repeat(WIDTH.saturating_sub(filled))),
            self.epoch,
            self.epochs,
            count(self.step),
            count(self.steps),
            count(self.speed as u64),
        )
    }

    fn figures(&self, screen: Screen) -> String {
        let say = |scores: Scores| {
            let accuracy = scores.accuracy.map(|share| format!("  accuracy {}", percent(share)));
            format!("loss {}{}", number(scores.loss), accuracy.unwrap_or_default())
        };
        let (train, valid) = (paint(screen, train_style()), paint(screen, valid_style()));
        let mut line = format!("{} {}", train("train"), say(self.train));
        if let Some(scores) = self.valid {
            line += &format!("   {} {}", valid("valid"), say(scores));
        }
        line + &format!("   rate {}", number(self.lr))
    }

    /// The loss so far, its ends named.
    fn curves(&self, screen: Screen, width: usize) -> Vec<String> {
        const AXIS: usize = 11;
        const NAMES: usize = 8;
        let middle = |i: usize| (i as f64 + 0.5) / STRETCHES as f64;
        let filled = self.stretches.iter().enumerate().filter(|(_, (_, n))| *n > 0);
        let train: Vec<[f64; 2]> =
            filled.map(|(i, (sum, n))| [middle(i), sum / *n as f64]).collect();
        let Some(plot) = plot(&[&train, &self.valid_curve], width - AXIS - NAMES, HEIGHT) else {
            return vec![];
        };
        let styles = [paint(screen, train_style()), paint(screen, valid_style())];
        let dim = paint(screen, Style::new().dim());
        // Each name stands where its curve ends; where both end on one line, they share it.
        let ends = |curve: usize| {
            let holds = |line: &&Vec<(char, Option<usize>)>| {
                line.iter().rposition(|place| place.1 == Some(curve))
            };
            let last = |(i, line)| Some((holds(&line)?, usize::MAX - i));
            let end = plot.lines.iter().enumerate().filter_map(last).max();
            end.map(|(_, line)| usize::MAX - line)
        };
        let ends = [ends(0), ends(1)];
        let [low, high] = plot.range;
        let lines = plot.lines.iter().enumerate().map(|(i, line)| {
            let label = match i {
                0 => number(high),
                i if i + 1 == HEIGHT && high > low => number(low),
                _ => String::new(),
            };
            let tick = if label.is_empty() { "│" } else { "┤" };
            let mut text = dim(&format!("{label:>9} {tick}"));
            for &(c, curve) in line {
                text += &curve.map_or_else(|| c.to_string(), |curve| styles[curve](&c.to_string()));
            }
            for (curve, name) in ["train", "valid"].into_iter().enumerate() {
                if ends[curve] == Some(i) {
                    text += &format!(" {}", styles[curve](name));
                }
            }
            text
        });
        lines.collect()
    }
}

fn train_style() -> Style {
    Style::new().cyan()
}

fn valid_style() -> Style {
    Style::new().yellow()
}

/// Colours text, where colours are welcome.
fn paint(screen: Screen, style: Style) -> impl Fn(&str) -> String {
    let style = style.force_styling(screen.colours);
    move |text| style.apply_to(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCREEN: Screen = Screen { width: 80, height: 24, unicode: true, colours: false };

    fn view() -> View {
        let mut view = View { steps: 100, speed: 1234.5, lr: 0.003, ..View::new(4) };
        for step in 1..=50 {
            view.step = step;
            view.learned(2.0 / step as f64);
            if step % 25 == 0 {
                view.validated(Scores { loss: 2.5 / step as f64, accuracy: Some(0.9) });
            }
        }
        View { epoch: 2, spent: 3.0, train: Scores { loss: 0.04, accuracy: Some(0.95) }, ..view }
    }

    #[test]
    fn everything_is_there_and_fits() {
        let mut view = view();
        view.findings.push("hidden2: 61 % of units\u{1b}[2J never active ".repeat(5));
        let text = view.draw(SCREEN);
        for words in [
            "━━━━━━━━━━━━────────────  epoch 2/4  step 50/100  1,234 rows/s  3.0 s left",
            "train loss 0.04000  accuracy 95.00 %   valid loss 0.05000  accuracy 90.00 %",
            " 2.000 ┤",
            "! hidden2: 61 %",
        ] {
            assert!(text.contains(words), "{words} is not in\n{text}");
        }
        assert!(text.lines().all(|line| line.chars().count() < 80), "{text}");
        assert!(!text.contains('\u{1b}'), "no colours, and no control characters of others");
        assert_eq!(text.lines().count(), 2 + HEIGHT + 1);
    }

    #[test]
    fn small_and_plain_terminals_get_what_they_can_show() {
        let narrow = view().draw(Screen { width: 40, ..SCREEN });
        assert_eq!(narrow, "2/4  loss 0.04000  valid 0.05000  3.0 …");
        let plain = view().draw(Screen { unicode: false, ..SCREEN });
        assert!(plain.is_ascii() && plain.starts_with("############------------"), "{plain}");
        let low = view().draw(Screen { height: 10, ..SCREEN });
        assert_eq!(low.lines().count(), 2);
        let coloured = view().draw(Screen { colours: true, ..SCREEN });
        assert!(coloured.contains('\u{1b}'));
    }
}

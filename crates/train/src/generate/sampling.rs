//! Choosing the next token from what a network thinks of each.

use thalweg_graph::random::Draw;

use crate::TrainError;

/// How the next token is chosen, from logits z.
///
/// The probabilities are softmax(z / temperature). Of them first the `top_k` greatest are kept, then of those the fewest
/// that together have at least `top_p`; one of what is left is drawn. At temperature 0 the most probable token is
/// taken. Of equals the one with the lesser id comes first.
///
/// ```
/// use thalweg_train::generate::Sampling;
/// let sampling = Sampling { temperature: 0.0, ..Sampling::default() };
/// assert_eq!(sampling.choose(&[0.1, 2.0, 1.0], &[], 0)?, 1);
/// # Ok::<(), thalweg_train::TrainError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// Below 1 the probable becomes more probable, above 1 less; 0 takes the most probable; 1 by default.
    pub temperature: f64,
    /// How many tokens are considered; all by default.
    pub top_k: Option<usize>,
    /// How much probability the considered tokens must have together; 1, all, by default.
    pub top_p: f64,
    /// What the draws depend on; 0 by default. Equal seeds give equal texts.
    pub seed: u64,
}

impl Default for Sampling {
    fn default() -> Self {
        Sampling { temperature: 1.0, top_k: None, top_p: 1.0, seed: 0 }
    }
}

impl Sampling {
    /// That every number is within its range.
    ///
    /// # Errors
    /// [`TrainError::Option`] names the one that is not.
    pub fn check(&self) -> Result<(), TrainError> {
        let Sampling { temperature, top_k, top_p, .. } = *self;
        if !(temperature.is_finite() && temperature >= 0.0) {
            let problem = format!("must be a finite number of at least 0, got {temperature}");
            let hint = "0 takes the most probable token, 1 draws as the network says";
            return Err(TrainError::option("temperature", problem, hint));
        }
        if top_k == Some(0) {
            return Err(TrainError::option(
                "top_k",
                "must be at least 1, got 0",
                "leave it out to consider all tokens",
            ));
        }
        if !(top_p > 0.0 && top_p <= 1.0) {
            let problem = format!("must be above 0 and at most 1, got {top_p}");
            return Err(TrainError::option("top_p", problem, "1 considers all tokens"));
        }
        Ok(())
    }

    /// The id of the `number`-th token of a text; none of `never`.
    ///
    /// # Errors
    /// As [`Sampling::check`]; [`TrainError::Misfit`] where there is no logit, or one that is not a number.
    pub fn choose(&self, logits: &[f32], never: &[i64], number: u64) -> Result<i64, TrainError> {
        self.check()?;
        let mut ranked: Vec<(usize, f64)> =
            logits.iter().map(|&z| f64::from(z)).enumerate().collect();
        ranked.retain(|(id, _)| !never.contains(&(*id as i64)));
        let top = ranked.iter().map(|&(_, z)| z).fold(f64::NEG_INFINITY, f64::max);
        if !top.is_finite() || ranked.iter().any(|(_, z)| z.is_nan()) {
            return Err(TrainError::misfit(
                "the network's outputs are no finite numbers",
                "the weights may be damaged; choose another run",
            ));
        }
        // Stable: equals stay in the order of their ids.
        ranked.sort_by(|(_, a), (_, b)| b.total_cmp(a));
        if self.temperature == 0.0 {
            return Ok(ranked[0].0 as i64);
        }
        ranked.truncate(self.top_k.unwrap_or(usize::MAX));
        let weights: Vec<f64> =
            ranked.iter().map(|(_, z)| libm::exp((z - top) / self.temperature)).collect();
        let total: f64 = weights.iter().sum();
        let mut sums = weights.iter().scan(0.0, |sum, weight| {
            *sum += weight;
            Some(*sum)
        });
        let kept = match self.top_p < 1.0 {
            true => sums.position(|sum| sum >= self.top_p * total).unwrap_or(weights.len() - 1) + 1,
            false => weights.len(),
        };
        let left: f64 = weights[..kept].iter().sum();
        let draw = Draw { seed: self.seed, step: number, stream: STREAM };
        let mut rest = draw.uniform_f64(0) * left;
        for (weight, (id, _)) in weights[..kept].iter().zip(&ranked) {
            if rest < *weight {
                return Ok(*id as i64);
            }
            rest -= weight;
        }
        // Rounding may leave a rest at the end.
        Ok(ranked[kept - 1].0 as i64)
    }
}

/// The random stream of generated text.
const STREAM: u64 = 0x67656e_65726174;

#[cfg(test)]
mod tests {
    use super::*;

    const LOGITS: [f32; 4] = [1.0, 3.0, 2.0, 3.0];

    /// How often each of four tokens is chosen in 4,000 draws.
    fn shares(sampling: Sampling, never: &[i64]) -> [f64; 4] {
        let mut counts = [0.0; 4];
        for number in 0..4000 {
            counts[sampling.choose(&LOGITS, never, number).unwrap() as usize] += 1.0 / 4000.0;
        }
        counts
    }

    fn expect(sampling: Sampling, weights: [f64; 4]) {
        expect_without(sampling, &[], weights);
    }

    fn expect_without(sampling: Sampling, never: &[i64], weights: [f64; 4]) {
        let total: f64 = weights.iter().sum();
        for (share, weight) in shares(sampling, never).into_iter().zip(weights) {
            let p = weight / total;
            // Four standard deviations; the shares are sums of rounded numbers.
            let tolerance = 4.0 * (p * (1.0 - p) / 4000.0).sqrt() + 1e-9;
            assert!((share - p).abs() <= tolerance, "{sampling:?}: {share}, expected {p}");
        }
    }

    #[test]
    fn tokens_are_drawn_as_often_as_their_probabilities_say() {
        let e = |z: f64| z.exp();
        let all = Sampling::default();
        expect(all, [e(1.0), e(3.0), e(2.0), e(3.0)]);
        expect(Sampling { temperature: 0.5, ..all }, [e(2.0), e(6.0), e(4.0), e(6.0)]);
        expect(Sampling { top_k: Some(3), ..all }, [0.0, e(3.0), e(2.0), e(3.0)]);
        expect(Sampling { top_k: Some(1), ..all }, [0.0, 1.0, 0.0, 0.0]);
        // The two greatest have 0.80 of all together, with the third 0.95.
        expect(Sampling { top_p: 0.79, ..all }, [0.0, 1.0, 0.0, 1.0]);
        expect(Sampling { top_p: 0.9, ..all }, [0.0, e(3.0), e(2.0), e(3.0)]);
        expect(Sampling { top_p: 1e-9, ..all }, [0.0, 1.0, 0.0, 0.0]);
        expect(Sampling { temperature: 0.0, ..all }, [0.0, 1.0, 0.0, 0.0]);
        expect_without(all, &[1], [e(1.0), 0.0, e(2.0), e(3.0)]);
        expect_without(Sampling { top_k: Some(1), ..all }, &[1, 3], [0.0, 0.0, 1.0, 0.0]);
    }

    #[test]
    fn a_seed_says_it_all() {
        let draw = |seed| {
            let sampling = Sampling { seed, ..Sampling::default() };
            (0..64).map(|n| sampling.choose(&LOGITS, &[], n).unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }

    #[test]
    fn ranges_are_checked() {
        let wrong = [
            (Sampling { temperature: -1.0, ..Sampling::default() }, "temperature"),
            (Sampling { temperature: f64::NAN, ..Sampling::default() }, "temperature"),
            (Sampling { top_k: Some(0), ..Sampling::default() }, "top_k"),
            (Sampling { top_p: 0.0, ..Sampling::default() }, "top_p"),
            (Sampling { top_p: 1.5, ..Sampling::default() }, "top_p"),
        ];
        for (sampling, name) in wrong {
            let message = sampling.choose(&LOGITS, &[], 0).unwrap_err().message();
            assert!(message.starts_with(name), "{message}");
        }
        for logits in [&[][..], &[f32::NAN, 0.0], &[f32::INFINITY]] {
            assert!(Sampling::default().choose(logits, &[], 0).is_err());
        }
    }
}

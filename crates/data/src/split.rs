//! Which rows are for learning, for watching and for judging. A split is exact and fair: the parts have the sizes
//! that were asked for, and every class is in each of them by its share. It depends on the targets, the fractions
//! and the seed alone, so every machine makes the same one.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::dataset::Dataset;
use crate::error::DataError;
use crate::random::{shuffle, stream};
use crate::targets::Targets;

/// The share of the rows that each part takes; training has the rest.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Fractions {
    /// For validation; 0 for none.
    pub valid: f64,
    /// For the final test; 0 for none, as where the set brings its own.
    pub test: f64,
}

/// The row numbers of each part, ascending; together they are all rows, each once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// For learning.
    pub train: Vec<usize>,
    /// For early stopping and choices.
    pub valid: Vec<usize>,
    /// For the final figures; touched once.
    pub test: Vec<usize>,
}

impl Split {
    /// Splits the rows of a data set.
    ///
    /// Of n rows, validation gets n·valid and test n·test, each rounded to the nearest (halves up), training the
    /// rest. Classes share each part in proportion to their rows, by largest remainder (ties to the smaller class
    /// number), after one row of every class was set aside for training. Which rows of a class go where is a
    /// random draw by seed and class. Rows whose target is no single class count as of one class.
    ///
    /// # Errors
    /// [`DataError::Fraction`] for a fraction outside `0..1` or fractions that reach 1 together;
    /// [`DataError::EmptyPart`] where a part that was asked for would have no row, or training not one of each class.
    pub fn of(data: &Dataset, fractions: &Fractions, seed: u64) -> Result<Split, DataError> {
        fractions.check()?;
        let n = data.rows();
        let valid = part_size("valid", n, fractions.valid)?;
        let test = part_size("test", n, fractions.test)?;
        let mut strata = strata(&data.targets);

        let spare: Vec<usize> = strata.iter().map(|rows| rows.len().saturating_sub(1)).collect();
        let free: usize = spare.iter().sum();
        if valid + test > free {
            let kept = n - free;
            let reason = format!(
                "valid takes {valid} and test {test} of {n} rows, but training must keep {kept}, one of each class"
            );
            return Err(DataError::EmptyPart { part: "train", reason });
        }
        let tests = apportion(test, &spare);
        let left: Vec<usize> = spare.iter().zip(&tests).map(|(spare, test)| spare - test).collect();
        let valids = apportion(valid, &left);

        let mut split = Split { train: Vec::new(), valid: Vec::new(), test: Vec::new() };
        for (class, rows) in strata.iter_mut().enumerate() {
            shuffle(seed, stream::split(class as u64), rows);
            let (test, rest) = rows.split_at(tests[class]);
            let (valid, train) = rest.split_at(valids[class]);
            split.test.extend(test);
            split.valid.extend(valid);
            split.train.extend(train);
        }
        for part in [&mut split.train, &mut split.valid, &mut split.test] {
            part.sort_unstable();
        }
        Ok(split)
    }
}

impl Fractions {
    pub(crate) fn check(&self) -> Result<(), DataError> {
        for (part, fraction) in [("valid", self.valid), ("test", self.test)] {
            if !(0.0..1.0).contains(&fraction) {
                return Err(DataError::Fraction {
                    problem: format!("{part} = {fraction} is no share of the rows"),
                });
            }
        }
        if self.valid + self.test >= 1.0 {
            let problem = format!(
                "valid = {} and test = {} leave nothing for training",
                self.valid, self.test
            );
            return Err(DataError::Fraction { problem });
        }
        Ok(())
    }
}

/// Test rows that the rows themselves name, so that others find the same ones without this program's random numbers.
/// A reader sets them apart before it looks at the others, so nothing of them enters an [`crate::Encoding`].
///
/// Written `crc32`, or `FIELD=VALUE` with further values after commas: `speaker=theo`, `take=0,1,2,3,4`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum TestRows {
    /// The rows whose line, as it is in the file without its line end, has a CRC-32 (as in zip and PNG) that 5
    /// divides; where a file has no lines of cells (JSON lines, Parquet, …), their cells with commas between them; for
    /// files, their path in the folder or zip.
    Crc32,
    /// The rows whose field has one of these values: a column of a table, or a field of the label pattern.
    Where {
        /// The column or the field.
        field: String,
        /// Its values in the test rows.
        values: Vec<String>,
    },
}

impl TestRows {
    /// `rows` without and with those that are kept for the test, in their order. `holds` says which are, by
    /// [`TestRows::holds`].
    pub(crate) fn deal(
        test: Option<&TestRows>,
        rows: Vec<usize>,
        holds: impl Fn(&TestRows, usize) -> bool,
    ) -> Result<(Vec<usize>, Vec<usize>), DataError> {
        let Some(test) = test else {
            return Ok((rows, Vec::new()));
        };
        let (test_rows, train): (Vec<usize>, Vec<usize>) =
            rows.into_iter().partition(|&i| holds(test, i));
        let missing = match (train.is_empty(), test_rows.is_empty()) {
            (false, false) => return Ok((train, test_rows)),
            (true, _) => "every row",
            (false, true) => "no row",
        };
        Err(DataError::option(
            "test",
            format!("'{test}' is {missing}"),
            "some rows must be for the test and some to learn from; check the field's values",
        ))
    }

    /// Whether a row is for the test, by its checksum and its value of the field.
    pub(crate) fn holds(&self, checksum: impl FnOnce() -> u32, value: Option<&str>) -> bool {
        match self {
            TestRows::Crc32 => checksum().is_multiple_of(5),
            TestRows::Where { values, .. } => {
                value.is_some_and(|value| values.iter().any(|wanted| wanted == value))
            }
        }
    }
}

impl fmt::Display for TestRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TestRows::Crc32 => f.write_str("crc32"),
            TestRows::Where { field, values } => write!(f, "{field}={}", values.join(",")),
        }
    }
}

impl FromStr for TestRows {
    type Err = DataError;

    fn from_str(text: &str) -> Result<TestRows, DataError> {
        if text == "crc32" {
            return Ok(TestRows::Crc32);
        }
        match text.split_once('=') {
            Some((field, values)) if !field.trim().is_empty() => Ok(TestRows::Where {
                field: field.trim().into(),
                values: values.split(',').map(|value| value.trim().into()).collect(),
            }),
            _ => Err(DataError::option(
                "test",
                format!("'{text}' names no rows"),
                "write crc32, or FIELD=VALUE such as speaker=theo or take=0,1,2",
            )),
        }
    }
}

impl TryFrom<String> for TestRows {
    type Error = DataError;

    fn try_from(text: String) -> Result<TestRows, DataError> {
        text.parse()
    }
}

impl From<TestRows> for String {
    fn from(rows: TestRows) -> String {
        rows.to_string()
    }
}

/// n·fraction rounded to the nearest; 0 only where the fraction is 0.
fn part_size(part: &'static str, n: usize, fraction: f64) -> Result<usize, DataError> {
    let size = (n as f64 * fraction + 0.5).floor() as usize;
    if size == 0 && fraction > 0.0 {
        return Err(DataError::EmptyPart {
            part,
            reason: format!("{fraction} of {n} rows rounds to 0"),
        });
    }
    Ok(size)
}

/// The rows of each class, ascending.
fn strata(targets: &Targets) -> Vec<Vec<usize>> {
    match targets {
        Targets::Values { .. } | Targets::Labels { .. } | Targets::Sequence { .. } => {
            vec![(0..targets.rows()).collect()]
        }
        Targets::Classes { labels, names } => {
            let mut strata = vec![Vec::new(); names.len()];
            for (row, &label) in labels.iter().enumerate() {
                if let Some(rows) =
                    usize::try_from(label).ok().and_then(|label| strata.get_mut(label))
                {
                    rows.push(row);
                }
            }
            strata
        }
    }
}

/// Deals `seats` out in proportion to `sizes` by largest remainder, never more than a size; `seats` must not
/// exceed their sum.
fn apportion(seats: usize, sizes: &[usize]) -> Vec<usize> {
    let total: u128 = sizes.iter().map(|&size| size as u128).sum();
    if total == 0 {
        return vec![0; sizes.len()];
    }
    let shares: Vec<u128> = sizes.iter().map(|&size| size as u128 * seats as u128).collect();
    let mut dealt: Vec<usize> = shares.iter().map(|share| (share / total) as usize).collect();
    let mut order: Vec<usize> = (0..sizes.len()).collect();
    order.sort_by_key(|&i| std::cmp::Reverse(shares[i] % total));
    let left = seats - dealt.iter().sum::<usize>();
    for &i in &order[..left] {
        dealt[i] += 1;
    }
    dealt
}

#[cfg(test)]
mod tests {
    use super::apportion;

    #[test]
    fn seats_go_by_largest_remainder_and_ties_to_the_first() {
        assert_eq!(apportion(10, &[50, 30, 20]), [5, 3, 2]);
        assert_eq!(apportion(1, &[5, 5, 5]), [1, 0, 0]);
        assert_eq!(apportion(2, &[5, 5, 5]), [1, 1, 0]);
        assert_eq!(apportion(7, &[1, 2, 4]), [1, 2, 4]);
        assert_eq!(apportion(4, &[0, 9, 1]), [0, 4, 0]);
        assert_eq!(apportion(0, &[0, 0]), [0, 0]);
    }
}

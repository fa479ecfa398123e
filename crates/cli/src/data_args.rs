//! What verbs that read data to learn from take: where it is, and what is to be known about it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use thalweg_train::run::Draft;

use crate::failure::Failure;

/// What is learned where nobody says.
const DEFAULT_DATA: &str = "digits";

#[derive(clap::Args)]
pub struct DataArgs {
    /// A file or folder to learn from (a table, a text, a series, class folders of images or recordings, an IDX set), or
    /// an embedded data set (see `thalweg datasets`) [default: digits]
    data: Option<String>,
    /// Read settings from a TOML file; flags and --set go over it
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Set any key of the configuration, such as train.optimizer=sgd or network.hidden=[64]
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Decides the split, the first weights, the order of rows and dropout: same seed, same bits
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    seed: Option<i64>,
    /// The column to learn [default: the last one]
    #[arg(long, value_name = "COL", help_heading = "Data")]
    target: Option<String>,
    /// The kind of data, where it is not to be guessed: idx, images, audio, language, text, ratings, series, labelled,
    /// pairs, table
    #[arg(long, value_name = "KIND", help_heading = "Data")]
    kind: Option<String>,
    /// What a column of a table is, where it is not to be guessed: number, category, boolean, time, text, identifier,
    /// constant (the last two are left out)
    #[arg(long = "type", value_name = "COL=TYPE", help_heading = "Data")]
    types: Vec<String>,
    /// Columns of a table to leave out; may be given several times
    #[arg(long, value_name = "COL,…", help_heading = "Data")]
    drop: Vec<String>,
    /// Whether the first line of a table names its columns, where it is not to be guessed
    #[arg(long, value_name = "true|false", help_heading = "Data", hide_possible_values = true)]
    header: Option<bool>,
    /// What to do with the target of a table, where it is not to be guessed: classification, regression, multilabel,
    /// forecast
    #[arg(long, value_name = "TASK", help_heading = "Data")]
    task: Option<String>,
    /// A file with validation rows [default: a share of the rows, by --set data.split.valid]
    #[arg(long, value_name = "FILE", help_heading = "Data")]
    valid: Option<String>,
    /// A file with test rows [default: a share of the rows, by --set data.split.test]
    #[arg(long, value_name = "FILE", help_heading = "Data")]
    test: Option<String>,
    /// Rows with the same cell in this column stay in one part; of series, they are one of several series
    #[arg(long, value_name = "COL", help_heading = "Data")]
    group: Option<String>,
    /// The latest rows by this column are for the test, those before them for validation. Where numbers go with times
    /// and nothing else (but --group), or with --task forecast, the next numbers are forecast
    #[arg(long, value_name = "COL", help_heading = "Data")]
    time_col: Option<String>,
    /// Leave out files that are damaged and rows that cannot be read; they are counted and listed
    #[arg(long, help_heading = "Data")]
    skip_bad: bool,
    /// Where file names hold the class, such as '{label}_{speaker}_{take}.wav'
    #[arg(long, value_name = "PATTERN", help_heading = "Data")]
    label_pattern: Option<String>,
    /// Rows to hold out for the test: those with these values in a column or field of the label pattern, or crc32 for a
    /// fifth of the rows that others can find again [default: random ones, by --set data.split.test]
    #[arg(long, value_name = "FIELD=V1,V2|crc32", help_heading = "Data")]
    test_where: Option<String>,
    /// Tokens of a text, or numbers of a series, that make up a sample
    #[arg(long, value_name = "N", help_heading = "Data", allow_negative_numbers = true)]
    window: Option<i64>,
    /// Numbers of a series to forecast
    #[arg(long, value_name = "N", help_heading = "Data", allow_negative_numbers = true)]
    horizon: Option<i64>,
    /// Go on although a check of the data has failed
    #[arg(long, help_heading = "Data")]
    ignore_checks: bool,
}

impl DataArgs {
    /// The layers of settings: the file, then `--set`, then flags.
    pub fn draft(&self) -> Result<Draft, Failure> {
        let mut draft = Draft::new();
        if let Some(file) = &self.config {
            draft.file(file)?;
        }
        for setting in &self.set {
            draft.set(setting)?;
        }
        if let Some(data) = &self.data {
            draft.put(data, "data.path", data.as_str());
        }
        for (flag, key, value) in [
            ("--target", "data.target", &self.target),
            ("--kind", "data.kind", &self.kind),
            ("--label-pattern", "data.label_pattern", &self.label_pattern),
            ("--test-where", "data.test", &self.test_where),
            ("--task", "data.task", &self.task),
            ("--valid", "data.valid_file", &self.valid),
            ("--test", "data.test_file", &self.test),
            ("--group", "data.group", &self.group),
            ("--time-col", "data.time_col", &self.time_col),
        ] {
            if let Some(value) = value {
                draft.put(format!("{flag} {value}"), key, value.as_str());
            }
        }
        for said in &self.types {
            let Some((column, kind)) =
                said.rsplit_once('=').filter(|(column, _)| !column.is_empty())
            else {
                let what = format!("a type is said as COL=TYPE, in --type {said}");
                return Err(Failure::usage(what, "for example --type zip=category"));
            };
            let types = BTreeMap::from([(column.to_string(), kind.to_string())]);
            draft.put(format!("--type {said}"), "data.types", types);
        }
        if !self.drop.is_empty() {
            let flags: Vec<String> =
                self.drop.iter().map(|name| format!("--drop {name}")).collect();
            draft.put(flags.join(" "), "data.drop", self.drop.clone());
        }
        for (flag, key, value) in [
            ("--seed", "train.seed", self.seed),
            ("--window", "data.window", self.window),
            ("--horizon", "data.horizon", self.horizon),
        ] {
            if let Some(value) = value {
                draft.put(format!("{flag} {value}"), key, value);
            }
        }
        if let Some(header) = self.header {
            draft.put(format!("--header {header}"), "data.header", header);
        }
        if self.skip_bad {
            draft.put("--skip-bad", "data.skip_bad", true);
        }
        if self.ignore_checks {
            draft.put("--ignore-checks", "data.ignore_checks", true);
        }
        Ok(draft)
    }
}

/// Where the data is that a draft is about.
pub fn source(draft: &Draft) -> String {
    draft.data_path().unwrap_or_else(|| DEFAULT_DATA.to_string())
}

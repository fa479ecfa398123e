//! One module for each kind of data: what it keeps in the [`Encoding`], and how files become samples.

pub mod audio;
pub mod images;
pub mod labelled;
pub mod language;
pub mod pairs;
pub mod ratings;
pub mod series;
pub(crate) mod table;
pub mod text;
mod timeline;
mod wav;

use crate::detect::Found;
use crate::encoding::Encoding;
use crate::error::DataError;
use crate::features::Features;
use crate::idx_set;
use crate::options::{Kind, SourceOptions};
use crate::source::Loaded;
use crate::tabular::Deal;
use crate::tabular::whole::Whole;

/// Reads data of a kind to learn from.
pub(crate) fn learn(
    kind: Kind,
    found: &Found,
    options: &SourceOptions,
    deal: &Deal,
) -> Result<Loaded, DataError> {
    let name = &found.name();
    let files = || found.files(kind);
    let table = || Whole::read(found, options.header, options);
    match kind {
        Kind::Idx => idx_set::read(found, name, None),
        Kind::Images => images::read(files()?, name, options, None),
        Kind::Audio => audio::read(files()?, name, options, None),
        Kind::Language => language::read(files()?, name, options, None),
        Kind::Text => text::read(&table()?, name, options, None),
        Kind::Ratings => ratings::read(&table()?, name, options, None),
        Kind::Series => series::read(&table()?, name, options, None),
        Kind::Labelled => labelled::read(files()?, name, options, None),
        // A line of two texts looks like the names of two columns.
        Kind::Pairs => {
            let table = Whole::read(found, options.header.or(Some(false)), options)?;
            pairs::read(&table, name, options, None)
        }
        Kind::Table => table::learn(found, name, options, deal),
    }
}

/// Reads data with its targets for a network that knows its encoding and classes.
pub(crate) fn judge(
    encoding: &Encoding,
    classes: &[String],
    found: &Found,
    options: &SourceOptions,
) -> Result<Loaded, DataError> {
    let name = &found.name();
    let files = || found.files(encoding.kind());
    let table = || Whole::read(found, options.header.or(encoding.header()), options);
    match encoding {
        Encoding::Values => idx_set::read(found, name, Some(classes)),
        Encoding::Images(images) => images::read(files()?, name, options, Some((images, classes))),
        Encoding::Audio(audio) => audio::read(files()?, name, options, Some((audio, classes))),
        Encoding::Language(language) => language::read(files()?, name, options, Some(language)),
        Encoding::Text(text) => text::read(&table()?, name, options, Some((text, classes))),
        Encoding::Ratings(ratings) => ratings::read(&table()?, name, options, Some(ratings)),
        Encoding::Series(series) => series::read(&table()?, name, options, Some(series)),
        Encoding::Labelled(labelled) => {
            labelled::read(files()?, name, options, Some((labelled, classes)))
        }
        Encoding::Pairs(pairs) => pairs::read(&table()?, name, options, Some(pairs)),
        Encoding::Table(table) => table::judge(table, classes, found, name, options),
    }
}

/// Reads data without targets, and says what one should know of it.
pub(crate) fn features(
    encoding: &Encoding,
    found: &Found,
    options: &SourceOptions,
) -> Result<(Features, Vec<String>), DataError> {
    let files = || found.files(encoding.kind());
    let of_table = |read: &dyn Fn(&Whole) -> Result<Features, DataError>| {
        let table = Whole::read(found, options.header.or(encoding.header()), options)?;
        Ok((read(&table)?, table.notes()))
    };
    let features = match encoding {
        Encoding::Values => idx_set::read_features(found),
        Encoding::Images(images) => images::read_features(&files()?, images, options),
        Encoding::Audio(audio) => audio::read_features(&files()?, audio, options),
        Encoding::Language(language) => language::read_features(files()?, language),
        Encoding::Text(text) => {
            return of_table(&|table| text::read_features(table, text, options));
        }
        Encoding::Ratings(ratings) => {
            return of_table(&|table| ratings::read_features(table, ratings, options));
        }
        Encoding::Series(series) => {
            let table = Whole::read(found, options.header.or(encoding.header()), options)?;
            return series::read_features(&table, series, options);
        }
        Encoding::Labelled(labelled) => labelled::read_features(files()?, labelled),
        Encoding::Pairs(pairs) => return of_table(&|table| pairs::read_features(table, pairs)),
        Encoding::Table(table) => return table::read_features(table, found, options),
    }?;
    Ok((features, Vec::new()))
}

/// The least of the lengths that is no shorter than `share` of `of` of them, and at least 1.
fn quantile(lengths: &mut [usize], share: usize, of: usize) -> usize {
    lengths.sort_unstable();
    let place = (lengths.len() * share).div_ceil(of).saturating_sub(1);
    lengths.get(place).copied().unwrap_or(1).max(1)
}

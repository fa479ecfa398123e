//! Tables of many columns, of which one is learned.

use crate::bad::Bad;
use crate::checks::{Gathered, examine};
use crate::detect::Found;
use crate::encoding::Encoding;
use crate::error::{DataError, thousands};
use crate::features::{Collected, Features};
use crate::options::SourceOptions;
use crate::samples::class_names;
use crate::source::{self, Loaded};
use crate::split::{Fractions, Split};
use crate::tabular::deal::{Deal, Part};
use crate::tabular::encoder::Encoder;
use crate::tabular::facts::Facts;
use crate::tabular::fit::{Fitted, fit, layout};
use crate::tabular::samples::Samples;
use crate::tabular::schema::{apart, find};
use crate::tabular::source::{Rows, TableSource};
use crate::tabular::survey::{Survey, survey};
use crate::tabular::{ColumnType, Sample, Table, TableTask, Target};

/// Takes numbers that were left out as names of rows for numbers after all: without them nothing is left.
fn keep_counts(
    fitted: &mut [Fitted],
    source: &TableSource,
    facts: &[Facts],
    sample: &Sample,
    options: &SourceOptions,
) -> Result<(), DataError> {
    for (index, name) in source.columns().iter().enumerate() {
        let said = options.types.as_ref().is_some_and(|types| types.contains_key(name));
        let kept = fitted.iter_mut().find(|fitted| {
            fitted.column.name == *name && matches!(fitted.column.encoder, Encoder::Identifier)
        });
        let Some(kept) = kept.filter(|_| !said && facts[index].is_numeric()) else { continue };
        let mut number = options.clone();
        number.types.get_or_insert_default().insert(name.clone(), ColumnType::Number);
        *kept = fit(name, &facts[index], sample, index, &number, source)?;
        let reason =
            "whole numbers that may name the rows, but there is nothing else to learn from";
        kept.column.reason = reason.into();
        kept.report.reason = reason.into();
    }
    Ok(())
}

/// Reads a table to learn from.
pub(crate) fn learn(
    found: &Found,
    name: &str,
    options: &SourceOptions,
    deal: &Deal,
) -> Result<Loaded, DataError> {
    let source = &TableSource::at(found, options.header, options)?;
    let drop = options.drop.as_ref().map(|said| apart(said, source.columns()));
    let options = &SourceOptions { drop, ..options.clone() };
    let place = check_columns(source, options)?;
    let own_test = options.test_file.is_some() || options.test.is_some();
    let fractions = deal.fractions(options.valid_file.is_some(), own_test)?;
    let Survey { facts, sample, mut parts, mut notes } =
        survey(source, place, options, fractions, deal.seed)?;
    let names = source.columns();
    let target = Target::fit(source, place, &facts[place], &sample, options.task)?;
    check_parts(&parts, &fractions)?;
    let mut fitted: Vec<Fitted> = Vec::new();
    for (column, name) in names.iter().enumerate().filter(|(column, _)| *column != place) {
        fitted.push(fit(name, &facts[column], &sample, column, options, source)?);
    }
    let training = parts.iter().filter(|&&part| part == Part::Train).count();
    if fitted.iter().all(|fitted| fitted.column.encoder.width() == 0) {
        keep_counts(&mut fitted, source, &facts, &sample, options)?;
    }
    let layout = layout(&fitted, training);
    if layout.width() == 0 {
        let (why, hint) = match names.len() {
            1 => ("it is the only one", "bring columns that say something of it"),
            _ => ("each of them is left out", "say what a column is, such as --type zip=category"),
        };
        let what = format!("there is no column to learn '{}' from: {why}", target.column);
        return Err(DataError::content(source.file(), what, hint));
    }
    let classes = match target.task {
        TableTask::Classification => {
            let classes: Vec<String> =
                facts[place].values().keys().map(|cell| target.class((*cell).into())).collect();
            class_names(classes.iter().map(String::as_str))
        }
        TableTask::Multilabel => {
            let cells = facts[place].values();
            let labels: Vec<String> = cells.keys().flat_map(|cell| Target::labels(cell)).collect();
            class_names(labels.iter().map(String::as_str))
        }
        TableTask::Regression | TableTask::Forecast => vec![],
    };
    let (columns, reports) =
        fitted.into_iter().map(|Fitted { column, report, .. }| (column, report)).unzip();
    let table = Table { header: source.has_header(), columns, target, layout };

    let mut rows = Samples::of(&table, &classes, options);
    rows.features.expect(parts.len() as u64)?;
    rows.gathered = Some(Gathered::new(deal.seed, names.len()));
    let left_out = parts.iter().filter(|&&part| part == Part::Out).count();
    // What is to be said of the files themselves the first pass has said.
    let said = rows.add(source, &|row| parts.get(row as usize).copied().unwrap_or(Part::Out))?;
    notes.extend(said.into_iter().filter(|note| !notes.contains(note)).collect::<Vec<_>>());
    for row in std::mem::take(&mut rows.refused) {
        parts.get_mut(row as usize).into_iter().for_each(|part| *part = Part::Out);
    }
    check_parts(&parts, &fractions)?;
    let kept = parts.iter().filter(|&&part| part != Part::Out);
    let mut split = split(kept);
    if split.train.len() + split.valid.len() + split.test.len() != rows.count() {
        return Err(DataError::content(
            source.file(),
            "it had other rows when it was read for the second time",
            "wait until nothing writes to it any more",
        ));
    }
    for (file, part, name) in [
        (&options.valid_file, &mut split.valid, Part::Valid),
        (&options.test_file, &mut split.test, Part::Test),
    ] {
        let Some(file) = file else { continue };
        let other = TableSource::at(&source::path(file)?, Some(table.header), options)?;
        let before = rows.count();
        notes.extend(rows.add(&other, &|_| name)?);
        part.extend(before..rows.count());
    }
    if left_out > 0 {
        notes.push(format!(
            "{} of {} rows are left out: nothing in column '{}'",
            thousands(left_out as u64),
            thousands(parts.len() as u64),
            table.target.column
        ));
    }
    let gathered = rows.gathered.take();
    let data = rows.finish(name)?;
    let facts = facts.iter().enumerate().filter(|(column, _)| *column != place);
    let facts = facts.map(|(_, facts)| facts);
    let examined = gathered.map(|gathered| gathered.finish(&table, facts, &data, &split));
    let checks = examined.as_ref().map_or(vec![], examine);
    let loaded = Loaded::of(data, None, Encoding::Table(table));
    Ok(Loaded {
        parts: Some(split),
        fractions: Some(fractions),
        columns: reports,
        sample: Some(sample),
        checks,
        notes,
        ..loaded
    })
}

/// Reads a table with its targets for a network that knows what it is made of.
pub(crate) fn judge(
    table: &Table,
    classes: &[String],
    found: &Found,
    name: &str,
    options: &SourceOptions,
) -> Result<Loaded, DataError> {
    let header = options.header.or(Some(table.header));
    let source = TableSource::at(found, header, options)?;
    let mut rows = Samples::of(table, classes, options);
    let mut notes = rows.add(&source, &|_| Part::Test)?;
    notes.extend(rows.notes(&source));
    notes.extend(table.unknown(source.columns()));
    let data = rows.finish(name)?;
    Ok(Loaded { notes, ..Loaded::of(data, None, Encoding::Table(table.clone())) })
}

/// Reads a table to predict on: all its rows, in their order; and says what of it is passed over.
pub(crate) fn read_features(
    table: &Table,
    found: &Found,
    options: &SourceOptions,
) -> Result<(Features, Vec<String>), DataError> {
    let header = options.header.or(Some(table.header));
    let source = TableSource::at(found, header, options)?;
    let matched = table.matched(source.columns(), &source.file())?;
    let mut features = Collected::new(table.layout.width(), options.memory);
    let folder = source.folder();
    let encode = |rows: &Rows| {
        let mut all: Vec<usize> = (0..rows.len()).collect();
        table.encode(rows, &matched, &mut all, &folder, source.skips_bad())
    };
    let (mut bad, mut count) = (Bad::default(), 0);
    let mut notes = source.read_with(encode, &mut |chunk, (encoded, refused)| {
        count += chunk.rows - refused.len();
        bad.add(refused.into_iter().map(|(_, error)| error));
        features.add(&encoded)
    })?;
    if count == 0 {
        return Err(source.no_rows(&bad));
    }
    notes.extend(bad.note());
    notes.extend(table.unknown(source.columns()));
    Ok((features.finish()?, notes))
}

/// Refuses names of columns that are not there, and gives the place of the target.
fn check_columns(source: &TableSource, options: &SourceOptions) -> Result<usize, DataError> {
    let names = source.columns();
    let column = |name: &str| find(names, name, source.has_header(), &source.file());
    if options.group.is_some() && options.time_col.is_some() {
        return Err(DataError::option(
            "group",
            "the rows of a table are split by groups or by time, not by both",
            "leave out --group or --time-col; where the column names several series of which the \
            next numbers are to be said, add --task forecast",
        ));
    }
    let types = options.types.iter().flat_map(|types| types.keys());
    let dropped = options.drop.iter().flatten();
    for name in types.chain(dropped).chain(&options.group).chain(&options.time_col) {
        column(name)?;
    }
    let target = match &options.target {
        Some(target) => column(target)?,
        None => names.len().saturating_sub(1),
    };
    match options.drop.iter().flatten().any(|name| *name == names[target]) {
        true => Err(DataError::option(
            "drop",
            format!("column '{}' is what is to be learned", names[target]),
            "name another target with --target, or do not drop it",
        )),
        false => Ok(target),
    }
}

/// Refuses parts that were asked for and have no row.
fn check_parts(parts: &[Part], fractions: &Fractions) -> Result<(), DataError> {
    let rows = parts.iter().filter(|&&part| part != Part::Out).count();
    let wanted = [
        ("train", Part::Train, 1.0),
        ("valid", Part::Valid, fractions.valid),
        ("test", Part::Test, fractions.test),
    ];
    match wanted.into_iter().find(|(_, part, share)| *share > 0.0 && !parts.contains(part)) {
        None => Ok(()),
        Some((name, _, share)) => Err(DataError::EmptyPart {
            part: name,
            reason: match name {
                "train" => format!("the other parts take all {rows} rows"),
                _ => format!("{share} of {rows} rows are none by the luck of the draw"),
            },
        }),
    }
}

/// The row numbers of each part.
fn split<'a>(parts: impl Iterator<Item = &'a Part>) -> Split {
    let mut split = Split { train: vec![], valid: vec![], test: vec![] };
    for (row, part) in parts.enumerate() {
        match part {
            Part::Train => split.train.push(row),
            Part::Valid => split.valid.push(row),
            Part::Test | Part::Out => split.test.push(row),
        }
    }
    split
}

//! Files that are samples: which class each of them has, by the folder it is in or by a pattern of its name, and
//! which are kept for validation and for the test.
//!
//! ```text
//! SET/CLASS/FILE                      a sample a file
//! SET/CLASS/SAMPLE/FILE               a sample a folder, where samples are sequences of images
//! SET/train/CLASS/… SET/test/CLASS/…  the same in parts; there may be a valid as well
//! SET/FILE                            the class and other fields from the name, by a label pattern
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::bad::Bad;
use crate::dataset::Dataset;
use crate::decoding::{Decoding, Groups, Work};
use crate::encoding::Encoding;
use crate::error::DataError;
use crate::features::{Features, memory};
use crate::files::Files;
use crate::options::SourceOptions;
use crate::pattern::Pattern;
use crate::place::Place;
use crate::source::Loaded;
use crate::split::{Split, TestRows};
use crate::suggest;
use crate::targets::Targets;

/// The field of a label pattern that is the class.
const LABEL: &str = "label";

/// A part of a set, and what its folder may be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Train,
    Valid,
    Test,
}

impl Part {
    fn of(folder: &str) -> Option<Part> {
        match folder.to_lowercase().as_str() {
            "train" | "training" => Some(Part::Train),
            "valid" | "val" | "validation" => Some(Part::Valid),
            "test" | "testing" => Some(Part::Test),
            _ => None,
        }
    }
}

/// Which of the folders that a file is in say what.
struct Layout {
    /// Outer folders that all files are in, and that say nothing.
    common: usize,
    /// Whether the next folder is the part.
    parts: bool,
}

impl Layout {
    fn of(files: &Files) -> Layout {
        let least = files.names().map(|name| folders(name).count()).min().unwrap_or(0);
        // A folder is left to be the class.
        let common = shared(files.names()).min(least.saturating_sub(1));
        let outer: Option<BTreeSet<&str>> =
            files.names().map(|name| folders(name).nth(common)).collect();
        let parts = outer.is_some_and(|outer| {
            let parts: Option<Vec<Part>> = outer.into_iter().map(Part::of).collect();
            parts.is_some_and(|parts| parts.len() > 1 && parts.contains(&Part::Train))
        });
        Layout { common, parts }
    }

    fn part(&self, name: &str) -> Option<Part> {
        folders(name).nth(self.common).filter(|_| self.parts).and_then(Part::of)
    }

    /// The folders of the class and of the sample.
    fn class<'a>(&self, name: &'a str) -> (Option<&'a str>, Option<&'a str>) {
        let mut inner = folders(name).skip(self.common + usize::from(self.parts));
        (inner.next(), inner.next())
    }

    /// The files of each sample: those of a folder below the class together where `folders` says so, in the order of
    /// the numbers in their names.
    fn groups(&self, files: &Files, folders: bool) -> Vec<Vec<usize>> {
        let mut groups: Vec<Vec<usize>> = Vec::new();
        let mut last = None;
        for (i, name) in files.names().enumerate() {
            let sample = self.class(name).1.filter(|_| folders).map(|_| parent(name));
            match groups.last_mut() {
                Some(group) if sample.is_some() && sample == last => group.push(i),
                _ => groups.push(vec![i]),
            }
            last = sample;
        }
        for group in &mut groups {
            group.sort_by_key(|&i| (last_number(files.name(i)), i));
        }
        groups
    }
}

/// Samples, their files, and what is known of them.
pub(crate) struct Samples {
    files: Files,
    /// The files of each sample.
    groups: Vec<Vec<usize>>,
    labels: Vec<i64>,
    names: Vec<String>,
    /// The fields of the label pattern but the class.
    fields: BTreeMap<String, Vec<String>>,
    train: Vec<usize>,
    valid: Vec<usize>,
    test: Vec<usize>,
    /// What was left out.
    bad: Bad,
}

impl Samples {
    /// Finds the classes of all files. `known`: the class names, where a trained network has already said them.
    /// `folders`: folders below the class are samples. Where bad files are left out, `check` says which are.
    pub(crate) fn find(
        files: Files,
        options: &SourceOptions,
        known: Option<&[String]>,
        folders: bool,
        check: Arc<Work<()>>,
    ) -> Result<Samples, DataError> {
        let layout = Layout::of(&files);
        let pattern = options.label_pattern.as_deref().map(label_pattern).transpose()?;
        let mut groups = layout.groups(&files, folders && pattern.is_none());
        let mut bad = Bad::default();
        if options.skip_bad {
            let all = Arc::new(groups);
            let checked = Decoding::begin(&files, &all, (0..all.len()).collect(), check).finish();
            let each = all.iter().zip(checked);
            let good = each.filter_map(|(group, checked)| match checked {
                Ok(()) => Some(group.clone()),
                Err(error) => {
                    bad.add([error]);
                    None
                }
            });
            groups = good.collect();
        }
        let mut labels: Vec<&str> = Vec::new();
        let mut fields: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for group in &groups {
            let (file, name) = (group[0], files.name(group[0]));
            match &pattern {
                None => {
                    let class = layout.class(name).0.ok_or_else(|| no_class(files.place(file)))?;
                    labels.push(class);
                }
                Some((pattern, depth)) => {
                    let found = pattern.matches(tail(name, *depth));
                    for (field, value) in found.ok_or_else(|| no_match(files.place(file)))? {
                        match field == LABEL {
                            true => labels.push(value),
                            false => fields.entry(field.into()).or_default().push(value.into()),
                        }
                    }
                }
            }
        }

        let of = |part| -> Vec<usize> {
            let name = |i: usize| files.name(groups[i][0]);
            (0..groups.len())
                .filter(|&i| layout.part(name(i)).unwrap_or(Part::Train) == part)
                .collect()
        };
        let (train, valid, test) = match &options.test {
            None => (of(Part::Train), of(Part::Valid), of(Part::Test)),
            Some(rows) => {
                let values = field_of(rows, &fields)?;
                let all = (0..groups.len()).collect();
                let (train, test) = TestRows::deal(Some(rows), all, |rows, i| {
                    let value = values.map_or(labels[i], |values| values[i].as_str());
                    rows.holds(|| crc32fast::hash(files.name(groups[i][0]).as_bytes()), Some(value))
                })?;
                (train, Vec::new(), test)
            }
        };

        let names = match known {
            Some(known) => known.to_vec(),
            None => class_names(train.iter().map(|&i| labels[i])),
        };
        check_classes(&names, &Place::file(files.root()), train.len())?;
        let ids = class_ids(&labels, &names, |i| files.place(groups[i][0]))?;
        Ok(Samples { groups, labels: ids, names, fields, train, valid, test, bad, files })
    }

    /// The files, and those of each sample to learn from.
    pub(crate) fn learn(&self) -> (&Files, Groups) {
        (&self.files, self.groups(&self.train))
    }

    /// The data sets, with the features that `encode` makes of the files of samples, so many bytes of them in memory.
    pub(crate) fn load(
        self,
        name: &str,
        encoding: Encoding,
        megabytes: Option<usize>,
        encode: impl Fn(&Files, Groups, usize) -> Result<Features, DataError>,
    ) -> Result<Loaded, DataError> {
        let rows = [self.train.as_slice(), &self.valid].concat();
        let set = |name: String, rows: &[usize], bytes| {
            let features = encode(&self.files, self.groups(rows), bytes)?;
            let labels = rows.iter().map(|&row| self.labels[row]).collect();
            Dataset::new(name, features, Targets::Classes { labels, names: self.names.clone() })
        };
        let most = memory(megabytes);
        let train = set(name.into(), &rows, most)?;
        let test = match self.test.as_slice() {
            [] => None,
            test => Some(set(format!("{name}-test"), test, most - train.features.held())?),
        };
        let parts = (!self.valid.is_empty()).then(|| Split {
            train: (0..self.train.len()).collect(),
            valid: (self.train.len()..rows.len()).collect(),
            test: Vec::new(),
        });
        let of = |values: &Vec<String>| rows.iter().map(|&row| values[row].clone()).collect();
        let fields =
            self.fields.iter().map(|(field, values)| (field.clone(), of(values))).collect();
        let notes = self.bad.note().into_iter().collect();
        Ok(Loaded { parts, fields, notes, ..Loaded::of(train, test, encoding) })
    }

    /// The files of each of these samples.
    fn groups(&self, rows: &[usize]) -> Groups {
        Arc::new(rows.iter().map(|&row| self.groups[row].clone()).collect())
    }
}

/// The samples to predict on: those of the test part, where there is one. `folders` as for [`Samples::find`].
pub(crate) fn unlabelled(files: &Files, folders: bool) -> Vec<Vec<usize>> {
    let layout = Layout::of(files);
    let mut groups = layout.groups(files, folders);
    let is_test = |group: &Vec<usize>| layout.part(files.name(group[0])) == Some(Part::Test);
    if groups.iter().any(is_test) {
        groups.retain(is_test);
    }
    groups
}

/// Class names in their order: by number where all are whole numbers, else by letters.
pub(crate) fn class_names<'a>(labels: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut names: Vec<&str> = labels.collect::<BTreeSet<_>>().into_iter().collect();
    if names.iter().all(|name| name.parse::<i64>().is_ok()) {
        names.sort_by_key(|name| name.parse::<i64>().unwrap_or(0));
    }
    names.into_iter().map(str::to_string).collect()
}

/// Refuses a set with nothing to tell apart.
pub(crate) fn check_classes(names: &[String], place: &Place, rows: usize) -> Result<(), DataError> {
    match names {
        [] | [_] => Err(DataError::content(
            place.clone(),
            format!("all {rows} samples are of one class, '{}'", names.join("")),
            "there is nothing to tell apart; two classes are the least",
        )),
        _ => Ok(()),
    }
}

/// The number of each label, which must be among the names.
pub(crate) fn class_ids(
    labels: &[&str],
    names: &[String],
    place: impl Fn(usize) -> Place,
) -> Result<Vec<i64>, DataError> {
    let ids: BTreeMap<&str, i64> = names.iter().map(String::as_str).zip(0..).collect();
    let id = |(i, label): (usize, &&str)| {
        ids.get(label).copied().ok_or_else(|| {
            let near = suggest::nearest(label, names.iter().map(String::as_str));
            let near = near.map_or(String::new(), |near| format!("did you mean '{near}'? "));
            let first = names.iter().take(20).map(String::as_str).collect::<Vec<_>>().join(", ");
            let more = if names.len() > 20 { ", …" } else { "" };
            DataError::content(
                place(i),
                format!("class '{label}' is none of those learned from"),
                format!("{near}the {} classes are {first}{more}", names.len()),
            )
        })
    };
    labels.iter().enumerate().map(id).collect()
}

/// A pattern with a class, and how many folders it is about.
fn label_pattern(text: &str) -> Result<(Pattern, usize), DataError> {
    let pattern = Pattern::parse("label_pattern", text)?;
    let has_label = pattern.fields().any(|field| field == LABEL);
    match has_label {
        true => Ok((pattern, text.matches('/').count())),
        false => Err(DataError::option(
            "label_pattern",
            format!("'{text}' has no {{{LABEL}}}"),
            "write {label} where the class stands",
        )),
    }
}

/// The values of the field that the test rows are found by; none where it is the class.
fn field_of<'a>(
    rows: &TestRows,
    fields: &'a BTreeMap<String, Vec<String>>,
) -> Result<Option<&'a Vec<String>>, DataError> {
    let TestRows::Where { field, .. } = rows else { return Ok(None) };
    if field == LABEL {
        return Ok(None);
    }
    fields.get(field).map(Some).ok_or_else(|| {
        DataError::option(
            "test",
            format!("'{rows}': the samples have no field '{field}'"),
            match fields.is_empty() {
                true => "fields come from the label pattern, such as {label}_{speaker}_{take}.wav"
                    .into(),
                false => {
                    let names: Vec<&str> = fields.keys().map(String::as_str).collect();
                    format!("the fields are {}", names.join(", "))
                }
            },
        )
    })
}

fn no_class(place: Place) -> DataError {
    DataError::content(
        place,
        "the file is in no class folder, so its class is not known",
        "put the files of each class into a folder of its name, or say where the class is \
        in the file names, such as --label-pattern '{label}_{number}.png'",
    )
}

fn no_match(place: Place) -> DataError {
    DataError::content(
        place,
        "the name does not match the label pattern",
        "change the label pattern, or move the file elsewhere",
    )
}

/// The folders that a file is in, the outermost first.
fn folders(name: &str) -> impl Iterator<Item = &str> {
    parent(name).split('/').filter(|part| !part.is_empty())
}

fn parent(name: &str) -> &str {
    name.rsplit_once('/').map_or("", |(parent, _)| parent)
}

/// The last part of a path and `depth` ones before it.
fn tail(name: &str, depth: usize) -> &str {
    let start = name.rmatch_indices('/').nth(depth).map_or(0, |(at, _)| at + 1);
    &name[start..]
}

/// How many outer folders all files have in common.
fn shared<'a>(names: impl Iterator<Item = &'a str>) -> usize {
    let mut shared: Option<Vec<&str>> = None;
    for name in names {
        let longest = shared.get_or_insert_with(|| folders(name).collect());
        let same = longest.iter().zip(folders(name)).take_while(|(a, b)| *a == b).count();
        longest.truncate(same);
    }
    shared.map_or(0, |shared| shared.len())
}

/// The last number in a file name, as of a frame.
fn last_number(name: &str) -> Option<u64> {
    let name = &name[name.rfind('/').map_or(0, |at| at + 1)..];
    let digits = name.split(|c: char| !c.is_ascii_digit()).rfind(|digits| !digits.is_empty());
    digits.and_then(|digits| digits.parse().ok())
}

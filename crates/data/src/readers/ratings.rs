//! Tables of who rates what how high.

use serde::{Deserialize, Serialize};

use crate::dataset::Dataset;
use crate::detect::{ITEMS, USERS};
use crate::encoding::Encoding;
use crate::error::{DataError, thousands};
use crate::features::{Features, Raw};
use crate::options::SourceOptions;
use crate::source::Loaded;
use crate::tabular::whole::Whole;
use crate::targets::Targets;
use crate::vocabulary::{UNKNOWN, Vocabulary};

/// What a column of ratings is called, where it is not the last one.
const RATING: &str = "rating";

/// The most different cells of a column that is taken for a circumstance of a rating where nobody says which ones are.
const CIRCUMSTANCES: usize = 100;

/// A column that says under what circumstances something was rated: the season, the department.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Circumstance {
    /// The column.
    pub column: String,
    /// Its cells by id; id 0 is every other one.
    pub values: Vocabulary,
}

/// How a user, an item and the circumstances of a rating become ids, in this order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ratings {
    /// Whether the first line of a file names the columns.
    pub header: bool,
    /// The column of users.
    pub user: String,
    /// The column of items.
    pub item: String,
    /// The column of ratings.
    pub target: String,
    /// The users by id; id 0 is every other one.
    pub users: Vocabulary,
    /// The items by id; id 0 is every other one.
    pub items: Vocabulary,
    /// The circumstances; none, as a rule.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub context: Vec<Circumstance>,
}

/// Reads ratings.
pub(crate) fn read(
    table: &Whole,
    name: &str,
    options: &SourceOptions,
    known: Option<&Ratings>,
) -> Result<Loaded, DataError> {
    let (user, item) = columns(table, options, known)?;
    let wanted = options.target.as_deref().or(known.map(|known| known.target.as_str()));
    let wanted = wanted.or(table.columns().iter().map(String::as_str).find(|name| *name == RATING));
    let target = table.column_or(wanted, table.columns().len() - 1, "ratings")?;
    if [user, item].contains(&target) || user == item {
        return Err(DataError::content(
            table.file(),
            format!(
                "users, items and ratings need a column each; the columns are {}",
                table.columns().join(", ")
            ),
            "name them with the options user, item and target",
        ));
    }

    let rows: Vec<usize> =
        (0..table.rows()).filter(|&row| !table.is_missing(row, target)).collect();
    if rows.is_empty() {
        return Err(DataError::content(
            table.file(),
            format!("no row has a rating in column '{}'", table.columns()[target]),
            "name the column of ratings with the option target",
        ));
    }
    let mut notes = table.notes();
    if rows.len() < table.rows() {
        notes.push(format!(
            "{} of {} rows are left out: nothing in column '{}'",
            thousands((table.rows() - rows.len()) as u64),
            thousands(table.rows() as u64),
            table.columns()[target]
        ));
    }
    let (train, test) = table.deal(rows, options.test.as_ref())?;
    let circumstances = match known {
        Some(_) => vec![],
        None => circumstances(table, options, &train, [user, item, target])?,
    };
    let ratings = known.cloned().unwrap_or_else(|| {
        let ids = |column: usize| {
            Vocabulary::of(&[UNKNOWN], train.iter().map(|&row| table.cell(row, column)), 1)
        };
        let name = |column: usize| table.columns()[column].clone();
        Ratings {
            header: table.has_header(),
            user: name(user),
            item: name(item),
            target: name(target),
            users: ids(user),
            items: ids(item),
            context: (circumstances.into_iter())
                .map(|column| Circumstance { column: name(column), values: ids(column) })
                .collect(),
        }
    });
    let set = |name: String, rows: &[usize]| {
        let values = rows.iter().map(|&row| Ok(table.number(row, target)? as f32));
        let values = values.collect::<Result<_, DataError>>()?;
        let features = ratings.encode(table, rows, user, item)?;
        Dataset::new(name, features, Targets::Values { values, dims: 1 })
    };
    let test = match test.as_slice() {
        [] => None,
        rows => Some(set(format!("{name}-test"), rows)?),
    };
    let train = set(name.into(), &train)?;
    Ok(Loaded { notes, ..Loaded::of(train, test, Encoding::Ratings(ratings)) })
}

/// Reads users and items to predict on.
pub(crate) fn read_features(
    table: &Whole,
    ratings: &Ratings,
    options: &SourceOptions,
) -> Result<Features, DataError> {
    let (user, item) = columns(table, options, Some(ratings))?;
    let rows: Vec<usize> = (0..table.rows()).collect();
    ratings.encode(table, &rows, user, item)
}

/// The columns of users and of items: those that are named, or are called so, or the first two.
fn columns(
    table: &Whole,
    options: &SourceOptions,
    known: Option<&Ratings>,
) -> Result<(usize, usize), DataError> {
    let user = options.user.as_deref().or(known.map(|known| known.user.as_str()));
    let item = options.item.as_deref().or(known.map(|known| known.item.as_str()));
    let called = |known: &[&str]| {
        let names = table.columns().iter();
        let mut names = names.filter(|name| known.contains(&name.to_lowercase().as_str()));
        names.next().map(String::as_str)
    };
    let user = table.column_or(user.or_else(|| called(USERS)), 0, "users")?;
    Ok((user, table.column_or(item.or_else(|| called(ITEMS)), 1, "items")?))
}

/// The columns that `options` name as circumstances; else those beside users, items and ratings that have few different
/// cells in the training rows.
fn circumstances(
    table: &Whole,
    options: &SourceOptions,
    train: &[usize],
    taken: [usize; 3],
) -> Result<Vec<usize>, DataError> {
    if let Some(names) = &options.context {
        return names.iter().map(|name| table.column(name)).collect();
    }
    let few = |&column: &usize| {
        let mut seen = std::collections::HashSet::new();
        !taken.contains(&column)
            && train.iter().all(|&row| {
                seen.insert(table.cell(row, column));
                seen.len() <= CIRCUMSTANCES
            })
            && seen.len() > 1
    };
    Ok((0..table.columns().len()).filter(few).collect())
}

impl Ratings {
    fn encode(
        &self,
        table: &Whole,
        rows: &[usize],
        user: usize,
        item: usize,
    ) -> Result<Features, DataError> {
        let mut columns = vec![(user, &self.users), (item, &self.items)];
        for Circumstance { column, values } in &self.context {
            columns.push((table.column(column)?, values));
        }
        let id = |row: usize| {
            let cells = columns.iter().map(move |(column, ids)| (table.cell(row, *column), ids));
            cells.map(|(cell, ids)| ids.id(cell))
        };
        let ids = rows.iter().flat_map(|&row| id(row)).collect();
        Features::new(Raw::I64(ids), vec![columns.len()])
    }
}

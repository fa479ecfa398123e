//! Columns as files: CSV, JSON lines, Parquet.

use std::path::Path;

use serde_json::Value;

use super::chunk::Cells;
use super::schema::{apart, find};
use super::source::TableSource;
use super::whole::Whole;
use crate::encoding::Encoding;
use crate::error::DataError;
use crate::options::SourceOptions;
use crate::readers::series;
use crate::source::found;

/// A column to be written.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// What it is called.
    pub name: String,
    /// What is in it.
    pub values: Values,
}

/// What is in a [`Column`].
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// Texts.
    Texts(Vec<String>),
    /// Numbers; NaN where there is nothing.
    Single(Vec<f32>),
    /// Numbers; NaN where there is nothing.
    Double(Vec<f64>),
}

/// The format of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// With a header, as RFC 4180 wants it.
    Csv,
    /// One object a line.
    JsonLines,
    /// Parquet, packed by Snappy.
    Parquet,
}

impl Format {
    /// By the end of a file's name; CSV where that says nothing.
    #[must_use]
    pub fn of(path: &Path) -> Format {
        let end = path.extension().map(|end| end.to_string_lossy().to_lowercase());
        match end.as_deref() {
            Some("jsonl" | "ndjson") => Format::JsonLines,
            Some("parquet") => Format::Parquet,
            _ => Format::Csv,
        }
    }

    /// The columns, which are of one length, as the bytes of a file.
    ///
    /// # Errors
    /// [`DataError::Option`] for Parquet where this program was built without it.
    pub fn encode(self, columns: &[Column]) -> Result<Vec<u8>, DataError> {
        match self {
            Format::Csv => Ok(csv(columns)),
            Format::JsonLines => Ok(json_lines(columns)),
            Format::Parquet => parquet(columns),
        }
    }
}

impl Values {
    fn len(&self) -> usize {
        match self {
            Values::Texts(texts) => texts.len(),
            Values::Single(numbers) => numbers.len(),
            Values::Double(numbers) => numbers.len(),
        }
    }
}

fn rows(columns: &[Column]) -> usize {
    columns.first().map_or(0, |column| column.values.len())
}

fn csv(columns: &[Column]) -> Vec<u8> {
    let number = |text: String| if text == "NaN" { String::new() } else { text };
    let mut text = line(columns.iter().map(|column| field(&column.name)));
    for row in 0..rows(columns) {
        text += &line(columns.iter().map(|column| match &column.values {
            Values::Texts(texts) => field(&texts[row]),
            Values::Single(numbers) => number(numbers[row].to_string()),
            Values::Double(numbers) => number(numbers[row].to_string()),
        }));
    }
    text.into_bytes()
}

fn line(fields: impl Iterator<Item = String>) -> String {
    fields.collect::<Vec<_>>().join(",") + "\n"
}

/// A field as RFC 4180 wants it.
fn field(text: &str) -> String {
    match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_string(),
    }
}

fn json_lines(columns: &[Column]) -> Vec<u8> {
    let mut text = String::new();
    for row in 0..rows(columns) {
        let value = |column: &Column| match &column.values {
            Values::Texts(texts) => Value::from(texts[row].as_str()),
            // By its shortest digits, as in CSV; what is not finite is null.
            Values::Single(numbers) => {
                numbers[row].to_string().parse::<f64>().map_or(Value::Null, Value::from)
            }
            Values::Double(numbers) => Value::from(numbers[row]),
        };
        // A map of serde's would sort its keys; the columns have an order.
        let field =
            |column: &Column| format!("{}:{}", Value::from(column.name.as_str()), value(column));
        let fields: Vec<String> = columns.iter().map(field).collect();
        text += &format!("{{{}}}\n", fields.join(","));
    }
    text.into_bytes()
}

#[cfg(feature = "columnar")]
fn parquet(columns: &[Column]) -> Result<Vec<u8>, DataError> {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Float32Array, Float64Array, RecordBatch, StringArray};
    use parquet::arrow::ArrowWriter;
    use parquet::basic::Compression;
    use parquet::file::properties::WriterProperties;

    let failed = |problem: String| DataError::Inconsistent { name: "parquet".into(), problem };
    let array = |values: &Values| -> ArrayRef {
        match values {
            Values::Texts(texts) => Arc::new(StringArray::from_iter_values(texts)),
            Values::Single(numbers) => Arc::new(Float32Array::from_iter(
                numbers.iter().map(|&x| (!x.is_nan()).then_some(x)),
            )),
            Values::Double(numbers) => Arc::new(Float64Array::from_iter(
                numbers.iter().map(|&x| (!x.is_nan()).then_some(x)),
            )),
        }
    };
    let arrays = columns.iter().map(|column| (column.name.as_str(), array(&column.values)));
    let batch = RecordBatch::try_from_iter(arrays).map_err(|error| failed(error.to_string()))?;
    let options = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(options))
        .map_err(|error| failed(error.to_string()))?;
    writer.write(&batch).map_err(|error| failed(error.to_string()))?;
    writer.close().map_err(|error| failed(error.to_string()))?;
    Ok(bytes)
}

#[cfg(not(feature = "columnar"))]
fn parquet(_: &[Column]) -> Result<Vec<u8>, DataError> {
    let hint = "write .csv or .jsonl";
    Err(DataError::option("out", "this program was built without Parquet", hint))
}

/// Columns of a table as they are in its files, to be copied beside predictions; of a table of several series, the
/// names of the series. A name that no column has may be several with commas between them.
///
/// # Errors
/// [`DataError::MissingColumn`]; where `spec` is no table; what is wrong with its files.
pub fn columns_of(
    spec: &str,
    encoding: &Encoding,
    options: &SourceOptions,
    names: &[String],
) -> Result<Vec<Column>, DataError> {
    let header = options.header.or(encoding.header());
    if let Encoding::Series(series) = encoding
        && let Some(group) = &options.group
        && names == [group.clone()]
    {
        let table = Whole::read(&found(spec)?, header, options)?;
        let names = series::names(&table, series, options)?.unwrap_or_default();
        return Ok(vec![Column { name: group.clone(), values: Values::Texts(names) }]);
    }
    let source = TableSource::open(spec, &SourceOptions { header, ..options.clone() })?;
    let place = |name: &String| find(source.columns(), name, source.has_header(), &source.file());
    let names = &apart(names, source.columns());
    let places = names.iter().map(place).collect::<Result<Vec<usize>, _>>()?;
    let mut kept: Vec<Option<Values>> = places.iter().map(|_| None).collect();
    source.read(&mut |chunk| {
        for (kept, &place) in kept.iter_mut().zip(&places) {
            let cells = &chunk.columns[place];
            let empty = || match cells {
                Cells::Numbers(_) => Values::Double(vec![]),
                Cells::Text(_) => Values::Texts(vec![]),
            };
            match (kept.get_or_insert_with(empty), cells) {
                (Values::Double(all), Cells::Numbers(numbers)) => all.extend(numbers),
                (Values::Double(all), cells) => {
                    all.extend((0..chunk.rows).map(|row| cells.number(row).unwrap_or(f64::NAN)));
                }
                (Values::Texts(all), cells) => {
                    all.extend((0..chunk.rows).map(|row| cells.text(row).into_owned()));
                }
                (Values::Single(_), _) => {}
            }
        }
        Ok(())
    })?;
    let column = |(name, values): (&String, Option<Values>)| Column {
        name: name.clone(),
        values: values.unwrap_or(Values::Texts(vec![])),
    };
    Ok(names.iter().zip(kept).map(column).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns() -> Vec<Column> {
        vec![
            Column { name: "class".into(), values: Values::Texts(vec!["a,b".into(), "c".into()]) },
            Column { name: "class=c".into(), values: Values::Single(vec![0.1, f32::NAN]) },
            Column { name: "id".into(), values: Values::Double(vec![1.0, 2.5]) },
        ]
    }

    #[test]
    fn formats_go_by_the_name() {
        let of = |name: &str| Format::of(Path::new(name));
        assert_eq!(of("p.csv"), Format::Csv);
        assert_eq!(of("p.JSONL"), Format::JsonLines);
        assert_eq!(of("a/p.parquet"), Format::Parquet);
        assert_eq!(of("p"), Format::Csv);
    }

    #[test]
    fn text_formats() {
        let text = |format: Format| String::from_utf8(format.encode(&columns()).unwrap()).unwrap();
        assert_eq!(text(Format::Csv), "class,class=c,id\n\"a,b\",0.1,1\nc,,2.5\n");
        assert_eq!(
            text(Format::JsonLines),
            "{\"class\":\"a,b\",\"class=c\":0.1,\"id\":1.0}\n\
             {\"class\":\"c\",\"class=c\":null,\"id\":2.5}\n"
        );
    }

    #[cfg(feature = "columnar")]
    #[test]
    fn parquet_is_read_again() {
        let bytes = Format::Parquet.encode(&columns()).unwrap();
        let file = tempfile::Builder::new().suffix(".parquet").tempfile().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        let names = ["id", "class"].map(String::from);
        let spec = file.path().to_str().unwrap();
        let back = columns_of(spec, &Encoding::Values, &SourceOptions::default(), &names).unwrap();
        assert_eq!(back, [columns()[2].clone(), columns()[0].clone()]);
    }
}

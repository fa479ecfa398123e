//! Rows as people can look at them: the cells of a table, a text, an image.

use thalweg_data::picture::png;
use thalweg_data::tabular::encoder::Encoder;
use thalweg_data::{Dataset, Encoding, Raw, Scaling};

use super::insights::Example;

/// A row of a set; what is said of it, the caller fills in.
pub(super) fn example(encoding: &Encoding, data: &Dataset, row: usize) -> Example {
    let image = matches!(encoding, Encoding::Images(_) | Encoding::Values);
    let image = if image { png(&data.features, row).map(|png| base64(&png)) } else { None };
    Example { row, cells: cells(encoding, data, row), image, ..Example::default() }
}

/// The cells of a row of a table, or its text, as the network got them: rare values are one, long texts are cut.
fn cells(encoding: &Encoding, data: &Dataset, row: usize) -> Vec<(String, String)> {
    match (encoding, data.features.raw()) {
        (Encoding::Table(table), _) => {
            let mut sample = vec![0.0; data.features.width()];
            let identity = Scaling { full_scale: 1.0, mean: vec![0.0], std: vec![1.0] };
            if data.features.fill(&[row], &identity, &mut sample).is_err() {
                return vec![];
            }
            let cell = |(column, start): (usize, usize)| {
                let column = &table.columns[column];
                let span = start..start + column.encoder.width();
                (column.name.clone(), read(&column.encoder, &sample[span]))
            };
            let mut places = table.places();
            places.sort_unstable();
            places.into_iter().map(cell).collect()
        }
        (Encoding::Text(text), Raw::I64(_)) => {
            let mut ids = vec![0; data.features.width()];
            match data.features.fill_ids(&[row], &mut ids) {
                Ok(()) => {
                    let there = ids.iter().filter(|id| **id != 0);
                    let tokens = there.filter_map(|&id| text.vocabulary.token(id));
                    vec![("text".into(), text.level.join(tokens))]
                }
                Err(_) => vec![],
            }
        }
        _ => vec![],
    }
}

/// The cell that was encoded so, as well as it can be told.
fn read(encoder: &Encoder, sample: &[f32]) -> String {
    let first = sample.first().copied().unwrap_or(0.0);
    let known = |indicator: bool| !indicator || sample.get(1).is_none_or(|missing| *missing == 0.0);
    match encoder {
        Encoder::Number(number) if known(number.indicator) => short(number.unscaled(first)),
        Encoder::Boolean(_) if first != 0.0 => if first > 0.0 { "yes" } else { "no" }.into(),
        Encoder::Category(category) => {
            category.values.token(first as i64).unwrap_or_default().into()
        }
        Encoder::Time(moment) if known(moment.years.indicator) => {
            format!("{:.2}", moment.years.unscaled(first))
        }
        Encoder::Text(words) => {
            let tokens = sample.iter().filter(|id| **id > 0.0);
            let tokens = tokens.filter_map(|&id| words.vocabulary.token(id as i64));
            words.level.join(tokens)
        }
        _ => String::new(),
    }
}

/// A number of five digits that say something.
pub(super) fn short(x: f64) -> String {
    let size = if x == 0.0 { 0 } else { x.abs().log10().floor() as i32 };
    let text = format!("{x:.*}", (4 - size).clamp(0, 8) as usize);
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_string(),
        false => text,
    }
}

/// Bytes in base 64 (RFC 4648).
pub(super) fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().fold(0u32, |word, &byte| word << 8 | u32::from(byte));
        let word = word << (8 * (3 - chunk.len()));
        for i in 0..4 {
            match i <= chunk.len() {
                true => text.push(char::from(DIGITS[(word >> (18 - 6 * i)) as usize & 63])),
                false => text.push('='),
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use thalweg_data::tabular::encoder::Number;

    use super::{base64, short};

    #[test]
    fn numbers_are_short() {
        for (x, text) in [(0.0, "0"), (12.0, "12"), (-7.25, "-7.25"), (123_456.7, "123457")] {
            assert_eq!(short(x), text);
        }
    }

    #[test]
    fn a_zero_comes_back_as_zero() {
        let fares = Number { median: 14.4542, scale: 23.0896, indicator: false };
        for (x, text) in [(0.0, "0"), (7.25, "7.25"), (512.3292, "512.33")] {
            assert_eq!(short(fares.unscaled(fares.scaled(x))), text);
        }
    }

    #[test]
    fn base64_of_the_rfc() {
        for (plain, text) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(base64(plain.as_bytes()), text);
        }
    }
}

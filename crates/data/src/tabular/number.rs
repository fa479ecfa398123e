//! Numbers in writing, read fast.

/// Powers of ten that are exact as `f64`.
const TENS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];
/// Digits that a whole number of 53 bits surely holds.
const DIGITS: usize = 15;

/// The number that a text is, as `str::parse` has it, to the bit.
pub(crate) fn parse(text: &str) -> Option<f64> {
    match text.as_bytes() {
        [b'0'..=b'9' | b'-' | b'+' | b'.', ..] => {
            plain(text.as_bytes()).or_else(|| text.parse().ok())
        }
        // Infinity and what is no number have words of their own.
        [b'i' | b'I' | b'n' | b'N', ..] => text.parse().ok(),
        _ => None,
    }
}

/// The finite number that a text is.
pub(crate) fn finite(text: &str) -> Option<f64> {
    parse(text).filter(|number| number.is_finite())
}

/// A number of few digits without exponent: a whole number and a power of ten are both exact, and so the quotient of the
/// two is the nearest there is (Clinger 1990).
fn plain(bytes: &[u8]) -> Option<f64> {
    let (negative, bytes) = match bytes {
        [b'-', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    if bytes.len() > DIGITS + 1 {
        return None;
    }
    let (mut whole, mut point) = (0u64, None);
    for (at, &byte) in bytes.iter().enumerate() {
        match byte {
            b'0'..=b'9' => whole = whole * 10 + u64::from(byte - b'0'),
            b'.' if point.is_none() => point = Some(at),
            _ => return None,
        }
    }
    let digits = bytes.len() - usize::from(point.is_some());
    if digits == 0 || digits > DIGITS {
        return None;
    }
    let number = match point {
        Some(at) => whole as f64 / TENS[bytes.len() - at - 1],
        None => whole as f64,
    };
    Some(if negative { -number } else { number })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Philox;

    fn check(text: &str) {
        let (ours, right) = (parse(text), text.parse::<f64>().ok());
        assert_eq!(ours.map(f64::to_bits), right.map(f64::to_bits), "{text}");
    }

    #[test]
    fn numbers_are_those_of_the_standard_library() {
        for text in [
            "",
            "-",
            "+",
            ".",
            "-.",
            "0",
            "-0",
            "+0",
            "-0.0",
            ".5",
            "5.",
            "-.5",
            "1.2.3",
            "1e5",
            "-1E-5",
            "1_0",
            "inf",
            "-inf",
            "+infinity",
            "NaN",
            "nan",
            "none",
            "Infinity",
            "0x1",
            "1 ",
            " 1",
            "12a",
            "--1",
            "+-1",
            "999999999999999",
            "9999999999999999",
            "9007199254740993",
            "0.000000000000001",
            "0.1234567890123456",
            "000000000000000000001",
            "1.7976931348623157e308",
            "4.9e-324",
            "½",
            "é",
        ] {
            check(text);
        }
        let mut random = Philox::new(7, 0);
        for _ in 0..200_000 {
            let bits = random.next_u64();
            let places = random.below(20) as usize;
            let number = bits as f64 / u64::MAX as f64 * 10f64.powi(random.below(12) as i32 - 4);
            check(&format!("{number:.places$}"));
            check(&format!("-{number:.places$}"));
            check(&format!("{number}"));
            check(&format!("{number:e}"));
            check(&(bits >> random.below(64)).to_string());
            check(&f64::from_bits(bits).to_string());
            let letters = b"0123456789.-+e";
            let text: String =
                (0..random.below(9)).map(|_| letters[random.below(14) as usize] as char).collect();
            check(&text);
        }
    }
}

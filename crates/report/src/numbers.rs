//! Numbers as people read them, in the terminal and on the page.

/// `1,234,567`.
pub use thalweg_data::thousands as count;

/// `97.25 %`.
#[must_use]
pub fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}

/// Four digits that say something: `0.01234`, `12.34`, `1.234e-7`.
#[must_use]
pub fn number(x: f64) -> String {
    match x.abs() {
        0.0 => "0".into(),
        size if (1e-4..1e5).contains(&size) => {
            let digits = (3 - libm::floor(libm::log10(size)) as i32).clamp(0, 8) as usize;
            format!("{x:.digits$}")
        }
        _ => format!("{x:.3e}"),
    }
}

/// `1.2 MB`.
#[must_use]
pub fn bytes(n: usize) -> String {
    match n as f64 {
        n if n < 1e3 => format!("{n} B"),
        n if n < 1e6 => format!("{:.1} kB", n / 1e3),
        n if n < 1e9 => format!("{:.1} MB", n / 1e6),
        n => format!("{:.1} GB", n / 1e9),
    }
}

/// `37 ms`, `3.2 s`, `4 min 05 s`.
#[must_use]
pub fn seconds(s: f64) -> String {
    match s {
        s if s < 0.9995 => format!("{:.0} ms", s * 1e3),
        s if s < 60.0 => format!("{s:.1} s"),
        s if s < 3600.0 => format!("{} min {:02} s", (s / 60.0) as u64, s as u64 % 60),
        s => format!("{} h {:02} min", (s / 3600.0) as u64, (s / 60.0) as u64 % 60),
    }
}

/// `1 row`, `1,258 rows`.
#[must_use]
pub fn of(n: usize, one: &str, many: &str) -> String {
    format!("{} {}", count(n as u64), if n == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_say_enough() {
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(count(999), "999");
        assert_eq!(number(0.0123456), "0.01235");
        assert_eq!(number(12.3456), "12.35");
        assert_eq!(number(-1.23456e-7), "-1.235e-7");
        assert_eq!(number(f64::NAN), "NaN");
        assert_eq!(seconds(0.0374), "37 ms");
        assert_eq!(seconds(0.9999), "1.0 s");
        assert_eq!(seconds(245.0), "4 min 05 s");
        assert_eq!(bytes(1_234_567), "1.2 MB");
        assert_eq!(of(1, "row", "rows"), "1 row");
        assert_eq!(of(1258, "row", "rows"), "1,258 rows");
    }
}

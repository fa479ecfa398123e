//! Dates and times as tables have them, and what of them a network sees.

use jiff::civil::{Date, DateTime, Time};
use jiff::fmt::strtime;
use serde::{Deserialize, Serialize};

/// A form that dates are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// `2024-05-31`, `2024-05-31 23:59:00`, `2024-05-31T23:59Z` (ISO 8601), and the same with slashes.
    YearFirst,
    /// `31/5/2024`, `31.5.2024 23:59`.
    DayFirst,
    /// `5/31/2024`, `5/31/2024 23:59`.
    MonthFirst,
}

/// The forms that all cells of a column seen so far have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Forms([bool; 3]);

impl Forms {
    pub(crate) const ALL: Forms = Forms([true; 3]);
    pub(crate) const NONE: Forms = Forms([false; 3]);
    pub(crate) const ORDER: [Form; 3] = [Form::YearFirst, Form::MonthFirst, Form::DayFirst];

    /// Leaves out the forms that a cell does not have.
    pub(crate) fn look(&mut self, cell: &str) {
        for (alive, form) in self.0.iter_mut().zip(Forms::ORDER) {
            *alive = *alive && form.parse(cell).is_some();
        }
    }

    /// The forms that are in both.
    pub(crate) fn and(self, other: Forms) -> Forms {
        Forms(std::array::from_fn(|i| self.0[i] && other.0[i]))
    }

    /// The form, where there is one left; of two month/day/year, as more tables have it.
    pub(crate) fn form(self) -> Option<Form> {
        let mut left = Forms::ORDER.into_iter().zip(self.0).filter(|(_, alive)| *alive);
        left.next().map(|(form, _)| form)
    }

    /// Whether a day cannot be told from a month.
    pub(crate) fn is_ambiguous(self) -> bool {
        self.0[1] && self.0[2]
    }
}

impl Form {
    /// The point in time that a cell means, on the clock of its place; an offset from UTC is passed over.
    #[must_use]
    pub fn parse(self, cell: &str) -> Option<DateTime> {
        let digits = cell.bytes().take_while(u8::is_ascii_digit).count();
        let sign = cell.as_bytes().get(digits)?;
        if !matches!(
            (self, digits, sign),
            (Form::YearFirst, 4, b'-' | b'/')
                | (Form::DayFirst | Form::MonthFirst, 1 | 2, b'/' | b'-' | b'.')
        ) {
            return None;
        }
        let end = cell.find([' ', 'T']).unwrap_or(cell.len());
        let (date, clock) = (&cell[..end], cell[end..].trim_start_matches([' ', 'T']));
        let date = date.replace(['/', '.'], "-");
        let date: Date = match self {
            Form::YearFirst => date.parse().ok()?,
            Form::DayFirst => strtime::parse("%d-%m-%Y", &date).ok()?.to_date().ok()?,
            Form::MonthFirst => strtime::parse("%m-%d-%Y", &date).ok()?.to_date().ok()?,
        };
        Some(date.to_datetime(if clock.is_empty() { Time::midnight() } else { time(clock)? }))
    }

    /// What messages call it.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Form::YearFirst => "year-month-day",
            Form::DayFirst => "day/month/year",
            Form::MonthFirst => "month/day/year",
        }
    }
}

fn time(clock: &str) -> Option<Time> {
    let (clock, evening) =
        match clock.len().checked_sub(3).and_then(|at| clock.split_at_checked(at)) {
            Some((clock, half)) if half.eq_ignore_ascii_case(" pm") => (clock, Some(true)),
            Some((clock, half)) if half.eq_ignore_ascii_case(" am") => (clock, Some(false)),
            _ => (clock, None),
        };
    let end = clock.find(['Z', '+', '-', ' ']).unwrap_or(clock.len());
    let clock = &clock[..end];
    let parsed = match clock.len() {
        0..=4 => format!("0{clock}").parse(),
        _ if clock.as_bytes().get(1) == Some(&b':') => format!("0{clock}").parse(),
        _ => clock.parse(),
    };
    let time: Time = parsed.ok()?;
    match evening {
        Some(true) if time.hour() < 12 => time.with().hour(time.hour() + 12).build().ok(),
        Some(false) if time.hour() == 12 => time.with().hour(0).build().ok(),
        _ => Some(time),
    }
}

/// A time in years, with the days as their fraction: `2024.5` is the middle of 2024.
#[must_use]
pub fn years(time: &DateTime) -> f64 {
    let days = f64::from(time.date().days_in_year());
    let clock = f64::from(time.hour()) * 3600.0
        + f64::from(time.minute()) * 60.0
        + f64::from(time.second());
    f64::from(time.year()) + (f64::from(time.day_of_year() - 1) + clock / 86_400.0) / days
}

/// What comes round again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cycle {
    /// The months of a year.
    Month,
    /// The days of a month.
    Day,
    /// The days of a week.
    Weekday,
    /// The hours of a day, minutes as their fraction.
    Hour,
}

impl Cycle {
    /// All of them.
    pub const ALL: [Cycle; 4] = [Cycle::Month, Cycle::Day, Cycle::Weekday, Cycle::Hour];

    /// How far round it is at a time, from 0 to below 1.
    #[must_use]
    pub fn turn(self, time: &DateTime) -> f64 {
        match self {
            Cycle::Month => f64::from(time.month() - 1) / 12.0,
            Cycle::Day => f64::from(time.day() - 1) / f64::from(time.date().days_in_month()),
            Cycle::Weekday => f64::from(time.weekday().to_monday_zero_offset()) / 7.0,
            Cycle::Hour => (f64::from(time.hour()) + f64::from(time.minute()) / 60.0) / 24.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn forms_are_told_apart() {
        let day = date(2024, 5, 31);
        let at = |hour, minute, second| Some(day.at(hour, minute, second, 0));
        for (cell, wanted) in [
            ("2024-05-31", at(0, 0, 0)),
            ("2024/05/31", at(0, 0, 0)),
            ("2024-05-31T23:59:07Z", at(23, 59, 7)),
            ("2024-05-31 23:59", at(23, 59, 0)),
            ("2024-05-31 09:05:00+02:00", at(9, 5, 0)),
            ("2024-05-32", None),
            ("2024", None),
            ("20240531", None),
        ] {
            assert_eq!(Form::YearFirst.parse(cell), wanted, "{cell}");
        }
        assert_eq!(Form::DayFirst.parse("31.5.2024"), at(0, 0, 0));
        assert_eq!(Form::DayFirst.parse("31/05/2024 9:30"), at(9, 30, 0));
        assert_eq!(Form::MonthFirst.parse("5/31/2024 9:30:15 PM"), at(21, 30, 15));
        assert_eq!(Form::MonthFirst.parse("5/31/2024 12:30 AM"), at(0, 30, 0));
        assert_eq!(Form::MonthFirst.parse("31/5/2024"), None);
        let form = |cells: &[&str]| {
            let mut forms = Forms::ALL;
            cells.iter().for_each(|cell| forms.look(cell));
            forms.form()
        };
        assert_eq!(form(&["1/2/2024", "3/4/2024"]), Some(Form::MonthFirst));
        assert_eq!(form(&["1/2/2024", "13/4/2024"]), Some(Form::DayFirst));
        assert_eq!(form(&["2024-01-01", "13/4/2024"]), None);
    }

    #[test]
    fn years_and_turns() {
        assert_eq!(years(&date(2023, 1, 1).at(0, 0, 0, 0)), 2023.0);
        assert_eq!(years(&date(2024, 7, 2).at(0, 0, 0, 0)), 2024.5);
        let noon = date(2024, 4, 1).at(12, 0, 0, 0);
        assert_eq!(Cycle::ALL.map(|cycle| cycle.turn(&noon)), [0.25, 0.0, 0.0, 0.5]);
    }
}

//! Days, instants and numbers as each language writes them.

use chrono::{DateTime, Datelike, NaiveDate, Utc};
use relinquish::plan::letter::Language;

use super::Words;

fn language(words: &Words) -> Language {
    words.code.parse().unwrap_or(Language::English)
}

/// `2 November 2026`, `2. November 2026`.
pub(crate) fn day(words: &Words, day: NaiveDate) -> String {
    language(words).write_day(day)
}

/// `2 November 2026 09:30 UTC`.
pub(crate) fn instant(words: &Words, at: DateTime<Utc>) -> String {
    format!("{} {} UTC", day(words, at.date_naive()), at.format("%H:%M"))
}

/// The first letters of a month: `Nov`.
pub(crate) fn month(words: &Words, day: NaiveDate) -> String {
    language(words).month_of(day).chars().take(3).collect()
}

pub(crate) fn month_and_year(words: &Words, day: NaiveDate) -> String {
    format!("{} {}", language(words).month_of(day), day.year())
}

/// `1,234`, `1 234` or `1.234`.
pub(crate) fn number(words: &Words, number: u64) -> String {
    let digits = number.to_string();
    let between = match words.code {
        "sv" => '\u{a0}',
        "de" => '.',
        _ => ',',
    };
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(between);
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::{ENGLISH, GERMAN, SWEDISH};
    use super::*;

    #[test]
    fn days_and_numbers_are_written_as_the_language_writes_them() {
        let on = "2026-11-02".parse().unwrap();
        assert_eq!(day(&ENGLISH, on), "2 November 2026");
        assert_eq!(day(&SWEDISH, on), "2 november 2026");
        assert_eq!(day(&GERMAN, on), "2. November 2026");
        assert_eq!(month(&GERMAN, "2026-03-01".parse().unwrap()), "Mär");
        assert_eq!(instant(&ENGLISH, "2026-11-02T09:05:00Z".parse().unwrap()), "2 November 2026 09:05 UTC");
        for (count, english, swedish, german) in [
            (0, "0", "0", "0"),
            (999, "999", "999", "999"),
            (1_000, "1,000", "1\u{a0}000", "1.000"),
            (1_234_567, "1,234,567", "1\u{a0}234\u{a0}567", "1.234.567"),
        ] {
            assert_eq!(
                [number(&ENGLISH, count), number(&SWEDISH, count), number(&GERMAN, count)],
                [english, swedish, german]
            );
        }
    }
}

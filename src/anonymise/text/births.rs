//! Finds dates of birth in texts, in the usual orders, and with names of months.

use super::people::is_word;
use super::scan::{word_before, word_behind};

/// A day, as separate parts.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Birth {
    pub(super) year: u16,
    month: u8,
    day: u8,
}

/// The first letters of the names of the months, folded: English, German, Swedish, Danish, Dutch, French, Spanish, Italian,
/// Portuguese, Polish, Finnish, Turkish, Russian, Greek.
const MONTHS: [&[&str]; 12] = [
    &["jan", "ene", "gen", "sty", "tammi", "oca", "янв", "ιαν"],
    &["feb", "fev", "lut", "helmi", "sub", "фев", "φεβ"],
    &["mar", "maa", "mrt", "мар", "μαρ"],
    &["apr", "avr", "abr", "kwi", "huhti", "nis", "апр", "απρ"],
    &["may", "mai", "maj", "mei", "mag", "touko", "мая", "маи", "μαι"],
    &["jun", "juin", "giu", "cze", "kesa", "haz", "июн", "ιουν"],
    &["jul", "juil", "lug", "lip", "heina", "tem", "июл", "ιουλ"],
    &["aug", "aou", "ago", "sie", "elo", "agu", "авг", "αυγ"],
    &["sep", "set", "wrz", "syys", "eyl", "сен", "σεπ"],
    &["oct", "okt", "out", "ott", "paz", "loka", "eki", "окт", "οκτ"],
    &["nov", "lis", "marras", "kas", "ноя", "νοε"],
    &["dec", "dez", "dic", "des", "gru", "joulu", "ara", "дек", "δεκ"],
];

impl Birth {
    /// Reads a stored value: `1981-12-18`, with or without a time, `18.12.1981`, `12/18/1981`, `19811218`.
    pub(super) fn read(value: &str) -> Option<Self> {
        let value = value.trim();
        let mut parts: Vec<&str> =
            value.split(|c: char| !c.is_ascii_digit()).filter(|part| !part.is_empty()).take(3).collect();
        if let [one] = parts.as_slice()
            && one.len() == 8
        {
            parts = vec![one.get(..4)?, one.get(4..6)?, one.get(6..)?];
        }
        let [a, b, c] = parts.as_slice() else { return None };
        let number = |text: &str| text.parse::<u16>().ok();
        let (year, month, day) = match (a.len(), c.len()) {
            (4, _) => (number(a)?, number(b)?, number(c)?),
            (_, 4) if number(b)? > 12 => (number(c)?, number(a)?, number(b)?),
            (_, 4) => (number(c)?, number(b)?, number(a)?),
            _ => return None,
        };
        let is_day = (1850..2100).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
        is_day.then_some(Self { year, month: u8::try_from(month).ok()?, day: u8::try_from(day).ok()? })
    }

    /// Its digits in all usual orders.
    pub(super) fn digits(self) -> Vec<String> {
        let Self { year, month, day } = self;
        let short = year % 100;
        let mut list = vec![
            format!("{year}{month:02}{day:02}"),
            format!("{day:02}{month:02}{year}"),
            format!("{month:02}{day:02}{year}"),
            format!("{year}{month}{day}"),
            format!("{day}{month}{year}"),
            format!("{month}{day}{year}"),
            format!("{short:02}{month:02}{day:02}"),
            format!("{day:02}{month:02}{short:02}"),
            format!("{month:02}{day:02}{short:02}"),
        ];
        list.sort();
        list.dedup();
        list
    }

    /// The range of the date in a text, around its year: `18 December 1981`, `December 18th, 1981`, `18. dez. 1981`.
    pub(super) fn around(self, text: &[u8], (start, end): (usize, usize)) -> Option<(usize, usize)> {
        let (mut from, mut has_day, mut has_month) = (start, false, false);
        for _ in 0..4 {
            let Some((at, to)) = word_before(text, from) else { break };
            let word = text.get(at..to)?;
            if !has_month && self.is_month(word) {
                has_month = true;
            } else if !has_day && self.is_day(word) {
                has_day = true;
            } else if !matches!(word, b"de" | b"of" | b"the" | b"del" | b"den") {
                break;
            }
            from = at;
            if has_day && has_month {
                return Some((from, end));
            }
        }
        // `1981. december 18.`
        let (at, to) = word_behind(text, end)?;
        let (day, last) = word_behind(text, to)?;
        let is_date = self.is_month(text.get(at..to)?) && self.is_day(text.get(day..last)?);
        is_date.then_some((start, last))
    }

    fn is_month(self, word: &[u8]) -> bool {
        let months = MONTHS.get(usize::from(self.month.saturating_sub(1)));
        months.is_some_and(|names| names.iter().any(|name| word.starts_with(name.as_bytes())))
    }

    /// `18`, `18th`, `1er`.
    fn is_day(self, word: &[u8]) -> bool {
        let digits = word.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let value =
            word.get(..digits).and_then(|digits| std::str::from_utf8(digits).ok()?.parse::<u8>().ok());
        value == Some(self.day) && word.len() - digits <= 2 && word.iter().all(|byte| is_word(*byte))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_of_dates_as_they_are_stored() {
        for (value, wanted) in [
            ("1981-12-08", Some((1981, 12, 8))),
            ("1981-12-08T00:00:00Z", Some((1981, 12, 8))),
            ("08.12.1981", Some((1981, 12, 8))),
            ("12/18/1981", Some((1981, 12, 18))),
            ("19811208", Some((1981, 12, 8))),
            ("377654400", None),
            ("1981", None),
            ("0000-00-00", None),
        ] {
            let birth = Birth::read(value).map(|birth| (birth.year, birth.month, birth.day));
            assert_eq!(birth, wanted, "{value}");
        }
    }
}

//! Placeholders with the day of the erasure in them.

use std::str::FromStr;

use chrono::NaiveDate;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

const DATE: &str = "{date}";
/// Characters of a day in ISO 8601: `2018-12-15`.
const DATE_CHARS: usize = 10;

/// A text in which `{date}` stands for the day of the erasure, at most once, beside at least three letters: a bare
/// day could not be told from a day of birth. Other braces are refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    text: String,
    /// Where `{date}` stands, in bytes.
    date: Option<usize>,
}

/// A text that is no template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotATemplate {
    /// It names something other than `{date}`.
    #[error("only {{date}} can stand in braces")]
    Braces,
    /// It has `{date}` twice.
    #[error("{{date}} can stand there only once")]
    TwoDates,
    /// There is nothing but the day, or next to nothing.
    #[error("a bare {{date}} cannot be told from any other day; write a word beside it")]
    BareDate,
    /// It is empty.
    #[error("it is empty; to empty a field, write clear")]
    Empty,
}

impl FromStr for Template {
    type Err = NotATemplate;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let rest = text.replacen(DATE, "", 1);
        match () {
            () if text.trim().is_empty() => Err(NotATemplate::Empty),
            () if rest.contains(DATE) => Err(NotATemplate::TwoDates),
            () if rest.contains(['{', '}']) => Err(NotATemplate::Braces),
            () if rest != text && rest.chars().filter(|c| c.is_alphabetic()).count() < 3 => {
                Err(NotATemplate::BareDate)
            }
            () => Ok(Self { text: text.to_owned(), date: text.find(DATE) }),
        }
    }
}

impl Template {
    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Characters of what it becomes, for years of four digits.
    pub fn chars(&self) -> usize {
        let braces = if self.date.is_some() { DATE.len() } else { 0 };
        self.text.chars().count() - braces + if self.date.is_some() { DATE_CHARS } else { 0 }
    }

    fn around(&self) -> Option<(&str, &str)> {
        let (before, rest) = self.text.split_at_checked(self.date?)?;
        Some((before, rest.strip_prefix(DATE)?))
    }

    /// The text with the day in it.
    pub fn render(&self, date: NaiveDate) -> String {
        match self.around() {
            Some((before, after)) => format!("{before}{}{after}", date.format("%Y-%m-%d")),
            None => self.text.clone(),
        }
    }

    /// Whether a text is this placeholder with some day in it.
    pub fn holds(&self, text: &str) -> bool {
        match self.around() {
            Some((before, after)) => text
                .strip_prefix(before)
                .and_then(|rest| rest.strip_suffix(after))
                .is_some_and(|day| day.len() == DATE_CHARS && day.parse::<NaiveDate>().is_ok()),
            None => text == self.text,
        }
    }
}

impl Serialize for Template {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Template {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_knows_what_it_wrote_on_any_day() {
        let template: Template = "Anonymised {date} (GDPR)".parse().unwrap();
        let day = NaiveDate::from_ymd_opt(2018, 12, 15).unwrap();
        let text = template.render(day);
        assert_eq!(text, "Anonymised 2018-12-15 (GDPR)");
        assert_eq!(text.chars().count(), template.chars());
        assert!(template.holds(&text));
        assert!(template.holds("Anonymised 2026-01-01 (GDPR)"));
        for other in
            ["Anonymised 2018-13-15 (GDPR)", "Anonymised  (GDPR)", "Ann", "anonymised 2018-12-15 (GDPR)"]
        {
            assert!(!template.holds(other), "{other}");
        }
    }

    #[test]
    fn what_is_no_template_is_refused() {
        assert_eq!("{name}".parse::<Template>(), Err(NotATemplate::Braces));
        assert_eq!("{date} {date}".parse::<Template>(), Err(NotATemplate::TwoDates));
        assert_eq!(" ".parse::<Template>(), Err(NotATemplate::Empty));
        assert_eq!("{date}".parse::<Template>(), Err(NotATemplate::BareDate));
        assert_eq!("* {date} -".parse::<Template>(), Err(NotATemplate::BareDate));
        assert!("n/a".parse::<Template>().is_ok());
    }
}

//! Placeholders that may contain the day of the erasure.

use std::str::FromStr;

use chrono::NaiveDate;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::{Draw, Token};

/// The token in a placeholder.
const TOKEN: Token = Token::short();

/// A text with variables: `{date}` is the day of the erasure, `{year}` its year, and `{token}` a random text that is
/// different for every record. A template may have at most one `{date}` or `{year}`, and one `{token}`. A day or a
/// year needs at least three letters beside it, because a day alone could be a date of birth. Other braces are
/// refused.
///
/// The host writes the text in its own language: `Anonymisé le {date}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    text: String,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Date,
    Year,
    Token,
}

impl Part {
    fn named(name: &str) -> Option<Self> {
        match name {
            "date" => Some(Self::Date),
            "year" => Some(Self::Year),
            "token" => Some(Self::Token),
            _ => None,
        }
    }

    /// The length in characters, for years of four digits: `2018-12-15`.
    fn chars(&self) -> usize {
        match self {
            Self::Text(text) => text.chars().count(),
            Self::Date => 10,
            Self::Year => 4,
            Self::Token => TOKEN.chars(),
        }
    }

    /// The rest of a text that begins with this part.
    fn behind<'t>(&self, text: &'t str) -> Option<&'t str> {
        if let Self::Text(own) = self {
            return text.strip_prefix(own.as_str());
        }
        let end = text.char_indices().nth(self.chars()).map_or(text.len(), |(at, _)| at);
        let (own, behind) = text.split_at_checked(end)?;
        let holds = own.chars().count() == self.chars()
            && match self {
                Self::Text(_) => true,
                Self::Date => own.parse::<NaiveDate>().is_ok(),
                Self::Year => own.bytes().all(|byte| byte.is_ascii_digit()),
                Self::Token => TOKEN.holds(own),
            };
        holds.then_some(behind)
    }
}

/// The error for a text that is no template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotATemplate {
    /// It has other braces than `{date}`, `{year}` and `{token}`.
    #[error("only {{date}}, {{year}} and {{token}} can stand in braces")]
    Braces,
    /// It has more than one `{date}` or `{year}`.
    #[error("{{date}} or {{year}} can stand there only once")]
    TwoDates,
    /// It has `{token}` twice.
    #[error("{{token}} can stand there only once")]
    TwoTokens,
    /// It has only the day or the year, with fewer than three letters beside it.
    #[error("a bare {{date}} or {{year}} cannot be told from any other; write a word beside it")]
    BareDate,
    /// It is empty.
    #[error("it is empty; to empty a field, write clear")]
    Empty,
}

impl FromStr for Template {
    type Err = NotATemplate;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once('{') {
            let (name, behind) = behind.split_once('}').ok_or(NotATemplate::Braces)?;
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            parts.push(Part::named(name).ok_or(NotATemplate::Braces)?);
            rest = behind;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        let words: String = parts
            .iter()
            .filter_map(|part| if let Part::Text(text) = part { Some(text.as_str()) } else { None })
            .collect();
        let count = |wanted: &[Part]| parts.iter().filter(|part| wanted.contains(part)).count();
        match (count(&[Part::Date, Part::Year]), count(&[Part::Token])) {
            _ if text.trim().is_empty() => Err(NotATemplate::Empty),
            _ if words.contains('}') => Err(NotATemplate::Braces),
            (2.., _) => Err(NotATemplate::TwoDates),
            (_, 2..) => Err(NotATemplate::TwoTokens),
            (1, _) if words.chars().filter(|c| c.is_alphabetic()).count() < 3 => Err(NotATemplate::BareDate),
            _ => Ok(Self { text: text.to_owned(), parts }),
        }
    }
}

impl Template {
    /// Whether no person can have such a value, because it contains a day or a random text. A name such as
    /// `Customer`, or `Customer 2020`, may be real.
    pub(crate) fn is_nobodys(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Date | Part::Token))
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The length of the output in characters, for years of four digits.
    pub fn chars(&self) -> usize {
        self.parts.iter().map(Part::chars).sum()
    }

    /// Whether the output is different for every record, because it contains a token.
    pub fn is_unique(&self) -> bool {
        self.parts.contains(&Part::Token)
    }

    /// The output, with day and token.
    pub fn render(&self, draw: &Draw<'_>) -> String {
        let mut text = String::with_capacity(self.text.len() + 16);
        for part in &self.parts {
            match part {
                Part::Text(own) => text.push_str(own),
                Part::Date => text.push_str(&draw.date.format("%Y-%m-%d").to_string()),
                Part::Year => text.push_str(&draw.date.format("%Y").to_string()),
                Part::Token => text.push_str(&TOKEN.draw(draw)),
            }
        }
        text
    }

    /// The output, if it is the same for all records of a day.
    #[cfg(any(test, feature = "sqlite", feature = "postgres"))]
    pub(crate) fn of_day(&self, date: NaiveDate) -> Option<String> {
        let draw = Draw {
            seed: &super::Seed::new([0; 32]),
            class: &"".into(),
            key: &crate::data_map::RecordKey::new(""),
            field: &"".into(),
            attempt: 0,
            date,
        };
        (!self.is_unique()).then(|| self.render(&draw))
    }

    /// Whether a text is this placeholder with any day and any token.
    pub fn holds(&self, text: &str) -> bool {
        let behind = self.parts.iter().try_fold(text, |rest, part| part.behind(rest));
        behind.is_some_and(str::is_empty)
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
        let text = template.of_day(day).unwrap();
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
        assert_eq!("{year}".parse::<Template>(), Err(NotATemplate::BareDate));
        assert_eq!("in {date} of {year}".parse::<Template>(), Err(NotATemplate::TwoDates));
        assert_eq!("{token} and {token}".parse::<Template>(), Err(NotATemplate::TwoTokens));
        for wrong in ["}", "{", "a } {date}", "{date", "{{date}}"] {
            assert_eq!(wrong.parse::<Template>(), Err(NotATemplate::Braces), "{wrong}");
        }
        assert!("n/a".parse::<Template>().is_ok());
    }
}

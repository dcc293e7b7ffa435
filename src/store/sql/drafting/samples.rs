//! What samples of a column's values say. The values themselves never leave this module.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::data_map::Datatype;
use crate::store::sql::cell::Cell;
use crate::store::sql::fault::Fault;
use crate::store::sql::schema::Table;
use crate::store::sql::session::Session;
use crate::store::sql::spelling::quoted;
use crate::words::plural;

/// The largest number of characters of a value that is looked at.
const MOST_CHARS: usize = 200;
/// The largest number of different values that are still the values of a code.
const MOST_CODES: usize = 12;
/// Fewer samples than this say nothing.
const LEAST: usize = 20;

/// What was seen in the samples of a column of text. It has no `Debug`, because it is made of values.
#[derive(Clone, Default)]
pub(super) struct Seen {
    texts: usize,
    emails: usize,
    phones: usize,
    ips: usize,
    with_email: usize,
    objects: usize,
    days: usize,
    longest: usize,
    /// Different values, as long as there are few.
    different: BTreeSet<u64>,
}

impl Seen {
    fn add(&mut self, text: &str) {
        let text: String = text.trim().chars().take(MOST_CHARS).collect();
        if text.is_empty() {
            return;
        }
        self.texts += 1;
        self.longest = self.longest.max(text.chars().count());
        self.emails += usize::from(is_email(&text));
        self.with_email += usize::from(text.split_whitespace().any(is_email));
        self.phones += usize::from(is_phone(&text));
        self.ips += usize::from(text.parse::<IpAddr>().is_ok());
        self.objects += usize::from(text.starts_with('{') && text.contains("\":"));
        self.days += usize::from(is_day(&text));
        if self.different.len() <= MOST_CODES {
            self.different.insert(same(&text));
        }
    }

    fn mostly(&self, count: usize) -> bool {
        self.texts > 0 && count * 10 >= self.texts * 8
    }

    /// The kind that most samples have, with the numbers.
    pub(super) fn kind(&self) -> Option<(&'static str, String)> {
        let of = |count: usize, what: &str| format!("{count} of {} samples are {what}", self.texts);
        if self.mostly(self.emails) {
            return Some(("email", of(self.emails, "e-mail addresses")));
        }
        if self.mostly(self.ips) {
            return Some(("ip_address", of(self.ips, "IP addresses")));
        }
        if self.mostly(self.phones) {
            return Some(("phone", of(self.phones, "spelled like telephone numbers")));
        }
        if self.objects * 2 > self.texts {
            return Some(("free_text", of(self.objects, "JSON: name what is in it, if some of it stays")));
        }
        (self.with_email > 0).then(|| {
            ("free_text", format!("{} of {} samples hold an e-mail address", self.with_email, self.texts))
        })
    }

    /// Why the values are a code of the host's own, if they are.
    pub(super) fn is_code(&self) -> Option<String> {
        if self.texts >= LEAST && self.mostly(self.days) {
            return Some(format!("{} of {} samples are days or instants", self.days, self.texts));
        }
        let is_few = self.texts >= LEAST && self.different.len() <= MOST_CODES && self.longest <= 40;
        let different = self.different.len();
        is_few.then(|| {
            format!("{different} different {} in {} samples", plural(different as u64, "value"), self.texts)
        })
    }
}

/// A number for a text, only to count different ones.
fn same(text: &str) -> u64 {
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    let is_plain = |c: char| c.is_alphanumeric() || "._-+".contains(c);
    !local.is_empty()
        && domain.split('.').count() > 1
        && domain.split('.').all(|part| !part.is_empty())
        && local.chars().chain(domain.chars()).all(is_plain)
}

/// Digits with signs between them, as only telephone numbers are written: a number of an order has none.
fn is_phone(text: &str) -> bool {
    let digits = text.chars().filter(char::is_ascii_digit).count();
    let signs = text.chars().filter(|c| "+ -()/.".contains(*c)).count();
    (7..=16).contains(&digits)
        && signs > 0
        && digits + signs == text.chars().count()
        && !is_day(text)
        && text.parse::<f64>().is_err()
}

fn is_day(text: &str) -> bool {
    let head: String = text.chars().take(10).collect();
    head.parse::<chrono::NaiveDate>().is_ok()
}

/// Reads some rows of a table, and says what was seen, by column.
pub(super) fn look(
    session: &mut dyn Session,
    table: &Table,
    rows: u32,
) -> Result<BTreeMap<String, Seen>, Fault> {
    let texts: Vec<&str> = table
        .columns
        .iter()
        .filter(|column| matches!(column.datatype, Datatype::Text | Datatype::Any))
        .map(|column| column.name.as_str())
        .collect();
    let mut seen: Vec<Seen> = vec![Seen::default(); texts.len()];
    if texts.is_empty() {
        return Ok(BTreeMap::new());
    }
    let columns: Vec<String> = texts.iter().map(|column| quoted(column)).collect();
    let host = session.dialect().table(&table.name);
    let sql = format!("SELECT {} FROM {host} LIMIT {rows}", columns.join(", "));
    session.query(&sql, &[], &mut |row| {
        for (at, seen) in seen.iter_mut().enumerate() {
            if let Cell::Text(text) = row.cell(at)?
                && let Ok(text) = std::str::from_utf8(text)
            {
                seen.add(text);
            }
        }
        Ok(())
    })?;
    Ok(texts.into_iter().map(str::to_owned).zip(seen).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(texts: &[&str], times: usize) -> Seen {
        let mut seen = Seen::default();
        for text in texts.iter().cycle().take(texts.len() * times) {
            seen.add(text);
        }
        seen
    }

    #[test]
    fn samples_say_what_a_column_holds() {
        let kind = |seen: &Seen| seen.kind().map(|(kind, _)| kind);
        assert_eq!(kind(&seen(&["a@b.org", "c.d@e.example", "none"], 10)), Some("free_text"));
        assert_eq!(kind(&seen(&["a@b.org", "c.d@e.example"], 10)), Some("email"));
        assert_eq!(kind(&seen(&["+46 8 123 456", "030/1234567"], 10)), Some("phone"));
        assert_eq!(kind(&seen(&["192.0.2.1", "2001:db8::1"], 10)), Some("ip_address"));
        assert_eq!(kind(&seen(&["20240117", "100234567"], 10)), None, "numbers of orders are no telephones");
        assert_eq!(kind(&seen(&["2024-01-17", "2024-02-01"], 10)), None);
        assert_eq!(kind(&seen(&[r#"{"a":1}"#], 30)), Some("free_text"));
        assert!(seen(&["new", "paid"], 20).is_code().is_some());
        assert!(seen(&["new", "paid"], 3).is_code().is_none(), "too few to say");
        assert!(seen(&["2024-01-17T10:00:00Z"], 30).is_code().is_some());
    }

    #[test]
    fn what_is_said_of_samples_holds_no_value() {
        let seen = seen(&["maud@ash.org"], 30);
        let (_, why) = seen.kind().unwrap();
        assert!(!why.contains("maud"));
    }
}

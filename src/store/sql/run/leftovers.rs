//! Erased values that texts which stay still hold: looked for after the writes and before the commit.

use std::borrow::Cow;

use super::Frame;
use super::erase::Work;
use crate::anonymise::text::{Matcher, Scanner};
use crate::customer::Identifiers;
use crate::store::Counts;
use crate::store::sql::cell::Cell;
use crate::store::sql::fault::{Fault, Trouble};
use crate::store::sql::script::Left;
use crate::store::sql::session::{Row, Session};
use crate::treatment::OnLeftover;

/// The shortest value that is looked for as a whole text. Shorter ones are found everywhere.
const SHORTEST: usize = 3;

/// What is looked for, per customer of a batch.
pub(super) struct Sought(Vec<Person>);

struct Person {
    /// The values as whole texts, without case.
    whole: Vec<String>,
    matcher: Matcher,
}

impl Person {
    fn of(identifiers: &Identifiers) -> Result<Self, Fault> {
        let whole = identifiers.iter().map(|(_, value)| value.trim().to_lowercase());
        let whole = whole.filter(|value| value.chars().count() >= SHORTEST).collect();
        let matcher = Matcher::new([identifiers]).map_err(|error| Fault::Other(error.to_string()))?;
        Ok(Self { whole, matcher })
    }

    fn is_in(&self, scanner: &mut Scanner<'_>, text: &str) -> bool {
        let trimmed = text.trim();
        let is_whole = |value: &String| {
            // Most texts have another length, and lower case is slow.
            value.len() == trimmed.len() && *value == trimmed.to_lowercase() || value.as_str() == trimmed
        };
        self.whole.iter().any(is_whole) || !scanner.certain(text).is_empty()
    }
}

/// A key of numbers. `None` for any other key: it may name a person.
fn key(row: &dyn Row, columns: std::ops::Range<usize>) -> Result<Option<String>, Fault> {
    let mut parts = Vec::new();
    for column in columns {
        let Cell::Integer(number) = row.cell(column)? else { return Ok(None) };
        parts.push(number.to_string());
    }
    Ok((!parts.is_empty()).then(|| parts.join(", ")))
}

impl Frame {
    /// Reads the values that are about to be erased and that identify a person. `None` if no text stays in which they could
    /// be left.
    pub(super) fn sought(
        &self,
        session: &mut dyn Session,
        customers: usize,
        work: &Work,
    ) -> Result<Option<Sought>, Trouble> {
        if work.script.classes.iter().all(|class| class.left.is_none()) {
            return Ok(None);
        }
        let treatment = &work.treatment;
        let mut identifiers = self.batch_identifiers(session, customers, |class, field, value| {
            treatment.erases(class, field) && !treatment.is_erased(class, field, value)
        })?;
        for ((own, _), known) in identifiers.iter_mut().zip(self.known_of_batch()) {
            for (kind, value) in known.iter().flat_map(|known| known.erased.iter()) {
                own.insert(kind.clone(), value);
            }
        }
        let people = identifiers.into_iter().map(|(identifiers, _)| Person::of(&identifiers.identifying()));
        let people: Vec<Person> = people.collect::<Result<_, _>>()?;
        Ok(people.iter().any(|person| !person.matcher.is_empty()).then_some(Sought(people)))
    }

    /// Looks for these values in the texts that stay. If the policy says so, the first one found undoes everything.
    pub(super) fn look_for_leftovers(
        session: &mut dyn Session,
        sought: &Sought,
        work: &Work,
        counts: &mut [Counts],
    ) -> Result<(), Trouble> {
        let mut scanners: Vec<(&Person, Scanner<'_>)> =
            sought.0.iter().map(|person| (person, person.matcher.scanner())).collect();
        let blocks = work.treatment.on_leftover() == OnLeftover::Block;
        for class in &work.script.classes {
            let Some(Left { sql, fields, key: parts }) = &class.left else { continue };
            let at = Trouble::at(&class.class);
            let mut first = None;
            session
                .query(sql, &[], &mut |row| {
                    let n: usize = row.natural(0)?;
                    let Some((person, scanner)) = scanners.get_mut(n) else { return Ok(()) };
                    for (column, field) in (1..).zip(fields) {
                        let Cell::Text(bytes) = row.cell(column)? else { continue };
                        let text: Cow<'_, str> = String::from_utf8_lossy(bytes);
                        if text.is_empty() || !person.is_in(scanner, &text) {
                            continue;
                        }
                        let key = key(row, fields.len() + 1..fields.len() + 1 + parts)?;
                        if blocks {
                            first.get_or_insert((field, key));
                        } else if let Some(counts) = counts.get_mut(n) {
                            let of_class = counts.leftovers.entry(class.class.clone()).or_default();
                            of_class.entry(field.clone()).or_default().add(key);
                        }
                    }
                    Ok(())
                })
                .map_err(&at)?;
            if let Some((field, key)) = first {
                let record = key.map_or_else(String::new, |key| format!(" of record {key}"));
                let what = format!(
                    "{}.{field}{record} stays and still holds a value that was to be erased; classify the field in the data map \
                     as the personal data that it holds, or empty it; or write leftovers = \"list\" in the policy",
                    class.class
                );
                return Err(Fault::Other(what).into());
            }
        }
        Ok(())
    }
}

//! Erased values that texts which stay still hold: looked for after the writes and before the commit.

use std::borrow::Cow;

use super::Frame;
use super::erase::Work;
use crate::anonymise::text::{Matcher, Scanner};
use crate::customer::Identifiers;
use crate::store::Counts;
use crate::store::sql::cell::Cell;
use crate::store::sql::fault::{Fault, Trouble};
use crate::store::sql::script::{Left, Says, Script};
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
        if !Self::may_be_left(session, &work.script)? {
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

    /// Whether any text stays that may name somebody. If the map says of every such column what it holds, the texts themselves
    /// are read: that is far cheaper than to read everything that is erased.
    fn may_be_left(session: &mut dyn Session, script: &Script) -> Result<bool, Trouble> {
        let left = || script.classes.iter().filter_map(|class| Some((class, class.left.as_ref()?)));
        let is_free = |left: &Left| left.fields.iter().any(|(_, says)| matches!(says, Says::Nothing));
        // A trigger may still write into these texts.
        if left().any(|(class, left)| class.again || is_free(left)) {
            return Ok(true);
        }
        let mut is_any = false;
        for (class, Left { sql, fields, .. }) in left() {
            session
                .query(sql, &[], &mut |row| {
                    for (column, (_, says)) in (1..).zip(fields) {
                        is_any |= !says.names_nobody(row.cell(column)?);
                    }
                    Ok(())
                })
                .map_err(Trouble::at(&class.class))?;
        }
        Ok(is_any)
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
                    for (column, (field, says)) in (1..).zip(fields) {
                        let value = row.cell(column)?;
                        let Cell::Text(bytes) = value else { continue };
                        let text: Cow<'_, str> = String::from_utf8_lossy(bytes);
                        if says.names_nobody(value) || !person.is_in(scanner, &text) {
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

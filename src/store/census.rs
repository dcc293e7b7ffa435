//! A census: how many rows of each mapped table each record class claims, and what nobody claims or owns.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Debug};
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::StoreError;
use crate::data_map::{ClassName, FieldName, NotCovered, RowsBecause, UnreachedRows};
use crate::digest::Digest;
use crate::document::{Problem, Problems};

/// A small port of its own: a store that can count all of its rows, whosever they are.
///
/// A census reads whole tables. Take it when a map is checked and before a sweep, never once per customer.
#[async_trait]
pub trait TakeCensus: Debug + Send + Sync + 'static {
    /// Counts every mapped table.
    ///
    /// **Idempotency:** reads only. **Partial failure:** none. **Cancel safety:** safe. **Errors:** [`StoreError`], and
    /// [`StoreError::Drift`] where the schema changed since the store was opened.
    async fn census(&self, request: &CensusRequest) -> Result<Census, StoreError>;

    /// Names the schema, as far as it matters to the map. A census of another schema says nothing of this one.
    ///
    /// **Idempotency:** reads only. **Partial failure:** none. **Cancel safety:** safe. **Errors:** as
    /// [`census`](Self::census).
    async fn schema(&self) -> Result<Digest, StoreError>;
}

/// What a census is to count.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CensusRequest {
    /// The instant, which says what lies too far ahead to be a date.
    pub at: DateTime<Utc>,
    /// By class, fields by whose dates something is due. Fields of which the map says how dates are stored count anyway.
    pub dates: BTreeMap<ClassName, BTreeSet<FieldName>>,
}

impl CensusRequest {
    /// At an instant. Of dates, those count of which the map says how they are stored.
    pub fn new(at: DateTime<Utc>) -> Self {
        Self { at, dates: BTreeMap::new() }
    }

    /// Another field by whose dates something is due.
    #[must_use]
    pub fn date(mut self, class: impl Into<ClassName>, field: impl Into<FieldName>) -> Self {
        self.dates.entry(class.into()).or_default().insert(field.into());
        self
    }
}

macro_rules! forward {
    ($($pointer:ident),*) => {$(
        #[async_trait]
        impl<T: TakeCensus + ?Sized> TakeCensus for $pointer<T> {
            async fn census(&self, request: &CensusRequest) -> Result<Census, StoreError> {
                (**self).census(request).await
            }

            async fn schema(&self) -> Result<Digest, StoreError> {
                (**self).schema().await
            }
        }
    )*};
}

forward!(Arc, Box);

/// How many rows each record class claims, and what nobody claims or owns.
///
/// It holds counts, names of tables and classes, and reasons of the map. The only values in it are those of columns that
/// tell the classes of a table apart and that the map calls not personal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Census {
    /// When it was taken.
    pub at: DateTime<Utc>,
    /// The schema, as far as it matters to the map.
    #[serde(with = "as_text")]
    pub schema: Digest,
    /// The data map under which the rows were counted.
    #[serde(with = "as_text")]
    pub data_map: Digest,
    /// Each mapped table, by its name.
    pub tables: BTreeMap<String, TableCensus>,
}

/// What a census found in one table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableCensus {
    /// All rows of the table.
    pub rows: u64,
    /// What each record class claims of them.
    pub classes: BTreeMap<ClassName, ClassCensus>,
    /// Rows that no record class claims.
    pub unclaimed: Counted,
    /// The values of the columns that tell the classes apart, in rows that no class claims: the ten most frequent of each
    /// column that the map calls not personal.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub by_value: BTreeMap<String, Vec<(String, u64)>>,
}

/// What a census found of one record class.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassCensus {
    /// Rows that the class claims.
    pub rows: u64,
    /// Records that name nobody as their owner.
    pub nobody: Counted,
    /// Records whose owner is not there.
    pub gone: Counted,
    /// Of the records without an owner, by link: those that have one if the values are compared as `compare = "normalised"`
    /// does.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub spelled_otherwise: BTreeMap<String, u64>,
    /// By personal field, values that cannot be read: bytes, text that is not UTF-8 or has NUL characters between letters, broken
    /// data of PHP, and documents that are no JSON. An erasure that has to read one stops there.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub unsearchable: BTreeMap<FieldName, u64>,
    /// By date field of the records, or by fact of the customers (`date created`, `status`): how many cannot be read, or are
    /// implausible. Such a record or customer is never due, and no duty on it ends.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub unreadable: BTreeMap<String, u64>,
}

/// So many rows, and why the map says that they may be so.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// How many.
    pub rows: u64,
    /// How many of them are so only because they hang from records that are counted themselves.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub hanging: u64,
    /// The reason in the map's words, if it gives one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Counted {
    /// Those that do not hang from others that are counted.
    fn by_themselves(&self) -> u64 {
        self.rows.saturating_sub(self.hanging)
    }

    /// Why they are so.
    fn because(&self) -> RowsBecause {
        match &self.reason {
            Some(reason) => RowsBecause::Given(reason.clone()),
            None if self.by_themselves() == 0 => RowsBecause::Hanging,
            None => RowsBecause::NotGiven,
        }
    }

    /// There are some, and the map gives no reason.
    fn is_open(&self) -> bool {
        self.by_themselves() > 0 && self.reason.is_none()
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde asks for it")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// What is explained elsewhere than in the map, of the rows of a class.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Explained {
    /// Rows of its table that no class claims.
    pub(crate) unclaimed: bool,
    /// Records that name nobody.
    pub(crate) nobody: bool,
    /// Records whose owner is not there.
    pub(crate) gone: bool,
}

impl Explained {
    /// Nothing of the class is asked about.
    pub(crate) fn all() -> Self {
        Self { unclaimed: true, nobody: true, gone: true }
    }
}

impl Census {
    /// Rows for which the map gives no reason: each with lines for the map, of which one has to be written.
    pub fn problems(&self) -> Problems {
        self.problems_of(|_| Explained::default())
    }

    /// The same, less what is explained elsewhere of a class.
    pub(crate) fn problems_of(&self, explained: impl Fn(&ClassName) -> Explained) -> Problems {
        let mut problems = Vec::new();
        for (name, table) in &self.tables {
            let rows_explained = table.classes.keys().all(|class| explained(class).unclaimed);
            if table.unclaimed.is_open() && !rows_explained {
                let rows = table.unclaimed.rows;
                problems.push(Problem::new(
                    name.clone(),
                    format!("no record class claims {}{}", these(rows, "row"), table.values()),
                    format!(
                        "write a class with table = \"{name}\", when = \"rest\" and an owner, or ignore.{name} = {{ rest = \
                         \"reason\" }}"
                    ),
                ));
            }
            for (class, counted) in &table.classes {
                let explained = explained(class);
                let is_open = (
                    counted.nobody.is_open() && !explained.nobody,
                    counted.gone.is_open() && !explained.gone,
                );
                let way_out = match is_open {
                    (false, false) => continue,
                    (true, false) if counted.gone.reason.is_none() => "nobody = \"reason\"".to_owned(),
                    // A reason that is there already has to stay.
                    _ => {
                        let word =
                            |key: &str, counted: &Counted| match (&counted.reason, counted.by_themselves()) {
                                (Some(reason), _) => Some(format!("{key} = {reason:?}")),
                                (None, 0) => None,
                                (None, _) => Some(format!("{key} = \"reason\"")),
                            };
                        let words = [word("none", &counted.nobody), word("gone", &counted.gone)];
                        format!(
                            "nobody = {{ {} }}",
                            words.into_iter().flatten().collect::<Vec<_>>().join(", ")
                        )
                    }
                };
                let mut found = Vec::new();
                if is_open.0 {
                    found.push(format!("{} no owner", names(counted.nobody.by_themselves())));
                }
                if is_open.1 {
                    found.push(format!("{} an owner that is not there", names(counted.gone.by_themselves())));
                }
                let mut ways = Vec::new();
                let mut spelled_otherwise = 0;
                for (link, rows) in &counted.spelled_otherwise {
                    spelled_otherwise += rows;
                    let have = if *rows == 1 { "1 of them has" } else { &format!("{rows} of them have") };
                    ways.push(format!(
                        "write compare = \"normalised\" at the link {link} of {class}, by which {have} an owner"
                    ));
                }
                // Where each of them has an owner if it is compared so, nobody is the wrong word.
                let open = [(is_open.0, &counted.nobody), (is_open.1, &counted.gone)];
                let open: u64 =
                    open.iter().filter(|(is, _)| *is).map(|(_, counted)| counted.by_themselves()).sum();
                if spelled_otherwise < open {
                    ways.push(format!("write records.{class}.{way_out}"));
                }
                ways.push("mend the data".to_owned());
                problems.push(Problem::new(format!("records.{class}"), found.join(", "), ways.join(", or ")));
            }
        }
        Problems::none_or(problems).err().unwrap_or_default()
    }

    /// The same without what depends on the values of single rows, for a record that outlives these rows.
    pub(crate) fn for_the_ledger(&self) -> Self {
        let mut census = self.clone();
        for table in census.tables.values_mut() {
            table.by_value.clear();
            for class in table.classes.values_mut() {
                class.unsearchable.clear();
                class.spelled_otherwise.clear();
                class.unreadable.clear();
            }
        }
        census
    }

    /// Whether the map gives a reason for all that nobody claims or owns.
    pub fn is_clean(&self) -> bool {
        self.problems().iter().next().is_none()
    }

    /// What no erasure reaches, for a plan or a certificate: with number, reason and the time of the census.
    pub fn not_covered(&self) -> Vec<NotCovered> {
        let mut found: Vec<(UnreachedRows, u64, RowsBecause)> = Vec::new();
        for (name, table) in &self.tables {
            let counted = &table.unclaimed;
            found.push((UnreachedRows::Unclaimed { table: name.clone() }, counted.rows, counted.because()));
            for (class, counted) in &table.classes {
                let (nobody, gone) = (&counted.nobody, &counted.gone);
                found.push((UnreachedRows::NoOwner { class: class.clone() }, nobody.rows, nobody.because()));
                found.push((UnreachedRows::OwnerGone { class: class.clone() }, gone.rows, gone.because()));
                found.extend(counted.unsearchable.iter().map(|(field, rows)| {
                    let which = UnreachedRows::Unsearchable { class: class.clone(), field: field.clone() };
                    (which, *rows, RowsBecause::NotText)
                }));
                found.extend(counted.unreadable.iter().map(|(fact, rows)| {
                    let which = UnreachedRows::Unreadable { class: class.clone(), fact: fact.clone() };
                    (which, *rows, RowsBecause::NoDate)
                }));
            }
        }
        let some = found.into_iter().filter(|(_, rows, _)| *rows > 0);
        some.map(|(which, rows, because)| NotCovered::Rows { which, rows, because, at: self.at }).collect()
    }
}

impl TableCensus {
    /// ` (meta_key: _sku 400, _weight 12)`
    fn values(&self) -> String {
        let columns: Vec<String> = self
            .by_value
            .iter()
            .map(|(column, values)| {
                let values: Vec<String> =
                    values.iter().map(|(value, rows)| format!("{value} {rows}")).collect();
                format!("{column}: {}", values.join(", "))
            })
            .collect();
        if columns.is_empty() { String::new() } else { format!(" ({})", columns.join("; ")) }
    }
}

fn these(count: u64, word: &str) -> String {
    format!("{count} {}", crate::words::plural(count, word))
}

fn names(count: u64) -> String {
    format!("{} {}", these(count, "record"), if count == 1 { "names" } else { "name" })
}

impl fmt::Display for Census {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Census of {}", self.at.format("%F %H:%M UTC"))?;
        for (name, table) in &self.tables {
            write!(f, "\n  {name}: {}", these(table.rows, "row"))?;
            let reason = |counted: &Counted| {
                counted.reason.as_ref().map_or_else(String::new, |reason| format!(": {reason}"))
            };
            for (class, counted) in &table.classes {
                write!(f, "\n    {class}: {}", these(counted.rows, "record"))?;
                if counted.nobody.rows > 0 {
                    write!(f, "\n      {} without an owner{}", counted.nobody.rows, reason(&counted.nobody))?;
                }
                if counted.gone.rows > 0 {
                    write!(
                        f,
                        "\n      {} whose owner is not there{}",
                        counted.gone.rows,
                        reason(&counted.gone)
                    )?;
                }
                for (field, rows) in &counted.unreadable {
                    write!(f, "\n      {} of which the {field} cannot be read", these(*rows, "record"))?;
                }
                for (field, rows) in &counted.unsearchable {
                    write!(f, "\n      {} of {field} that cannot be searched", these(*rows, "value"))?;
                }
            }
            let unclaimed = &table.unclaimed;
            if unclaimed.rows > 0 {
                let values = table.values();
                write!(f, "\n    no class: {}{values}{}", these(unclaimed.rows, "row"), reason(unclaimed))?;
            }
        }
        Ok(())
    }
}

/// A digest as its hexadecimal digits.
mod as_text {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::digest::Digest;

    pub(super) fn serialize<S: Serializer>(digest: &Digest, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(digest)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Digest, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

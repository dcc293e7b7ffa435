//! The census: the number of rows of each mapped table that each record class claims, and the rows without class or
//! owner.

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

/// A store that can count all of its rows, whoever owns them.
///
/// A census reads whole tables. Take a census when a map is checked and before a sweep, never once per customer.
#[async_trait]
pub trait TakeCensus: Debug + Send + Sync + 'static {
    /// Counts every mapped table.
    ///
    /// **Idempotency:** reads only. **Partial failure:** none. **Cancel safety:** safe. **Errors:** [`StoreError`],
    /// and [`StoreError::Drift`] if the schema has changed since the store was opened.
    async fn census(&self, request: &CensusRequest) -> Result<Census, StoreError>;

    /// The digest of the parts of the schema that matter to the map. A census of another schema is not valid for this
    /// one.
    ///
    /// **Idempotency:** reads only. **Partial failure:** none. **Cancel safety:** safe. **Errors:** as
    /// [`census`](Self::census).
    async fn schema(&self) -> Result<Digest, StoreError>;

    /// Which database is counted. Several databases may have the same data map and share a ledger, and the census of one
    /// is not valid for another. `None`: there is only one database with this data map.
    fn database(&self) -> Option<Digest> {
        None
    }
}

/// A request for a census.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CensusRequest {
    /// The instant. Dates too far after it are not plausible.
    pub at: DateTime<Utc>,
    /// Fields whose dates make something due, by class. Fields for which the map gives a date form are counted
    /// anyway.
    pub dates: BTreeMap<ClassName, BTreeSet<FieldName>>,
}

impl CensusRequest {
    /// A request at an instant. It counts only the dates for which the map gives a form.
    pub fn new(at: DateTime<Utc>) -> Self {
        Self { at, dates: BTreeMap::new() }
    }

    /// Adds a field whose dates make something due.
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

            fn database(&self) -> Option<Digest> {
                (**self).database()
            }
        }
    )*};
}

forward!(Arc, Box);

/// The number of rows that each record class claims, and the rows without class or owner.
///
/// A census holds counts, names of tables and classes, and reasons from the map. It holds values only of columns that
/// distinguish the classes of a table, and only if the map calls the column not personal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Census {
    /// When the census was taken.
    pub at: DateTime<Utc>,
    /// The digest of the schema, as far as it matters to the map.
    #[serde(with = "as_text")]
    pub schema: Digest,
    /// The digest of the data map under which the rows were counted.
    #[serde(with = "as_text")]
    pub data_map: Digest,
    /// [Which database](TakeCensus::database) was counted.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "maybe_as_text")]
    pub database: Option<Digest>,
    /// Each mapped table, by its name.
    pub tables: BTreeMap<String, TableCensus>,
}

/// What a census found in one table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableCensus {
    /// All rows of the table.
    pub rows: u64,
    /// The rows that each record class claims.
    pub classes: BTreeMap<ClassName, ClassCensus>,
    /// Rows that no record class claims.
    pub unclaimed: Counted,
    /// In rows that no class claims: the values of the columns that distinguish the classes. Only the ten most
    /// frequent values, and only of columns that the map calls not personal.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub by_value: BTreeMap<String, Vec<(String, u64)>>,
}

/// What a census found for one record class.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassCensus {
    /// Rows that the class claims.
    pub rows: u64,
    /// Records that name no owner.
    pub nobody: Counted,
    /// Records whose owner does not exist.
    pub gone: Counted,
    /// Ownerless records that would have an owner if the values were compared with `compare = "normalised"`, by link.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub spelled_otherwise: BTreeMap<String, u64>,
    /// Values that cannot be read, by personal field: bytes, text that is not UTF-8 or has NUL characters between
    /// letters, broken serialised PHP data, and documents that are not JSON. An erasure that has to read such a value
    /// stops there.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub unsearchable: BTreeMap<FieldName, u64>,
    /// Dates and facts that cannot be read or are not plausible, by date field or by fact of the customer (`date
    /// created`, `status`). Such a record or customer is never due, and no duty on it ends.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub unreadable: BTreeMap<String, u64>,
    /// Records with a filled field that belongs to the person at the far end of a link, where the link leads nowhere, by
    /// link. No erasure of a customer writes such a field. What an erasure wrote there before counts, too.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub nobodys_fields: BTreeMap<String, u64>,
    /// In the class of the customers: the tenants in which several rows are found as the "Unknown Customer". Nobody can
    /// tell to which of them records are handed over.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub several_stand_ins: u64,
}

/// A number of rows, and the map's reason for them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// The number of rows.
    pub rows: u64,
    /// The number of these rows that count only because they belong to other counted records.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub hanging: u64,
    /// The reason that the map gives, if it gives one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Counted {
    /// The number of rows that do not belong to other counted records.
    fn by_themselves(&self) -> u64 {
        self.rows.saturating_sub(self.hanging)
    }

    /// Why no erasure reaches these rows.
    fn because(&self) -> RowsBecause {
        match &self.reason {
            Some(reason) => RowsBecause::Given(reason.clone()),
            None if self.by_themselves() == 0 => RowsBecause::Hanging,
            None => RowsBecause::NotGiven,
        }
    }

    /// Whether there are such rows and the map gives no reason.
    fn is_open(&self) -> bool {
        self.by_themselves() > 0 && self.reason.is_none()
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde asks for it")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Which rows of a class have a reason outside the map.
#[derive(Clone, Copy, Debug, Default)]
#[allow(clippy::struct_excessive_bools, reason = "each says something of its own")]
pub(crate) struct Explained {
    /// Rows of its table without a class are explained.
    pub(crate) unclaimed: bool,
    /// Records that name no owner are explained.
    pub(crate) nobody: bool,
    /// Records whose owner does not exist are explained.
    pub(crate) gone: bool,
    /// It does not matter to which "Unknown Customer" records are handed over.
    pub(crate) stand_ins: bool,
}

impl Explained {
    /// Everything about the class is explained.
    pub(crate) fn all() -> Self {
        Self { unclaimed: true, nobody: true, gone: true, stand_ins: true }
    }
}

impl Census {
    /// The rows for which the map gives no reason. Each problem has lines to paste; one of them has to go into the
    /// map.
    pub fn problems(&self) -> Problems {
        self.problems_of(|_| Explained::default())
    }

    /// The rows for which neither the map nor anything outside the map gives a reason.
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
                if counted.several_stand_ins > 0 && !explained.stand_ins {
                    let tenants = these(counted.several_stand_ins, "tenant");
                    problems.push(Problem::new(
                        "customers.unknown_customer.find",
                        format!("finds several rows in {tenants}"),
                        "name more columns, so that it finds one row of each tenant; or mend the data",
                    ));
                }
                let is_open = (
                    counted.nobody.is_open() && !explained.nobody,
                    counted.gone.is_open() && !explained.gone,
                );
                let way_out = match is_open {
                    (false, false) => continue,
                    (true, false) if counted.gone.reason.is_none() => "nobody = \"reason\"".to_owned(),
                    // An existing reason has to stay.
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
                // If every record has an owner under the other comparison, `nobody` is the wrong suggestion.
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

    /// The same census without data that depend on the values of single rows, because the ledger outlives these rows.
    pub(crate) fn for_the_ledger(&self) -> Self {
        let mut census = self.clone();
        for table in census.tables.values_mut() {
            table.by_value.clear();
            for class in table.classes.values_mut() {
                class.unsearchable.clear();
                class.spelled_otherwise.clear();
                class.unreadable.clear();
                class.nobodys_fields.clear();
            }
        }
        census
    }

    /// Whether the map gives a reason for every row without class or owner.
    pub fn is_clean(&self) -> bool {
        self.problems().iter().next().is_none()
    }

    /// The rows that no erasure reaches, for a plan or a certificate: the number, the reason and the time of the
    /// census.
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
                found.extend(counted.nobodys_fields.iter().map(|(link, rows)| {
                    let which = UnreachedRows::FieldsOfNobody { class: class.clone(), link: link.clone() };
                    (which, *rows, RowsBecause::LeadsNowhere)
                }));
            }
        }
        let some = found.into_iter().filter(|(_, rows, _)| *rows > 0);
        some.map(|(which, rows, because)| NotCovered::Rows { which, rows, because, at: self.at }).collect()
    }
}

impl TableCensus {
    /// A text such as ` (meta_key: _sku 400, _weight 12)`.
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
                    let field = field.strip_prefix("the ").unwrap_or(field);
                    write!(f, "\n      {} in which {field} cannot be read", these(*rows, "record"))?;
                }
                for (field, rows) in &counted.unsearchable {
                    write!(f, "\n      {} of {field} that cannot be searched", these(*rows, "value"))?;
                }
                for (link, rows) in &counted.nobodys_fields {
                    let records = these(*rows, "record");
                    write!(
                        f,
                        "\n      {records} with fields of whoever {link} leads to, where it leads nowhere"
                    )?;
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

/// Serialises a digest as its hexadecimal digits.
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

mod maybe_as_text {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::digest::Digest;

    #[allow(clippy::ref_option, reason = "serde asks for a reference")]
    pub(super) fn serialize<S: Serializer>(
        digest: &Option<Digest>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match digest {
            Some(digest) => serializer.collect_str(digest),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Digest>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| text.parse().map_err(D::Error::custom)).transpose()
    }
}

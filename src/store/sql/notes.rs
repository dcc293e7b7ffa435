//! Notes about a valid map for a person: none of them is an error.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

use super::bind::{BoundClass, field, implied, is_condition, names};
use super::links::Compare;
use super::map::SqlMap;
use super::schema::{Schema, Table};
use super::tokens::TriggerEvent;
use super::way::{BoundLink, across_tenants};
use crate::data_map::{ClassName, FieldName, Kind, LinkRole, WhenGone};
use crate::document::key;

/// Something about a map that is not an error, but that a person should check.
///
/// [`SqliteStore::notes`](crate::SqliteStore::notes) returns the notes, and `check` of the example `operator` prints
/// them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "note", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Note {
    /// Columns that no line of the map names: `rest` classifies them. Columns that are added later are included.
    Rest {
        /// The record class.
        class: ClassName,
        /// The kind that `rest` gives the columns. `None`: not personal.
        kind: Option<Kind>,
        /// The columns, in the order of the table.
        columns: Vec<FieldName>,
    },
    /// A link has no index, so each search along the link reads the whole table.
    NoIndex {
        /// The record class that has the link.
        class: ClassName,
        /// The link, as the map names it.
        link: String,
        /// The statement that creates the index.
        statement: String,
    },
    /// A link cannot use an index, because it compares without case or normalised. The table is read once for each
    /// batch.
    ReadsWholeTable {
        /// The record class that has the link.
        class: ClassName,
        /// The link, as the map names it.
        link: String,
        /// How the link compares: `nocase` or `normalised`.
        compare: String,
    },
    /// A foreign key of a mapped table leads to a table that nobody mapped.
    LeadsOut {
        /// The record class.
        class: ClassName,
        /// The columns of the foreign key.
        columns: Vec<FieldName>,
        /// The table that nobody mapped.
        table: String,
    },
    /// A record belongs to its customer through other records, but another link leads directly from the record to a
    /// customer. The two may be different people.
    LongerWay {
        /// The record class.
        class: ClassName,
        /// The link that decides the record's owner.
        owner: String,
        /// The class to which that link leads.
        through: ClassName,
        /// The link that leads directly to a customer.
        link: String,
    },
    /// An erasure clears an owner link, or the value by which the link finds its customer. A record that stays has no owner
    /// afterwards. The next census stops the class, unless the map says that its records may have no owner.
    LosesOwner {
        /// The record class.
        class: ClassName,
        /// The link.
        link: String,
    },
    /// A record is shared, and an erasure may clear or delete every link by which somebody has it. A record that stays has
    /// no owner afterwards. The next census stops the class, unless the map says that its records may have no owner.
    LosesEveryOwner {
        /// The record class.
        class: ClassName,
        /// The links, as the map names them.
        links: Vec<String>,
    },
    /// A link compares a value with the customers of every tenant: the row does not say of which tenant it is, or customers
    /// belong to several.
    AcrossTenants {
        /// The record class.
        class: ClassName,
        /// The link.
        link: String,
    },
    /// The database gives the number of a deleted customer to a new one, and the map does not name when a customer was
    /// registered. Where a treatment deletes the customers' own row, a replay after a restore cannot tell the two apart.
    ReusedIds {
        /// The class of the customers.
        class: ClassName,
        /// The column with the number.
        column: FieldName,
    },
    /// `ignore.triggers` names a trigger that does not exist. It may have been dropped for a run. If the name is
    /// misspelled, the intended trigger is not ignored.
    NoTrigger {
        /// The name.
        trigger: String,
    },
    /// `ignore.triggers` names a trigger that forbids statements, for all records or for some. The map ignores it, so no check
    /// of a policy reports it. An erasure that runs into it fails.
    TriggerForbids {
        /// The name.
        trigger: String,
        /// The table of the trigger.
        table: String,
        /// `BEFORE DELETE`, `AFTER UPDATE` …
        when: String,
    },
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list =
            |columns: &[FieldName]| columns.iter().map(FieldName::as_str).collect::<Vec<_>>().join(", ");
        match self {
            Self::Rest { class, kind, columns } => {
                let kind = kind.as_ref().map_or("not personal", Kind::as_str);
                write!(f, "{class}: rest = \"{kind}\" covers {}", list(columns))
            }
            Self::NoIndex { class, link, statement } => {
                write!(f, "{class}.{link}: no index serves this link; {statement}")
            }
            Self::ReadsWholeTable { class, link, compare } => {
                write!(
                    f,
                    "{class}.{link}: no index can serve compare = \"{compare}\"; each batch reads the table once"
                )
            }
            Self::LeadsOut { class, columns, table } => {
                write!(f, "{class}.{}: leads to table {table}, which nobody mapped", list(columns))
            }
            Self::LongerWay { class, owner, through, link } => write!(
                f,
                "{class}: belongs to whoever has the {through} to which {owner} leads, and {link} leads to a customer directly, who \
                 may be somebody else"
            ),
            Self::LosesOwner { class, link } => write!(
                f,
                "{class}.{link}: where an erasure clears the link or the value by which it finds its customer, a record that stays \
                 has no owner then, and the next census stops {class}; write records.{}.nobody = \"reason\", unless every \
                 treatment deletes these records",
                key(class.as_str())
            ),
            Self::LosesEveryOwner { class, links } => write!(
                f,
                "{class}: where an erasure clears {}, or deletes the records that lead there, a record that stays has no owner \
                 then, and the next census stops {class}; write records.{}.nobody = \"reason\", unless every treatment \
                 deletes these records, or keeps what leads to them",
                links.join(" or "),
                key(class.as_str())
            ),
            Self::AcrossTenants { class, link } => write!(
                f,
                "{class}.{link}: compares the value with the customers of every tenant, so a row of one tenant may be a customer's \
                 of another one; where the row names its tenant, compare that too: {{ column = [\"the tenant\", \"the value\"], \
                 table = \"the customers\", key = [\"the tenant\", \"the value\"] }}"
            ),
            Self::ReusedIds { class, column } => write!(
                f,
                "{class}.{column}: the number of a deleted row is given to a later customer; where a treatment deletes the \
                 customers' own row, a replay after a restore cannot tell the two apart, and erases nobody with such a number; \
                 write customers.registered = \"the column with the date\", or create the table with AUTOINCREMENT"
            ),
            Self::NoTrigger { trigger } => {
                write!(
                    f,
                    "ignore.triggers.{}: there is no such trigger; if it was dropped for good, leave the line out",
                    key(trigger)
                )
            }
            Self::TriggerForbids { trigger, table, when } => write!(
                f,
                "ignore.triggers.{}: the trigger forbids statements on table {table} ({when}); an erasure that runs into it fails, so \
                 drop the trigger for the run, unless it lets these records pass",
                key(trigger)
            ),
        }
    }
}

/// The notes about a valid map.
pub(super) fn notes(map: &SqlMap, schema: &Schema, classes: &[BoundClass]) -> Vec<Note> {
    let mut notes = Vec::new();
    let mut missing = BTreeSet::new();
    notes.extend(reused_ids(map, schema));
    for class in classes {
        let Some(table) = schema.table(&class.table) else { continue };
        notes.extend(rest(map, table, class));
        let across = class.links.iter().filter(|link| across_tenants(&map.customers, link).is_some());
        notes.extend(
            across.map(|link| Note::AcrossTenants { class: class.name.clone(), link: link.name.clone() }),
        );
        notes.extend(longer_way(class, &map.customers.class));
        notes.extend(loses_owner(map, class, classes));
        leads_out(table, class, classes, &mut notes);
        indexes(schema, class, &mut missing, &mut notes);
    }
    let there = schema.tables().flat_map(|table| &table.triggers);
    let is_there = |name: &String| there.clone().any(|trigger| trigger.name.eq_ignore_ascii_case(name));
    let missing = map.ignored_triggers.keys().filter(|name| !is_there(name));
    notes.extend(missing.map(|name| Note::NoTrigger { trigger: name.clone() }));
    let is_mapped = |table: &Table| classes.iter().any(|class| class.table.eq_ignore_ascii_case(&table.name));
    for table in schema.tables().filter(|table| is_mapped(table)) {
        let forbidding = table.triggers.iter().filter(|trigger| {
            trigger.text.forbids
                && matches!(trigger.event, Some(TriggerEvent::Update | TriggerEvent::Delete))
                && map.ignored_triggers.keys().any(|name| name.eq_ignore_ascii_case(&trigger.name))
        });
        notes.extend(forbidding.map(|trigger| Note::TriggerForbids {
            trigger: trigger.name.clone(),
            table: table.name.clone(),
            when: trigger.text.when.to_owned(),
        }));
    }
    notes
}

/// The note about customers whose numbers are given out again.
fn reused_ids(map: &SqlMap, schema: &Schema) -> Option<Note> {
    let customers = &map.customers;
    let table = schema.table(&customers.table).filter(|table| table.reuses_numbers)?;
    let column = table.primary_key.first().filter(|_| customers.registered.is_none())?;
    Some(Note::ReusedIds { class: customers.class.clone(), column: column.as_str().into() })
}

/// The columns that `rest` covers.
fn rest(map: &SqlMap, table: &Table, class: &BoundClass) -> Option<Note> {
    let record = map.records.get(&class.name).filter(|_| !class.is_root);
    let (rest, fields) =
        record.map_or((&map.customers.rest, &map.customers.fields), |record| (&record.rest, &record.fields));
    let rest = rest.as_ref()?;
    let is_covered = |column: &&str| {
        let is = |name: &String| name.eq_ignore_ascii_case(column);
        let is_link = class.links.iter().any(|link| !link.by_value && link.columns.iter().any(is));
        let is_implied = class.is_root && implied(&map.customers, column).is_some();
        field(fields, column).is_none()
            && !is_implied
            && !is_link
            && !class.key.iter().any(is)
            && !is_condition(class, column)
    };
    let columns: Vec<FieldName> = names(table).into_iter().filter(is_covered).map(FieldName::from).collect();
    (!columns.is_empty()).then(|| Note::Rest { class: class.name.clone(), kind: rest.kind.clone(), columns })
}

/// The note about an owner that is further away than a customer at the end of another link.
fn longer_way(class: &BoundClass, root: &ClassName) -> Option<Note> {
    let owner = class.links.iter().find(|link| link.role != LinkRole::End)?;
    let is_direct = |link: &&BoundLink| link.heads.contains(root) && link.hops.is_empty();
    if class.links.iter().any(|link| link.role != LinkRole::End && is_direct(&link)) {
        return None;
    }
    let link = class.ends_at_others(root).find(is_direct)?;
    Some(Note::LongerWay {
        class: class.name.clone(),
        owner: owner.name.clone(),
        through: owner.heads.first()?.clone(),
        link: link.name.clone(),
    })
}

/// The note about records that an erasure may leave without an owner.
fn loses_owner(map: &SqlMap, class: &BoundClass, classes: &[BoundClass]) -> Option<Note> {
    map.records.get(&class.name).filter(|record| record.nobody.none.is_none())?;
    let name = class.name.clone();
    let is_lost = |link: &BoundLink| link.by_value || link.gone == WhenGone::Clear;
    let mut owners = class.links.iter().filter(|link| link.role == LinkRole::Owner).peekable();
    if owners.peek().is_some() {
        return Some(Note::LosesOwner { class: name, link: owners.find(|link| is_lost(link))?.name.clone() });
    }
    let own = class.links.iter().filter(|link| link.role == LinkRole::Shared);
    if own.clone().any(|link| !is_lost(link)) {
        return None; // This link stays, and leads to the "Unknown Customer" if not to a customer.
    }
    let holds = |link: &&BoundLink| link.holds && link.heads.contains(&name);
    let holders = classes.iter().flat_map(|other| {
        other.links.iter().filter(holds).map(|link| format!("{}.{}", other.name, link.name))
    });
    let links: Vec<String> = own.map(|link| link.name.clone()).chain(holders).collect();
    (!links.is_empty()).then_some(Note::LosesEveryOwner { class: name, links })
}

/// The notes about foreign keys to tables without a class.
fn leads_out(table: &Table, class: &BoundClass, classes: &[BoundClass], notes: &mut Vec<Note>) {
    for key in &table.foreign_keys {
        let is_mapped = classes.iter().any(|other| other.table.eq_ignore_ascii_case(&key.to_table));
        let is_way = class.links.iter().any(|link| {
            let starts = key
                .columns
                .iter()
                .all(|column| link.columns.iter().any(|own| own.eq_ignore_ascii_case(column)));
            starts && link.hops.first().is_some_and(|hop| hop.table.eq_ignore_ascii_case(&key.to_table))
        });
        if !is_mapped && !is_way {
            notes.push(Note::LeadsOut {
                class: class.name.clone(),
                columns: key.columns.iter().map(|column| column.as_str().into()).collect(),
                table: key.to_table.clone(),
            });
        }
    }
}

/// The notes about links without an index.
fn indexes(
    schema: &Schema,
    class: &BoundClass,
    missing: &mut BTreeSet<(String, Vec<String>)>,
    notes: &mut Vec<Note>,
) {
    for link in &class.links {
        if matches!(link.compare, Compare::NoCase | Compare::Normalised) {
            notes.push(Note::ReadsWholeTable {
                class: class.name.clone(),
                link: link.name.clone(),
                compare: link.compare.as_str().to_owned(),
            });
            continue;
        }
        let mut searched = vec![(&class.table, &link.columns), (&link.to_table, &link.to_columns)];
        for hop in &link.hops {
            searched.extend([(&hop.table, &hop.arrives), (&hop.table, &hop.columns)]);
        }
        for (table, columns) in searched {
            let Some(table) = schema.table(table) else { continue };
            let Some(first) = columns.first() else { continue };
            // A search can use an index that covers every row and begins with the link's first column, in the
            // column's own comparison.
            let is_indexed = table.leading.contains(&first.to_ascii_lowercase());
            let lower: Vec<String> = columns.iter().map(|column| column.to_ascii_lowercase()).collect();
            if !is_indexed && missing.insert((table.name.to_ascii_lowercase(), lower)) {
                notes.push(Note::NoIndex {
                    class: class.name.clone(),
                    link: link.name.clone(),
                    statement: create_index(&table.name, columns),
                });
            }
        }
    }
}

fn create_index(table: &str, columns: &[String]) -> String {
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    let name = format!("{table}_{}_idx", columns.join("_"));
    let columns: Vec<String> = columns.iter().map(|column| quoted(column)).collect();
    format!("CREATE INDEX {} ON {} ({});", quoted(&name), quoted(table), columns.join(", "))
}

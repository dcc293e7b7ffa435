//! SQLite's dialect of SQL.

use crate::data_map::{Datatype, Value};
use crate::hex;
use crate::store::sql::{Compare, Computed, Dialect, Holds, OwnTable, PEOPLE, quoted};

/// The rows that were added in a transaction, by table.
pub(super) const CAME: &str = "relinquish_came";
/// The rows that were changed or deleted by a statement and by what it set off, by table.
pub(super) const SEEN: &str = "relinquish_seen";
/// What was done to a row of [`SEEN`].
pub(super) const CHANGED: &str = "1";
pub(super) const GONE: &str = "2";

/// SQLite's dialect.
#[derive(Debug)]
pub(super) struct SqliteDialect;

impl Dialect for SqliteDialect {
    fn name(&self) -> &'static str {
        "SQLite"
    }

    fn table(&self, name: &str) -> String {
        if name == PEOPLE { self.own_table(name) } else { format!("main.{}", quoted(name)) }
    }

    fn own_table(&self, name: &str) -> String {
        format!("temp.{name}")
    }

    fn create(&self, table: &OwnTable) -> String {
        let declared = |(name, holds): &(String, Holds)| match holds {
            Holds::Like { datatype, .. } | Holds::Of { datatype, .. } => {
                format!("{name} {}", datatype.map_or("", affinity))
            }
            Holds::Number => format!("{name} INTEGER NOT NULL"),
            Holds::Flag => format!("{name} INTEGER NOT NULL DEFAULT 0"),
            Holds::Text => format!("{name} TEXT NOT NULL"),
            Holds::MaybeText => format!("{name} TEXT"),
        };
        let columns: Vec<String> = table.columns.iter().map(declared).collect();
        let own = self.own_table(&table.name);
        let (columns, key) = (columns.join(", "), table.key.join(", "));
        if table.is_numbered {
            return format!(
                "CREATE TABLE IF NOT EXISTS {own} (born INTEGER PRIMARY KEY, {columns}, UNIQUE ({key}))"
            );
        }
        let is_number = |(name, holds): &(String, Holds)| *name == key && matches!(holds, Holds::Number);
        // A single number column becomes the row number.
        let without = if table.columns.iter().any(is_number) { "" } else { " WITHOUT ROWID" };
        format!("CREATE TABLE IF NOT EXISTS {own} ({columns}, PRIMARY KEY ({key})){without}")
    }

    /// A temporary trigger sees what other triggers add, whatever number a row has.
    fn note_added(&self, name: &str, table: &str, into: &str, handle: &[String]) -> Option<String> {
        // A trigger's statements name no database, and a table in `temp` comes first.
        let into = into.strip_prefix("temp.").unwrap_or(into);
        let names: Vec<String> = (0..handle.len()).map(|part| format!("h{part}")).collect();
        let values: Vec<String> = handle.iter().map(|column| format!("new.{}", quoted(column))).collect();
        Some(format!(
            "CREATE TEMP TRIGGER IF NOT EXISTS {name} AFTER INSERT ON {table} BEGIN \
             INSERT OR IGNORE INTO {into} ({}) VALUES ({}); END",
            names.join(", "),
            values.join(", ")
        ))
    }

    /// Temporary triggers run whoever writes a row: our statements, the host's triggers and foreign keys. A row that
    /// `REPLACE` deletes runs none, so the check of the map refuses triggers that replace rows.
    fn note_changed(&self, number: usize, table: &str, handle: &[String]) -> Vec<String> {
        let host = self.literal(&Value::from(table));
        let noted = |event: &str, into: &str, row: &str, of: &str| {
            let row: Vec<String> =
                handle.iter().map(|column| format!("quote({row}.{})", quoted(column))).collect();
            let (row, also) = (row.join(" || ',' || "), if of.is_empty() { "" } else { ", op" });
            let (value, same) = if of.is_empty() {
                (String::new(), String::new())
            } else {
                (format!(", {of}"), format!(" AND op = {of}"))
            };
            // Without a conflict clause: the clause of the statement that ran the trigger would stand in its place.
            format!(
                "CREATE TEMP TRIGGER IF NOT EXISTS {into}_{}_{number} AFTER {event} ON {table} BEGIN \
                 INSERT INTO {into} (host, row{also}) SELECT {host}, {row}{value} WHERE NOT EXISTS \
                 (SELECT 1 FROM {into} WHERE host = {host} AND row = {row}{same}); END",
                event.to_ascii_lowercase()
            )
        };
        vec![
            format!(
                "CREATE TABLE IF NOT EXISTS temp.{CAME} (host TEXT, row TEXT, PRIMARY KEY (host, row)) WITHOUT ROWID"
            ),
            format!(
                "CREATE TABLE IF NOT EXISTS temp.{SEEN} (host TEXT, op INTEGER, row TEXT, PRIMARY KEY (host, op, row)) \
                 WITHOUT ROWID"
            ),
            noted("INSERT", CAME, "new", ""),
            noted("UPDATE", SEEN, "old", CHANGED),
            noted("DELETE", SEEN, "old", GONE),
        ]
    }

    fn parameter(&self, n: usize) -> String {
        format!("?{n}")
    }

    fn rows(&self, parameter: usize, columns: &[(String, Datatype)]) -> String {
        // One column comes without an array around it, so that nothing has to be parsed twice.
        let value = |n: usize| match columns.len() {
            1 => ("type".to_owned(), "value".to_owned(), "json_extract(value, '$.bytes')".to_owned()),
            _ => (
                format!("json_type(value, '$[{n}]')"),
                format!("json_extract(value, '$[{n}]')"),
                format!("json_extract(value, '$[{n}].bytes')"),
            ),
        };
        let read = |(n, (name, datatype)): (usize, &(String, Datatype))| {
            let (kind, value, bytes) = value(n);
            match datatype {
                Datatype::Blob | Datatype::Any | Datatype::Numeric | Datatype::Text => format!(
                    "CASE {kind} WHEN 'object' THEN relinquish_bytes({bytes}) ELSE {value} END AS {name}"
                ),
                Datatype::Integer | Datatype::Real => format!("{value} AS {name}"),
            }
        };
        let values: Vec<String> = columns.iter().enumerate().map(read).collect();
        format!("(SELECT key AS place, {} FROM json_each({}))", values.join(", "), self.parameter(parameter))
    }

    fn literal(&self, value: &Value) -> String {
        match value {
            Value::Null => "NULL".to_owned(),
            Value::Integer(number) => number.to_string(),
            Value::Real(number) => format!("{number:?}"),
            Value::Text(text) => format!("'{}'", text.replace('\'', "''")),
            Value::Blob(bytes) => format!("x'{}'", hex::encode(bytes)),
        }
    }

    fn text_of_bytes(&self, parameter: &str) -> String {
        format!("CAST({parameter} AS TEXT)")
    }

    fn is(&self, one: &str, other: &str) -> String {
        format!("{one} IS {other}")
    }

    fn is_not(&self, one: &str, other: &str) -> String {
        format!("{one} IS NOT {other}")
    }

    fn add(&self, table: &str, columns: &str, select: &str) -> String {
        format!("INSERT OR IGNORE INTO {table} ({columns}) {select}")
    }

    fn insert(&self, table: &str, columns: &str, select: &str) -> String {
        format!("INSERT INTO {table} ({columns}) {select}")
    }

    fn update(&self, table: &str, _: &str, sets: &[(String, String)], which: &str) -> String {
        let sets: Vec<String> = sets.iter().map(|(column, value)| format!("{column} = {value}")).collect();
        format!("UPDATE {table} SET {} WHERE {which}", sets.join(", "))
    }

    fn delete(&self, table: &str, _: &str, which: &str) -> String {
        format!("DELETE FROM {table} WHERE {which}")
    }

    fn in_type_of(&self, _: &str, _: &str, value: &str) -> String {
        value.to_owned()
    }

    fn locking(&self, _: &str, _: &str) -> Option<String> {
        None
    }

    /// Without statistics, SQLite assumes a million rows for the tables before this one. `CROSS JOIN` fixes the
    /// order.
    fn then(&self, table: &str, alias: &str, on: &str) -> String {
        format!(" CROSS JOIN {table} AS {alias} ON {on}")
    }

    fn steps(&self, name: &str, steps: &[(String, String, String)]) -> String {
        let step = |(gives, from, which): &(String, String, String)| {
            format!(" UNION SELECT {gives} FROM {name}{from} WHERE {which}")
        };
        steps.iter().map(step).collect()
    }

    fn compared(&self, compare: Compare, value: &str) -> String {
        match compare {
            Compare::Exact => value.to_owned(),
            Compare::Text => format!("CAST({value} AS TEXT)"),
            Compare::NoCase => format!("relinquish_nocase({value})"),
            Compare::Normalised => format!("relinquish_normalised({value})"),
        }
    }

    fn equal(
        &self,
        compare: Compare,
        (near, near_type): (&str, Option<Datatype>),
        (far, far_type): (&str, Option<Datatype>),
    ) -> String {
        match (compare, near_type, far_type) {
            (Compare::Exact, ..) => format!("{near} = {far}"),
            // Each side is also compared in the other side's type, so that an index on either side can be used.
            (Compare::Text, Some(Datatype::Text), Some(Datatype::Integer)) => {
                format!("{near} = CAST({far} AS TEXT) AND {far} = CAST({near} AS INTEGER)")
            }
            (Compare::Text, Some(Datatype::Integer), Some(Datatype::Text)) => {
                format!("{near} = CAST({far} AS INTEGER) AND {far} = CAST({near} AS TEXT)")
            }
            _ => format!("{} = {}", self.compared(compare, near), self.compared(compare, far)),
        }
    }

    fn spelled(&self, value: &str) -> String {
        format!("quote({value})")
    }

    /// Removes the affinity, so that each side of a comparison is used as it is.
    fn untyped(&self, column: &str) -> String {
        format!("+{column}")
    }

    /// Calls one of our [functions](super::functions).
    fn computed(&self, what: &Computed<'_>) -> String {
        match what {
            Computed::Value { slot, old, key } => format!("relinquish_value({slot}, {old}, {key})"),
            Computed::Json { slot, old, key } => format!("relinquish_json({slot}, {old}, {key})"),
            Computed::Release { slot, old, key } => format!("relinquish_release({slot}, {old}, {key})"),
            Computed::General { slot, value } => format!("relinquish_general({slot}, {value})"),
            Computed::Holds { slot, value } => format!("relinquish_holds({slot}, {value})"),
            // When reading back, nearly every row has this same text. SQLite compares it without a function call per
            // row.
            Computed::HoldsOfDay { slot, value } => format!(
                "({value} COLLATE BINARY IS relinquish_of_day({slot}) OR relinquish_holds({slot}, {value}))"
            ),
            Computed::JsonHolds { slot, value, key } => {
                format!("relinquish_json_holds({slot}, {value}, {key})")
            }
            Computed::Mentions { slot, value, n, key } => {
                format!("relinquish_mentions({slot}, {value}, {n}, {key})")
            }
            Computed::Released { slot, value, n, key } => {
                format!("relinquish_released({slot}, {value}, {n}, {key})")
            }
            Computed::Uncertain { slot, value, n } => format!("relinquish_uncertain({slot}, {value}, {n})"),
            Computed::ByContent { slot, value } => format!("relinquish_by_content({slot}, {value})"),
            Computed::Redacted { slot, old, key } => {
                let value = format!("relinquish_value({slot}, {old}, {key})");
                format!("CASE typeof({old}) WHEN 'text' THEN CAST({value} AS TEXT) ELSE {value} END")
            }
            Computed::Kept { duty, date } => format!("relinquish_kept({duty}, {date})"),
            Computed::Day { duty, date } => format!("relinquish_day({duty}, {date})"),
            Computed::Unreadable { duty, date } => format!("relinquish_unreadable({duty}, {date})"),
            Computed::NoDate { field, value, day } => format!("relinquish_no_date({field}, {value}, {day})"),
            Computed::Unsearchable { value, read_as } => {
                format!("relinquish_unsearchable({value}, {})", *read_as as usize)
            }
            Computed::Misshapen { document, value } => format!("relinquish_misshapen({document}, {value})"),
        }
    }
}

/// The declared type with which a column accepts the same values as a column of the host.
fn affinity(datatype: Datatype) -> &'static str {
    match datatype {
        Datatype::Text => "TEXT",
        Datatype::Integer => "INTEGER",
        Datatype::Real => "REAL",
        Datatype::Numeric => "NUMERIC",
        Datatype::Blob | Datatype::Any => "",
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;
    use crate::store::sql::values::Bench;
    use crate::store::sql::{Row, Session, json_rows};
    use crate::store::sqlite::functions;
    use crate::store::sqlite::session::SqliteSession;

    /// A list that is bound as one parameter comes back unchanged, each value with its storage class.
    #[test]
    fn a_parameter_holds_rows() {
        let connection = Connection::open_in_memory().unwrap();
        functions::register(&connection, &Bench::default()).unwrap();
        let session: &mut dyn Session = &mut SqliteSession::new(&connection);
        let values = [
            Value::Null,
            Value::Integer(i64::MIN),
            Value::Integer(9_007_199_254_740_993),
            Value::Real(0.1),
            Value::from("it's \"so\", {\"bytes\": \"00\"}\u{1f600}"),
            Value::from(""),
            Value::Blob(Vec::new()),
            Value::Blob(vec![0, 255, 39]),
        ];
        let wanted: Vec<(usize, Value)> = values.iter().cloned().enumerate().collect();
        for datatype in [Datatype::Any, Datatype::Text, Datatype::Blob, Datatype::Numeric] {
            let (n, x) = (("n".to_owned(), Datatype::Integer), ("x".to_owned(), datatype));
            let both = (0..).zip(&values).map(|(n, value)| vec![Value::Integer(n), value.clone()]);
            let sql = format!("SELECT n, x, place FROM {} AS list", SqliteDialect.rows(1, &[n, x.clone()]));
            let read = |row: &dyn Row| {
                assert_eq!(row.natural::<u64>(0)?, row.natural::<u64>(2)?);
                Ok((row.natural(0)?, row.cell(1)?.to_value()))
            };
            assert_eq!(session.rows(&sql, &[json_rows(both)], read).unwrap(), wanted, "{datatype:?}");
            let alone = values.iter().map(|value| vec![value.clone()]);
            let sql = format!("SELECT place, x FROM {} AS list", SqliteDialect.rows(1, &[x]));
            let read = |row: &dyn Row| Ok((row.natural(0)?, row.cell(1)?.to_value()));
            assert_eq!(session.rows(&sql, &[json_rows(alone)], read).unwrap(), wanted, "{datatype:?}");
        }
    }

    #[test]
    fn a_constant_is_spelled_so_that_it_comes_back() {
        let connection = Connection::open_in_memory().unwrap();
        let session: &mut dyn Session = &mut SqliteSession::new(&connection);
        for value in [
            Value::Null,
            Value::Integer(-7),
            Value::Real(1e300),
            Value::from("it's"),
            Value::Blob(vec![0, 255]),
        ] {
            let sql = format!("SELECT {}", SqliteDialect.literal(&value));
            assert_eq!(session.one(&sql, &[], |row| Ok(row.cell(0)?.to_value())).unwrap(), value);
        }
    }
}

//! PostgreSQL's dialect of SQL.

use super::own;
use crate::data_map::{Datatype, Value};
use crate::hex;
use crate::store::sql::{Compare, Computed, Dialect, Holds, OwnTable, PEOPLE, quoted};

/// PostgreSQL's dialect.
#[derive(Debug)]
pub(super) struct PostgresDialect;

/// Separates a statement that writes, the table to which it writes, and the select that reads the same rows and
/// values. No SQL has this character.
pub(super) const PARTS: char = '\0';

/// Marks the column from which a new value has its type.
const WITNESS: &str = "/*of*/";

impl Dialect for PostgresDialect {
    fn name(&self) -> &'static str {
        "PostgreSQL"
    }

    /// A table of the search path by its own name; any other table as `schema.table`.
    fn table(&self, name: &str) -> String {
        if name == PEOPLE {
            return self.own_table(name);
        }
        name.split('.').map(quoted).collect::<Vec<_>>().join(".")
    }

    fn own_table(&self, name: &str) -> String {
        own::spelled(name)
    }

    fn create(&self, table: &OwnTable) -> String {
        let host = self.table(&table.like);
        let mut is_like = false;
        let mut alters = vec![format!("ADD PRIMARY KEY ({})", table.key.join(", "))];
        let mut column = |(name, holds): &(String, Holds)| match holds {
            Holds::Like { column, .. } => {
                is_like = true;
                format!("host.{} AS {name}", quoted(column))
            }
            Holds::Of { table, column, .. } => {
                format!("(NULL::{}).{} AS {name}", self.table(table), quoted(column))
            }
            Holds::Number => format!("0::bigint AS {name}"),
            Holds::Flag => {
                alters.push(format!("ALTER {name} SET DEFAULT 0, ALTER {name} SET NOT NULL"));
                format!("0::bigint AS {name}")
            }
            Holds::Text | Holds::MaybeText => format!("''::text AS {name}"),
        };
        let mut columns: Vec<String> = table.columns.iter().map(&mut column).collect();
        if table.is_numbered {
            columns.push("0::bigint AS born".to_owned());
            alters.push("ALTER born SET NOT NULL, ALTER born ADD GENERATED ALWAYS AS IDENTITY".to_owned());
        }
        let from = if is_like { format!(" FROM {host} AS host") } else { String::new() };
        let (create, name) = (own::CREATE, &table.name);
        format!(
            "{create}{name} ON COMMIT DROP AS SELECT {}{from} WITH NO DATA; ALTER TABLE {} {}",
            columns.join(", "),
            own::spelled(name),
            alters.join(", ")
        )
    }

    fn note_added(&self, _: &str, _: &str, _: &str, _: &[String]) -> Option<String> {
        None
    }

    fn note_changed(&self, _: usize, _: &str, _: &[String]) -> Vec<String> {
        Vec::new()
    }

    fn parameter(&self, n: usize) -> String {
        format!("${n}")
    }

    fn rows(&self, parameter: usize, columns: &[(String, Datatype)]) -> String {
        let value = |n: usize| match columns.len() {
            1 => "one.line".to_owned(),
            _ => format!("(one.line -> {n})"),
        };
        let read = |(n, (name, datatype)): (usize, &(String, Datatype))| {
            let value = value(n);
            let text = format!("{value} #>> '{{}}'");
            // A text never equals a number, so a text for a column of numbers becomes NULL.
            let read = match datatype {
                Datatype::Integer => {
                    format!("CASE jsonb_typeof({value}) WHEN 'number' THEN ({text})::bigint END")
                }
                Datatype::Real => {
                    format!("CASE jsonb_typeof({value}) WHEN 'number' THEN ({text})::float8 END")
                }
                // Bytes are written as text. A column of bytes also reads this text.
                Datatype::Blob | Datatype::Any | Datatype::Numeric | Datatype::Text => format!(
                    "CASE jsonb_typeof({value}) WHEN 'object' THEN '\\x' || ({value} ->> 'bytes') ELSE {text} END"
                ),
            };
            format!("{read} AS {name}")
        };
        let values: Vec<String> = columns.iter().enumerate().map(read).collect();
        format!(
            "(SELECT one.place - 1 AS place, {} FROM jsonb_array_elements({}::jsonb) WITH ORDINALITY AS one(line, place))",
            values.join(", "),
            self.parameter(parameter)
        )
    }

    /// The constant is quoted, so that it takes the type of the column with which it is compared.
    fn literal(&self, value: &Value) -> String {
        match value {
            Value::Null => "NULL".to_owned(),
            Value::Integer(number) => format!("'{number}'"),
            Value::Real(number) => format!("'{number:?}'"),
            Value::Text(text) => format!("'{}'", text.replace('\'', "''")),
            Value::Blob(bytes) => format!("'\\x{}'::bytea", hex::encode(bytes)),
        }
    }

    fn text_of_bytes(&self, parameter: &str) -> String {
        format!("convert_from({parameter}::bytea, 'UTF8')")
    }

    fn is(&self, one: &str, other: &str) -> String {
        // Only a text can be empty. For a column of another type, an empty constant would be an error, so the column
        // is compared as text.
        let one = if other == "''" { format!("({one})::text") } else { one.to_owned() };
        format!("{one} IS NOT DISTINCT FROM {other}")
    }

    fn is_not(&self, one: &str, other: &str) -> String {
        let one = if other == "''" { format!("({one})::text") } else { one.to_owned() };
        format!("{one} IS DISTINCT FROM {other}")
    }

    fn add(&self, table: &str, columns: &str, select: &str) -> String {
        parts(&format!("INSERT INTO {table} ({columns}) {select} ON CONFLICT DO NOTHING"), "", select)
    }

    fn insert(&self, table: &str, columns: &str, select: &str) -> String {
        parts(&format!("INSERT INTO {table} ({columns}) {select}"), table, select)
    }

    fn update(&self, table: &str, alias: &str, sets: &[(String, String)], which: &str) -> String {
        let list: Vec<String> = sets.iter().map(|(column, value)| format!("{column} = {value}")).collect();
        let values: Vec<&str> = sets.iter().map(|(_, value)| value.as_str()).collect();
        parts(
            &format!("UPDATE {table} AS {alias} SET {} WHERE {which}", list.join(", ")),
            table,
            &format!("SELECT {} FROM {table} AS {alias} WHERE {which}", values.join(", ")),
        )
    }

    fn delete(&self, table: &str, alias: &str, which: &str) -> String {
        parts(
            &format!("DELETE FROM {table} AS {alias} WHERE {which}"),
            table,
            &format!("SELECT 1 FROM {table} AS {alias} WHERE {which}"),
        )
    }

    fn in_type_of(&self, table: &str, column: &str, value: &str) -> String {
        format!("{}(({value})::text, (NULL::{table}).{})", own::spelled(own::AS), quoted(column))
    }

    fn locking(&self, select: &str, alias: &str) -> Option<String> {
        Some(format!("{select} FOR UPDATE OF {alias}"))
    }

    fn then(&self, table: &str, alias: &str, on: &str) -> String {
        format!(" CROSS JOIN LATERAL (SELECT * FROM {table} AS {alias} WHERE {on} OFFSET 0) AS {alias}")
    }

    fn steps(&self, name: &str, steps: &[(String, String, String)]) -> String {
        let step = |(gives, from, which): &(String, String, String)| {
            format!("SELECT {gives} FROM (SELECT 1) AS here{from} WHERE {which}")
        };
        let each: Vec<String> = steps.iter().map(step).collect();
        if each.is_empty() {
            return String::new();
        }
        format!(" UNION SELECT step.* FROM {name} CROSS JOIN LATERAL ({}) AS step", each.join(" UNION ALL "))
    }

    /// PostgreSQL itself folds ASCII. Rust folds every other text, because the two have different rules for it.
    fn compared(&self, compare: Compare, value: &str) -> String {
        let text = format!("({value})::text");
        let folded = |folds: &str, tag: &str| {
            let asked = asked(tag, &[], &[value]);
            let computed = call(own::TEXT, &asked);
            format!("CASE WHEN octet_length({text}) = char_length({text}) THEN {folds} ELSE {computed} END")
        };
        match compare {
            Compare::Exact => value.to_owned(),
            Compare::Text => text,
            // A blank text counts as no value, and leads nowhere.
            Compare::NoCase => folded(
                &format!("CASE WHEN {} <> '' THEN lower({text} COLLATE \"C\") END", trimmed(&text)),
                "nocase",
            ),
            Compare::Normalised => {
                folded(&format!("nullif(lower({} COLLATE \"C\"), '')", trimmed(&text)), "normalised")
            }
        }
    }

    fn equal(
        &self,
        compare: Compare,
        (near, near_type): (&str, Option<Datatype>),
        (far, far_type): (&str, Option<Datatype>),
    ) -> String {
        // Each side is also compared in the other side's type, so that an index on either side can be used.
        let number = |text: &str| format!("CASE WHEN {text} ~ '^-?[0-9]{{1,18}}$' THEN ({text})::bigint END");
        match (compare, near_type, far_type) {
            (Compare::Exact, ..) => format!("{near} = {far}"),
            (Compare::Text, Some(Datatype::Text), Some(Datatype::Integer)) => {
                format!("{near} = ({far})::text AND {far} = {}", number(near))
            }
            (Compare::Text, Some(Datatype::Integer), Some(Datatype::Text)) => {
                format!("{far} = ({near})::text AND {near} = {}", number(far))
            }
            _ => format!("{} = {}", self.compared(compare, near), self.compared(compare, far)),
        }
    }

    fn spelled(&self, value: &str) -> String {
        format!("quote_nullable(({value})::text)")
    }

    fn untyped(&self, column: &str) -> String {
        format!("({column})::text")
    }

    /// Looks up the result by all arguments.
    fn computed(&self, what: &Computed<'_>) -> String {
        match what {
            // Every text of PostgreSQL is UTF-8.
            Computed::Value { slot, old, key } | Computed::Redacted { slot, old, key } => {
                value("value", *slot, old, key)
            }
            Computed::Json { slot, old, key } => value("json", *slot, old, key),
            Computed::Release { slot, old, key } => value("release", *slot, old, key),
            Computed::General { slot, value } => call(own::TEXT, &asked("general", &[slot], &[value])),
            Computed::Holds { slot, value } | Computed::HoldsOfDay { slot, value } => {
                call(own::TRUE, &asked("holds", &[slot], &[value]))
            }
            Computed::JsonHolds { slot, value, key } => {
                call(own::TRUE, &asked("json_holds", &[slot], &with_key(value, key)))
            }
            Computed::Mentions { slot, value, n, key } => {
                call(own::TRUE, &asked("mentions", &[slot, n], &with_key(value, key)))
            }
            Computed::Released { slot, value, n, key } => {
                call(own::TRUE, &asked("released", &[slot, n], &with_key(value, key)))
            }
            Computed::Uncertain { slot, value, n } => {
                call(own::NUMBER, &asked("uncertain", &[slot, n], &[value]))
            }
            Computed::ByContent { slot, value } => call(own::NUMBER, &asked("by_content", &[slot], &[value])),
            Computed::Kept { duty, date } => call(own::TRUE, &asked("kept", &[duty], &[date])),
            Computed::Day { duty, date } => call(own::NUMBER, &asked("day", &[duty], &[date])),
            Computed::Unreadable { duty, date } => call(own::TRUE, &asked("unreadable", &[duty], &[date])),
            Computed::NoDate { field, value, day } => {
                call(own::TRUE, &asked("no_date", &[field, day], &[value]))
            }
            Computed::Unsearchable { value, read_as } => {
                call(own::TRUE, &asked("unsearchable", &[&(*read_as as usize)], &[value]))
            }
            Computed::Misshapen { document, value } => {
                call(own::TRUE, &asked("misshapen", &[document], &[value]))
            }
        }
    }
}

/// A statement that writes, with the select that reads the same.
fn parts(statement: &str, table: &str, select: &str) -> String {
    if own::is_computed(select) {
        format!("{statement}{PARTS}{table}{PARTS}{select}")
    } else {
        format!("{statement}{PARTS}{table}{PARTS}")
    }
}

fn call(function: &str, asked: &str) -> String {
    format!("{}({asked})", own::spelled(function))
}

/// A new value, in the type of its column.
fn value(tag: &str, slot: usize, old: &str, key: &str) -> String {
    let witness = witness(old);
    let key = columns_of(key);
    let values = key.iter().map(|column| (*column, *column));
    let asked = asked_of(tag, &[&slot], std::iter::once((old, witness)).chain(values));
    format!("{}({asked}, {WITNESS}{witness})", own::spelled(own::VALUE))
}

/// The column whose type a value has: the value itself, or the column of which an earlier result was computed.
fn witness(old: &str) -> &str {
    let Some((_, column)) = old.rsplit_once(WITNESS) else { return old };
    let mut in_name = false;
    let end = column.find(|c| {
        in_name ^= c == '"';
        !in_name && matches!(c, ')' | ',' | ' ')
    });
    end.and_then(|end| column.get(..end)).unwrap_or(column)
}

/// A value with the columns of its row's key.
fn with_key<'k>(value: &'k str, key: &'k str) -> Vec<&'k str> {
    let mut values = vec![value];
    values.extend(columns_of(key));
    values
}

/// The columns of a list such as `"t"."a", "t"."b"`.
fn columns_of(list: &str) -> Vec<&str> {
    let (mut columns, mut start, mut in_name) = (Vec::new(), 0, false);
    for (at, c) in list.char_indices() {
        in_name ^= c == '"';
        if c == ',' && !in_name {
            columns.extend(list.get(start..at));
            start = at + 1;
        }
    }
    columns.extend(list.get(start..));
    columns.into_iter().map(str::trim).filter(|column| !column.is_empty()).collect()
}

/// A question to Rust as one text: the kind of computation, its numbers, and its values with their types.
fn asked(tag: &str, numbers: &[&dyn std::fmt::Display], values: &[&str]) -> String {
    asked_of(tag, numbers, values.iter().map(|value| (*value, *value)))
}

fn asked_of<'v>(
    tag: &str,
    numbers: &[&dyn std::fmt::Display],
    values: impl Iterator<Item = (&'v str, &'v str)>,
) -> String {
    let mut list = vec![format!("'{tag}'")];
    list.extend(numbers.iter().map(ToString::to_string));
    list.extend(values.map(|(value, witness)| format!("{value}, pg_typeof({witness})")));
    format!("json_build_array({})::text", list.join(", "))
}

/// A text without the blanks of ASCII at its ends.
fn trimmed(text: &str) -> String {
    format!("btrim({text}, E' \\t\\n\\x0B\\f\\r')")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_taken_apart_by_its_columns() {
        assert_eq!(
            columns_of("\"t\".\"a\", \"t\".\"b, \"\"c\"\"\""),
            ["\"t\".\"a\"", "\"t\".\"b, \"\"c\"\"\""]
        );
        assert_eq!(columns_of(""), Vec::<&str>::new());
    }

    #[test]
    fn a_value_within_a_value_has_the_type_of_the_column() {
        let dialect = PostgresDialect;
        let column = "\"t\".\"a, (b)\"";
        let inner = dialect.computed(&Computed::Json { slot: 1, old: column, key: "\"t\".\"id\"" });
        assert_eq!(witness(&inner), column);
        let cased = format!("CASE WHEN x THEN {inner} ELSE {inner} END");
        assert_eq!(witness(&cased), column);
        assert_eq!(witness(column), column);
    }

    #[test]
    fn a_statement_brings_its_select_only_if_something_is_computed() {
        let dialect = PostgresDialect;
        let plain = dialect.update("\"t\"", "\"t\"", &[("\"a\"".to_owned(), "NULL".to_owned())], "TRUE");
        assert_eq!(plain, "UPDATE \"t\" AS \"t\" SET \"a\" = NULL WHERE TRUE\0\"t\"\0");
        let kept = dialect.computed(&Computed::Kept { duty: 0, date: "\"t\".\"d\"" });
        let delete = dialect.delete("\"t\"", "\"t\"", &kept);
        assert!(delete.ends_with(&format!("SELECT 1 FROM \"t\" AS \"t\" WHERE {kept}")), "{delete}");
    }
}

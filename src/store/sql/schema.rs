//! The live schema of a database.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Serialize;

use super::tokens::{TriggerEvent, index_text, is_strict};
use super::triggers::TriggerText;
use crate::data_map::{Check, Datatype, UniqueRule, Value};

/// A column of the live schema.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) datatype: Datatype,
    pub(crate) nullable: bool,
    pub(crate) max_chars: Option<u32>,
    pub(crate) computed: bool,
    /// The words of the expression that computes the column.
    pub(crate) computed_from: Vec<String>,
    /// Whether a new row gets a value by itself: a default, or a row number.
    pub(crate) has_default: bool,
    /// The default, if it is a constant. `None` for NULL, for an expression, and without a default.
    pub(crate) default: Option<Value>,
    /// The collation of the column. `None` if bytes are compared.
    pub(crate) collation: Option<String>,
    /// The CHECKs that name only this column.
    pub(crate) checks: Vec<Check>,
}

/// The constant that the text of a default means: a number or a text, in brackets or with a cast of PostgreSQL's or without.
pub(crate) fn constant(text: &str) -> Option<Value> {
    let mut text = text.trim();
    if let Some(inner) = text.strip_prefix('(').and_then(|text| text.strip_suffix(')')) {
        return constant(inner);
    }
    // A cast comes after the text: `'x'::character varying`.
    if let Some((before, of)) = text.rsplit_once("::")
        && of.chars().all(|c| c.is_alphanumeric() || matches!(c, ' ' | '_' | '"' | '(' | ')' | ','))
    {
        text = before.trim();
    }
    if let Some(inner) = text.strip_prefix('\'').and_then(|text| text.strip_suffix('\'')) {
        // A quote within the text is written twice.
        let plain = inner.replace("''", "");
        return (!plain.contains('\'')).then(|| Value::Text(inner.replace("''", "'")));
    }
    text.parse().ok().map(Value::Integer)
}

/// A foreign key of a table.
#[derive(Clone, Debug)]
pub(crate) struct ForeignKey {
    pub(crate) columns: Vec<String>,
    pub(crate) to_table: String,
    pub(crate) to_columns: Vec<String>,
    pub(crate) on_delete: OnDelete,
}

/// What the database does to a row when the row that its foreign key references is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OnDelete {
    Cascade,
    SetNull,
    SetDefault,
    /// The database refuses the deletion.
    Nothing,
}

/// A unique index.
#[derive(Clone, Debug)]
pub(crate) struct UniqueIndex {
    pub(crate) name: String,
    /// The name of the index in errors.
    pub(crate) rule: UniqueRule,
    /// The plain columns.
    pub(crate) columns: Vec<String>,
    /// The columns in its expressions, in its condition, and under its computed columns.
    pub(crate) through: Vec<String>,
    /// Columns in which NULL collides like a value: `coalesce(name, 'x')`.
    pub(crate) null_counts: Vec<String>,
    /// Whether the index covers only some of the rows, or expressions.
    pub(crate) partial: bool,
}

/// A rule over several columns of a row. It can be asked with values for all of them.
#[derive(Clone)]
pub(crate) struct RowRule {
    /// The name of the rule in errors.
    pub(crate) text: String,
    /// All columns on which the rule depends.
    pub(crate) columns: Vec<String>,
    /// Whether the rule refuses a second row with the same values.
    pub(crate) is_unique: bool,
    /// Whether the rule accepts these values of the columns. `None`: unknown.
    pub(crate) accepts: Arc<RowAccepts>,
}

/// A function of the values, in the order of the columns.
pub(crate) type RowAccepts = dyn Fn(&[Value]) -> Option<bool> + Send + Sync;

impl std::fmt::Debug for RowRule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RowRule")
            .field("text", &self.text)
            .field("columns", &self.columns)
            .finish_non_exhaustive()
    }
}

/// A table of the live schema.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    pub(crate) name: String,
    pub(crate) columns: Vec<Column>,
    pub(crate) primary_key: Vec<String>,
    /// The unique indexes, without the primary key's index.
    pub(crate) unique: Vec<UniqueIndex>,
    pub(crate) foreign_keys: Vec<ForeignKey>,
    pub(crate) triggers: Vec<Trigger>,
    /// The expressions of its CHECKs.
    pub(crate) checks: Vec<String>,
    /// The CHECKs over several columns, and the unique indexes that are not plain.
    pub(crate) rules: Vec<RowRule>,
    /// The first columns of indexes over all rows, in lower case.
    pub(crate) leading: BTreeSet<String>,
    /// Whether the rows have no row number.
    pub(crate) without_rowid: bool,
    /// Whether the primary key is the row number.
    pub(crate) key_is_rowid: bool,
    /// Whether the primary key is the row number, and the number of a deleted row may be given to a new row.
    pub(crate) reuses_numbers: bool,
    /// Which of its constraints delete the rows that are in the way of a new value.
    pub(crate) replaces: Replaces,
}

/// Constraints with `ON CONFLICT REPLACE`, which only SQLite has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Replaces {
    #[default]
    None,
    /// The primary key, which an erasure does not write.
    Key,
    /// A unique constraint that an erasure may write.
    Unique,
}

/// A trigger of a table.
#[derive(Clone, Debug)]
pub(crate) struct Trigger {
    pub(crate) name: String,
    pub(crate) event: Option<TriggerEvent>,
    /// The statement that created the trigger.
    pub(crate) sql: String,
    /// The tables to which the trigger writes, in the trigger's spelling.
    pub(crate) writes: Vec<String>,
    /// What the trigger does to its own table.
    pub(crate) text: TriggerText,
}

/// A virtual table.
#[derive(Clone, Debug)]
pub(crate) struct VirtualTable {
    pub(crate) name: String,
    /// The module: `fts5`, `rtree` …
    pub(crate) module: String,
    /// The table that it indexes, if it has no content of its own.
    pub(crate) content: Option<String>,
    /// Its columns.
    pub(crate) columns: Vec<String>,
}

impl VirtualTable {
    pub(crate) fn is_full_text(&self) -> bool {
        matches!(self.module.as_str(), "fts3" | "fts4" | "fts5")
    }
}

impl UniqueIndex {
    /// The index of a table, from the statement that created it and its plain columns. If the index has more parts
    /// than plain columns, the other parts are expressions.
    pub(crate) fn new(
        table: &Table,
        name: &str,
        sql: &str,
        parts: Vec<Option<String>>,
        of_some: bool,
    ) -> Self {
        let is = |one: &str, other: &str| one.eq_ignore_ascii_case(other);
        let is_column = |word: &str| table.column(word).is_some();
        let own = |words: &[String]| -> Vec<String> {
            words.iter().filter_map(|word| table.column(word)).map(|column| column.name.clone()).collect()
        };
        let text = index_text(sql);
        let has_expressions = parts.contains(&None);
        let columns: Vec<String> = parts.into_iter().flatten().collect();
        // The words of each expression and of each computed column.
        let mut expressions: Vec<Vec<String>> = Vec::new();
        if has_expressions {
            let is_plain = |words: &&Vec<String>| {
                words.first().is_some_and(|first| columns.iter().any(|column| is(column, first)))
                    && is_strict(words, is_column)
            };
            expressions.extend(text.parts.iter().filter(|words| !is_plain(words)).cloned());
        }
        for column in &columns {
            let computed = table.column(column).filter(|column| column.computed);
            expressions.extend(computed.map(|column| column.computed_from.clone()));
        }
        // A computed column may depend on another computed column.
        let mut n = 0;
        while let Some(words) = expressions.get(n).filter(|_| n <= table.columns.len()) {
            let further: Vec<Vec<String>> = words
                .iter()
                .filter_map(|word| table.column(word))
                .filter(|column| column.computed)
                .map(|column| column.computed_from.clone())
                .collect();
            expressions.extend(further.into_iter().filter(|words| !words.is_empty()));
            n += 1;
        }
        let (mut through, mut safe, mut risky) = (Vec::new(), columns.clone(), own(&text.condition));
        through.extend(risky.iter().cloned());
        for words in &expressions {
            through.extend(own(words));
            if is_strict(words, is_column) { &mut safe } else { &mut risky }.extend(own(words));
        }
        let null_counts =
            risky.into_iter().filter(|name| !safe.iter().any(|other| is(name, other))).collect();
        let rule = match sql.split_once(['(']) {
            Some((_, behind)) if has_expressions || of_some => UniqueRule::Index {
                name: name.to_owned(),
                over: behind.split_whitespace().collect::<Vec<_>>().join(" "),
            },
            _ if through.is_empty() => UniqueRule::Columns(columns.clone()),
            _ => UniqueRule::Computed { columns: columns.clone(), from: through.clone() },
        };
        let (name, partial) = (name.to_owned(), of_some || has_expressions);
        Self { name, rule, columns, through, null_counts, partial }
    }

    /// Whether more than the values of its columns decides what collides.
    pub(crate) fn is_tangled(&self) -> bool {
        self.partial || !self.through.is_empty()
    }

    /// Whether a column is a part of the index, or is used by one of its parts or its condition.
    pub(crate) fn names(&self, column: &str) -> bool {
        self.columns.iter().chain(&self.through).any(|name| name.eq_ignore_ascii_case(column))
    }
}

impl Table {
    /// A column by name, in any case: SQL names are not case-sensitive.
    pub(crate) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name.eq_ignore_ascii_case(name))
    }

    /// The foreign key of exactly these columns.
    pub(crate) fn foreign_key(&self, columns: &[String]) -> Option<&ForeignKey> {
        self.foreign_keys.iter().find(|key| {
            key.columns.len() == columns.len()
                && key.columns.iter().zip(columns).all(|(of_key, asked)| of_key.eq_ignore_ascii_case(asked))
        })
    }

    /// Whether a unique index covers a column: alone, with other columns, or through a computed column.
    pub(crate) fn is_unique(&self, column: &str) -> bool {
        self.unique.iter().any(|index| index.names(column))
    }

    /// The columns from which a column is computed, directly or through other computed columns. Computed columns
    /// themselves are not included.
    pub(crate) fn sources(&self, column: &str) -> Vec<&str> {
        let mut seen: Vec<&str> = Vec::new();
        let mut todo: Vec<&Column> = self.column(column).into_iter().collect();
        while let Some(next) = todo.pop() {
            let named = next.computed_from.iter().filter_map(|word| self.column(word));
            for source in named {
                if !seen.contains(&source.name.as_str()) {
                    seen.push(&source.name);
                    todo.push(source);
                }
            }
        }
        let is_stored = |name: &&str| self.column(name).is_some_and(|column| !column.computed);
        seen.into_iter().filter(is_stored).collect()
    }

    /// The columns that identify a row within a transaction: its row number, or its primary key.
    pub(crate) fn handle(&self) -> Vec<String> {
        let number = ["rowid", "_rowid_", "oid"].into_iter().find(|name| self.column(name).is_none());
        match number {
            Some(number) if !self.without_rowid && !self.key_is_rowid => vec![number.to_owned()],
            _ => self.primary_key.clone(),
        }
    }

    /// The columns of the primary key and of each unique index over all rows.
    pub(crate) fn unique_columns(&self) -> Vec<Vec<String>> {
        let indexes = self.unique.iter().filter(|index| !index.partial).map(|index| index.columns.clone());
        indexes.chain((!self.primary_key.is_empty()).then(|| self.primary_key.clone())).collect()
    }

    /// Whether these columns are a unique key.
    pub(crate) fn is_key(&self, columns: &[String]) -> bool {
        let same = |other: &[String]| {
            other.len() == columns.len()
                && other.iter().all(|column| columns.iter().any(|c| c.eq_ignore_ascii_case(column)))
        };
        same(&self.primary_key) || self.unique.iter().any(|index| !index.partial && same(&index.columns))
    }
}

/// Every table of a database.
#[derive(Clone, Debug, Default)]
pub(crate) struct Schema {
    tables: BTreeMap<String, Table>,
    /// Virtual tables, such as full-text indexes.
    pub(crate) others: Vec<VirtualTable>,
    /// The triggers of views, with the view's name.
    pub(crate) of_views: Vec<(String, Trigger)>,
}

impl Schema {
    pub(crate) fn new(tables: impl IntoIterator<Item = Table>, others: Vec<VirtualTable>) -> Self {
        Self {
            others,
            of_views: Vec::new(),
            tables: tables.into_iter().map(|table| (table.name.to_ascii_lowercase(), table)).collect(),
        }
    }

    /// The schema with one more table.
    pub(crate) fn with(mut self, table: Table) -> Self {
        self.tables.insert(table.name.to_ascii_lowercase(), table);
        self
    }

    /// Whether a table with this name exists, plain or virtual.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.table(name).is_some() || self.virtual_table(name).is_some() || self.is_view(name)
    }

    /// Whether this is a view to which statements can write, because it has triggers.
    pub(crate) fn is_view(&self, name: &str) -> bool {
        self.of_views.iter().any(|(view, _)| view.eq_ignore_ascii_case(name))
    }

    /// A virtual table by name, in any case.
    pub(crate) fn virtual_table(&self, name: &str) -> Option<&VirtualTable> {
        self.others.iter().find(|other| other.name.eq_ignore_ascii_case(name))
    }

    /// A table by name, in any case.
    pub(crate) fn table(&self, name: &str) -> Option<&Table> {
        self.tables.get(&name.to_ascii_lowercase())
    }

    pub(crate) fn tables(&self) -> impl Iterator<Item = &Table> + Clone {
        self.tables.values()
    }
}

/// The type of a declared column, by SQLite's rules of affinity. Two cases differ: NUMERIC affinity (dates, flags,
/// decimals) and undeclared columns have their own types.
pub(crate) fn datatype(declared: &str) -> Datatype {
    let declared = declared.to_ascii_uppercase();
    let has = |part: &str| declared.contains(part);
    if has("INT") {
        Datatype::Integer
    } else if has("CHAR") || has("CLOB") || has("TEXT") {
        Datatype::Text
    } else if declared.is_empty() || declared == "ANY" {
        Datatype::Any
    } else if has("BLOB") {
        Datatype::Blob
    } else if has("REAL") || has("FLOA") || has("DOUB") {
        Datatype::Real
    } else {
        Datatype::Numeric
    }
}

/// The length in a declaration such as `VARCHAR(40)`.
pub(crate) fn declared_chars(declared: &str) -> Option<u32> {
    let (kind, rest) = declared.split_once('(')?;
    let length = rest.split_once(')')?.0.trim();
    (datatype(kind) == Datatype::Text).then(|| length.parse().ok()).flatten()
}

/// The length limit of a CHECK such as `length(name) <= 40`, from the text of the table's statement.
pub(crate) fn checked_chars(statement: &str, column: &str) -> Option<u32> {
    let bare = |text: &str| {
        let kept = text.chars().filter(|c| !c.is_whitespace() && !['"', '`', '[', ']'].contains(c));
        kept.collect::<String>().to_ascii_lowercase()
    };
    let text = bare(statement);
    let call = format!("length({})", bare(column));
    text.match_indices(&call)
        .filter_map(|(at, _)| {
            if let Some(most) = text.get(..at).and_then(least_before) {
                return Some(most);
            }
            let rest = text.get(at + call.len()..)?;
            let between = || {
                let (from, to) = rest.strip_prefix("between")?.split_once("and")?;
                from.chars().all(|c| c.is_ascii_digit()).then_some(to)
            };
            let (rest, less) = match rest.strip_prefix("<=").or_else(between) {
                Some(rest) => (rest, 0),
                None => (rest.strip_prefix('<')?, 1),
            };
            let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
            digits.parse::<u32>().ok()?.checked_sub(less)
        })
        .min()
}

/// The number in `40 >=` or `41 >` at the end of a text.
fn least_before(text: &str) -> Option<u32> {
    let (text, less) = match text.strip_suffix(">=") {
        Some(text) => (text, 0),
        None => (text.strip_suffix('>')?, 1),
    };
    let digits =
        text.rfind(|c: char| !c.is_ascii_digit()).map_or(text, |at| text.get(at + 1..).unwrap_or(""));
    digits.parse::<u32>().ok()?.checked_sub(less)
}

/// Whether an SQL text names a column. A name of several words is searched for as a whole.
pub(crate) fn names_column(sql: &str, column: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    if column.chars().all(is_word) {
        sql.split(|c| !is_word(c)).any(|word| word.eq_ignore_ascii_case(column))
    } else {
        let sql = sql.to_ascii_lowercase();
        let column = column.to_ascii_lowercase();
        sql.contains(&column) || sql.contains(&column.replace('"', "\"\""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_read_from_declarations_and_checks() {
        assert_eq!(declared_chars("NVARCHAR(40)"), Some(40));
        assert_eq!(declared_chars("character varying ( 7 )"), Some(7));
        assert_eq!(declared_chars("NUMERIC(10,2)"), None);
        assert_eq!(declared_chars("TEXT"), None);
        let sql =
            "CREATE TABLE t (\"name\" TEXT CHECK (length(\"name\") <= 12), code TEXT CHECK(LENGTH(code)<9))";
        assert_eq!(checked_chars(sql, "name"), Some(12));
        assert_eq!(checked_chars(sql, "code"), Some(8));
        assert_eq!(checked_chars(sql, "other"), None);
    }

    #[test]
    fn dates_and_flags_are_no_text() {
        for (declared, wanted) in [
            ("NVARCHAR(40)", Datatype::Text),
            ("DATETIME", Datatype::Numeric),
            ("BOOLEAN", Datatype::Numeric),
            ("BIGINT", Datatype::Integer),
            ("", Datatype::Any),
            ("BLOB", Datatype::Blob),
            ("DOUBLE PRECISION", Datatype::Real),
        ] {
            assert_eq!(datatype(declared), wanted, "{declared}");
        }
    }
}

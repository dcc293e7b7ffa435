//! A live schema, as a database tells it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Serialize;

use super::tokens::{TriggerEvent, index_text, is_strict};
use super::triggers::TriggerText;
use crate::data_map::{Check, Datatype, UniqueRule, Value};

/// A column as it is.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) datatype: Datatype,
    pub(crate) nullable: bool,
    pub(crate) max_chars: Option<u32>,
    pub(crate) computed: bool,
    /// The words of the expression that computes it.
    pub(crate) computed_from: Vec<String>,
    /// A row that says nothing of it gets a value: a default, or a number of its own.
    pub(crate) has_default: bool,
    /// How its values are compared; none where bytes are.
    pub(crate) collation: Option<String>,
    /// The CHECKs that name it and no other column.
    pub(crate) checks: Vec<Check>,
}

/// A foreign key of a table.
#[derive(Clone, Debug)]
pub(crate) struct ForeignKey {
    pub(crate) columns: Vec<String>,
    pub(crate) to_table: String,
    pub(crate) to_columns: Vec<String>,
    pub(crate) on_delete: OnDelete,
}

/// What the database does to a row when the row goes to which its foreign key leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OnDelete {
    Cascade,
    SetNull,
    SetDefault,
    /// It refuses.
    Nothing,
}

/// A unique index.
#[derive(Clone, Debug)]
pub(crate) struct UniqueIndex {
    pub(crate) name: String,
    /// As errors name it.
    pub(crate) rule: UniqueRule,
    /// The plain columns.
    pub(crate) columns: Vec<String>,
    /// Columns of which its expressions, its condition and its computed columns are made.
    pub(crate) through: Vec<String>,
    /// Columns in which NULL collides like a value: `coalesce(name, 'x')`.
    pub(crate) null_counts: Vec<String>,
    /// It holds for some of the rows only, or for expressions.
    pub(crate) partial: bool,
}

/// What the database holds several columns of a row to, asked with values for all of them.
#[derive(Clone)]
pub(crate) struct RowRule {
    /// As errors name it.
    pub(crate) text: String,
    /// The columns on which it depends, and no others.
    pub(crate) columns: Vec<String>,
    /// It refuses a second row that has the same.
    pub(crate) is_unique: bool,
    /// Whether it takes these values of the columns. None: nobody can tell.
    pub(crate) accepts: Arc<RowAccepts>,
}

/// The values are in the order of the columns.
pub(crate) type RowAccepts = dyn Fn(&[Value]) -> Option<bool> + Send + Sync;

impl std::fmt::Debug for RowRule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RowRule")
            .field("text", &self.text)
            .field("columns", &self.columns)
            .finish_non_exhaustive()
    }
}

/// A table as it is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    pub(crate) name: String,
    pub(crate) columns: Vec<Column>,
    pub(crate) primary_key: Vec<String>,
    /// The unique indexes, the primary key's left out.
    pub(crate) unique: Vec<UniqueIndex>,
    pub(crate) foreign_keys: Vec<ForeignKey>,
    pub(crate) triggers: Vec<Trigger>,
    /// The expressions of its CHECKs.
    pub(crate) checks: Vec<String>,
    /// The CHECKs of several columns, and the unique indexes that are no plain ones.
    pub(crate) rules: Vec<RowRule>,
    /// The columns with which indexes over all rows begin, in lower case.
    pub(crate) leading: BTreeSet<String>,
    /// It has no number of its own for each row.
    pub(crate) without_rowid: bool,
    /// The primary key is the row's own number.
    pub(crate) key_is_rowid: bool,
}

/// A trigger of a table.
#[derive(Clone, Debug)]
pub(crate) struct Trigger {
    pub(crate) name: String,
    pub(crate) event: Option<TriggerEvent>,
    /// The statement that made it.
    pub(crate) sql: String,
    /// The tables that it writes to, as it spells them.
    pub(crate) writes: Vec<String>,
    /// What it does to its own table.
    pub(crate) text: TriggerText,
}

/// A table that is no plain one.
#[derive(Clone, Debug)]
pub(crate) struct VirtualTable {
    pub(crate) name: String,
    /// `fts5`, `rtree` …
    pub(crate) module: String,
    /// The table of whose content it is an index, if it holds none of its own.
    pub(crate) content: Option<String>,
}

impl VirtualTable {
    pub(crate) fn is_full_text(&self) -> bool {
        matches!(self.module.as_str(), "fts3" | "fts4" | "fts5")
    }
}

impl UniqueIndex {
    /// The index of a table, from the statement that made it and its plain columns. Several expressions are in it if it has more
    /// parts than plain columns.
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
        // Of each expression and each computed column, the words.
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
        // What is computed may be computed of what is computed.
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

    /// Whether more than the values of its columns decide what collides.
    pub(crate) fn is_tangled(&self) -> bool {
        self.partial || !self.through.is_empty()
    }

    /// Whether a column is a part of it, or what one of its parts or its condition is made of.
    pub(crate) fn names(&self, column: &str) -> bool {
        self.columns.iter().chain(&self.through).any(|name| name.eq_ignore_ascii_case(column))
    }
}

impl Table {
    /// A column by name, in any case: SQL names are not case-sensitive.
    pub(crate) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name.eq_ignore_ascii_case(name))
    }

    /// The foreign key of just these columns, and where each of them leads.
    pub(crate) fn foreign_key(&self, columns: &[String]) -> Option<&ForeignKey> {
        self.foreign_keys.iter().find(|key| {
            key.columns.len() == columns.len()
                && key.columns.iter().zip(columns).all(|(of_key, asked)| of_key.eq_ignore_ascii_case(asked))
        })
    }

    /// Whether no two rows may hold the same value in a column, alone, together with others, or through a column
    /// that is computed of it.
    pub(crate) fn is_unique(&self, column: &str) -> bool {
        self.unique.iter().any(|index| index.names(column))
    }

    /// The columns from which a column is computed, directly or through other computed columns. The computed ones are left out.
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

    /// The columns by which a row can be named within a transaction: its number, or its primary key.
    pub(crate) fn handle(&self) -> Vec<String> {
        let number = ["rowid", "_rowid_", "oid"].into_iter().find(|name| self.column(name).is_none());
        match number {
            Some(number) if !self.without_rowid && !self.key_is_rowid => vec![number.to_owned()],
            _ => self.primary_key.clone(),
        }
    }

    /// The columns of the primary key and of each unique index that holds for every row.
    pub(crate) fn unique_columns(&self) -> Vec<Vec<String>> {
        let indexes = self.unique.iter().filter(|index| !index.partial).map(|index| index.columns.clone());
        indexes.chain((!self.primary_key.is_empty()).then(|| self.primary_key.clone())).collect()
    }

    /// Whether these columns tell the rows apart.
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
    /// Tables that are no plain ones, such as full-text indexes.
    pub(crate) others: Vec<VirtualTable>,
}

impl Schema {
    pub(crate) fn new(tables: impl IntoIterator<Item = Table>, others: Vec<VirtualTable>) -> Self {
        Self {
            others,
            tables: tables.into_iter().map(|table| (table.name.to_ascii_lowercase(), table)).collect(),
        }
    }

    /// Whether there is something of this name, a plain table or not.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.table(name).is_some() || self.virtual_table(name).is_some()
    }

    /// A table that is no plain one, by name, in any case.
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

/// The type that a column's declaration comes down to, by SQLite's rules of affinity, except that what comes down
/// to NUMERIC (dates, flags, decimals) and what is not declared are told apart.
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

/// The length that a declaration such as `VARCHAR(40)` names.
pub(crate) fn declared_chars(declared: &str) -> Option<u32> {
    let (kind, rest) = declared.split_once('(')?;
    let length = rest.split_once(')')?.0.trim();
    (datatype(kind) == Datatype::Text).then(|| length.parse().ok()).flatten()
}

/// The length to which a CHECK holds a column: `length(name) <= 40`, in the text of the table's own statement.
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

/// The number of `40 >=` or `41 >` at the end of a text.
fn least_before(text: &str) -> Option<u32> {
    let (text, less) = match text.strip_suffix(">=") {
        Some(text) => (text, 0),
        None => (text.strip_suffix('>')?, 1),
    };
    let digits =
        text.rfind(|c: char| !c.is_ascii_digit()).map_or(text, |at| text.get(at + 1..).unwrap_or(""));
    digits.parse::<u32>().ok()?.checked_sub(less)
}

/// Whether an SQL text names a column. A name of several words is looked for as a whole.
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

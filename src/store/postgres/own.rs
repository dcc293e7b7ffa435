//! The temporary tables and functions of a transaction.
//!
//! Nothing of the store lives longer than a transaction, so a pooler may give each transaction another connection. A
//! table or function is created when the first statement of a transaction names it. Tables disappear at the end of
//! the transaction. Functions are dropped before it commits.

use std::collections::{BTreeMap, BTreeSet};

/// The beginning of the statement that creates a temporary table. The name follows.
pub(super) const CREATE: &str = "CREATE TEMPORARY TABLE ";

/// The prefix of all names.
const OURS: &str = "pg_temp.relinquish_";

/// The functions that look up a result: a text, a truth value, a number, or a new value of a column.
pub(super) const TEXT: &str = "relinquish_text";
pub(super) const TRUE: &str = "relinquish_true";
pub(super) const NUMBER: &str = "relinquish_number";
pub(super) const VALUE: &str = "relinquish_value";
/// A text as a value of a column's type, or NULL.
pub(super) const AS: &str = "relinquish_as";
/// The table of results, by the digest of the question.
pub(super) const KNOWN: &str = "relinquish_known";
/// The table of questions without a result yet.
pub(super) const ASKED: &str = "relinquish_asked";

/// The name with its schema.
pub(super) fn spelled(name: &str) -> String {
    format!("pg_temp.{name}")
}

/// Whether a statement looks up results of Rust.
pub(super) fn is_computed(sql: &str) -> bool {
    named(sql).any(|name| matches!(name, TEXT | TRUE | NUMBER | VALUE))
}

/// The store's own tables and functions that a statement names.
fn named(sql: &str) -> impl Iterator<Item = &str> {
    sql.match_indices(OURS).filter_map(|(at, _)| {
        let name = sql.get(at + "pg_temp.".len()..)?;
        let end = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(name.len());
        name.get(..end)
    })
}

/// Something that a transaction creates.
#[derive(Clone, Debug)]
struct Own {
    create: String,
    /// What is created before it.
    needs: Vec<String>,
    /// The statement that drops it, if it would stay after the transaction.
    drop: Option<&'static str>,
}

/// Everything that transactions may create.
#[derive(Clone, Debug)]
pub(super) struct Owns(BTreeMap<String, Own>);

impl Default for Owns {
    fn default() -> Self {
        let of = |name: &str, create: &str, needs: &'static [&'static str], drop: Option<&'static str>| {
            let needs = needs.iter().map(|&name| name.to_owned()).collect();
            (name.to_owned(), Own { create: create.to_owned(), needs, drop })
        };
        Self(BTreeMap::from([
            of(
                KNOWN,
                "CREATE TEMPORARY TABLE relinquish_known (key bytea PRIMARY KEY, value text, failed boolean NOT NULL) \
                 ON COMMIT DROP",
                &[],
                None,
            ),
            of(
                ASKED,
                "CREATE TEMPORARY TABLE relinquish_asked (key bytea PRIMARY KEY, asked text) ON COMMIT DROP",
                &[],
                None,
            ),
            // The key is a digest, because an index cannot contain long texts. A question that failed before is
            // stored with NULL.
            of(
                TEXT,
                "CREATE FUNCTION pg_temp.relinquish_text(asked text) RETURNS text LANGUAGE plpgsql AS $own$
                 DECLARE place bytea := sha256(convert_to($1, 'UTF8')); result_of record;
                 BEGIN
                     SELECT k.value, k.failed INTO result_of FROM pg_temp.relinquish_known AS k WHERE k.key = place;
                     IF FOUND AND NOT result_of.failed THEN RETURN result_of.value; END IF;
                     INSERT INTO pg_temp.relinquish_asked VALUES (place, CASE WHEN result_of.failed THEN NULL ELSE $1 END)
                     ON CONFLICT DO NOTHING;
                     RETURN NULL;
                 END $own$",
                &[KNOWN, ASKED],
                Some("DROP FUNCTION pg_temp.relinquish_text(text)"),
            ),
            of(
                TRUE,
                "CREATE FUNCTION pg_temp.relinquish_true(asked text) RETURNS boolean LANGUAGE plpgsql AS
                 $own$ BEGIN RETURN pg_temp.relinquish_text($1)::boolean; END $own$",
                &[TEXT],
                Some("DROP FUNCTION pg_temp.relinquish_true(text)"),
            ),
            of(
                NUMBER,
                "CREATE FUNCTION pg_temp.relinquish_number(asked text) RETURNS bigint LANGUAGE plpgsql AS
                 $own$ BEGIN RETURN pg_temp.relinquish_text($1)::bigint; END $own$",
                &[TEXT],
                Some("DROP FUNCTION pg_temp.relinquish_number(text)"),
            ),
            // While the new value is unknown, the function returns the old one, because a domain may refuse NULL.
            of(
                VALUE,
                "CREATE FUNCTION pg_temp.relinquish_value(asked text, old anyelement) RETURNS anyelement LANGUAGE plpgsql AS
                 $own$
                 DECLARE place bytea := sha256(convert_to($1, 'UTF8')); result_of record; result old%TYPE := old;
                 BEGIN
                     SELECT k.value, k.failed INTO result_of FROM pg_temp.relinquish_known AS k WHERE k.key = place;
                     IF FOUND AND NOT result_of.failed THEN result := result_of.value; RETURN result; END IF;
                     INSERT INTO pg_temp.relinquish_asked VALUES (place, CASE WHEN result_of.failed THEN NULL ELSE $1 END)
                     ON CONFLICT DO NOTHING;
                     RETURN old;
                 END $own$",
                &[KNOWN, ASKED],
                Some("DROP FUNCTION pg_temp.relinquish_value(text, anyelement)"),
            ),
            // The function is `STABLE`, so that an index can be used. A UUID that is not spelled as the database
            // spells it is not a key.
            of(
                AS,
                "CREATE FUNCTION pg_temp.relinquish_as(value text, witness anyelement) RETURNS anyelement LANGUAGE plpgsql STABLE AS
                 $own$
                 DECLARE result witness%TYPE;
                 BEGIN
                     result := value;
                     IF pg_typeof(witness) = 'uuid'::regtype AND result::text <> value THEN RETURN NULL; END IF;
                     RETURN result;
                 EXCEPTION WHEN data_exception OR integrity_constraint_violation THEN RETURN NULL;
                 END $own$",
                &[],
                Some("DROP FUNCTION pg_temp.relinquish_as(text, anyelement)"),
            ),
        ]))
    }
}

impl Owns {
    /// Remembers how a table is created, if the statement creates one.
    pub(super) fn learn(&mut self, sql: &str) -> bool {
        let Some(rest) = sql.strip_prefix(CREATE) else { return false };
        let Some((name, _)) = rest.split_once(' ') else { return false };
        let needs = named(sql).filter(|needed| *needed != name).map(str::to_owned).collect();
        let create = Own { create: sql.to_owned(), needs, drop: None };
        self.0.insert(name.to_owned(), create);
        true
    }

    /// The statements that create what a statement names and the transaction does not have yet.
    pub(super) fn missing(&self, sql: &str, has: &mut BTreeSet<String>) -> Vec<&str> {
        let mut creates = Vec::new();
        for name in named(sql) {
            self.put(name, has, &mut creates);
        }
        creates
    }

    fn put<'o>(&'o self, name: &str, has: &mut BTreeSet<String>, creates: &mut Vec<&'o str>) {
        let Some(own) = self.0.get(name).filter(|_| !has.contains(name)) else { return };
        for needed in &own.needs {
            self.put(needed, has, creates);
        }
        has.insert(name.to_owned());
        creates.push(&own.create);
    }

    /// The statements that drop what would stay after the transaction.
    pub(super) fn drops(&self, has: &BTreeSet<String>) -> Vec<&'static str> {
        has.iter().filter_map(|name| self.0.get(name)?.drop).collect()
    }
}

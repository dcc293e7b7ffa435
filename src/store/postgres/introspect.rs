//! Reads the live schema of a PostgreSQL database.

use std::collections::{BTreeMap, BTreeSet};

use super::session::{PostgresSession, number_of};
use super::types;
use crate::data_map::{Check, Value};
use crate::store::sql::{
    Column, Fault, ForeignKey, OnDelete, Schema, Table, Trigger, TriggerEvent, TriggerText, UniqueIndex,
    checked_chars, constant,
};

/// The condition for the host's schemas.
const HOSTS: &str =
    "n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'";

/// A number that changes with every change of the schema, because each such change rewrites a row of the catalogue.
pub(super) fn version(session: &mut PostgresSession<'_>) -> Result<i64, Fault> {
    let of = |catalogue: &str, relation: &str| {
        format!(
            "SELECT c.oid::text || ' ' || x.tableoid::text || ' ' || md5(string_agg(x.xmin::text || ' ' || x.ctid::text, ',' ORDER BY x.ctid)) AS part
             FROM pg_catalog.{catalogue} AS x JOIN pg_catalog.pg_class AS c ON c.oid = x.{relation}
             JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace WHERE {HOSTS} AND c.relkind IN ('r', 'p')
             GROUP BY c.oid, x.tableoid"
        )
    };
    let parts = [
        format!(
            "SELECT c.oid::text || ' ' || c.xmin::text AS part FROM pg_catalog.pg_class AS c
             JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace WHERE {HOSTS} AND c.relkind IN ('r', 'p')"
        ),
        of("pg_attribute", "attrelid"),
        of("pg_constraint", "conrelid"),
        of("pg_index", "indrelid"),
        of("pg_trigger", "tgrelid"),
        of("pg_attrdef", "adrelid"),
        format!(
            "SELECT p.oid::text || ' ' || p.xmin::text FROM pg_catalog.pg_proc AS p
             JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
             WHERE {HOSTS} AND p.prorettype = 'pg_catalog.trigger'::regtype"
        ),
        format!(
            "SELECT t.oid::text || ' ' || t.xmin::text FROM pg_catalog.pg_type AS t
             JOIN pg_catalog.pg_namespace AS n ON n.oid = t.typnamespace WHERE {HOSTS} AND t.typtype IN ('d', 'e')"
        ),
        "SELECT e.oid::text || ' ' || e.xmin::text FROM pg_catalog.pg_enum AS e".to_owned(),
    ];
    let sql = format!(
        "SELECT md5(string_agg(part, ';' ORDER BY part)) FROM ({}) AS parts",
        parts.join(" UNION ALL ")
    );
    let rows = session.read(&sql, &[])?;
    Ok(rows.first().and_then(|row| row.first()).and_then(Value::as_text).map_or(0, number_of))
}

/// A row of the catalogue.
struct Read<'r>(&'r [Value]);

impl Read<'_> {
    fn number(&self, n: usize) -> i64 {
        match self.0.get(n) {
            Some(Value::Integer(number)) => *number,
            _ => 0,
        }
    }

    fn is(&self, n: usize) -> bool {
        self.number(n) != 0
    }

    fn maybe(&self, n: usize) -> Option<String> {
        self.0.get(n).and_then(Value::as_text).map(str::to_owned)
    }

    fn text(&self, n: usize) -> String {
        self.maybe(n).unwrap_or_default()
    }

    /// An array of texts, which is read as JSON. An element may be NULL.
    fn list(&self, n: usize) -> Vec<Option<String>> {
        serde_json::from_str(&self.text(n)).unwrap_or_default()
    }

    fn names(&self, n: usize) -> Vec<String> {
        self.list(n).into_iter().flatten().collect()
    }
}

fn each(
    session: &mut PostgresSession<'_>,
    sql: &str,
    mut read: impl FnMut(Read<'_>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    for row in session.read(sql, &[])? {
        read(Read(&row))?;
    }
    Ok(())
}

/// The tables by the number that the database gives them.
type Tables = BTreeMap<i64, Table>;

pub(super) fn schema(session: &mut PostgresSession<'_>) -> Result<Schema, Fault> {
    let mut tables = tables(session)?;
    let above = partitions(session)?;
    columns(session, &mut tables)?;
    indexes(session, &mut tables)?;
    checks(session, &mut tables)?;
    foreign_keys(session, &mut tables, &above)?;
    triggers(session, &mut tables)?;
    let mut seen: BTreeSet<String> = BTreeSet::new();
    for table in tables.values() {
        if !seen.insert(table.name.to_ascii_lowercase()) {
            return Err(Fault::Other(format!(
                "two tables have names that differ from {} only in upper and lower case, and a map cannot tell them apart; \
                 rename one of them, or leave its schema out of the search path",
                table.name
            )));
        }
    }
    Ok(Schema::new(tables.into_values(), Vec::new()))
}

/// Reads plain and partitioned tables. A partition is not a separate table: its rows belong to its parent.
fn tables(session: &mut PostgresSession<'_>) -> Result<Tables, Fault> {
    let mut tables = Tables::new();
    let sql = format!(
        "SELECT c.oid::bigint, n.nspname::text, c.relname::text, pg_catalog.pg_table_is_visible(c.oid)
         FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
         WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND {HOSTS}"
    );
    each(session, &sql, |row| {
        let (schema, name) = (row.text(1), row.text(2));
        let name = if row.is(3) { name } else { format!("{schema}.{name}") };
        let table = Table { name, without_rowid: true, ..Table::default() };
        tables.insert(row.number(0), table);
        Ok(())
    })?;
    Ok(tables)
}

/// The partitioned table of each partition.
fn partitions(session: &mut PostgresSession<'_>) -> Result<BTreeMap<i64, i64>, Fault> {
    let mut above = BTreeMap::new();
    let sql =
        "SELECT c.oid::bigint, pg_catalog.pg_partition_root(c.oid)::oid::bigint FROM pg_catalog.pg_class AS c
               WHERE c.relispartition AND c.relkind IN ('r', 'p')";
    each(session, sql, |row| {
        above.insert(row.number(0), row.number(1));
        Ok(())
    })?;
    Ok(above)
}

fn columns(session: &mut PostgresSession<'_>, tables: &mut Tables) -> Result<(), Fault> {
    let sql = format!(
        "WITH RECURSIVE base(oid, top, typmod, is_not_null) AS (
             SELECT t.oid, t.oid, -1, FALSE FROM pg_catalog.pg_type AS t
             UNION ALL
             SELECT base.oid, t.typbasetype, CASE WHEN t.typtypmod >= 0 THEN t.typtypmod ELSE base.typmod END,
                    base.is_not_null OR t.typnotnull
             FROM base JOIN pg_catalog.pg_type AS t ON t.oid = base.top WHERE t.typtype = 'd'
         )
         SELECT a.attrelid::bigint, a.attname::text, t.typname::text, t.typtype::text, t.typelem <> 0 AND t.typlen = -1,
                CASE WHEN base.typmod >= 0 THEN base.typmod ELSE a.atttypmod END,
                a.attnotnull OR base.is_not_null, a.atthasdef OR a.attidentity <> '', a.attgenerated <> '',
                pg_catalog.pg_get_expr(d.adbin, d.adrelid), pg_catalog.format_type(a.atttypid, a.atttypmod),
                (SELECT json_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_catalog.pg_enum AS e WHERE e.enumtypid = t.oid)
         FROM pg_catalog.pg_attribute AS a JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid
         JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
         JOIN base ON base.oid = a.atttypid JOIN pg_catalog.pg_type AS t ON t.oid = base.top AND t.typtype <> 'd'
         LEFT JOIN pg_catalog.pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
         WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p') AND {HOSTS} ORDER BY a.attrelid, a.attnum"
    );
    each(session, &sql, |row| {
        let Some(table) = tables.get_mut(&row.number(0)) else { return Ok(()) };
        let computed = row.is(8);
        let of = types::Declared {
            base: row.text(2),
            is_enum: row.text(3) == "e",
            is_array: row.is(4),
            labels: row.names(11),
            shown: row.text(10),
        };
        table.columns.push(Column {
            name: row.text(1),
            datatype: of.datatype(),
            nullable: !row.is(6),
            max_chars: of.max_chars(row.number(5)),
            computed,
            computed_from: if computed { words(&row.text(9)) } else { Vec::new() },
            has_default: row.is(7) && !computed,
            default: if computed { None } else { constant(&row.text(9)) },
            collation: None,
            checks: of.check().into_iter().collect(),
        });
        Ok(())
    })
}

fn indexes(session: &mut PostgresSession<'_>, tables: &mut Tables) -> Result<(), Fault> {
    let sql = format!(
        "SELECT i.indrelid::bigint, x.relname::text, i.indisprimary, i.indisunique, i.indpred IS NOT NULL,
                (SELECT json_agg(a.attname ORDER BY k.place)
                 FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, place)
                 LEFT JOIN pg_catalog.pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.attnum AND k.attnum > 0
                 WHERE k.place <= i.indnkeyatts),
                pg_catalog.pg_get_indexdef(i.indexrelid), m.amname = 'btree',
                coalesce((to_jsonb(i) ->> 'indnullsnotdistinct')::boolean, FALSE)
         FROM pg_catalog.pg_index AS i JOIN pg_catalog.pg_class AS x ON x.oid = i.indexrelid
         JOIN pg_catalog.pg_class AS c ON c.oid = i.indrelid JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
         JOIN pg_catalog.pg_am AS m ON m.oid = x.relam
         WHERE i.indisvalid AND {HOSTS} ORDER BY i.indrelid, i.indisprimary DESC, x.relname"
    );
    each(session, &sql, |row| {
        let Some(table) = tables.get_mut(&row.number(0)) else { return Ok(()) };
        let (parts, of_some) = (row.list(5), row.is(4));
        if row.is(7)
            && !of_some
            && let Some(Some(first)) = parts.first()
        {
            table.leading.insert(first.to_ascii_lowercase());
        }
        if row.is(2) {
            table.primary_key = parts.into_iter().flatten().collect();
        } else if row.is(3) {
            let mut index = UniqueIndex::new(table, &row.text(1), &row.text(6), parts, of_some);
            if row.is(8) {
                index.null_counts.clone_from(&index.columns);
            }
            table.unique.push(index);
        }
        Ok(())
    })?;
    // Without a primary key, a unique index without NULL is used as the key.
    for table in tables.values_mut().filter(|table| table.primary_key.is_empty()) {
        let is_there = |name: &String| table.column(name).is_some_and(|column| !column.nullable);
        let key = table.unique.iter().find(|index| !index.partial && index.columns.iter().all(is_there));
        table.primary_key = key.map(|index| index.columns.clone()).unwrap_or_default();
    }
    Ok(())
}

fn checks(session: &mut PostgresSession<'_>, tables: &mut Tables) -> Result<(), Fault> {
    let sql = format!(
        "SELECT k.conrelid::bigint, pg_catalog.pg_get_constraintdef(k.oid),
                (SELECT json_agg(a.attname) FROM pg_catalog.pg_attribute AS a
                 WHERE a.attrelid = k.conrelid AND a.attnum = ANY (k.conkey))
         FROM pg_catalog.pg_constraint AS k JOIN pg_catalog.pg_class AS c ON c.oid = k.conrelid
         JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
         WHERE k.contype = 'c' AND {HOSTS} ORDER BY k.conrelid, k.conname"
    );
    each(session, &sql, |row| {
        let Some(table) = tables.get_mut(&row.number(0)) else { return Ok(()) };
        let text = row.text(1);
        table.checks.push(text.strip_prefix("CHECK ").unwrap_or(&text).to_owned());
        let names = row.names(2);
        let [only] = names.as_slice() else { return Ok(()) };
        let Some(column) = table.columns.iter_mut().find(|column| column.name == *only) else {
            return Ok(());
        };
        column.max_chars = [column.max_chars, types::checked_length(&text, only)].into_iter().flatten().min();
        // Only the database can evaluate the expression.
        column.checks.push(Check::perhaps(text, |_| None));
        Ok(())
    })
}

fn foreign_keys(
    session: &mut PostgresSession<'_>,
    tables: &mut Tables,
    above: &BTreeMap<i64, i64>,
) -> Result<(), Fault> {
    let names = |relation: &str, key: &str| {
        format!(
            "(SELECT json_agg(a.attname ORDER BY k.place) FROM unnest(x.{key}) WITH ORDINALITY AS k(attnum, place)
              JOIN pg_catalog.pg_attribute AS a ON a.attrelid = x.{relation} AND a.attnum = k.attnum)"
        )
    };
    let sql = format!(
        "SELECT x.conrelid::bigint, x.confrelid::bigint, {}, {}, x.confdeltype::text
         FROM pg_catalog.pg_constraint AS x JOIN pg_catalog.pg_class AS c ON c.oid = x.conrelid
         JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
         WHERE x.contype = 'f' AND {HOSTS} AND (x.conparentid = 0 OR NOT c.relispartition) ORDER BY x.conrelid, x.conname",
        names("conrelid", "conkey"),
        names("confrelid", "confkey")
    );
    let mut keys: Vec<(i64, ForeignKey)> = Vec::new();
    each(session, &sql, |row| {
        let root = |table: i64| above.get(&table).copied().unwrap_or(table);
        let Some(to) = tables.get(&root(row.number(1))) else { return Ok(()) };
        let on_delete = match row.text(4).as_str() {
            "c" => OnDelete::Cascade,
            "n" => OnDelete::SetNull,
            "d" => OnDelete::SetDefault,
            _ => OnDelete::Nothing,
        };
        let (columns, to_columns) = (row.names(2), row.names(3));
        let key = ForeignKey { columns, to_table: to.name.clone(), to_columns, on_delete };
        let is_same = |(table, known): &(i64, ForeignKey)| {
            *table == root(row.number(0)) && known.columns == key.columns && known.to_table == key.to_table
        };
        // A key of a partitioned table occurs again for each partition.
        if !keys.iter().any(is_same) {
            keys.push((root(row.number(0)), key));
        }
        Ok(())
    })?;
    for (table, key) in keys {
        if let Some(table) = tables.get_mut(&table) {
            table.foreign_keys.push(key);
        }
    }
    Ok(())
}

fn triggers(session: &mut PostgresSession<'_>, tables: &mut Tables) -> Result<(), Fault> {
    let sql = format!(
        "SELECT t.tgrelid::bigint, t.tgname::text, t.tgtype::bigint, pg_catalog.pg_get_triggerdef(t.oid), p.prosrc
         FROM pg_catalog.pg_trigger AS t JOIN pg_catalog.pg_class AS c ON c.oid = t.tgrelid
         JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace JOIN pg_catalog.pg_proc AS p ON p.oid = t.tgfoid
         WHERE NOT t.tgisinternal AND t.tgenabled IN ('O', 'A') AND {HOSTS} ORDER BY t.tgrelid, t.tgname"
    );
    let names: BTreeMap<String, String> =
        tables.values().map(|table| (table.name.to_ascii_lowercase(), table.name.clone())).collect();
    each(session, &sql, |row| {
        let Some(table) = tables.get_mut(&row.number(0)) else { return Ok(()) };
        let (name, kind, body) = (row.text(1), row.number(2), row.text(4));
        let sql = format!("{} {body}", row.text(3));
        // The text of a function is only a hint. What the function really writes is checked before each commit.
        let mut writes: Vec<String> =
            written(&body).iter().filter_map(|name| names.get(&name.to_ascii_lowercase()).cloned()).collect();
        writes.sort();
        writes.dedup();
        let events = [(16, TriggerEvent::Update), (8, TriggerEvent::Delete), (4, TriggerEvent::Insert)];
        for (_, event) in events.into_iter().filter(|(bit, _)| kind & bit != 0) {
            table.triggers.push(Trigger {
                name: name.clone(),
                event: Some(event),
                sql: sql.clone(),
                writes: writes.clone(),
                text: TriggerText::default(),
            });
        }
        Ok(())
    })
}

/// The words of a text: names as they are stored, and signs.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let mut word = String::new();
        if c == '"' {
            word.extend(std::iter::from_fn(|| rest.next_if(|c| *c != '"')));
            rest.next();
        } else if c.is_alphanumeric() || c == '_' {
            word.extend(c.to_lowercase());
            while let Some(c) = rest.next_if(|c| c.is_alphanumeric() || matches!(c, '_' | '$')) {
                word.extend(c.to_lowercase());
            }
        } else if c == '.' {
            word.push(c);
        } else {
            continue;
        }
        words.push(word);
    }
    words
}

/// The tables to which the statements of a function write, as the function spells them: `name`, and `schema.name` if
/// there is a schema.
fn written(body: &str) -> Vec<String> {
    let words = words(body);
    let mut tables = Vec::new();
    for (n, word) in words.iter().enumerate() {
        let at = |offset: usize| words.get(n + offset).map(String::as_str);
        let start = match (word.as_str(), at(1)) {
            ("insert", Some("into")) | ("delete", Some("from")) | ("update", Some("only")) => 2,
            ("update", Some(_)) => 1,
            _ => continue,
        };
        let start = if at(start) == Some("only") { start + 1 } else { start };
        let Some(first) = at(start) else { continue };
        tables.push(first.to_owned());
        if at(start + 1) == Some(".")
            && let Some(second) = at(start + 2)
        {
            tables.extend([second.to_owned(), format!("{first}.{second}")]);
        }
    }
    tables
}

/// The length limit in a CHECK, in the spelling of PostgreSQL.
pub(super) fn limit_in(text: &str, column: &str) -> Option<u32> {
    checked_chars(text, column)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_of_a_function_are_found_wherever_its_statements_stand() {
        let body = "BEGIN IF TG_OP = 'UPDATE' THEN INSERT INTO audit.\"Log\" (what) VALUES (OLD.name); ELSE
                    UPDATE ONLY totals SET n = n - 1; DELETE FROM seen WHERE id = OLD.id; END IF; RETURN NEW; END";
        let tables = written(body);
        for table in ["audit.Log", "Log", "totals", "seen"] {
            assert!(tables.iter().any(|name| name == table), "{table}: {tables:?}");
        }
    }
}

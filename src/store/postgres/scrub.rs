//! Removes old bytes from the database's files.

use super::session::PostgresSession;
use crate::data_map::Value;
use crate::store::sql::{Bound, Fault, Trouble};

/// Writes each mapped table and its indexes anew, gathers their statistics again, writes the statistics anew as well,
/// and flushes what was written.
///
/// PostgreSQL itself only warns a role that may not do this, so it is checked first.
pub(super) fn scrub(session: &mut PostgresSession<'_>, bound: &Bound) -> Result<(), Trouble> {
    let mut names: Vec<String> = bound.classes.iter().map(|class| bound.table(&class.table)).collect();
    names.sort();
    names.dedup();
    let list = Value::Text(serde_json::Value::from(names.clone()).to_string());
    // With the partitions, and the schema of each.
    let rows = session.within(|session| {
        session.read(
            "WITH RECURSIVE own(oid) AS (
                 SELECT to_regclass(name)::oid FROM jsonb_array_elements_text($1::jsonb) AS name
                 UNION SELECT i.inhrelid FROM own JOIN pg_catalog.pg_inherits AS i ON i.inhparent = own.oid
             )
             SELECT format('%I.%I', n.nspname, c.relname), pg_catalog.pg_has_role(c.relowner, 'USAGE')
             FROM own JOIN pg_catalog.pg_class AS c ON c.oid = own.oid JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
             WHERE c.relkind = 'r' ORDER BY 1",
            &[list],
        )
    })?;
    let mut tables = Vec::with_capacity(rows.len());
    for row in rows {
        let [Value::Text(table), Value::Integer(owns)] = row.as_slice() else { continue };
        if *owns == 0 {
            let what = format!(
                "only the owner of {table} may write it anew, and this role is not; let the owner run VACUUM (FULL, ANALYZE) \
                 {table}"
            );
            return Err(Fault::Other(what).into());
        }
        tables.push(table.clone());
    }
    let may = may(session)?;
    if !may.clean_statistics {
        let what = "the statistics of the planner keep samples of old values, and only the owner of the database may write \
                    them anew; let the owner run VACUUM FULL pg_catalog.pg_statistic after a VACUUM (FULL, ANALYZE) of the \
                    mapped tables";
        return Err(Fault::Other(what.to_owned()).into());
    }
    for table in tables {
        session.alone(&format!("VACUUM (FULL, ANALYZE) {table}"))?;
    }
    for statistics in ["pg_statistic", "pg_statistic_ext_data"] {
        session.alone(&format!("VACUUM (FULL) pg_catalog.{statistics}"))?;
    }
    if may.flush {
        session.alone("CHECKPOINT")?;
    }
    Ok(())
}

/// What the role may do beside the mapped tables.
struct May {
    clean_statistics: bool,
    flush: bool,
}

fn may(session: &mut PostgresSession<'_>) -> Result<May, Fault> {
    let rows = session.within(|session| {
        let sql = "SELECT r.rolsuper OR pg_catalog.pg_has_role(d.datdba, 'USAGE'),
                          r.rolsuper OR coalesce((SELECT pg_catalog.pg_has_role(p.oid, 'USAGE') FROM pg_catalog.pg_roles AS p
                                                  WHERE p.rolname = 'pg_checkpoint'), FALSE)
                   FROM pg_catalog.pg_roles AS r, pg_catalog.pg_database AS d
                   WHERE r.rolname = current_user AND d.datname = current_database()";
        session.read(sql, &[])
    })?;
    let is = |n: usize| rows.first().is_some_and(|row| row.get(n) == Some(&Value::Integer(1)));
    Ok(May { clean_statistics: is(0), flush: is(1) })
}

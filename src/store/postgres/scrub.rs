//! Removes old bytes from the database's files.

use std::time::{Duration, Instant};

use super::session::PostgresSession;
use crate::data_map::Value;
use crate::store::sql::{Bound, Fault, Trouble};

/// How many times a table is rewritten at most.
const REWRITES: u32 = 10;
/// How long the scrub waits for other transactions.
const PATIENCE: Duration = Duration::from_secs(30);

/// Rewrites each mapped table and its indexes, gathers their statistics again, rewrites the statistics too, and
/// flushes everything to disk.
///
/// PostgreSQL only gives a warning to a role without the right to do this. So the rights are checked first.
pub(super) fn scrub(session: &mut PostgresSession<'_>, bound: &Bound) -> Result<(), Trouble> {
    let mut names: Vec<String> = bound.classes.iter().map(|class| bound.table(&class.table)).collect();
    names.sort();
    names.dedup();
    let list = Value::Text(serde_json::Value::from(names.clone()).to_string());
    // The mapped tables and their partitions, each with its schema.
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
    if !may.see_others {
        let what = "whether another transaction still sees old rows is only shown to members of pg_read_all_stats; grant it to \
                    this role";
        return Err(Fault::Other(what.to_owned()).into());
    }
    if !may.clean_statistics {
        let what = "the statistics of the planner keep samples of old values, and only the owner of the database may write \
                    them anew; let the owner run VACUUM FULL pg_catalog.pg_statistic after a VACUUM (FULL, ANALYZE) of the \
                    mapped tables";
        return Err(Fault::Other(what.to_owned()).into());
    }
    for table in tables {
        rewrite(session, &table)?;
    }
    // The new statistics have replaced the old ones. No count shows whether old rows were left, so this is done
    // twice.
    for statistics in ["pg_statistic", "pg_statistic_ext_data", "pg_statistic", "pg_statistic_ext_data"] {
        wait_for_others(session)?;
        session.alone(&format!("VACUUM (FULL) pg_catalog.{statistics}"))?;
    }
    if may.flush {
        session.alone("CHECKPOINT")?;
    }
    Ok(())
}

/// Rewrites a table until no old row was copied. A new connection, which is not shown anywhere yet, may also keep old
/// rows alive. ANALYZE counts the old rows that are left.
fn rewrite(session: &mut PostgresSession<'_>, table: &str) -> Result<(), Fault> {
    for _ in 0..REWRITES {
        wait_for_others(session)?;
        session.alone(&format!("VACUUM (FULL, ANALYZE) {table}"))?;
        let rows = session.within(|session| {
            let sql = "SELECT pg_catalog.pg_stat_get_dead_tuples(to_regclass($1::text)::oid)";
            session.read(sql, &[Value::from(table)])
        })?;
        if rows.first().and_then(|row| row.first()) == Some(&Value::Integer(0)) {
            return Ok(());
        }
    }
    Err(Fault::Busy)
}

/// Waits until no other transaction can still see erased rows. Until then PostgreSQL copies old rows. A writing
/// transaction in another database of the server counts as well, because new snapshots depend on it.
fn wait_for_others(session: &mut PostgresSession<'_>) -> Result<(), Fault> {
    let sql = "SELECT pg_current_xact_id()::text";
    let rows = session.within(|session| session.read(sql, &[]))?;
    let number = rows.first().and_then(|row| row.first()).cloned().unwrap_or(Value::Null);
    let until = Instant::now() + PATIENCE;
    loop {
        let rows = session.within(|session| {
            session.read(
                "SELECT pg_snapshot_xmin(pg_current_snapshot()) <= $1::text::xid8 OR EXISTS (
                     SELECT 1 FROM pg_catalog.pg_stat_activity AS a
                     WHERE a.pid <> pg_backend_pid() AND coalesce(a.datname = current_database(), TRUE)
                       AND greatest(age(a.backend_xid), age(a.backend_xmin)) > age($1::text::xid8::xid)
                     UNION ALL SELECT 1 FROM pg_catalog.pg_prepared_xacts AS p
                     WHERE p.database = current_database() AND age(p.transaction) > age($1::text::xid8::xid)
                     UNION ALL SELECT 1 FROM pg_catalog.pg_replication_slots AS s
                     WHERE greatest(age(s.xmin), age(s.catalog_xmin)) > age($1::text::xid8::xid)
                 )",
                std::slice::from_ref(&number),
            )
        })?;
        if rows.first().and_then(|row| row.first()) == Some(&Value::Integer(0)) {
            return Ok(());
        }
        if Instant::now() > until {
            return Err(Fault::Busy);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The rights of the role outside the mapped tables.
struct May {
    clean_statistics: bool,
    flush: bool,
    see_others: bool,
}

fn may(session: &mut PostgresSession<'_>) -> Result<May, Fault> {
    let rows = session.within(|session| {
        let sql = "SELECT r.rolsuper OR pg_catalog.pg_has_role(d.datdba, 'USAGE'),
                          r.rolsuper OR coalesce((SELECT pg_catalog.pg_has_role(p.oid, 'USAGE') FROM pg_catalog.pg_roles AS p
                                                  WHERE p.rolname = 'pg_checkpoint'), FALSE),
                          r.rolsuper OR pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE')
                   FROM pg_catalog.pg_roles AS r, pg_catalog.pg_database AS d
                   WHERE r.rolname = current_user AND d.datname = current_database()";
        session.read(sql, &[])
    })?;
    let is = |n: usize| rows.first().is_some_and(|row| row.get(n) == Some(&Value::Integer(1)));
    Ok(May { clean_statistics: is(0), flush: is(1), see_others: is(2) })
}

//! The entries: numbered without gaps, and never changed.

use std::collections::btree_map::Entry as Slot;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::book::{self, Locked, limit, number, seq_of};
use super::connection::{Transaction, Trouble};
use crate::digest::Digest;
use crate::ledger::{Circumstances, ClosedCase, Entry, EntryBody, EntryKey, Fence, Find, LedgerError};
use crate::plan::CaseId;

const READING: &str = "reading the ledger";

/// Adds one entry per case, and deletes the cases from the case book.
pub(super) async fn close(
    on: &Transaction,
    fence: Fence,
    cases: &[Arc<ClosedCase>],
) -> Result<Vec<Entry>, Trouble> {
    let of: Vec<&str> = cases.iter().map(|case| case.case.as_str()).collect();
    let locked = Locked::of(on, &of).await?;
    // Read only after the lock, because another worker may have closed a case while this transaction waited.
    let mut closed = closed(on, &of).await?;
    let (mut new, mut seen) = (Vec::new(), BTreeSet::new());
    for case in cases {
        if !closed.contains_key(case.case.as_str()) && seen.insert(&case.case) {
            locked.is_ours(fence, &case.case)?;
            new.push(EntryBody::Closed(Arc::clone(case)));
        }
    }
    for entry in add(on, new).await? {
        if let Some(case) = entry.closed() {
            closed.insert(case.case.as_str().to_owned(), entry.clone());
        }
    }
    book::wipe(on, fence, &of).await?;
    let entries = of.iter().filter_map(|case| closed.get(*case).cloned());
    Ok(entries.collect())
}

pub(super) async fn append(on: &Transaction, entries: &[EntryBody]) -> Result<Vec<Entry>, Trouble> {
    add(on, entries.to_vec()).await
}

/// The rows of entries to add, by column.
#[derive(Default)]
struct Adding<'e> {
    numbers: Vec<i64>,
    cases: Vec<Option<&'e str>>,
    bodies: Vec<String>,
    besides: Vec<Option<&'e str>>,
    under: Vec<Option<String>>,
    keys: Vec<Vec<u8>>,
    /// The number of the entry, for each key.
    of: Vec<i64>,
}

/// Appends entries.
async fn add(on: &Transaction, bodies: Vec<EntryBody>) -> Result<Vec<Entry>, Trouble> {
    if bodies.is_empty() {
        return Ok(Vec::new());
    }
    let count = limit(bodies.len());
    // The row with the last number stays locked until the end of the transaction, so that the numbers have no gaps.
    let sql = "UPDATE head SET last = last + $1 RETURNING last";
    let rows = on.rows(sql, &[(&count, Type::INT8)]).await?;
    let row = rows.first().ok_or(LedgerError::Corrupt { doing: "appending entries" })?;
    let last: i64 = row.try_get(0)?;
    let mut rows = Adding::default();
    let mut circumstances = BTreeMap::new();
    for (seq, body) in (last - count + 1..).zip(&bodies) {
        let case = body.closed();
        if let Some(case) = case
            && let Slot::Vacant(vacant) = circumstances.entry(case.circumstances().to_string())
        {
            vacant.insert(case.under().to_text()?);
        }
        rows.numbers.push(seq);
        rows.cases.push(case.map(|case| case.case.as_str()));
        rows.bodies.push(body.to_text()?);
        rows.besides.push(body.beside());
        rows.under.push(case.map(|case| case.circumstances().to_string()));
        for key in body.keys() {
            rows.keys.push(key.as_bytes().to_vec());
            rows.of.push(seq);
        }
    }
    let named: Vec<&String> = circumstances.keys().collect();
    let (texts, besides): (Vec<&String>, Vec<Option<&String>>) =
        circumstances.values().map(|(text, beside)| (text, beside.as_ref())).unzip();
    let sql = "INSERT INTO circumstances (digest, body, beside) SELECT * FROM unnest($1, $2, $3) ON CONFLICT DO NOTHING";
    on.rows(sql, &[(&named, Type::TEXT_ARRAY), (&texts, Type::TEXT_ARRAY), (&besides, Type::TEXT_ARRAY)])
        .await?;
    let sql =
        "INSERT INTO entry (seq, case_id, body, beside, under) SELECT * FROM unnest($1, $2, $3, $4, $5)";
    on.rows(
        sql,
        &[
            (&rows.numbers, Type::INT8_ARRAY),
            (&rows.cases, Type::TEXT_ARRAY),
            (&rows.bodies, Type::TEXT_ARRAY),
            (&rows.besides, Type::TEXT_ARRAY),
            (&rows.under, Type::TEXT_ARRAY),
        ],
    )
    .await?;
    let sql = "INSERT INTO entry_key (key, seq) SELECT * FROM unnest($1, $2) ON CONFLICT DO NOTHING";
    on.rows(sql, &[(&rows.keys, Type::BYTEA_ARRAY), (&rows.of, Type::INT8_ARRAY)]).await?;
    let numbers = std::mem::take(&mut rows.numbers);
    drop(rows);
    let entry = |(seq, body)| Ok(Entry { seq: seq_of(seq, "appending entries")?, body });
    numbers.into_iter().zip(bodies).map(entry).collect()
}

/// The entries of closed cases, by case.
async fn closed(on: &Transaction, cases: &[&str]) -> Result<HashMap<String, Entry>, Trouble> {
    let sql = "SELECT seq, body, beside, under FROM entry WHERE case_id = ANY($1)";
    let rows = on.rows(sql, &[(&cases, Type::TEXT_ARRAY)]).await?;
    let entries = read(on, &rows).await?.into_iter();
    let named = entries.filter_map(|entry| Some((entry.closed()?.case.as_str().to_owned(), entry)));
    Ok(named.collect())
}

/// The entries of rows with number, text, openings and the digest of the circumstances.
async fn read(on: &Transaction, rows: &[Row]) -> Result<Vec<Entry>, Trouble> {
    let under: BTreeSet<Option<&str>> = rows.iter().map(|row| row.try_get(3)).collect::<Result<_, _>>()?;
    let under: Vec<&str> = under.into_iter().flatten().collect();
    let mut circumstances = BTreeMap::<String, Arc<Circumstances>>::new();
    if !under.is_empty() {
        let sql = "SELECT digest, body, beside FROM circumstances WHERE digest = ANY($1)";
        for row in on.rows(sql, &[(&under, Type::TEXT_ARRAY)]).await? {
            let read = Circumstances::from_text(row.try_get(1)?, row.try_get(2)?)?;
            circumstances.insert(row.try_get(0)?, Arc::new(read));
        }
    }
    let mut entries = Vec::with_capacity(rows.len());
    for row in rows {
        let find = |digest: Digest| Ok(circumstances.get(&digest.to_string()).cloned());
        let body = EntryBody::from_text::<LedgerError>(row.try_get(1)?, row.try_get(2)?, find)?;
        entries.push(Entry { seq: seq_of(row.try_get(0)?, READING)?, body });
    }
    Ok(entries)
}

pub(super) async fn page(on: &Transaction, after: u64, most: usize) -> Result<Vec<Entry>, Trouble> {
    let sql = "SELECT seq, body, beside, under FROM entry WHERE seq > $1 ORDER BY seq LIMIT $2";
    let (after, most) = (number(after), limit(most));
    read(on, &on.rows(sql, &[(&after, Type::INT8), (&most, Type::INT8)]).await?).await
}

pub(super) async fn of_case(on: &Transaction, case: &CaseId) -> Result<Option<Entry>, Trouble> {
    Ok(closed(on, &[case.as_str()]).await?.into_values().next())
}

pub(super) async fn find(on: &Transaction, find: &Find) -> Result<Vec<Entry>, Trouble> {
    let keys: Vec<&[u8]> = find.keys.iter().map(EntryKey::as_bytes).collect();
    let order = if find.last_first { "DESC" } else { "ASC" };
    let sql = format!(
        "SELECT seq, body, beside, under FROM entry
         WHERE seq IN (SELECT seq FROM entry_key WHERE key = ANY($1) AND seq > $2) ORDER BY seq {order} LIMIT $3"
    );
    let (after, most) = (number(find.after), limit(find.limit));
    let parameters = [(&keys as _, Type::BYTEA_ARRAY), (&after as _, Type::INT8), (&most as _, Type::INT8)];
    read(on, &on.rows(&sql, &parameters).await?).await
}

pub(super) async fn last(on: &Transaction) -> Result<u64, Trouble> {
    let rows = on.rows("SELECT last FROM head", &[]).await?;
    let row = rows.first().ok_or(LedgerError::Corrupt { doing: READING })?;
    Ok(seq_of(row.try_get(0)?, READING)?)
}

//! The case book: open cases, their claims and their events.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::connection::{Transaction, Trouble};
use crate::digest::Digest;
use crate::ledger::lease_clock::LeaseClock;
use crate::ledger::parts::{Own, Shared};
use crate::ledger::{
    CaseEvent, Claimed, Fence, Lease, LedgerError, ListedCase, NewCase, Opened, OpenedCases, SavedCase, Task,
    WorkerId,
};
use crate::plan::CaseId;
use crate::treatment::Treatment;

pub(super) fn to_json<T: Serialize>(value: &T, doing: &'static str) -> Result<String, LedgerError> {
    let failed = |error: serde_json::Error| LedgerError::Failed { doing, what: error.to_string() };
    serde_json::to_string(value).map_err(failed)
}

/// Reads JSON that the ledger wrote. Other JSON means that another program wrote it.
pub(super) fn from_json<T: DeserializeOwned>(text: &str, doing: &'static str) -> Result<T, LedgerError> {
    serde_json::from_str(text).map_err(|_| LedgerError::Corrupt { doing })
}

pub(super) fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) fn limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

pub(super) fn seq_of(seq: i64, doing: &'static str) -> Result<u64, LedgerError> {
    u64::try_from(seq).map_err(|_| LedgerError::Corrupt { doing })
}

fn ids<'c>(cases: impl IntoIterator<Item = &'c CaseId>) -> Vec<&'c str> {
    cases.into_iter().map(CaseId::as_str).collect()
}

/// Milliseconds of the lease clock: the server's own clock, unless the host set another.
async fn now(on: &Transaction, clock: Option<&LeaseClock>) -> Result<i64, Trouble> {
    if let Some(clock) = clock {
        return Ok(clock.millis());
    }
    let rows = on.rows("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint", &[]).await?;
    let row = rows.first().ok_or(LedgerError::Corrupt { doing: "reading the server's clock" })?;
    Ok(row.try_get(0)?)
}

/// Inserts a new claim. The server counts the claims.
async fn new_claim(on: &Transaction, lease: &Lease, now: i64) -> Result<i64, Trouble> {
    let lasts = i64::try_from(lease.lasts.as_millis()).unwrap_or(i64::MAX);
    let (worker, until) = (lease.worker.as_str(), now.saturating_add(lasts));
    let sql = "INSERT INTO claim (worker, lasts, until) VALUES ($1, $2, $3) RETURNING fence";
    let rows = on.rows(sql, &[(&worker, Type::TEXT), (&lasts, Type::INT8), (&until, Type::INT8)]).await?;
    let row = rows.first().ok_or(LedgerError::Corrupt { doing: "claiming cases" })?;
    Ok(row.try_get(0)?)
}

/// Deletes claims that have no case any more.
async fn drop_claims(on: &Transaction, fences: &[i64]) -> Result<(), Trouble> {
    let sql = "DELETE FROM claim WHERE fence = ANY($1)
        AND NOT EXISTS (SELECT FROM open_case WHERE open_case.fence = claim.fence)";
    on.rows(sql, &[(&fences, Type::INT8_ARRAY)]).await?;
    Ok(())
}

/// Open cases with their claims, locked until the end of the transaction. They are locked in the order of their ids,
/// to avoid deadlocks.
pub(super) struct Locked {
    fences: HashMap<String, Option<i64>>,
}

impl Locked {
    pub(super) async fn of(on: &Transaction, cases: &[&str]) -> Result<Self, Trouble> {
        let sql = "SELECT id, fence FROM open_case WHERE id = ANY($1) ORDER BY id FOR UPDATE";
        Self::read(&on.rows(sql, &[(&cases, Type::TEXT_ARRAY)]).await?)
    }

    /// Does the same as `of`, but skips the cases that another transaction has locked.
    async fn of_free(on: &Transaction, cases: &[&str]) -> Result<Self, Trouble> {
        let sql = "SELECT id, fence FROM open_case WHERE id = ANY($1) ORDER BY id FOR UPDATE SKIP LOCKED";
        Self::read(&on.rows(sql, &[(&cases, Type::TEXT_ARRAY)]).await?)
    }

    fn read(rows: &[Row]) -> Result<Self, Trouble> {
        let pair = |row: &Row| Ok((row.try_get(0)?, row.try_get(1)?));
        Ok(Self { fences: rows.iter().map(pair).collect::<Result<_, Trouble>>()? })
    }

    /// Checks that a claim holds a case.
    pub(super) fn is_ours(&self, fence: Fence, case: &CaseId) -> Result<(), LedgerError> {
        match self.fences.get(case.as_str()) {
            None => Err(LedgerError::NoSuchCase { case: case.clone() }),
            Some(held) if *held == Some(number(fence.get())) => Ok(()),
            Some(_) => Err(LedgerError::LostClaim { case: case.clone() }),
        }
    }
}

/// Claims open cases, unless another worker has claimed them. Returns the claimed cases.
async fn take(
    on: &Transaction,
    cases: &[&str],
    lease: &Lease,
    now: i64,
    fence: i64,
) -> Result<BTreeSet<String>, Trouble> {
    let locked = Locked::of_free(on, cases).await?;
    let before: Vec<i64> = locked.fences.values().filter_map(|fence| *fence).collect();
    // A separate statement after the lock, because it has to see the present claims of the locked cases.
    let sql = "SELECT fence FROM claim WHERE fence = ANY($1) AND until > $2 AND worker <> $3";
    let worker = lease.worker.as_str();
    let parameters = [(&before as _, Type::INT8_ARRAY), (&now as _, Type::INT8), (&worker as _, Type::TEXT)];
    let rows = on.rows(sql, &parameters).await?;
    let held: BTreeSet<i64> = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    let is_free = |fence: &Option<i64>| fence.is_none_or(|fence| !held.contains(&fence));
    let free = locked.fences.into_iter().filter(|(_, fence)| is_free(fence));
    let taken: BTreeSet<String> = free.map(|(id, _)| id).collect();
    let of: Vec<&str> = taken.iter().map(String::as_str).collect();
    let sql = "UPDATE open_case SET fence = $1 WHERE id = ANY($2)";
    on.rows(sql, &[(&fence, Type::INT8), (&of, Type::TEXT_ARRAY)]).await?;
    drop_claims(on, &before).await?;
    Ok(taken)
}

/// The rows of cases to open, by column.
#[derive(Default)]
struct Opening<'c> {
    ids: Vec<&'c str>,
    holds: Vec<String>,
    own: Vec<String>,
    plans: Vec<&'c [u8]>,
    /// The terms of each case, by digest.
    terms: Vec<String>,
}

pub(super) async fn open(
    on: &Transaction,
    clock: Option<&LeaseClock>,
    cases: &[NewCase],
    lease: &Lease,
) -> Result<OpenedCases, Trouble> {
    let doing = "opening cases";
    let now = now(on, clock).await?;
    let fence = new_claim(on, lease, now).await?;
    let (mut treatments, mut terms) = (BTreeMap::new(), BTreeMap::new());
    let digests: Vec<Digest> = cases.iter().map(|case| case.task.digest()).collect();
    let mut rows = Opening::default();
    let mut last: Option<(&NewCase, String)> = None;
    for (case, digest) in cases.iter().zip(&digests) {
        let shared = match last {
            Some((before, shared)) if before.shares_terms(case) => shared,
            _ => {
                if let Task::Erasure(erasure) = &case.task {
                    let digest = erasure.binding.treatment_digest().to_string();
                    treatments.insert(digest, to_json(&*erasure.treatment, doing)?);
                }
                let body = to_json(&Shared::of(case), doing)?;
                let digest = Digest::of_bytes(body.as_bytes()).to_string();
                terms.insert(digest.clone(), body);
                digest
            }
        };
        rows.ids.push(case.id.as_str());
        rows.holds.push(case.task.unique_key());
        rows.own.push(to_json(&Own::of(case), doing)?);
        rows.plans.push(digest.as_bytes().as_slice());
        rows.terms.push(shared.clone());
        last = Some((case, shared));
    }
    put(
        on,
        "INSERT INTO treatment (digest, body) SELECT * FROM unnest($1, $2) ON CONFLICT DO NOTHING",
        &treatments,
    )
    .await?;
    // The update locks terms that exist already, so that no other transaction deletes them in between.
    let sql = "INSERT INTO terms (digest, body) SELECT * FROM unnest($1, $2)
        ON CONFLICT (digest) DO UPDATE SET body = EXCLUDED.body";
    put(on, sql, &terms).await?;
    let sql = "INSERT INTO open_case (id, holds, own, plan, terms, fence)
        SELECT id, holds, own, plan, terms, $6 FROM unnest($1, $2, $3, $4, $5) AS of (id, holds, own, plan, terms)
        ORDER BY holds, id ON CONFLICT DO NOTHING RETURNING id";
    let inserted = on
        .rows(
            sql,
            &[
                (&rows.ids, Type::TEXT_ARRAY),
                (&rows.holds, Type::TEXT_ARRAY),
                (&rows.own, Type::TEXT_ARRAY),
                (&rows.plans, Type::BYTEA_ARRAY),
                (&rows.terms, Type::TEXT_ARRAY),
                (&fence, Type::INT8),
            ],
        )
        .await?;
    let inserted: BTreeSet<String> = inserted.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    let mut answers = vec![Opened::Open; cases.len()];
    if inserted.len() < cases.len() {
        let holders = holders(on, &rows).await?;
        let mut again = Vec::new();
        for ((case, holds), answer) in cases.iter().zip(&rows.holds).zip(&mut answers) {
            if inserted.contains(case.id.as_str()) {
                continue;
            }
            match holders.get(holds) {
                Some(holder) if holder == case.id.as_str() => again.push(case.id.as_str()),
                Some(holder) => *answer = Opened::Conflict { case: CaseId::new(holder.clone()) },
                None if holders.values().any(|holder| holder == case.id.as_str()) => {
                    let what = format!("another case has the id {}", case.id);
                    return Err(LedgerError::Failed { doing, what }.into());
                }
                // The conflicting case was closed in the meantime.
                None => return Err(Trouble::Overtaken),
            }
        }
        take(on, &again, lease, now, fence).await?;
    }
    drop_claims(on, &[fence]).await?;
    drop_terms(on, &terms.into_keys().collect::<Vec<_>>()).await?;
    Ok(OpenedCases { fence: Fence::new(seq_of(fence, doing)?), cases: answers })
}

/// Inserts texts under their digests.
async fn put(on: &Transaction, sql: &str, texts: &BTreeMap<String, String>) -> Result<(), Trouble> {
    let (digests, bodies): (Vec<&String>, Vec<&String>) = texts.iter().unzip();
    on.rows(sql, &[(&digests, Type::TEXT_ARRAY), (&bodies, Type::TEXT_ARRAY)]).await?;
    Ok(())
}

/// The open cases with these unique keys or ids, by unique key.
async fn holders(on: &Transaction, rows: &Opening<'_>) -> Result<HashMap<String, String>, Trouble> {
    let sql = "SELECT holds, id FROM open_case WHERE holds = ANY($1) OR id = ANY($2)";
    let found = on.rows(sql, &[(&rows.holds, Type::TEXT_ARRAY), (&rows.ids, Type::TEXT_ARRAY)]).await?;
    found.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

/// Deletes terms that no open case uses any more.
async fn drop_terms(on: &Transaction, digests: &[String]) -> Result<(), Trouble> {
    let sql = "DELETE FROM terms WHERE digest = ANY($1)
        AND NOT EXISTS (SELECT FROM open_case WHERE open_case.terms = terms.digest)";
    on.rows(sql, &[(&digests, Type::TEXT_ARRAY)]).await?;
    Ok(())
}

pub(super) async fn claim(
    on: &Transaction,
    clock: Option<&LeaseClock>,
    cases: &[CaseId],
    lease: &Lease,
) -> Result<Claimed, Trouble> {
    let now = now(on, clock).await?;
    let fence = new_claim(on, lease, now).await?;
    let asked = ids(cases);
    let taken = take(on, &asked, lease, now, fence).await?;
    drop_claims(on, &[fence]).await?;
    let rows = on.rows("SELECT id FROM open_case WHERE id = ANY($1)", &[(&asked, Type::TEXT_ARRAY)]).await?;
    let open: BTreeSet<String> = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    let is_held = |case: &&CaseId| open.contains(case.as_str()) && !taken.contains(case.as_str());
    let held = cases.iter().filter(is_held).cloned().collect();
    let taken: Vec<&str> = taken.iter().map(String::as_str).collect();
    let sql = "SELECT id, own, plan, terms, NULL::text FROM open_case WHERE id = ANY($1) ORDER BY id";
    let rows = on.rows(sql, &[(&taken, Type::TEXT_ARRAY)]).await?;
    let cases = saved(on, &rows).await?.into_iter().map(|(case, _)| case).collect();
    Ok(Claimed { fence: Fence::new(seq_of(fence, "claiming cases")?), cases, held })
}

pub(super) async fn record(
    on: &Transaction,
    clock: Option<&LeaseClock>,
    fence: Fence,
    events: &[CaseEvent],
) -> Result<(), Trouble> {
    let of: Vec<&str> = ids(events.iter().map(|event| &event.case));
    let locked = Locked::of(on, &of).await?;
    events.iter().try_for_each(|event| locked.is_ours(fence, &event.case))?;
    let times: Vec<String> = events.iter().map(|event| event.at.to_rfc3339()).collect();
    let bodies = events.iter().map(|event| to_json(&event.event, "recording what happened"));
    let bodies: Vec<String> = bodies.collect::<Result<_, _>>()?;
    let sql = "INSERT INTO event (case_id, at, body)
        SELECT case_id, at, body FROM unnest($1, $2, $3) WITH ORDINALITY AS of (case_id, at, body, place) ORDER BY place";
    on.rows(sql, &[(&of, Type::TEXT_ARRAY), (&times, Type::TEXT_ARRAY), (&bodies, Type::TEXT_ARRAY)]).await?;
    let (now, fence) = (now(on, clock).await?, number(fence.get()));
    let sql = "UPDATE claim SET until = $2 + lasts WHERE fence = $1";
    on.rows(sql, &[(&fence, Type::INT8), (&now, Type::INT8)]).await?;
    Ok(())
}

pub(super) async fn release(on: &Transaction, fence: Fence, cases: &[CaseId]) -> Result<(), Trouble> {
    let (of, fence) = (ids(cases), number(fence.get()));
    Locked::of(on, &of).await?;
    let sql = "UPDATE open_case SET fence = NULL WHERE id = ANY($1) AND fence = $2";
    on.rows(sql, &[(&of, Type::TEXT_ARRAY), (&fence, Type::INT8)]).await?;
    drop_claims(on, &[fence]).await
}

pub(super) async fn list(
    on: &Transaction,
    clock: Option<&LeaseClock>,
    after: Option<&CaseId>,
    most: usize,
) -> Result<Vec<ListedCase>, Trouble> {
    let (now, after, most) = (now(on, clock).await?, after.map(CaseId::as_str), limit(most));
    let sql = "SELECT id, own, plan, terms, CASE WHEN until > $2 THEN worker END
        FROM open_case LEFT JOIN claim USING (fence) WHERE $1 IS NULL OR id > $1 ORDER BY id LIMIT $3";
    let rows = on.rows(sql, &[(&after, Type::TEXT), (&now, Type::INT8), (&most, Type::INT8)]).await?;
    let listed = saved(on, &rows).await?.into_iter();
    Ok(listed.map(|(saved, held_by)| ListedCase { saved, held_by: held_by.map(WorkerId::new) }).collect())
}

/// Reads the cases of rows with id, own part, plan, terms and worker. Each case comes with its events and its worker.
async fn saved(on: &Transaction, rows: &[Row]) -> Result<Vec<(SavedCase, Option<String>)>, Trouble> {
    let doing = "reading open cases";
    let corrupt = || LedgerError::Corrupt { doing };
    let terms: BTreeSet<&str> = rows.iter().map(|row| row.try_get(3)).collect::<Result<_, _>>()?;
    let shared = shared(on, terms).await?;
    let (mut saved, mut places) = (Vec::with_capacity(rows.len()), HashMap::new());
    for row in rows {
        let (id, own): (String, &str) = (row.try_get(0)?, row.try_get(1)?);
        let plan: [u8; 32] = row.try_get::<_, &[u8]>(2)?.try_into().map_err(|_| corrupt())?;
        let (shared, treatment) = shared.get(row.try_get::<_, &str>(3)?).ok_or_else(corrupt)?;
        let own: Own<'_> = from_json(own, doing)?;
        places.insert(id.clone(), saved.len());
        let case = own.saved(id, Digest::from_bytes(plan), shared, treatment.as_ref()).ok_or_else(corrupt)?;
        saved.push((case, row.try_get(4)?));
    }
    let of: Vec<&String> = places.keys().collect();
    let sql = "SELECT case_id, body FROM event WHERE case_id = ANY($1) ORDER BY n";
    for row in on.rows(sql, &[(&of, Type::TEXT_ARRAY)]).await? {
        let place = places.get(row.try_get::<_, &str>(0)?);
        if let Some((case, _)) = place.and_then(|place| saved.get_mut(*place)) {
            case.events.push(from_json(row.try_get(1)?, doing)?);
        }
    }
    Ok(saved)
}

/// Terms by digest, each with its treatment.
type Terms = HashMap<String, (Shared, Option<Arc<Treatment>>)>;

async fn shared(on: &Transaction, digests: BTreeSet<&str>) -> Result<Terms, Trouble> {
    let doing = "reading open cases";
    let digests: Vec<&str> = digests.into_iter().collect();
    let sql = "SELECT digest, body FROM terms WHERE digest = ANY($1)";
    let rows = on.rows(sql, &[(&digests, Type::TEXT_ARRAY)]).await?;
    let mut treatments = BTreeMap::<Digest, Arc<Treatment>>::new();
    let mut found = Terms::new();
    for row in &rows {
        let shared: Shared = from_json(row.try_get(1)?, doing)?;
        let treatment = match shared.treatment() {
            None => None,
            Some(digest) => {
                if let std::collections::btree_map::Entry::Vacant(vacant) = treatments.entry(digest) {
                    let read = treatment(on, digest).await?.ok_or(LedgerError::Corrupt { doing })?;
                    vacant.insert(read);
                }
                treatments.get(&digest).cloned()
            }
        };
        found.insert(row.try_get(0)?, (shared, treatment));
    }
    Ok(found)
}

pub(super) async fn treatment(on: &Transaction, digest: Digest) -> Result<Option<Arc<Treatment>>, Trouble> {
    let named = digest.to_string();
    let rows = on.rows("SELECT body FROM treatment WHERE digest = $1", &[(&named, Type::TEXT)]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let treatment: Treatment = from_json(row.try_get(0)?, "reading a treatment")?;
    if treatment.digest() != digest {
        return Err(LedgerError::Corrupt { doing: "reading a treatment" }.into());
    }
    Ok(Some(Arc::new(treatment)))
}

/// Removes closed cases and all their events from the case book.
pub(super) async fn wipe(on: &Transaction, fence: Fence, cases: &[&str]) -> Result<(), Trouble> {
    let sql = "DELETE FROM open_case WHERE id = ANY($1) RETURNING terms";
    let rows = on.rows(sql, &[(&cases, Type::TEXT_ARRAY)]).await?;
    let terms: BTreeSet<String> = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    drop_terms(on, &terms.into_iter().collect::<Vec<_>>()).await?;
    drop_claims(on, &[number(fence.get())]).await
}

pub(super) async fn treatments(on: &Transaction) -> Result<Vec<Arc<Treatment>>, Trouble> {
    let rows = on.rows("SELECT body FROM treatment ORDER BY digest", &[]).await?;
    rows.iter().map(|row| Ok(Arc::new(from_json(row.try_get(0)?, "reading the treatments")?))).collect()
}

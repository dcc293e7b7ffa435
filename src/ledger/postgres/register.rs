//! The register of requests: a row per request, and a row per note.

use std::collections::{BTreeSet, HashMap};

use async_trait::async_trait;
use chrono::NaiveDate;
use tokio_postgres::types::Type;

use super::PostgresLedger;
use super::book::{from_json, limit, to_json};
use super::connection::{Parameter, Purpose, Transaction, Trouble};
use crate::ledger::{LedgerError, Received, Register, RequestNote, SavedRequest, Standing, WhichRequests};
use crate::request::{NewRequest, Request, RequestId, Stage};

const READING: &str = "reading requests";

async fn receive(on: &Transaction, requests: &[NewRequest]) -> Result<Vec<Received>, Trouble> {
    let doing = "recording requests";
    let ids: Vec<&str> = requests.iter().map(|new| new.id.as_str()).collect();
    let stands: Vec<Standing> = requests.iter().map(|new| Standing::of(&Request::of(new))).collect();
    let bodies = requests.iter().map(|new| to_json(new, doing)).collect::<Result<Vec<String>, _>>()?;
    let who = requests.iter().map(|new| new.who.as_ref().map(|who| to_json(who, doing)).transpose());
    let who = who.collect::<Result<Vec<Option<String>>, _>>()?;
    let stages: Vec<&str> = stands.iter().map(|stands| stands.stage.as_str()).collect();
    let due: Vec<Option<String>> =
        stands.iter().map(|stands| stands.due.map(|day| day.to_string())).collect();
    let sql = "INSERT INTO request (id, body, who, notes, stage, due)
        SELECT id, body, who, 0, stage, due FROM unnest($1, $2, $3, $4, $5) AS of (id, body, who, stage, due)
        ORDER BY id ON CONFLICT DO NOTHING RETURNING id";
    let inserted = on
        .rows(
            sql,
            &[
                (&ids, Type::TEXT_ARRAY),
                (&bodies, Type::TEXT_ARRAY),
                (&who, Type::TEXT_ARRAY),
                (&stages, Type::TEXT_ARRAY),
                (&due, Type::TEXT_ARRAY),
            ],
        )
        .await?;
    let mut inserted: BTreeSet<String> =
        inserted.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    let sql = "SELECT id, body FROM request WHERE id = ANY($1)";
    let known = on.rows(sql, &[(&ids, Type::TEXT_ARRAY)]).await?;
    let known: HashMap<String, Option<String>> =
        known.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect::<Result<_, Trouble>>()?;
    let answer = |new: &NewRequest| {
        // If one call has the same id twice, the first request is received, and the second is known.
        if inserted.remove(new.id.as_str()) {
            return Ok(Received::New);
        }
        Ok(Received::Known(Box::new(match known.get(new.id.as_str()) {
            Some(Some(body)) => from_json(body, doing)?,
            // The request was forgotten, so the details of its receipt are gone.
            Some(None) | None => new.clone().without_who(),
        })))
    };
    requests.iter().map(answer).collect()
}

async fn note(
    on: &Transaction,
    request: &RequestId,
    seen: usize,
    notes: &[RequestNote],
    stands: &Standing,
) -> Result<bool, Trouble> {
    let (id, had, has) = (request.as_str(), limit(seen), limit(seen.saturating_add(notes.len())));
    let day = |day: Option<NaiveDate>| day.map(|day| day.to_string());
    let (stage, due, ended) = (stands.stage.as_str(), day(stands.due), day(stands.ended));
    let sql = "UPDATE request SET notes = $3, stage = $4, due = $5, ended = $6, who = CASE WHEN $6 IS NULL THEN who END
        WHERE id = $1 AND notes = $2 AND body IS NOT NULL RETURNING id";
    let parameters: [Parameter<'_>; 6] = [
        (&id, Type::TEXT),
        (&had, Type::INT8),
        (&has, Type::INT8),
        (&stage, Type::TEXT),
        (&due, Type::TEXT),
        (&ended, Type::TEXT),
    ];
    if on.rows(sql, &parameters).await?.is_empty() {
        return Ok(false);
    }
    let numbers: Vec<i64> = (had..has).collect();
    let bodies = notes.iter().map(|note| to_json(note, "noting a request")).collect::<Result<Vec<_>, _>>()?;
    let sql =
        "INSERT INTO request_note (request, n, body) SELECT $1, n, body FROM unnest($2, $3) AS of (n, body)";
    on.rows(sql, &[(&id, Type::TEXT), (&numbers, Type::INT8_ARRAY), (&bodies, Type::TEXT_ARRAY)]).await?;
    Ok(true)
}

/// Requests that meet a condition on the first parameter, in the order of their ids. Forgotten requests are left out.
async fn saved(
    on: &Transaction,
    condition: &str,
    parameter: Option<&str>,
    after: &str,
    most: usize,
) -> Result<Vec<SavedRequest>, Trouble> {
    let sql = format!(
        "SELECT id, body, who FROM request WHERE body IS NOT NULL AND id > $2 AND ({condition}) ORDER BY id LIMIT $3"
    );
    let most = limit(most);
    let rows = on.rows(&sql, &[(&parameter, Type::TEXT), (&after, Type::TEXT), (&most, Type::INT8)]).await?;
    let (mut found, mut places) = (Vec::with_capacity(rows.len()), HashMap::new());
    for row in &rows {
        let mut new: NewRequest = from_json(row.try_get(1)?, READING)?;
        new.who = row.try_get::<_, Option<&str>>(2)?.map(|who| from_json(who, READING)).transpose()?;
        places.insert(row.try_get::<_, String>(0)?, found.len());
        found.push(SavedRequest { new, notes: Vec::new() });
    }
    let ids: Vec<&String> = places.keys().collect();
    let sql = "SELECT request, body FROM request_note WHERE request = ANY($1) ORDER BY request, n";
    for row in on.rows(sql, &[(&ids, Type::TEXT_ARRAY)]).await? {
        let place = places.get(row.try_get::<_, &str>(0)?);
        if let Some(saved) = place.and_then(|place| found.get_mut(*place)) {
            saved.notes.push(from_json(row.try_get(1)?, READING)?);
        }
    }
    Ok(found)
}

async fn one(on: &Transaction, id: &RequestId) -> Result<Option<SavedRequest>, Trouble> {
    Ok(saved(on, "id = $1", Some(id.as_str()), "", 1).await?.pop())
}

async fn list(
    on: &Transaction,
    which: WhichRequests,
    after: Option<&RequestId>,
    most: usize,
) -> Result<Vec<SavedRequest>, Trouble> {
    let (condition, parameter) = match which {
        WhichRequests::All => ("$1 IS NULL", None),
        WhichRequests::NotEnded => ("ended IS NULL AND $1 IS NULL", None),
        WhichRequests::At(Stage::Ended) => ("ended IS NOT NULL AND $1 IS NULL", None),
        WhichRequests::At(stage) => ("ended IS NULL AND stage = $1", Some(stage.as_str().to_owned())),
        WhichRequests::DueBy(day) => ("due <= $1", Some(day.to_string())),
    };
    let after = after.map(RequestId::as_str).unwrap_or_default();
    saved(on, condition, parameter.as_deref(), after, most).await
}

async fn forget(on: &Transaction, before: NaiveDate, most: usize) -> Result<usize, Trouble> {
    let (before, most) = (before.to_string(), limit(most));
    let sql =
        "SELECT id FROM request WHERE body IS NOT NULL AND ended < $1 ORDER BY ended, id LIMIT $2 FOR UPDATE";
    let rows = on.rows(sql, &[(&before, Type::TEXT), (&most, Type::INT8)]).await?;
    let ids: Vec<String> = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    on.rows("DELETE FROM request_note WHERE request = ANY($1)", &[(&ids, Type::TEXT_ARRAY)]).await?;
    let sql = "UPDATE request SET body = NULL, notes = 0, ended = '', due = NULL WHERE id = ANY($1)";
    on.rows(sql, &[(&ids, Type::TEXT_ARRAY)]).await?;
    Ok(ids.len())
}

#[async_trait]
impl Register for PostgresLedger {
    async fn receive_requests(&self, requests: &[NewRequest]) -> Result<Vec<Received>, LedgerError> {
        self.within("recording requests", Purpose::Write, &requests, |on, requests| {
            Box::pin(receive(on, requests))
        })
        .await
    }

    async fn note_request(
        &self,
        request: &RequestId,
        seen: usize,
        notes: &[RequestNote],
        stands: &Standing,
    ) -> Result<bool, LedgerError> {
        let given = (request, seen, notes, stands);
        self.within("noting a request", Purpose::Write, &given, |on, (request, seen, notes, stands)| {
            Box::pin(note(on, request, *seen, notes, stands))
        })
        .await
    }

    async fn request(&self, request: &RequestId) -> Result<Option<SavedRequest>, LedgerError> {
        self.within(READING, Purpose::Read, request, |on, request| Box::pin(one(on, request))).await
    }

    async fn list_requests(
        &self,
        which: WhichRequests,
        after: Option<&RequestId>,
        limit: usize,
    ) -> Result<Vec<SavedRequest>, LedgerError> {
        self.within(READING, Purpose::Read, &(which, after, limit), |on, (which, after, limit)| {
            Box::pin(list(on, *which, *after, *limit))
        })
        .await
    }

    async fn forget_requests(&self, ended_before: NaiveDate, limit: usize) -> Result<usize, LedgerError> {
        let given = (ended_before, limit);
        self.within("forgetting requests", Purpose::Write, &given, |on, (before, limit)| {
            Box::pin(forget(on, *before, *limit))
        })
        .await
    }
}

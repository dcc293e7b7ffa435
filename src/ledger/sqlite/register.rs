//! The register of requests: a row per request, and a row per note.

use async_trait::async_trait;
use chrono::NaiveDate;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use super::{SqliteLedger, Trouble, from_json, number_of, to_json};
use crate::ledger::register::Standing;
use crate::ledger::{LedgerError, Received, Register, RequestNote, SavedRequest, WhichRequests};
use crate::request::{NewRequest, Request, RequestId, Stage};
use crate::sqlite::Fault;

/// `who` is set to NULL when the request ends. When a request is forgotten, `body` is set to NULL, too, and only the
/// id stays.
pub(super) const TABLES: &str = "
    CREATE TABLE request (
        id TEXT PRIMARY KEY,
        body TEXT,
        who TEXT,
        notes INTEGER NOT NULL,
        stage TEXT NOT NULL,
        due TEXT,
        ended TEXT
    ) WITHOUT ROWID;
    CREATE INDEX request_stage ON request (stage, id) WHERE ended IS NULL;
    CREATE INDEX request_due ON request (due) WHERE due IS NOT NULL;
    CREATE INDEX request_ended ON request (ended) WHERE body IS NOT NULL AND ended IS NOT NULL;
    CREATE TABLE request_note (
        request TEXT NOT NULL REFERENCES request (id),
        n INTEGER NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (request, n)
    ) WITHOUT ROWID;
";

fn corrupt() -> Trouble {
    Trouble::Fault(Fault::Corrupt)
}

/// The notes of a request.
fn notes(connection: &Connection, id: &str) -> Result<Vec<RequestNote>, Trouble> {
    connection
        .prepare_cached("SELECT body FROM request_note WHERE request = ?1 ORDER BY n")?
        .query_map([id], |row| row.get::<_, String>(0))?
        .map(|body| from_json(&body?))
        .collect()
}

/// Requests that meet a condition, in the order of their ids. Forgotten requests are left out.
fn saved(
    connection: &Connection,
    condition: &str,
    (parameter, after, limit): (Option<&str>, &str, usize),
) -> Result<Vec<SavedRequest>, Trouble> {
    let mut read = connection.prepare_cached(&format!(
        "SELECT id, body, who FROM request
         WHERE body IS NOT NULL AND id > ?2 AND ({condition}) ORDER BY id LIMIT ?3"
    ))?;
    let mut rows = read.query(params![parameter, after, number_of(limit)])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let mut new: NewRequest = from_json(&row.get::<_, String>(1)?)?;
        new.who = row.get::<_, Option<String>>(2)?.map(|who| from_json(&who)).transpose()?;
        let notes = notes(connection, &row.get::<_, String>(0)?)?;
        found.push(SavedRequest { new, notes });
    }
    Ok(found)
}

fn receive(connection: &mut Connection, requests: &[NewRequest]) -> Result<Vec<Received>, Trouble> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut answers = Vec::with_capacity(requests.len());
    {
        let mut known = transaction.prepare_cached("SELECT body FROM request WHERE id = ?1")?;
        let mut insert = transaction.prepare_cached(
            "INSERT INTO request (id, body, who, notes, stage, due) VALUES (?1, ?2, ?3, 0, ?4, ?5)",
        )?;
        for new in requests {
            let before =
                known.query_row([new.id.as_str()], |row| row.get::<_, Option<String>>(0)).optional()?;
            answers.push(match before {
                Some(Some(body)) => Received::Known(Box::new(from_json(&body)?)),
                // The request was forgotten, so the details of its receipt are gone.
                Some(None) => Received::Known(Box::new(new.clone().without_who())),
                None => {
                    let stands = Standing::of(&Request::of(new));
                    insert.execute(params![
                        new.id.as_str(),
                        to_json(new)?,
                        new.who.as_ref().map(to_json).transpose()?,
                        stands.stage.as_str(),
                        stands.due.map(|day| day.to_string()),
                    ])?;
                    Received::New
                }
            });
        }
    }
    transaction.commit()?;
    Ok(answers)
}

fn note(
    connection: &mut Connection,
    id: &str,
    seen: usize,
    notes: &[RequestNote],
    stands: &Standing,
) -> Result<bool, Trouble> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let changed = transaction
        .prepare_cached(
            "UPDATE request SET notes = ?3, stage = ?4, due = ?5, ended = ?6,
                                who = CASE WHEN ?6 IS NULL THEN who END
             WHERE id = ?1 AND notes = ?2 AND body IS NOT NULL",
        )?
        .execute(params![
            id,
            number_of(seen),
            number_of(seen.saturating_add(notes.len())),
            stands.stage.as_str(),
            stands.due.map(|day| day.to_string()),
            stands.ended.map(|day| day.to_string()),
        ])?;
    if changed == 0 {
        return Ok(false);
    }
    {
        let mut insert =
            transaction.prepare_cached("INSERT INTO request_note (request, n, body) VALUES (?1, ?2, ?3)")?;
        for (n, note) in notes.iter().enumerate() {
            insert.execute(params![id, number_of(seen.saturating_add(n)), to_json(note)?])?;
        }
    }
    transaction.commit()?;
    Ok(true)
}

fn forget(connection: &mut Connection, before: NaiveDate, limit: usize) -> Result<usize, Trouble> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let ids: Vec<String> = transaction
        .prepare_cached(
            "SELECT id FROM request WHERE body IS NOT NULL AND ended < ?1 ORDER BY ended, id LIMIT ?2",
        )?
        .query_map(params![before.to_string(), number_of(limit)], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let all = to_json(&ids)?;
    transaction
        .prepare_cached("DELETE FROM request_note WHERE request IN (SELECT value FROM json_each(?1))")?
        .execute([&all])?;
    transaction
        .prepare_cached(
            "UPDATE request SET body = NULL, notes = 0, ended = '', due = NULL
             WHERE id IN (SELECT value FROM json_each(?1))",
        )?
        .execute([&all])?;
    transaction.commit()?;
    Ok(ids.len())
}

#[async_trait]
impl Register for SqliteLedger {
    async fn receive_requests(&self, requests: &[NewRequest]) -> Result<Vec<Received>, LedgerError> {
        let requests = requests.to_vec();
        self.call("recording requests", move |connection| receive(connection, &requests)).await
    }

    async fn note_request(
        &self,
        request: &RequestId,
        seen: usize,
        notes: &[RequestNote],
        stands: &Standing,
    ) -> Result<bool, LedgerError> {
        let (id, notes, stands) = (request.as_str().to_owned(), notes.to_vec(), stands.clone());
        self.call("noting a request", move |connection| note(connection, &id, seen, &notes, &stands)).await
    }

    async fn request(&self, request: &RequestId) -> Result<Option<SavedRequest>, LedgerError> {
        let id = request.as_str().to_owned();
        self.call("reading a request", move |connection| {
            let mut found = saved(connection, "id = ?1", (Some(&id), "", 2))?;
            let one = found.pop();
            if found.is_empty() { Ok(one) } else { Err(corrupt()) }
        })
        .await
    }

    async fn list_requests(
        &self,
        which: WhichRequests,
        after: Option<&RequestId>,
        limit: usize,
    ) -> Result<Vec<SavedRequest>, LedgerError> {
        let after = after.map(|id| id.as_str().to_owned()).unwrap_or_default();
        let (condition, parameter) = match which {
            WhichRequests::All => ("?1 IS NULL", None),
            WhichRequests::NotEnded => ("ended IS NULL AND ?1 IS NULL", None),
            WhichRequests::At(Stage::Ended) => ("ended IS NOT NULL AND ?1 IS NULL", None),
            WhichRequests::At(stage) => ("ended IS NULL AND stage = ?1", Some(stage.as_str().to_owned())),
            WhichRequests::DueBy(day) => ("due IS NOT NULL AND due <= ?1", Some(day.to_string())),
        };
        self.call("listing requests", move |connection| {
            saved(connection, condition, (parameter.as_deref(), &after, limit))
        })
        .await
    }

    async fn forget_requests(&self, ended_before: NaiveDate, limit: usize) -> Result<usize, LedgerError> {
        self.call("forgetting requests", move |connection| forget(connection, ended_before, limit)).await
    }
}

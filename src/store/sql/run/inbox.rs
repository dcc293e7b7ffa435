//! The inbox of requests, in a table that the host has made.

use super::{Frame, NoTable};
use crate::customer::CustomerId;
use crate::data_map::Value;
use crate::request::{Address, RequestId};
use crate::store::InboxRow;
use crate::store::sql::fault::{Fault, Trouble};
use crate::store::sql::session::{Purpose, Row, Session};

/// The name of the table.
pub(crate) const INBOX: &str = "relinquish_inbox";

/// The statement that makes the table for the [inbox](crate::store::Inbox) of requests. Add it to the migrations of
/// your own database.
///
/// | column | holds |
/// |---|---|
/// | `id` | a random id, never used again, such as a UUID: it becomes the id of the request |
/// | `kind` | `erasure`, `access`, `portability`, `restriction` or `objection` |
/// | `channel` | `web`, `email`, `post`, `phone` or `in_person` |
/// | `received_at` | when the request was received: `2026-11-02T09:30:00Z` |
/// | `customer` | the key of the customer who asks |
/// | `address` | the e-mail address, if a person asks who is no customer |
pub const INBOX_TABLE: &str = "CREATE TABLE relinquish_inbox (\n    \
     id TEXT NOT NULL PRIMARY KEY,\n    kind TEXT NOT NULL,\n    channel TEXT NOT NULL,\n    \
     received_at TEXT NOT NULL,\n    customer TEXT,\n    address TEXT,\n    \
     CHECK ((customer IS NULL) <> (address IS NULL))\n)";

/// The columns of the table that the engine reads.
const COLUMNS: [&str; 6] = ["id", "kind", "channel", "received_at", "customer", "address"];

/// A value as a text. `Err`: it is none.
fn text(value: Option<Value>) -> Result<Option<String>, ()> {
    match value {
        Some(Value::Null) => Ok(None),
        Some(Value::Text(text)) => Ok(Some(text)),
        // The host's key may be a number, and the column may have taken it as one.
        Some(Value::Integer(number)) => Ok(Some(number.to_string())),
        _ => Err(()),
    }
}

fn read(row: &dyn Row) -> Result<InboxRow, Fault> {
    let mut unreadable = None;
    let mut read = |place: usize, is_required: bool| -> Result<Option<String>, Fault> {
        let found = text(row.cell(place)?.to_exact_value());
        if found.is_err() || (is_required && found == Ok(None)) {
            unreadable = unreadable.or(COLUMNS.get(place).copied());
        }
        Ok(found.unwrap_or_default())
    };
    let mut required = |place| Ok::<String, Fault>(read(place, true)?.unwrap_or_default());
    let mut found = InboxRow::new(required(0)?, required(1)?, required(2)?, required(3)?);
    found.customer = read(4, false)?.map(CustomerId::new);
    found.address = read(5, false)?.map(Address::new);
    found.unreadable = unreadable;
    Ok(found)
}

impl Frame {
    /// Rows of the inbox by id, or an error if there is no table for them.
    pub(crate) fn inbox(
        &self,
        session: &mut dyn Session,
        after: &str,
        limit: usize,
    ) -> Result<Result<Vec<InboxRow>, NoTable>, Trouble> {
        let mut transaction = session.transaction(Purpose::Read)?;
        let dialect = self.bound.dialect;
        let select = format!("SELECT {} FROM {}", COLUMNS.join(", "), dialect.table(INBOX));
        // A session may carry the statement out to prepare it, so it has no parameter.
        match transaction.prepare(&format!("{select} LIMIT 0")) {
            Err(Fault::Other(_)) => return Ok(Err(NoTable)),
            other => other?,
        }
        let mut limit = limit.max(1);
        let rows = loop {
            let sql = format!("{select} WHERE id > {} ORDER BY id LIMIT {limit}", dialect.parameter(1));
            let rows = transaction.rows(&sql, &[Value::from(after)], read)?;
            // The next page begins after an id, so a page without any would be the last one.
            if rows.len() < limit || rows.iter().any(InboxRow::has_id) {
                break rows;
            }
            limit = limit.saturating_mul(2);
        };
        transaction.commit()?;
        Ok(Ok(rows))
    }

    /// Deletes rows of the inbox.
    pub(crate) fn clear_inbox(&self, session: &mut dyn Session, rows: &[RequestId]) -> Result<(), Trouble> {
        let mut transaction = session.transaction(Purpose::Write)?;
        let dialect = self.bound.dialect;
        let which = format!("{INBOX}.id = {}", dialect.parameter(1));
        let sql = dialect.delete(&dialect.table(INBOX), INBOX, &which);
        for row in rows {
            transaction.execute(&sql, &[Value::from(row.as_str())])?;
        }
        transaction.commit()?;
        Ok(())
    }
}

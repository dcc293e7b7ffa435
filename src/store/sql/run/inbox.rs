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

fn text(row: &dyn Row, column: usize) -> Result<Option<String>, Fault> {
    match row.cell(column)?.to_value() {
        Value::Null => Ok(None),
        Value::Text(text) => Ok(Some(text)),
        // The host's key may be a number, and the column may have taken it as one.
        Value::Integer(number) => Ok(Some(number.to_string())),
        _ => Err(Fault::Other(format!("{INBOX} holds a value that is no text"))),
    }
}

fn read(row: &dyn Row) -> Result<InboxRow, Fault> {
    let required =
        |column| text(row, column)?.ok_or_else(|| Fault::Other(format!("{INBOX} holds NULL in a row")));
    Ok(InboxRow {
        id: RequestId::new(required(0)?),
        kind: required(1)?,
        channel: required(2)?,
        received_at: required(3)?,
        customer: text(row, 4)?.map(CustomerId::new),
        address: text(row, 5)?.map(Address::new),
    })
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
        let select =
            format!("SELECT id, kind, channel, received_at, customer, address FROM {}", dialect.table(INBOX));
        let sql = format!("{select} WHERE id > {} ORDER BY id LIMIT {limit}", dialect.parameter(1));
        // A session may carry the statement out to prepare it, so it has no parameter.
        match transaction.prepare(&format!("{select} LIMIT 0")) {
            Err(Fault::Other(_)) => return Ok(Err(NoTable)),
            other => other?,
        }
        let rows = transaction.rows(&sql, &[Value::from(after)], read)?;
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

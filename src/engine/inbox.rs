//! Moving requests from the inbox in the host's database into the register.

use chrono::DateTime;

use super::{Engine, Error};
use crate::ledger::Received;
use crate::name::looks_like_email;
use crate::request::{Channel, NewRequest, RequestId, RequestKind, Who};
use crate::store::InboxRow;

/// The result of [`Engine::move_inbox`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Moved {
    /// Rows that were moved: they are requests in the register now.
    pub received: usize,
    /// Rows that were in the register already. They are deleted from the inbox. This happens after a restore, or if a
    /// process died between the two writes.
    pub known: usize,
    /// Rows that stay in the inbox because they cannot be read. Each has the reason and a way out. `None`: rows whose ids are
    /// no text, or look like an e-mail address, which is repeated nowhere.
    pub refused: Vec<(Option<RequestId>, String)>,
}

impl Engine {
    /// Moves the rows of the [inbox](crate::store::Inbox) into the register. Each row is recorded in the register
    /// first, and then deleted from the inbox. A crash in between does not duplicate a request.
    ///
    /// # Errors
    /// [`Error::NoInbox`]. A store, keys or a ledger out of reach.
    pub async fn move_inbox(&self) -> Result<Moved, Error> {
        let inbox = self.parts.inbox.as_ref().ok_or(Error::NoInbox)?;
        let (mut moved, mut after, mut without_id) = (Moved::default(), None, false);
        loop {
            let mut rows = inbox.read_inbox(after.as_ref(), self.parts.batch).await?;
            without_id |= rows.iter().any(|row| !row.has_id());
            rows.retain(InboxRow::has_id);
            let Some(last) = rows.last() else { break };
            after = Some(last.id.clone());
            let mut requests = Vec::with_capacity(rows.len());
            for row in rows {
                let id = row.id.clone();
                match self.request_of(row) {
                    Ok(request) => requests.push(self.completed(request).await?),
                    Err(why) => moved.refuse(Some(id), why),
                }
            }
            let answers = self.receive_all(&requests).await?;
            let mut cleared = Vec::with_capacity(requests.len());
            for (request, answer) in requests.into_iter().zip(answers) {
                match answer {
                    Received::New => moved.received += 1,
                    Received::Known(known) if known.is_same(&request) => moved.known += 1,
                    Received::Known(_) => {
                        let why = "another request was received under this id; write the row again with a new random id";
                        moved.refuse(Some(request.id), why.to_owned());
                        continue;
                    }
                }
                cleared.push(request.id);
            }
            inbox.clear_inbox(&cleared).await?;
        }
        if without_id {
            let why =
                "column id of one or more rows is no text; write these rows again, each with a random id";
            moved.refuse(None, why.to_owned());
        }
        Ok(moved)
    }

    /// The request in a row, or why the row is no valid request.
    fn request_of(&self, row: InboxRow) -> Result<NewRequest, String> {
        if let Some(column) = row.unreadable {
            return Err(format!("column {column} is empty or no text; correct it"));
        }
        let listed = |names: Vec<&str>| names.join(", ");
        let kind = RequestKind::named(&row.kind).ok_or_else(|| {
            let known = RequestKind::ALL.iter().map(|kind| kind.as_str()).collect();
            format!("column kind is none of {}; correct it", listed(known))
        })?;
        let channel = Channel::named(&row.channel).ok_or_else(|| {
            let known = Channel::ALL.iter().map(|channel| channel.as_str()).collect();
            format!("column channel is none of {}; correct it", listed(known))
        })?;
        let received_at = DateTime::parse_from_rfc3339(&row.received_at)
            .map_err(|_| {
                "column received_at is no instant such as 2026-11-02T09:30:00Z; correct it".to_owned()
            })?
            .to_utc();
        if received_at > self.parts.clock.now() {
            return Err("column received_at is in the future; correct it".to_owned());
        }
        let who = match (row.customer, row.address) {
            (Some(customer), None) => Who::Customer { customer },
            (None, Some(address)) => Who::Person { address },
            _ => {
                return Err("it needs exactly one of the columns customer and address; correct it".to_owned());
            }
        };
        let request = NewRequest::new(row.id, kind, channel, who, received_at);
        request.check(self.parts.clock.now()).map_err(|why| why.to_string())?;
        Ok(request)
    }
}

impl Moved {
    fn refuse(&mut self, row: Option<RequestId>, why: String) {
        let row = row.filter(|id| !looks_like_email(id.as_str()));
        tracing::warn!(row = row.as_ref().map_or("", RequestId::as_str), %why, "a row of the inbox stays where it is");
        self.refused.push((row, why));
    }
}

//! Moving requests from the inbox in the host's database into the register.

use chrono::DateTime;

use super::{Engine, Error};
use crate::ledger::Received;
use crate::request::{Channel, NewRequest, RequestId, RequestKind, Who};
use crate::store::InboxRow;

/// What became of the rows of an inbox.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Moved {
    /// Rows that are requests in the register now, and gone from the inbox.
    pub received: usize,
    /// Rows that were in the register before, and are gone from the inbox: a restore had brought them back, or a process
    /// had died between the two writes.
    pub known: usize,
    /// Rows that stay in the inbox, because nobody can say what they mean: each with the reason and a way out.
    pub refused: Vec<(RequestId, String)>,
}

impl Engine {
    /// Moves the rows of the [inbox](crate::store::Inbox) into the register: each once, whatever dies in between. The
    /// row is first recorded in the register, and then deleted from the inbox.
    ///
    /// # Errors
    /// [`Error::NoInbox`]. A store, keys or a ledger out of reach.
    pub async fn move_inbox(&self) -> Result<Moved, Error> {
        let inbox = self.parts.inbox.as_ref().ok_or(Error::NoInbox)?;
        let (mut moved, mut after) = (Moved::default(), None);
        loop {
            let rows = inbox.read_inbox(after.as_ref(), self.parts.batch).await?;
            let Some(last) = rows.last() else { return Ok(moved) };
            after = Some(last.id.clone());
            let mut requests = Vec::with_capacity(rows.len());
            for row in rows {
                let id = row.id.clone();
                match self.request_of(row) {
                    Ok(request) => requests.push(self.completed(request).await?),
                    Err(why) => moved.refuse(id, why),
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
                        moved.refuse(request.id, why.to_owned());
                        continue;
                    }
                }
                cleared.push(request.id);
            }
            inbox.clear_inbox(&cleared).await?;
        }
    }

    /// The request that a row means, or why it means none.
    fn request_of(&self, row: InboxRow) -> Result<NewRequest, String> {
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
        Ok(NewRequest::new(row.id, kind, channel, who, received_at))
    }
}

impl Moved {
    fn refuse(&mut self, row: RequestId, why: String) {
        tracing::warn!(%row, %why, "a row of the inbox stays where it is");
        self.refused.push((row, why));
    }
}

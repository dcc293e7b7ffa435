//! The register of requests.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use super::LedgerError;
use crate::plan::{Holidays, OperatorId};
use crate::request::{NewRequest, OutOfTurn, Request, RequestEvent, RequestId, Stage};

/// A note on a request: an event, its author and the instant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestNote {
    /// When it was noted.
    pub at: DateTime<Utc>,
    /// Who noted it. `None`: the engine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<OperatorId>,
    /// The event.
    pub event: RequestEvent,
}

/// A request as the register stores it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedRequest {
    /// The request as it was received.
    pub new: NewRequest,
    /// The notes, in order.
    pub notes: Vec<RequestNote>,
}

impl SavedRequest {
    /// The request in its present state.
    ///
    /// # Errors
    /// [`LedgerError::OutOfTurn`]: another program wrote to the register.
    pub fn request(&self) -> Result<Request, LedgerError> {
        let mut request = Request::of(&self.new);
        for note in &self.notes {
            let out_of_turn = |source| self.out_of_turn(source);
            request.apply(&note.event).map_err(out_of_turn)?;
        }
        Ok(request)
    }

    fn out_of_turn(&self, source: OutOfTurn) -> LedgerError {
        LedgerError::OutOfTurn { request: self.new.id.clone(), source }
    }
}

/// The state of a request, for the lists of the register. The register stores it beside the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The stage.
    pub stage: Stage,
    /// A day before which nobody has to act: the day of [`Request::act_by`], if there were no holidays. `None` when the
    /// request has ended, and for a complaint that was acknowledged.
    pub due: Option<NaiveDate>,
    /// The day on which the request ended.
    pub ended: Option<NaiveDate>,
}

impl Standing {
    /// Where a request stands.
    pub fn of(request: &Request) -> Self {
        Self { stage: request.stage(), due: request.act_by(&Holidays::default()), ended: request.ended }
    }
}

/// The answer of the register to a new request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received {
    /// The request is recorded.
    New,
    /// A request with this id is recorded already. Contains that request as it was received.
    Known(Box<NewRequest>),
}

/// Which requests to list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhichRequests {
    /// All requests that are not forgotten.
    All,
    /// The requests that have not ended.
    NotEnded,
    /// Those at a stage.
    At(Stage),
    /// Those for which somebody may have to act on this day or earlier: [`Standing::due`].
    DueBy(NaiveDate),
}

/// The register of requests, in the ledger's database.
///
/// While a request is open, the register has the host's own id of the customer or the address of the person, and no
/// other personal data. When the request ends, these are deleted. The dates, the clock, the letters, the digests and
/// the outcome stay under the token, until they are [forgotten](Self::forget_requests).
#[async_trait]
pub trait Register: Debug + Send + Sync + 'static {
    /// Records requests in one write. The answers are in order.
    ///
    /// **Idempotency:** a recorded request with the same id is not changed, even if it has ended. The answer is
    /// [`Received::Known`]. **Partial failure:** none: all or nothing. **Cancel safety:** all or nothing. **Errors:**
    /// [`LedgerError`].
    async fn receive_requests(&self, requests: &[NewRequest]) -> Result<Vec<Received>, LedgerError>;

    /// Appends notes to a request that has exactly `seen` notes, and replaces its state, in one write. If the request
    /// has now ended, [`NewRequest::who`] is deleted in the same write. Returns `false`, and writes nothing, if the
    /// request has another number of notes, or does not exist.
    ///
    /// **Idempotency:** none. **Partial failure:** none. **Cancel safety:** all or nothing. **Errors:**
    /// [`LedgerError`].
    async fn note_request(
        &self,
        request: &RequestId,
        seen: usize,
        notes: &[RequestNote],
        stands: &Standing,
    ) -> Result<bool, LedgerError>;

    /// A request.
    ///
    /// **Idempotency:** reads only. **Partial failure:** none. **Cancel safety:** safe. **Errors:** [`LedgerError`].
    async fn request(&self, request: &RequestId) -> Result<Option<SavedRequest>, LedgerError>;

    /// Up to `limit` requests in the order of their ids, after the given id.
    ///
    /// **Idempotency:** reads only. **Partial failure:** none. **Cancel safety:** safe. **Errors:** [`LedgerError`].
    async fn list_requests(
        &self,
        which: WhichRequests,
        after: Option<&RequestId>,
        limit: usize,
    ) -> Result<Vec<SavedRequest>, LedgerError>;

    /// Deletes up to `limit` requests that ended before a day, with all notes. Returns their number. Only the ids of
    /// these requests stay, so that a restored row of the inbox is not received again.
    ///
    /// **Idempotency:** a repeated call deletes the next requests, until there are none. **Partial failure:** none.
    /// **Cancel safety:** all or nothing. **Errors:** [`LedgerError`].
    async fn forget_requests(&self, ended_before: NaiveDate, limit: usize) -> Result<usize, LedgerError>;
}

macro_rules! forward_register {
    ($($pointer:ident),*) => {$(
        #[async_trait]
        impl<T: Register + ?Sized> Register for $pointer<T> {
            async fn receive_requests(&self, requests: &[NewRequest]) -> Result<Vec<Received>, LedgerError> {
                (**self).receive_requests(requests).await
            }

            async fn note_request(
                &self,
                request: &RequestId,
                seen: usize,
                notes: &[RequestNote],
                stands: &Standing,
            ) -> Result<bool, LedgerError> {
                (**self).note_request(request, seen, notes, stands).await
            }

            async fn request(&self, request: &RequestId) -> Result<Option<SavedRequest>, LedgerError> {
                (**self).request(request).await
            }

            async fn list_requests(
                &self,
                which: WhichRequests,
                after: Option<&RequestId>,
                limit: usize,
            ) -> Result<Vec<SavedRequest>, LedgerError> {
                (**self).list_requests(which, after, limit).await
            }

            async fn forget_requests(
                &self,
                ended_before: NaiveDate,
                limit: usize,
            ) -> Result<usize, LedgerError> {
                (**self).forget_requests(ended_before, limit).await
            }
        }
    )*};
}

forward_register!(Arc, Box);

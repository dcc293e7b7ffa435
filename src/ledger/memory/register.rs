//! The register of requests in memory.

use std::collections::BTreeMap;

use async_trait::async_trait;
use chrono::NaiveDate;

use super::MemoryLedger;
use crate::ledger::register::Standing;
use crate::ledger::{LedgerError, Received, Register, RequestNote, SavedRequest, WhichRequests};
use crate::request::{NewRequest, Request, RequestId, Stage};

/// Requests, each with its state. `None`: it was forgotten.
pub(super) type Requests = BTreeMap<RequestId, Option<(SavedRequest, Standing)>>;

#[async_trait]
impl Register for MemoryLedger {
    async fn receive_requests(&self, requests: &[NewRequest]) -> Result<Vec<Received>, LedgerError> {
        let mut state = self.lock();
        let mut answers = Vec::with_capacity(requests.len());
        for new in requests {
            answers.push(if let Some(known) = state.requests.get(&new.id) {
                let new = known.as_ref().map_or(new, |(saved, _)| &saved.new);
                Received::Known(Box::new(new.clone().without_who()))
            } else {
                let saved = SavedRequest { new: new.clone(), notes: Vec::new() };
                let stands = Standing::of(&Request::of(new));
                state.requests.insert(new.id.clone(), Some((saved, stands)));
                Received::New
            });
        }
        Ok(answers)
    }

    async fn note_request(
        &self,
        request: &RequestId,
        seen: usize,
        notes: &[RequestNote],
        stands: &Standing,
    ) -> Result<bool, LedgerError> {
        let mut state = self.lock();
        let Some(Some((saved, standing))) = state.requests.get_mut(request) else { return Ok(false) };
        if saved.notes.len() != seen {
            return Ok(false);
        }
        saved.notes.extend_from_slice(notes);
        if stands.ended.is_some() {
            saved.new.who = None;
        }
        standing.clone_from(stands);
        Ok(true)
    }

    async fn request(&self, request: &RequestId) -> Result<Option<SavedRequest>, LedgerError> {
        let state = self.lock();
        Ok(state.requests.get(request).and_then(Option::as_ref).map(|(saved, _)| saved.clone()))
    }

    async fn list_requests(
        &self,
        which: WhichRequests,
        after: Option<&RequestId>,
        limit: usize,
    ) -> Result<Vec<SavedRequest>, LedgerError> {
        let state = self.lock();
        let is_listed = |stands: &Standing| match which {
            WhichRequests::All => true,
            WhichRequests::NotEnded => stands.stage != Stage::Ended,
            WhichRequests::At(at) => stands.stage == at,
            WhichRequests::DueBy(day) => stands.due.is_some_and(|due| due <= day),
        };
        let later = state.requests.iter().filter(|(id, _)| after.is_none_or(|after| *id > after));
        let listed =
            later.filter_map(|(_, request)| request.as_ref()).filter(|(_, stands)| is_listed(stands));
        Ok(listed.take(limit).map(|(saved, _)| saved.clone()).collect())
    }

    async fn forget_requests(&self, ended_before: NaiveDate, limit: usize) -> Result<usize, LedgerError> {
        let mut state = self.lock();
        let is_over = |request: &Option<(SavedRequest, Standing)>| {
            request.as_ref().is_some_and(|(_, stands)| stands.ended.is_some_and(|day| day < ended_before))
        };
        let over = state.requests.values_mut().filter(|request| is_over(request));
        Ok(over.take(limit).map(|request| *request = None).count())
    }
}

//! Saboteurs of a register.

use async_trait::async_trait;
use chrono::NaiveDate;
use relinquish::ledger::{
    LedgerError, Received, Register, RequestNote, SavedRequest, Standing, WhichRequests,
};
use relinquish::request::{NewRequest, RequestId};
use relinquish::testing::Law;

use super::Wrong;

#[async_trait]
impl Register for Wrong {
    async fn receive_requests(&self, requests: &[NewRequest]) -> Result<Vec<Received>, LedgerError> {
        {
            let mut asked = self.asked.lock().unwrap();
            for new in requests {
                asked.entry(new.id.clone()).or_insert_with(|| new.clone());
            }
        }
        let mut answers = self.inner.receive_requests(requests).await?;
        if self.is(Law::RequestReceivedOnce) {
            answers.fill(Received::New);
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
        let mut notes = notes.to_vec();
        match self.law {
            Law::NotesInOrder => notes.reverse(),
            Law::NoteNeedsLast => {
                let saved = self.inner.request(request).await?;
                let seen = saved.map_or(seen, |saved| saved.notes.len());
                return self.inner.note_request(request, seen, &notes, stands).await;
            }
            _ => {}
        }
        self.inner.note_request(request, seen, &notes, stands).await
    }

    async fn request(&self, request: &RequestId) -> Result<Option<SavedRequest>, LedgerError> {
        let mut found = self.inner.request(request).await?;
        if let (Law::EndWipesWho, Some(saved)) = (self.law, &mut found) {
            saved.new = self.asked.lock().unwrap()[request].clone();
        }
        Ok(found)
    }

    async fn list_requests(
        &self,
        which: WhichRequests,
        after: Option<&RequestId>,
        limit: usize,
    ) -> Result<Vec<SavedRequest>, LedgerError> {
        match (self.law, which) {
            (Law::RequestsListed, WhichRequests::DueBy(_)) => {
                self.inner.list_requests(WhichRequests::NotEnded, after, limit).await
            }
            _ => self.inner.list_requests(which, after, limit).await,
        }
    }

    async fn forget_requests(&self, ended_before: NaiveDate, limit: usize) -> Result<usize, LedgerError> {
        match self.law {
            // One day too early.
            Law::RequestsForgotten => {
                self.inner.forget_requests(ended_before.succ_opt().unwrap(), limit).await
            }
            _ => self.inner.forget_requests(ended_before, limit).await,
        }
    }
}

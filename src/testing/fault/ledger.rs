//! Injects faults into calls to a ledger.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::NaiveDate;

use super::{Fault, Faulty, said};
use crate::digest::Digest;
use crate::ledger::{
    CaseBook, CaseEvent, Claimed, ClosedCase, Entry, EntryBody, Fence, Find, Hold, HoldBook, HoldId, Lease,
    Ledger, LedgerError, ListedCase, NewCase, OpenedCases, Ration, Rations, Received, Register, RequestNote,
    SavedRequest, Standing, Taken, WhichHolds, WhichRequests,
};
use crate::plan::CaseId;
use crate::request::{NewRequest, RequestId};
use crate::treatment::Treatment;

pub(super) fn lost(doing: &'static str) -> impl Fn(Fault) -> LedgerError {
    move |fault| LedgerError::Failed { doing, what: said(fault).to_owned() }
}

#[async_trait]
impl<T: CaseBook> CaseBook for Faulty<T> {
    async fn open(&self, cases: &[NewCase], lease: &Lease) -> Result<OpenedCases, LedgerError> {
        self.call("open", self.inner.open(cases, lease), lost("opening cases")).await
    }

    async fn claim(&self, cases: &[CaseId], lease: &Lease) -> Result<Claimed, LedgerError> {
        self.call("claim", self.inner.claim(cases, lease), lost("claiming cases")).await
    }

    async fn record(&self, fence: Fence, events: &[CaseEvent]) -> Result<(), LedgerError> {
        self.call("record", self.inner.record(fence, events), lost("recording events")).await
    }

    async fn release(&self, fence: Fence, cases: &[CaseId]) -> Result<(), LedgerError> {
        self.call("release", self.inner.release(fence, cases), lost("releasing cases")).await
    }

    async fn list(&self, after: Option<&CaseId>, limit: usize) -> Result<Vec<ListedCase>, LedgerError> {
        self.call("list", self.inner.list(after, limit), lost("listing cases")).await
    }
}

#[async_trait]
impl<T: Rations> Rations for Faulty<T> {
    async fn take(&self, rations: &[Ration], wanted: u64, least: u64) -> Result<Taken, LedgerError> {
        self.call("take", self.inner.take(rations, wanted, least), lost("counting against a limit")).await
    }
}

#[async_trait]
impl<T: Ledger> Ledger for Faulty<T> {
    async fn close(&self, fence: Fence, cases: &[Arc<ClosedCase>]) -> Result<Vec<Entry>, LedgerError> {
        self.call("close", self.inner.close(fence, cases), lost("closing cases")).await
    }

    async fn append(&self, entries: &[EntryBody]) -> Result<Vec<Entry>, LedgerError> {
        self.call("append", self.inner.append(entries), lost("appending entries")).await
    }

    async fn entries(&self, after: u64, limit: usize) -> Result<Vec<Entry>, LedgerError> {
        self.call("entries", self.inner.entries(after, limit), lost("reading entries")).await
    }

    async fn entry(&self, case: &CaseId) -> Result<Option<Entry>, LedgerError> {
        self.call("entry", self.inner.entry(case), lost("reading an entry")).await
    }

    async fn find(&self, find: &Find) -> Result<Vec<Entry>, LedgerError> {
        self.call("find", self.inner.find(find), lost("finding entries")).await
    }

    async fn treatment(&self, digest: Digest) -> Result<Option<Arc<Treatment>>, LedgerError> {
        self.call("treatment", self.inner.treatment(digest), lost("reading a treatment")).await
    }

    async fn treatments(&self) -> Result<Vec<Arc<Treatment>>, LedgerError> {
        self.call("treatments", self.inner.treatments(), lost("reading the treatments")).await
    }

    async fn last(&self) -> Result<u64, LedgerError> {
        self.call("last", self.inner.last(), lost("reading the last number")).await
    }
}

#[async_trait]
impl<T: HoldBook> HoldBook for Faulty<T> {
    async fn place_hold(&self, hold: &Hold) -> Result<(), LedgerError> {
        self.call("place_hold", self.inner.place_hold(hold), lost("placing a hold")).await
    }

    async fn lift_hold(&self, lifted: &Hold) -> Result<bool, LedgerError> {
        self.call("lift_hold", self.inner.lift_hold(lifted), lost("lifting a hold")).await
    }

    async fn standing_holds(&self, keys: &BTreeSet<String>) -> Result<Vec<Hold>, LedgerError> {
        self.call("standing_holds", self.inner.standing_holds(keys), lost("reading the holds")).await
    }

    async fn hold(&self, id: &HoldId) -> Result<Option<Hold>, LedgerError> {
        self.call("hold", self.inner.hold(id), lost("reading a hold")).await
    }

    async fn list_holds(
        &self,
        which: WhichHolds,
        after: Option<&HoldId>,
        limit: usize,
    ) -> Result<Vec<Hold>, LedgerError> {
        self.call("list_holds", self.inner.list_holds(which, after, limit), lost("listing the holds")).await
    }
}

#[async_trait]
impl<T: Register> Register for Faulty<T> {
    async fn receive_requests(&self, requests: &[NewRequest]) -> Result<Vec<Received>, LedgerError> {
        self.call("receive_requests", self.inner.receive_requests(requests), lost("recording requests")).await
    }

    async fn note_request(
        &self,
        request: &RequestId,
        seen: usize,
        notes: &[RequestNote],
        stands: &Standing,
    ) -> Result<bool, LedgerError> {
        let note = self.inner.note_request(request, seen, notes, stands);
        self.call("note_request", note, lost("noting a request")).await
    }

    async fn request(&self, request: &RequestId) -> Result<Option<SavedRequest>, LedgerError> {
        self.call("request", self.inner.request(request), lost("reading a request")).await
    }

    async fn list_requests(
        &self,
        which: WhichRequests,
        after: Option<&RequestId>,
        limit: usize,
    ) -> Result<Vec<SavedRequest>, LedgerError> {
        let list = self.inner.list_requests(which, after, limit);
        self.call("list_requests", list, lost("listing requests")).await
    }

    async fn forget_requests(&self, ended_before: NaiveDate, limit: usize) -> Result<usize, LedgerError> {
        let forget = self.inner.forget_requests(ended_before, limit);
        self.call("forget_requests", forget, lost("forgetting requests")).await
    }
}

//! The ledgers of this crate and of the example, and one saboteur per law.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use relinquish::Digest;
use relinquish::ledger::{
    CaseBook, CaseEvent, Claimed, ClosedCase, Entry, EntryBody, Fence, Find, Hold, HoldId, Lease, Ledger,
    LedgerError, ListedCase, MemoryLedger, NewCase, Opened, OpenedCases, Ration, Rations, Scrubbed,
    SqliteLedger, Taken,
};
use relinquish::plan::CaseId;
use relinquish::request::{NewRequest, RequestId};
use relinquish::testing::{self, Law, ManualClock};
use relinquish::treatment::Treatment;

use super::assert_caught;
use crate::ledger::proof::text_ledger::TextLedger;

#[tokio::test]
async fn memory() {
    testing::ledger(|clock| async move { MemoryLedger::new().lease_clock(move || clock.now()) })
        .await
        .unwrap();
}

#[tokio::test]
async fn sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let files = Mutex::new(0);
    let open = |clock: Arc<ManualClock>| {
        let mut number = files.lock().unwrap();
        *number += 1;
        let ledger = SqliteLedger::open(folder.path().join(format!("ledger-{number}.sqlite"))).unwrap();
        async move { ledger.lease_clock(move || clock.now()) }
    };
    testing::ledger(open).await.unwrap();
}

#[tokio::test]
async fn the_examples_own() {
    testing::ledger(|clock| async move { TextLedger::new(move || clock.now()) }).await.unwrap();
}

mod holds;
mod requests;
#[cfg(feature = "checkpoints")]
pub(super) mod tree;

pub(super) const CAUGHT: &[Law] = &[
    Law::CaseOpensOnce,
    Law::OpenAnswersInOrder,
    Law::CaseKeptAsOpened,
    Law::CasesListedById,
    Law::CaseOpensAgain,
    Law::FencesRise,
    Law::LeaseHolds,
    Law::LeaseEnds,
    Law::RecordRenewsLease,
    Law::LateWorkerGoesOn,
    Law::WorkerReclaims,
    Law::ClaimSorts,
    Law::LostClaimWritesNothing,
    Law::LostClaimReleasesNothing,
    Law::ReleaseFrees,
    Law::EventsInOrder,
    Law::RecordNeedsCase,
    Law::RecordAllOrNothing,
    Law::CloseAnswersInOrder,
    Law::CloseWipes,
    Law::ClosesOnce,
    Law::CloseNeedsCase,
    Law::CloseAllOrNothing,
    Law::EntriesNumbered,
    Law::EntriesPaged,
    Law::EntryKeptAsWritten,
    Law::EntryOfCase,
    Law::FoundByKey,
    Law::AppendRepeats,
    Law::AppendRefusesCases,
    Law::TreatmentKept,
    Law::TreatmentsListed,
    Law::RationGivesWhatIsLeft,
    Law::RationSmallestDecides,
    Law::RationsApart,
    Law::RationAllOrLeast,
    Law::RationHoldsForAll,
    Law::HoldStands,
    Law::HoldPlacedOnce,
    Law::HoldsFoundByKey,
    Law::HoldLifted,
    Law::HoldLiftedOnce,
    Law::HoldsListed,
    Law::RequestReceivedOnce,
    Law::NotesInOrder,
    Law::NoteNeedsLast,
    Law::EndWipesWho,
    Law::RequestsListed,
    Law::RequestsForgotten,
    Law::LedgerShowsNobody,
];

#[tokio::test]
async fn whoever_breaks_a_law_is_caught_at_it() {
    for law in CAUGHT {
        assert_caught(*law, testing::ledger(|clock| async move { Wrong::new(*law, clock) }).await);
    }
}

/// A ledger in memory that breaks one law.
struct Wrong {
    inner: MemoryLedger,
    law: Law,
    clock: Arc<ManualClock>,
    /// The false time of the lease clock, if it has one.
    stopped: Arc<Mutex<Option<DateTime<Utc>>>>,
    seen: Mutex<Seen>,
    /// Holds that are returned in another form than they were stored.
    otherwise: Mutex<BTreeMap<HoldId, Hold>>,
    /// Requests as they were received.
    asked: Mutex<BTreeMap<RequestId, NewRequest>>,
}

#[derive(Default)]
struct Seen {
    /// When a claim was last given.
    claimed_at: Option<DateTime<Utc>>,
    opened: Option<Fence>,
    claimed: Option<Fence>,
    customers: Vec<String>,
    appended: Vec<Entry>,
    closed: BTreeMap<CaseId, ListedCase>,
}

impl fmt::Debug for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.law {
            Law::LedgerShowsNobody => write!(f, "Wrong({:?})", self.seen.lock().unwrap().customers),
            _ => f.write_str("Wrong"),
        }
    }
}

impl Wrong {
    fn new(law: Law, clock: Arc<ManualClock>) -> Self {
        let (stopped, shown) = (Arc::<Mutex<Option<DateTime<Utc>>>>::default(), Arc::clone(&clock));
        let stopped_at = Arc::clone(&stopped);
        let now = move || stopped_at.lock().unwrap().unwrap_or_else(|| shown.now());
        // The saboteur whose leases never end has its own clock.
        let inner = MemoryLedger::new();
        let inner = if law == Law::LeaseEnds { inner } else { inner.lease_clock(now) };
        Self {
            inner,
            law,
            clock,
            stopped,
            seen: Mutex::default(),
            otherwise: Mutex::default(),
            asked: Mutex::default(),
        }
    }

    fn is(&self, law: Law) -> bool {
        self.law == law
    }

    /// The numbers of claims, which fall although they should rise.
    fn number(&self, fence: Fence) -> Fence {
        if self.is(Law::FencesRise) { Fence::new(1_000_000 - fence.get()) } else { fence }
    }

    fn stop_clock(&self, at: Option<DateTime<Utc>>) {
        *self.stopped.lock().unwrap() = at;
    }

    async fn is_open(&self, case: &CaseId) -> bool {
        self.listed().await.iter().any(|listed| listed.saved.new.id == *case)
    }

    async fn listed(&self) -> Vec<ListedCase> {
        self.inner.list(None, 100).await.unwrap()
    }

    /// The claims for which a late record or release is accepted.
    fn also(&self) -> Option<Fence> {
        let seen = self.seen.lock().unwrap();
        match self.law {
            Law::CaseOpensAgain => seen.opened,
            Law::LostClaimWritesNothing | Law::LostClaimReleasesNothing => seen.claimed,
            _ => None,
        }
    }
}

#[async_trait]
impl CaseBook for Wrong {
    async fn open(&self, cases: &[NewCase], lease: &Lease) -> Result<OpenedCases, LedgerError> {
        let mut opened = self.inner.open(cases, lease).await?;
        {
            let mut seen = self.seen.lock().unwrap();
            seen.claimed_at = Some(self.clock.now());
            seen.opened = Some(opened.fence);
            let customers = cases.iter().filter_map(|case| case.task.customer());
            seen.customers.extend(customers.map(|(customer, _)| customer.as_str().to_owned()));
        }
        match self.law {
            Law::CaseOpensOnce => opened.cases.fill(Opened::Open),
            Law::OpenAnswersInOrder => opened.cases.reverse(),
            _ => {}
        }
        Ok(OpenedCases { fence: self.number(opened.fence), cases: opened.cases })
    }

    async fn claim(&self, cases: &[CaseId], lease: &Lease) -> Result<Claimed, LedgerError> {
        let mut cases = cases.to_vec();
        let mut lease = lease.clone();
        let mut refused = Vec::new();
        match self.law {
            Law::LeaseHolds => lease.worker = "one".into(),
            Law::WorkerReclaims => {
                let listed = self.listed().await;
                let is_theirs = |case: &CaseId| {
                    let mut theirs = listed.iter().filter(|one| one.held_by.as_ref() == Some(&lease.worker));
                    theirs.any(|one| one.saved.new.id == *case)
                };
                (refused, cases) = cases.into_iter().partition(is_theirs);
            }
            _ => {}
        }
        let mut claimed = self.inner.claim(&cases, &lease).await?;
        claimed.held.extend(refused);
        if self.is(Law::ClaimSorts) {
            claimed.held.clear();
        }
        let mut seen = self.seen.lock().unwrap();
        seen.claimed_at = Some(self.clock.now());
        seen.claimed = Some(claimed.fence);
        Ok(Claimed { fence: self.number(claimed.fence), ..claimed })
    }

    async fn record(&self, fence: Fence, events: &[CaseEvent]) -> Result<(), LedgerError> {
        let fence = self.number(fence);
        let mut events = events.to_vec();
        match self.law {
            Law::RecordRenewsLease => {
                self.stop_clock(self.seen.lock().unwrap().claimed_at);
                let answer = self.inner.record(fence, &events).await;
                self.stop_clock(None);
                return answer;
            }
            Law::LateWorkerGoesOn => {
                let free = self.listed().await.into_iter().find(|listed| listed.held_by.is_none());
                if let Some(listed) = free {
                    return Err(LedgerError::LostClaim { case: listed.saved.new.id });
                }
            }
            Law::RecordNeedsCase => {
                let mut open = Vec::new();
                for event in events {
                    if self.is_open(&event.case).await {
                        open.push(event);
                    }
                }
                events = open;
            }
            Law::RecordAllOrNothing => {
                for event in &events {
                    self.inner.record(fence, std::slice::from_ref(event)).await?;
                }
                return Ok(());
            }
            _ => {}
        }
        let answer = self.inner.record(fence, &events).await;
        match (&answer, self.also()) {
            (Err(LedgerError::LostClaim { .. }), Some(other)) if !self.is(Law::LostClaimReleasesNothing) => {
                self.inner.record(other, &events).await
            }
            _ => answer,
        }
    }

    async fn release(&self, fence: Fence, cases: &[CaseId]) -> Result<(), LedgerError> {
        if self.is(Law::ReleaseFrees) {
            return Ok(());
        }
        self.inner.release(self.number(fence), cases).await?;
        match self.also() {
            Some(other) if self.is(Law::LostClaimReleasesNothing) => self.inner.release(other, cases).await,
            _ => Ok(()),
        }
    }

    async fn list(&self, after: Option<&CaseId>, limit: usize) -> Result<Vec<ListedCase>, LedgerError> {
        let mut listed = self.inner.list(after, limit).await?;
        match self.law {
            Law::CasesListedById => listed.reverse(),
            Law::CaseKeptAsOpened => {
                for case in &mut listed {
                    case.saved.new.opened_at += TimeDelta::seconds(1);
                }
            }
            Law::EventsInOrder => listed.iter_mut().for_each(|case| case.saved.events.reverse()),
            Law::CloseWipes => listed.extend(self.seen.lock().unwrap().closed.values().cloned()),
            _ => {}
        }
        Ok(listed)
    }
}

#[async_trait]
impl Rations for Wrong {
    async fn take(&self, rations: &[Ration], wanted: u64, least: u64) -> Result<Taken, LedgerError> {
        match self.law {
            Law::RationGivesWhatIsLeft => {
                let taken = self.inner.take(rations, wanted, least).await?;
                Ok(Taken { taken: taken.taken.max(1), ..taken })
            }
            Law::RationSmallestDecides => self.inner.take(&rations[..1], wanted, least).await,
            Law::RationsApart => {
                let one = |ration: &Ration| {
                    Ration::new(if ration.name == "run" { "run" } else { "day" }, ration.at_most)
                };
                let rations: Vec<Ration> = rations.iter().map(one).collect();
                self.inner.take(&rations, wanted, least).await
            }
            Law::RationAllOrLeast => self.inner.take(rations, wanted, 0).await,
            Law::RationHoldsForAll if rations[0].name == "shared" => {
                // It reads, waits, and then takes what it has read.
                let Taken { left, .. } = self.inner.take(rations, 0, 0).await?;
                tokio::task::yield_now().await;
                let taken = wanted.min(left);
                self.inner.take(&[Ration::new("shared", u64::MAX)], taken, 0).await?;
                Ok(Taken { taken, left })
            }
            _ => self.inner.take(rations, wanted, least).await,
        }
    }
}

#[async_trait]
impl Ledger for Wrong {
    async fn close(&self, fence: Fence, cases: &[Arc<ClosedCase>]) -> Result<Vec<Entry>, LedgerError> {
        let fence = self.number(fence);
        let open = self.listed().await;
        match self.law {
            Law::CloseAllOrNothing => {
                let mut entries = Vec::new();
                for case in cases {
                    entries.extend(self.inner.close(fence, std::slice::from_ref(case)).await?);
                }
                return Ok(entries);
            }
            Law::ClosesOnce => {
                for case in cases {
                    if self.inner.entry(&case.case).await?.is_some() {
                        let at = self.clock.now();
                        self.inner.append(&[EntryBody::Scrubbed(Scrubbed { through: 0, at })]).await?;
                    }
                }
            }
            _ => {}
        }
        let mut entries = match self.inner.close(fence, cases).await {
            Err(LedgerError::NoSuchCase { .. }) if self.is(Law::CloseNeedsCase) => {
                return Err(LedgerError::Busy { doing: "closing cases" });
            }
            answer => answer?,
        };
        match self.law {
            Law::CloseAnswersInOrder => entries.reverse(),
            Law::EntriesNumbered => entries.iter_mut().for_each(|entry| entry.seq += 1),
            Law::CloseWipes => {
                let closed =
                    open.into_iter().filter(|case| cases.iter().any(|one| one.case == case.saved.new.id));
                let closed = closed.map(|case| (case.saved.new.id.clone(), case));
                self.seen.lock().unwrap().closed.extend(closed);
            }
            _ => {}
        }
        Ok(entries)
    }

    async fn append(&self, entries: &[EntryBody]) -> Result<Vec<Entry>, LedgerError> {
        let mut entries = entries.to_vec();
        match self.law {
            Law::AppendRefusesCases => entries.retain(|entry| entry.closed().is_none()),
            Law::AppendRepeats => {
                let seen = self.seen.lock().unwrap();
                let found = seen.appended.iter().find(|old| entries.len() == 1 && old.body == entries[0]);
                if let Some(found) = found {
                    return Ok(vec![found.clone()]);
                }
            }
            _ => {}
        }
        let appended = self.inner.append(&entries).await?;
        self.seen.lock().unwrap().appended.extend(appended.clone());
        Ok(appended)
    }

    async fn entries(&self, after: u64, limit: usize) -> Result<Vec<Entry>, LedgerError> {
        let limit = if self.is(Law::EntriesPaged) { usize::MAX } else { limit };
        let mut entries = self.inner.entries(after, limit).await?;
        if self.is(Law::EntryKeptAsWritten) {
            for entry in &mut entries {
                // Without the data that are stored next to the entry.
                let under = entry.closed().map(|case| Arc::clone(case.under()));
                let text = entry.body.to_text()?;
                entry.body = EntryBody::from_text::<LedgerError>(&text, None, |_| Ok(under))?;
            }
        }
        Ok(entries)
    }

    async fn entry(&self, case: &CaseId) -> Result<Option<Entry>, LedgerError> {
        match self.law {
            Law::EntryOfCase => Ok(self.inner.entries(0, 1).await?.pop()),
            _ => self.inner.entry(case).await,
        }
    }

    async fn find(&self, find: &Find) -> Result<Vec<Entry>, LedgerError> {
        let mut find = find.clone();
        if self.is(Law::FoundByKey) {
            find.last_first = false;
        }
        self.inner.find(&find).await
    }

    async fn treatment(&self, digest: Digest) -> Result<Option<Arc<Treatment>>, LedgerError> {
        if self.is(Law::TreatmentKept) { Ok(None) } else { self.inner.treatment(digest).await }
    }

    async fn treatments(&self) -> Result<Vec<Arc<Treatment>>, LedgerError> {
        if self.is(Law::TreatmentsListed) { Ok(Vec::new()) } else { self.inner.treatments().await }
    }

    async fn last(&self) -> Result<u64, LedgerError> {
        self.inner.last().await
    }
}

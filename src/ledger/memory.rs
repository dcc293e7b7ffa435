//! Case book and ledger in memory: for tests and for trying things out. It proves nothing after a restart.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{
    CaseBook, CaseEvent, ClosedCase, Entry, EntryBody, ExpiryEvent, Ledger, LedgerError, NewCase, Opened,
    ProfileErased, SavedCase, SubjectToken,
};
use crate::digest::Digest;
use crate::plan::CaseId;
use crate::policy::Treatment;
use crate::store::Census;

/// Case book and ledger in memory.
#[derive(Debug, Default)]
pub struct MemoryLedger {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    open: BTreeMap<CaseId, SavedCase>,
    entries: Vec<Entry>,
    /// Where in the entries each case is.
    closed: BTreeMap<CaseId, usize>,
    treatments: BTreeMap<Digest, Arc<Treatment>>,
}

impl State {
    fn append(&mut self, body: EntryBody) -> Entry {
        let entry = Entry { seq: self.entries.len() as u64 + 1, body };
        self.entries.push(entry.clone());
        entry
    }

    fn closed(&self, case: &CaseId) -> Option<&Entry> {
        self.entries.get(*self.closed.get(case)?)
    }
}

impl MemoryLedger {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl CaseBook for MemoryLedger {
    async fn open(&self, cases: &[NewCase]) -> Result<Vec<Opened>, LedgerError> {
        let mut state = self.lock();
        let mut answers = Vec::with_capacity(cases.len());
        for case in cases {
            let other = state
                .open
                .values()
                .find(|open| open.new.customer() == case.customer() && open.new.tenant() == case.tenant());
            answers.push(match other {
                Some(other) if other.new.id != case.id => Opened::Conflict { case: other.new.id.clone() },
                _ => Opened::Open,
            });
            if other.is_none() {
                state.treatments.insert(case.binding.treatment_digest(), case.treatment.clone());
                let saved = SavedCase { new: case.clone(), events: Vec::new() };
                state.open.insert(case.id.clone(), saved);
            }
        }
        Ok(answers)
    }

    async fn record(&self, events: &[CaseEvent]) -> Result<(), LedgerError> {
        let mut state = self.lock();
        if let Some(event) = events.iter().find(|event| !state.open.contains_key(&event.case)) {
            return Err(LedgerError::NoSuchCase { case: event.case.clone() });
        }
        for event in events {
            if let Some(open) = state.open.get_mut(&event.case) {
                open.events.push(event.event.clone());
            }
        }
        Ok(())
    }

    async fn open_cases(&self, after: Option<&CaseId>, limit: usize) -> Result<Vec<SavedCase>, LedgerError> {
        let state = self.lock();
        let cases = state.open.iter().filter(|(id, _)| after.is_none_or(|after| *id > after));
        Ok(cases.take(limit).map(|(_, case)| case.clone()).collect())
    }

    async fn open_case(&self, case: &CaseId) -> Result<Option<SavedCase>, LedgerError> {
        Ok(self.lock().open.get(case).cloned())
    }
}

#[async_trait]
impl Ledger for MemoryLedger {
    async fn close(&self, cases: &[Arc<ClosedCase>]) -> Result<Vec<Entry>, LedgerError> {
        let mut state = self.lock();
        let mut entries = Vec::with_capacity(cases.len());
        for case in cases {
            state.open.remove(&case.case);
            let entry = state.closed(&case.case).cloned().unwrap_or_else(|| {
                let place = state.entries.len();
                state.closed.insert(case.case.clone(), place);
                state.append(EntryBody::Closed(Arc::clone(case)))
            });
            entries.push(entry);
        }
        Ok(entries)
    }

    async fn scrubbed(&self, through: u64, at: DateTime<Utc>) -> Result<(), LedgerError> {
        self.lock().append(EntryBody::Scrubbed { through, at });
        Ok(())
    }

    async fn profiles_erased(&self, profiles: &[ProfileErased]) -> Result<(), LedgerError> {
        let mut state = self.lock();
        for profile in profiles {
            state.append(EntryBody::Profile(Arc::new(profile.clone())));
        }
        Ok(())
    }

    async fn of_profiles(&self, profiles: &[SubjectToken]) -> Result<Vec<Entry>, LedgerError> {
        let state = self.lock();
        let of_them = |entry: &&Entry| match &entry.body {
            EntryBody::Closed(case) => case.profiles().any(|profile| profiles.contains(&profile)),
            EntryBody::Profile(erased) => profiles.contains(&erased.profile),
            EntryBody::Scrubbed { .. } | EntryBody::Expiry(_) | EntryBody::Counted(_) => false,
        };
        Ok(state.entries.iter().filter(of_them).cloned().collect())
    }

    async fn expiry(&self, event: &ExpiryEvent) -> Result<u64, LedgerError> {
        Ok(self.lock().append(EntryBody::Expiry(Arc::new(event.clone()))).seq)
    }

    async fn counted(&self, census: &Census) -> Result<u64, LedgerError> {
        Ok(self.lock().append(EntryBody::Counted(Arc::new(census.for_the_ledger()))).seq)
    }

    async fn last_census(&self, data_map: Digest) -> Result<Option<Arc<Census>>, LedgerError> {
        let state = self.lock();
        let mut censuses = state.entries.iter().rev().filter_map(|entry| match &entry.body {
            EntryBody::Counted(census) => Some(census),
            _ => None,
        });
        Ok(censuses.find(|census| census.data_map == data_map).cloned())
    }

    async fn entries(&self, after: u64, limit: usize) -> Result<Vec<Entry>, LedgerError> {
        let state = self.lock();
        Ok(state.entries.iter().filter(|entry| entry.seq > after).take(limit).cloned().collect())
    }

    async fn last(&self) -> Result<u64, LedgerError> {
        Ok(self.lock().entries.len() as u64)
    }

    async fn entry(&self, case: &CaseId) -> Result<Option<Entry>, LedgerError> {
        Ok(self.lock().closed(case).cloned())
    }

    async fn of_subjects(&self, subjects: &[SubjectToken]) -> Result<Vec<Entry>, LedgerError> {
        let state = self.lock();
        let of_them = |entry: &&Entry| entry.closed().is_some_and(|case| subjects.contains(&case.subject));
        Ok(state.entries.iter().filter(of_them).cloned().collect())
    }

    async fn treatment(&self, digest: Digest) -> Result<Option<Arc<Treatment>>, LedgerError> {
        Ok(self.lock().treatments.get(&digest).cloned())
    }

    async fn scrubbed_after(&self, seq: u64) -> Result<Option<DateTime<Utc>>, LedgerError> {
        Ok(self.lock().entries.iter().find_map(|entry| match &entry.body {
            EntryBody::Scrubbed { through, at } if *through >= seq => Some(*at),
            EntryBody::Scrubbed { .. }
            | EntryBody::Closed(_)
            | EntryBody::Profile(_)
            | EntryBody::Expiry(_)
            | EntryBody::Counted(_) => None,
        }))
    }
}

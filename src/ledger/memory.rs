//! Case book and ledger in memory: for tests and experiments. After a restart, everything is lost.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};

use super::lease_clock::LeaseClock;
use super::{
    CaseBook, CaseEvent, Claimed, ClosedCase, Entry, EntryBody, Erasure, Fence, Find, Hold, HoldId, KeyCheck,
    Lease, Ledger, LedgerError, ListedCase, NewCase, Opened, OpenedCases, Ration, Rations, SavedCase,
    SuppressionToken, Taken, Task,
};
use crate::digest::Digest;
use crate::plan::CaseId;
use crate::treatment::Treatment;

mod holds;
mod register;
mod suppression;

/// Case book and ledger in memory.
pub struct MemoryLedger {
    state: Mutex<State>,
    clock: LeaseClock,
}

impl Default for MemoryLedger {
    fn default() -> Self {
        Self { state: Mutex::default(), clock: LeaseClock::of_the_process() }
    }
}

/// Prints only counts, because the keys of open cases contain the customer's id.
impl fmt::Debug for MemoryLedger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        f.debug_struct("MemoryLedger")
            .field("open", &state.open.len())
            .field("entries", &state.entries.len())
            .finish_non_exhaustive()
    }
}

#[derive(Default)]
struct State {
    open: BTreeMap<CaseId, Open>,
    /// The unique keys of open cases: see [`Task::unique_key`](super::Task::unique_key).
    holds: HashMap<String, CaseId>,
    fences: u64,
    claims: BTreeMap<Fence, Claim>,
    entries: Vec<Entry>,
    /// The index of each closed case in the entries.
    closed: BTreeMap<CaseId, usize>,
    treatments: BTreeMap<Digest, Arc<Treatment>>,
    /// The hashes of the tree, for each entry that was hashed.
    #[cfg(feature = "checkpoints")]
    hashes: Vec<Vec<Digest>>,
    /// The amount that was taken of each ration, by name.
    rations: BTreeMap<String, u64>,
    /// Holds that operators placed, in force or lifted.
    placed: BTreeMap<HoldId, Hold>,
    requests: register::Requests,
    /// Tokens of the suppression list, each with its last day, and the check values of their keys.
    suppressed: BTreeMap<SuppressionToken, NaiveDate>,
    suppression_keys: BTreeMap<u32, KeyCheck>,
}

struct Open {
    saved: SavedCase,
    fence: Option<Fence>,
}

struct Claim {
    lease: Lease,
    /// In milliseconds of the lease clock.
    until: i64,
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

    fn new_claim(&mut self, lease: &Lease, now: i64) -> Fence {
        let open = &self.open;
        self.claims.retain(|fence, _| open.values().any(|case| case.fence == Some(*fence)));
        self.fences += 1;
        let fence = Fence::new(self.fences);
        self.claims.insert(fence, Claim { lease: lease.clone(), until: now.saturating_add(millis(lease)) });
        fence
    }

    /// The lease of the worker who has claimed the case now.
    fn holder(&self, case: &Open, now: i64) -> Option<&Lease> {
        let claim = self.claims.get(&case.fence?)?;
        (claim.until > now).then_some(&claim.lease)
    }

    fn is_held(&self, fence: Fence, case: &CaseId) -> Result<(), LedgerError> {
        match self.open.get(case) {
            None => Err(LedgerError::NoSuchCase { case: case.clone() }),
            Some(open) if open.fence == Some(fence) => Ok(()),
            Some(_) => Err(LedgerError::LostClaim { case: case.clone() }),
        }
    }
}

fn millis(lease: &Lease) -> i64 {
    i64::try_from(lease.lasts.as_millis()).unwrap_or(i64::MAX)
}

impl MemoryLedger {
    /// An empty ledger.
    pub fn new() -> Self {
        Self::default()
    }

    /// Replaces the clock for the leases.
    #[must_use]
    pub fn lease_clock(self, now: impl Fn() -> DateTime<Utc> + Send + Sync + 'static) -> Self {
        Self { clock: LeaseClock::by(now), ..self }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl CaseBook for MemoryLedger {
    async fn open(&self, cases: &[NewCase], lease: &Lease) -> Result<OpenedCases, LedgerError> {
        let now = self.clock.millis();
        let mut state = self.lock();
        let fence = state.new_claim(lease, now);
        let mut answers = Vec::with_capacity(cases.len());
        for case in cases {
            match state.holds.get(&case.task.unique_key()).cloned() {
                Some(other) if other != case.id => {
                    answers.push(Opened::Conflict { case: other });
                    continue;
                }
                Some(same) => {
                    let is_theirs = state.open.get(&same).is_some_and(|open| {
                        state.holder(open, now).is_some_and(|holder| holder.worker != lease.worker)
                    });
                    if let Some(open) = state.open.get_mut(&same).filter(|_| !is_theirs) {
                        open.fence = Some(fence);
                    }
                }
                None => {
                    if let Task::Erasure(Erasure { binding, treatment, .. }) = &case.task {
                        state.treatments.insert(binding.treatment_digest(), Arc::clone(treatment));
                    }
                    state.holds.insert(case.task.unique_key(), case.id.clone());
                    let saved = SavedCase { new: case.clone(), events: Vec::new() };
                    state.open.insert(case.id.clone(), Open { saved, fence: Some(fence) });
                }
            }
            answers.push(Opened::Open);
        }
        Ok(OpenedCases { fence, cases: answers })
    }

    async fn claim(&self, cases: &[CaseId], lease: &Lease) -> Result<Claimed, LedgerError> {
        let now = self.clock.millis();
        let mut state = self.lock();
        let is_free = |case: &&CaseId| {
            let open = state.open.get(*case);
            open.is_some_and(|open| {
                state.holder(open, now).is_none_or(|holder| holder.worker == lease.worker)
            })
        };
        let open = cases.iter().filter(|case| state.open.contains_key(*case));
        let (free, held): (Vec<CaseId>, Vec<CaseId>) = open.cloned().partition(|case| is_free(&case));
        let fence = state.new_claim(lease, now);
        let mut claimed = Vec::with_capacity(free.len());
        for case in free {
            if let Some(open) = state.open.get_mut(&case) {
                open.fence = Some(fence);
                claimed.push(open.saved.clone());
            }
        }
        Ok(Claimed { fence, cases: claimed, held })
    }

    async fn record(&self, fence: Fence, events: &[CaseEvent]) -> Result<(), LedgerError> {
        let now = self.clock.millis();
        let mut state = self.lock();
        for event in events {
            state.is_held(fence, &event.case)?;
        }
        for event in events {
            if let Some(open) = state.open.get_mut(&event.case) {
                open.saved.events.push(event.event.clone());
            }
        }
        if let Some(claim) = state.claims.get_mut(&fence) {
            claim.until = now.saturating_add(millis(&claim.lease));
        }
        Ok(())
    }

    async fn release(&self, fence: Fence, cases: &[CaseId]) -> Result<(), LedgerError> {
        let mut state = self.lock();
        for case in cases {
            if let Some(open) = state.open.get_mut(case).filter(|open| open.fence == Some(fence)) {
                open.fence = None;
            }
        }
        Ok(())
    }

    async fn list(&self, after: Option<&CaseId>, limit: usize) -> Result<Vec<ListedCase>, LedgerError> {
        let now = self.clock.millis();
        let state = self.lock();
        let cases = state.open.iter().filter(|(id, _)| after.is_none_or(|after| *id > after));
        let listed = |case: &Open| ListedCase {
            saved: case.saved.clone(),
            held_by: state.holder(case, now).map(|lease| lease.worker.clone()),
        };
        Ok(cases.take(limit).map(|(_, case)| listed(case)).collect())
    }
}

#[async_trait]
impl Rations for MemoryLedger {
    async fn take(&self, rations: &[Ration], wanted: u64, least: u64) -> Result<Taken, LedgerError> {
        let mut state = self.lock();
        let taken = |name: &String| state.rations.get(name).copied().unwrap_or_default();
        let before: Vec<u64> = rations.iter().map(|ration| taken(&ration.name)).collect();
        let taken = super::ration::share_out(rations, &before, wanted, least);
        for ration in rations {
            *state.rations.entry(ration.name.clone()).or_default() += taken.taken;
        }
        Ok(taken)
    }
}

#[async_trait]
impl Ledger for MemoryLedger {
    async fn close(&self, fence: Fence, cases: &[Arc<ClosedCase>]) -> Result<Vec<Entry>, LedgerError> {
        let mut state = self.lock();
        for case in cases.iter().filter(|case| !state.closed.contains_key(&case.case)) {
            state.is_held(fence, &case.case)?;
        }
        let mut entries = Vec::with_capacity(cases.len());
        for case in cases {
            if let Some(open) = state.open.remove(&case.case) {
                state.holds.remove(&open.saved.new.task.unique_key());
            }
            let entry = state.closed(&case.case).cloned().unwrap_or_else(|| {
                let place = state.entries.len();
                state.closed.insert(case.case.clone(), place);
                state.append(EntryBody::Closed(Arc::clone(case)))
            });
            entries.push(entry);
        }
        Ok(entries)
    }

    async fn append(&self, entries: &[EntryBody]) -> Result<Vec<Entry>, LedgerError> {
        super::of_no_case(entries)?;
        let mut state = self.lock();
        Ok(entries.iter().map(|body| state.append(body.clone())).collect())
    }

    async fn entries(&self, after: u64, limit: usize) -> Result<Vec<Entry>, LedgerError> {
        let state = self.lock();
        Ok(state.entries.iter().filter(|entry| entry.seq > after).take(limit).cloned().collect())
    }

    async fn entry(&self, case: &CaseId) -> Result<Option<Entry>, LedgerError> {
        Ok(self.lock().closed(case).cloned())
    }

    async fn find(&self, find: &Find) -> Result<Vec<Entry>, LedgerError> {
        let state = self.lock();
        let is_sought = |entry: &&Entry| {
            entry.seq > find.after && entry.body.keys().iter().any(|key| find.keys.contains(key))
        };
        let sought = state.entries.iter().filter(is_sought);
        Ok(if find.last_first {
            sought.rev().take(find.limit).cloned().collect()
        } else {
            sought.take(find.limit).cloned().collect()
        })
    }

    async fn treatment(&self, digest: Digest) -> Result<Option<Arc<Treatment>>, LedgerError> {
        Ok(self.lock().treatments.get(&digest).cloned())
    }

    async fn treatments(&self) -> Result<Vec<Arc<Treatment>>, LedgerError> {
        Ok(self.lock().treatments.values().cloned().collect())
    }

    async fn last(&self) -> Result<u64, LedgerError> {
        Ok(self.lock().entries.len() as u64)
    }
}

#[cfg(feature = "checkpoints")]
#[async_trait]
impl super::proof::KeepsTree for MemoryLedger {
    async fn hashed(&self) -> Result<u64, LedgerError> {
        Ok(self.lock().hashes.len() as u64)
    }

    async fn keep_hashes(&self, after: u64, hashes: &[Vec<Digest>]) -> Result<(), LedgerError> {
        let mut state = self.lock();
        let had = state.hashes.len() as u64;
        let known = super::proof::known(after, had)?;
        state.hashes.extend(hashes.iter().skip(known).cloned());
        Ok(())
    }

    async fn hashes(&self, entries: &[u64]) -> Result<Vec<Vec<Digest>>, LedgerError> {
        let state = self.lock();
        let of = |entry: &u64| {
            let place = usize::try_from(entry.checked_sub(1)?).ok()?;
            state.hashes.get(place).cloned()
        };
        Ok(entries.iter().map(|entry| of(entry).unwrap_or_default()).collect())
    }
}

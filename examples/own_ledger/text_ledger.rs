//! A ledger that a host writes itself, on any storage of texts. Here the storage is maps in memory. In a service it
//! is tables or a key-value store.
//!
//! It stores each case, event, treatment, entry and circumstance as the text that the crate gives, and reads it back
//! from there. Two things it has to do itself, as the trait's documentation says: one atomic write for each call, and
//! the claims.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use relinquish::Digest;
use relinquish::case::Event;
use relinquish::ledger::{
    CaseBook, CaseEvent, Circumstances, Claimed, ClosedCase, Entry, EntryBody, EntryKey, Fence, Find, Hold,
    HoldBook, HoldId, Lease, Ledger, LedgerError, ListedCase, NewCase, Opened, OpenedCases, Ration, Rations,
    Received, Register, RequestNote, SavedCase, SavedRequest, Standing, Taken, Task, WhichHolds,
    WhichRequests, WorkerId,
};
use relinquish::plan::CaseId;
use relinquish::request::{NewRequest, Request, RequestId, Stage};
use relinquish::treatment::Treatment;

/// The clock that decides when leases expire.
type LeaseClock = Box<dyn Fn() -> DateTime<Utc> + Send + Sync>;

/// A case book and a ledger that store texts.
pub(crate) struct TextLedger {
    tables: Mutex<Tables>,
    now: LeaseClock,
}

impl std::fmt::Debug for TextLedger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TextLedger").finish_non_exhaustive()
    }
}

/// What would be tables in a database.
#[derive(Clone, Default)]
struct Tables {
    cases: BTreeMap<CaseId, CaseRow>,
    claims: BTreeMap<Fence, ClaimRow>,
    last_fence: u64,
    treatments: BTreeMap<Digest, String>,
    entries: Vec<EntryRow>,
    circumstances: BTreeMap<Digest, (String, Option<String>)>,
    rations: BTreeMap<String, u64>,
    holds: BTreeMap<HoldId, HoldRow>,
    /// `None` if the request was forgotten, so that only its id is left.
    requests: BTreeMap<RequestId, Option<RequestRow>>,
}

#[derive(Clone)]
struct RequestRow {
    new: String,
    /// The person who asks. It is deleted when the request ends.
    who: Option<String>,
    notes: Vec<String>,
    stands: Standing,
}

#[derive(Clone)]
struct HoldRow {
    /// The key of what a standing hold keeps. It is deleted when the hold is lifted.
    key: Option<String>,
    hold: String,
}

#[derive(Clone)]
struct CaseRow {
    case: String,
    /// The unique key of an open case: no other open case may have the same key.
    unique_key: String,
    events: Vec<String>,
    fence: Option<Fence>,
}

#[derive(Clone)]
struct ClaimRow {
    worker: WorkerId,
    lasts: Duration,
    until: DateTime<Utc>,
}

#[derive(Clone)]
struct EntryRow {
    case: Option<CaseId>,
    keys: Vec<EntryKey>,
    text: String,
    /// The salts and values of the people whom the entry names. They can be destroyed, and the text keeps the rest.
    beside: Option<String>,
}

fn failed(doing: &'static str, error: impl std::fmt::Display) -> LedgerError {
    LedgerError::Failed { doing, what: error.to_string() }
}

fn until(lasts: Duration, now: DateTime<Utc>) -> DateTime<Utc> {
    now + TimeDelta::from_std(lasts).unwrap_or(TimeDelta::MAX)
}

impl TextLedger {
    /// An empty ledger, with the clock that decides when leases expire. In a database, use the database's own clock.
    pub(crate) fn new(now: impl Fn() -> DateTime<Utc> + Send + Sync + 'static) -> Self {
        Self { tables: Mutex::default(), now: Box::new(now) }
    }

    fn lock(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does a write completely or not at all, like a transaction.
    fn write<T>(
        &self,
        work: impl FnOnce(&mut Tables, DateTime<Utc>) -> Result<T, LedgerError>,
    ) -> Result<T, LedgerError> {
        let mut tables = self.lock();
        let mut changed = tables.clone();
        let answer = work(&mut changed, (self.now)())?;
        *tables = changed;
        Ok(answer)
    }
}

impl Tables {
    fn saved(row: &CaseRow) -> Result<SavedCase, LedgerError> {
        let read = |error: serde_json::Error| failed("reading a case", error);
        let new: NewCase = serde_json::from_str(&row.case).map_err(read)?;
        let events = row.events.iter().map(|event| serde_json::from_str::<Event>(event).map_err(read));
        let events = events.collect::<Result<_, _>>()?;
        Ok(SavedCase { new, events })
    }

    fn new_claim(&mut self, lease: &Lease, now: DateTime<Utc>) -> Fence {
        self.last_fence += 1;
        let fence = Fence::new(self.last_fence);
        let until = until(lease.lasts, now);
        self.claims.insert(fence, ClaimRow { worker: lease.worker.clone(), lasts: lease.lasts, until });
        fence
    }

    /// The worker that has a case now.
    fn holder(&self, row: &CaseRow, now: DateTime<Utc>) -> Option<&WorkerId> {
        let claim = self.claims.get(&row.fence?)?;
        (claim.until > now).then_some(&claim.worker)
    }

    fn is_free_for(&self, row: &CaseRow, worker: &WorkerId, now: DateTime<Utc>) -> bool {
        self.holder(row, now).is_none_or(|holder| holder == worker)
    }

    /// The case, if this claim still has it.
    fn of_claim(&mut self, case: &CaseId, fence: Fence) -> Result<&mut CaseRow, LedgerError> {
        match self.cases.get_mut(case) {
            None => Err(LedgerError::NoSuchCase { case: case.clone() }),
            Some(row) if row.fence == Some(fence) => Ok(row),
            Some(_) => Err(LedgerError::LostClaim { case: case.clone() }),
        }
    }

    fn place_of(&self, case: &CaseId) -> Option<usize> {
        self.entries.iter().position(|row| row.case.as_ref() == Some(case))
    }

    fn entry(&self, place: usize) -> Result<Option<Entry>, LedgerError> {
        let Some(row) = self.entries.get(place) else { return Ok(None) };
        let body = EntryBody::from_text(&row.text, row.beside.as_deref(), |digest| {
            let Some((text, beside)) = self.circumstances.get(&digest) else { return Ok(None) };
            Circumstances::from_text(text, beside.as_deref()).map(|read| Some(Arc::new(read)))
        })?;
        Ok(Some(Entry { seq: place as u64 + 1, body }))
    }

    fn append(&mut self, body: &EntryBody) -> Result<usize, LedgerError> {
        if let Some(closed) = body.closed() {
            self.circumstances.insert(closed.circumstances(), closed.under().to_text()?);
        }
        self.entries.push(EntryRow {
            case: body.closed().map(|closed| closed.case.clone()),
            keys: body.keys(),
            text: body.to_text()?,
            beside: body.beside().map(str::to_owned),
        });
        Ok(self.entries.len() - 1)
    }

    fn read(&self, places: impl Iterator<Item = usize>) -> Result<Vec<Entry>, LedgerError> {
        places.filter_map(|place| self.entry(place).transpose()).collect()
    }
}

#[async_trait]
impl CaseBook for TextLedger {
    async fn open(&self, cases: &[NewCase], lease: &Lease) -> Result<OpenedCases, LedgerError> {
        self.write(|tables, now| {
            let fence = tables.new_claim(lease, now);
            let mut opened = Vec::with_capacity(cases.len());
            for new in cases {
                let unique_key = new.task.unique_key();
                let other = tables.cases.iter().find(|(_, row)| row.unique_key == unique_key);
                match other.map(|(id, row)| (id.clone(), row.clone())) {
                    Some((case, _)) if case != new.id => {
                        opened.push(Opened::Conflict { case });
                        continue;
                    }
                    Some((case, row)) => {
                        if tables.is_free_for(&row, &lease.worker, now) {
                            tables.cases.insert(case, CaseRow { fence: Some(fence), ..row });
                        }
                    }
                    None => {
                        if let Task::Erasure(erasure) = &new.task {
                            let text = serde_json::to_string(&*erasure.treatment);
                            let text = text.map_err(|error| failed("keeping a treatment", error))?;
                            tables.treatments.insert(erasure.treatment.digest(), text);
                        }
                        let case = serde_json::to_string(new);
                        let case = case.map_err(|error| failed("opening a case", error))?;
                        let row = CaseRow { case, unique_key, events: Vec::new(), fence: Some(fence) };
                        tables.cases.insert(new.id.clone(), row);
                    }
                }
                opened.push(Opened::Open);
            }
            Ok(OpenedCases { fence, cases: opened })
        })
    }

    async fn claim(&self, cases: &[CaseId], lease: &Lease) -> Result<Claimed, LedgerError> {
        self.write(|tables, now| {
            let fence = tables.new_claim(lease, now);
            let (mut claimed, mut held) = (Vec::new(), Vec::new());
            for case in cases {
                let Some(row) = tables.cases.get(case).cloned() else { continue };
                if !tables.is_free_for(&row, &lease.worker, now) {
                    held.push(case.clone());
                    continue;
                }
                claimed.push(Tables::saved(&row)?);
                tables.cases.insert(case.clone(), CaseRow { fence: Some(fence), ..row });
            }
            Ok(Claimed { fence, cases: claimed, held })
        })
    }

    async fn record(&self, fence: Fence, events: &[CaseEvent]) -> Result<(), LedgerError> {
        self.write(|tables, now| {
            for event in events {
                let text = serde_json::to_string(&event.event);
                let text = text.map_err(|error| failed("recording an event", error))?;
                tables.of_claim(&event.case, fence)?.events.push(text);
            }
            if let Some(claim) = tables.claims.get_mut(&fence) {
                claim.until = until(claim.lasts, now);
            }
            Ok(())
        })
    }

    async fn release(&self, fence: Fence, cases: &[CaseId]) -> Result<(), LedgerError> {
        self.write(|tables, _| {
            for case in cases {
                if let Ok(row) = tables.of_claim(case, fence) {
                    row.fence = None;
                }
            }
            Ok(())
        })
    }

    async fn list(&self, after: Option<&CaseId>, limit: usize) -> Result<Vec<ListedCase>, LedgerError> {
        let (tables, now) = (self.lock(), (self.now)());
        let rows = tables.cases.iter().filter(|(id, _)| after.is_none_or(|after| *id > after));
        let listed = rows.take(limit).map(|(_, row)| {
            Ok(ListedCase { saved: Tables::saved(row)?, held_by: tables.holder(row, now).cloned() })
        });
        listed.collect()
    }
}

#[async_trait]
impl Rations for TextLedger {
    async fn take(&self, rations: &[Ration], wanted: u64, least: u64) -> Result<Taken, LedgerError> {
        self.write(|tables, _| {
            let before = |name: &String| tables.rations.get(name).copied().unwrap_or_default();
            let left = rations.iter().map(|ration| ration.at_most.saturating_sub(before(&ration.name))).min();
            let left = left.unwrap_or(u64::MAX);
            let taken = if wanted.min(left) < least { 0 } else { wanted.min(left) };
            for ration in rations {
                *tables.rations.entry(ration.name.clone()).or_default() += taken;
            }
            Ok(Taken { taken, left })
        })
    }
}

#[async_trait]
impl Ledger for TextLedger {
    async fn close(&self, fence: Fence, cases: &[Arc<ClosedCase>]) -> Result<Vec<Entry>, LedgerError> {
        self.write(|tables, _| {
            let mut entries = Vec::with_capacity(cases.len());
            for closed in cases {
                let first = tables.place_of(&closed.case);
                let place = if let Some(first) = first {
                    first
                } else {
                    tables.of_claim(&closed.case, fence)?;
                    tables.append(&EntryBody::Closed(Arc::clone(closed)))?
                };
                tables.cases.remove(&closed.case);
                entries.extend(tables.entry(place)?);
            }
            Ok(entries)
        })
    }

    async fn append(&self, entries: &[EntryBody]) -> Result<Vec<Entry>, LedgerError> {
        self.write(|tables, _| {
            let mut appended = Vec::with_capacity(entries.len());
            for body in entries {
                if body.closed().is_some() {
                    return Err(failed("appending entries", "a case is closed by whoever has it"));
                }
                let place = tables.append(body)?;
                appended.extend(tables.entry(place)?);
            }
            Ok(appended)
        })
    }

    async fn entries(&self, after: u64, limit: usize) -> Result<Vec<Entry>, LedgerError> {
        let tables = self.lock();
        let first = usize::try_from(after).unwrap_or(usize::MAX);
        tables.read((first..tables.entries.len()).take(limit))
    }

    async fn entry(&self, case: &CaseId) -> Result<Option<Entry>, LedgerError> {
        let tables = self.lock();
        tables.place_of(case).map_or(Ok(None), |place| tables.entry(place))
    }

    async fn find(&self, find: &Find) -> Result<Vec<Entry>, LedgerError> {
        let tables = self.lock();
        let rows = tables.entries.iter().enumerate().filter(|(place, row)| {
            *place as u64 + 1 > find.after && row.keys.iter().any(|key| find.keys.contains(key))
        });
        let mut places: Vec<usize> = rows.map(|(place, _)| place).collect();
        if find.last_first {
            places.reverse();
        }
        tables.read(places.into_iter().take(find.limit))
    }

    async fn treatment(&self, digest: Digest) -> Result<Option<Arc<Treatment>>, LedgerError> {
        let tables = self.lock();
        let Some(text) = tables.treatments.get(&digest) else { return Ok(None) };
        let read: Treatment =
            serde_json::from_str(text).map_err(|error| failed("reading a treatment", error))?;
        Ok(Some(Arc::new(read)))
    }

    async fn treatments(&self) -> Result<Vec<Arc<Treatment>>, LedgerError> {
        let tables = self.lock();
        let read = |text: &String| {
            let read = serde_json::from_str::<Treatment>(text);
            read.map(Arc::new).map_err(|error| failed("reading the treatments", error))
        };
        tables.treatments.values().map(read).collect()
    }

    async fn last(&self) -> Result<u64, LedgerError> {
        Ok(self.lock().entries.len() as u64)
    }
}

fn read_hold(row: &HoldRow) -> Result<Hold, LedgerError> {
    serde_json::from_str(&row.hold).map_err(|error| failed("reading a hold", error))
}

fn hold_row(hold: &Hold) -> Result<HoldRow, LedgerError> {
    let text = serde_json::to_string(hold).map_err(|error| failed("writing a hold", error))?;
    Ok(HoldRow { key: hold.on.key(), hold: text })
}

#[async_trait]
impl HoldBook for TextLedger {
    async fn place_hold(&self, hold: &Hold) -> Result<(), LedgerError> {
        self.write(|tables, _| {
            let row = hold_row(hold)?;
            tables.holds.entry(hold.id.clone()).or_insert(row);
            Ok(())
        })
    }

    async fn lift_hold(&self, lifted: &Hold) -> Result<bool, LedgerError> {
        self.write(|tables, _| {
            let Some(row) = tables.holds.get_mut(&lifted.id).filter(|row| row.key.is_some()) else {
                return Ok(false);
            };
            *row = hold_row(lifted)?;
            Ok(true)
        })
    }

    async fn standing_holds(&self, keys: &BTreeSet<String>) -> Result<Vec<Hold>, LedgerError> {
        let tables = self.lock();
        let is_sought = |row: &&HoldRow| row.key.as_ref().is_some_and(|key| keys.contains(key));
        tables.holds.values().filter(is_sought).map(read_hold).collect()
    }

    async fn hold(&self, id: &HoldId) -> Result<Option<Hold>, LedgerError> {
        self.lock().holds.get(id).map(read_hold).transpose()
    }

    async fn list_holds(
        &self,
        which: WhichHolds,
        after: Option<&HoldId>,
        limit: usize,
    ) -> Result<Vec<Hold>, LedgerError> {
        let tables = self.lock();
        let rows = tables.holds.iter().filter(|(id, _)| after.is_none_or(|after| *id > after));
        let rows = rows.filter(|(_, row)| which == WhichHolds::All || row.key.is_some());
        rows.take(limit).map(|(_, row)| read_hold(row)).collect()
    }
}

fn read_request(row: &RequestRow) -> Result<SavedRequest, LedgerError> {
    let read = |error: serde_json::Error| failed("reading a request", error);
    let mut new: NewRequest = serde_json::from_str(&row.new).map_err(read)?;
    new.who = row.who.as_deref().map(serde_json::from_str).transpose().map_err(read)?;
    let notes = row.notes.iter().map(|note| serde_json::from_str::<RequestNote>(note).map_err(read));
    Ok(SavedRequest { new, notes: notes.collect::<Result<_, _>>()? })
}

#[async_trait]
impl Register for TextLedger {
    async fn receive_requests(&self, requests: &[NewRequest]) -> Result<Vec<Received>, LedgerError> {
        let wrote = |error: serde_json::Error| failed("writing a request", error);
        self.write(|tables, _| {
            let mut answers = Vec::with_capacity(requests.len());
            for new in requests {
                answers.push(match tables.requests.get(&new.id) {
                    Some(Some(row)) => Received::Known(Box::new(read_request(row)?.new.without_who())),
                    Some(None) => Received::Known(Box::new(new.clone().without_who())),
                    None => {
                        let row = RequestRow {
                            new: serde_json::to_string(new).map_err(wrote)?,
                            who: new.who.as_ref().map(serde_json::to_string).transpose().map_err(wrote)?,
                            notes: Vec::new(),
                            stands: Standing::of(&Request::of(new)),
                        };
                        tables.requests.insert(new.id.clone(), Some(row));
                        Received::New
                    }
                });
            }
            Ok(answers)
        })
    }

    async fn note_request(
        &self,
        request: &RequestId,
        seen: usize,
        notes: &[RequestNote],
        stands: &Standing,
    ) -> Result<bool, LedgerError> {
        self.write(|tables, _| {
            let row = tables.requests.get_mut(request).and_then(Option::as_mut);
            let Some(row) = row.filter(|row| row.notes.len() == seen) else { return Ok(false) };
            for note in notes {
                let text = serde_json::to_string(note).map_err(|error| failed("writing a request", error))?;
                row.notes.push(text);
            }
            if stands.ended.is_some() {
                row.who = None;
            }
            row.stands = stands.clone();
            Ok(true)
        })
    }

    async fn request(&self, request: &RequestId) -> Result<Option<SavedRequest>, LedgerError> {
        self.lock().requests.get(request).and_then(Option::as_ref).map(read_request).transpose()
    }

    async fn list_requests(
        &self,
        which: WhichRequests,
        after: Option<&RequestId>,
        limit: usize,
    ) -> Result<Vec<SavedRequest>, LedgerError> {
        let tables = self.lock();
        let is_listed = |stands: &Standing| match which {
            WhichRequests::All => true,
            WhichRequests::NotEnded => stands.stage != Stage::Ended,
            WhichRequests::At(stage) => stands.stage == stage,
            WhichRequests::DueBy(day) => stands.due.is_some_and(|due| due <= day),
        };
        let later = tables.requests.iter().filter(|(id, _)| after.is_none_or(|after| *id > after));
        let rows = later.filter_map(|(_, row)| row.as_ref()).filter(|row| is_listed(&row.stands));
        rows.take(limit).map(read_request).collect()
    }

    async fn forget_requests(&self, ended_before: NaiveDate, limit: usize) -> Result<usize, LedgerError> {
        self.write(|tables, _| {
            let is_over = |row: &RequestRow| row.stands.ended.is_some_and(|day| day < ended_before);
            let over = tables.requests.values_mut().filter(|row| row.as_ref().is_some_and(is_over));
            Ok(over.take(limit).map(|row| *row = None).count())
        })
    }
}

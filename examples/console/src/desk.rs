//! Work that takes longer than a request: surveys, runs and expiries. One screen starts it, and other screens show
//! its state.
//!
//! The desk exists only in the memory of this process. Approved work is in the ledger, so any process can continue an
//! open case.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use relinquish::plan::{ExpiryPlan, OperatorId};

use crate::screens::policy::Trial;
use crate::survey::{Run, Survey};

/// The work of this process.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    pub(crate) survey: Slot<Survey>,
    pub(crate) run: Slot<Run>,
    pub(crate) expiry: Slot<Option<ExpiryPlan>>,
    /// The text of the last expiry that was carried out, as the library writes it.
    pub(crate) expired: Slot<String>,
    pub(crate) trial: Slot<Trial>,
    pub(crate) census: Slot<()>,
}

/// One kind of work: the run that is active now, the last result, and why the last run failed.
#[derive(Debug)]
pub(crate) struct Slot<T> {
    seen: Arc<Mutex<Look<T>>>,
}

/// What a slot shows.
#[derive(Debug)]
pub(crate) struct Look<T> {
    pub(crate) running: Option<(OperatorId, DateTime<Utc>)>,
    pub(crate) last: Option<(OperatorId, DateTime<Utc>, Arc<T>)>,
    pub(crate) failed: Option<String>,
}

impl<T> Clone for Look<T> {
    fn clone(&self) -> Self {
        Self { running: self.running.clone(), last: self.last.clone(), failed: self.failed.clone() }
    }
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self { seen: Arc::new(Mutex::new(Look { running: None, last: None, failed: None })) }
    }
}

fn open<T>(seen: &Mutex<Look<T>>) -> MutexGuard<'_, Look<T>> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<T> Slot<T> {
    fn seen(&self) -> MutexGuard<'_, Look<T>> {
        open(&self.seen)
    }

    pub(crate) fn look(&self) -> Look<T> {
        self.seen().clone()
    }

    /// The last result.
    pub(crate) fn last(&self) -> Option<Arc<T>> {
        self.seen().last.as_ref().map(|(_, _, result)| Arc::clone(result))
    }

    /// Starts the work, unless it is already running. This is called before the task is spawned, so a second request
    /// sees that the work is running.
    pub(crate) fn start(&self, by: &OperatorId, at: DateTime<Utc>) -> Option<Working<T>> {
        let mut seen = self.seen();
        if seen.running.is_some() {
            return None;
        }
        seen.running = Some((by.clone(), at));
        seen.failed = None;
        Some(Working { seen: Arc::clone(&self.seen), by: by.clone(), ended: false })
    }

    /// Shows a result while the work goes on.
    pub(crate) fn show(&self, by: &OperatorId, at: DateTime<Utc>, result: Arc<T>) {
        self.seen().last = Some((by.clone(), at, result));
    }
}

/// Running work. If it is dropped, the slot says that the work was interrupted.
#[derive(Debug)]
pub(crate) struct Working<T> {
    seen: Arc<Mutex<Look<T>>>,
    by: OperatorId,
    ended: bool,
}

impl<T> Working<T> {
    /// Ends the work. `at` is the time to which the result applies.
    pub(crate) fn end(mut self, at: DateTime<Utc>, result: Result<T, String>) {
        let mut seen = open(&self.seen);
        seen.running = None;
        match result {
            Ok(result) => seen.last = Some((self.by.clone(), at, Arc::new(result))),
            Err(why) => seen.failed = Some(why),
        }
        drop(seen);
        self.ended = true;
    }
}

impl<T> Drop for Working<T> {
    fn drop(&mut self) {
        if !self.ended {
            let mut seen = open(&self.seen);
            seen.running = None;
            seen.failed = Some("the work was interrupted; start it again".to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_runs_once_at_a_time_and_a_lost_one_says_so() {
        let slot = Slot::<u32>::default();
        let now = "2026-11-02T09:30:00Z".parse().unwrap();
        let ann = OperatorId::from("ann");
        let working = slot.start(&ann, now).unwrap();
        assert!(slot.start(&ann, now).is_none(), "one runs");
        working.end(now, Ok(7));
        assert_eq!(slot.last().as_deref(), Some(&7));
        drop(slot.start(&ann, now).unwrap());
        let look = slot.look();
        assert!(look.running.is_none() && look.failed.is_some());
        assert_eq!(slot.last().as_deref(), Some(&7), "the last result stays");
    }
}

//! Work that takes longer than a page: surveys, runs, expiries. A screen starts it, and others look at it.
//!
//! The desk is in the memory of this process. What was approved is in the ledger: an open case goes on in any process.

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
    /// The last expiry that was carried out, in the library's words.
    pub(crate) expired: Slot<String>,
    pub(crate) trial: Slot<Trial>,
    pub(crate) census: Slot<()>,
}

/// One kind of work: what runs now, the last result, and why the last try failed.
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

    /// Starts the work, unless it runs already. Called before the task is spawned, so that whoever asks second hears of it.
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

/// Work that runs. If it is dropped, the slot says that the work was interrupted.
#[derive(Debug)]
pub(crate) struct Working<T> {
    seen: Arc<Mutex<Look<T>>>,
    by: OperatorId,
    ended: bool,
}

impl<T> Working<T> {
    /// Ends the work. `at` is when the result was true.
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

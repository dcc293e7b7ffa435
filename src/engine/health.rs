//! Counts of open work, and of problems on which a person has to act.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{Engine, Error, RequestList};
use crate::ledger::{HoldOn, WhichHolds};

/// Counts of everything that is open, for a monitor. The names of the fields in JSON will not change.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Health {
    /// Requests that have not ended.
    pub requests_open: usize,
    /// Requests whose answer, or whose confirmation of receipt, was due before today. More than 0: a person has to act.
    pub requests_overdue: usize,
    /// Open cases.
    pub cases_open: usize,
    /// Open cases that wait until a person decides. More than 0: a person has to act.
    pub cases_blocked: usize,
    /// Open cases that a worker has put off, because something cannot be reached.
    pub cases_waiting: usize,
    /// When the oldest open case was opened.
    pub oldest_case: Option<DateTime<Utc>>,
    /// Holds that stand.
    pub holds_standing: usize,
    /// Whether a hold on everything stands: the emergency stop.
    pub stopped: bool,
    /// Backup copies that are older than their rule allows. More than 0: plan their removal.
    pub copies_expired: usize,
    /// Places of backups that cannot be listed. More than 0: nobody knows how long their copies stay.
    pub backups_unknown: usize,
}

impl Engine {
    /// Counts everything that is open, in the memory of one batch.
    ///
    /// # Errors
    /// A ledger out of reach.
    pub async fn health(&self) -> Result<Health, Error> {
        let mut health = Health::default();
        let now = self.parts.clock.now();
        for place in self.copies().await {
            match place.found {
                Ok((schedule, copies)) => health.copies_expired += schedule.expired(&copies, now).len(),
                Err(_) => health.backups_unknown += 1,
            }
        }
        let batch = self.parts.batch;
        let mut after = None;
        loop {
            let page = self.parts.ledger.list(after.as_ref(), batch).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.saved.new.id.clone());
            for listed in page {
                let progress = listed.saved.progress()?;
                let opened_at = listed.saved.new.opened_at;
                health.cases_open += 1;
                health.cases_blocked += usize::from(progress.blocked().is_some());
                let is_put_off = progress.blocked().is_none() && progress.put_off().is_some();
                health.cases_waiting += usize::from(is_put_off);
                health.oldest_case = Some(health.oldest_case.map_or(opened_at, |old| old.min(opened_at)));
            }
        }
        health.requests_open = self.count_requests(RequestList::Open).await?;
        health.requests_overdue = self.count_requests(RequestList::Overdue).await?;
        let mut after = None;
        loop {
            let page = self.holds(WhichHolds::Standing, after.as_ref(), batch).await?;
            let Some(last) = page.last() else { return Ok(health) };
            after = Some(last.id.clone());
            health.holds_standing += page.len();
            health.stopped |=
                page.iter().any(|hold| hold.on == HoldOn::Everything && hold.classes.is_empty());
        }
    }

    async fn count_requests(&self, of: RequestList) -> Result<usize, Error> {
        let (mut count, mut after) = (0, None);
        loop {
            let page = self.requests(of, after.as_ref(), self.parts.batch).await?;
            let Some(last) = page.last() else { return Ok(count) };
            after = Some(last.new.id.clone());
            count += page.len();
        }
    }
}

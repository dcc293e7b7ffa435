//! Removes backup copies and rotated logs that are older than their rule allows. A removal is planned, approved and
//! carried out as a case.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::run::Run;
use super::work::CopiesWork;
use super::{Engine, Error, Outcome};
use crate::backup::{
    ApprovedCopies, BackupCopy, BackupError, BackupRetention, CopiesPlan, CopiesTerms, Schedule,
    not_as_planned,
};
use crate::digest::Digest;
use crate::document::{Problem, suggest};
use crate::ledger::{About, Closing, EndedEarly, Entry, Ledger, LedgerError, NewCase, Rules, Task};
use crate::plan::{CaseId, CopiesChanged, OperatorId};
use crate::policy::Effective;

/// What the ledger can prove about a removal of copies: the certificate of such a case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CopiesRemoved {
    /// The case.
    pub case: CaseId,
    /// The number of the entry in the ledger.
    pub entry: u64,
    /// The digest of the entry's text.
    pub leaf: Digest,
    /// The digest of the approved plan.
    pub plan: Digest,
    /// The host's name for the place.
    pub place: String,
    /// The rule.
    pub schedule: Schedule,
    /// The copies that are gone. This was read back.
    pub gone: BTreeSet<BackupCopy>,
    /// The planned copies that are left, or may be left. This includes copies that were changed or renamed since the
    /// plan.
    pub left: BTreeSet<BackupCopy>,
    /// Why the removal ended before it was complete, in words.
    pub ended_early: Option<String>,
    /// Who approved. `None` after the name was destroyed.
    pub approved_by: Option<OperatorId>,
    /// When the case was closed.
    pub closed_at: DateTime<Utc>,
}

impl CopiesRemoved {
    /// The certificate of a closed case, as the ledger can prove it. `None` if there is no such case, or if it removed no
    /// copies.
    ///
    /// # Errors
    /// A ledger out of reach.
    pub async fn read<L: Ledger + ?Sized>(ledger: &L, case: &CaseId) -> Result<Option<Self>, LedgerError> {
        Ok(ledger.entry(case).await?.as_ref().and_then(Self::of))
    }

    pub(super) fn of(entry: &Entry) -> Option<Self> {
        let closed = entry.closed()?;
        let (Closing::Copies(result), About::Copies(place), Rules::Copies(schedule)) =
            (&closed.closing, &closed.about, &closed.under().rules)
        else {
            return None;
        };
        Some(Self {
            case: closed.case.clone(),
            entry: entry.seq,
            leaf: closed.leaf(),
            plan: closed.plan,
            place: place.clone(),
            schedule: schedule.clone(),
            gone: result.gone.clone(),
            left: result.left.clone(),
            ended_early: result.ended_early.as_ref().map(ToString::to_string),
            approved_by: closed.under().operator.get().cloned(),
            closed_at: closed.under().closed_at,
        })
    }

    /// Whether every planned copy is gone.
    pub fn is_complete(&self) -> bool {
        self.left.is_empty()
    }
}

impl fmt::Display for CopiesRemoved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Certificate of removed copies, case {}", self.case)?;
        writeln!(f, "  place      {}: {}", self.place, self.schedule)?;
        for copy in &self.gone {
            writeln!(f, "  gone       {:<40} of {}", copy.name, copy.taken_at.format("%F %T UTC"))?;
        }
        for copy in &self.left {
            writeln!(f, "  left       {:<40} of {}", copy.name, copy.taken_at.format("%F %T UTC"))?;
        }
        if let Some(why) = &self.ended_early {
            writeln!(f, "  ended early: {why}")?;
        }
        if let Some(operator) = &self.approved_by {
            writeln!(f, "  approved   by {operator}")?;
        }
        writeln!(f, "  verified   the place was listed again: none of the copies that are gone is there")?;
        writeln!(f, "  closed     at {}", self.closed_at.format("%F %T UTC"))?;
        write!(f, "  leaf       {} (the digest of entry {} of the ledger)", self.leaf, self.entry)
    }
}

/// The copies in a place, as they are now.
#[derive(Debug)]
pub struct ListedCopies {
    /// The host's name for the place.
    pub place: String,
    /// The rule and the copies, the oldest first; or why they cannot be listed.
    pub found: Result<(Schedule, Vec<BackupCopy>), BackupError>,
}

impl Engine {
    /// Lists the copies in every place of backups. If a place cannot be listed, its answer has the error. The other
    /// places are still listed.
    pub async fn copies(&self) -> Vec<ListedCopies> {
        let mut all = Vec::with_capacity(self.parts.backups.len());
        for (place, backups) in &self.parts.backups {
            all.push(ListedCopies { place: place.clone(), found: listed(&**backups).await });
        }
        all
    }

    /// Plans the removal of the copies in a place that are older than its rule allows. Touches nothing.
    ///
    /// # Errors
    /// [`Error::NoSuchBackups`], or a place that cannot be listed. For example, a folder that contains a file which
    /// is no copy.
    pub async fn plan_copies(&self, place: &str) -> Result<CopiesPlan, Error> {
        let (schedule, copies) = listed(&**self.backups_of(place)?).await?;
        let authority = self.parts.policy.tenants().cloned().collect();
        Ok(CopiesPlan::new(place.to_owned(), schedule, copies, authority, self.parts.clock.now()))
    }

    /// Removes the copies of an approved plan, as a case. The case is recorded before the first copy is removed, and
    /// it is resumed after an interruption. At the end the place is listed again. [`Outcome::Copies`] has the
    /// certificate.
    ///
    /// The outcome is [`Outcome::Superseded`], and nothing is touched, in three cases: the rule has changed; a
    /// planned copy was replaced; or the rule now keeps a planned copy because newer copies are gone. If another
    /// removal in the same place is open, that removal is continued.
    ///
    /// # Errors
    /// [`Error::Approval`] if the approval is not valid now; a ledger out of reach.
    pub async fn remove_copies(&self, approved: &ApprovedCopies) -> Result<Outcome, Error> {
        let now = self.parts.clock.now();
        approved.mandate.valid_at(now)?;
        let terms = approved.plan.terms();
        self.backups_of(terms.place())?;
        if self.parts.policy.all().any(Effective::four_eyes) {
            approved.mandate.by_two(terms.planner())?;
        }
        let task = Task::Copies(Arc::clone(terms));
        let case = NewCase::of(self.case_id()?, task, approved.mandate.clone(), now);
        let work = |case: &NewCase| match &case.task {
            Task::Copies(terms) => Some(CopiesWork::new(terms)),
            _ => None,
        };
        let (runs, opened) = self.open(vec![case], now, work).await?;
        match opened.into_iter().flatten().next() {
            Some(Outcome::Conflict { case }) => self.go_on_with(&case).await,
            Some(other) => Ok(other),
            None => self.drive_one(runs).await,
        }
    }

    pub(super) fn backups_of(&self, place: &str) -> Result<&Arc<dyn BackupRetention>, Error> {
        let found = self.parts.backups.iter().find(|(name, _)| name == place);
        found.map(|(_, backups)| backups).ok_or_else(|| {
            let known: Vec<&str> = self.parts.backups.iter().map(|(name, _)| name.as_str()).collect();
            Error::NoSuchBackups { place: place.to_owned(), way_out: suggest(place, known) }
        })
    }

    /// What has changed since a removal was planned. `None`: the plan still fits.
    pub(super) async fn copies_changed(&self, terms: &CopiesTerms) -> Result<Option<CopiesChanged>, Error> {
        let Ok(backups) = self.backups_of(terms.place()) else { return Ok(Some(CopiesChanged::NoPlace)) };
        let (schedule, copies) = listed(&**backups).await?;
        Ok(not_as_planned(terms, &schedule, &copies, self.parts.clock.now()))
    }

    /// The planned copies that are still there and unchanged.
    pub(super) async fn left_of(&self, terms: &CopiesTerms) -> Result<BTreeSet<BackupCopy>, Error> {
        let there = self.backups_of(terms.place())?.copies().await?;
        Ok(there.into_iter().filter(|copy| terms.copies().contains(copy)).collect())
    }

    /// The planned copies that may still be there. This includes copies that were changed or renamed since the plan.
    /// A copy may be reported as gone only if it is certainly gone.
    async fn maybe_left_of(&self, terms: &CopiesTerms) -> Result<BTreeSet<BackupCopy>, Error> {
        let there = self.backups_of(terms.place())?.copies().await?;
        let is_like = |planned: &BackupCopy, found: &BackupCopy| {
            let is_as_old = (planned.begun_at, planned.taken_at) == (found.begun_at, found.taken_at);
            planned.name == found.name || is_as_old
        };
        let may_be_there = |planned: &&BackupCopy| there.iter().any(|found| is_like(planned, found));
        Ok(terms.copies().iter().filter(may_be_there).cloned().collect())
    }

    /// Ends a removal before it is complete. Copies that were removed stay removed.
    pub(super) async fn end_copies(
        &self,
        run: &mut Run<'_, CopiesWork>,
        why: EndedEarly,
    ) -> Result<(), Error> {
        let left = self.maybe_left_of(&run.work.terms).await?;
        tracing::warn!(case = %run.id(), left = left.len(), "a removal of copies ends early");
        self.close_copies(run, left, Some(why)).await
    }
}

/// The problems of places that have the same name.
pub(super) fn named_twice(backups: &[(String, Arc<dyn BackupRetention>)]) -> Vec<Problem> {
    let mut known = BTreeSet::new();
    let twice = backups.iter().filter(|(name, _)| !known.insert(name));
    let problem = |(name, _): &(String, _)| {
        Problem::new(format!("backups {name}"), "is the name of two places", "give one of them another name")
    };
    twice.map(problem).collect()
}

pub(super) async fn listed(
    backups: &dyn BackupRetention,
) -> Result<(Schedule, Vec<BackupCopy>), BackupError> {
    let schedule = backups.schedule().await?;
    Ok((schedule, backups.copies().await?))
}

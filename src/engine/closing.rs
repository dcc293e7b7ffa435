//! The end of a case: the entry in the ledger, and the certificate.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::run::{Run, lost_case, outcome_of};
use super::{Engine, Error};
use crate::backup::{BackupError, BackupRetention, Horizon};
use crate::case::{Before, Progress};
use crate::customer::GatewayName;
use crate::data_map::ClassName;
use crate::digest::Digest;
use crate::gateway::GatewayAnswer;
use crate::ledger::{
    BackupResidue, Circumstances, ClosedCase, Closing, Count, DeactivationOutcome, DeferredRecords,
    ErasureResult, GatewayResult, KeyRingError, NewCase, Signed, TokenOf,
};
use crate::plan::{Deferred, Step, Tombstones};
use crate::policy::RecordAction;

impl Engine {
    /// Step 7.
    pub(super) async fn close(&self, done: Vec<&mut Run<'_>>) -> Result<(), Error> {
        let signed = self.sign(done.iter().flat_map(|run| named(run)).collect()).await?;
        let mut circumstances = self.circumstances(&signed, self.residue().await);
        let census = self.last_census().await?;
        circumstances.unmapped.extend(census.iter().flat_map(|census| census.not_covered()));
        let mut closed = Vec::with_capacity(done.len());
        for run in done {
            let under = circumstances.of(&run.new);
            let result = self.result(run, &signed)?;
            let case = close_as(&run.new, Closing::Erased(result), &signed, under)?;
            closed.push((run, case));
        }
        self.close_all(closed).await
    }

    /// Closes cases, each as it ended. One that somebody else has by now, or has closed, ends as it is there.
    pub(super) async fn close_all(
        &self,
        mut todo: Vec<(&mut Run<'_>, Arc<ClosedCase>)>,
    ) -> Result<(), Error> {
        while let Some(fence) = todo.first().map(|(run, _)| run.fence) {
            let cases: Vec<Arc<ClosedCase>> = todo.iter().map(|(_, case)| Arc::clone(case)).collect();
            let lost = match self.parts.ledger.close(fence, &cases).await {
                Ok(entries) => {
                    for ((run, _), entry) in todo.into_iter().zip(entries) {
                        if let Some(outcome) = outcome_of(&entry, &run.new) {
                            tracing::info!(case = %run.id(), "case closed");
                            run.end(outcome);
                        }
                    }
                    return Ok(());
                }
                Err(error) => lost_case(error)?,
            };
            let is_lost = |run: &Run<'_>| *run.id() == lost;
            let (mine, others): (Vec<_>, Vec<_>) = todo.into_iter().partition(|(run, _)| is_lost(run));
            for (run, _) in mine {
                self.end_as_found(run).await?;
            }
            todo = others;
        }
        Ok(())
    }

    /// What was done, and what stays for now.
    fn result(&self, run: &Run<'_>, signed: &Signed) -> Result<ErasureResult, KeyRingError> {
        let progress = &run.progress;
        // What a duty keeps stays, whether or not it is still found.
        let mut verified = run.verified.clone();
        let before = progress.step(&Step::Records).and_then(|step| step.before.as_ref());
        let (uncertain, keeping) = match before {
            Some(Before::Records { uncertain, keeping }) => (uncertain.clone(), keeping.clone()),
            Some(Before::Status { .. }) | None => Default::default(),
        };
        for (class, before) in &keeping {
            let kept = verified.kept.entry(class.clone()).or_default();
            if kept.rows < before.rows {
                kept.clone_from(before);
            }
        }
        let deferred = Deferred::counted(self.parts.policy.effective(run.new.tenant()), &verified);
        let tombstones = Tombstones::of(&run.new.treatment, &verified, &deferred);
        let deferred = deferred.into_iter().map(|found| {
            let duties = found.duties.iter().map(|by| by.duty.to_string()).collect();
            let rows = found.rows.unwrap_or_default();
            (found.class, DeferredRecords { rows, duties, from: found.free_from, until: found.until })
        });
        let treated = run
            .new
            .treatment
            .classes()
            .iter()
            .filter(|(_, class)| !matches!(class.action(), RecordAction::Keep { .. }));
        let gateways: Result<Vec<_>, KeyRingError> = answers(progress)
            .map(|(gateway, profile, answer)| {
                let of = TokenOf::Profile { gateway: gateway.clone(), profile };
                let profile = signed.token(&of)?;
                Ok(GatewayResult { gateway: gateway.clone(), profile, answer: answer.clone() })
            })
            .collect();
        Ok(ErasureResult {
            deactivation: progress.deactivation().unwrap_or(DeactivationOutcome::Unsupported),
            records: treated.map(|(name, _)| (name.clone(), count(progress, name))).collect(),
            gateways: gateways?,
            waived: progress.waived().to_vec(),
            uncertain,
            verified: run.verified.classes.iter().map(|(name, class)| (name.clone(), class.rows)).collect(),
            deferred: deferred.collect(),
            tombstones,
        })
    }

    /// Where backup copies linger. Out of reach is no reason to keep a case open: the certificate says so.
    pub(super) async fn residue(&self) -> Vec<BackupResidue> {
        let now = self.parts.clock.now();
        let mut list = Vec::with_capacity(self.parts.backups.len());
        for (name, backups) in &self.parts.backups {
            let found = look(&**backups).await;
            list.push(match found {
                Ok((schedule, copies)) => BackupResidue {
                    backups: name.clone(),
                    copies: Some(copies),
                    horizon: schedule.horizon(now),
                },
                Err(error) => {
                    tracing::warn!(backups = %name, %error, "backups out of reach");
                    let horizon = Horizon::Unknown { because: (&error).into() };
                    BackupResidue { backups: name.clone(), copies: None, horizon }
                }
            });
        }
        list
    }

    fn circumstances<'e>(&'e self, signed: &'e Signed, backups: Vec<BackupResidue>) -> Around<'e> {
        let unmapped = self.data_map().unmapped().to_vec();
        Around { engine: self, signed, backups, unmapped, closed_at: self.parts.clock.now(), last: None }
    }

    /// An end without an erasure.
    pub(super) async fn closed(&self, case: &NewCase, closing: Closing) -> Result<Arc<ClosedCase>, Error> {
        let signed = self.sign(vec![subject(case)]).await?;
        let under = self.circumstances(&signed, Vec::new()).of(case);
        close_as(case, closing, &signed, under)
    }
}

/// How many records of a class were treated.
fn count(progress: &Progress, class: &ClassName) -> Count {
    let counts = progress.step(&Step::Records).map(|step| &step.counts.classes);
    match progress.counts_are_exact() {
        Some(true) => Count::Exact(counts.and_then(|counts| counts.get(class)).copied().unwrap_or(0)),
        Some(false) | None => Count::Unknown,
    }
}

/// What is around when cases are closed.
struct Around<'e> {
    engine: &'e Engine,
    signed: &'e Signed,
    backups: Vec<BackupResidue>,
    /// What the store holds beside, and what the last census found that nobody claims or owns.
    unmapped: Vec<crate::data_map::NotCovered>,
    closed_at: DateTime<Utc>,
    /// The case before, and its circumstances: most cases of a batch share them.
    last: Option<(NewCase, (Digest, Arc<Circumstances>))>,
}

impl Around<'_> {
    fn of(&mut self, case: &NewCase) -> (Digest, Arc<Circumstances>) {
        if let Some((_, under)) = self.last.as_ref().filter(|(last, _)| last.shares_terms(case)) {
            return (under.0, Arc::clone(&under.1));
        }
        let binding = &case.binding;
        let under = Circumstances {
            tenant: binding.tenant().clone(),
            key: self.signed.check().clone(),
            trigger: binding.trigger(),
            policy: binding.policy(),
            data_map: binding.data_map(),
            treatment: binding.treatment().clone(),
            treatment_digest: binding.treatment_digest(),
            operator: case.approval.operator().clone(),
            approved_at: case.approval.approved_at(),
            opened_at: case.opened_at,
            closed_at: self.closed_at,
            backups: self.backups.clone(),
            unmapped: self.unmapped.clone(),
            scrubbable: self.engine.parts.scrub.is_some(),
        };
        let under = (under.digest(), Arc::new(under));
        self.last = Some((case.clone(), (under.0, Arc::clone(&under.1))));
        under
    }
}

fn close_as(
    case: &NewCase,
    closing: Closing,
    signed: &Signed,
    under: (Digest, Arc<Circumstances>),
) -> Result<Arc<ClosedCase>, Error> {
    let subject = signed.token(&subject(case))?;
    // The approval is of exactly this plan; that was checked when it was bound.
    Ok(Arc::new(ClosedCase::new(case.id.clone(), subject, case.approval.digest(), closing, under)?))
}

/// Whom the entry of a case names.
fn subject(case: &NewCase) -> TokenOf {
    let binding = &case.binding;
    TokenOf::Customer {
        tenant: binding.tenant().clone(),
        customer: binding.customer().clone(),
        registered: binding.registered(),
    }
}

/// Everybody and everything that the entry of an erasure names.
fn named(run: &Run<'_>) -> Vec<TokenOf> {
    let profiles = answers(&run.progress)
        .map(|(gateway, profile, _)| TokenOf::Profile { gateway: gateway.clone(), profile });
    std::iter::once(subject(&run.new)).chain(profiles).collect()
}

/// What gateways answered, each by the digest of the profile's id.
fn answers(progress: &Progress) -> impl Iterator<Item = (&GatewayName, Digest, &GatewayAnswer)> {
    progress.steps().flat_map(|(step, done)| {
        let gateway = if let Step::Gateway(gateway) = step { Some(gateway) } else { None };
        let each =
            move |gateway| done.answers.iter().map(move |(profile, answer)| (gateway, *profile, answer));
        gateway.into_iter().flat_map(each)
    })
}

async fn look(backups: &dyn BackupRetention) -> Result<(crate::backup::Schedule, u64), BackupError> {
    let schedule = backups.schedule().await?;
    Ok((schedule, backups.copies().await?.len() as u64))
}

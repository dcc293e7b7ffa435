//! The end of a case: reading back, the entry in the ledger, the certificate.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures_util::lock::MutexGuard;

use super::case::{Obstacle, Run, after_the_others, not_tried, wait_all};
use super::{Engine, Error, Outcome};
use crate::backup::{BackupError, BackupRetention, Horizon};
use crate::digest::Digest;
use crate::ledger::{
    BackupResidue, Certificate, Circumstances, ClosedCase, Closing, DeactivationOutcome, DeferredRecords,
    EpochKey, ErasureResult, GatewayResult, KeyRingError, NewCase,
};
use crate::plan::{Deferred, Step, Tombstones};
use crate::policy::{RecordAction, Treatment};
use crate::store::{StoreError, TallyRequest};

impl Engine {
    /// Step 6: a store's word is not enough; what is really there has to be as planned. Until it is read back it is this
    /// batch's turn.
    pub(super) async fn verify(&self, runs: &mut [Run<'_>], turn: MutexGuard<'_, ()>) -> Result<(), Error> {
        let mut groups = BTreeMap::<Digest, (Arc<Treatment>, Vec<&mut Run<'_>>)>::new();
        for run in runs.iter_mut().filter(|run| run.is_active()) {
            let (digest, treatment) = self.dated(&run.new);
            groups.entry(digest).or_insert_with(|| (treatment, Vec::new())).1.push(run);
        }
        let mut read_back = Vec::with_capacity(groups.len());
        for (treatment, group) in groups.into_values() {
            let customers = group.iter().map(|run| run.new.customer().clone()).collect();
            let request = TallyRequest::new(customers, treatment).at(self.parts.clock.now());
            read_back.push((group, self.parts.store.tally(&request).await));
        }
        // The next batch asks the store for its records before this one is closed.
        drop(turn);
        after_the_others().await;
        for (group, answers) in read_back {
            let mut answers = match answers {
                Ok(answers) => answers.into_iter(),
                Err(error) => {
                    wait_all(group, &Step::Verify, error);
                    continue;
                }
            };
            for run in group {
                match answers.next() {
                    Some(Ok(tally)) if tally.due() == 0 => {
                        tracing::info!(case = %run.id(), "read back: nothing is left to do");
                        run.verified = tally;
                    }
                    Some(Ok(tally)) => {
                        let left: Vec<_> = tally
                            .classes
                            .iter()
                            .filter(|(_, class)| class.due > 0)
                            .map(|(name, class)| format!("{} of {name}", class.due))
                            .collect();
                        let reason = format!(
                            "the store says it is done, but records are left as they were: {}",
                            left.join(", ")
                        );
                        self.block(run, Step::Verify, Obstacle::at_the_step(reason)).await?;
                    }
                    // A record that cannot be read is no better read later.
                    Some(Err(error @ StoreError::Unreadable { .. })) => {
                        self.block(run, Step::Verify, Obstacle::at_the_step(error.to_string())).await?;
                    }
                    Some(Err(error)) => run.wait(Step::Verify, &error.into(), None),
                    None => run.wait(Step::Verify, &not_tried().into(), None),
                }
            }
        }
        Ok(())
    }

    /// Step 7.
    pub(super) async fn close(&self, runs: &mut [Run<'_>]) -> Result<(), Error> {
        let done: Vec<&mut Run<'_>> = runs.iter_mut().filter(|run| run.is_active()).collect();
        if done.is_empty() {
            return Ok(());
        }
        let key = self.current_key().await?;
        let mut circumstances = self.circumstances(&key, self.residue().await);
        let census = self.last_census().await?;
        circumstances.unmapped.extend(census.iter().flat_map(|census| census.not_covered()));
        let mut closed = Vec::with_capacity(done.len());
        for run in &done {
            let under = circumstances.of(&run.new);
            closed.push(close_as(&run.new, Closing::Erased(self.result(run, &key)), &key, under));
        }
        let entries = self.parts.ledger.close(&closed).await?;
        for ((run, entry), closed) in done.into_iter().zip(entries).zip(closed) {
            let entry_of = entry.closed().unwrap_or(&closed);
            if let Some(certificate) = Certificate::of(entry.seq, entry_of, &run.new.treatment, None) {
                tracing::info!(case = %run.id(), "case closed");
                run.end(Outcome::Erased(Box::new(certificate)));
            }
        }
        Ok(())
    }

    /// What was done, and what stays for now.
    fn result(&self, run: &Run<'_>, key: &EpochKey) -> ErasureResult {
        let progress = &run.progress;
        // What a duty keeps stays, whether or not it is still found.
        let mut verified = run.verified.clone();
        for (class, before) in &progress.keeping {
            let kept = verified.kept.entry(class.clone()).or_default();
            if kept.rows < before.rows {
                kept.clone_from(before);
            }
        }
        let deferred = Deferred::counted(self.parts.policy.effective(run.new.tenant()), &verified);
        let tombstones = Tombstones::of(&run.new.treatment, &verified, &deferred);
        let deferred = deferred.into_iter().map(|found| {
            let duties = found.duties.into_iter().map(|by| by.duty.to_string()).collect();
            let rows = found.rows.unwrap_or_default();
            (found.class, DeferredRecords { rows, duties, from: found.free_from, until: found.until })
        });
        let treated = run
            .new
            .treatment
            .classes()
            .iter()
            .filter(|(_, class)| !matches!(class.action(), RecordAction::Keep { .. }));
        ErasureResult {
            deactivation: progress.deactivation.unwrap_or(DeactivationOutcome::Unsupported),
            records: treated.map(|(name, _)| (name.clone(), progress.count(name.as_str()))).collect(),
            gateways: progress
                .gateways
                .iter()
                .flat_map(|(gateway, answers)| {
                    answers.iter().map(move |(profile, answer)| GatewayResult {
                        gateway: gateway.clone(),
                        profile: key.profile_token(gateway, *profile),
                        answer: answer.clone(),
                    })
                })
                .collect(),
            waived: progress.waived.clone(),
            uncertain: progress.uncertain.clone(),
            verified: run.verified.classes.iter().map(|(name, class)| (name.clone(), class.rows)).collect(),
            deferred: deferred.collect(),
            tombstones,
        }
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
                Err(error) => BackupResidue {
                    backups: name.clone(),
                    copies: None,
                    horizon: Horizon::Unknown { reason: error.to_string() },
                },
            });
        }
        list
    }

    /// The key of the current epoch.
    pub(super) async fn current_key(&self) -> Result<EpochKey, Error> {
        Ok(self.keys().await?.pop().ok_or(KeyRingError::Empty)?)
    }

    fn circumstances<'e>(&'e self, key: &'e EpochKey, backups: Vec<BackupResidue>) -> Around<'e> {
        let unmapped = self.data_map().unmapped().to_vec();
        Around { engine: self, key, backups, unmapped, closed_at: self.parts.clock.now(), last: None }
    }

    /// An end without an erasure.
    pub(super) fn closed(&self, case: &NewCase, closing: Closing, key: &EpochKey) -> Arc<ClosedCase> {
        let under = self.circumstances(key, Vec::new()).of(case);
        close_as(case, closing, key, under)
    }
}

/// What is around when cases are closed.
struct Around<'e> {
    engine: &'e Engine,
    key: &'e EpochKey,
    backups: Vec<BackupResidue>,
    /// What the store holds beside, and what the last census found that nobody claims or owns.
    unmapped: Vec<String>,
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
            key: self.key.check(),
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
    key: &EpochKey,
    under: (Digest, Arc<Circumstances>),
) -> Arc<ClosedCase> {
    let binding = &case.binding;
    let subject = key.token(binding.tenant(), binding.customer(), binding.registered());
    // The approval is of exactly this plan; that was checked when it was bound.
    Arc::new(ClosedCase::new(case.id.clone(), subject, case.approval.digest(), closing, under))
}

async fn look(backups: &dyn BackupRetention) -> Result<(crate::backup::Schedule, u64), BackupError> {
    let schedule = backups.schedule().await?;
    Ok((schedule, backups.copies().await?.len() as u64))
}

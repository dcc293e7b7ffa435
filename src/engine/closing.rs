//! The end of a case: the entry in the ledger, and the certificate.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::run::{Run, Work, lost_case};
use super::suppression::suppressing;
use super::work::{CopiesWork, ErasureWork, ExpiryWork, ProfileWork};
use super::{Engine, Error, Outcome};
use crate::backup::{BackupCopy, BackupError, BackupRetention, Horizon, NoHorizon, Schedule};
use crate::case::{Before, ByHand, Progress};
use crate::customer::GatewayName;
use crate::data_map::{ClassName, TimeZone};
use crate::digest::Digest;
use crate::gateway::{GatewayAnswer, GatewayOutcome};
use crate::ledger::{
    About, BackupResidue, Circumstances, ClosedCase, Closing, CopiesResult, Count, DeactivationOutcome,
    DeferredRecords, EndedEarly, Erasure, ErasureResult, ErasureRules, ExpiredRecords, ExpiryResult,
    FoundRecords, GatewayResult, HandStep, Intake, KeyRingError, LookedFor, MentionsResult, NewCase,
    ProfileResult, RecipientResult, RecordedDuty, Rules, Running, Salts, Sealed, Signed, SubjectToken, Task,
    TokenOf, WaivedStep, Waiver, WhichRequests,
};
use crate::plan::{CaseId, Deferred, OperatorId, Step, Tombstones};
use crate::policy::{Trigger, TriggerRule};
use crate::request::Stage;
use crate::treatment::RecordAction;

impl Engine {
    /// Closes verified erasures.
    pub(super) async fn close_erased(&self, done: Vec<&mut Run<'_, ErasureWork>>) -> Result<(), Error> {
        let signed = self.sign(done.iter().flat_map(|run| named(&run.new, &run.progress)).collect()).await?;
        let mut around = self.around(&signed, self.residue().await)?;
        around.running = self.running(&done).await?;
        let census = self.last_census().await?;
        around.unmapped.extend(census.iter().flat_map(|census| census.not_covered()));
        let mut closed = Vec::with_capacity(done.len());
        for run in done {
            let result = self.result(run, &mut around)?;
            let case = around.close(&run.new, Closing::Erased(Arc::new(result)))?;
            closed.push((run, case));
        }
        self.close_all(closed).await
    }

    /// Closes expiries that are complete, or that end early.
    pub(super) async fn close_expired(
        &self,
        done: Vec<&mut Run<'_, ExpiryWork>>,
        ended_early: Option<EndedEarly>,
    ) -> Result<(), Error> {
        let signed = self.sign(Vec::new()).await?;
        let mut around = self.around(&signed, self.residue().await)?;
        let mut closed = Vec::with_capacity(done.len());
        for run in done {
            let so_far = run.progress.step(&Step::Expire);
            let expired = so_far.iter().flat_map(|step| &step.expired.of).map(|(tenant, of)| {
                ExpiredRecords { of: tenant.clone(), records: of.records.clone(), left: of.left() }
            });
            // If an expiry ends early while a part is in progress, the result of that part is lost.
            let exact = so_far.is_none_or(|step| !step.expired.lost && (step.is_done() || step.begun == 0));
            let result = ExpiryResult { expired: expired.collect(), exact, ended_early: ended_early.clone() };
            let case = around.close(&run.new, Closing::Expired(Arc::new(result)))?;
            closed.push((run, case));
        }
        self.close_all(closed).await
    }

    /// Ends an expiry before it is complete. What was done stays done.
    pub(super) async fn end_early(
        &self,
        run: &mut Run<'_, ExpiryWork>,
        why: EndedEarly,
    ) -> Result<(), Error> {
        tracing::warn!(case = %run.id(), "an expiry ends early");
        self.close_expired(vec![run], Some(why)).await
    }

    /// Closes a removal of copies. `left`: the planned copies that are still there, if it ends early.
    pub(super) async fn close_copies(
        &self,
        run: &mut Run<'_, CopiesWork>,
        left: BTreeSet<BackupCopy>,
        ended_early: Option<EndedEarly>,
    ) -> Result<(), Error> {
        let signed = self.sign(Vec::new()).await?;
        let gone = run.work.terms.copies().difference(&left).cloned().collect();
        let result = CopiesResult { gone, left, ended_early };
        let case = self.around(&signed, Vec::new())?.close(&run.new, Closing::Copies(Arc::new(result)))?;
        self.close_all(vec![(run, case)]).await
    }

    /// Closes erasures of single profiles.
    pub(super) async fn close_profiles(&self, done: Vec<&mut Run<'_, ProfileWork>>) -> Result<(), Error> {
        let signed = self.sign(done.iter().flat_map(|run| named(&run.new, &run.progress)).collect()).await?;
        let mut around = self.around(&signed, Vec::new())?;
        let mut closed = Vec::with_capacity(done.len());
        for run in done {
            let answer = answers(&run.progress).map(|(_, _, answer)| answer.clone()).next();
            let by_hand = around.by_hand(run.progress.by_hand())?;
            let answer = answer.or_else(|| (!by_hand.is_empty()).then(|| GatewayOutcome::Erased.into()));
            let result = ProfileResult { answer, waived: around.waived(run.progress.waived())?, by_hand };
            let case = around.close(&run.new, Closing::Profile(Arc::new(result)))?;
            closed.push((run, case));
        }
        self.close_all(closed).await
    }

    /// Closes cases, each with its own result. If another worker has claimed or closed a case, the result is the one
    /// that the other worker recorded.
    pub(super) async fn close_all<W: Work>(
        &self,
        mut todo: Vec<(&mut Run<'_, W>, Arc<ClosedCase>)>,
    ) -> Result<(), Error> {
        while let Some(fence) = todo.first().map(|(run, _)| run.fence) {
            let cases: Vec<Arc<ClosedCase>> = todo.iter().map(|(_, case)| Arc::clone(case)).collect();
            let lost = match self.parts.ledger.close(fence, &cases).await {
                Ok(entries) => {
                    self.raise_mark(&entries).await;
                    for ((run, _), entry) in todo.into_iter().zip(entries) {
                        tracing::info!(case = %run.id(), "case closed");
                        let outcome = W::outcome(run, &entry);
                        run.end(outcome.unwrap_or_else(|| Outcome::TakenOver { case: run.id().clone() }));
                    }
                    return Ok(());
                }
                Err(error) => lost_case(error)?,
            };
            let is_lost = |run: &Run<'_, W>| *run.id() == lost;
            let (mine, others): (Vec<_>, Vec<_>) = todo.into_iter().partition(|(run, _)| is_lost(run));
            for (run, _) in mine {
                self.end_as_found(run).await?;
            }
            todo = others;
        }
        Ok(())
    }

    /// What was done, and what stays for now.
    fn result(&self, run: &Run<'_, ErasureWork>, around: &mut Around<'_>) -> Result<ErasureResult, Error> {
        let progress = &run.progress;
        // A record that a duty keeps is counted as kept, even if it cannot be found any more.
        let mut verified = run.work.verified.clone();
        let before = progress.step(&Step::Records).and_then(|step| step.before.as_ref());
        let (uncertain, keeping, profiles) = match before {
            Some(Before::Records { uncertain, keeping, suppress: _, profiles }) => {
                (uncertain.clone(), keeping.clone(), profiles.clone())
            }
            Some(Before::Status { .. }) | None => Default::default(),
        };
        let found = verified.kept_in_all();
        verified.kept = found;
        verified.kept_fields.clear();
        for (class, before) in &keeping {
            let kept = verified.kept.entry(class.clone()).or_default();
            if kept.rows < before.rows {
                kept.clone_from(before);
            }
        }
        let deferred = Deferred::counted(self.parts.policy.effective(run.binding().tenant()), &verified);
        let tombstones = Tombstones::of(&run.work.treatment, &verified, &deferred);
        let deferred = deferred.into_iter().map(|found| {
            let deferred = DeferredRecords {
                rows: found.rows.unwrap_or_default(),
                duties: found.duties.iter().map(|by| (by.duty.to_string(), by.until)).collect(),
                from: found.free_from,
                until: found.until,
                unreadable: found.unreadable,
                for_others: found.for_others,
            };
            (found.class, deferred)
        });
        let zone = self.parts.policy.effective(run.binding().tenant()).time_zone();
        let is_left = |class: &ClassName| run.work.verified.classes.get(class).is_some_and(|of| of.rows > 0);
        let before = &run.binding().kept_before().until;
        let kept = run.work.treatment.kept_until(zone.day(around.closed_at), before, is_left);
        let treated = run
            .work
            .treatment
            .classes()
            .iter()
            .filter(|(_, class)| !matches!(class.action(), RecordAction::Keep { .. }));
        let gateways: Result<Vec<_>, Error> = answers(progress)
            .map(|(gateway, profile, answer)| {
                let of = TokenOf::Profile { gateway: gateway.clone(), profile };
                let profile = around.token(&of)?;
                Ok(GatewayResult { gateway: gateway.clone(), profile, answer: answer.clone() })
            })
            .collect();
        Ok(ErasureResult {
            deactivation: progress.deactivation().unwrap_or(DeactivationOutcome::Unsupported),
            records: treated.map(|(name, _)| (name.clone(), count(progress, name))).collect(),
            otherwise: match progress.counts_are_exact() {
                Some(true) => progress.step(&Step::Records).map(|step| step.counts.otherwise.clone()),
                Some(false) | None => None,
            }
            .unwrap_or_default(),
            gateways: gateways?,
            profiles_kept: profiles,
            recipients: told(progress).collect(),
            mentions: progress.mentions().map(|(counts, exact)| MentionsResult { counts: *counts, exact }),
            waived: around.waived(progress.waived())?,
            by_hand: around.by_hand(progress.by_hand())?,
            uncertain,
            verified: run
                .work
                .verified
                .classes
                .iter()
                .map(|(name, class)| (name.clone(), class.rows))
                .collect(),
            deferred: deferred.collect(),
            kept,
            tombstones,
            looked_for: self.looked_for(run, around)?,
            intake: around.intake(run.id())?,
        })
    }

    /// The result of the search for the erased values in texts that stay. `None` if the store does not search.
    fn looked_for(
        &self,
        run: &Run<'_, ErasureWork>,
        around: &mut Around<'_>,
    ) -> Result<Option<LookedFor>, Error> {
        if !self.parts.store.looks_for_leftovers() {
            return Ok(None);
        }
        let mut looked = LookedFor::default();
        let step = run.progress.step(&Step::Records);
        for (class, fields) in step.iter().flat_map(|step| &step.counts.leftovers) {
            for (field, left) in fields {
                let keys = Sealed::new(around.salts.draw(), left.keys.clone())?;
                let of_class = looked.found.entry(class.clone()).or_default();
                of_class.insert(field.clone(), FoundRecords { rows: left.rows, keys });
            }
        }
        if run.progress.counts_are_exact() != Some(true) {
            looked.unknown = run.work.treatment.sought(self.data_map().classes());
        }
        Ok(Some(looked))
    }

    /// The requests of the register whose cases are about to be closed.
    async fn running(&self, done: &[&mut Run<'_, ErasureWork>]) -> Result<Vec<Running>, Error> {
        let is_asked = |run: &&mut Run<'_, ErasureWork>| run.binding().trigger() == Trigger::Requested;
        let cases: BTreeSet<CaseId> =
            done.iter().filter(|run| is_asked(run)).map(|run| run.id().clone()).collect();
        let (mut found, mut after) = (Vec::new(), None);
        while found.len() < cases.len() {
            let which = WhichRequests::At(Stage::Running);
            let page = self.parts.ledger.list_requests(which, after.as_ref(), self.parts.batch).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.new.id.clone());
            for saved in page {
                let running = Running::of(saved, &self.parts.holidays)?;
                found.extend(running.filter(|running| cases.contains(&running.case)));
            }
        }
        Ok(found)
    }

    /// The backups that may still hold copies. A backup out of reach does not keep a case open. The certificate
    /// reports this backup.
    async fn residue(&self) -> Vec<Lingering> {
        let mut list = Vec::with_capacity(self.parts.backups.len());
        for (name, backups) in &self.parts.backups {
            let found = look(&**backups).await;
            list.push(match found {
                Ok((schedule, copies)) => {
                    Lingering { backups: name.clone(), copies: Some(copies), rule: Ok(schedule) }
                }
                Err(error) => {
                    tracing::warn!(backups = %name, %error, "backups out of reach");
                    Lingering { backups: name.clone(), copies: None, rule: Err((&error).into()) }
                }
            });
        }
        list
    }

    fn around<'e>(&'e self, signed: &'e Signed, backups: Vec<Lingering>) -> Result<Around<'e>, Error> {
        let unmapped = self.data_map().unmapped().to_vec();
        let mut drawn = [0; 32];
        self.parts.entropy.fill(&mut drawn)?;
        let (salts, closed_at) = (Salts::new(drawn), self.parts.clock.now());
        Ok(Around {
            engine: self,
            signed,
            salts,
            backups,
            unmapped,
            closed_at,
            running: Vec::new(),
            last: None,
        })
    }

    /// The entry of a case that ended without an effect.
    pub(super) async fn closed(&self, case: &NewCase, closing: Closing) -> Result<Arc<ClosedCase>, Error> {
        let signed = self.sign(subject(&case.task).into_iter().collect()).await?;
        self.around(&signed, Vec::new())?.close(case, closing)
    }

    /// An operator's id, sealed for an entry.
    pub(super) fn sealed(&self, operator: &OperatorId) -> Result<Sealed<OperatorId>, Error> {
        let mut drawn = [0; 32];
        self.parts.entropy.fill(&mut drawn)?;
        Ok(Sealed::new(Salts::new(drawn).draw(), operator.clone())?)
    }
}

/// The number of treated records of a class.
fn count(progress: &Progress, class: &ClassName) -> Count {
    let counts = progress.step(&Step::Records).map(|step| &step.counts.classes);
    match progress.counts_are_exact() {
        Some(true) => Count::Exact(counts.and_then(|counts| counts.get(class)).copied().unwrap_or(0)),
        Some(false) | None => Count::Unknown,
    }
}

/// Backups, and the rule by which their copies age out.
struct Lingering {
    backups: String,
    copies: Option<u64>,
    rule: Result<Schedule, NoHorizon>,
}

impl Lingering {
    /// Until when copies may hold data that was erased at this instant. Days are of the policy's time zone.
    fn residue(&self, at: DateTime<Utc>, zone: TimeZone) -> BackupResidue {
        let horizon = match &self.rule {
            Ok(schedule) => schedule.horizon(at, zone),
            Err(because) => Horizon::Unknown { because: because.clone() },
        };
        BackupResidue { backups: self.backups.clone(), copies: self.copies, horizon }
    }
}

/// What the cases of a batch need when they are closed.
struct Around<'e> {
    engine: &'e Engine,
    signed: &'e Signed,
    salts: Salts,
    backups: Vec<Lingering>,
    /// Data of the store that no class covers, and the rows without class or owner that the last census found.
    unmapped: Vec<crate::data_map::NotCovered>,
    closed_at: DateTime<Utc>,
    /// The requests that the cases carry out.
    running: Vec<Running>,
    /// The previous case and its circumstances. Most cases of a batch share their circumstances.
    last: Option<(NewCase, (Digest, Arc<Circumstances>))>,
}

impl Around<'_> {
    fn token(&mut self, of: &TokenOf) -> Result<Sealed<SubjectToken>, Error> {
        Ok(Sealed::new(self.salts.draw(), self.signed.token(of)?)?)
    }

    fn waived(&mut self, waived: &[Waiver]) -> Result<Vec<WaivedStep>, Error> {
        let sealed = waived.iter().map(|waiver| {
            Ok(WaivedStep {
                step: waiver.step.clone(),
                operator: Sealed::new(self.salts.draw(), waiver.operator.clone())?,
                reason: waiver.reason.clone(),
                at: waiver.at,
            })
        });
        sealed.collect()
    }

    fn by_hand(&mut self, by_hand: &[ByHand]) -> Result<Vec<HandStep>, Error> {
        let sealed = by_hand.iter().map(|done| {
            Ok(HandStep {
                step: done.step.clone(),
                operator: Sealed::new(self.salts.draw(), done.operator.clone())?,
                evidence: done.evidence.clone(),
                at: done.at,
            })
        });
        sealed.collect()
    }

    /// The request that a case carries out, if the request is in the register.
    fn intake(&mut self, case: &CaseId) -> Result<Option<Intake>, Error> {
        let Some(running) = self.running.iter().find(|running| running.case == *case) else {
            return Ok(None);
        };
        Ok(Some(running.sealed(Sealed::new(self.salts.draw(), running.id.clone())?)))
    }

    fn close(&mut self, case: &NewCase, closing: Closing) -> Result<Arc<ClosedCase>, Error> {
        let named = subject(&case.task).map(|of| self.token(&of)).transpose()?;
        let about = match (&case.task, named) {
            (Task::Profile(profile), Some(token)) => About::Profile {
                gateway: profile.row.gateway.clone(),
                account: profile.row.account.clone(),
                profile: token,
            },
            (_, Some(subject)) => About::Customer(subject),
            (Task::Expiry(expiry), None) => About::Expiry(expiry.terms.of().clone()),
            (Task::Copies(terms), None) => About::Copies(terms.place().to_owned()),
            // INVARIANT: every customer and every profile has a token.
            (Task::Erasure(_) | Task::Profile(_), None) => return Err(KeyRingError::Empty.into()),
        };
        let under = self.under(case)?;
        Ok(Arc::new(ClosedCase::new(case.id.clone(), about, case.task.digest(), closing, under)?))
    }

    fn under(&mut self, case: &NewCase) -> Result<(Digest, Arc<Circumstances>), Error> {
        if let Some((_, under)) = self.last.as_ref().filter(|(last, _)| last.shares_terms(case)) {
            return Ok((under.0, Arc::clone(&under.1)));
        }
        let policy = &self.engine.parts.policy;
        let rules = match &case.task {
            Task::Erasure(Erasure { binding, .. }) => {
                let effective = policy.effective(binding.tenant());
                let duties = effective.duties().iter();
                Rules::Erasure(Arc::new(ErasureRules {
                    tenant: binding.tenant().clone(),
                    trigger: binding.trigger(),
                    policy: binding.policy(),
                    data_map: binding.data_map(),
                    treatment: binding.treatment().clone(),
                    treatment_digest: binding.treatment_digest(),
                    privacy_law: effective.privacy_law(),
                    ground: effective.triggers().get(&binding.trigger()).and_then(TriggerRule::ground),
                    guards: binding.guards().clone(),
                    duties: duties.map(|duty| (duty.name().to_owned(), RecordedDuty::from(duty))).collect(),
                    suppressing: suppressing(policy, case, binding),
                    time_zone: effective.time_zone(),
                }))
            }
            Task::Expiry(expiry) => Rules::Expiry {
                policies: expiry.terms.policies().collect(),
                data_map: expiry.terms.data_map(),
            },
            Task::Profile(_) => Rules::Review,
            Task::Copies(terms) => Rules::Copies(terms.schedule().clone()),
        };
        let zone = match &rules {
            Rules::Erasure(rules) => rules.time_zone,
            Rules::Expiry { .. } | Rules::Review | Rules::Copies(_) => policy.everyone().time_zone(),
        };
        let under = Circumstances {
            rules,
            mandate: case.mandate.kind(),
            operator: Sealed::new(self.salts.draw(), case.mandate.operator().clone())?,
            approved_at: case.mandate.given_at(),
            key: subject(&case.task).map(|_| self.signed.check().cloned()).transpose()?,
            opened_at: case.opened_at,
            closed_at: self.closed_at,
            backups: self.backups.iter().map(|backups| backups.residue(self.closed_at, zone)).collect(),
            unmapped: self.unmapped.clone(),
            scrubbable: self.engine.parts.scrub.is_some(),
            controller: policy.name().map(str::to_owned),
            crate_version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let under = (under.digest(), Arc::new(under));
        self.last = Some((case.clone(), (under.0, Arc::clone(&under.1))));
        Ok(under)
    }
}

/// The customer or profile that the entry of a case names.
fn subject(task: &Task) -> Option<TokenOf> {
    match task {
        Task::Erasure(Erasure { binding, .. }) => Some(TokenOf::Customer {
            tenant: binding.tenant().clone(),
            customer: binding.customer().clone(),
            registered: binding.registered(),
        }),
        Task::Profile(profile) => Some(TokenOf::Profile {
            gateway: profile.row.gateway.clone(),
            profile: Digest::of_bytes(profile.row.profile.as_str().as_bytes()),
        }),
        Task::Expiry(_) | Task::Copies(_) => None,
    }
}

/// All customers and profiles that the entry of a case names.
fn named(case: &NewCase, progress: &Progress) -> Vec<TokenOf> {
    let profiles =
        answers(progress).map(|(gateway, profile, _)| TokenOf::Profile { gateway: gateway.clone(), profile });
    subject(&case.task).into_iter().chain(profiles).collect()
}

/// The answers of recipients.
fn told(progress: &Progress) -> impl Iterator<Item = RecipientResult> {
    progress.steps().filter_map(|(step, done)| match step {
        Step::Recipient(recipient) => {
            Some(RecipientResult { recipient: recipient.clone(), answer: done.told.clone()? })
        }
        _ => None,
    })
}

/// The answers of gateways, each with the digest of the profile's id.
fn answers(progress: &Progress) -> impl Iterator<Item = (&GatewayName, Digest, &GatewayAnswer)> {
    progress.steps().flat_map(|(step, done)| {
        let gateway = if let Step::Gateway(gateway) = step { Some(gateway) } else { None };
        let each =
            move |gateway| done.answers.iter().map(move |(profile, answer)| (gateway, *profile, answer));
        gateway.into_iter().flat_map(each)
    })
}

async fn look(backups: &dyn BackupRetention) -> Result<(Schedule, u64), BackupError> {
    let schedule = backups.schedule().await?;
    Ok((schedule, backups.copies().await?.len() as u64))
}

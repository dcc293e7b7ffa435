//! The only step of an expiry: finds and treats the expired records, part by part.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{MOST_ROUNDS, Perform};
use crate::anonymise::Seed;
use crate::case::{Event, Proof};
use crate::customer::CustomerId;
use crate::engine::drive::Batch;
use crate::engine::expiry::{Dated, Due, Pages, expired_of};
use crate::engine::run::Run;
use crate::engine::work::{ExpiryWork, Looked};
use crate::engine::{Engine, Error};
use crate::ledger::EndedEarly;
use crate::plan::{ExpiredOf, Expiring, ExpiryOf, ExpiryPlace, RecordsOf, Step};
use crate::store::{EraseRequest, Erased, OwnerlessErased, StoreError, Target};
use crate::treatment::{ClassTreatment, RecordAction, Tally, Treatment};

/// An expiry may treat up to twice the planned number of records, plus this number.
const LEEWAY: u64 = 100;
/// The maximum number of pages that are read for one part, if nothing on them is due.
const PAGES: usize = 20;
/// The maximum number of parts of ownerless records. A store that reports more than this has an error.
const MOST_PARTS: u32 = 1_000_000;
/// How often ownerless records are counted again. Database triggers may have written new ones.
const LOOKS: u32 = 3;

/// What a part has to treat.
#[derive(Default)]
pub(in crate::engine) enum DueOnes {
    #[default]
    Nobody,
    /// Customers, grouped by treatment.
    Customers(Vec<(Arc<Treatment>, Vec<Due>)>),
    /// Records whose owner is gone.
    Ownerless,
}

/// Treats the expired records, part by part.
pub(in crate::engine) struct Expire;

#[async_trait]
impl Perform<ExpiryWork> for Expire {
    /// Finds the next part, and records that it will be treated.
    async fn look(
        &self,
        engine: &Engine,
        _: &mut Batch<'_>,
        runs: &mut [&mut Run<'_, ExpiryWork>],
    ) -> Result<(), Error> {
        for run in &mut *runs {
            let looked = match run.place() {
                ExpiryPlace::Customers { .. } => engine.look_at_customers(run).await,
                ExpiryPlace::Ownerless { .. } => engine.look_at_ownerless(run).await,
            };
            match looked {
                Ok(()) => {}
                Err(error @ (Error::Store(_) | Error::Gateway(_))) => {
                    run.wait(Step::Expire, &error, None);
                    continue;
                }
                Err(error) => return Err(error),
            }
            // The approval covers roughly the number that the plan counted. If far more records have expired, stop,
            // so that a person can check.
            let (planned, found) = (run.work.expiry.planned, run.found());
            if found > planned.saturating_mul(2).saturating_add(LEEWAY) {
                engine.end_early(run, EndedEarly::MoreThanPlanned { planned, found }).await?;
                continue;
            }
            run.note(Event::Begun { step: Step::Expire, before: None })?;
        }
        // The event is saved even if the part is empty. The write renews the lease, and a resume continues from here.
        engine.save(runs.iter_mut().map(|run| &mut **run).filter(|run| run.is_active())).await
    }

    async fn act(
        &self,
        engine: &Engine,
        _: &mut Batch<'_>,
        runs: &mut [&mut Run<'_, ExpiryWork>],
    ) -> Result<(), Error> {
        for run in runs {
            let treated = match std::mem::take(&mut run.work.due) {
                DueOnes::Nobody => Ok(()),
                DueOnes::Customers(groups) => engine.expire_customers(run, groups).await,
                DueOnes::Ownerless => engine.expire_ownerless(run).await,
            };
            match treated {
                Ok(()) => {}
                Err(error @ (Error::Store(_) | Error::Gateway(_))) => {
                    // It is unknown how much of this part is done. So the part is read again.
                    run.work.part = None;
                    run.wait(Step::Expire, &error, None);
                    continue;
                }
                Err(error) => return Err(error),
            }
            let Some(part) = run.work.part.take() else { continue };
            let (step, proof) = (Step::Expire, Proof::Expired(Box::new(part.into_part())));
            run.note(if run.work.is_last {
                Event::Done { step, proof }
            } else {
                Event::Part { step, proof }
            })?;
        }
        Ok(())
    }
}

impl Engine {
    /// Reads pages of customers until something on a page is due, up to a maximum number of pages.
    async fn look_at_customers(&self, run: &mut Run<'_, ExpiryWork>) -> Result<(), Error> {
        let terms = Arc::clone(&run.work.expiry.terms);
        let (ExpiryOf::Tenants(tenants), ExpiryPlace::Customers { stand_ins, after }) =
            (terms.of(), run.place())
        else {
            return Ok(());
        };
        let (mut dated, mut pages) = (Dated::new(self, run.new.opened_at), Pages::at(stand_ins, after));
        let mut part = Looked::at(run.place());
        for _ in 0..PAGES {
            let Some(page) = pages.next(&*self.parts.store, self.parts.batch).await? else { break };
            let (mut counted, mut settled) = (BTreeMap::new(), BTreeMap::new());
            let looked = self.look(page, tenants, &mut dated, &mut counted, &mut settled).await?;
            for (tenant, settled) in settled {
                part.of.entry(tenant).or_default().and(settled);
            }
            let due = counted.values().flat_map(|counted: &Expiring| counted.classes.values());
            part.found += due.map(|class| class.due).sum::<u64>();
            if !looked.is_empty() {
                run.work.due = DueOnes::Customers(looked);
                break;
            }
        }
        match pages.place() {
            Some(place) => part.place = place,
            None => run.work.is_last = true,
        }
        run.work.part = Some(part);
        Ok(())
    }

    async fn expire_customers(
        &self,
        run: &mut Run<'_, ExpiryWork>,
        groups: Vec<(Arc<Treatment>, Vec<Due>)>,
    ) -> Result<(), Error> {
        let Some(part) = &mut run.work.part else { return Ok(()) };
        for (treatment, due) in groups {
            self.expire_batch(part, &treatment, due, run.new.opened_at).await?;
        }
        Ok(())
    }

    /// Erases the expired records of some customers, and reads back.
    async fn expire_batch(
        &self,
        part: &mut Looked,
        treatment: &Arc<Treatment>,
        mut todo: Vec<Due>,
        at: DateTime<Utc>,
    ) -> Result<(), Error> {
        let seed = self.seed()?;
        let mut done = Vec::with_capacity(todo.len());
        let mut rounds = 0;
        while !todo.is_empty() {
            rounds += 1;
            if rounds > MOST_ROUNDS {
                return Err(StoreError::Contended { doing: "erasing what has expired, part by part" }.into());
            }
            let request = expired_request(&todo, treatment, &seed, at).held(self.held_customers().await?);
            let mut answers = self.parts.store.erase(&request).await?.into_iter();
            let mut more = Vec::new();
            for mut due in todo {
                let of = part.of.entry(RecordsOf::Tenant(due.facts.tenant.clone())).or_default();
                match answers.next() {
                    Some(Ok(Erased::Done(counts))) => {
                        due.done.add(&counts);
                        done.push(due);
                    }
                    Some(Ok(Erased::More(counts))) => {
                        due.done.add(&counts);
                        more.push(due);
                    }
                    answer => {
                        // Records that earlier parts have treated stay treated.
                        if !due.done.is_nothing() {
                            of.add(treatment, &due.done.touched());
                        }
                        match answer {
                            Some(Err(error)) => of.failed(error),
                            None => of.failed("the store gave no answer; it was not tried"),
                            Some(Ok(_)) => of.changed += 1,
                        }
                    }
                }
            }
            todo = more;
        }
        let ids: Vec<CustomerId> = done.iter().map(|due| due.facts.id.clone()).collect();
        if ids.is_empty() {
            return Ok(());
        }
        for (due, tally) in done.into_iter().zip(self.tally(ids, treatment).await?) {
            let of = part.of.entry(RecordsOf::Tenant(due.facts.tenant)).or_default();
            match tally {
                Ok(tally) if tally.due() == 0 => {
                    of.customers += 1;
                    of.add(treatment, &due.done.touched());
                }
                // It is unknown how much of the treatment is done.
                Ok(_) => of.failed("records that have expired are there still after they were erased"),
                Err(error) => of.failed(error),
            }
        }
        Ok(())
    }

    /// Counts the ownerless records, unless a part of them is in progress. The expiry ends if none are left, or if a
    /// repeated count is not smaller.
    async fn look_at_ownerless(&self, run: &mut Run<'_, ExpiryWork>) -> Result<(), Error> {
        let place = run.place();
        let ExpiryPlace::Ownerless { looks, due, parts, after, refused } = place.clone() else {
            return Ok(());
        };
        let Some((port, request)) = self.ownerless(run.new.opened_at) else {
            run.work.part = Some(Looked::at(place));
            run.work.is_last = true;
            return Ok(());
        };
        if after.is_some() {
            run.work.part = Some(Looked::at(place));
            run.work.due = DueOnes::Ownerless;
            return Ok(());
        }
        let tally = port.count_ownerless(&request).await?;
        let left = tally.due();
        // A repeated count finds records that triggers wrote in between. If the count did not shrink, another attempt
        // does not help.
        if left == 0 || looks >= LOOKS || (looks > 0 && left >= due) {
            let mut of = ExpiredOf { failed: refused, ..ExpiredOf::default() };
            if left > 0 && of.failed.is_empty() {
                of.failed("records without an owner are there still after they were erased");
            }
            add_what_stays(&mut of, &request.treatment, &tally);
            run.work.part = Some(Looked { place, found: 0, of: BTreeMap::from([(RecordsOf::Nobody, of)]) });
            run.work.is_last = true;
            return Ok(());
        }
        let place = ExpiryPlace::Ownerless {
            looks: looks + 1,
            due: left,
            parts,
            after: None,
            // Refused records are tried again.
            refused: BTreeMap::new(),
        };
        let found = if looks == 0 { left } else { 0 };
        run.work.part = Some(Looked { place, found, of: BTreeMap::new() });
        run.work.due = DueOnes::Ownerless;
        Ok(())
    }

    /// Erases a part of the ownerless records.
    async fn expire_ownerless(&self, run: &mut Run<'_, ExpiryWork>) -> Result<(), Error> {
        let Some((port, request)) = self.ownerless(run.new.opened_at) else { return Ok(()) };
        let place = run.place();
        let ExpiryPlace::Ownerless { looks, due, parts, after, refused } = place else { return Ok(()) };
        if parts >= MOST_PARTS {
            return Err(
                StoreError::Contended { doing: "erasing records without an owner, part by part" }.into()
            );
        }
        let seed = self.seed()?;
        let erased = port.erase_ownerless(&request, &seed, after.as_ref()).await?;
        let OwnerlessErased { counts, refused: also, next } = erased;
        let mut of = ExpiredOf::default();
        // Records that stay anonymised are counted when they are read back.
        for (class, count) in counts.classes {
            let action = request.treatment.class(class.as_str()).map(ClassTreatment::action);
            if action == Some(&RecordAction::Delete) {
                *of.records.entry(class).or_default() += count;
            }
        }
        let mut refused = refused;
        for (why, count) in also {
            *refused.entry(why).or_default() += count;
        }
        let found = run.work.part.as_ref().map_or(0, |part| part.found);
        let place = ExpiryPlace::Ownerless { looks, due, parts: parts + 1, after: next, refused };
        run.work.part = Some(Looked { place, found, of: BTreeMap::from([(RecordsOf::Nobody, of)]) });
        Ok(())
    }

    fn seed(&self) -> Result<Seed, Error> {
        let mut seed = [0; 32];
        self.parts.entropy.fill(&mut seed)?;
        Ok(Seed::new(seed))
    }
}

fn expired_request(todo: &[Due], treatment: &Arc<Treatment>, seed: &Seed, at: DateTime<Utc>) -> EraseRequest {
    let targets = todo.iter().map(|due| Target {
        customer: due.facts.id.clone(),
        tenant: due.facts.tenant.clone(),
        expected: due.facts.expected(),
    });
    let parts = todo.iter().map(|due| (due.facts.id.clone(), due.done.classes.keys().cloned().collect()));
    EraseRequest::new(targets.collect(), Arc::clone(treatment), seed.clone(), at).in_parts(parts.collect())
}

/// Adds the treated records that still exist. Deleted records were counted when they were deleted.
fn add_what_stays(of: &mut ExpiredOf, treatment: &Treatment, tally: &Tally) {
    for (class, stays) in expired_of(treatment, tally) {
        let pending = tally.classes.get(&class).map_or(0, |class| class.due);
        *of.records.entry(class).or_default() += stays.saturating_sub(pending);
    }
}

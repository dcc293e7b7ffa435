//! Checks the promises of a case book about claims, leases and events.

use super::{Bench, Broken, LEASE, Law, samples, works};
use crate::case::{DeactivationOutcome, Event, Hindrance, Obstacle, Proof};
use crate::ledger::{
    CaseEvent, Claimed, Fence, Lease, LedgerError, ListedCase, NewCase, Opened, OpenedCases, SavedCase,
};
use crate::plan::{CaseId, Step};

pub(super) fn lease(worker: &str) -> Lease {
    Lease::new(worker, LEASE)
}

fn event(case: &CaseId, event: Event) -> CaseEvent {
    CaseEvent { case: case.clone(), at: samples::noon(), event }
}

/// Three valid events.
fn events(case: &CaseId) -> [CaseEvent; 3] {
    let obstacle = Obstacle { step: Step::Records, reason: Hindrance::Changed, waivable: false };
    let proof = Proof::Deactivated(DeactivationOutcome::Already);
    [
        event(case, Event::Done { step: Step::Deactivate, proof }),
        event(case, Event::Begun { step: Step::Records, before: None }),
        event(case, Event::Blocked(obstacle)),
    ]
}

fn ids<'c>(cases: impl IntoIterator<Item = &'c SavedCase>) -> Vec<CaseId> {
    cases.into_iter().map(|case| case.new.id.clone()).collect()
}

/// Whether a case is as it was opened.
fn is_same(saved: &NewCase, opened: &NewCase) -> bool {
    match (serde_json::to_value(saved), serde_json::to_value(opened)) {
        (Ok(saved), Ok(opened)) => saved == opened,
        _ => false,
    }
}

fn is_lost<T>(answer: &Result<T, LedgerError>) -> bool {
    matches!(answer, Err(LedgerError::LostClaim { .. }))
}

/// An answer in one word.
fn word<T>(answer: &Result<T, LedgerError>) -> String {
    match answer {
        Ok(_) => "success".to_owned(),
        Err(LedgerError::LostClaim { .. }) => "LostClaim".to_owned(),
        Err(LedgerError::NoSuchCase { .. }) => "NoSuchCase".to_owned(),
        Err(other) => format!("the error \"{other}\""),
    }
}

impl Bench<'_> {
    async fn open(&self, cases: &[&NewCase], worker: &str) -> Result<OpenedCases, Broken> {
        let cases: Vec<NewCase> = cases.iter().map(|case| (*case).clone()).collect();
        works("open", self.ledger.open(&cases, &lease(worker)).await)
    }

    async fn claim(&self, cases: &[CaseId], worker: &str) -> Result<Claimed, Broken> {
        works("claim", self.ledger.claim(cases, &lease(worker)).await)
    }

    async fn listed(&self) -> Result<Vec<ListedCase>, Broken> {
        works("list", self.ledger.list(None, 100).await)
    }

    /// The events of a case that is open.
    async fn events_of(&self, case: &CaseId) -> Result<Vec<Event>, Broken> {
        let listed = self.listed().await?;
        let found = listed.into_iter().find(|listed| listed.saved.new.id == *case);
        Ok(found.map(|listed| listed.saved.events).unwrap_or_default())
    }

    /// The worker with the claim on the first case.
    async fn holder(&self) -> Result<Option<String>, Broken> {
        let listed = self.listed().await?;
        let held_by = listed.into_iter().find(|listed| listed.saved.new.id == self.first());
        Ok(held_by.and_then(|listed| listed.held_by).map(|worker| worker.to_string()))
    }

    fn first(&self) -> CaseId {
        let [one, ..] = &self.samples.cases;
        one.new.id.clone()
    }

    pub(super) async fn opens(&self) -> Result<(), Broken> {
        let [one, two, _] = &self.samples.cases;
        let opened = self.open(&[&one.new, &two.new, &self.samples.second], "one").await?;
        let answers = &opened.cases;
        let conflict = Opened::Conflict { case: one.new.id.clone() };
        let conflicts = answers.iter().filter(|answer| **answer == conflict).count();
        Law::CaseOpensOnce.hold(
            conflicts == 1,
            format_args!(
                "open of case-1, case-2 and case-9, which is of case-1's customer, answered {answers:?}"
            ),
        )?;
        Law::OpenAnswersInOrder.hold(
            *answers == [Opened::Open, Opened::Open, conflict],
            format_args!(
                "open of case-1, case-2 and case-9, which is of case-1's customer, answered {answers:?}"
            ),
        )?;
        let count = self.listed().await?.len();
        Law::CaseOpensOnce.hold(count == 2, format_args!("{count} open cases, and two were opened"))?;

        let again = self.open(&[&one.new], "one").await?;
        Law::CaseOpensAgain.hold(
            again.cases == [Opened::Open],
            format_args!("open of case-1 again answered {:?}", again.cases),
        )?;
        Law::FencesRise.hold(
            again.fence > opened.fence,
            format_args!("open gave claim {} after claim {}", again.fence.get(), opened.fence.get()),
        )?;
        let [event, ..] = events(&one.new.id);
        let answer = self.ledger.record(opened.fence, std::slice::from_ref(&event)).await;
        Law::CaseOpensAgain
            .hold(is_lost(&answer), format_args!("record under the claim before gave {}", word(&answer)))?;
        let answer = self.ledger.record(again.fence, &[event]).await;
        Law::CaseOpensAgain
            .hold(answer.is_ok(), format_args!("record under the new claim gave {}", word(&answer)))?;
        // Another worker opens the same case. It is open, and the first worker keeps the claim.
        let other = self.open(&[&one.new], "two").await?;
        let holder = self.holder().await?;
        Law::LeaseHolds.hold(
            other.cases == [Opened::Open] && holder.as_deref() == Some("one"),
            format_args!(
                "open of case-1 by another worker answered {:?}, and {holder:?} has it",
                other.cases
            ),
        )
    }

    pub(super) async fn lists(&self) -> Result<(), Broken> {
        let [one, two, three] = &self.samples.cases;
        let all = [&one.new, &two.new, &three.new, &self.samples.profile];
        // The last ones first.
        let reversed: Vec<&NewCase> = all.iter().rev().copied().collect();
        self.open(&reversed, "one").await?;
        let listed = self.listed().await?;
        let found = ids(listed.iter().map(|case| &case.saved));
        let expected: Vec<CaseId> = all.iter().map(|case| case.id.clone()).collect();
        Law::CasesListedById
            .hold(found == expected, format_args!("list gave {found:?} instead of {expected:?}"))?;
        for (listed, opened) in listed.iter().zip(all) {
            Law::CaseKeptAsOpened.hold(
                is_same(&listed.saved.new, opened) && listed.saved.events.is_empty(),
                format_args!("list gave {} otherwise than it was opened", opened.id),
            )?;
        }
        let some = works("list", self.ledger.list(Some(&one.new.id), 2).await)?;
        let found = ids(some.iter().map(|case| &case.saved));
        Law::CasesListedById.hold(
            found == [two.new.id.clone(), three.new.id.clone()],
            format_args!("list of two after case-1 gave {found:?}"),
        )?;
        let rest = works("list", self.ledger.list(Some(&self.samples.profile.id), 2).await)?;
        Law::CasesListedById
            .hold(rest.is_empty(), format_args!("list after the last case gave {} cases", rest.len()))
    }

    pub(super) async fn claims(&self) -> Result<(), Broken> {
        let [one, two, _] = &self.samples.cases;
        let (a, b) = (one.new.id.clone(), two.new.id.clone());
        let opened = self.open(&[&one.new], "one").await?;
        self.open(&[&two.new], "two").await?;
        let asked = [a.clone(), samples::nobodys(), b.clone()];
        let claimed = self.claim(&asked, "two").await?;
        let got = ids(&claimed.cases);
        Law::LeaseHolds.hold(
            !got.contains(&a),
            format_args!("worker two claimed case-1 within the lease of worker one"),
        )?;
        Law::WorkerReclaims.hold(
            got.contains(&b) && claimed.fence > opened.fence,
            format_args!("worker two claimed its own case-2 again, and got {got:?}"),
        )?;
        Law::ClaimSorts.hold(
            got == [b.clone()] && claimed.held == [a.clone()],
            format_args!("a claim of {asked:?} gave {got:?} and named {:?} as held", claimed.held),
        )?;
        let same = claimed.cases.iter().all(|case| is_same(&case.new, &two.new));
        Law::CaseKeptAsOpened.hold(same, format_args!("claim gave case-2 otherwise than it was opened"))?;

        works("release", self.ledger.release(opened.fence, std::slice::from_ref(&a)).await)?;
        let holder = self.holder().await?;
        let free = self.claim(std::slice::from_ref(&a), "two").await?;
        Law::ReleaseFrees.hold(
            holder.is_none() && free.cases.len() == 1,
            format_args!("after release {holder:?} has case-1, and a claim gave {} cases", free.cases.len()),
        )?;
        Law::FencesRise.hold(
            free.fence > claimed.fence,
            format_args!("claim {} came after claim {}", free.fence.get(), claimed.fence.get()),
        )?;
        works("release", self.ledger.release(free.fence, std::slice::from_ref(&a)).await)?;
        works("release again", self.ledger.release(free.fence, std::slice::from_ref(&a)).await)?;
        works(
            "release of a case that is not open",
            self.ledger.release(free.fence, &[samples::nobodys()]).await,
        )
    }

    pub(super) async fn leases(&self) -> Result<(), Broken> {
        let [one, ..] = &self.samples.cases;
        let a = [one.new.id.clone()];
        let opened = self.open(&[&one.new], "one").await?;
        let holder = self.holder().await?;
        Law::LeaseHolds.hold(
            holder.as_deref() == Some("one"),
            format_args!("list says that {holder:?} has case-1, which worker one opened"),
        )?;
        let [first, second, third] = events(&one.new.id);
        self.pass(9);
        works("record", self.ledger.record(opened.fence, &[first]).await)?;
        self.pass(9);
        let taken = self.claim(&a, "two").await?;
        Law::RecordRenewsLease.hold(
            taken.cases.is_empty(),
            format_args!("another worker claimed case-1 nine tenths of a lease after the last record"),
        )?;
        self.pass(2);
        let holder = self.holder().await?;
        Law::LeaseEnds.hold(
            holder.is_none(),
            format_args!("list says that {holder:?} has case-1, whose lease has run out"),
        )?;
        let late = self.ledger.record(opened.fence, &[second]).await;
        Law::LateWorkerGoesOn.hold(
            late.is_ok(),
            format_args!("record after the lease, with nobody else there, gave {}", word(&late)),
        )?;
        self.pass(11);
        let taken = self.claim(&a, "two").await?;
        Law::LeaseEnds.hold(
            taken.cases.len() == 1,
            format_args!("a claim after the lease gave {} cases, and one was free", taken.cases.len()),
        )?;
        let found = taken.cases.iter().map(|case| case.events.len()).sum::<usize>();
        Law::EventsInOrder
            .hold(found == 2, format_args!("claim gave case-1 with {found} events, and two were recorded"))?;
        Law::FencesRise.hold(
            taken.fence > opened.fence,
            format_args!("claim {} came after claim {}", taken.fence.get(), opened.fence.get()),
        )?;
        let answer = self.ledger.record(opened.fence, &[third]).await;
        let found = self.events_of(&one.new.id).await?.len();
        Law::LostClaimWritesNothing.hold(
            is_lost(&answer) && found == 2,
            format_args!(
                "record under a claim that was passed over gave {}, and case-1 has {found} events of two",
                word(&answer)
            ),
        )
    }

    /// Checks a claim that was lost to another worker.
    pub(super) async fn passes_over(&self) -> Result<(), Broken> {
        let [one, ..] = &self.samples.cases;
        let a = [one.new.id.clone()];
        let opened = self.open(&[&one.new], "one").await?;
        self.pass(11);
        let taken = self.claim(&a, "two").await?;
        works("release under a claim that was passed over", self.ledger.release(opened.fence, &a).await)?;
        let holder = self.holder().await?;
        Law::LostClaimReleasesNothing.hold(
            holder.as_deref() == Some("two"),
            format_args!("worker one released case-1, which worker two has; now {holder:?} has it"),
        )?;
        for fence in [opened.fence, Fence::new(taken.fence.get() + 1)] {
            let answer = self.ledger.close(fence, std::slice::from_ref(&one.closed)).await;
            let (open, last) = (self.listed().await?.len(), works("last", self.ledger.last().await)?);
            Law::LostClaimWritesNothing.hold(
                is_lost(&answer) && (open, last) == (1, 0),
                format_args!(
                    "close of case-1 under another claim gave {}, {open} open cases and {last} entries",
                    word(&answer)
                ),
            )?;
        }
        Ok(())
    }

    pub(super) async fn records(&self) -> Result<(), Broken> {
        let [one, two, _] = &self.samples.cases;
        let opened = self.open(&[&one.new, &two.new], "one").await?;
        let [first, second, third] = events(&one.new.id);
        let [of_two, ..] = events(&two.new.id);
        works(
            "record",
            self.ledger.record(opened.fence, &[first.clone(), of_two.clone(), second.clone()]).await,
        )?;
        works("record", self.ledger.record(opened.fence, std::slice::from_ref(&third)).await)?;
        let expected = [first.event.clone(), second.event, third.event];
        let of_first = self.events_of(&one.new.id).await?;
        let of_second = self.events_of(&two.new.id).await?;
        Law::EventsInOrder.hold(
            of_first == expected && of_second == [of_two.event],
            format_args!(
                "case-1 has {} events and case-2 has {}, of three and one, or they have another order",
                of_first.len(),
                of_second.len()
            ),
        )?;
        let unknown = event(&samples::nobodys(), Event::Retried);
        let retried = event(&one.new.id, Event::Retried);
        let answer = self.ledger.record(opened.fence, &[retried, unknown]).await;
        Law::RecordNeedsCase.hold(
            matches!(answer, Err(LedgerError::NoSuchCase { .. })),
            format_args!("record of an event of case-0, which nobody opened, gave {}", word(&answer)),
        )?;
        let found = self.events_of(&one.new.id).await?.len();
        Law::RecordAllOrNothing.hold(
            found == 3,
            format_args!(
                "a record was refused for its second event, and case-1 has {found} events instead of three"
            ),
        )
    }
}

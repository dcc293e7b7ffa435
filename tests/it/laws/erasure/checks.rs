//! Each law as a function that checks whether a store keeps the law.

use std::sync::Arc;

use chrono::TimeDelta;
use relinquish::anonymise::Seed;
use relinquish::customer::Status;
use relinquish::ledger::Ledger;
use relinquish::plan::Authority;
use relinquish::store::{EraseRequest, Erased, StoreError, Target};
use relinquish::{Asked, CustomerId, CustomerStore, Error, Outcome, Planned};

use super::Verdict;
use super::generated::{Shop, TARGET};
use super::oracle;
use super::run::{
    Backend, Between, Call, Host, Moment, Run, Tamper, differences, edit, prepare, prepare_in, status,
};
use crate::hosts;

async fn erase(run: &Run) -> Outcome {
    run.engine.erase(run.plan.clone()).await.unwrap()
}

fn unchanged(what: &str, before: &super::run::Cells, run: &Run) -> Verdict {
    let differences = differences(before, &run.cells());
    ensure!(differences.is_empty(), "{what} touched something: {differences:?}");
    Ok(())
}

/// Two shops differ only in the values of one customer that are erased. Afterwards the two databases are equal, byte
/// for byte. The plan's digest, the certificate and the ledger are equal too.
pub(super) async fn non_interference(
    shop: &Shop,
    twist: u64,
    backend: Backend,
    tamper: Tamper<'_>,
) -> Verdict {
    let one = prepare(shop, &shop.rows(0), backend, tamper).await;
    let other = prepare(shop, &shop.rows(twist), backend, tamper).await;
    ensure!(one.plan.plan().digest() == other.plan.plan().digest(), "the plans have different digests");
    let (first, second) = (erase(&one).await, erase(&other).await);
    let differences = differences(&one.cells(), &other.cells());
    ensure!(differences.is_empty(), "what was erased shows: {differences:?}");
    let (Some(first), Some(second)) = (first.certificate(), second.certificate()) else {
        return Err(format!("not erased: {first}, {second}"));
    };
    ensure!(
        serde_json::to_string(first).unwrap() == serde_json::to_string(second).unwrap(),
        "what was erased shows in the certificate: {first} {second}"
    );
    let (first, second) =
        (one.ledger.entries(0, 10).await.unwrap(), other.ledger.entries(0, 10).await.unwrap());
    ensure!(first == second, "what was erased shows in the ledger");
    Ok(())
}

/// Everything that the plan names is erased, and nothing else changes: no cell, no count, no sum.
pub(super) async fn no_over_erasure(shop: &Shop, backend: Backend, tamper: Tamper<'_>) -> Verdict {
    let rows = shop.rows(0);
    let run = prepare(shop, &rows, backend, tamper).await;
    let sums = run.database().map(|path| oracle::sums(shop, path));
    let outcome = erase(&run).await;
    ensure!(outcome.certificate().is_some(), "not erased: {outcome}");
    oracle::check(shop, &rows, &run.before, &run.cells())?;
    sums_stay(shop, &run, sums.as_ref())
}

fn sums_stay(shop: &Shop, run: &Run, sums: Option<&oracle::Sums>) -> Verdict {
    let now = run.database().map(|path| oracle::sums(shop, path));
    ensure!(now.as_ref() == sums, "what is kept adds up to {now:?} and not to {sums:?}");
    Ok(())
}

/// Checks only the sums. This is for a broken store whose cells are all as the oracle expects.
pub(super) async fn sums_are_kept(shop: &Shop, tamper: Tamper<'_>) -> Verdict {
    let run = prepare(shop, &shop.rows(0), Backend::Sqlite, tamper).await;
    let sums = run.database().map(|path| oracle::sums(shop, path));
    erase(&run).await;
    sums_stay(shop, &run, sums.as_ref())
}

/// A second erasure changes nothing. The engine finds nothing left to do. The store itself is called again a day
/// later, with another seed, and changes nothing.
pub(super) async fn idempotence(shop: &Shop, backend: Backend, tamper: Tamper<'_>) -> Verdict {
    let run = prepare(shop, &shop.rows(0), backend, tamper).await;
    let target = CustomerId::new(shop.target());
    let ids = [target.clone()];
    let expected_before = run.store.facts(&ids).await.unwrap()[0].expected();
    let outcome = erase(&run).await;
    ensure!(outcome.certificate().is_some(), "not erased: {outcome}");
    let after = run.cells();

    let outcome = erase(&run).await;
    ensure!(matches!(outcome, Outcome::Superseded { .. }), "the same approval again: {outcome}");
    unchanged("the same approval again", &after, &run)?;

    match run.engine.plan(&target, &Asked::request()).await {
        Ok(Planned::Nothing(_)) | Err(Error::NoSuchCustomer) => {}
        Ok(other) => return Err(format!("there is something left to do: {other}")),
        Err(error) => return Err(format!("the second plan: {error}")),
    }
    unchanged("the second plan", &after, &run)?;

    let facts = run.store.facts(&ids).await.unwrap();
    let expected = facts.first().map_or(expected_before, relinquish::Customer::expected);
    let targets = vec![Target { customer: target, tenant: run.plan.plan().tenant().clone(), expected }];
    let treatment = Arc::clone(run.plan.plan().treatment());
    let tomorrow = hosts::now() + TimeDelta::days(1);
    let request = EraseRequest::new(targets, treatment, Seed::new([9; 32]), tomorrow);
    let answers = run.store.erase(&request).await.unwrap();
    ensure!(
        matches!(answers[..], [Ok(Erased::Done(_) | Erased::Missing)]),
        "asked again, the store says {answers:?}"
    );
    unchanged("erasing again", &after, &run)
}

/// A reason why an erasure ends before its first irreversible step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// The customer moves to another tenant after the approval.
    Moved,
    /// The approval expires.
    Expired,
    /// The customer moves to another tenant right before the deactivation.
    MovedLate,
    /// The store fails at this call.
    StoreFails(Call),
    /// The ledger cannot write the new case.
    LedgerRefusesCase,
    /// The ledger cannot write the event that announces the deactivation.
    LedgerRefusesEvent,
}

pub(super) const STOPS: [Stop; 9] = [
    Stop::Moved,
    Stop::Expired,
    Stop::MovedLate,
    Stop::StoreFails(Call::Facts),
    Stop::StoreFails(Call::Tally),
    Stop::StoreFails(Call::Deactivate),
    Stop::StoreFails(Call::Erase),
    Stop::LedgerRefusesCase,
    Stop::LedgerRefusesEvent,
];

/// Nothing is changed by planning, by a refusal, by a superseded approval, or by an error before the first
/// irreversible step. If the customer is deactivated by then, this is the only change, and a cancellation undoes it.
pub(super) async fn what_comes_to_nothing_touches_nothing(
    shop: &Shop,
    end: Stop,
    backend: Backend,
    tamper: Tamper<'_>,
) -> Verdict {
    let target = shop.id(TARGET);
    let environment = move |store: Arc<dyn CustomerStore>, host: &Host| -> Arc<dyn CustomerStore> {
        let host = host.clone();
        Arc::new(Between::new(store, move |moment| match end {
            Stop::MovedLate if moment == (Moment { call: Call::Deactivate, nth: 0, after: false }) => {
                host.move_target(target);
                Ok(())
            }
            // The first calls of `facts` and `tally` belong to the plan, so they succeed.
            Stop::StoreFails(call) if call == moment.call && !moment.after => match call {
                Call::Facts | Call::Tally if moment.nth == 0 => Ok(()),
                _ => Err(StoreError::failed("trying", "no")),
            },
            _ => Ok(()),
        }))
    };
    let run = prepare_in(shop, &shop.rows(0), backend, &environment, tamper).await;
    unchanged("planning", &run.before, &run)?;
    match end {
        Stop::Moved => run.host().move_target(target),
        Stop::Expired => run.clock.turn(TimeDelta::hours(2)),
        Stop::LedgerRefusesCase => refuse(&run, "open_case"),
        Stop::LedgerRefusesEvent => refuse(&run, "event"),
        _ => {}
    }
    let before = run.cells();
    let outcome = run.engine.erase(run.plan.clone()).await;
    let mut expected = before.clone();
    if end == Stop::MovedLate {
        // The host itself changed the tenant, so this change stays.
        let cells = expected.get_mut(&("customers".to_owned(), target.to_string())).unwrap();
        cells.entry("tenant".to_owned()).and_modify(|tenant| *tenant = "even".to_owned().into());
    }
    match (end, &outcome) {
        (Stop::Moved | Stop::MovedLate, Ok(Outcome::Superseded { .. }))
        | (Stop::Expired, Err(Error::Approval(_)))
        | (Stop::LedgerRefusesCase | Stop::LedgerRefusesEvent, Err(Error::Ledger(_)))
        | (
            Stop::StoreFails(Call::Facts | Call::Deactivate),
            Ok(Outcome::Waiting { .. } | Outcome::Blocked { .. }),
        ) => unchanged(&format!("{end:?}"), &expected, &run),
        // The second `tally` comes after the erasure, to verify it. By then everything is erased.
        (Stop::StoreFails(Call::Tally), Ok(Outcome::Waiting { .. })) => {
            oracle::check(shop, &shop.rows(0), &run.before, &run.cells())
        }
        (
            Stop::StoreFails(Call::Erase),
            Ok(Outcome::Waiting { case, .. } | Outcome::Blocked { case, .. }),
        ) => {
            let archived = status(&run, shop).await == Some(Status::Archived);
            ensure!(archived, "the customer is to stay deactivated");
            if let Ok(Outcome::Blocked { .. }) = &outcome {
                let by = Authority::new("operator-7", [run.plan.plan().tenant().clone()]);
                run.engine
                    .cancel(case, &by, "they-stay".parse().unwrap())
                    .await
                    .map_err(|error| error.to_string())?;
                return unchanged(&format!("{end:?}, cancelled,"), &before, &run);
            }
            let differences = differences(&before, &run.cells());
            let status_alone = differences.iter().all(|difference| difference.contains(".state was"));
            ensure!(status_alone, "{end:?} touched something: {differences:?}");
            Ok(())
        }
        (_, Ok(outcome)) => Err(format!("{end:?}: {outcome}")),
        (_, Err(error)) => Err(format!("{end:?}: {error}")),
    }
}

/// Makes every insert into one table of the ledger fail.
fn refuse(run: &Run, table: &str) {
    let sql = format!("CREATE TRIGGER refuse BEFORE INSERT ON {table} BEGIN SELECT RAISE(ABORT, 'no'); END");
    edit(&run.ledger_file(), &sql);
}

/// A certificate is issued only if the erasure was complete. The answer says whether there is a certificate.
pub(super) async fn certificates_are_true(
    shop: &Shop,
    backend: Backend,
    tamper: Tamper<'_>,
) -> Result<bool, String> {
    let rows = shop.rows(0);
    let run = prepare(shop, &rows, backend, tamper).await;
    let outcome = erase(&run).await;
    if outcome.certificate().is_some() {
        oracle::check(shop, &rows, &run.before, &run.cells())
            .map_err(|what| format!("a certificate says otherwise, but {what}"))?;
        return Ok(true);
    }
    let certified = run.ledger.entries(0, 10).await.unwrap().iter().any(|entry| entry.closed().is_some());
    ensure!(!certified, "the ledger has it as closed, and the outcome is {outcome}");
    Ok(false)
}

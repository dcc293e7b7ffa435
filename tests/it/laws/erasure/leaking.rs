//! Two kinds of stores: deliberately broken ones that leak values, and honest ones that fail. The tests search
//! everything that they output.

use std::path::Path;
use std::sync::Arc;

use relinquish::store::StoreError;
use relinquish::{Outcome, SqlMap, SqliteStore};

use super::block_on;
use super::broken::{ERASED, Store, broken, shop, text};
use super::generated::{Shop, TARGET};
use super::run::{Answer, Backend, Between, Call, Moment, edit, prepare};
use super::silence::{self, Ear};
use crate::hosts;
use crate::hosts::ResumeAll as _;

/// A store that does something with one of the target's values at a given moment.
fn telling(
    shop: &Shop,
    at: Moment,
    tell: impl Fn(&str, &Path) -> Result<(), StoreError> + Clone + Send + Sync + 'static,
) -> impl Fn(Store, &Path) -> Store + Sync {
    let secret = text(&shop.rows(0), "c0");
    move |store, path| {
        let (secret, tell) = (secret.clone(), tell.clone());
        let ledger = path.with_file_name("ledger.sqlite");
        Arc::new(Between::new(
            store,
            move |moment| if moment == at { tell(&secret, &ledger) } else { Ok(()) },
        ))
    }
}

#[track_caller]
fn told(ear: &Ear, shop: &Shop, store: &(dyn Fn(Store, &Path) -> Store + Sync), place: &str) {
    let verdict = block_on(silence::nothing_personal_leaves(ear, shop, Backend::Sqlite, store));
    broken(place, verdict.map(drop), place);
}

#[test]
fn a_value_that_is_said_anywhere_is_heard() {
    let (ear, shop) = (Ear::open(), shop());
    let planned_again = Moment { call: Call::Facts, nth: 1, after: true };
    let logging = telling(&shop, ERASED, |secret, _| {
        let secret = secret.to_owned();
        std::thread::spawn(move || tracing::trace!(%secret, "from another thread")).join().unwrap();
        Ok(())
    });
    told(&ear, &shop, &logging, "is in the log");
    let refusing = telling(&shop, Moment { after: false, ..ERASED }, |secret, _| {
        Err(StoreError::failed("erasing", format!("the value {secret} is not unique")))
    });
    told(&ear, &shop, &refusing, "is in the text of the outcome");
    let failing = telling(&shop, planned_again, |secret, _| {
        Err(StoreError::failed("looking", format!("{secret} is no date")))
    });
    told(&ear, &shop, &failing, "is in the text of the error of the second plan");
    let caused = telling(&shop, planned_again, |secret, _| {
        let source = std::io::Error::other(format!("connection to {} lost", hex::encode(secret)));
        Err(StoreError::Failed { doing: "looking", what: "lost".to_owned(), source: Some(Box::new(source)) })
    });
    told(&ear, &shop, &caused, "error of the second plan");
    let panicking = telling(&shop, ERASED, |secret, _| panic!("did not expect {secret}"));
    told(&ear, &shop, &panicking, "is in a panic");
    let writing = telling(&shop, ERASED, |secret, ledger| {
        let secret = secret.replace('\'', "''");
        edit(ledger, &format!("CREATE TABLE notes (note TEXT); INSERT INTO notes VALUES (hex('{secret}'))"));
        Ok(())
    });
    told(&ear, &shop, &writing, "is in the ledger's file");
}

#[test]
fn a_value_that_is_taken_for_a_fact_is_found_in_what_is_made_of_it() {
    let (ear, shop) = (Ear::open(), shop());
    let secret = text(&shop.rows(0), "c0");
    let naming = move |store: Store, _: &Path| -> Store {
        let secret = secret.clone();
        Arc::new(Between::new(store, |_| Ok(())).falsify(move |answer| {
            if let Answer::Facts(facts) = answer {
                facts[0].tenant = secret.as_str().into();
            }
        }))
    };
    told(&ear, &shop, &naming, "of the plan");
}

#[test]
fn a_case_book_that_keeps_what_it_should_wipe_is_found_out() {
    let (ear, shop) = (Ear::open(), shop());
    let keeping = telling(&shop, ERASED, |_, ledger| {
        let sql = "CREATE TABLE kept (own TEXT);
             CREATE TRIGGER keep BEFORE DELETE ON open_case BEGIN INSERT INTO kept VALUES (old.own); END";
        edit(ledger, sql);
        Ok(())
    });
    told(&ear, &shop, &keeping, "is in the ledger's file");
}

// ---- stores that fail honestly ----

#[test]
fn whatever_fails_no_value_is_in_what_is_said_of_it() {
    let (ear, shop) = (Ear::open(), shop());
    let said = |store: &(dyn Fn(Store, &Path) -> Store + Sync)| {
        block_on(silence::nothing_personal_leaves(&ear, &shop, Backend::Sqlite, store)).unwrap()
    };
    let id = shop.id(TARGET);
    for (call, nth) in
        [(Call::Facts, 1), (Call::Facts, 2), (Call::Tally, 2), (Call::Deactivate, 0), (Call::Erase, 0)]
    {
        let at = Moment { call, nth, after: false };
        let outcome = said(&telling(&shop, at, |_, _| Err(StoreError::failed("trying", "no"))));
        let erased = matches!(outcome, Some(Outcome::Erased(_)));
        // Only the second plan may fail without consequences, because it is made only for this test.
        assert_eq!(erased, (call, nth) == (Call::Facts, 1), "{call:?} {nth}");
        assert!(said(&telling(&shop, Moment { nth: 1, ..at }, |_, _| Ok(()))).is_some());
    }
    // A message of the database may quote any value: a trigger may quote its row, and a document may contain
    // anything.
    for sql in [
        "CREATE TRIGGER no BEFORE UPDATE OF c0 ON customers BEGIN SELECT RAISE(ABORT, 'not ' || old.c0); END".to_owned(),
        "CREATE TRIGGER no BEFORE UPDATE OF state ON customers BEGIN SELECT RAISE(FAIL, 'not ' || old.c0); END".to_owned(),
        "CREATE TRIGGER no BEFORE UPDATE OF c0 ON customers BEGIN SELECT json_extract(old.c0, '$.x'); END"
            .to_owned(),
        format!("UPDATE customers SET state = c0 WHERE id = {}", shop.id(2)),
    ] {
        // The store is opened again. Otherwise the engine would notice the new trigger and stop before the trigger
        // runs.
        let breaking = |_: Store, path: &Path| -> Store {
            edit(path, &sql);
            let map = hosts::trusting_triggers(&shop.map(), &sql);
            Arc::new(SqliteStore::open(path, &SqlMap::from_toml(&map).unwrap()).unwrap())
        };
        let outcome = said(&breaking);
        let is_erased = matches!(outcome, Some(Outcome::Erased(_)));
        assert_eq!(is_erased, sql.contains("state = c0"), "{sql}: {outcome:?}");
    }
    // A document that becomes invalid after the plan.
    for (call, nth) in [(Call::Facts, 2), (Call::Erase, 0)] {
        let at = Moment { call, nth, after: false };
        let sql = format!("UPDATE customers SET c3 = '{{\"name\": ' || c0 WHERE id = {id}");
        let outcome = said(&|store: Store, path: &Path| -> Store {
            let (path, sql) = (path.to_owned(), sql.clone());
            Arc::new(Between::new(store, move |moment| {
                if moment == at {
                    edit(&path, &sql);
                }
                Ok(())
            }))
        });
        assert!(matches!(outcome, Some(Outcome::Blocked { .. })), "{call:?}: {outcome:?}");
    }
}

#[test]
fn a_host_that_panics_is_not_quoted_and_the_case_goes_on_afterwards() {
    let (ear, shop) = (Ear::open(), shop());
    for (call, after) in [
        (Call::Facts, false),
        (Call::Deactivate, true),
        (Call::Erase, false),
        (Call::Erase, true),
        (Call::Tally, true),
    ] {
        let nth = if call == Call::Facts { 2 } else { usize::from(call == Call::Tally) };
        let panicking =
            telling(&shop, Moment { call, nth, after }, |_, _| panic!("the host is out of order"));
        let nth_more = usize::from(call == Call::Tally);
        let louder = telling(&shop, Moment { call, nth: nth + nth_more, after }, |_, _| {
            panic!("the host is out of order")
        });
        let outcome =
            block_on(silence::nothing_personal_leaves(&ear, &shop, Backend::Sqlite, &louder)).unwrap();
        assert!(outcome.is_none(), "{call:?}: it was to panic, and came to {outcome:?}");
        if call == Call::Facts {
            continue;
        }
        block_on(async {
            let run = prepare(&shop, &shop.rows(0), Backend::Sqlite, &panicking).await;
            let (engine, plan) = (run.engine.clone(), run.plan.clone());
            let died = tokio::spawn(async move { engine.erase(plan).await }).await;
            assert!(died.unwrap_err().is_panic(), "{call:?}");
            let outcomes = run.engine.resumed().await;
            assert!(matches!(outcomes[..], [Outcome::Erased(_)]), "{call:?}: {outcomes:?}");
            super::oracle::check(&shop, &shop.rows(0), &run.before, &run.cells()).unwrap();
        });
    }
}

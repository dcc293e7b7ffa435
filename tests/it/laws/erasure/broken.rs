//! Deliberately broken stores: each law has to say what is wrong with them. A law that no store can break proves
//! nothing.
//!
//! Each is an honest store. The test changes the database between its calls, or changes its answers.

use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use relinquish::store::Erased;
use relinquish::{CustomerStore, Outcome};
use rusqlite::Connection;

use super::checks::{self, STOPS, Stop};
use super::generated::{Action, Column, Form, Holds, Row, Shop, TARGET, Table, hash};
use super::run::{Answer, Backend, Between, Call, Moment, edit, honest, prepare, put_all_back, put_back};
use super::{Verdict, block_on};
use crate::hosts;

pub(super) type Store = Arc<dyn CustomerStore>;

fn column(holds: Holds, required: bool) -> Column {
    Column { holds, required, unique: false, longest: None }
}

fn table(action: Action, form: Form, columns: Vec<Column>) -> Table {
    Table { parent: None, columns, rows: 2, action, form, second: None, typed: false }
}

/// A shop with one table, column or link of every kind. The row of an erased customer stays, without personal values.
pub(super) fn shop() -> Shop {
    let text = column(Holds::Personal("free_text"), true);
    let plain = column(Holds::Plain, true);
    let name = column(Holds::Personal("name"), true);
    Shop {
        customers: 3,
        columns: vec![
            name,
            column(Holds::Personal("username"), true),
            plain,
            column(Holds::Document, false),
            column(Holds::Personal("email"), false),
        ],
        delete_customers: false,
        tables: vec![
            Table { second: Some(""), ..table(Action::Anonymise, Form::Plain, vec![text, plain]) },
            Table {
                second: Some("ON DELETE SET NULL"),
                ..table(Action::Delete, Form::Composite, vec![name])
            },
            table(Action::Keep, Form::Strict, vec![name, plain]),
            Table { typed: true, ..table(Action::Anonymise, Form::WithoutRowid, vec![text]) },
            Table { parent: Some(1), ..table(Action::Delete, Form::Plain, vec![text]) },
        ],
        shared: Some(Action::Delete),
        salt: 4242,
    }
}

/// The same shop, but the rows of erased customers are deleted.
fn shop_that_deletes() -> Shop {
    let mut shop = shop();
    shop.delete_customers = true;
    shop.tables[0].action = Action::Reassign;
    shop.tables[2].action = Action::Reassign;
    shop.tables[3].action = Action::Delete;
    shop
}

/// A store that runs some SQL on the database at the given moment.
fn meddling(at: Moment, sql: &str) -> impl Fn(Store, &Path) -> Store + Sync {
    move |store, path| {
        let (path, sql) = (path.to_owned(), sql.to_owned());
        Arc::new(Between::new(store, move |moment| {
            if moment == at {
                edit(&path, &sql);
            }
            Ok(())
        }))
    }
}

pub(super) const ERASED: Moment = Moment { call: Call::Erase, nth: 0, after: true };

/// Checks that the law fails and that its message contains `told`. The words matter: a case that is only blocked does
/// not show that the law noticed anything.
#[track_caller]
pub(super) fn broken(what: &str, verdict: Verdict, told: &str) {
    let said = verdict.expect_err(what);
    assert!(said.contains(told) && !said.starts_with("not erased"), "{what}: {said}");
}

#[test]
fn the_same_shops_keep_every_law_with_an_honest_store() {
    block_on(async {
        for shop in [shop(), shop_that_deletes()] {
            for (shop, backend) in [(shop.clone(), Backend::Sqlite), (shop.of_records(), Backend::ByRecord)] {
                checks::no_over_erasure(&shop, backend, &honest).await.unwrap();
                checks::non_interference(&shop, telling_twist(&shop), backend, &honest).await.unwrap();
                checks::idempotence(&shop, backend, &honest).await.unwrap();
                assert_eq!(checks::certificates_are_true(&shop, backend, &honest).await, Ok(true));
                for end in STOPS {
                    let verdict =
                        checks::what_comes_to_nothing_touches_nothing(&shop, end, backend, &honest).await;
                    assert_eq!(verdict, Ok(()), "{backend:?}");
                }
            }
        }
    });
}

// ---- non-interference ----

pub(super) fn text(rows: &[Row], column: &str) -> String {
    let own = rows.iter().find(|row| row.table == "customers" && row.customer == Some(TARGET)).unwrap();
    own.cells.iter().find(|cell| cell.column == column).and_then(|cell| cell.secrets().pop()).unwrap()
}

/// A twist of the values for which two things differ: the length of the name, and the hash of the user name.
fn telling_twist(shop: &Shop) -> u64 {
    let before = shop.rows(0);
    let differs = |twist: &u64| {
        let after = shop.rows(*twist);
        text(&before, "c0").chars().count() != text(&after, "c0").chars().count()
            && hash(&text(&before, "c1")) % 2 != hash(&text(&after, "c1")) % 2
    };
    (1..1_000).find(differs).unwrap()
}

/// A store that keeps the result of a query from before the erasure, and writes with this result afterwards.
fn remembering(
    query: String,
    write: impl Fn(&str) -> String + Clone + Send + Sync + 'static,
) -> impl Fn(Store, &Path) -> Store + Sync {
    move |store, path| {
        let (path, query, write) = (path.to_owned(), query.clone(), write.clone());
        let old = Mutex::new(String::new());
        Arc::new(Between::new(store, move |moment| {
            if moment == (Moment { after: false, ..ERASED }) {
                let read: String =
                    Connection::open(&path).unwrap().query_row(&query, [], |row| row.get(0)).unwrap();
                *old.lock().unwrap() = read;
            }
            if moment == ERASED {
                edit(&path, &write(&old.lock().unwrap()));
            }
            Ok(())
        }))
    }
}

#[test]
fn a_store_that_writes_something_made_of_the_old_value_is_found_out() {
    let shop = shop();
    let (twist, id) = (telling_twist(&shop), shop.id(TARGET));
    let own = |column: &str| format!("SELECT {column} FROM customers WHERE id = {id}");
    let verdict = |store: &(dyn Fn(Store, &Path) -> Store + Sync)| {
        block_on(checks::non_interference(&shop, twist, Backend::Sqlite, store))
    };
    let length = remembering(own("c0"), move |old| {
        format!("UPDATE t0 SET amount = amount + {} WHERE owner = {id}", old.chars().count())
    });
    broken("its length", verdict(&length), "amount");
    // The token is rotated by one letter or left as it is, depending on the old value.
    let token = remembering(own("c1"), move |old| {
        let turn = if hash(old).is_multiple_of(2) { "substr(c1, 2) || substr(c1, 1, 1)" } else { "c1" };
        format!("UPDATE customers SET c1 = {turn} WHERE id = {id}")
    });
    broken("a hash", verdict(&token), "c1");
    let neighbour = remembering(own("c0"), move |old| {
        format!("UPDATE customers SET c2 = '{}' WHERE id = {}", old.chars().count(), id + 1)
    });
    broken("in somebody else's row", verdict(&neighbour), "c2");
}

#[test]
fn a_count_or_a_fact_that_depends_on_what_was_erased_is_found_out() {
    let shop = shop();
    let twist = telling_twist(&shop);
    let id = shop.id(TARGET);
    // A store that counts only records with a long name.
    let counting = move |store: Store, path: &Path| -> Store {
        let (path, letters) = (path.to_owned(), Arc::new(AtomicI64::new(0)));
        let read = Arc::clone(&letters);
        let hook = move |moment| {
            if moment == (Moment { after: false, ..ERASED }) {
                let sql = format!("SELECT length(c0) FROM customers WHERE id = {id}");
                read.store(hosts::sum(&path, &sql), Ordering::SeqCst);
            }
            Ok(())
        };
        Arc::new(Between::new(store, hook).falsify(move |answer| {
            if let Answer::Erased(batch) = answer {
                for answer in batch.iter_mut().flatten() {
                    let Erased::Done(counts) = answer else { continue };
                    let more = u64::try_from(letters.load(Ordering::SeqCst)).unwrap();
                    counts.classes.values_mut().for_each(|count| *count += more);
                }
            }
        }))
    };
    let verdict = block_on(checks::non_interference(&shop, twist, Backend::Sqlite, &counting));
    broken("a count", verdict, "certificate");
    // A guard of the host that looks at the name: the two plans differ.
    let guarding = move |store: Store, path: &Path| -> Store {
        let path = path.to_owned();
        Arc::new(Between::new(store, |_| Ok(())).falsify(move |answer| {
            if let Answer::Facts(facts) = answer {
                let sql = format!("SELECT length(c0) FROM customers WHERE id = {id}");
                let letters = hosts::sum(&path, &sql);
                facts[0].registered = chrono::DateTime::from_timestamp(letters, 0);
            }
        }))
    };
    let verdict = block_on(checks::non_interference(&shop, twist, Backend::Sqlite, &guarding));
    broken("a fact", verdict, "digest");
}

// ---- no over-erasure ----

#[test]
fn a_store_that_touches_more_than_it_should_is_found_out() {
    let shop = shop();
    let (id, other) = (shop.id(TARGET), shop.id(2));
    for (what, sql, told) in [
        ("a neighbour's row", format!("UPDATE t0 SET c0 = 'x' WHERE owner = {other}"), "c0 may not change"),
        ("a retained field", format!("UPDATE t0 SET c1 = 'x' WHERE owner = {id}"), "c1 may not change"),
        ("a retained class", format!("UPDATE t2 SET c0 = 'x' WHERE owner = {id}"), "c0 may not change"),
        ("a bystander's row", format!("DELETE FROM t2 WHERE owner = {other}"), "is gone"),
        ("the owner turned round", format!("DELETE FROM t1 WHERE owner <> {id}"), "is gone"),
        ("everybody's own", format!("UPDATE customers SET c0 = 'x' WHERE id <> {id}"), "c0 may not change"),
        ("a second link", format!("DELETE FROM t0 WHERE other = {id}"), "is gone"),
        ("a link cut for nothing", format!("UPDATE t0 SET other = NULL WHERE other = {id}"), "other may not"),
        ("a supplier of that number", format!("DELETE FROM t3 WHERE owner = {id}"), "is gone"),
        ("what is shared", "DELETE FROM addresses WHERE id = 2".to_owned(), "is gone"),
        ("half of a key", "DELETE FROM t1 WHERE id = 2".to_owned(), "is gone"),
        (
            "the rest of a document",
            format!("UPDATE customers SET c3 = json(c3) WHERE id = {id}"),
            "another document",
        ),
        ("a new row", "INSERT INTO addresses VALUES (9, 'x')".to_owned(), "may be new"),
        ("a row given away", format!("UPDATE t0 SET owner = {other} WHERE owner = {id}"), "owner may not"),
        (
            "the status of another",
            format!("UPDATE customers SET state = 'archived' WHERE id = {other}"),
            "state may not",
        ),
        (
            "a copy",
            format!(
                "UPDATE t2 SET c1 = '{}' WHERE owner = {other}",
                text(&shop.rows(0), "c0").replace('\'', "''")
            ),
            "c1 may not",
        ),
    ] {
        let verdict = block_on(checks::no_over_erasure(&shop, Backend::Sqlite, &meddling(ERASED, &sql)));
        broken(what, verdict, told);
    }
    let shop = shop_that_deletes();
    for (what, sql, told) in [
        (
            "reassigned to a neighbour",
            format!("UPDATE t2 SET owner = {other} WHERE owner > {other}"),
            "owner",
        ),
        ("a link that dangles", format!("UPDATE t0 SET other = {id} WHERE other IS NULL"), "other"),
        ("the stand-in's neighbour", format!("DELETE FROM customers WHERE id = {other}"), "is gone"),
    ] {
        let verdict = block_on(checks::no_over_erasure(&shop, Backend::Sqlite, &meddling(ERASED, &sql)));
        broken(what, verdict, told);
    }
}

#[test]
fn sums_and_counts_that_no_longer_add_up_are_found_out() {
    let (id, other) = (shop().id(TARGET), shop().id(2));
    for sql in [
        format!("UPDATE t0 SET amount = 0 WHERE owner = {id}"),
        format!("DELETE FROM t2 WHERE owner = {other}"),
        format!("UPDATE t0 SET owner = {other} WHERE owner = {id}"),
        format!("DELETE FROM t3 WHERE owner = {other} AND owner_type = 'client'"),
        format!(
            "DELETE FROM t4 WHERE EXISTS (SELECT * FROM t1 WHERE t1.id = t4.owner AND t1.owner = {other})"
        ),
        format!("UPDATE customers SET tenant = 'odd' WHERE id = {other}"),
    ] {
        let verdict = block_on(checks::sums_are_kept(&shop(), &meddling(ERASED, &sql)));
        broken(&sql, verdict, "adds up to");
    }
}

// ---- idempotence ----

#[test]
fn a_store_that_erases_a_second_time_is_found_out() {
    let shop = shop();
    let id = shop.id(TARGET);
    let again = Moment { nth: 1, ..ERASED };
    for (what, set, told) in [
        ("a placeholder dated anew", "c0 = replace(c0, '2026-11-21', '2026-11-22')", "c0 was"),
        ("a new token", "c1 = substr(c1, 2) || substr(c1, 1, 1)", "c1 was"),
        ("a document spelled anew", "c3 = json(c3)", "c3 was"),
    ] {
        let sql = format!("UPDATE customers SET {set} WHERE id = {id}");
        let verdict = block_on(checks::idempotence(&shop, Backend::Sqlite, &meddling(again, &sql)));
        broken(what, verdict, told);
    }
    // A shared row is deleted late, as if the customer were its last owner only now. Then a call that should only
    // read writes.
    let sql = "DELETE FROM addresses WHERE id = 2";
    broken(
        "a late row",
        block_on(checks::idempotence(&shop, Backend::Sqlite, &meddling(again, sql))),
        "is gone",
    );
    let second_look = Moment { call: Call::Facts, nth: 3, after: true };
    let sql = format!("UPDATE customers SET c2 = 'x' WHERE id = {id}");
    let verdict = block_on(checks::idempotence(&shop, Backend::Sqlite, &meddling(second_look, &sql)));
    broken("a look that writes", verdict, "the same approval again touched something");
    // A deleted customer must not come back.
    let shop = shop_that_deletes();
    let sql = format!(
        "INSERT INTO customers (id, tenant, state, c0, c1, c2) VALUES ({id}, 'odd', 'active', '', '', '')"
    );
    let verdict = block_on(checks::idempotence(&shop, Backend::Sqlite, &meddling(again, &sql)));
    broken("a row that comes again", verdict, "is new");
}

// ---- cases that end without an erasure ----

#[test]
fn a_store_that_writes_when_nothing_is_to_be_done_is_found_out() {
    let shop = shop();
    let at = |call, nth, after| Moment { call, nth, after };
    let sql = format!("UPDATE customers SET c2 = 'x' WHERE id = {}", shop.id(2));
    for (end, moment, told) in [
        (Stop::Moved, at(Call::Facts, 0, true), "planning touched"),
        (Stop::Moved, at(Call::Tally, 0, true), "planning touched"),
        (Stop::Moved, at(Call::Facts, 1, true), "Moved touched"),
        (Stop::MovedLate, at(Call::Deactivate, 0, true), "MovedLate touched"),
        (Stop::StoreFails(Call::Facts), at(Call::Facts, 1, true), "touched"),
        (Stop::StoreFails(Call::Deactivate), at(Call::Deactivate, 0, false), "touched"),
        (Stop::StoreFails(Call::Deactivate), at(Call::Deactivate, 0, true), "touched"),
        (Stop::StoreFails(Call::Erase), at(Call::Erase, 0, true), "touched"),
        (Stop::LedgerRefusesEvent, at(Call::Facts, 1, true), "touched"),
    ] {
        let store = meddling(moment, &sql);
        let verdict =
            block_on(checks::what_comes_to_nothing_touches_nothing(&shop, end, Backend::Sqlite, &store));
        broken(&format!("{end:?} and {moment:?}"), verdict, told);
    }
    // A store that refuses, but erases a part all the same.
    let sql = format!("UPDATE customers SET c0 = 'x' WHERE id = {}", shop.id(TARGET));
    let store = meddling(ERASED, &sql);
    let verdict = block_on(checks::what_comes_to_nothing_touches_nothing(
        &shop,
        Stop::StoreFails(Call::Erase),
        Backend::Sqlite,
        &store,
    ));
    broken("half of it", verdict, "c0 was");
}

// ---- verification ----

/// A store that reports an erasure, but everything is still there, or one part of it (`half`). With `blind`, its
/// later count of what is due is false as well.
fn lying(shop: Shop, half: Option<u64>, blind: bool) -> impl Fn(Store, &Path) -> Store + Sync {
    let rows = shop.rows(0);
    let before = block_on(prepare(&shop, &rows, Backend::Sqlite, &honest)).before;
    move |store, path| {
        let (shop, rows, before, path) = (shop.clone(), rows.clone(), before.clone(), path.to_owned());
        let hook = move |moment| {
            if moment == ERASED {
                match half {
                    None => put_all_back(&rows, &before, &path),
                    Some(choice) => drop(put_back(&shop, &rows, &before, &path, choice).unwrap()),
                }
            }
            Ok(())
        };
        Arc::new(Between::new(store, hook).falsify(move |answer| {
            if let Answer::Tally(batch) = answer
                && blind
            {
                let tallies = batch.iter_mut().flatten();
                tallies.flat_map(|tally| tally.classes.values_mut()).for_each(|class| class.due = 0);
            }
        }))
    }
}

#[test]
fn a_store_that_says_erased_and_did_not_gets_no_certificate() {
    for shop in [shop(), shop_that_deletes()] {
        for half in [None, Some(0), Some(1), Some(5), Some(8)] {
            let store = lying(shop.clone(), half, false);
            let certified = block_on(checks::certificates_are_true(&shop, Backend::Sqlite, &store));
            assert_eq!(certified, Ok(false), "{half:?}");
            // When the engine cannot see the difference, the law still sees it.
            let store = lying(shop.clone(), half, true);
            let certified = block_on(checks::certificates_are_true(&shop, Backend::Sqlite, &store));
            broken("a blind verification", certified.map(drop), "a certificate says otherwise");
        }
    }
}

#[test]
fn the_outcome_of_a_lie_names_the_step_and_the_class() {
    let shop = shop();
    let outcome = block_on(async {
        let run = prepare(
            &shop,
            &shop.rows(0),
            Backend::Sqlite,
            &meddling(
                ERASED,
                &format!(
                    "INSERT INTO t1 (part, id, owner, amount, c0) VALUES ('a', 99, {}, 1, 'left')",
                    shop.id(TARGET)
                ),
            ),
        )
        .await;
        run.engine.erase(run.plan.clone()).await.unwrap()
    });
    let said = outcome.to_string();
    assert!(matches!(outcome, Outcome::Blocked { .. }) && said.contains("1 of r1"), "{said}");
}

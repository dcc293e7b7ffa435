//! The SQLite store alone: paging, facts, identifiers, and the number of statements per batch.

use std::collections::BTreeSet;
use std::sync::Arc;

use relinquish::data_map::Kind;
use relinquish::store::{
    Cursor, CustomerStore, EraseRequest, Erased, Page, PageRequest, StoreError, TallyRequest, Target,
};
use relinquish::{CustomerId, PolicyDocument};

use crate::hosts::{self, Host};
use crate::shop::{CUSTOMERS, Shop};

/// The ids of all pages, one after the other.
async fn paged(store: &dyn CustomerStore, limit: usize, stand_ins: bool) -> Vec<String> {
    let (mut ids, mut after) = (Vec::new(), None);
    loop {
        let request = PageRequest::new(limit).after(after);
        let page = store.page(&if stand_ins { request.stand_ins() } else { request }).await.unwrap();
        assert!(page.customers.len() <= limit);
        assert!(ids.len() < 1_000, "the pages never end");
        ids.extend(page.customers.into_iter().map(|facts| facts.id.as_str().to_owned()));
        after = page.next;
        if after.is_none() {
            return ids;
        }
    }
}

#[tokio::test]
async fn every_customer_is_on_exactly_one_page() {
    for host in hosts::all() {
        let all = paged(&*host.store, 999, false).await;
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
        for limit in [1, 2, 7] {
            assert_eq!(paged(&*host.store, limit, false).await, all, "{} by {limit}", host.name);
        }
    }
}

/// Every customer is on exactly one page, although the customers of a page are deleted before the next page is read.
/// And the pages end.
async fn skips_nobody(
    all: &[&str],
    page: impl AsyncFn(PageRequest) -> Page,
    gone: impl Fn(&CustomerId),
) -> Result<(), String> {
    let (mut ids, mut after) = (Vec::new(), None);
    loop {
        let page = page(PageRequest::new(3).after(after)).await;
        page.customers.iter().for_each(|facts| gone(&facts.id));
        ids.extend(page.customers.into_iter().map(|facts| facts.id.as_str().to_owned()));
        after = page.next;
        if ids.len() > all.len() {
            return Err("somebody is on two pages".to_owned());
        }
        if after.is_none() {
            break;
        }
    }
    let skipped: Vec<_> = all.iter().filter(|id| !ids.iter().any(|found| found == *id)).collect();
    if skipped.is_empty() { Ok(()) } else { Err(format!("skipped: {skipped:?}")) }
}

const TEN: [&str; 10] = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"];

fn ten() -> Shop {
    let rows = TEN.map(|id| format!("({id}, 'x')")).join(", ");
    Shop::new(
        &format!(
            "CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO clients VALUES {rows};"
        ),
        &format!("{CUSTOMERS}fields = {{ name = 'name' }}"),
        "customer = 'delete'",
    )
}

/// A customer of one page is deleted before the next page.
fn leaving(shop: &Shop) -> impl Fn(&CustomerId) {
    let connection = rusqlite::Connection::open(shop.path()).unwrap();
    move |id| {
        let deleted = connection.execute("DELETE FROM clients WHERE id = ?1", [id.as_str()]).unwrap();
        assert_eq!(deleted, 1, "it was there");
    }
}

#[tokio::test]
async fn a_set_that_shrinks_between_pages_loses_nobody() {
    let shop = ten();
    let store = shop.store().unwrap();
    let page = async |request: PageRequest| store.page(&request).await.unwrap();
    assert_eq!(skips_nobody(&TEN, page, leaving(&shop)).await, Ok(()));
}

/// Pages by offset skip customers who move up. Pages that always start at the beginning never end if nobody leaves.
#[tokio::test]
async fn a_store_that_pages_by_offset_is_found_out() {
    let shop = ten();
    let store = shop.store().unwrap();
    let everybody = async || store.page(&PageRequest::new(999)).await.unwrap().customers;
    let by_offset = async |request: PageRequest| {
        let all = everybody().await;
        let from: usize = request.after.map_or(0, |cursor| cursor.as_str().parse().unwrap());
        let to = from + request.limit;
        let next = (to < all.len()).then(|| Cursor::new(to.to_string()));
        Page::new(all.into_iter().skip(from).take(request.limit).collect(), next)
    };
    let said = skips_nobody(&TEN, by_offset, leaving(&shop)).await.unwrap_err();
    assert!(said.starts_with("skipped: [\"4\", \"5\", \"6\""), "{said}");

    let shop = ten();
    let store = shop.store().unwrap();
    let anew = async |request: PageRequest| {
        let page = store.page(&PageRequest::new(request.limit)).await.unwrap();
        Page::new(page.customers, Some(Cursor::new("on")))
    };
    let said = skips_nobody(&TEN, anew, |_| ()).await.unwrap_err();
    assert_eq!(said, "somebody is on two pages");
}

/// A former bug: a page began after an id. Some ids did not identify the key, such as a number and a text with the
/// same digits. Some keys were not UTF-8 and had no id. Then the same page came again and again, or there was an
/// error.
#[tokio::test]
async fn pages_end_and_leave_nobody_out_whatever_the_keys_hold() {
    let rows = "(1, 'x'), (1.5, 'x'), ('1', 'x'), ('', 'x'), ('é', 'x'), (CAST(x'ff' AS TEXT), 'x'), (CAST(x'fe' AS TEXT), 'x'),
                (x'', 'x'), (x'01', 'x'), (NULL, 'x'), (9223372036854775807, 'x')";
    for (key, sql) in [
        ("'id'", "CREATE TABLE clients (id PRIMARY KEY, name TEXT)"),
        ("['id', 'name']", "CREATE TABLE clients (id, name TEXT, PRIMARY KEY (id, name))"),
    ] {
        let map =
            format!("{CUSTOMERS}fields = {{ name = 'name' }}").replace("key = 'id'", &format!("key = {key}"));
        let map = if key.contains("name") {
            map.replace("fields = { name = 'name' }", "fields = { name = 'not personal' }")
        } else {
            map
        };
        let shop =
            Shop::new(&format!("{sql}; INSERT INTO clients VALUES {rows};"), &map, "customer = 'anonymise'");
        let store = shop.store().unwrap_or_else(|error| panic!("{error}"));
        let all = paged(&store, 999, false).await;
        let there = shop.text("SELECT CAST(count(*) AS TEXT) FROM clients WHERE id IS NOT NULL");
        assert_eq!(all.len().to_string(), there, "{sql}");
        for limit in [1, 2, 3] {
            assert_eq!(paged(&store, limit, false).await, all, "{sql} by {limit}");
        }
        let foreign = PageRequest::new(1).after(Some(Cursor::new("7")));
        let error = store.page(&foreign).await.unwrap_err().to_string();
        assert!(error.contains("begin with the first page"), "{error}");
        assert_eq!(format!("{foreign:?}").matches('7').count(), 0, "a cursor may hold a customer's key");
    }
}

#[tokio::test]
async fn a_fact_that_cannot_be_read_blocks_that_customer_alone() {
    let host = hosts::sqlite();
    let connection = rusqlite::Connection::open(host.path()).unwrap();
    connection.execute("UPDATE clients SET cancelled_on = 'last spring' WHERE id = 17", []).unwrap();
    connection.execute("UPDATE clients SET status = 'zombie' WHERE id = 21", []).unwrap();
    let engine = host.engine();
    for (id, fact) in [("17", "date cancelled"), ("21", "status")] {
        let decision = engine.decide(&id.into(), &relinquish::Asked::request()).await.unwrap();
        assert!(decision.to_string().contains(&format!("has {fact} in a form")), "{decision}");
    }
    let decision = engine.decide(&"13".into(), &relinquish::Asked::request()).await.unwrap();
    assert!(matches!(decision, relinquish::Decision::Due(_)), "{decision}");
}

#[tokio::test]
async fn identifiers_are_the_values_by_which_a_person_is_found() {
    for host in hosts::all() {
        let ids = [host.due.clone(), CustomerId::from("nobody")];
        let batch = host.store.identifiers(&ids).await.unwrap();
        let found = batch[0].as_ref().unwrap();
        assert!(
            found.iter().any(|(kind, value)| *kind == Kind::Email && host.values.iter().any(|v| v == value))
        );
        assert!(found.iter().all(|(kind, _)| kind.identifies()), "{}: {found:?}", host.name);
        assert!(batch[1].as_ref().unwrap().is_empty());
    }
}

fn request(
    host: &Host,
    ids: &[&str],
    policy: &str,
    treatment: &str,
) -> (TallyRequest, Arc<relinquish::treatment::Treatment>) {
    let policy = PolicyDocument::from_toml(policy).unwrap().check(host.store.data_map()).unwrap();
    let treatment = Arc::clone(&policy.treatments()[treatment]);
    let ids = ids.iter().map(|id| CustomerId::from(*id)).collect();
    (TallyRequest::new(ids, Arc::clone(&treatment)), treatment)
}

#[tokio::test]
async fn a_batch_answers_in_order_and_an_id_spelled_otherwise_is_nobody() {
    let host = hosts::sqlite();
    let ids = ["17", "nobody", "017", "18"];
    let (tally, treatment) = request(&host, &ids, hosts::CRM_POLICY, "clear");
    let counted = host.store.tally(&tally).await.unwrap();
    let calls: Vec<u64> =
        counted.iter().map(|tally| tally.as_ref().unwrap().classes["call_record"].rows).collect();
    assert_eq!(calls, [20, 0, 0, 20]);

    let facts = host.store.facts(std::slice::from_ref(&host.due)).await.unwrap();
    let targets = ids
        .iter()
        .map(|id| Target {
            customer: CustomerId::from(*id),
            tenant: facts[0].tenant.clone(),
            expected: facts[0].expected(),
        })
        .collect();
    let seed = relinquish::anonymise::Seed::new([1; 32]);
    let request = EraseRequest::new(targets, treatment, seed, hosts::now());
    let answers = host.store.erase(&request).await.unwrap();
    assert!(matches!(answers[0], Ok(Erased::Done(_))), "{:?}", answers[0]);
    assert!(matches!(answers[1], Ok(Erased::Missing)), "{:?}", answers[1]);
    assert!(matches!(answers[2], Ok(Erased::Missing)), "{:?}", answers[2]);
    assert!(matches!(answers[3], Ok(Erased::Changed)), "active, with a subscription: {:?}", answers[3]);
    assert_eq!(hosts::sum(&host.path(), "SELECT count(*) FROM call_records WHERE client_id = 18"), 20);
}

#[tokio::test]
async fn a_treatment_of_another_data_map_is_refused() {
    let (host, other) = (hosts::sqlite(), hosts::memory());
    let (_, treatment) = request(&other, &[], hosts::MEMORY_POLICY, "clear");
    let error = host.store.tally(&TallyRequest::new(vec![host.due.clone()], treatment)).await.unwrap_err();
    assert!(matches!(error, StoreError::Treatment { .. }), "{error}");
}

#[tokio::test]
async fn what_is_erased_already_stays_as_it_is() {
    let host = hosts::sqlite();
    let (_, treatment) = request(&host, &[], hosts::CRM_POLICY, "clear");
    let facts = host.store.facts(std::slice::from_ref(&host.due)).await.unwrap();
    let target =
        Target { customer: host.due.clone(), tenant: facts[0].tenant.clone(), expected: facts[0].expected() };
    let erase = |seed: u8, days: i64| {
        let at = hosts::now() + chrono::TimeDelta::days(days);
        let seed = relinquish::anonymise::Seed::new([seed; 32]);
        EraseRequest::new(vec![target.clone()], Arc::clone(&treatment), seed, at)
    };
    host.store.erase(&erase(1, 0)).await.unwrap();
    let after = (host.dump)();
    let again = host.store.erase(&erase(2, 30)).await.unwrap();
    assert_eq!((host.dump)(), after, "no token is drawn and no placeholder dated anew");
    assert!(matches!(again[0], Ok(Erased::Done(_))), "{again:?}");
    // With the same seed, another database gets the same values.
    let twin = hosts::sqlite();
    twin.store.erase(&erase(1, 0)).await.unwrap();
    assert_eq!((twin.dump)(), after);
}

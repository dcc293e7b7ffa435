//! The SQLite store on its own: paging, facts, identifiers, and how many statements a batch takes.

use std::sync::Arc;

use relinquish::data_map::Kind;
use relinquish::store::{EraseRequest, Erased, Select, StoreError, TallyRequest, Target};
use relinquish::{CustomerId, PolicyDocument};

use crate::hosts::{self, Host};

async fn page(host: &Host, after: Option<&str>, limit: usize) -> Vec<String> {
    let select = Select::After { after: after.map(CustomerId::from), limit };
    let facts = host.store.facts(&select).await.unwrap();
    facts.iter().map(|facts| facts.id.as_str().to_owned()).collect()
}

#[tokio::test]
async fn every_customer_is_on_exactly_one_page() {
    for host in hosts::all() {
        let all = page(&host, None, usize::MAX).await;
        for limit in [1, 2, 7] {
            let mut paged = Vec::new();
            loop {
                let next = page(&host, paged.last().map(String::as_str), limit).await;
                if next.is_empty() {
                    break;
                }
                assert!(next.len() <= limit);
                paged.extend(next);
                assert!(paged.len() <= all.len(), "{} by {limit}: a page comes again", host.name);
            }
            assert_eq!(paged, all, "{} by {limit}", host.name);
        }
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
        assert!(decision.to_string().contains(&format!("holds {fact} in a form")), "{decision}");
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
) -> (TallyRequest, Arc<relinquish::policy::Treatment>) {
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

    let facts = host.store.facts(&Select::Ids(vec![host.due.clone()])).await.unwrap();
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
    let facts = host.store.facts(&Select::Ids(vec![host.due.clone()])).await.unwrap();
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
    // With the same seed another database comes out the same.
    let twin = hosts::sqlite();
    twin.store.erase(&erase(1, 0)).await.unwrap();
    assert_eq!((twin.dump)(), after);
}

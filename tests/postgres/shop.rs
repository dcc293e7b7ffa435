//! A store over the database of a test, and helpers for a test.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use relinquish::anonymise::Seed;
use relinquish::store::{
    Batch, CustomerStore as _, EraseRequest, Erased, RecordStore as _, StoreError, Tally, TallyRequest,
    Target,
};
use relinquish::treatment::Treatment;
use relinquish::{CustomerId, PolicyDocument, PostgresStore, SqlMap};

use crate::server::Database;

/// The head of a policy with one treatment, `t`.
pub(crate) const POLICY: &str = "version = 1\nsweep = false\ntriggers.requested = { treatment = 't' }\n\
    guards.active_subscription = { ignore = 'none is sold' }\nguards.several_tenants = { ignore = 'one tenant' }\n\
    guards.not_archived = { ignore = 'no status' }\n";

/// The head of a map whose customers are a table.
pub(crate) fn map_of(table: &str, key: &str, rest: &str) -> String {
    format!(
        "version = 1\n[customers]\ntable = '{table}'\nkey = {key}\ntenant = {{ is = 'us' }}\n\
         deactivate = {{ none = 'no status' }}\n{rest}"
    )
}

pub(crate) fn now() -> DateTime<Utc> {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

pub(crate) struct Shop {
    pub(crate) database: Database,
    pub(crate) store: PostgresStore,
    pub(crate) treatment: Arc<Treatment>,
}

pub(crate) async fn open(sql: &str, map: &str) -> Result<(Database, PostgresStore), StoreError> {
    let database = Database::with(sql);
    let map = SqlMap::from_toml(map).unwrap_or_else(|problems| panic!("{problems}"));
    let store = PostgresStore::over(database.pool(), &map).await?;
    Ok((database, store))
}

impl Shop {
    pub(crate) async fn open(sql: &str, map: &str, policy: &str) -> Self {
        let (database, store) = open(sql, map).await.unwrap_or_else(|error| panic!("{error}"));
        let policy = PolicyDocument::from_toml(&format!("{POLICY}{policy}")).unwrap();
        let policy = policy.check(store.data_map()).unwrap_or_else(|problems| panic!("{problems}"));
        let treatment = policy.dated(&"us".into(), &policy.treatments()["t"], now());
        Self { database, store, treatment }
    }

    pub(crate) async fn targets(&self, customers: &[&str]) -> Vec<Target> {
        let ids: Vec<CustomerId> = customers.iter().map(|id| CustomerId::from(*id)).collect();
        let facts = self.store.facts(&ids).await.unwrap_or_else(|error| panic!("{error}"));
        let target = |id: CustomerId| {
            let facts = facts.iter().find(|facts| facts.id == id);
            let facts = facts.unwrap_or_else(|| panic!("there is no customer {}", id.as_str()));
            Target { customer: id, tenant: facts.tenant.clone(), expected: facts.expected() }
        };
        ids.into_iter().map(target).collect()
    }

    pub(crate) fn request(&self, targets: Vec<Target>) -> EraseRequest {
        EraseRequest::new(targets, Arc::clone(&self.treatment), Seed::new([7; 32]), now())
    }

    pub(crate) async fn try_erase(&self, customers: &[&str]) -> Result<Batch<Erased>, StoreError> {
        let targets = self.targets(customers).await;
        self.store.erase(&self.request(targets)).await
    }

    /// Erases customers. Each of them has to be done afterwards.
    pub(crate) async fn erase(&self, customers: &[&str]) {
        let answers = self.try_erase(customers).await.unwrap_or_else(|error| panic!("{error}"));
        for answer in answers {
            match answer {
                Ok(Erased::Done(_)) => {}
                Ok(other) => panic!("{other:?}"),
                Err(error) => panic!("{error}"),
            }
        }
    }

    pub(crate) async fn tally(&self, customer: &str) -> Tally {
        let request = TallyRequest::new(vec![customer.into()], Arc::clone(&self.treatment)).at(now());
        let answer = self.store.tally(&request).await.unwrap_or_else(|error| panic!("{error}"));
        answer.into_iter().next().unwrap().unwrap_or_else(|error| panic!("{error}"))
    }

    /// Nothing is left to do for a customer.
    pub(crate) async fn is_settled(&self, customer: &str) -> bool {
        self.tally(customer).await.classes.values().all(|class| class.due == 0)
    }
}

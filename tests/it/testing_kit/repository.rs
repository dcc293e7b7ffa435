//! The repository in memory and that of the example, and one saboteur per law.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use relinquish::data_map::Value;
use relinquish::store::{
    Changes, Loaded, MemoryRepository, Page, PageRequest, Repository, Saved, StoreError,
};
use relinquish::testing::{self, Law, Stocked};
use relinquish::treatment::RecordChange;
use relinquish::{Customer, CustomerId, DataMap, PolicyDocument};

use super::assert_caught;
use super::customer_store::{repository, stocked};
use crate::hosts::own_store::{BoxOffice, POLICY, buyers};

#[tokio::test]
async fn memory() {
    let fresh = || async {
        let repository = repository();
        stocked(&repository, Arc::clone(&repository))
    };
    testing::repository(fresh).await.unwrap();
}

#[tokio::test]
async fn the_examples_own() {
    let fresh = || async {
        let office = Arc::new(BoxOffice::new(buyers()).unwrap());
        let read = Arc::clone(&office);
        let rows = move |customer: &CustomerId| {
            let buyer = customer.as_str().parse().ok().and_then(|number| read.buyers().get(&number).cloned());
            let tickets = buyer.iter().flat_map(|buyer| &buyer.tickets);
            let tickets = tickets.map(|ticket| (format!("ticket/{}", ticket.number), format!("{ticket:?}")));
            let own = buyer.iter().map(|buyer| {
                ("buyer".to_owned(), format!("{} {} {:?}", buyer.name, buyer.email, buyer.phone))
            });
            own.chain(tickets).collect::<BTreeMap<_, _>>()
        };
        Stocked::new(office, PolicyDocument::from_toml(POLICY).unwrap()).rows(rows)
    };
    testing::repository(fresh).await.unwrap();
}

pub(super) const CAUGHT: &[Law] = &[
    Law::LoadUnknown,
    Law::LoadOnlyMapped,
    Law::VersionMoves,
    Law::SaveCompares,
    Law::SaveWrites,
    Law::SaveDeletes,
    Law::SaveHandsOver,
    Law::SaveAllOrNothing,
    Law::SaveKeepsStatus,
];

#[tokio::test]
async fn whoever_breaks_a_law_is_caught_at_it() {
    for law in CAUGHT {
        let fresh = || async {
            let repository = repository();
            stocked(&repository, Wrong { inner: Arc::clone(&repository), law: *law })
        };
        assert_caught(*law, testing::repository(fresh).await);
    }
}

/// A repository in memory that breaks one law.
#[derive(Debug)]
struct Wrong {
    inner: Arc<MemoryRepository>,
    law: Law,
}

impl Wrong {
    async fn version(&self, customer: &CustomerId) -> u64 {
        self.inner.load(customer).await.unwrap().map_or(0, |loaded| loaded.version)
    }
}

#[async_trait]
impl Repository for Wrong {
    fn data_map(&self) -> &DataMap {
        self.inner.data_map()
    }

    async fn facts(&self, customers: &[CustomerId]) -> Result<Vec<Customer>, StoreError> {
        self.inner.facts(customers).await
    }

    async fn page(&self, request: &PageRequest) -> Result<Page, StoreError> {
        self.inner.page(request).await
    }

    async fn load(&self, customer: &CustomerId) -> Result<Option<Loaded>, StoreError> {
        let mut loaded = self.inner.load(customer).await?;
        match (self.law, &mut loaded) {
            (Law::LoadUnknown, None) => loaded = Some(Loaded { version: 0, records: Vec::new() }),
            (Law::LoadOnlyMapped, Some(loaded)) => {
                loaded.records[0].fields.insert("shoe_size".into(), Value::Integer(41));
            }
            (Law::VersionMoves, Some(loaded)) => loaded.version = 7,
            _ => {}
        }
        Ok(loaded)
    }

    async fn save(&self, changes: &Changes) -> Result<Saved, StoreError> {
        let mut changes = changes.clone();
        match self.law {
            Law::VersionMoves if changes.version == 7 => {
                changes.version = self.version(&changes.customer).await;
            }
            Law::VersionMoves => changes.version = u64::MAX,
            Law::SaveCompares => changes.version = self.version(&changes.customer).await,
            Law::SaveWrites => {
                for write in &mut changes.writes {
                    if let RecordChange::Write(fields) = &mut write.change {
                        fields.pop_first();
                    }
                }
            }
            Law::SaveDeletes => changes.writes.retain(|write| write.change != RecordChange::Delete),
            Law::SaveHandsOver => {
                for write in &mut changes.writes {
                    if let RecordChange::Reassign(fields) = &write.change {
                        write.change = RecordChange::Write(fields.clone());
                    }
                }
            }
            Law::SaveAllOrNothing => {
                for write in changes.writes.clone() {
                    let mut one = changes.clone();
                    one.writes = vec![write];
                    if self.inner.save(&one).await? == Saved::Stale {
                        return Ok(Saved::Stale);
                    }
                    changes.version = self.version(&changes.customer).await;
                }
                changes.writes.clear();
            }
            Law::SaveKeepsStatus => changes.status = None,
            _ => {}
        }
        self.inner.save(&changes).await
    }
}

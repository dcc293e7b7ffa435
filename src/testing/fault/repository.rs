//! Injects faults into calls to a repository.

use async_trait::async_trait;

use super::Faulty;
use super::store::lost;
use crate::customer::{Customer, CustomerId};
use crate::data_map::DataMap;
use crate::store::{Changes, Loaded, Page, PageRequest, Repository, Saved, StoreError};

#[async_trait]
impl<T: Repository> Repository for Faulty<T> {
    fn data_map(&self) -> &DataMap {
        self.inner.data_map()
    }

    async fn facts(&self, customers: &[CustomerId]) -> Result<Vec<Customer>, StoreError> {
        self.call("facts", self.inner.facts(customers), lost("reading customers")).await
    }

    async fn page(&self, request: &PageRequest) -> Result<Page, StoreError> {
        self.call("page", self.inner.page(request), lost("reading customers")).await
    }

    async fn load(&self, customer: &CustomerId) -> Result<Option<Loaded>, StoreError> {
        self.call("load", self.inner.load(customer), lost("loading records")).await
    }

    async fn save(&self, changes: &Changes) -> Result<Saved, StoreError> {
        self.call("save", self.inner.save(changes), lost("saving records")).await
    }
}

//! Reading records for stores that work on one customer after the other.

use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::read::not_our_cursor;
use super::{Cursor, Page, PageRequest, ReadRecord, ReadRequest, RecordPage, StoreError, Whose};
use crate::customer::CustomerId;
use crate::data_map::{ClassName, FieldName};

/// Where a page of records begins.
#[derive(Default, Serialize, Deserialize)]
struct Place {
    /// The place of the customer in the request.
    #[serde(default)]
    customer: usize,
    /// The page of customers that begins with the customer, if everybody's records are read.
    #[serde(default)]
    page: Option<Cursor>,
    #[serde(default)]
    stand_ins: bool,
    /// The key of the customer's last record that was read.
    #[serde(default)]
    key: Option<String>,
}

/// A store that finds the records of one customer at a time.
#[async_trait]
pub(super) trait OneByOne: Sync {
    /// A page of customers, as [`CustomerStore::page`](super::CustomerStore::page).
    async fn customers(&self, request: &PageRequest) -> Result<Page, StoreError>;

    /// The fields of a class that are read.
    fn fields_of(&self, class: &ClassName) -> Result<Arc<[FieldName]>, StoreError>;

    /// The customer's records of a class, in the order of their keys, each with its key: those after a key, and at most
    /// so many.
    async fn some_of(
        &self,
        class: &ClassName,
        customer: &CustomerId,
        after: Option<&str>,
        most: usize,
    ) -> Result<SomeRecords, StoreError>;

    /// A page of records, from one customer after the other.
    async fn one_by_one(&self, request: &ReadRequest) -> Result<RecordPage, StoreError> {
        let fields = self.fields_of(&request.class)?;
        let place: Option<Place> = request
            .after
            .as_ref()
            .map_or(Some(Place::default()), |cursor| serde_json::from_str(cursor.as_str()).ok());
        let mut place = place.ok_or_else(not_our_cursor)?;
        let mut records = Vec::new();
        // A page without records would be no harm, but a caller should not have to ask a thousand times.
        while records.len() < request.limit {
            let (customer, next) = match &request.whose {
                Whose::Of(customers) => {
                    let next = Place { customer: place.customer + 1, ..Place::default() };
                    (customers.get(place.customer).cloned(), Some(next))
                }
                Whose::Everybody => {
                    let asked = PageRequest::new(1).after(place.page.clone());
                    let page =
                        self.customers(&if place.stand_ins { asked.stand_ins() } else { asked }).await?;
                    let next = match page.next {
                        Some(page) => {
                            Some(Place { page: Some(page), stand_ins: place.stand_ins, ..Place::default() })
                        }
                        None if !place.stand_ins => Some(Place { stand_ins: true, ..Place::default() }),
                        None => None,
                    };
                    match page.customers.into_iter().next() {
                        Some(customer) => (Some(customer.id), next),
                        None if next.is_some() => {
                            place = next.unwrap_or_default();
                            continue;
                        }
                        None => (None, None),
                    }
                }
            };
            let Some(customer) = customer else { return Ok(RecordPage::new(fields, records, None)) };
            let most = request.limit - records.len();
            let found = self.some_of(&request.class, &customer, place.key.as_deref(), most).await?;
            let last = found.records.last().map(|(key, _)| key.clone());
            let of = if request.whose == Whose::Everybody { 0 } else { place.customer };
            records
                .extend(found.records.into_iter().map(|(_, record)| ReadRecord { customer: of, ..record }));
            match (found.more, last, next) {
                (true, Some(key), _) => {
                    place.key = Some(key);
                    break;
                }
                (_, _, Some(next)) => place = next,
                (_, _, None) => return Ok(RecordPage::new(fields, records, None)),
            }
        }
        let failed = |error: serde_json::Error| StoreError::failed("reading records", error.to_string());
        let next = serde_json::to_string(&place).map_err(failed)?;
        Ok(RecordPage::new(fields, records, Some(Cursor::new(next))))
    }
}

/// Some records of a customer.
#[derive(Default)]
pub(super) struct SomeRecords {
    /// The records with their keys, in order.
    pub(super) records: Vec<(String, ReadRecord)>,
    /// Whether more follow.
    pub(super) more: bool,
}

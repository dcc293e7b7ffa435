//! Reads records for stores that work on one customer after the other.

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
    /// The position of the customer in the request.
    #[serde(default)]
    customer: usize,
    /// The page of customers that begins with this customer, if everybody's records are read.
    #[serde(default)]
    page: Option<Cursor>,
    #[serde(default)]
    stand_ins: bool,
    /// The customer whose records were read in part, and the key of the last record. Customers may come and go
    /// between two pages, so the key applies only to this customer.
    #[serde(default)]
    within: Option<(String, String)>,
}

impl Place {
    /// The key after which a customer's records continue.
    fn key_of(&self, customer: &CustomerId) -> Option<&str> {
        let (within, key) = self.within.as_ref()?;
        (within == customer.as_str()).then_some(key.as_str())
    }
}

/// A store that finds the records of one customer at a time.
#[async_trait]
pub(super) trait OneByOne: Sync {
    /// A page of customers, as [`CustomerStore::page`](super::CustomerStore::page).
    async fn customers(&self, request: &PageRequest) -> Result<Page, StoreError>;

    /// The fields of a class that are read.
    fn fields_of(&self, class: &ClassName) -> Result<Arc<[FieldName]>, StoreError>;

    /// The customer's records of a class, each with its key and in the order of the keys. Only records after a given
    /// key are returned, and at most `limit` of them.
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
        let is_wanted =
            |field: &FieldName| request.fields.as_ref().is_none_or(|wanted| wanted.contains(field));
        let wanted: Vec<bool> = fields.iter().map(is_wanted).collect();
        let given: Arc<[FieldName]> = fields.iter().filter(|field| is_wanted(field)).cloned().collect();
        let place: Option<Place> = request
            .after
            .as_ref()
            .map_or(Some(Place::default()), |cursor| serde_json::from_str(cursor.as_str()).ok());
        let mut place = place.ok_or_else(not_our_cursor)?;
        let mut records = Vec::new();
        // A page without records would be correct. But then a caller might have to ask a thousand times, so the loop
        // fills the page.
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
            let Some(customer) = customer else { return Ok(RecordPage::new(given, records, None)) };
            let most = request.limit - records.len();
            let key = place.key_of(&customer);
            let is_within = key.is_some();
            let found = self.some_of(&request.class, &customer, key, most).await?;
            let last = found.records.last().map(|(key, _)| key.clone());
            let of = if request.whose == Whose::Everybody { 0 } else { place.customer };
            let owner = request.owners.then(|| customer.clone());
            let asked_for =
                found.records.into_iter().filter(|(_, record)| is_asked_for(request, &fields, record));
            records.extend(asked_for.map(|(_, record)| ReadRecord {
                customer: of,
                owner: owner.clone(),
                ..chosen(&wanted, record)
            }));
            match (found.more, last, next) {
                (true, Some(key), _) => {
                    place.within = Some((customer.as_str().to_owned(), key));
                    break;
                }
                // Another customer is at this position now. The customer whose records were read in part may come
                // later.
                (_, _, Some(next)) if !is_within => place = Place { within: place.within, ..next },
                (_, _, Some(next)) => place = next,
                (_, _, None) => return Ok(RecordPage::new(given, records, None)),
            }
        }
        let failed = |error: serde_json::Error| StoreError::failed("reading records", error.to_string());
        let next = serde_json::to_string(&place).map_err(failed)?;
        Ok(RecordPage::new(given, records, Some(Cursor::new(next))))
    }
}

/// Whether a record has one of the values that are asked for.
fn is_asked_for(request: &ReadRequest, fields: &[FieldName], record: &ReadRecord) -> bool {
    request.only.as_ref().is_none_or(|(field, values)| {
        let place = fields.iter().position(|own| own == field);
        place.and_then(|place| record.values.get(place)).is_some_and(|value| values.contains(value))
    })
}

/// A record with only the wanted fields.
fn chosen(wanted: &[bool], record: ReadRecord) -> ReadRecord {
    let is_wanted = |place: &usize| wanted.get(*place) == Some(&true);
    let places: Vec<usize> = (0..wanted.len()).filter(is_wanted).collect();
    let of_others =
        (0..).zip(&places).filter(|(_, old)| record.of_others.contains(old)).map(|(new, _)| new).collect();
    let values = record.values.into_iter().enumerate().filter(|(place, _)| is_wanted(place));
    ReadRecord { values: values.map(|(_, value)| value).collect(), of_others, ..record }
}

/// Some records of a customer.
#[derive(Default)]
pub(super) struct SomeRecords {
    /// The records with their keys, in order.
    pub(super) records: Vec<(String, ReadRecord)>,
    /// Whether more follow.
    pub(super) more: bool,
}

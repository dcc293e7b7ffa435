//! Reads the records of one customer after the other.

use std::sync::Arc;

use async_trait::async_trait;

use super::{ByRecord, Repository, not_all_told};
use crate::customer::CustomerId;
use crate::data_map::{ClassName, Field, FieldName, Link, Record, Role, Value};
use crate::store::one_by_one::{OneByOne, SomeRecords};
use crate::store::read::no_such_class;
use crate::store::{
    Had, Page, PageRequest, ReadRecord, ReadRecords, ReadRequest, RecordPage, RecordStore, StoreError,
};

impl<R: Repository> ByRecord<R> {
    /// Whether each record also has another owner, independent of any treatment. Without an adapter that knows the
    /// owners, every record of a class that may be shared counts as shared.
    async fn have_others(&self, customer: &CustomerId, records: &[Record]) -> Result<Vec<bool>, StoreError> {
        let shared = self.repository.data_map().shared_classes();
        if !records.iter().any(|record| shared.contains(&record.class)) {
            return Ok(vec![false; records.len()]);
        }
        let Some(who) = &self.sharing else { return Ok(vec![true; records.len()]) };
        let told = who.have_others(customer, records).await?;
        if told.len() != records.len() {
            return Err(not_all_told());
        }
        Ok(told)
    }

    /// The field of the key, if the key is one field.
    fn only_key(&self, class: &ClassName) -> Option<FieldName> {
        let class = self.repository.data_map().class(class.as_str())?;
        let mut keys = class.fields().iter().filter(|field| field.role() == Role::Key);
        let first = keys.next()?;
        keys.next().is_none().then(|| first.name().clone())
    }

    /// The indexes of fields that belong to somebody else, and of links to another customer.
    fn of_others(&self, record: &Record, all: &[Record], fields: &[FieldName]) -> Vec<usize> {
        let map = self.repository.data_map();
        let Some(class) = map.class(record.class.as_str()) else { return Vec::new() };
        let leads_home = |link: &Link| {
            let head = map.class(link.to().as_str());
            head.is_some_and(|head| head.led_to(all, record, link).is_some())
        };
        let is_of_others = |field: &&FieldName| {
            let described = class.find(field.as_str());
            let of = described.and_then(Field::whose);
            let is_foreign =
                of.is_some_and(|of| !class.links().iter().filter(|link| link.name() == of).any(leads_home));
            let leads_away = class.links().iter().any(|link| {
                *link.to() == *map.root()
                    && link.fields().contains(field)
                    && !link.is_by_value()
                    && !leads_home(link)
            });
            is_foreign || (leads_away && *record.get(field.as_str()) != Value::Null)
        };
        (0..).zip(fields).filter(|(_, field)| is_of_others(field)).map(|(place, _)| place).collect()
    }
}

#[async_trait]
impl<R: Repository> OneByOne for ByRecord<R> {
    async fn customers(&self, request: &PageRequest) -> Result<Page, StoreError> {
        self.repository.page(request).await
    }

    fn fields_of(&self, class: &ClassName) -> Result<Arc<[FieldName]>, StoreError> {
        let class = self.data_map().class(class.as_str()).ok_or_else(|| no_such_class(class))?;
        Ok(class.fields().iter().map(|field| field.name().clone()).collect())
    }

    async fn some_of(
        &self,
        class: &ClassName,
        customer: &CustomerId,
        after: Option<&str>,
        most: usize,
    ) -> Result<SomeRecords, StoreError> {
        let fields = self.fields_of(class)?;
        let key = self.only_key(class);
        let all = self.records(customer).await?;
        let is_after = |record: &&Record| after.is_none_or(|after| record.key.as_str() > after);
        let mut own: Vec<&Record> =
            all.iter().filter(|record| record.class == *class).filter(is_after).collect();
        own.sort_by(|a, b| a.key.cmp(&b.key));
        let more = own.len() > most;
        own.truncate(most);
        let own: Vec<Record> = own.into_iter().cloned().collect();
        let shared = self.have_others(customer, &own).await?;
        let records = own.iter().zip(shared).map(|(record, is_shared)| {
            let value = |field: &FieldName| match record.get(field.as_str()) {
                // A repository need not return the key as a field, too.
                Value::Null if key.as_ref() == Some(field) => Value::from(record.key.as_str()),
                value => value.clone(),
            };
            let values = fields.iter().map(value).collect();
            let mut read = ReadRecord::new(0, values);
            read.had = if is_shared { Had::Shared } else { Had::Alone };
            read.of_others = self.of_others(record, &all, &fields);
            (record.key.as_str().to_owned(), read)
        });
        Ok(SomeRecords { records: records.collect(), more })
    }
}

#[async_trait]
impl<R: Repository> ReadRecords for ByRecord<R> {
    async fn read_records(&self, request: &ReadRequest) -> Result<RecordPage, StoreError> {
        self.one_by_one(request).await
    }

    /// Every record is read with its customer.
    fn finds_by(&self, _: &ClassName, _: &FieldName) -> bool {
        false
    }
}

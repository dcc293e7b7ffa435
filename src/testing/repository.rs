//! The contract of a repository.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;

use super::customer_store::customer_store;
use super::law::{Broken, Law, works};
use super::stocked::Stocked;
use crate::anonymise::Seed;
use crate::customer::{Customer, CustomerId, Status};
use crate::data_map::{DataMap, DeactivationSupport, FieldName, Record, Value};
use crate::policy::Policy;
use crate::store::{
    ByRecord, Changes, Loaded, PageRequest, RecordWrite, Repository, Saved, StatusChange, StoreError,
};
use crate::treatment::{RecordChange, TreatmentName};

/// Checks the promises of [`Repository`], on repositories with customers. Also runs [`customer_store`] on a
/// [`ByRecord`] over the repository. If the data map shares records, or the policy counts groups, also run
/// [`customer_store`] on your own [`ByRecord`].
///
/// `fresh` is called several times. Each time it returns a repository with the same customers, in their original
/// state.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # use relinquish::data_map::{Fact, Field, Kind, Record, RecordClass};
/// # use relinquish::store::MemoryRepository;
/// # use relinquish::{Customer, DataMap, PolicyDocument};
/// # let stock = || {
/// #     let class = RecordClass::new("customer").field(Field::key("id").token_part())
/// #         .field(Field::personal("name", Kind::Name));
/// #     let map = DataMap::builder(class).knows(Fact::Status).knows(Fact::Tenants).build().unwrap();
/// #     let repository = MemoryRepository::new(map);
/// #     for (id, name) in [("1", "Maud"), ("2", "Theo")] {
/// #         repository.insert(Customer::new(id, "us"), vec![Record::new("customer", id).with("name", name)]);
/// #     }
/// #     repository
/// # };
/// # let policy = || PolicyDocument::from_toml("version = 1\nsweep = false\ntriggers.requested = { treatment = 't' }\n\
/// #     guards.active_subscription = { ignore = 'none is sold' }\nanonymise.name = 'remove'\n\
/// #     treatments.t.customer = 'anonymise'").unwrap();
/// use relinquish::testing::{self, Stocked};
///
/// testing::repository(|| async { Stocked::new(stock(), policy()) }).await
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`Broken`], with the law and what was found instead.
pub async fn repository<R, F, Stocking>(fresh: F) -> Result<(), Broken>
where
    R: Repository,
    F: Fn() -> Stocking,
    Stocking: Future<Output = Stocked<R>>,
{
    let first = Bench::new(fresh().await).await?;
    first.loads().await?;
    first.keeps_status().await?;
    let names: Vec<TreatmentName> = first.policy.treatments().keys().cloned().collect();
    for name in &names {
        Bench::new(fresh().await).await?.saves(name).await?;
        Bench::new(fresh().await).await?.refuses_whole(name).await?;
    }
    customer_store(async || fresh().await.map(ByRecord::new)).await
}

struct Bench<R> {
    stock: Stocked<R>,
    policy: Policy,
    one: Customer,
    two: Customer,
}

/// The first field whose values differ. A missing field equals NULL.
fn same_but_for(found: &Record, expected: &Record) -> Option<FieldName> {
    let names: BTreeSet<&FieldName> = found.fields.keys().chain(expected.fields.keys()).collect();
    names.into_iter().find(|name| found.get(name.as_str()) != expected.get(name.as_str())).cloned()
}

fn find<'r>(records: &'r [Record], like: &Record) -> Option<&'r Record> {
    records.iter().find(|record| record.class == like.class && record.key == like.key)
}

impl<R: Repository> Bench<R> {
    async fn new(stock: Stocked<R>) -> Result<Self, Broken> {
        let policy = stock.policy.check(stock.adapter.data_map()).map_err(|problems| {
            Law::FixtureSuffices.broken(format!("the policy does not suit the data map: {problems}"))
        })?;
        let page = works("page", stock.adapter.page(&PageRequest::new(1_000)).await)?;
        let mut open = page.customers.into_iter().filter(|customer| !customer.status.is_archived());
        match (open.next(), open.next()) {
            (Some(one), Some(two)) => Ok(Self { stock, policy, one, two }),
            _ => Err(Law::FixtureSuffices.broken("fewer than two customers who are not archived")),
        }
    }

    fn map(&self) -> &DataMap {
        self.stock.adapter.data_map()
    }

    fn nobody(&self) -> CustomerId {
        CustomerId::new(format!("{}{}0nobody", self.one.id.as_str(), self.two.id.as_str()))
    }

    async fn load(&self, customer: &Customer) -> Result<Option<Loaded>, Broken> {
        works("load", self.stock.adapter.load(&customer.id).await)
    }

    async fn loaded(&self, customer: &Customer) -> Result<Loaded, Broken> {
        let loaded = self.load(customer).await?;
        loaded.ok_or_else(|| Law::FixtureSuffices.broken("a customer of the first page has no records"))
    }

    async fn save(&self, changes: &Changes) -> Result<Saved, StoreError> {
        self.stock.adapter.save(changes).await
    }

    fn changes(&self, version: u64, writes: Vec<RecordWrite>, status: Option<StatusChange>) -> Changes {
        Changes { customer: self.one.id.clone(), version, status, writes }
    }

    async fn loads(&self) -> Result<(), Broken> {
        let unknown = works("load", self.stock.adapter.load(&self.nobody()).await)?;
        Law::LoadUnknown.hold(unknown.is_none(), format_args!("load of nobody gave records"))?;
        for (place, customer) in (1..).zip([&self.one, &self.two]) {
            let mut seen = BTreeSet::new();
            for record in self.loaded(customer).await?.records {
                let class = self.map().class(record.class.as_str());
                let unmapped =
                    record.fields.keys().find(|name| class.is_none_or(|c| c.find(name.as_str()).is_none()));
                Law::LoadOnlyMapped.hold(
                    class.is_some() && unmapped.is_none(),
                    format_args!("load of customer {place} gave {}, field {unmapped:?}", record.class),
                )?;
                let is_new = seen.insert((record.class.clone(), record.key.clone()));
                Law::LoadOnlyMapped.hold(
                    is_new,
                    format_args!("load of customer {place} gave a record of {} twice", record.class),
                )?;
            }
        }
        Ok(())
    }

    /// The writes of a treatment for the first customer's records.
    fn treated(&self, name: &TreatmentName, loaded: &Loaded) -> Result<Vec<RecordWrite>, Broken> {
        let effective = self.policy.effective(&self.one.tenant);
        let treatment = effective.treatments().get(name);
        let treatment = treatment.ok_or_else(|| {
            Law::FixtureSuffices
                .broken(format!("the policy of the customers' tenant has no treatment {name}"))
        })?;
        let treatment = effective.dated(treatment, self.stock.at);
        let standings = treatment.standings(&loaded.records, self.map());
        let (seed, day) = (Seed::new([1; 32]), self.stock.at.date_naive());
        let treated = loaded.records.iter().zip(standings).map(|(record, standing)| RecordWrite {
            record: record.clone(),
            change: treatment.treat(record, standing, &seed, day, 0),
        });
        Ok(treated.filter(|write| write.change != RecordChange::Nothing).collect())
    }

    async fn saves(&self, name: &TreatmentName) -> Result<(), Broken> {
        let (before, others) = (self.loaded(&self.one).await?, self.loaded(&self.two).await?);
        let writes = self.treated(name, &before)?;
        if writes.is_empty() {
            return Ok(());
        }
        let stale = self.changes(before.version.wrapping_add(1), writes.clone(), None);
        let saved = works("save", self.save(&stale).await)?;
        let after = self.loaded(&self.one).await?;
        Law::SaveCompares.hold(
            saved == Saved::Stale && after.records == before.records,
            format_args!(
                "{name}: save under the next version gave {saved:?}, and saved nothing: {}",
                after.records == before.records
            ),
        )?;
        let changes = self.changes(before.version, writes.clone(), None);
        let saved = works("save", self.save(&changes).await)?;
        Law::SaveWrites.hold(
            saved == Saved::Done,
            format_args!("{name}: save under the loaded version gave {saved:?}"),
        )?;
        let after = self.load(&self.one).await?;
        Self::is_saved(name, &before, &writes, after.as_ref())?;
        if let Some(after) = &after {
            Law::VersionMoves.hold(
                after.version != before.version,
                format_args!("{name}: after a save the version is the same, {}", after.version),
            )?;
        }
        let again = works("save again", self.save(&changes).await)?;
        Law::SaveCompares.hold(
            again == Saved::Stale,
            format_args!("{name}: the same save again gave {again:?}, under a version that has passed"),
        )?;
        let after = self.loaded(&self.two).await?;
        Law::SaveWrites.hold(
            after.records == others.records,
            format_args!("{name}: the first customer was saved, and the second one's records are others"),
        )
    }

    /// Checks that exactly the requested changes were saved.
    fn is_saved(
        name: &TreatmentName,
        before: &Loaded,
        writes: &[RecordWrite],
        after: Option<&Loaded>,
    ) -> Result<(), Broken> {
        let found = after.map_or(&[][..], |after| after.records.as_slice());
        for record in &before.records {
            let write = writes
                .iter()
                .find(|write| write.record.class == record.class && write.record.key == record.key);
            let found = find(found, record);
            let class = &record.class;
            let expected = match write.map(|write| &write.change) {
                Some(RecordChange::Delete) => {
                    Law::SaveDeletes.hold(
                        found.is_none(),
                        format_args!("{name}: a record of {class} was deleted and is there"),
                    )?;
                    continue;
                }
                Some(RecordChange::Reassign(_)) => {
                    Law::SaveHandsOver.hold(
                        found.is_none(),
                        format_args!("{name}: a record of {class} was handed over and is the customer's"),
                    )?;
                    continue;
                }
                Some(RecordChange::Write(fields)) => {
                    let mut record = record.clone();
                    record.fields.extend(fields.clone());
                    record
                }
                Some(RecordChange::Nothing) | None => record.clone(),
            };
            let wrong = found.map(|found| same_but_for(found, &expected));
            Law::SaveWrites.hold(
                wrong == Some(None),
                format_args!(
                    "{name}: a record of {class} is not as saved; it is there: {}, field {wrong:?}",
                    found.is_some()
                ),
            )?;
        }
        let goes =
            |write: &RecordWrite| matches!(write.change, RecordChange::Delete | RecordChange::Reassign(_));
        let all_go = writes.len() == before.records.len() && writes.iter().all(goes);
        Law::SaveDeletes.hold(
            !all_go || after.is_none(),
            format_args!("{name}: every record went, and load gives the customer still"),
        )
    }

    /// Saves an allowed change and a change that the data map forbids. The repository need not refuse it. But if it
    /// does, nothing may be saved.
    async fn refuses_whole(&self, name: &TreatmentName) -> Result<(), Broken> {
        let before = self.loaded(&self.one).await?;
        let forbidden = before.records.iter().find_map(|record| {
            let class = self.map().class(record.class.as_str())?;
            let field = class
                .fields()
                .iter()
                .find(|field| !field.constraints().nullable && field.kind().is_some())?;
            let change = RecordChange::Write(BTreeMap::from([(field.name().clone(), Value::Null)]));
            Some(RecordWrite { record: record.clone(), change })
        });
        let Some(forbidden) = forbidden else { return Ok(()) };
        let is_other = |write: &RecordWrite| {
            write.record.key != forbidden.record.key || write.record.class != forbidden.record.class
        };
        let mut writes: Vec<RecordWrite> =
            self.treated(name, &before)?.into_iter().filter(is_other).collect();
        if writes.is_empty() {
            return Ok(());
        }
        writes.push(forbidden);
        let refused = self.save(&self.changes(before.version, writes, None)).await.is_err();
        let after = self.load(&self.one).await?;
        let is_same =
            after.is_some_and(|after| after.records == before.records && after.version == before.version);
        Law::SaveAllOrNothing.hold(
            !refused || is_same,
            format_args!("{name}: save was refused for its last record, and something is saved"),
        )
    }

    async fn keeps_status(&self) -> Result<(), Broken> {
        if matches!(self.map().deactivation(), DeactivationSupport::None { .. }) {
            return Ok(());
        }
        let version = self.loaded(&self.one).await?.version;
        let archive = self.changes(version, Vec::new(), Some(StatusChange::Archive));
        let saved = works("save", self.save(&archive).await)?;
        let facts = works("facts", self.stock.adapter.facts(std::slice::from_ref(&self.one.id)).await)?;
        let status = facts.first().map(|facts| facts.status);
        Law::SaveKeepsStatus.hold(
            saved == Saved::Done && status.is_some_and(Status::is_archived),
            format_args!("save of Archive gave {saved:?}, and the status is {status:?}"),
        )?;
        let next = self.loaded(&self.one).await?.version;
        Law::VersionMoves
            .hold(next != version, format_args!("after Archive the version is the same, {next}"))?;
        let restore =
            self.changes(next, Vec::new(), Some(StatusChange::Restore(self.one.former_status.clone())));
        let saved = works("save", self.save(&restore).await)?;
        let facts = works("facts", self.stock.adapter.facts(std::slice::from_ref(&self.one.id)).await)?;
        let status = facts.first().map(|facts| facts.status);
        Law::SaveKeepsStatus.hold(
            saved == Saved::Done && status == Some(self.one.status),
            format_args!(
                "save of Restore gave {saved:?}; the status is {status:?} and was {}",
                self.one.status
            ),
        )
    }
}

//! The contract of a customer store.

use std::future::Future;
use std::sync::Arc;

use super::law::{Broken, Law, works};
use super::stocked::{Rows, Stocked};
use crate::anonymise::Seed;
use crate::customer::{Customer, CustomerId, Expected};
use crate::data_map::{DeactivationSupport, Kind};
use crate::policy::Policy;
use crate::store::{CustomerStore, EraseRequest, PageRequest, Tally, TallyRequest, Target};
use crate::treatment::{Treatment, TreatmentName};

mod erasing;
mod reading;
mod status;

/// A page size that is larger than the number of customers.
const MANY: usize = 1_000;

/// Checks the promises of [`CustomerStore`] and [`RecordStore`](crate::RecordStore), on stores with customers.
///
/// `fresh` is called several times. Each time it returns a store with the same customers, in their original state.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # use relinquish::data_map::{Fact, Field, Kind, Record, RecordClass};
/// # use relinquish::store::MemoryRepository;
/// # use relinquish::{ByRecord, Customer, DataMap, PolicyDocument};
/// # let stock = || {
/// #     let class = RecordClass::new("customer").field(Field::key("id").token_part())
/// #         .field(Field::personal("name", Kind::Name));
/// #     let map = DataMap::builder(class).knows(Fact::Status).knows(Fact::Tenants).build().unwrap();
/// #     let repository = MemoryRepository::new(map);
/// #     for (id, name) in [("1", "Maud"), ("2", "Theo")] {
/// #         repository.insert(Customer::new(id, "us"), vec![Record::new("customer", id).with("name", name)]);
/// #     }
/// #     ByRecord::new(repository)
/// # };
/// # let policy = || PolicyDocument::from_toml("version = 1\nsweep = false\ntriggers.requested = { treatment = 't' }\n\
/// #     guards.active_subscription = { ignore = 'none is sold' }\nanonymise.name = 'remove'\n\
/// #     treatments.t.customer = 'anonymise'").unwrap();
/// use relinquish::testing::{self, Stocked};
///
/// testing::customer_store(|| async { Stocked::new(stock(), policy()) }).await
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`Broken`], with the law and what was found instead.
pub async fn customer_store<S, F, Stocking>(fresh: F) -> Result<(), Broken>
where
    S: CustomerStore,
    F: Fn() -> Stocking,
    Stocking: Future<Output = Stocked<S>>,
{
    let first = Bench::new(fresh().await).await?;
    first.pages().await?;
    first.facts().await?;
    first.identifiers().await?;
    first.shows_nobody(&format!("{:?}", first.stock.adapter), "Debug").await?;
    first.status().await?;
    let names: Vec<TreatmentName> = first.policy.treatments().keys().cloned().collect();
    for name in &names {
        let bench = Bench::new(fresh().await).await?;
        bench.tallies(name).await?;
        bench.compares(name).await?;
        bench.erases(name).await?;
        let bench = Bench::new(fresh().await).await?;
        bench.bears_a_spoilt_one(name).await?;
    }
    Ok(())
}

/// A store with customers, and the customers that the contract found there.
struct Bench<S> {
    stock: Stocked<S>,
    policy: Policy,
    customers: Vec<Customer>,
}

/// Everything that the port shows of a customer.
#[derive(PartialEq)]
struct Seen {
    expected: Option<Expected>,
    identifiers: Vec<(Kind, String)>,
    rows: Option<Rows>,
}

impl<S: CustomerStore> Bench<S> {
    async fn new(stock: Stocked<S>) -> Result<Self, Broken> {
        let store = &stock.adapter;
        let policy = stock.policy.check(store.data_map()).map_err(|problems| {
            Law::FixtureSuffices.broken(format!("the policy does not suit the data map: {problems}"))
        })?;
        let page = works("page", store.page(&PageRequest::new(MANY)).await)?;
        let is_open = |customer: &&Customer| !customer.status.is_archived();
        let found = page.customers.iter().filter(is_open).count();
        Law::FixtureSuffices.hold(
            found >= 2,
            format_args!("{found} customers who are not archived; a contract needs two at least"),
        )?;
        Law::FixtureSuffices
            .hold(!policy.treatments().is_empty(), format_args!("a policy without a treatment"))?;
        let mut customers = page.customers;
        // Customers who are not archived come first, because the contract can do everything with them.
        customers.sort_by_key(|customer| customer.status.is_archived());
        Ok(Self { stock, policy, customers })
    }

    fn store(&self) -> &S {
        &self.stock.adapter
    }

    /// The first two customers, who are not archived, and the others.
    fn few(&self) -> Result<(&Customer, &Customer, &[Customer]), Broken> {
        match self.customers.as_slice() {
            [one, two, rest @ ..] => Ok((one, two, rest)),
            _ => Err(Law::FixtureSuffices.broken("fewer than two customers")),
        }
    }

    /// An id that no customer has.
    fn nobody(&self) -> CustomerId {
        let longest = self.customers.iter().map(|customer| customer.id.as_str()).max_by_key(|id| id.len());
        CustomerId::new(format!("{}0nobody", longest.unwrap_or_default()))
    }

    fn deactivates(&self) -> bool {
        !matches!(self.store().data_map().deactivation(), DeactivationSupport::None { .. })
    }

    fn treatment(&self, name: &TreatmentName, of: &Customer) -> Result<Arc<Treatment>, Broken> {
        let effective = self.policy.effective(&of.tenant);
        let treatment = effective.treatments().get(name);
        let treatment = treatment.ok_or_else(|| {
            Law::FixtureSuffices
                .broken(format!("the policy of the customers' tenant has no treatment {name}"))
        })?;
        Ok(effective.dated(treatment, self.stock.at))
    }

    fn request(&self, targets: Vec<Target>, treatment: &Arc<Treatment>, seed: u8) -> EraseRequest {
        EraseRequest::new(targets, Arc::clone(treatment), Seed::new([seed; 32]), self.stock.at)
    }

    async fn facts_of(&self, customer: &CustomerId) -> Result<Option<Customer>, Broken> {
        let found = works("facts", self.store().facts(std::slice::from_ref(customer)).await)?;
        Ok(found.into_iter().find(|found| found.id == *customer))
    }

    async fn identifiers_of(&self, customer: &CustomerId) -> Result<Vec<(Kind, String)>, Broken> {
        let found = works("identifiers", self.store().identifiers(std::slice::from_ref(customer)).await)?;
        let Some(found) = found.into_iter().next() else {
            return Err(Law::IdentifiersInOrder.broken("no answer for one customer"));
        };
        let found = works("identifiers of one customer", found)?;
        Ok(found.iter().map(|(kind, value)| (kind.clone(), value.to_owned())).collect())
    }

    async fn tally_of(&self, customer: &CustomerId, treatment: &Arc<Treatment>) -> Result<Tally, Broken> {
        let request = TallyRequest::new(vec![customer.clone()], Arc::clone(treatment)).at(self.stock.at);
        let found = works("tally", self.store().tally(&request).await)?;
        let Some(found) = found.into_iter().next() else {
            return Err(Law::TallyInOrder.broken("no answer for one customer"));
        };
        works("tally of one customer", found)
    }

    fn rows_of(&self, customer: &CustomerId) -> Option<Rows> {
        self.stock.rows.as_ref().map(|rows| rows(customer))
    }

    async fn see(&self, customer: &CustomerId) -> Result<Seen, Broken> {
        Ok(Seen {
            expected: self.facts_of(customer).await?.map(|facts| facts.expected()),
            identifiers: self.identifiers_of(customer).await?,
            rows: self.rows_of(customer),
        })
    }

    /// Checks that a text contains no value of a customer. Short values are not checked, because they may be there by
    /// chance.
    async fn shows_nobody(&self, text: &str, what: &str) -> Result<(), Broken> {
        for (place, customer) in (1..).zip(&self.customers) {
            let identifiers = self.identifiers_of(&customer.id).await?;
            let values = identifiers.iter().map(|(_, value)| value.as_str()).chain([customer.id.as_str()]);
            let shown = values.filter(|value| value.chars().count() > 3).any(|value| text.contains(value));
            Law::StoreShowsNobody
                .hold(!shown, format_args!("{what} shows a value of the customer at place {place}"))?;
        }
        Ok(())
    }
}

/// Expected facts that do not fit: with one subscription more.
fn stale(customer: &Customer) -> Expected {
    let mut other = customer.clone();
    other.active_subscriptions = other.active_subscriptions.wrapping_add(1);
    other.expected()
}

fn target(customer: &Customer) -> Target {
    Target { customer: customer.id.clone(), tenant: customer.tenant.clone(), expected: customer.expected() }
}

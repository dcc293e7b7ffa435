//! The customer to erase, as the host's root store knows them.
//!
//! Everything here is a *fact* that the store reads again each time: the status, the dates, the tenants, the
//! subscriptions. Values that describe the person (names, addresses, e-mails) are not here. They stay in the store. A
//! host can print an id only with `as_str`. The `Debug` of an id shows nothing, because an id may be an e-mail
//! address.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;
use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};

use chrono::{DateTime, Datelike, NaiveDate, NaiveTime, Utc};
use serde::{Deserialize, Serialize};

pub use crate::data_map::{GatewayName, Moment, StateName};
use crate::data_map::{Kind, is_filler, is_plain_instant, is_plausible};
use crate::digest::Digest;
use crate::name::{closed_name, open_name};

mod dates;
mod held;
mod suppressed;

pub use dates::{DateName, Dates};
pub use held::{Held, HoldGround, HoldId};
pub use suppressed::{Identifier, SuppressionToken};

closed_name! {
    /// The host's own id of a customer. It identifies a person, so neither `Debug` nor an error shows it.
    CustomerId
}

closed_name! {
    /// A payment gateway's own id of a customer profile. Its `Debug` shows nothing.
    ProfileId
}

open_name! {
    /// A payment gateway's own id of the host's account there. A plan contains the accounts with which it was made.
    /// With the key of another account, the gateway does not find the profiles, so "not found" would prove nothing.
    AccountId
}

open_name! {
    /// The id of the organisation to which a customer belongs. A host with only one organisation gives its name in
    /// the data map.
    TenantId
}

/// The customer's status in the root store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The customer is active.
    Active,
    /// The customer has ended the relationship, but the account is not archived.
    Cancelled,
    /// Deactivated: archived, inactive, cannot log in. The reversible first step of an erasure writes this status.
    Archived,
    /// Marked as deleted by the host. The row still exists.
    Deleted,
}

impl Status {
    /// Whether the customer is archived or deleted.
    pub fn is_archived(self) -> bool {
        matches!(self, Self::Archived | Self::Deleted)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Active => "active",
            Self::Cancelled => "cancelled",
            Self::Archived => "archived",
            Self::Deleted => "deleted",
        })
    }
}

/// A profile of the customer at a payment gateway.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct GatewayProfile {
    /// The gateway.
    pub gateway: GatewayName,
    /// The gateway's own id of the profile.
    pub id: ProfileId,
}

impl GatewayProfile {
    /// Makes a profile at a gateway.
    pub fn new(gateway: impl Into<GatewayName>, id: impl Into<ProfileId>) -> Self {
        Self { gateway: gateway.into(), id: id.into() }
    }
}

/// The kind of a hold. A person places a hold, and a person lifts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum HoldKind {
    /// The data are needed for a legal claim.
    LegalClaim,
    /// The person asked for restriction under Art. 18 GDPR: the data must be kept.
    Restriction,
    /// A court or an authority ordered the hold.
    AuthorityOrder,
}

impl HoldKind {
    /// The name of the kind in maps and policies.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LegalClaim => "legal_claim",
            Self::Restriction => "restriction",
            Self::AuthorityOrder => "authority_order",
        }
    }

    /// The kind with this name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::LegalClaim, Self::Restriction, Self::AuthorityOrder]
            .into_iter()
            .find(|kind| kind.as_str() == name)
    }
}

/// The data that a store needs to undo its own deactivation: the values that the deactivation overwrites. The store
/// chooses the format. The text must contain no personal data.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FormerStatus(std::sync::Arc<str>);

impl fmt::Debug for FormerStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FormerStatus(…)")
    }
}

impl FormerStatus {
    /// Takes the store's own notation.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into().into())
    }

    /// The store's own notation.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A digest of the facts that guards check. If two revisions differ, such a fact has changed. The instant of
/// registration is included, because databases reuse row ids. Deactivation, gateway ids, dates and the number of
/// records are not included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Revision(Digest);

/// The prefix that marks a date in [`Customer::unreadable`].
pub(crate) const DATE: &str = "date ";

/// The name of a date in [`Customer::unreadable`].
pub(crate) fn unreadable_date(name: &str) -> String {
    format!("{DATE}{name}")
}

/// The error that a date of a customer cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UnreadableDate;

/// The customer's facts at one instant.
#[derive(Clone)]
#[non_exhaustive]
pub struct Customer {
    /// The host's id.
    pub id: CustomerId,
    /// The tenant to which the customer belongs.
    pub tenant: TenantId,
    /// The number of tenants with which the account is connected, this tenant included.
    pub tenants: u32,
    /// The tenants with which the account is connected, if the store can name them: see [`connect`](Self::connect).
    /// Empty if the store cannot name them. Then an operator can act only if `tenants` is 1.
    pub connected: BTreeSet<TenantId>,
    /// The customer's status.
    pub status: Status,
    /// The data that the store needs to undo a deactivation. Set for every customer, because it is read before the
    /// deactivation.
    pub former_status: FormerStatus,
    /// When the customer was registered. The ledger's token contains this instant, because databases reuse row ids.
    pub registered: Option<DateTime<Utc>>,
    /// The dates by name: `created`, `cancelled`, `deleted`, and others that the data map names.
    pub dates: Dates,
    /// The number of active subscriptions in the store.
    pub active_subscriptions: u32,
    /// The number of active subscriptions at the gateways. The engine sets this; a store leaves it at 0.
    pub gateway_subscriptions: u32,
    /// The number of unpaid invoices in the store.
    pub unpaid_invoices: u32,
    /// The number of unpaid invoices at the gateways. The engine sets this; a store leaves it at 0.
    pub gateway_unpaid_invoices: u32,
    /// The number of open payment disputes in the store.
    pub open_disputes: u32,
    /// The number of open payment disputes at the gateways. The engine sets this; a store leaves it at 0.
    pub gateway_disputes: u32,
    /// Holds in force in the host's own database.
    pub holds: BTreeSet<HoldKind>,
    /// Holds in force that an operator placed [through the engine](crate::Engine::place_hold). The engine reads them
    /// from the ledger; a store leaves this empty.
    pub held: BTreeSet<Held>,
    /// The host's own states that the data map names, each with whether the customer is in it. A missing state counts
    /// as `true`.
    pub states: BTreeMap<StateName, bool>,
    /// Profiles at payment gateways.
    pub gateway_profiles: Vec<GatewayProfile>,
    /// The gateway accounts with these profiles. The engine sets this; a store leaves it empty.
    pub gateway_accounts: BTreeMap<GatewayName, AccountId>,
    /// Whether this is the tenant's "Unknown Customer". This stand-in keeps records of erased customers, and is never
    /// erased.
    pub stand_in: bool,
    /// The names of the facts that are in the store but cannot be read: `status`, `holds`, or `date` and the name of
    /// the date. A customer with an unreadable fact is blocked.
    pub unreadable: BTreeSet<String>,
    /// The first plausible day for the [`dates`](Self::dates), if the store sets one. `None` means 1900-01-01.
    pub dates_from: Option<NaiveDate>,
}

impl Customer {
    /// An active customer of one tenant, with no subscription, profile or date. Set the other fields as needed.
    pub fn new(id: impl Into<CustomerId>, tenant: impl Into<TenantId>) -> Self {
        Self::before(id.into(), tenant.into(), FormerStatus::new(""))
    }

    /// Does the same, with the data that the store needs to undo a deactivation.
    pub(crate) fn before(id: CustomerId, tenant: TenantId, former_status: FormerStatus) -> Self {
        Self {
            id,
            tenant,
            tenants: 1,
            connected: BTreeSet::new(),
            status: Status::Active,
            former_status,
            registered: None,
            dates: Dates::default(),
            active_subscriptions: 0,
            gateway_subscriptions: 0,
            unpaid_invoices: 0,
            gateway_unpaid_invoices: 0,
            open_disputes: 0,
            gateway_disputes: 0,
            holds: BTreeSet::new(),
            held: BTreeSet::new(),
            states: BTreeMap::new(),
            gateway_profiles: Vec::new(),
            gateway_accounts: BTreeMap::new(),
            stand_in: false,
            unreadable: BTreeSet::new(),
            dates_from: None,
        }
    }

    /// The names of the facts that cannot be read. These are facts that the store could not read, and dates that are
    /// not plausible on this day. If there is any, the customer is blocked.
    ///
    /// ```
    /// use relinquish::Customer;
    /// use relinquish::customer::Moment;
    ///
    /// let mut customer = Customer::new("7", "acme");
    /// customer.dates.insert("last_login".to_owned(), Moment::Day("1970-01-01".parse()?));
    /// let unreadable: Vec<_> = customer.unreadable_on("2026-11-21".parse()?).collect();
    /// assert_eq!(unreadable, ["date last_login"]);
    /// # Ok::<(), chrono::ParseError>(())
    /// ```
    pub fn unreadable_on(&self, day: NaiveDate) -> impl Iterator<Item = Cow<'_, str>> {
        let dates = self.dates.iter().filter(move |(_, moment)| !self.is_date(**moment, day));
        let named = self.unreadable.iter().map(|fact| Cow::Borrowed(fact.as_str()));
        // No trigger counts from the date of registration. So only a registration in the far future is implausible.
        let is_ahead =
            |at: &DateTime<Utc>| !is_plausible(Moment::Instant(*at), Some(NaiveDate::MIN), Some(day));
        let registered = self.registered.filter(is_ahead).map(|_| Cow::Borrowed("registered"));
        named.chain(registered).chain(dates.map(|(name, _)| Cow::Owned(unreadable_date(name.as_str()))))
    }

    /// Whether every fact can be read on a day: [`unreadable_on`](Self::unreadable_on) names none.
    pub(crate) fn is_readable_on(&self, day: NaiveDate) -> bool {
        let is_ahead =
            |at: &DateTime<Utc>| !is_plausible(Moment::Instant(*at), Some(NaiveDate::MIN), Some(day));
        // An instant after the year 9999 is never plausible. If the given day is later than that, the quick test must
        // accept nothing.
        let is_calendar = day.year() <= 9_999;
        let midnight =
            if is_calendar { day.and_time(NaiveTime::MIN).and_utc().timestamp() } else { i64::MIN };
        let is_plain = |moment| self.dates_from.is_none() && is_plain_instant(moment, midnight);
        self.unreadable.is_empty()
            && !self.registered.as_ref().is_some_and(|at| at.timestamp() >= midnight && is_ahead(at))
            && self.dates.iter().all(|(_, moment)| is_plain(*moment) || self.is_date(*moment, day))
    }

    /// The named date, if it can be read on a day. `None` if there is no such date; an error if the date cannot be
    /// read.
    pub(crate) fn date_on(&self, name: &str, day: NaiveDate) -> Result<Option<Moment>, UnreadableDate> {
        let moment = self.dates.get(name).copied();
        let is_named = || self.unreadable.iter().any(|fact| fact.strip_prefix(DATE) == Some(name));
        match moment {
            Some(moment) if !self.is_date(moment, day) => Err(UnreadableDate),
            Some(moment) => Ok(Some(moment)),
            None if !self.unreadable.is_empty() && is_named() => Err(UnreadableDate),
            None => Ok(None),
        }
    }

    /// Whether the store could read the customer's status.
    pub(crate) fn is_status_known(&self) -> bool {
        !self.unreadable.contains("status")
    }

    fn is_date(&self, moment: Moment, on: NaiveDate) -> bool {
        !is_filler(moment) && is_plausible(moment, self.dates_from, Some(on))
    }

    /// Sets the tenants with which the account is connected. The customer's own tenant is always among them.
    pub fn connect(&mut self, tenants: impl IntoIterator<Item = TenantId>) {
        self.connected = tenants.into_iter().chain([self.tenant.clone()]).collect();
        self.tenants = u32::try_from(self.connected.len()).unwrap_or(u32::MAX);
    }

    /// A digest of the facts that the guards check, and of the names of the tenants.
    pub fn revision(&self) -> Revision {
        // Every run computes this several times per customer. So the parts are hashed directly, without JSON. The
        // fixed parts come first. Then come the lists, each preceded by its length, so that the parts of two lists
        // cannot be confused.
        let registered = self.registered.map(|at| (at.timestamp(), at.timestamp_subsec_nanos()));
        let (seconds, nanos) = registered.unwrap_or_default();
        let mut parts = Vec::with_capacity(128);
        parts.extend([u8::from(registered.is_some()), u8::from(self.stand_in)]);
        parts.extend(seconds.to_be_bytes());
        for number in
            [nanos, self.tenants, self.active_subscriptions, self.unpaid_invoices, self.open_disputes]
        {
            parts.extend(number.to_be_bytes());
        }
        let mut list = |texts: &mut dyn ExactSizeIterator<Item = &str>| {
            parts.extend((texts.len() as u64).to_be_bytes());
            for text in texts {
                parts.extend((text.len() as u64).to_be_bytes());
                parts.extend(text.as_bytes());
            }
        };
        list(&mut std::iter::once(self.tenant.as_str()));
        list(&mut self.connected.iter().map(TenantId::as_str));
        list(&mut self.holds.iter().map(|kind| kind.as_str()));
        list(&mut self.states.keys().map(StateName::as_str));
        list(&mut self.unreadable.iter().map(String::as_str));
        parts.extend(self.states.values().map(|up| u8::from(*up)));
        Revision(Digest::of_bytes(&parts))
    }

    /// The facts that a store compares again when it writes.
    pub fn expected(&self) -> Expected {
        Expected { revision: self.revision(), status: self.status }
    }
}

impl fmt::Debug for Customer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Customer")
            .field("tenant", &self.tenant)
            .field("status", &self.status)
            .field("active_subscriptions", &self.active_subscriptions)
            .finish_non_exhaustive()
    }
}

/// The facts that must still be true when a store writes (compare-and-set).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expected {
    /// The [`Customer::revision`] of the facts on which the decision was based.
    pub revision: Revision,
    /// The status at that time, or [`Status::Archived`] after our own deactivation.
    pub status: Status,
}

impl Expected {
    /// Whether the customer is still as expected.
    pub fn holds(&self, customer: &Customer) -> bool {
        *self == customer.expected()
    }
}

/// Values by which a person is found in other places: names, e-mail addresses, numbers.
#[derive(Clone, Default)]
pub struct Identifiers {
    values: Vec<(Kind, String)>,
    /// The hashes of the values, to find duplicates quickly. A customer may have very many values.
    hashes: HashSet<u64>,
}

impl Identifiers {
    /// An empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a value. An empty text and a duplicate are left out.
    pub fn insert(&mut self, kind: Kind, value: impl Into<String>) {
        let value = value.into();
        if value.trim().is_empty() {
            return;
        }
        let is_new =
            self.hashes.insert(BuildHasherDefault::<DefaultHasher>::default().hash_one((&kind, &value)));
        if is_new || !self.values.iter().any(|(k, v)| *k == kind && *v == value) {
            self.values.push((kind, value));
        }
    }

    /// The kind and the value of each identifier.
    pub fn iter(&self) -> impl Iterator<Item = (&Kind, &str)> {
        self.values.iter().map(|(kind, value)| (kind, value.as_str()))
    }

    /// Only the values that identify a person on their own. Values such as a date of birth or a city are left out.
    pub(crate) fn identifying(mut self) -> Self {
        // The hash of a removed value does no harm: it only causes one more comparison.
        self.values.retain(|(kind, _)| kind.identifies());
        self
    }

    /// The number of identifiers.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there are no identifiers.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }
}

impl fmt::Debug for Identifiers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.values.iter().map(|(kind, _)| kind)).finish()
    }
}

/// Where the next page of customers begins. Only the store knows what the cursor contains.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cursor(String);

impl Cursor {
    /// For a store: makes a cursor from a text by which the store finds the place again. For example, the key of the
    /// last customer of the page.
    pub fn new(place: impl Into<String>) -> Self {
        Self(place.into())
    }

    /// For a store: the text that the store gave.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Shows nothing, because a cursor may contain a customer's key.
impl fmt::Debug for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cursor(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The quick test accepts only dates that the full test accepts.
    #[test]
    fn every_fact_is_readable_where_none_is_named_as_unreadable() {
        let days = ["1899-12-31", "1970-01-01", "1970-01-02", "2026-06-15", "2038-01-19", "9999-12-31"];
        let days: Vec<NaiveDate> = days.iter().map(|day| day.parse().unwrap()).collect();
        let mut seconds = vec![i64::from(i32::MAX), i64::from(u32::MAX), 253_402_300_800, -2_208_988_800];
        for around in [0, 86_400, 14 * 3_600, 1_781_481_600, 1_781_568_000, 4_937_155_200, 4_937_241_600] {
            seconds.extend([-900, -1, 0, 1, 900].map(|step| around + step));
        }
        let instants = seconds.iter().filter_map(|at| DateTime::from_timestamp(*at, 0)).map(Moment::Instant);
        let moments: Vec<Moment> = instants.chain(days.iter().copied().map(Moment::Day)).collect();
        let mut readable = [0_u32; 2];
        for on in &days {
            for moment in &moments {
                for from in [None, Some(NaiveDate::MIN), Some(days[3])] {
                    let mut customer = Customer::new("1", "acme");
                    customer.dates_from = from;
                    customer.dates.insert("created".to_owned(), *moment);
                    let mut registered = Customer::new("1", "acme");
                    registered.registered = match moment {
                        Moment::Instant(at) => Some(*at),
                        Moment::Day(_) => None,
                    };
                    for customer in [customer, registered] {
                        let named = customer.unreadable_on(*on).next().is_some();
                        assert_eq!(customer.is_readable_on(*on), !named, "{moment:?} on {on}, from {from:?}");
                        readable[usize::from(named)] += 1;
                    }
                }
            }
        }
        assert!(readable.iter().all(|count| *count > 100), "{readable:?}");
    }

    #[test]
    fn debug_shows_nobody() {
        let mut customer = Customer::new("canary@example.org", "acme");
        customer.gateway_profiles.push(GatewayProfile::new("stripe", "cus_canary"));
        let mut identifiers = Identifiers::new();
        identifiers.insert(Kind::Email, "canary@example.org");
        let shown = format!("{customer:?} {:?} {:?} {identifiers:?}", customer.id, customer.gateway_profiles);
        assert!(!shown.contains("canary"), "{shown}");
        assert!(shown.contains("Email"), "{shown}");
    }

    #[test]
    fn a_revision_notices_a_subscription_and_not_our_own_deactivation() {
        let before = Customer::new("1", "acme");
        let mut after = before.clone();
        after.status = Status::Archived;
        after.gateway_profiles.push(GatewayProfile::new("stripe", "cus_1"));
        assert_eq!(before.revision(), after.revision());
        assert!(!before.expected().holds(&after), "the status is compared beside the revision");
        after.active_subscriptions = 1;
        assert_ne!(before.revision(), after.revision());
    }

    #[test]
    fn no_two_customers_facts_run_together_in_a_revision() {
        let variants: [fn(&mut Customer); 13] = [
            |_| (),
            |c| c.tenant = "acme2".into(),
            |c| c.registered = DateTime::from_timestamp(0, 0),
            |c| c.registered = DateTime::from_timestamp(0, 1),
            |c| c.tenants = 2,
            |c| c.active_subscriptions = 1,
            |c| c.unpaid_invoices = 1,
            |c| c.open_disputes = 1,
            |c| c.holds.extend([HoldKind::LegalClaim]),
            |c| c.states.extend([("legal_claim".into(), false)]),
            |c| c.states.extend([("legal_claim".into(), true)]),
            |c| c.unreadable.extend(["legal_claim".to_owned()]),
            |c| c.stand_in = true,
        ];
        let revisions: Vec<Revision> = variants
            .iter()
            .map(|change| {
                let mut customer = Customer::new("1", "acme");
                change(&mut customer);
                customer.revision()
            })
            .collect();
        for (n, one) in revisions.iter().enumerate() {
            assert!(!revisions.iter().skip(n + 1).any(|other| one == other), "variant {n}");
        }
        let listed = |names: &[&str]| {
            let mut customer = Customer::new("1", "acme");
            customer.unreadable = names.iter().map(|name| (*name).to_owned()).collect();
            customer.revision()
        };
        assert_ne!(listed(&["a", "b"]), listed(&["ab"]));
        assert_ne!(listed(&["a", ""]), listed(&["a"]));
    }
    /// A host's own code may fill in dates that mean "none", and impossible dates.
    #[test]
    fn a_date_that_cannot_be_is_unreadable_whoever_gave_it() {
        let today: NaiveDate = "2026-11-28".parse().unwrap();
        let instant = |text: &str| Moment::Instant(text.parse().unwrap());
        let day = |text: &str| Moment::Day(text.parse().unwrap());
        for (moment, is_read) in [
            (day("2020-01-31"), true),
            (instant("2020-01-31T10:00:00Z"), true),
            (day("1900-01-02"), true),
            (day("1970-01-02"), true),
            (day("2126-11-28"), true),
            (day("2126-11-29"), false),
            (day("1899-12-31"), false),
            (day("0001-01-01"), false),
            (day("1900-01-01"), false),
            (day("1970-01-01"), false),
            (day("9999-12-31"), false),
            (instant("1970-01-01T00:00:00Z"), false),
            (instant("0001-01-01T00:00:00Z"), false),
            (instant("2038-01-19T03:14:07Z"), false),
            (instant("+52971-12-24T00:00:00Z"), false),
        ] {
            let mut customer = Customer::new("1", "acme");
            customer.dates.insert("created".to_owned(), moment);
            let unreadable: Vec<_> = customer.unreadable_on(today).map(Cow::into_owned).collect();
            let expected: &[&str] = if is_read { &[] } else { &["date created"] };
            assert_eq!(unreadable, expected, "{moment:?}");
            let read = customer.date_on("created", today);
            assert_eq!(read, if is_read { Ok(Some(moment)) } else { Err(UnreadableDate) }, "{moment:?}");
            assert_eq!(customer.date_on("deleted", today), Ok(None));
        }
        let mut customer = Customer::new("1", "acme");
        customer.dates_from = Some("1850-01-01".parse().unwrap());
        customer.dates.insert("created".to_owned(), day("1860-05-05"));
        assert_eq!(customer.unreadable_on(today).count(), 0, "the store says that this may be");
        customer.unreadable.insert("date deleted".to_owned());
        assert_eq!(customer.date_on("deleted", today), Err(UnreadableDate));
    }

    #[test]
    fn identifiers_are_kept_once_and_never_empty() {
        let mut identifiers = Identifiers::new();
        for value in ["Ann", "Ann", "", "  "] {
            identifiers.insert(Kind::Name, value);
        }
        assert_eq!(identifiers.len(), 1);
    }
}

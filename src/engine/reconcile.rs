//! Finds profiles that were forgotten at a gateway. Every profile there is compared with the root store.
//!
//! Profiles arrive page by page and are collected into blocks. For each block all customers are read once. So memory
//! holds only one block of profiles and one page of customers.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;

use super::{Engine, Error};
use crate::customer::{AccountId, Customer, CustomerId, GatewayName, ProfileId};
use crate::data_map::Kind;
use crate::digest::Digest;
use crate::gateway::{
    Finding, ListedProfile, MatchedBy, ProfileListing, ProfilePages, ReviewRow, Subscriptions,
};
use crate::ledger::{EntryKey, Find, SubjectToken, TokenOf};
use crate::store::{Page, PageRequest, StoreError};

/// The number of profiles that are compared with the customers at once.
pub(super) const BLOCK: usize = 10_000;

/// A running reconciliation. Ask for the [next](Self::next) rows until there are none.
pub struct Reconciliation<'e> {
    engine: &'e Engine,
    gateway: GatewayName,
    account: Option<AccountId>,
    pages: Box<dyn ProfilePages>,
    waiting: Vec<ListedProfile>,
    ended: bool,
    listed: u64,
    /// Customers who own profiles of earlier blocks, and who have no link to their profile. Stored as hashes of eight
    /// bytes.
    seen: HashSet<u64>,
}

impl fmt::Debug for Reconciliation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reconciliation")
            .field("gateway", &self.gateway)
            .field("listed", &self.listed)
            .finish_non_exhaustive()
    }
}

impl Engine {
    /// Compares every profile of a gateway, or of an export, with the root store, and finds forgotten profiles.
    /// Touches nothing. It finds:
    ///
    /// * orphans;
    /// * profiles of customers who are archived or were erased;
    /// * profiles whose subscriptions have all ended;
    /// * duplicates;
    /// * profiles whose owner is unclear.
    ///
    /// A person has to check the result. Write it with a [`ReviewWriter`](crate::gateway::ReviewWriter), read the
    /// confirmed rows with [`Review::from_csv`](crate::gateway::Review::from_csv), and pass the approved review to
    /// [`erase_profiles`](Self::erase_profiles).
    ///
    /// # Errors
    /// [`Error::NoSuchGateway`] if the engine has no adapter of the listing's name, or a gateway out of reach.
    pub async fn reconcile(&self, listing: &dyn ProfileListing) -> Result<Reconciliation<'_>, Error> {
        let gateway = listing.gateway().clone();
        let adapter = self.parts.gateways.get(&gateway);
        let adapter = adapter.ok_or_else(|| Error::NoSuchGateway { gateway: gateway.clone() })?;
        let account = self.again(|| adapter.account()).await?;
        let pages = self.again(|| listing.list()).await?;
        Ok(Reconciliation {
            engine: self,
            gateway,
            account,
            pages,
            waiting: Vec::new(),
            ended: false,
            listed: 0,
            seen: HashSet::new(),
        })
    }
}

impl Reconciliation<'_> {
    /// The number of profiles listed so far.
    pub fn listed(&self) -> u64 {
        self.listed
    }

    /// The next rows. The list may be empty if nothing was forgotten in a block. `None` after the last profile.
    ///
    /// # Errors
    /// A gateway, store or ledger out of reach. The listed profiles are kept: call this again.
    pub async fn next(&mut self) -> Result<Option<Vec<ReviewRow>>, Error> {
        while !self.ended && self.waiting.len() < BLOCK {
            match self.pages.next().await? {
                Some(page) => {
                    self.listed += page.len() as u64;
                    self.waiting.extend(page);
                }
                None => self.ended = true,
            }
        }
        if self.waiting.is_empty() {
            return Ok(None);
        }
        let matched = self.engine.match_block(&self.gateway, &self.waiting).await?;
        let block = std::mem::take(&mut self.waiting);
        let earlier = self.seen.clone();
        for one in &matched {
            if let Some((customer, by)) = &one.customer
                && *by != MatchedBy::Link
            {
                self.seen.insert(short(&customer.id));
            }
        }
        let mut profiles_of: HashMap<&CustomerId, u32> = HashMap::new();
        for (customer, _) in matched.iter().filter_map(|one| one.customer.as_ref()) {
            *profiles_of.entry(&customer.id).or_default() += 1;
        }
        let mut rows = Vec::new();
        for (listed, one) in block.into_iter().zip(&matched) {
            let mut findings = one.findings(&listed);
            if let Some((customer, by)) = &one.customer {
                let links =
                    customer.gateway_profiles.iter().filter(|link| link.gateway == self.gateway).count();
                let here = profiles_of.get(&customer.id).copied().unwrap_or(0);
                let before = *by != MatchedBy::Link && earlier.contains(&short(&customer.id));
                if here > 1 || links > usize::from(*by == MatchedBy::Link) || before {
                    findings.insert(Finding::Double);
                }
            }
            if findings.is_empty() {
                continue;
            }
            let (active, ended) = match listed.subscriptions {
                Subscriptions::Counted { active, ended } => (Some(active), Some(ended)),
                Subscriptions::NoneNow => (Some(0), None),
                Subscriptions::NotTold => (None, None),
            };
            rows.push(ReviewRow {
                gateway: self.gateway.clone(),
                account: self.account.clone(),
                profile: listed.id,
                findings,
                customer: one
                    .customer
                    .as_ref()
                    .map(|(customer, by)| (customer.id.clone(), customer.tenant.clone(), *by)),
                named_owner: listed.owner,
                active_subscriptions: active,
                ended_subscriptions: ended,
                email: listed.email,
            });
        }
        Ok(Some(rows))
    }
}

/// A hash of a customer's id, of eight bytes.
fn short(customer: &CustomerId) -> u64 {
    let digest = Digest::of_bytes(customer.as_str().as_bytes());
    let mut bytes = [0; 8];
    bytes.iter_mut().zip(digest.as_bytes()).for_each(|(to, from)| *to = *from);
    u64::from_be_bytes(bytes)
}

/// An address in the form in which nearly all mail servers compare addresses.
fn address(text: &str) -> String {
    text.trim().to_lowercase()
}

/// What the store and the ledger say about one profile.
#[derive(Default)]
pub(super) struct Matched {
    /// The owner of the profile.
    pub(super) customer: Option<(Customer, MatchedBy)>,
    /// Whether the profile may belong to several customers.
    pub(super) ambiguous: bool,
    /// Whether the customer or the profile was erased.
    erased: bool,
}

impl Matched {
    pub(super) fn findings(&self, listed: &ListedProfile) -> BTreeSet<Finding> {
        let mut findings = BTreeSet::new();
        if self.ambiguous {
            findings.insert(Finding::Ambiguous);
        }
        match &self.customer {
            _ if self.erased => {
                findings.insert(Finding::OwnerErased);
            }
            Some((customer, _)) if customer.status.is_archived() => {
                findings.insert(Finding::OwnerArchived);
            }
            None if !self.ambiguous => {
                findings.insert(Finding::Orphan);
            }
            Some(_) | None => {}
        }
        match listed.subscriptions {
            Subscriptions::Counted { active: 0, ended } if ended > 0 => {
                findings.insert(Finding::SubscriptionsEnded);
            }
            Subscriptions::NoneNow => {
                findings.insert(Finding::NoSubscription);
            }
            Subscriptions::Counted { .. } | Subscriptions::NotTold => {}
        }
        findings
    }
}

/// Customers who may own one profile. At most two are kept, because two already make the profile ambiguous.
#[derive(Default)]
struct Candidates {
    linked: Vec<Customer>,
    named: Option<Customer>,
    emailed: Vec<Customer>,
}

impl Candidates {
    fn decide(self, owner: Option<&CustomerId>) -> Matched {
        let mut linked = self.linked.into_iter();
        match (linked.next(), linked.next(), self.named) {
            (Some(_), Some(_), _) => Matched { ambiguous: true, ..Matched::default() },
            (Some(customer), None, _) => {
                let ambiguous = owner.is_some_and(|owner| *owner != customer.id);
                Matched { customer: Some((customer, MatchedBy::Link)), ambiguous, erased: false }
            }
            (None, _, Some(customer)) => {
                Matched { customer: Some((customer, MatchedBy::Name)), ..Matched::default() }
            }
            // The gateway names a customer who does not exist. A matching address is no evidence against that.
            (None, _, None) if owner.is_some() => Matched::default(),
            (None, _, None) => {
                let mut emailed = self.emailed.into_iter();
                match (emailed.next(), emailed.next()) {
                    (Some(_), Some(_)) => Matched { ambiguous: true, ..Matched::default() },
                    (customer, _) => Matched {
                        customer: customer.map(|customer| (customer, MatchedBy::Email)),
                        ..Matched::default()
                    },
                }
            }
        }
    }
}

fn push(customers: &mut Vec<Customer>, customer: &Customer) {
    if customers.len() < 2 && !customers.iter().any(|known| known.id == customer.id) {
        customers.push(customer.clone());
    }
}

impl Engine {
    /// Finds the owner of each profile: by link, then by the name at the gateway, then by address.
    pub(super) async fn match_block(
        &self,
        gateway: &GatewayName,
        block: &[ListedProfile],
    ) -> Result<Vec<Matched>, Error> {
        let by_id: HashMap<&ProfileId, usize> =
            block.iter().enumerate().map(|(n, profile)| (&profile.id, n)).collect();
        let mut by_owner: HashMap<&CustomerId, Vec<usize>> = HashMap::new();
        let mut by_address: HashMap<String, Vec<usize>> = HashMap::new();
        for (n, profile) in block.iter().enumerate() {
            if let Some(owner) = &profile.owner {
                by_owner.entry(owner).or_default().push(n);
            } else if let Some(email) = &profile.email {
                by_address.entry(address(email)).or_default().push(n);
            }
        }
        let mut candidates: Vec<Candidates> = block.iter().map(|_| Candidates::default()).collect();
        let mut after = None;
        loop {
            let request = PageRequest::new(self.parts.batch).after(after);
            let Page { customers, next, .. } = self.parts.store.page(&request).await?;
            let addresses = self.addresses(&customers, by_address.is_empty()).await?;
            for (customer, addresses) in customers.iter().zip(addresses) {
                for link in customer.gateway_profiles.iter().filter(|link| link.gateway == *gateway) {
                    if let Some(found) = by_id.get(&link.id).and_then(|n| candidates.get_mut(*n)) {
                        push(&mut found.linked, customer);
                    }
                }
                for n in by_owner.get(&customer.id).into_iter().flatten() {
                    if let Some(found) = candidates.get_mut(*n) {
                        found.named = Some(customer.clone());
                    }
                }
                for n in addresses.iter().filter_map(|address| by_address.get(address)).flatten() {
                    if let Some(found) = candidates.get_mut(*n) {
                        push(&mut found.emailed, customer);
                    }
                }
            }
            if next.is_none() {
                break;
            }
            after = next;
        }
        let mut matched: Vec<Matched> = candidates
            .into_iter()
            .zip(block)
            .map(|(found, profile)| found.decide(profile.owner.as_ref()))
            .collect();
        self.find_erased(gateway, block, &mut matched).await?;
        Ok(matched)
    }

    /// The e-mail addresses of customers. Empty lists if no profile of the block has an address.
    async fn addresses(&self, customers: &[Customer], nobody_asks: bool) -> Result<Vec<Vec<String>>, Error> {
        if nobody_asks {
            return Ok(customers.iter().map(|_| Vec::new()).collect());
        }
        let ids: Vec<CustomerId> = customers.iter().map(|customer| customer.id.clone()).collect();
        let answers = self.parts.store.identifiers(&ids).await?;
        if answers.len() != ids.len() {
            let what = "the store did not answer for every customer";
            return Err(StoreError::failed("reading identifiers", what).into());
        }
        let mut list = Vec::with_capacity(answers.len());
        for answer in answers {
            let identifiers = answer?;
            let emails = identifiers.iter().filter(|(kind, _)| **kind == Kind::Email);
            list.push(emails.map(|(_, value)| address(value)).collect());
        }
        Ok(list)
    }

    /// Which of these profiles the ledger knows as erased, either the customer or the profile itself.
    async fn find_erased(
        &self,
        gateway: &GatewayName,
        block: &[ListedProfile],
        matched: &mut [Matched],
    ) -> Result<(), Error> {
        for (profiles, matched) in block.chunks(self.parts.batch).zip(matched.chunks_mut(self.parts.batch)) {
            let customers: Vec<&Customer> = matched
                .iter()
                .filter_map(|one| one.customer.as_ref().map(|(customer, _)| customer))
                .collect();
            let before = self.treated_before(&customers).await?;
            let of = profiles.iter().map(|profile| TokenOf::Profile {
                gateway: gateway.clone(),
                profile: Digest::of_bytes(profile.id.as_str().as_bytes()),
            });
            let tokens = self.all_tokens(&of.collect::<Vec<_>>()).await?;
            let tokens: HashMap<SubjectToken, usize> = tokens.into_iter().collect();
            let asked: Vec<EntryKey> = tokens.keys().copied().map(EntryKey::profile).collect();
            let mut known = HashSet::new();
            for entry in self.parts.ledger.find(&Find::all(asked)).await? {
                known.extend(entry.profiles().filter_map(|token| tokens.get(&token).copied()));
            }
            for (n, one) in matched.iter_mut().enumerate() {
                let treated = one.customer.as_ref().and_then(|(customer, _)| before.get(&customer.id));
                one.erased = treated.is_some_and(|before| !before.treated.is_empty()) || known.contains(&n);
            }
        }
        Ok(())
    }
}

//! Finds tenants without customers in a policy or a call. Such a name is probably misspelled, so it is an error.
//! Otherwise a plan would be empty, and a check would pass.

use std::collections::{BTreeMap, BTreeSet};

use super::expiry::Pages;
use super::{BATCH, Engine, Error};
use crate::customer::{Customer, TenantId};
use crate::document::{Problem, Problems, join, nearest};
use crate::policy::Policy;
use crate::store::CustomerStore;

/// The number of tenants of the store that an error names, if none has a similar name.
const NAMED: usize = 8;

/// The named tenants for which no customer was found so far. Its size depends on the number of named tenants, not on
/// the store.
pub(super) struct Sought {
    missing: BTreeMap<TenantId, Missing>,
    /// Some tenants of the store.
    some: BTreeSet<TenantId>,
    /// Whether there are more tenants than these.
    more: bool,
}

struct Missing {
    path: String,
    in_policy: bool,
    nearest: Option<TenantId>,
}

impl Sought {
    /// The tenants of a policy's entries, and the tenants that were asked for.
    pub(super) fn new<'t>(policy: &Policy, asked: impl IntoIterator<Item = &'t TenantId>) -> Self {
        let missing = |path, in_policy| Missing { path, in_policy, nearest: None };
        let of_policy =
            policy.tenants().map(|tenant| (tenant.clone(), missing(join("tenants", tenant.as_str()), true)));
        let asked =
            asked.into_iter().map(|tenant| (tenant.clone(), missing(format!("tenant {tenant}"), false)));
        // If the policy names a tenant that was asked for, the error points to the policy.
        Self { missing: asked.chain(of_policy).collect(), some: BTreeSet::new(), more: false }
    }

    /// Only the tenants that were asked for.
    pub(super) fn only<'t>(asked: impl IntoIterator<Item = &'t TenantId>) -> Self {
        let missing =
            |tenant: &TenantId| Missing { path: format!("tenant {tenant}"), in_policy: false, nearest: None };
        let missing = asked.into_iter().map(|tenant| (tenant.clone(), missing(tenant)));
        Self { missing: missing.collect(), some: BTreeSet::new(), more: false }
    }

    /// Whether every tenant was found.
    pub(super) fn is_settled(&self) -> bool {
        self.missing.is_empty()
    }

    /// Removes the tenants of some customers.
    pub(super) fn meet(&mut self, customers: &[Customer]) {
        if self.is_settled() {
            return;
        }
        let met: BTreeSet<&TenantId> = customers
            .iter()
            .flat_map(|facts| std::iter::once(&facts.tenant).chain(&facts.connected))
            .filter(|tenant| !tenant.as_str().is_empty())
            .collect();
        for tenant in met {
            self.missing.remove(tenant);
            for (name, missing) in &mut self.missing {
                let known = missing.nearest.as_ref().map(TenantId::as_str);
                let near = nearest(name.as_str(), known.into_iter().chain([tenant.as_str()]));
                missing.nearest = near.map(TenantId::from);
            }
            if self.some.len() < NAMED {
                self.some.insert(tenant.clone());
            } else {
                self.more |= !self.some.contains(tenant);
            }
        }
    }

    /// Ends the search: a tenant that is still missing is an error.
    pub(super) fn settle(self) -> Result<(), Error> {
        let Self { missing, some, more } = self;
        let problems = missing.into_values().map(|Missing { path, in_policy, nearest }| {
            let names: Vec<&str> = some.iter().map(TenantId::as_str).collect();
            let mut way_out = match nearest {
                Some(near) => format!("did you mean {near}?"),
                None if names.is_empty() => "the store has no customer whose tenant can be read".to_owned(),
                None => {
                    format!("the store has: {}{}", names.join(", "), if more { " and others" } else { "" })
                }
            };
            if in_policy {
                way_out.push_str(if way_out.ends_with('?') { " Otherwise " } else { "; " });
                way_out.push_str("leave the entry out until the tenant has customers");
            }
            Problem::new(path, "no customer of the store has this tenant", way_out)
        });
        Problems::none_or(problems.collect()).map_err(Error::NoSuchTenant)
    }
}

impl Engine {
    /// Checks that every tenant with an entry in the policy has a customer. An entry under a misspelled name applies
    /// to nobody. The intended tenant would then get the general rules.
    ///
    /// The engine reads all customers for this, batch by batch, and stops when every tenant was found. So adapters
    /// need no method to list tenants. Building an engine reads no row. [`plan_expiry`](Self::plan_expiry) and
    /// [`impact`](Self::impact) include this check, because they read all customers anyway. A host calls this when it
    /// checks its map and policy, and before a sweep.
    ///
    /// # Errors
    /// [`Error::NoSuchTenant`] with each of them, or a store out of reach.
    pub async fn check_tenants(&self) -> Result<(), Error> {
        self.look_for(Sought::new(&self.parts.policy, [])).await
    }

    /// Searches all customers for tenants.
    pub(super) async fn look_for(&self, sought: Sought) -> Result<(), Error> {
        look_for(&*self.parts.store, self.parts.batch, sought).await
    }
}

/// Does the same as [`Engine::check_tenants`], for a host that has a store and a policy, but no engine yet.
///
/// # Errors
/// [`Error::NoSuchTenant`] with each of them, or a store out of reach.
pub async fn check_tenants(store: &dyn CustomerStore, policy: &Policy) -> Result<(), Error> {
    look_for(store, BATCH, Sought::new(policy, [])).await
}

/// Searches all customers, including the "Unknown Customers".
async fn look_for(store: &dyn CustomerStore, limit: usize, mut sought: Sought) -> Result<(), Error> {
    let mut pages = Pages::new();
    while !sought.is_settled()
        && let Some(page) = pages.next(store, limit).await?
    {
        sought.meet(&page);
    }
    sought.settle()
}

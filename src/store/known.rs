//! What a root store knows about customers, for the stores beside it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::customer::{CustomerId, Identifiers, TenantId};
use crate::data_map::{FieldName, Value};

/// What the root store knows of a customer, for a store beside it. `Debug` shows no value.
#[derive(Clone)]
#[non_exhaustive]
pub struct Known {
    /// The customer's tenant.
    pub tenant: TenantId,
    /// The values of the fields by which the other store knows the customer, besides the key.
    pub values: BTreeMap<FieldName, Value>,
    /// The values for which the texts of the other store are searched. Empty if the customer's own values are erased, or
    /// if no text is searched.
    pub identifiers: Identifiers,
    /// The identifiers of which the treatment erases every copy in the root store. A store that looks for leftovers
    /// also looks for these.
    pub erased: Identifiers,
}

impl Known {
    /// A customer of a tenant, with no other knowledge.
    pub fn of(tenant: TenantId) -> Self {
        let (identifiers, erased) = (Identifiers::new(), Identifiers::new());
        Self { tenant, values: BTreeMap::new(), identifiers, erased }
    }
}

impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Known")
            .field("fields", &self.values.keys())
            .field("identifiers", &self.identifiers.len())
            .finish_non_exhaustive()
    }
}

/// What the root store knows of the customers of a request. Empty for a root store.
pub type KnownCustomers = Arc<BTreeMap<CustomerId, Known>>;

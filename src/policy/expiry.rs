//! What goes by its own age: records that expire, whoever they belong to.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use super::{Duty, Period};
use crate::data_map::{ClassName, FieldName};
use crate::treatment::{Ownerless, Treatment};

/// When records expire.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum After {
    /// So long after their own date: from the first day on which the period is over.
    Age {
        /// The field with the record's date: its own, or that of the record from which it hangs.
        from: FieldName,
        /// How long.
        period: Period,
    },
    /// When the last duty on them has ended.
    Duty,
}

impl fmt::Display for After {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Age { from, period } => write!(f, "{period} after {from}"),
            Self::Duty => f.write_str("when the last duty has ended"),
        }
    }
}

/// The records that expire by their age or when their last duty ends, as it is in force for a tenant.
#[derive(Clone, Debug)]
pub struct Expiry {
    pub(super) rules: BTreeMap<ClassName, After>,
    pub(super) treatment: Arc<Treatment>,
    /// What keeps a record: duties, and ages that it has not reached.
    pub(super) keeps: Vec<Duty>,
}

impl Expiry {
    /// By class, when its records expire.
    pub fn rules(&self) -> &BTreeMap<ClassName, After> {
        &self.rules
    }

    /// What is done to them. It does nothing to the classes that do not expire; stores get it
    /// [dated](super::Effective::expiry_at).
    pub fn treatment(&self) -> &Arc<Treatment> {
        &self.treatment
    }
}

/// The records that expire because their owner is gone. There is no tenant whose they are: it is the same for all, and a
/// duty of any tenant keeps them.
#[derive(Clone, Debug)]
pub struct OwnerlessExpiry {
    pub(super) rules: BTreeMap<ClassName, Ownerless>,
    /// Classes of which the policy does not say it: their records may be found by a value, and expire by age or after a duty.
    pub(super) implied: BTreeSet<ClassName>,
    /// What has to be over beside, for whatever tenant.
    pub(super) after: BTreeMap<ClassName, Vec<After>>,
    pub(super) treatment: Arc<Treatment>,
    /// The ages that records have to reach.
    pub(super) ages: Vec<Duty>,
}

impl OwnerlessExpiry {
    /// By class, which of its records count. A class of which the policy does not say it is here, too, where its records may
    /// be found by a value and expire by their age or after a duty: what no customer has expires with them.
    pub fn rules(&self) -> &BTreeMap<ClassName, Ownerless> {
        &self.rules
    }

    /// The same as far as the policy says it.
    pub(crate) fn said(&self, class: &ClassName) -> Option<Ownerless> {
        self.rules.get(class).copied().filter(|_| !self.implied.contains(class))
    }

    /// By class, the ages that a record has to reach as well, and the duties that have to be over: of every tenant, because the
    /// record may be any tenant's.
    pub fn after(&self) -> &BTreeMap<ClassName, Vec<After>> {
        &self.after
    }

    /// What is done to them. Stores get it [dated](super::Policy::ownerless_at).
    pub fn treatment(&self) -> &Arc<Treatment> {
        &self.treatment
    }
}

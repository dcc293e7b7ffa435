//! Expiry: records that are erased by their own age, whoever they belong to.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use super::Period;
use super::keeper::Age;
use crate::data_map::{ClassName, FieldName};
use crate::treatment::{Ownerless, Treatment};

/// When records expire.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum After {
    /// At an age, counted from the record's own date. The record expires on the first day on which the period is
    /// over.
    Age {
        /// The field with the record's date: its own, or that of the record from which it hangs.
        from: FieldName,
        /// The period.
        period: Period,
    },
    /// When the last duty on the record has ended.
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

/// The rules for records that expire by age or when their last duty ends, as in force for a tenant.
#[derive(Clone, Debug)]
pub struct Expiry {
    pub(super) rules: BTreeMap<ClassName, After>,
    pub(super) treatment: Arc<Treatment>,
    /// The ages that records have to reach.
    pub(super) ages: Vec<Age>,
}

impl Expiry {
    /// When the records expire, by class.
    pub fn rules(&self) -> &BTreeMap<ClassName, After> {
        &self.rules
    }

    /// What is done to expired records. The treatment keeps the classes that do not expire. Stores get it
    /// [dated](super::Effective::expiry_at).
    pub fn treatment(&self) -> &Arc<Treatment> {
        &self.treatment
    }
}

/// The rules for records that expire because their owner is gone. Such records belong to no tenant. So the rules are
/// the same for all tenants, and a duty of any tenant keeps a record.
#[derive(Clone, Debug)]
pub struct OwnerlessExpiry {
    pub(super) rules: BTreeMap<ClassName, Ownerless>,
    /// Classes whose rule is implied: the policy gives an age or a duty, and their records may be found by a value.
    pub(super) implied: BTreeSet<ClassName>,
    /// Ages and duties that must be over as well, for every tenant.
    pub(super) after: BTreeMap<ClassName, Vec<After>>,
    pub(super) treatment: Arc<Treatment>,
    /// The ages that records have to reach.
    pub(super) ages: Vec<Age>,
}

impl OwnerlessExpiry {
    /// Which records count as ownerless, by class. Also contains implied classes: classes that expire by age or after
    /// a duty, and whose records may be found by a value. Their records without a customer expire, too.
    pub fn rules(&self) -> &BTreeMap<ClassName, Ownerless> {
        &self.rules
    }

    /// The rule for a class, if the policy itself says it.
    pub(crate) fn said(&self, class: &ClassName) -> Option<Ownerless> {
        self.rules.get(class).copied().filter(|_| !self.implied.contains(class))
    }

    /// The ages that a record has to reach as well, and the duties that have to be over, by class. Those of every
    /// tenant count, because the record may belong to any tenant.
    pub fn after(&self) -> &BTreeMap<ClassName, Vec<After>> {
        &self.after
    }

    /// What is done to the records. Stores get it [dated](super::Policy::ownerless_at).
    pub fn treatment(&self) -> &Arc<Treatment> {
        &self.treatment
    }
}

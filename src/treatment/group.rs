//! The smallest group. Values that stay in general form must be shared by enough customers, so that they identify
//! nobody.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::{ClassTreatment, Standing, Treatment};
use crate::anonymise::{Generalisation, Reveals, Strategy};
use crate::customer::TenantId;
use crate::data_map::{ClassName, FieldName, Record, Value};

/// The number of customers of a tenant who have to share the kept values of one customer, and what is written if
/// fewer do.
///
/// 1. If too few share the values, each field is made one step [more general](Self::coarser). A field without such a
///    step is cleared.
/// 2. If too few share even these values, all fields are [cleared](Self::fields).
///
/// The customers are counted before anything is written. A customer counts if the customer's own record has the same
/// values in all of these fields, or would have the same values after generalisation. Customers who were erased
/// before count, too. The "Unknown Customer" does not count. So the result depends only on the fields that stay, and
/// never on erased values.
///
/// A value that is general already does not change again: [`Generalisation::coarser`] promises that. So two customers
/// who share the coarser value still share it after one of them is erased, in any order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SmallestGroup {
    pub(crate) least: u32,
    pub(crate) fields: BTreeMap<FieldName, Strategy>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) coarser: BTreeMap<FieldName, Generalisation>,
}

impl SmallestGroup {
    /// The smallest number of customers.
    pub fn least(&self) -> u32 {
        self.least
    }

    /// The fields that are compared together, each with the strategy that clears it.
    pub fn fields(&self) -> &BTreeMap<FieldName, Strategy> {
        &self.fields
    }

    /// The fields that have a more general step, each with that step. If this is empty, all fields are cleared at
    /// once.
    pub fn coarser(&self) -> &BTreeMap<FieldName, Generalisation> {
        &self.coarser
    }

    /// The strategies for the fields of the group, for a record with a given [standing](Standing). They replace the
    /// usual strategies.
    pub(crate) fn written(&self, standing: Standing) -> BTreeMap<FieldName, Strategy> {
        let step = |(field, cleared): (&FieldName, &Strategy)| {
            let strategy = match self.coarser.get(field) {
                Some(to) => Strategy::Generalise { to: *to, otherwise: Box::new(cleared.clone()) },
                None => cleared.clone(),
            };
            (field.clone(), strategy)
        };
        match standing {
            Standing::Rare => self.fields.iter().map(step).collect(),
            Standing::Alone => self.fields.clone(),
            Standing::Free | Standing::Kept | Standing::Needed => BTreeMap::new(),
        }
    }
}

/// A value that customers may share, in the form in which it stays.
#[derive(Clone, Debug, PartialEq)]
pub struct SharedField {
    /// The field.
    pub field: FieldName,
    /// How the value is made general before the comparison. `None` if it stays as it is.
    pub general: Option<Generalisation>,
    /// The general value. NULL if the value cannot be made general.
    pub value: Value,
}

/// The values that stay of one customer. The store counts how many customers share them.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Group {
    /// The tenant whose customers are counted.
    pub tenant: TenantId,
    /// The class of the customers' own records.
    pub class: ClassName,
    /// The values that they share.
    pub fields: Vec<SharedField>,
    /// The day of the erasure, because ages depend on it.
    pub day: NaiveDate,
    /// The smallest number of customers. A count may stop at this number.
    pub least: u32,
}

impl Group {
    /// Whether a customer's own record is in the group.
    pub fn has(&self, record: &Record) -> bool {
        record.class == self.class
            && self.fields.iter().all(|shared| {
                as_it_stays(shared.general, record.get(shared.field.as_str()), self.day) == shared.value
            })
    }
}

/// A value as it stays. A value that cannot be made general is erased, so the result is NULL.
pub(crate) fn as_it_stays(general: Option<Generalisation>, value: &Value, day: NaiveDate) -> Value {
    general.map_or_else(|| value.clone(), |general| general.apply(value, day).unwrap_or(Value::Null))
}

impl ClassTreatment {
    /// The smallest group, if the policy asks for one.
    pub fn smallest_group(&self) -> Option<&SmallestGroup> {
        self.smallest_group.as_ref()
    }

    /// How a field of the group is made general. `None` if the field stays as it is.
    pub(crate) fn general(&self, field: &FieldName) -> Option<Generalisation> {
        match self.fields.get(field).map(Strategy::reveals) {
            Some(Reveals::Only(general)) => Some(general),
            _ => None,
        }
    }
}

impl Treatment {
    /// Whether a smallest group has to be counted.
    pub(crate) fn counts_groups(&self) -> bool {
        self.classes.values().any(|class| class.smallest_group.is_some())
    }

    /// The values that stay of a customer's own record. The store counts the customers who share them. `None` if
    /// nothing has to be counted.
    pub fn group(&self, record: &Record, tenant: &TenantId, day: NaiveDate) -> Option<Group> {
        let class = self.classes.get(&record.class)?;
        let smallest = class.smallest_group.as_ref()?;
        let shared = |field: &FieldName| {
            let general = class.general(field);
            let value = as_it_stays(general, record.get(field.as_str()), day);
            SharedField { field: field.clone(), general, value }
        };
        Some(Group {
            tenant: tenant.clone(),
            class: record.class.clone(),
            fields: smallest.fields.keys().map(shared).collect(),
            day,
            least: smallest.least,
        })
    }

    /// The values that stay, one step more general. The store counts the customers who share them if too few are in
    /// the [group](Self::group). The count decides between [`Standing::Rare`] and [`Standing::Alone`]. `None` if
    /// there is no such step.
    pub fn coarser_group(&self, record: &Record, tenant: &TenantId, day: NaiveDate) -> Option<Group> {
        let smallest = self.classes.get(&record.class)?.smallest_group.as_ref()?;
        let shared = |(field, coarser): (&FieldName, &Generalisation)| {
            let general = Some(*coarser);
            let value = as_it_stays(general, record.get(field.as_str()), day);
            SharedField { field: field.clone(), general, value }
        };
        (!smallest.coarser.is_empty()).then(|| Group {
            tenant: tenant.clone(),
            class: record.class.clone(),
            fields: smallest.coarser.iter().map(shared).collect(),
            day,
            least: smallest.least,
        })
    }

    /// Whether a record whose values too few customers share still has a value to generalise or to clear.
    pub fn singles_out(&self, record: &Record, standing: Standing) -> bool {
        let smallest = self.classes.get(&record.class).and_then(|class| class.smallest_group.as_ref());
        smallest.is_some_and(|smallest| {
            let written = smallest.written(standing);
            written.iter().any(|(field, strategy)| !strategy.holds(record.get(field.as_str())))
        })
    }
}

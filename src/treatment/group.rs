//! The smallest group: what stays in general form must be shared by enough customers to single nobody out.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::{ClassTreatment, Standing, Treatment};
use crate::anonymise::{Generalisation, Reveals, Strategy};
use crate::customer::TenantId;
use crate::data_map::{ClassName, FieldName, Record, Value};

/// How many customers of a tenant have to share what stays of one, and what is written where fewer do: first each of the
/// fields one step [more general](Self::coarser), where it has such a step, and the others cleared; where too few share
/// even that, all are [cleared](Self::fields).
///
/// The customers are counted before anything is written: everybody in the tenant whose own record has, or would have
/// once it is made general, the same values in all of these fields; those who were erased before among them, the
/// "Unknown Customer" not. So what is written depends on the fields that stay alone, and never on what is erased.
///
/// Nobody is made general twice: a step keeps what [`Generalisation::coarser`] promises. So whoever shared the coarser
/// value with a customer before still does once that one, or the other, is erased, in whatever order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SmallestGroup {
    pub(crate) least: u32,
    pub(crate) fields: BTreeMap<FieldName, Strategy>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) coarser: BTreeMap<FieldName, Generalisation>,
}

impl SmallestGroup {
    /// How many customers at least.
    pub fn least(&self) -> u32 {
        self.least
    }

    /// The fields that have to be shared together, and what clears each of them.
    pub fn fields(&self) -> &BTreeMap<FieldName, Strategy> {
        &self.fields
    }

    /// Those of the fields that have a step more general, and that step. Empty: there is none, and all are cleared at once.
    pub fn coarser(&self) -> &BTreeMap<FieldName, Generalisation> {
        &self.coarser
    }

    /// What is written to each field of a record that [stands](Standing) so, in place of what is written otherwise.
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

/// A value that customers may share, as it stays.
#[derive(Clone, Debug, PartialEq)]
pub struct SharedField {
    /// The field.
    pub field: FieldName,
    /// How a value is made general before it is compared; none where it stays as it is.
    pub general: Option<Generalisation>,
    /// What it comes to: NULL where it cannot be made general.
    pub value: Value,
}

/// What stays of one customer, to count how many share it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Group {
    /// Whose customers are counted.
    pub tenant: TenantId,
    /// The class of the customers' own records.
    pub class: ClassName,
    /// What they share.
    pub fields: Vec<SharedField>,
    /// The day of the erasure: an age depends on it.
    pub day: NaiveDate,
    /// How many it takes. A count may stop there.
    pub least: u32,
}

impl Group {
    /// Whether a customer's own record is in it.
    pub fn has(&self, record: &Record) -> bool {
        record.class == self.class
            && self.fields.iter().all(|shared| {
                as_it_stays(shared.general, record.get(shared.field.as_str()), self.day) == shared.value
            })
    }
}

/// A value as it stays. What cannot be made general goes, so it is NULL here.
pub(crate) fn as_it_stays(general: Option<Generalisation>, value: &Value, day: NaiveDate) -> Value {
    general.map_or_else(|| value.clone(), |general| general.apply(value, day).unwrap_or(Value::Null))
}

impl ClassTreatment {
    /// How many customers have to share what stays, if anybody asks for it.
    pub fn smallest_group(&self) -> Option<&SmallestGroup> {
        self.smallest_group.as_ref()
    }

    /// How a field of the group is made general; none where it stays as it is.
    pub(crate) fn general(&self, field: &FieldName) -> Option<Generalisation> {
        match self.fields.get(field).map(Strategy::reveals) {
            Some(Reveals::Only(general)) => Some(general),
            _ => None,
        }
    }
}

impl Treatment {
    /// Whether customers have to be counted who share what stays.
    pub(crate) fn counts_groups(&self) -> bool {
        self.classes.values().any(|class| class.smallest_group.is_some())
    }

    /// What stays of a customer's own record, to count how many share it. None where nobody has to be counted.
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

    /// What of it is left one step more general, to count how many share that: it tells [`Standing::Rare`] from
    /// [`Standing::Alone`] where too few are in the [group](Self::group). None where there is no such step.
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

    /// Whether there is something left to make more general or to clear in a record that too few customers are like.
    pub fn singles_out(&self, record: &Record, standing: Standing) -> bool {
        let smallest = self.classes.get(&record.class).and_then(|class| class.smallest_group.as_ref());
        smallest.is_some_and(|smallest| {
            let written = smallest.written(standing);
            written.iter().any(|(field, strategy)| !strategy.holds(record.get(field.as_str())))
        })
    }
}

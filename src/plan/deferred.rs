//! What duties defer, calculated from the counted records.

use std::collections::BTreeMap;

use chrono::NaiveDate;

use crate::data_map::{ClassName, FieldName};
use crate::policy::{Deferred, DeferredBy, Duty, Effective};
use crate::treatment::{Kept, Tally};

impl Deferred {
    /// What duties defer of the counted records, and of the customer's fields in records of others.
    pub(crate) fn counted(policy: &Effective, tally: &Tally) -> Vec<Self> {
        let kept = tally.kept_in_all().into_iter().filter(|(_, kept)| kept.rows > 0);
        kept.map(|(class, kept)| {
            let latest = |_: &Duty, field: &FieldName| kept.latest.get(field).copied();
            let free_from = free_from(policy, &class, &kept);
            let found = Self::of(policy, &class, kept.rows, latest);
            Self { free_from, unreadable: kept.unreadable, ..found }
        })
        .collect()
    }

    fn of(
        policy: &Effective,
        class: &ClassName,
        rows: u64,
        latest: impl Fn(&Duty, &FieldName) -> Option<NaiveDate>,
    ) -> Self {
        let on_class = policy.duties().iter().filter_map(|duty| Some((duty, duty.classes().get(class)?)));
        let mut duties: Vec<DeferredBy> = on_class
            .map(|(duty, field)| {
                let ends = |date| duty.kept_until(date, policy.fiscal_year_ends());
                DeferredBy::new(duty, latest(duty, field).and_then(ends))
            })
            .collect();
        let for_others = duties.is_empty();
        if for_others {
            // These records are kept together with records of other classes, which may belong to other customers, for
            // as long as those are kept.
            let with_others = policy.duties().iter().filter(|duty| !duty.needs().is_empty());
            duties.extend(with_others.map(|duty| {
                let latest = duty.classes().values().filter_map(|field| latest(duty, field)).max();
                DeferredBy::new(
                    duty,
                    latest.and_then(|date| duty.kept_until(date, policy.fiscal_year_ends())),
                )
            }));
            // If the dates of some of those records are known, only their duties count.
            if duties.iter().any(|duty| duty.until.is_some()) {
                duties.retain(|duty| duty.until.is_some());
            }
        }
        let until = duties.iter().filter_map(|duty| duty.until).max();
        let unreadable = BTreeMap::new();
        let (class, rows, duties) = (class.clone(), Some(rows), duties.into());
        Self { class, rows, duties, until, free_from: None, unreadable, for_others }
    }
}

/// The first day on which a record may be free. If several duties use one field, the latest end counts. Every record
/// that has a date is kept by one of the fields.
fn free_from(policy: &Effective, class: &ClassName, kept: &Kept) -> Option<NaiveDate> {
    let ends = kept.earliest.iter().filter_map(|(field, earliest)| {
        let duties = policy.duties_on(class.as_str(), field.as_str());
        let ends = duties.map(|duty| duty.kept_until(*earliest, policy.fiscal_year_ends()));
        // A duty without an end keeps the record for ever.
        ends.collect::<Option<Vec<_>>>()?.into_iter().max()
    });
    ends.min()?.succ_opt()
}

//! What duties defer, calculated from the counted records.

use std::collections::BTreeSet;

use chrono::NaiveDate;

use crate::data_map::{ClassName, FieldName};
use crate::policy::{Deferred, DeferredBy, Duty, Effective};
use crate::treatment::{Keepers, Kept, Tally};

impl Deferred {
    /// What duties defer of the counted records, and of the customer's fields in records of others.
    pub(crate) fn counted(policy: &Effective, tally: &Tally) -> Vec<Self> {
        let kept = tally.kept_in_all().into_iter().filter(|(_, kept)| kept.rows > 0);
        kept.map(|(class, kept)| Self::of(policy, &class, &kept)).collect()
    }

    fn of(policy: &Effective, class: &ClassName, kept: &Kept) -> Self {
        let until = |duty: &Duty, latest: Option<&NaiveDate>| {
            latest.and_then(|date| duty.kept_until(*date, policy.fiscal_year_ends()))
        };
        let on_class = policy.duties().iter().filter_map(|duty| Some((duty, duty.classes().get(class)?)));
        let on_class = on_class.filter(|_| kept.rows > kept.for_others);
        let mut duties: Vec<DeferredBy> = on_class
            .map(|(duty, field)| DeferredBy::new(duty, until(duty, kept.latest.get(field))))
            .collect();
        let for_others = duties.is_empty();
        let mut unreadable = kept.unreadable.clone();
        for Keepers { class, needs, dates } in &kept.keepers {
            for (field, rows) in &dates.unreadable {
                *unreadable.entry(field.clone()).or_default() += rows;
            }
            // One of the fields keeps each of these records. Of the other fields no date counts.
            let fields: BTreeSet<&FieldName> = dates.latest.keys().chain(dates.unreadable.keys()).collect();
            for field in fields {
                let keeping = policy.duties_on(class.as_str(), field.as_str());
                for duty in keeping.filter(|duty| duty.needs() == *needs) {
                    let until = until(duty, dates.latest.get(field));
                    match duties.iter_mut().find(|known| known.duty == duty.name) {
                        Some(known) => known.until = known.until.max(until),
                        None => duties.push(DeferredBy::new(duty, until)),
                    }
                }
            }
        }
        // These records are kept together with records of other classes, which may belong to other customers, for as long as
        // those are kept. Nobody knows how long that is.
        let is_unknown = duties.is_empty() || (kept.for_others > 0 && kept.keepers.is_empty());
        if is_unknown {
            let with_others = policy.duties().iter().filter(|duty| !duty.needs().is_empty());
            for duty in with_others {
                match duties.iter_mut().find(|known| known.duty == duty.name) {
                    Some(known) => known.until = None,
                    None => duties.push(DeferredBy::new(duty, None)),
                }
            }
        }
        let until = duties.iter().filter_map(|duty| duty.until).max().filter(|_| !is_unknown);
        let (class, rows, duties) = (class.clone(), Some(kept.rows), duties.into());
        let free_from = free_from(policy, &class, kept);
        Self { class, rows, duties, until, free_from, unreadable, for_others }
    }
}

/// The first day on which a record may be free. If several duties use one field, the latest end counts. Every record
/// that has a date is kept by one of the fields.
fn free_from(policy: &Effective, class: &ClassName, kept: &Kept) -> Option<NaiveDate> {
    let own = kept.earliest.iter().map(|earliest| (class, earliest));
    let of_keepers = kept.keepers.iter().flat_map(|Keepers { class, dates, .. }| {
        dates.earliest.iter().map(move |earliest| (class, earliest))
    });
    let ends = own.chain(of_keepers).filter_map(|(class, (field, earliest))| {
        let duties = policy.duties_on(class.as_str(), field.as_str());
        let ends = duties.map(|duty| duty.kept_until(*earliest, policy.fiscal_year_ends()));
        // A duty without an end keeps the record for ever.
        ends.collect::<Option<Vec<_>>>()?.into_iter().max()
    });
    ends.min()?.succ_opt()
}

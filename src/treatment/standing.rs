//! The standing of a record: whether it is treated, kept by a duty, or referenced by another record of its customer.

use std::collections::BTreeSet;

use chrono::NaiveDate;

use super::{ClassTreatment, Treatment, UnderDuty};
use crate::customer::Moment;
use crate::data_map::{ClassName, DataMap, Link, ReadDate, Record};

/// How a treatment affects a record. The enum is exhaustive: a store must handle every standing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// No duty keeps the record. It is treated.
    Free,
    /// A duty keeps the record. It is not changed at all.
    Kept,
    /// The record is treated. Fewer customers than the treatment's [smallest group](super::SmallestGroup) share what
    /// would stay, but enough share the values one step more general. These more general values are written.
    /// [`standings`](Treatment::standings) never returns this: a store counts the [group](Treatment::group) and the
    /// [coarser group](Treatment::coarser_group).
    Rare,
    /// The record is treated. Too few customers share even the more general values, so they are cleared, too.
    Alone,
    /// A kept record references this record, directly or over other records. This record becomes a
    /// [tombstone](super::Tombstone): it is anonymised, and deleted together with the last record that references it.
    Needed,
}

impl UnderDuty {
    /// The date from which the duty counts: the record's own date, or the date of the record to which it belongs.
    /// `None` if there is no such record or no such date. A record without a date is kept.
    pub(crate) fn date(&self, record: &Record, records: &[Record], map: &DataMap) -> Option<Moment> {
        self.read(record, records, map, None)?.moment()
    }

    /// Reads this date. With `on`, a date that is too late for this day is not plausible. `None` if there is no record
    /// that has the date.
    pub(crate) fn read(
        &self,
        record: &Record,
        records: &[Record],
        map: &DataMap,
        on: Option<NaiveDate>,
    ) -> Option<ReadDate> {
        let mut holder = record;
        for next in &self.through {
            let class = map.class(holder.class.as_str())?;
            let to = map.class(next.as_str())?;
            let mut links = class.hangs_from().filter(|link| link.to() == next);
            holder = links.find_map(|link| to.led_to(records, holder, link))?;
        }
        Some(self.form.read(holder.get(self.field.as_str()), on))
    }
}

impl Treatment {
    /// The standing of each of a customer's records, in order. Pass all records of the customer, because the date of
    /// one record may keep another record, and a record may reference another record.
    pub fn standings(&self, records: &[Record], map: &DataMap) -> Vec<Standing> {
        let under =
            |record: &Record| self.class(record.class.as_str()).map_or(&[][..], |class| class.under_duty());
        let mut kept: BTreeSet<usize> = BTreeSet::new();
        for (n, record) in records.iter().enumerate() {
            for duty in under(record).iter().filter(|duty| duty.keeps(duty.date(record, records, map))) {
                kept.extend(Self::together(n, &duty.needs, records, map));
            }
        }
        let standing = |n: usize| if kept.contains(&n) { Standing::Kept } else { Standing::Free };
        let mut standings: Vec<Standing> = (0..records.len()).map(standing).collect();
        loop {
            let stay = || records.iter().zip(&standings).filter(|(_, standing)| **standing != Standing::Free);
            let needed: Vec<usize> = records
                .iter()
                .zip(&standings)
                .enumerate()
                .filter(|(_, (record, standing))| {
                    **standing == Standing::Free && stay().any(|(other, _)| self.needs(other, record, map))
                })
                .map(|(n, _)| n)
                .collect();
            if needed.is_empty() {
                return standings;
            }
            for n in needed {
                if let Some(standing) = standings.get_mut(n) {
                    *standing = Standing::Needed;
                }
            }
        }
    }

    /// A kept record, and the records that it keeps over the links in the duty's `needs`.
    fn together(
        record: usize,
        needs: &BTreeSet<(ClassName, String)>,
        records: &[Record],
        map: &DataMap,
    ) -> BTreeSet<usize> {
        let mut kept = BTreeSet::from([record]);
        let mut todo = vec![record];
        while let Some(from) = todo.pop().and_then(|n| records.get(n)) {
            let Some(class) = map.class(from.class.as_str()) else { continue };
            let is_needed =
                |link: &&Link| needs.iter().any(|(class, name)| *class == from.class && name == link.name());
            for link in class.links().iter().filter(is_needed) {
                let Some(to) = map.class(link.to().as_str()) else { continue };
                let heads = records.iter().enumerate().filter(|(_, record)| {
                    record.class == *link.to() && to.is_led_to(record, from, link) == Some(true)
                });
                todo.extend(heads.map(|(n, _)| n).filter(|n| kept.insert(*n)).collect::<Vec<_>>());
            }
        }
        kept
    }

    /// Whether a record that stays references another record. If the map does not name the fields of the link, every
    /// record of the class counts as referenced.
    fn needs(&self, from: &Record, record: &Record, map: &DataMap) -> bool {
        let tombstone = self.class(record.class.as_str()).and_then(ClassTreatment::tombstone);
        let (Some(class), Some(to)) = (map.class(from.class.as_str()), map.class(record.class.as_str()))
        else {
            return false;
        };
        tombstone.is_some_and(|tombstone| tombstone.needed_by().contains(&from.class))
            && (record.class == self.root
                || class
                    .links()
                    .iter()
                    .filter(|link| *link.to() == record.class)
                    .any(|link| to.is_led_to(record, from, link).unwrap_or(true)))
    }
}

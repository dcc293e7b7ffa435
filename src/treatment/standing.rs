//! What a treatment's duties mean for one record among all of its customer's.

use std::collections::BTreeSet;

use chrono::NaiveDate;

use super::{ClassTreatment, Treatment, UnderDuty};
use crate::customer::Moment;
use crate::data_map::{ClassName, DataMap, Link, ReadDate, Record};

/// How a record stands. Exhaustive: a store must know every one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// No duty keeps it: it is treated.
    Free,
    /// A duty keeps it: it stays byte for byte as it is.
    Kept,
    /// It is treated, and fewer customers than the treatment's [smallest group](super::SmallestGroup) share what would
    /// stay of it, but enough what is one step more general: that is written.
    /// [`standings`](Treatment::standings) cannot tell: a store counts the [group](Treatment::group), and the
    /// [coarser one](Treatment::coarser_group).
    Rare,
    /// It is treated, and too few customers share even that, so it is cleared too.
    Alone,
    /// A record needs it that a duty keeps, or one that stays for the sake of such a record: it is anonymised as its
    /// [tombstone](super::Tombstone) says, and goes with the last of them.
    Needed,
}

impl UnderDuty {
    /// The date by which a record is kept: its own, or that of the record from which it hangs. None if there is no such
    /// record or no such date: what is not known forbids.
    pub(crate) fn date(&self, record: &Record, records: &[Record], map: &DataMap) -> Option<Moment> {
        self.read(record, records, map, None)?.moment()
    }

    /// What comes of reading that date on a day. None if there is no such record.
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
    /// How each of a customer's records stands, in order. All of their records have to be there: a record may be kept by
    /// the date of another, or needed by another.
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

    /// A record that a duty keeps, and the records that it keeps with it over the links that the duty needs.
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

    /// Whether a record that stays needs another that would go. Where nobody said which record it points at, it may be any.
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

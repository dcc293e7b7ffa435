//! What a treatment's duties mean for one record among all of its customer's.

use chrono::NaiveDate;

use super::{ClassTreatment, Treatment, UnderDuty};
use crate::customer::Moment;
use crate::data_map::{DataMap, ReadDate, Record};

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
            let mut links = class.hangs_from(map).filter(|link| link.to == *next);
            holder = links.find_map(|link| to.pointed_at(records, holder, link))?;
        }
        Some(self.form.read(holder.get(self.field.as_str()), on))
    }
}

impl Treatment {
    /// How each of a customer's records stands, in order. All of their records have to be there: a record may be kept by
    /// the date of another, or needed by another.
    pub fn standings(&self, records: &[Record], map: &DataMap) -> Vec<Standing> {
        let mut standings: Vec<Standing> = records
            .iter()
            .map(|record| {
                let under = self.class(record.class.as_str()).map_or(&[][..], |class| class.under_duty());
                let is_kept = under.iter().any(|duty| duty.keeps(duty.date(record, records, map)));
                if is_kept { Standing::Kept } else { Standing::Free }
            })
            .collect();
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
                    .referenced()
                    .iter()
                    .filter(|reference| reference.to == record.class)
                    .any(|reference| to.is_pointed_at(record, from, reference).unwrap_or(true)))
    }
}

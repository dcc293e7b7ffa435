//! The rows of a class that duties keep.

use std::collections::BTreeSet;

use crate::data_map::{ClassName, FieldName};
use crate::store::sql::bind::BoundClass;
use crate::store::sql::dialect::Computed;
use crate::store::sql::whose::Ways;
use crate::treatment::{Treatment, UnderDuty};

/// The rows of a class that duties keep, and their dates.
pub(super) struct Kept<'b> {
    class: &'b BoundClass,
    /// The number of each duty, its field, and the classes over which a row has its date.
    pub(super) duties: Vec<(usize, FieldName, Option<Vec<&'b BoundClass>>)>,
    /// The `needs` of each of these duties.
    needs: Vec<BTreeSet<(ClassName, String)>>,
}

impl<'b> Kept<'b> {
    pub(super) fn of(
        ways: &Ways<'b>,
        class: &'b BoundClass,
        treatment: &Treatment,
        duties: &mut Vec<UnderDuty>,
    ) -> Option<Self> {
        let under = treatment.class(class.name.as_str())?.under_duty();
        let mut list = Vec::new();
        for under in under {
            let number = duties.iter().position(|known| known == under).unwrap_or_else(|| {
                duties.push(under.clone());
                duties.len() - 1
            });
            let through = under.through.iter().map(|name| ways.bound.class(name)).collect();
            list.push((number, under.field.clone(), through));
        }
        let needs = under.iter().map(|under| under.needs.clone()).collect();
        (!list.is_empty()).then_some(Self { class, duties: list, needs })
    }

    /// Each duty with the date by which it counts. If the date cannot be found, it is unknown, and the row is kept.
    pub(super) fn dates<'s>(
        &'s self,
        ways: &'s Ways<'b>,
        alias: &'s str,
    ) -> impl Iterator<Item = (usize, String)> + 's {
        self.duties.iter().map(move |(number, field, through)| {
            let date = through
                .as_ref()
                .and_then(|through| ways.column_above(self.class, through, alias, field.as_str()));
            (*number, date.unwrap_or_else(|| "NULL".to_owned()))
        })
    }

    /// For each duty: the day of a row if the duty keeps the row, and whether the date cannot be read.
    pub(super) fn days(&self, ways: &Ways<'b>, alias: &str) -> Vec<(String, String)> {
        let dialect = ways.bound.dialect;
        let days = self.dates(ways, alias).map(|(duty, date)| {
            let date = date.as_str();
            (
                dialect.computed(&Computed::Day { duty, date }),
                dialect.computed(&Computed::Unreadable { duty, date }),
            )
        });
        days.collect()
    }

    /// The same for the duties with these needs, each with its field.
    pub(super) fn days_by(
        &self,
        ways: &Ways<'b>,
        alias: &str,
        needs: &BTreeSet<(ClassName, String)>,
    ) -> Vec<(FieldName, (String, String))> {
        let fields = self.duties.iter().map(|(_, field, _)| field.clone());
        let all = fields.zip(self.days(ways, alias)).zip(&self.needs);
        all.filter(|(_, own)| *own == needs).map(|(dated, _)| dated).collect()
    }

    /// The condition that one of the duties with these needs keeps a row.
    pub(super) fn is_kept_by(
        &self,
        ways: &Ways<'b>,
        alias: &str,
        needs: &BTreeSet<(ClassName, String)>,
    ) -> String {
        let each = self.dates(ways, alias).zip(&self.needs).filter(|(_, own)| *own == needs);
        any_keeps(ways, each.map(|(dated, _)| dated))
    }

    /// The condition that a duty keeps a row.
    pub(super) fn is_kept(&self, ways: &Ways<'b>, alias: &str) -> String {
        any_keeps(ways, self.dates(ways, alias))
    }
}

fn any_keeps(ways: &Ways<'_>, dated: impl Iterator<Item = (usize, String)>) -> String {
    let kept =
        |(duty, date): (usize, String)| ways.bound.dialect.computed(&Computed::Kept { duty, date: &date });
    let each: Vec<String> = dated.map(kept).collect();
    if each.is_empty() { "FALSE".to_owned() } else { format!("({})", each.join(" OR ")) }
}

//! Which rows stay for now, as SQL: those that a duty keeps, and those that such a row needs.

use std::fmt::Write as _;

use super::ownership::{self, Whose};
use super::statements::quoted;
use crate::policy::{ClassTreatment, Treatment, UnderDuty};
use crate::store::sql::{Bound, BoundClass};

/// Writes the conditions, and gathers the duties that they are about.
pub(super) struct Staying<'s> {
    pub(super) bound: &'s Bound,
    pub(super) whose: &'s Whose,
    treatment: &'s Treatment,
    /// By number, as `relinquish_kept` is asked for them.
    pub(super) duties: Vec<UnderDuty>,
}

impl<'s> Staying<'s> {
    pub(super) fn new(bound: &'s Bound, treatment: &'s Treatment, whose: &'s Whose) -> Self {
        Self { bound, whose, treatment, duties: Vec::new() }
    }

    /// True of rows, under an alias, that a duty keeps, and what gives their latest and earliest dates. None where there is no duty.
    pub(super) fn kept(&mut self, class: &BoundClass, alias: &str) -> Option<(String, String)> {
        let (mut conditions, mut dates) = (Vec::new(), String::new());
        for under in self.treatment.class(class.name.as_str()).map_or(&[][..], ClassTreatment::under_duty) {
            let above = under.through.iter().map(|name| Some(self.bound.class(name)?.table.as_str()));
            let above: Option<Vec<&str>> = above.collect();
            let date =
                above.and_then(|tables| ownership::column_above(class, &tables, alias, under.field.as_str()));
            // A date that cannot be found is not known, and such a row is kept.
            let arguments = format!("{}, {}", self.number(under), date.as_deref().unwrap_or("NULL"));
            conditions.push(format!("relinquish_kept({arguments})"));
            // None of a record that this duty does not keep.
            let day = format!("relinquish_day({arguments})");
            let _ = write!(dates, ", max({day}), min({day}), sum(relinquish_unreadable({arguments}))");
        }
        (!conditions.is_empty()).then(|| (conditions.join(" OR "), dates))
    }

    fn number(&mut self, under: &UnderDuty) -> usize {
        self.duties.iter().position(|known| known == under).unwrap_or_else(|| {
            self.duties.push(under.clone());
            self.duties.len() - 1
        })
    }

    /// True of rows of the batch, under an alias, that a row needs which stays. None where nothing of the class may be
    /// needed.
    pub(super) fn needed(&mut self, class: &BoundClass, alias: &str) -> Option<String> {
        self.needed_below(class, alias, &mut Vec::new())
    }

    /// `above` are the classes on the way: a treatment in which classes need one another was not checked, and what cannot
    /// be told stays.
    fn needed_below<'b>(
        &mut self,
        class: &'b BoundClass,
        alias: &str,
        above: &mut Vec<&'b str>,
    ) -> Option<String>
    where
        's: 'b,
    {
        let tombstone = self.treatment.class(class.name.as_str())?.tombstone()?;
        if above.contains(&class.name.as_str()) {
            return Some("1".to_owned());
        }
        above.push(class.name.as_str());
        let bound = self.bound;
        let mut conditions = Vec::new();
        let is_root = class.path.is_empty();
        // The direct way to the customer is looked at below.
        let is_way = |by: &BoundClass, columns: &Vec<String>| matches!(by.path.as_slice(), [link] if link.columns == *columns);
        for need in bound.needs.iter().filter(|need| need.of == class.name) {
            let Some(by) = bound.class(&need.by).filter(|by| tombstone.needed_by().contains(&by.name)) else {
                continue;
            };
            if is_root && is_way(by, &need.columns) {
                continue;
            }
            let (near, far) = (format!("near{}", above.len()), format!("far{}", above.len()));
            let stays = self.stays(by, &near, above);
            conditions.push(format!(
                "coalesce({} IN (SELECT {} FROM main.{} AS {near} WHERE {} IN (SELECT {} FROM main.{} AS {far} WHERE {}) \
                 AND ({stays})), 0)",
                ownership::columns(alias, &need.to_columns),
                ownership::listed(&near, &need.columns),
                quoted(&by.table),
                ownership::columns(&near, &need.columns),
                ownership::listed(&far, &need.to_columns),
                quoted(&class.table),
                self.whose.theirs(class, &far),
            ));
        }
        // Even where no foreign key says so, a record is nobody's without its customer.
        if is_root {
            for by in bound.classes.iter().filter(|by| tombstone.needed_by().contains(&by.name)) {
                let stays = self.stays(by, &quoted(&by.table), above);
                conditions.push(format!(
                    "coalesce({} IN (SELECT relinquish_b.relinquish_customer {} WHERE {stays}), 0)",
                    ownership::columns(alias, &class.key),
                    ownership::from_batch(by),
                ));
            }
        }
        above.pop();
        (!conditions.is_empty()).then(|| format!("({})", conditions.join(" OR ")))
    }

    /// True of rows that a duty keeps or that are needed themselves.
    fn stays<'b>(&mut self, class: &'b BoundClass, alias: &str, above: &mut Vec<&'b str>) -> String
    where
        's: 'b,
    {
        let kept = self.kept(class, alias).map(|(kept, _)| kept);
        let needed = self.needed_below(class, alias, above);
        let any: Vec<String> = kept.into_iter().chain(needed).collect();
        if any.is_empty() { "0".to_owned() } else { format!("({})", any.join(" OR ")) }
    }
}

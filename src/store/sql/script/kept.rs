//! Which rows of a class duties keep.

use std::collections::BTreeSet;

use crate::data_map::{ClassName, FieldName};
use crate::policy::{Treatment, UnderDuty};
use crate::store::sql::bind::BoundClass;
use crate::store::sql::whose::Ways;

/// Which rows of a class duties keep, and by which dates.
pub(super) struct Kept<'b> {
    class: &'b BoundClass,
    /// The number of each duty, its field, and the classes from which a row has its date.
    pub(super) duties: Vec<(usize, FieldName, Option<Vec<&'b BoundClass>>)>,
    /// What each of these duties needs.
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

    /// The arguments of the functions that are asked for a duty. A date that cannot be found is not known, and such a row
    /// is kept.
    pub(super) fn arguments<'s>(
        &'s self,
        ways: &'s Ways<'b>,
        alias: &'s str,
    ) -> impl Iterator<Item = String> + 's {
        self.duties.iter().map(move |(number, field, through)| {
            let date = through
                .as_ref()
                .and_then(|through| ways.column_above(self.class, through, alias, field.as_str()));
            format!("{number}, {}", date.as_deref().unwrap_or("NULL"))
        })
    }

    /// The same of the duties alone that need this.
    pub(super) fn is_kept_by(
        &self,
        ways: &Ways<'b>,
        alias: &str,
        needs: &BTreeSet<(ClassName, String)>,
    ) -> String {
        let each = self.arguments(ways, alias).zip(&self.needs).filter(|(_, own)| *own == needs);
        let each: Vec<String> = each.map(|(arguments, _)| format!("relinquish_kept({arguments})")).collect();
        if each.is_empty() { "0".to_owned() } else { format!("({})", each.join(" OR ")) }
    }

    pub(super) fn is_kept(&self, ways: &Ways<'b>, alias: &str) -> String {
        let each: Vec<String> =
            self.arguments(ways, alias).map(|arguments| format!("relinquish_kept({arguments})")).collect();
        format!("({})", each.join(" OR "))
    }
}

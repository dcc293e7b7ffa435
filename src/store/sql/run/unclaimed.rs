//! Finds rows that reference a customer, but belong to no record class of their table.
//!
//! A census counts such rows in whole tables. This module finds rows that were written since the census, and their
//! customers. Nobody knows what such a row means, so nothing of its customer is touched.

use std::collections::HashMap;

use super::Frame;
use crate::data_map::{ClassName, LinkRole};
use crate::store::StoreError;
use crate::store::sql::bind::{Bound, BoundClass, Rows};
use crate::store::sql::fault::Trouble;
use crate::store::sql::map::{Ignored, SqlMap};
use crate::store::sql::session::Session;
use crate::store::sql::whose::{From, Set, Toward, Ways, is_due};
use crate::treatment::{RecordAction, Treatment};

/// A table that may have rows that belong to no class.
#[derive(Debug)]
pub(crate) struct Unclaimed {
    table: String,
    /// One statement per link. It counts the rows that belong to no class, for each customer of the batch. It matters if
    /// one of these classes is treated.
    counts: Vec<(Vec<ClassName>, String)>,
}

/// The tables whose classes do not claim all rows, unless the map gives a reason for the other rows.
pub(crate) fn tables(bound: &Bound, map: &SqlMap) -> Vec<Unclaimed> {
    let mut tables: Vec<Unclaimed> = Vec::new();
    for class in &bound.classes {
        let classes: Vec<&BoundClass> =
            bound.classes.iter().filter(|other| other.table == class.table).collect();
        if tables.iter().any(|found| found.table == class.table) || has_reason(map, &class.table) {
            continue;
        }
        let Some(rows) = Rows::beside(classes.iter().copied()) else { continue };
        let names: Vec<ClassName> = classes.iter().map(|class| class.name.clone()).collect();
        let hanging = classes.iter().flat_map(|class| counts(bound, class, &rows));
        let hanging = hanging.map(|sql| (names.clone(), sql));
        let holding = classes.iter().flat_map(|class| counts_of_holders(bound, class, &rows));
        let holding = holding.map(|(head, sql)| (vec![head], sql));
        tables.push(Unclaimed { table: class.table.clone(), counts: hanging.chain(holding).collect() });
    }
    tables
}

fn has_reason(map: &SqlMap, table: &str) -> bool {
    map.ignore
        .iter()
        .any(|(name, ignored)| matches!(ignored, Ignored::Rest(_)) && name.eq_ignore_ascii_case(table))
}

/// The statements that count unclaimed rows of the class's table, one for each link of the class.
fn counts(bound: &Bound, class: &BoundClass, rows: &Rows) -> Vec<String> {
    let ways = Ways { bound };
    let beside = BoundClass { rows: rows.clone(), ..class.clone() };
    let links = class.links.iter().filter(|link| link.role != LinkRole::End);
    let ends = links.flat_map(|link| link.heads.iter().map(move |head| (link, head)));
    ends.filter_map(|(link, name)| {
        let number = bound.classes.iter().position(|head| head.name == *name)?;
        let head = bound.classes.get(number)?;
        let from = if head.is_root && !link.by_value {
            From::batch(bound)
        } else {
            From::set(bound, Set::Touched, number)
        };
        let rows = ways.along(link, &beside, head, Toward::Foot, &from, "relinquish_r.n AS n", None).sql;
        Some(format!("SELECT n, count(*) FROM ({rows}) AS found GROUP BY n"))
    })
    .collect()
}

/// The statements that count unclaimed rows of the class's table that lead to shared rows that would be treated, one for
/// each link and each class at its far end. Without this, a shared row would be treated although such a row uses it.
fn counts_of_holders(bound: &Bound, class: &BoundClass, rows: &Rows) -> Vec<(ClassName, String)> {
    let ways = Ways { bound };
    let beside = BoundClass { rows: rows.clone(), ..class.clone() };
    let links = class.links.iter().filter(|link| link.holds);
    let ends = links.flat_map(|link| link.heads.iter().map(move |head| (link, head)));
    ends.filter_map(|(link, name)| {
        let number = bound.classes.iter().position(|head| head.name == *name)?;
        let head = bound.classes.get(number)?;
        let from = From::set(bound, Set::Touched, number).which(is_due(head));
        let rows = ways.along(link, &beside, head, Toward::Foot, &from, "relinquish_r.n AS n", None).sql;
        Some((name.clone(), format!("SELECT n, count(*) FROM ({rows}) AS found GROUP BY n")))
    })
    .collect()
}

impl Frame {
    /// The customers of the batch who have rows that belong to no class, or shared rows that such rows use. Call this after
    /// the customers' records were found. Only tables that the treatment changes are searched.
    pub(crate) fn unclaimed(
        &self,
        session: &mut dyn Session,
        treatment: &Treatment,
    ) -> Result<HashMap<usize, StoreError>, Trouble> {
        let mut customers = HashMap::new();
        let is_treated = |class: &ClassName| {
            let treated = treatment.class(class.as_str());
            treated.is_some_and(|treated| !matches!(treated.action(), RecordAction::Keep { .. }))
        };
        for found in &self.unclaimed {
            for (_, sql) in found.counts.iter().filter(|(classes, _)| classes.iter().any(is_treated)) {
                for (n, rows) in session.rows(sql, &[], |row| Ok((row.natural(0)?, row.natural(1)?)))? {
                    let table = found.table.clone();
                    customers.entry(n).or_insert(StoreError::Unclaimed { table, rows });
                }
            }
        }
        Ok(customers)
    }
}

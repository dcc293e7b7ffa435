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
use crate::store::sql::whose::{From, Set, Toward, Ways};
use crate::treatment::{RecordAction, Treatment};

/// A table that may have rows that belong to no class.
#[derive(Debug)]
pub(crate) struct Unclaimed {
    table: String,
    classes: Vec<ClassName>,
    /// One statement per link. It counts the rows that belong to no class, for each customer of the batch.
    counts: Vec<String>,
}

/// The tables whose classes do not claim all rows, unless the map gives a reason for the other rows.
pub(crate) fn tables(bound: &Bound, map: &SqlMap) -> Vec<Unclaimed> {
    let mut tables: Vec<Unclaimed> = Vec::new();
    for class in &bound.classes {
        let classes: Vec<&BoundClass> =
            bound.classes.iter().filter(|other| other.table == class.table).collect();
        let claims_the_rest =
            |class: &&BoundClass| class.rows.with.is_empty() || !class.rows.without.is_empty();
        if tables.iter().any(|found| found.table == class.table)
            || classes.iter().any(claims_the_rest)
            || has_reason(map, &class.table)
        {
            continue;
        }
        let rows =
            Rows { with: Vec::new(), without: classes.iter().map(|class| class.rows.with.clone()).collect() };
        tables.push(Unclaimed {
            table: class.table.clone(),
            classes: classes.iter().map(|class| class.name.clone()).collect(),
            counts: classes.iter().flat_map(|class| counts(bound, class, &rows)).collect(),
        });
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

impl Frame {
    /// The customers of the batch who have rows that belong to no class. Call this after the customers' records were
    /// found. Only tables that the treatment changes are searched.
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
        for found in self.unclaimed.iter().filter(|found| found.classes.iter().any(is_treated)) {
            for sql in &found.counts {
                for (n, rows) in session.rows(sql, &[], |row| Ok((row.natural(0)?, row.natural(1)?)))? {
                    let table = found.table.clone();
                    customers.entry(n).or_insert(StoreError::Unclaimed { table, rows });
                }
            }
        }
        Ok(customers)
    }
}

//! What clearing a link writes, where several links share a column.

use super::links::When;
use super::map::{CustomersMap, Source, TenantSource};
use super::way::{BoundLink, Foot};
use crate::data_map::{LinkRole, WhenGone};
use crate::document::{Reader, join};

/// Limits what clearing each link writes to the columns that no other link of the class uses. A link of several columns
/// leads nowhere as soon as one of them means nobody. The others, such as the tenant's column, may be a part of the link
/// to the record's owner: without them the record would be nobody's.
pub(super) fn clear_own_columns(
    reader: &mut Reader,
    foot: &Foot<'_>,
    customers: &CustomersMap,
    links: &mut [BoundLink],
) {
    let own: Vec<Vec<String>> = links.iter().map(|link| own_columns(foot, customers, links, link)).collect();
    for (link, own) in links.iter_mut().zip(own) {
        let had = !link.cleared.is_empty();
        link.cleared.retain(|(column, _)| own.iter().any(|own| own.eq_ignore_ascii_case(column)));
        if had && link.cleared.is_empty() && link.gone == WhenGone::Clear {
            let keep = if link.is_enforced { "" } else { ", or { keep = \"reason\" }" };
            reader.problem(
                join(&join(&foot.path, "ends"), &link.name),
                format!(
                    "cannot be cleared: the record would no longer be found, because {} also leads to whoever has it",
                    link.columns.join(", ")
                ),
                format!("write \"stand-in\"{keep}"),
            );
        }
    }
}

/// The columns of a link that no other link uses, or if there are none, that do not lead to whoever has the record.
fn own_columns(
    foot: &Foot<'_>,
    customers: &CustomersMap,
    links: &[BoundLink],
    link: &BoundLink,
) -> Vec<String> {
    let others = || links.iter().filter(|other| !same_columns(other, link));
    let free_of = |counts: &dyn Fn(&BoundLink) -> bool| -> Vec<String> {
        let is_used = |column: &String| {
            let is = |name: &String| name.eq_ignore_ascii_case(column);
            others().filter(|other| counts(other)).any(|other| other.columns.iter().any(is))
                || (foot.path == "customers" && is_fact(customers, column))
        };
        link.columns.iter().filter(|column| !is_used(column)).cloned().collect()
    };
    let free = free_of(&|_| true);
    if free.is_empty() { free_of(&|other| other.role != LinkRole::End || other.holds) } else { free }
}

fn same_columns(one: &BoundLink, other: &BoundLink) -> bool {
    one.columns.len() == other.columns.len()
        && one.columns.iter().all(|own| other.columns.iter().any(|name| name.eq_ignore_ascii_case(own)))
}

/// Whether a column of the customers' table says to which tenant a customer belongs, or which rows are customers.
fn is_fact(customers: &CustomersMap, column: &str) -> bool {
    let is_tenant = match &customers.tenant {
        TenantSource::From(Source::Column(tenant)) => tenant.eq_ignore_ascii_case(column),
        TenantSource::From(Source::Sql(_)) | TenantSource::Is(_) => false,
    };
    let selects = match &customers.when {
        When::Values(values) => values.iter().any(|(name, _)| name.eq_ignore_ascii_case(column)),
        When::All | When::Rest => false,
    };
    is_tenant || selects
}

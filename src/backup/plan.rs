//! The plan to remove copies that a rule no longer allows. A person approves exactly these copies.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{BackupCopy, Schedule};
use crate::customer::TenantId;
use crate::digest::Digest;
use crate::plan::{Approval, CopiesChanged, Mandate, NotApproved, OperatorId};
use crate::words::plural;

/// The facts from which the digest of a [`CopiesPlan`] is computed: the place, its rule, and every copy to remove.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopiesTerms {
    version: u32,
    place: String,
    schedule: Schedule,
    copies: BTreeSet<BackupCopy>,
    /// The operator who made the plan, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    planned_by: Option<OperatorId>,
}

impl CopiesTerms {
    /// The host's name for the place.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// The rule by which the copies are removed.
    pub fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    /// The copies that go.
    pub fn copies(&self) -> &BTreeSet<BackupCopy> {
        &self.copies
    }

    /// The operator who made the plan, if it is known.
    pub(crate) fn planner(&self) -> Option<&OperatorId> {
        self.planned_by.as_ref()
    }

    pub(crate) fn digest(&self) -> Digest {
        Digest::of(self)
    }
}

/// The plan to remove copies that the rule of their place no longer allows. A person approves its digest, which binds the
/// place, the rule, and every copy by its name and time. A copy that expires later needs another plan.
#[derive(Clone, Debug)]
pub struct CopiesPlan {
    terms: Arc<CopiesTerms>,
    digest: Digest,
    kept: Vec<BackupCopy>,
    authority: BTreeSet<TenantId>,
    planned_at: DateTime<Utc>,
}

impl CopiesPlan {
    /// Makes the plan for a place from all copies there. `authority`: the tenants whose operators may approve it.
    pub(crate) fn new(
        place: String,
        schedule: Schedule,
        copies: Vec<BackupCopy>,
        authority: BTreeSet<TenantId>,
        planned_at: DateTime<Utc>,
    ) -> Self {
        let going: BTreeSet<BackupCopy> =
            schedule.expired(&copies, planned_at).into_iter().cloned().collect();
        let kept = copies.into_iter().filter(|copy| !going.contains(copy)).collect();
        let terms = CopiesTerms { version: 1, place, schedule, copies: going, planned_by: None };
        Self { digest: terms.digest(), terms: Arc::new(terms), kept, authority, planned_at }
    }

    /// The digest of the plan. An operator approves this digest.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The facts from which the digest is computed.
    pub fn terms(&self) -> &Arc<CopiesTerms> {
        &self.terms
    }

    /// The copies to remove, the oldest first.
    pub fn copies(&self) -> &BTreeSet<BackupCopy> {
        &self.terms.copies
    }

    /// The copies that stay.
    pub fn kept(&self) -> &[BackupCopy] {
        &self.kept
    }

    /// Whether no copy goes.
    pub fn is_nothing(&self) -> bool {
        self.terms.copies.is_empty()
    }

    /// The same plan with the operator who made it, by an opaque id: see
    /// [`Plan::planned_by`](crate::Plan::planned_by).
    #[must_use]
    pub fn planned_by(self, operator: impl Into<OperatorId>) -> Self {
        let terms = CopiesTerms { planned_by: Some(operator.into()), ..CopiesTerms::clone(&self.terms) };
        Self { digest: terms.digest(), terms: Arc::new(terms), ..self }
    }

    /// Binds an approval to this plan. Copies may be of any tenant, so the operator needs authority over every tenant that
    /// the policy names.
    ///
    /// # Errors
    /// [`NotApproved`], with the plan, if the approval is for another plan, is valid for more than 30 days, or is of
    /// an operator without this authority.
    pub fn approve(self, approval: Approval) -> Result<ApprovedCopies, NotApproved<Self>> {
        match approval.holds_for(self.digest, &self.authority) {
            Ok(()) => Ok(ApprovedCopies { plan: self, mandate: Mandate::Approval(approval) }),
            Err(why) => Err(NotApproved::new(self, why)),
        }
    }

    /// The plan as JSON. `digest` is the SHA-256 digest of `binds` in canonical form (RFC 8785).
    pub fn to_json(&self) -> serde_json::Value {
        json!({ "digest": self.digest, "binds": *self.terms, "planned_at": self.planned_at, "kept": self.kept })
    }
}

impl fmt::Display for CopiesPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let CopiesTerms { place, schedule, copies, .. } = &*self.terms;
        let count = copies.len() as u64;
        writeln!(f, "Copies {}", self.digest)?;
        writeln!(f, "  place      {place}: {schedule}")?;
        writeln!(f, "  {count} {} removed; this CANNOT be taken back", plural_is(count, "copy", "copies"))?;
        for copy in copies {
            writeln!(f, "    {:<40} {}", copy.name, copy.taken_at.format("%F %T UTC"))?;
        }
        let kept = self.kept.len() as u64;
        write!(f, "  {kept} {} kept", plural_is(kept, "copy", "copies"))
    }
}

fn plural_is(count: u64, one: &str, many: &str) -> String {
    if count == 1 { format!("{one} is") } else { format!("{many} are") }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.newest, self.days) {
            (Some(newest), Some(days)) => {
                write!(f, "the newest {newest}, and none longer than {days} {}", plural(days.into(), "day"))
            }
            (Some(newest), None) => write!(f, "the newest {newest}"),
            (None, Some(days)) => write!(f, "none longer than {days} {}", plural(days.into(), "day")),
            (None, None) => f.write_str("every copy stays"),
        }
    }
}

/// A plan with an approval of exactly this plan. Only [`CopiesPlan::approve`] makes one.
#[derive(Clone, Debug)]
pub struct ApprovedCopies {
    pub(crate) plan: CopiesPlan,
    pub(crate) mandate: Mandate,
}

impl ApprovedCopies {
    /// The plan.
    pub fn plan(&self) -> &CopiesPlan {
        &self.plan
    }
}

/// Why the planned copies may not be removed now. `None`: each of them may be removed, or is gone already.
///
/// A copy was replaced if an older or a younger copy has its name now. A copy is needed again if the rule now keeps
/// it, because newer copies were lost.
pub(crate) fn not_as_planned(
    terms: &CopiesTerms,
    schedule: &Schedule,
    copies: &[BackupCopy],
    now: DateTime<Utc>,
) -> Option<CopiesChanged> {
    if *schedule != terms.schedule {
        return Some(CopiesChanged::Rule);
    }
    let present: BTreeMap<_, &BackupCopy> = copies.iter().map(|copy| (&copy.name, copy)).collect();
    let expired: BTreeSet<&BackupCopy> = schedule.expired(copies, now).into_iter().collect();
    terms.copies.iter().find_map(|planned| match present.get(&planned.name) {
        None => None,
        Some(copy) if *copy != planned => Some(CopiesChanged::Another),
        Some(copy) => (!expired.contains(copy)).then_some(CopiesChanged::Needed),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copy(day: u32) -> BackupCopy {
        let at = format!("2026-03-{day:02}T23:59:59Z").parse().unwrap();
        BackupCopy::new(at, format!("crm-{day:02}"))
    }

    #[test]
    fn a_planned_copy_goes_only_while_the_rule_still_says_so() {
        let now = "2026-03-10T12:00:00Z".parse().unwrap();
        let rule = Schedule::new(Some(2), None);
        let copies: Vec<BackupCopy> = (1..=4).map(copy).collect();
        let plan = CopiesPlan::new("nightly".to_owned(), rule.clone(), copies.clone(), BTreeSet::new(), now);
        assert_eq!((plan.copies().len(), plan.kept().len()), (2, 2));
        let check = |rule: &Schedule, copies: &[BackupCopy]| not_as_planned(plan.terms(), rule, copies, now);
        assert_eq!(check(&rule, &copies), None);
        assert_eq!(check(&rule, &copies[1..]), None, "one is gone already");
        assert_eq!(check(&rule, &[copies.as_slice(), &[copy(5)]].concat()), None, "a newer one came");
        // Somebody removed the newest copy. Now the two planned copies are the newest.
        assert_eq!(check(&rule, &copies[..2]), Some(CopiesChanged::Needed));
        let another = BackupCopy { name: "crm-01".into(), ..copy(2) };
        assert_eq!(check(&rule, &[another]), Some(CopiesChanged::Another));
        assert_eq!(check(&Schedule::new(Some(3), None), &copies), Some(CopiesChanged::Rule));
    }
}

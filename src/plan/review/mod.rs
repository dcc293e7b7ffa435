//! A review: many plans put before a person, with one digest for exactly those that the person confirmed.
//!
//! ```text
//! Engine::survey_all ─► plans ─► ReviewCsv ─► file ─► a person ─► Review::from_csv ─► approve ─► Engine::sweep
//! ```
//!
//! * Every row stands for one plan. A person strikes rows out: by deleting them, or with `x` in the column `strike_out`.
//! * Reading back is strict. A row that was changed, is there twice, or was not in the review is refused with its line.
//! * The digest covers exactly the rows that are left. An approval of this digest is a mandate for these plans alone.
//!
//! A review may show personal data, but only in columns that the operator asked for.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{Approval, NotApproved, OperatorId, Plan};
use crate::customer::{CustomerId, TenantId};
use crate::digest::Digest;
use crate::policy::Trigger;
use crate::treatment::TreatmentName;

pub(crate) mod cell;
mod csv;

pub use csv::{Column, NotAColumn, ReviewCsv};

/// A plan that a person confirmed in a review.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReviewedPlan {
    /// The customer whose data the plan erases.
    pub customer: CustomerId,
    /// The tenant to which the customer belongs.
    pub tenant: TenantId,
    /// The operator who made the plan, if the review says it.
    pub planned_by: Option<OperatorId>,
    /// What made the customer due, if the review says it.
    pub trigger: Option<Trigger>,
    /// The treatment, if the review says it.
    pub treatment: Option<TreatmentName>,
    /// The plan.
    pub plan: Digest,
}

impl ReviewedPlan {
    /// A plan that a person confirms, as it was shown.
    pub fn of(plan: &Plan) -> Self {
        Self {
            customer: plan.customer().clone(),
            tenant: plan.tenant().clone(),
            planned_by: plan.planner().cloned(),
            trigger: Some(plan.trigger()),
            treatment: Some(plan.due().treatment.clone()),
            plan: plan.digest(),
        }
    }
}

impl std::fmt::Debug for ReviewedPlan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { tenant, plan, .. } = self;
        f.debug_struct("ReviewedPlan").field("tenant", tenant).field("plan", plan).finish_non_exhaustive()
    }
}

/// The plans that a person confirmed. Nothing else of a review is kept. A clone shares the plans.
#[derive(Clone, Debug)]
pub struct Review {
    plans: Arc<[ReviewedPlan]>,
    digest: Digest,
}

impl Review {
    /// A review of plans that were confirmed without a file.
    pub fn new(plans: impl IntoIterator<Item = ReviewedPlan>) -> Self {
        let plans: Arc<[ReviewedPlan]> = plans.into_iter().collect();
        Self { digest: digest_of(plans.iter().map(|plan| plan.plan)), plans }
    }

    /// The digest of exactly these plans, in whatever order they are. An operator approves this digest.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The plans.
    pub fn plans(&self) -> &[ReviewedPlan] {
        &self.plans
    }

    /// The number of customers, by tenant.
    pub fn tenants(&self) -> BTreeMap<&TenantId, u64> {
        let mut tenants = BTreeMap::new();
        for plan in &*self.plans {
            *tenants.entry(&plan.tenant).or_default() += 1;
        }
        tenants
    }

    /// Binds an approval to these plans.
    ///
    /// The engine checks at execution that the approval is still valid, and plans each customer again: a customer whose
    /// plan has another digest by then is left alone.
    ///
    /// # Errors
    /// [`NotApproved`], with the review and an [`ApprovalError`](super::ApprovalError): the approval is for another digest, is valid for more
    /// than 30 days, or comes from an operator who has no authority over every tenant.
    pub fn approve(self, approval: Approval) -> Result<ApprovedReview, NotApproved<Self>> {
        match approval.holds_for(self.digest, self.plans.iter().map(|plan| &plan.tenant)) {
            Ok(()) => Ok(ApprovedReview { review: self, approval }),
            Err(why) => Err(NotApproved::new(self, why)),
        }
    }
}

/// A review with an approval of exactly its plans. Only [`Review::approve`] makes one.
#[derive(Clone, Debug)]
pub struct ApprovedReview {
    review: Review,
    approval: Approval,
}

impl ApprovedReview {
    /// The review.
    pub fn review(&self) -> &Review {
        &self.review
    }

    /// The approval.
    pub fn approval(&self) -> &Approval {
        &self.approval
    }

    /// The mandate for one of the plans.
    pub(crate) fn mandate(&self, plan: Digest) -> Reviewed {
        Reviewed { plan, approval: self.approval.clone() }
    }
}

/// The mandate for one plan of an approved review.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reviewed {
    plan: Digest,
    approval: Approval,
}

impl Reviewed {
    /// The approval of the whole review.
    pub fn approval(&self) -> &Approval {
        &self.approval
    }

    /// The digest of the plan.
    pub(crate) fn plan(&self) -> Digest {
        self.plan
    }

    /// Whether both are of one approval.
    pub(crate) fn given_with(&self, other: &Self) -> bool {
        self.approval == other.approval
    }

    /// The same approval for another plan of the review.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(crate) fn of_plan(&self, plan: Digest) -> Self {
        Self { plan, approval: self.approval.clone() }
    }
}

/// The digest of a set of plans: the root of a Merkle tree (RFC 6962, section 2.1) over their digests in order, with their
/// number. So the proof that one plan is in a review is short.
pub(crate) fn digest_of(plans: impl Iterator<Item = Digest>) -> Digest {
    let mut leaves: Vec<[u8; 32]> = plans.map(|plan| *plan.as_bytes()).collect();
    leaves.sort_unstable();
    let count = leaves.len();
    // Roots of full subtrees, each with its size. Two of the same size make one of twice the size.
    let mut roots: Vec<(usize, [u8; 32])> = Vec::new();
    for leaf in leaves {
        let mut root = (1, Sha256::new().chain_update([0]).chain_update(leaf).finalize().into());
        while let Some((size, left)) = roots.pop_if(|(size, _)| *size == root.0) {
            root = (size * 2, node(&left, &root.1));
        }
        roots.push(root);
    }
    let mut roots = roots.into_iter().rev();
    let last = roots.next().map(|(_, root)| root);
    let root = last.map(|last| roots.fold(last, |right, (_, left)| node(&left, &right)));
    Digest::of(&("plans", 1, count, root.map(crate::hex::encode)))
}

fn node(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plans(count: usize) -> Vec<Digest> {
        (0..count).map(|n| Digest::of(&n)).collect()
    }

    /// The tree of RFC 6962, written as its definition.
    fn root(leaves: &[[u8; 32]]) -> [u8; 32] {
        if let [leaf] = leaves {
            return Sha256::new().chain_update([0]).chain_update(leaf).finalize().into();
        }
        let split = leaves.len().next_power_of_two() / 2;
        node(&root(&leaves[..split]), &root(&leaves[split..]))
    }

    #[test]
    fn the_digest_is_the_tree_of_rfc_6962_over_the_sorted_plans() {
        for count in 1..70 {
            let mut leaves: Vec<[u8; 32]> = plans(count).iter().map(|plan| *plan.as_bytes()).collect();
            leaves.sort_unstable();
            let expected = Digest::of(&("plans", 1, count, Some(crate::hex::encode(root(&leaves)))));
            assert_eq!(digest_of(plans(count).into_iter()), expected, "{count}");
            assert_eq!(digest_of(plans(count).into_iter().rev()), expected, "whatever the order");
        }
    }

    #[test]
    fn another_set_of_plans_has_another_digest() {
        let of = |plans: &[Digest]| digest_of(plans.iter().copied());
        let all = plans(9);
        let mut seen = vec![of(&all), of(&[]), of(&all[..8]), of(&all[1..])];
        seen.extend(all.iter().map(|plan| of(&[*plan])));
        let mut twice = all.clone();
        twice.push(all[0]);
        seen.push(of(&twice));
        let count = seen.len();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), count);
    }
}

//! Erases at a gateway what a person confirmed in a review, and nothing else.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::outcomes::Turns;
use super::reconcile::{BLOCK, Matched};
use super::work::ProfileWork;
use super::{Engine, Error, Outcome};
use crate::case::SupersedeReason;
use crate::customer::{Customer, CustomerId, GatewayName, ProfileId};
use crate::digest::Digest;
use crate::gateway::{ApprovedReview, ListedProfile, MatchedBy, ReviewRow};
use crate::ledger::{EntryKey, Find, NewCase, ReviewedProfile, Task, TokenOf};
use crate::plan::Mandate;
use crate::policy::{Guard, GuardRule};

/// The result for one confirmed row.
#[derive(Clone, Debug)]
pub struct ReviewOutcome {
    /// The gateway.
    pub gateway: GatewayName,
    /// The profile.
    pub profile: ProfileId,
    /// The outcome of the row's case.
    pub outcome: Outcome,
}

impl Engine {
    /// Erases the profiles that a person confirmed in a review. Returns one outcome each, by gateway and in the
    /// review's order. Each profile is a separate case. The case is recorded before the gateway is asked, and resumed
    /// after an interruption.
    ///
    /// Each profile is first matched again and read at the gateway. The profile stays, with [`Outcome::Superseded`],
    /// in these cases:
    ///
    /// * The account, the customer or the name at the gateway has changed.
    /// * A guard forbids the erasure.
    /// * A subscription runs, an invoice is unpaid, or a payment is disputed.
    ///
    /// A profile with an open case is tried again.
    ///
    /// # Errors
    /// [`Error::Approval`] if the approval has expired, and [`Error::NoSuchGateway`] for a gateway without an
    /// adapter. In both cases nothing is touched. A store or ledger out of reach.
    pub async fn erase_profiles(&self, review: &ApprovedReview) -> Result<Vec<ReviewOutcome>, Error> {
        let now = self.parts.clock.now();
        review.approval.valid_at(now)?;
        let mut by_gateway = BTreeMap::<&GatewayName, Vec<&ReviewRow>>::new();
        for row in review.review.rows() {
            by_gateway.entry(&row.gateway).or_default().push(row);
        }
        if let Some(name) = by_gateway.keys().find(|name| !self.parts.gateways.contains_key(**name)) {
            return Err(Error::NoSuchGateway { gateway: (*name).clone() });
        }
        let mut outcomes = Vec::with_capacity(review.review.rows().len());
        for (name, rows) in by_gateway {
            for rows in rows.chunks(BLOCK) {
                let mut matched = self.match_rows(name, rows).await?.into_iter();
                for rows in rows.chunks(self.parts.batch) {
                    let matched: Vec<Matched> = matched.by_ref().take(rows.len()).collect();
                    let mut ended = self.erase_rows(review, rows, matched).await?;
                    self.once_more(review, rows, &mut ended).await?;
                    outcomes.extend(ended);
                }
            }
        }
        Ok(outcomes)
    }

    /// Tries again the profiles whose open case ended because its own approval had expired. Uses the new approval.
    async fn once_more(
        &self,
        review: &ApprovedReview,
        rows: &[&ReviewRow],
        outcomes: &mut [ReviewOutcome],
    ) -> Result<(), Error> {
        let is_over = |one: &ReviewOutcome| {
            matches!(one.outcome, Outcome::Superseded { because: SupersedeReason::Mandate { .. }, .. })
        };
        let over: Vec<&ReviewRow> =
            rows.iter().zip(&*outcomes).filter(|(_, one)| is_over(one)).map(|(row, _)| *row).collect();
        let Some(first) = over.first() else { return Ok(()) };
        let matched = self.match_rows(&first.gateway, &over).await?;
        let again = self.erase_rows(review, &over, matched).await?;
        for (one, again) in outcomes.iter_mut().filter(|one| is_over(one)).zip(again) {
            *one = again;
        }
        Ok(())
    }

    async fn erase_rows(
        &self,
        review: &ApprovedReview,
        rows: &[&ReviewRow],
        matched: Vec<Matched>,
    ) -> Result<Vec<ReviewOutcome>, Error> {
        let now = self.parts.clock.now();
        let mut cases = Vec::with_capacity(rows.len());
        for row in rows {
            let task = Task::Profile(ReviewedProfile {
                review: review.review.digest(),
                row: Arc::new((*row).clone()),
            });
            let mandate = Mandate::Approval(review.approval.clone());
            cases.push(NewCase::of(self.case_id()?, task, mandate, now));
        }
        let mut matched = matched.into_iter();
        let work = |case: &NewCase| {
            let matched = matched.next();
            let Task::Profile(reviewed) = &case.task else { return None };
            Some(ProfileWork::new(reviewed, matched))
        };
        let (runs, opened) = self.open(cases, now, work).await?;
        let mut ran = self.drive(runs, &Turns::default()).await?.into_iter().map(|(_, outcome)| outcome);
        let mut outcomes = Vec::with_capacity(rows.len());
        for (row, opened) in rows.iter().zip(opened) {
            let outcome = match opened {
                // A second request for the same erasure retries the open case.
                Some(Outcome::Conflict { case }) => Some(self.go_on_with(&case).await?),
                Some(other) => Some(other),
                None => ran.next(),
            };
            let (gateway, profile) = (row.gateway.clone(), row.profile.clone());
            outcomes.extend(outcome.map(|outcome| ReviewOutcome { gateway, profile, outcome }));
        }
        Ok(outcomes)
    }

    /// Finds the present owners of a review's profiles.
    pub(super) async fn match_rows(
        &self,
        gateway: &GatewayName,
        rows: &[&ReviewRow],
    ) -> Result<Vec<Matched>, Error> {
        let listed: Vec<ListedProfile> = rows.iter().map(|row| row.as_listed()).collect();
        let mut matched = self.match_block(gateway, &listed).await?;
        self.match_by_address(rows, &mut matched).await?;
        Ok(matched)
    }

    /// Matches the profiles that a person confirmed although only the address shows the owner. The review does not
    /// keep addresses. So this checks that no other evidence contradicts the owner, and reads the customer again.
    async fn match_by_address(&self, rows: &[&ReviewRow], matched: &mut [Matched]) -> Result<(), Error> {
        let of = |row: &ReviewRow| match &row.customer {
            Some((id, _, MatchedBy::Email)) => Some(id.clone()),
            _ => None,
        };
        let ids: Vec<CustomerId> = rows.iter().filter_map(|row| of(row)).collect();
        for ids in ids.chunks(self.parts.batch) {
            let facts = self.facts(ids).await?;
            for (row, one) in rows.iter().zip(&mut *matched) {
                let customer = of(row).and_then(|id| facts.get(&id).cloned());
                if let (Some(customer), None, false) = (customer, &one.customer, one.ambiguous) {
                    one.customer = Some((customer, MatchedBy::Email));
                }
            }
        }
        Ok(())
    }

    /// A guard that forbids erasing anything of a customer. The customer need not be archived: an active customer's
    /// duplicate profile can be erased.
    pub(super) fn forbids(&self, customer: &Customer) -> Option<Guard> {
        let policy = self.parts.policy.effective(&customer.tenant);
        policy
            .guards()
            .find(|(guard, rule)| {
                **guard != Guard::NotArchived && **rule == GuardRule::Block && guard.applies_to(customer)
            })
            .map(|(guard, _)| guard.clone())
    }

    /// Whether a gateway's event is about an erased customer or profile. Call this before you process events of a
    /// gateway, so that a late event does not bring the person back.
    ///
    /// `owner` is the customer named in the gateway's data, if any. The ledger does not know erasures that happened
    /// before it began, or outside this crate.
    ///
    /// # Errors
    /// A store or ledger out of reach. Then the answer is unknown: keep the event, and ask again.
    pub async fn concerns_erased(
        &self,
        gateway: &GatewayName,
        profile: Option<&ProfileId>,
        owner: Option<&CustomerId>,
    ) -> Result<bool, Error> {
        if let Some(profile) = profile {
            let profile = Digest::of_bytes(profile.as_str().as_bytes());
            let of = TokenOf::Profile { gateway: gateway.clone(), profile };
            let tokens = self.all_tokens(&[of]).await?;
            let tokens: Vec<_> = tokens.into_iter().map(|(token, _)| EntryKey::profile(token)).collect();
            if !self.parts.ledger.find(&Find::all(tokens)).await?.is_empty() {
                return Ok(true);
            }
        }
        let Some(owner) = owner else { return Ok(false) };
        let facts = self.facts(std::slice::from_ref(owner)).await?;
        let Some(customer) = facts.get(owner) else {
            // The customer's row is gone, so the tenant is unknown. Without the tenant no token can be computed.
            return Ok(false);
        };
        let before = self.treated_before(&[customer]).await?;
        Ok(before.get(owner).is_some_and(|before| !before.treated.is_empty()))
    }
}

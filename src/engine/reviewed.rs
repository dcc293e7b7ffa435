//! Erasing at a gateway what a person confirmed in a review, and nothing else.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, StreamExt};

use super::reconcile::{BLOCK, Matched};
use super::steps::{Accounts, erase_or_look};
use super::survey::CALLS;
use super::{Engine, Error};
use crate::customer::{Customer, CustomerId, GatewayName, ProfileId};
use crate::digest::Digest;
use crate::gateway::{
    ApprovedReview, Finding, GatewayAnswer, GatewayError, GatewayOutcome, ListedProfile, MatchedBy,
    PaymentGatewayEraser, ProfileErasure, ProfileState, ReviewRow,
};
use crate::ledger::{EntryBody, EntryKey, Find, ProfileErased, TokenOf};
use crate::policy::{Guard, GuardRule};

/// What came of one confirmed row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReviewOutcome {
    /// Which gateway.
    pub gateway: GatewayName,
    /// Which profile.
    pub profile: ProfileId,
    /// What came of it.
    pub outcome: ProfileOutcome,
}

/// How the erasure of a profile by itself ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProfileOutcome {
    /// It is gone, and was read back. The ledger has the gateway's answer.
    Done(GatewayAnswer),
    /// It is not as it was in the review. Nothing was touched.
    Changed {
        /// What has changed.
        reason: String,
    },
    /// A guard or the gateway forbids it.
    Blocked {
        /// Why.
        reason: String,
    },
    /// The gateway is out of reach, or has not finished. Erase the same review again, while its approval holds.
    Waiting {
        /// What it waits for.
        reason: String,
        /// After how long it is worth trying, if that is known.
        retry_after: Option<Duration>,
    },
}

impl ProfileOutcome {
    fn changed(reason: &str) -> Self {
        Self::Changed { reason: format!("{reason}; reconcile again") }
    }

    fn failed(error: &GatewayError) -> Self {
        let reason = error.to_string();
        if error.is_transient() {
            Self::Waiting { reason, retry_after: error.retry_after() }
        } else {
            Self::Blocked { reason }
        }
    }
}

impl Engine {
    /// Erases the profiles that a person confirmed in a review: one outcome each, in the review's order.
    ///
    /// Each is matched again first, and looked at at the gateway. Where the account, the customer or the name at the
    /// gateway is another one by now, or a subscription runs, an invoice is unpaid or a payment disputed, it stays. What
    /// was done is in the ledger, with the review's digest. Interrupted, it can be done again: what is gone is found
    /// absent.
    ///
    /// # Errors
    /// [`Error::Approval`] if the approval has expired; nothing is touched then. A store or ledger out of reach.
    pub async fn erase_profiles(&self, review: &ApprovedReview) -> Result<Vec<ReviewOutcome>, Error> {
        review.approval.valid_at(self.parts.clock.now())?;
        let mut by_gateway = BTreeMap::<&GatewayName, Vec<&ReviewRow>>::new();
        for row in review.review.rows() {
            by_gateway.entry(&row.gateway).or_default().push(row);
        }
        let mut outcomes = Vec::with_capacity(review.review.rows().len());
        for (name, rows) in by_gateway {
            for rows in rows.chunks(BLOCK) {
                let listed: Vec<ListedProfile> = rows.iter().map(|row| listed(row)).collect();
                let mut matched = self.match_block(name, &listed).await?;
                self.match_by_address(rows, &mut matched).await?;
                let pairs: Vec<(&ReviewRow, &Matched)> = rows.iter().copied().zip(&matched).collect();
                for pairs in pairs.chunks(self.parts.batch) {
                    outcomes.extend(self.erase_rows(review, name, pairs).await?);
                }
            }
        }
        Ok(outcomes)
    }

    /// Those that a person confirmed although only the address says whose they are: the review does not keep addresses,
    /// so what is looked at again is that nothing else says anything by now, and who the customer is.
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

    /// A guard that forbids to erase anything of this customer's. To be archived is not asked for: of two profiles of an
    /// active customer one can go.
    fn forbids(&self, customer: &Customer) -> Option<Guard> {
        let policy = self.parts.policy.effective(&customer.tenant);
        policy
            .guards()
            .find(|(guard, rule)| {
                **guard != Guard::NotArchived && **rule == GuardRule::Block && guard.is_up(customer)
            })
            .map(|(guard, _)| guard.clone())
    }

    async fn erase_rows(
        &self,
        review: &ApprovedReview,
        name: &GatewayName,
        rows: &[(&ReviewRow, &Matched)],
    ) -> Result<Vec<ReviewOutcome>, Error> {
        let gateway = self.parts.gateways.get(name);
        let gateway = gateway.ok_or_else(|| Error::NoSuchGateway { gateway: name.clone() })?;
        let accounts = &Accounts::of(self);
        let digest = review.review.digest();
        let calls: Vec<_> = rows
            .iter()
            .map(|(row, matched)| self.erase_row(&**gateway, accounts, digest, row, matched))
            .collect();
        let outcomes: Vec<ProfileOutcome> = stream::iter(calls).buffered(CALLS).collect().await;
        let profile = |row: &ReviewRow| TokenOf::Profile {
            gateway: name.clone(),
            profile: Digest::of_bytes(row.profile.as_str().as_bytes()),
        };
        let is_done = |outcome: &ProfileOutcome| matches!(outcome, ProfileOutcome::Done(_));
        let erased = rows.iter().zip(&outcomes).filter(|(_, outcome)| is_done(outcome));
        let signed = self.sign(erased.map(|((row, _), _)| profile(row)).collect()).await?;
        let mut done = Vec::new();
        let mut list = Vec::with_capacity(outcomes.len());
        for ((row, _), outcome) in rows.iter().zip(outcomes) {
            if let ProfileOutcome::Done(answer) = &outcome {
                done.push(EntryBody::Profile(Arc::new(ProfileErased {
                    gateway: name.clone(),
                    account: row.account.clone(),
                    profile: signed.token(&profile(row))?,
                    key: signed.check().clone(),
                    review: digest,
                    operator: review.approval.operator().clone(),
                    approved_at: review.approval.approved_at(),
                    at: self.parts.clock.now(),
                    answer: answer.clone(),
                })));
            }
            list.push(ReviewOutcome { gateway: name.clone(), profile: row.profile.clone(), outcome });
        }
        if !done.is_empty() {
            self.parts.ledger.append(&done).await?;
            tracing::info!(gateway = %name, profiles = done.len(), review = %digest.short(), "profiles erased");
        }
        Ok(list)
    }

    async fn erase_row(
        &self,
        gateway: &dyn PaymentGatewayEraser,
        accounts: &Accounts<'_>,
        review: Digest,
        row: &ReviewRow,
        matched: &Matched,
    ) -> ProfileOutcome {
        match self.try_row(gateway, accounts, review, row, matched).await {
            Ok(outcome) => outcome,
            Err(error) => ProfileOutcome::failed(&error),
        }
    }

    async fn try_row(
        &self,
        gateway: &dyn PaymentGatewayEraser,
        accounts: &Accounts<'_>,
        review: Digest,
        row: &ReviewRow,
        matched: &Matched,
    ) -> Result<ProfileOutcome, GatewayError> {
        let now = matched.customer.as_ref().map(|(customer, by)| (&customer.id, &customer.tenant, *by));
        let then = row.customer.as_ref().map(|(id, tenant, by)| (id, tenant, *by));
        if matched.ambiguous {
            return Ok(ProfileOutcome::changed("it may be of several customers by now"));
        }
        if now != then {
            return Ok(ProfileOutcome::changed("it is another customer's by now, or nobody's"));
        }
        if accounts.ask(gateway).await? != row.account {
            return Ok(ProfileOutcome::changed("the adapter's key is of another account"));
        }
        if let Some((customer, _)) = &matched.customer {
            if let Some(guard) = self.forbids(customer) {
                return Ok(blocked(&format!("{}; {}", guard.why(), guard.way_out())));
            }
            if !row.findings.iter().all(|found| still(*found, matched, row)) {
                return Ok(ProfileOutcome::changed("the customer is no more as the review says"));
            }
        }
        let profile = &row.profile;
        if let ProfileState::Present(found) = self.again(|| gateway.state(profile)).await? {
            if found.owner != row.named_owner {
                return Ok(ProfileOutcome::changed("it names another owner at the gateway"));
            }
            for (count, reason) in [
                (found.active_subscriptions, "a subscription runs at the gateway; end it first"),
                (found.unpaid_invoices, "an invoice is unpaid at the gateway; settle or void it first"),
                (found.open_disputes, "a payment is disputed at the gateway; wait until it is settled"),
            ] {
                if count > 0 {
                    return Ok(blocked(reason));
                }
            }
        }
        let digest = Digest::of_bytes(profile.as_str().as_bytes());
        let erasure = ProfileErasure {
            profile: profile.clone(),
            owner: row.named_owner.clone(),
            idempotency_key: Digest::of(&("review", review, gateway.gateway(), digest)).to_string(),
        };
        let mut answer = self.again(|| erase_or_look(gateway, &erasure)).await?;
        for _ in 0..5 {
            let GatewayOutcome::Accepted { receipt } = &answer.outcome else { break };
            let receipt = receipt.clone();
            self.parts.clock.sleep(Duration::from_secs(1)).await;
            answer = self.again(|| gateway.poll(&receipt)).await?;
        }
        Ok(match &answer.outcome {
            GatewayOutcome::Erased | GatewayOutcome::AlreadyAbsent => {
                match self.again(|| gateway.state(profile)).await? {
                    ProfileState::Absent => ProfileOutcome::Done(answer),
                    ProfileState::Present(_) => blocked("the gateway says it is gone, and still has it"),
                }
            }
            GatewayOutcome::Blocked { reason } => blocked(reason),
            GatewayOutcome::Retained { what, .. } => blocked(&format!("the gateway keeps {what}")),
            GatewayOutcome::Accepted { .. } => {
                let reason = "the gateway has accepted it and will finish it later".to_owned();
                ProfileOutcome::Waiting { reason, retry_after: None }
            }
        })
    }

    /// Whether a profile at a gateway is of a customer who was erased, or was erased itself: for whoever takes in a
    /// gateway's events, so that one that comes late does not bring the person back.
    ///
    /// `owner` is the customer whom the gateway's own data name, if they name one. What was erased before the ledger began,
    /// or by somebody else, is not known here.
    ///
    /// # Errors
    /// A store or ledger out of reach. Then nothing is known: keep the event, and ask again.
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
            // The row is gone, and with it the tenant, without which the ledger cannot be asked.
            return Ok(false);
        };
        let before = self.treated_before(&[customer]).await?;
        Ok(before.get(owner).is_some_and(|before| !before.treated.is_empty()))
    }
}

fn blocked(reason: &str) -> ProfileOutcome {
    ProfileOutcome::Blocked { reason: reason.to_owned() }
}

/// The profile as it stands in the review.
fn listed(row: &ReviewRow) -> ListedProfile {
    let mut profile = ListedProfile::new(row.profile.clone());
    profile.owner.clone_from(&row.named_owner);
    profile
}

/// Whether what the review says of the customer still holds.
fn still(found: Finding, matched: &Matched, row: &ReviewRow) -> bool {
    let now = matched.findings(&listed(row));
    match found {
        // An archived customer who was erased since is as good as before.
        Finding::OwnerArchived => {
            now.contains(&Finding::OwnerArchived) || now.contains(&Finding::OwnerErased)
        }
        Finding::OwnerErased => now.contains(&Finding::OwnerErased),
        _ => true,
    }
}

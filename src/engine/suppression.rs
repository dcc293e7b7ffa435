//! The suppression list: adds the identifiers of erased customers, and answers the questions of importers.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::NaiveDate;

use super::run::Run;
use super::work::ErasureWork;
use super::{Engine, Error};
use crate::anonymise::text::Forms;
use crate::case::Before;
use crate::customer::{Identifier, Identifiers, SuppressionToken};
use crate::data_map::{Kind, Value};
use crate::document::Problem;
use crate::ledger::{
    Epoch, KeyRing, KeyRingError, NewCase, SuppressionKey, SuppressionList, TokenOf, epochs, tokens,
};
use crate::plan::{Binding, Mandate, Step};
use crate::policy::{Policy, Suppressing};
use crate::store::{Batch, StoreError};
use crate::treatment::Treatment;

/// The suppression list, with its keys.
pub(super) struct Suppressor {
    list: Arc<dyn SuppressionList>,
    keys: Arc<dyn KeyRing>,
    /// The epochs of the key ring, after the check that the list was written with these keys.
    epochs: Mutex<Vec<Epoch>>,
}

impl fmt::Debug for Suppressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Suppressor").finish_non_exhaustive()
    }
}

impl Suppressor {
    pub(super) fn new((list, keys): (Arc<dyn SuppressionList>, Arc<dyn KeyRing>)) -> Self {
        Self { list, keys, epochs: Mutex::default() }
    }
}

/// The problem of a policy that suppresses identifiers if the engine has no list.
pub(super) fn no_list() -> Problem {
    Problem::new(
        "suppress",
        "needs a suppression list",
        "give EngineBuilder::suppression one, such as the ledger, and a key ring of its own",
    )
}

/// What a case adds to the suppression list. A deferred case adds nothing: the identifiers are gone already. A replay
/// adds nothing: the identifiers of the closed case are in the list, or somebody removed them on purpose.
pub(super) fn suppressing(policy: &Policy, case: &NewCase, binding: &Binding) -> Option<Suppressing> {
    if binding.is_deferred() || matches!(case.mandate, Mandate::Replay(_)) {
        return None;
    }
    policy.effective(binding.tenant()).suppressing(binding.treatment(), case.opened_at)
}

impl Engine {
    /// Whether an identifier was used by somebody who was erased. Another person may share the identifier. Call this
    /// in an importer, a webhook handler or a mailing list before you store a person.
    ///
    /// # Errors
    /// As [`were_erased`](Self::were_erased).
    pub async fn was_erased(&self, identifier: &Identifier) -> Result<bool, Error> {
        let answers = self.were_erased(std::slice::from_ref(identifier)).await?;
        Ok(answers.into_iter().any(|is_known| is_known))
    }

    /// Does the same as [`was_erased`](Self::was_erased) for many identifiers: one answer each, in order. Makes one
    /// request per key.
    ///
    /// # Errors
    /// * [`Error::NoSuppression`], or [`Error::NotSuppressed`] for a kind that the policy does not suppress: "no"
    ///   would be a guess.
    /// * [`Error::NotComparable`] for a value that cannot be compared.
    /// * A list or keys out of reach, or a key ring with which the list was not written.
    pub async fn were_erased(&self, identifiers: &[Identifier]) -> Result<Vec<bool>, Error> {
        let forms = self.forms(identifiers, |forms| forms.asked)?;
        let known = self.suppressor()?.list.suppressed(&self.tokens_of(&forms).await?, self.today()).await?;
        let mut answers = vec![false; identifiers.len()];
        let places = forms.iter().map(|(place, _)| *place).cycle();
        for (place, known) in places.zip(known) {
            if let Some(answer) = answers.get_mut(place) {
                *answer |= known;
            }
        }
        Ok(answers)
    }

    /// Removes identifiers from the suppression list. Use it for a person who returns, or for somebody who shares an
    /// identifier with an erased person. Every other person with the same identifier is let in, too. Returns the
    /// number of tokens that were removed.
    ///
    /// # Errors
    /// As [`were_erased`](Self::were_erased).
    pub async fn let_in(&self, identifiers: &[Identifier]) -> Result<u64, Error> {
        let forms = self.forms(identifiers, |forms| {
            let mut all = forms.kept;
            all.extend(forms.asked);
            all.sort();
            all.dedup();
            all
        })?;
        let removed = self.suppressor()?.list.unsuppress(&self.tokens_of(&forms).await?).await?;
        tracing::info!(
            identifiers = identifiers.len(),
            tokens = removed,
            "taken out of the suppression list"
        );
        Ok(removed)
    }

    /// Deletes the tokens of the suppression list whose last day is over. Returns their number. Without a list
    /// nothing is deleted.
    ///
    /// # Errors
    /// A list out of reach.
    pub async fn forget_suppressed(&self) -> Result<u64, Error> {
        let Some(suppressor) = &self.parts.suppression else { return Ok(0) };
        let mut forgotten = 0;
        loop {
            match suppressor.list.forget_suppressed(self.today(), self.parts.batch).await? {
                0 => return Ok(forgotten),
                count => forgotten += count,
            }
        }
    }

    fn suppressor(&self) -> Result<&Suppressor, Error> {
        self.parts.suppression.as_ref().ok_or(Error::NoSuppression)
    }

    /// The forms of identifiers, each with the index of its identifier.
    fn forms(
        &self,
        identifiers: &[Identifier],
        which: impl Fn(Forms) -> Vec<String>,
    ) -> Result<Vec<(usize, TokenOf)>, Error> {
        let mut all = Vec::with_capacity(identifiers.len());
        for (place, Identifier { tenant, kind, value }) in identifiers.iter().enumerate() {
            let rule = self.parts.policy.effective(tenant).suppression();
            if !rule.is_some_and(|rule| rule.kinds().contains(kind)) {
                return Err(Error::NotSuppressed { tenant: tenant.clone(), kind: kind.clone() });
            }
            let forms = which(Forms::of(kind, value));
            if forms.is_empty() {
                return Err(Error::NotComparable { kind: kind.clone() });
            }
            let named = |form| (place, TokenOf::Identifier { tenant: tenant.clone(), form });
            all.extend(forms.into_iter().map(named));
        }
        Ok(all)
    }

    /// The tokens under every key that still exists: for each epoch in turn, one token per form.
    async fn tokens_of(&self, forms: &[(usize, TokenOf)]) -> Result<Vec<SuppressionToken>, Error> {
        let of: Vec<TokenOf> = forms.iter().map(|(_, of)| of.clone()).collect();
        let tokens = tokens(&*self.suppressor()?.keys, &self.suppression_epochs().await?, &of).await?;
        Ok(tokens.into_iter().map(crate::ledger::SubjectToken::to_suppression).collect())
    }

    /// The epochs of the list's key ring, the current epoch last. Checks first that the list was written with these
    /// keys, and that the ledger does not use them.
    async fn suppression_epochs(&self) -> Result<Vec<Epoch>, Error> {
        let suppressor = self.suppressor()?;
        let numbers = suppressor.keys.epochs().await?;
        let Some(current) = numbers.last().copied() else { return Err(KeyRingError::Empty.into()) };
        {
            let known = suppressor.epochs.lock().unwrap_or_else(PoisonError::into_inner);
            if known.iter().map(|epoch| epoch.number).eq(numbers.iter().copied()) {
                return Ok(known.clone());
            }
        }
        let found = epochs(&*suppressor.keys, &numbers).await?;
        let of_ledger = self.epochs().await?;
        let is_shared = |epoch: &&Epoch| of_ledger.iter().any(|other| other.check == epoch.check);
        if let Some(shared) = found.iter().find(is_shared) {
            return Err(KeyRingError::SharedKey { epoch: shared.number }.into());
        }
        for SuppressionKey { epoch, check } in suppressor.list.suppression_keys().await? {
            let is_other = match found.iter().find(|known| known.number == epoch) {
                Some(known) => known.check != check,
                // The key of an earlier epoch may have been destroyed.
                None => epoch > current,
            };
            if is_other {
                return Err(KeyRingError::ListKeyMismatch { epoch }.into());
            }
        }
        suppressor.epochs.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&found);
        Ok(found)
    }

    /// The tokens of the customers' identifiers, as long as these can be read: one answer per case, in order.
    pub(super) async fn tokens_to_suppress(
        &self,
        treatment: &Treatment,
        runs: &[&mut Run<'_, ErasureWork>],
    ) -> Result<Batch<Vec<SuppressionToken>>, Error> {
        let policy = &self.parts.policy;
        let rules: Vec<Option<Suppressing>> =
            runs.iter().map(|run| suppressing(policy, &run.new, run.binding())).collect();
        let asked = runs.iter().zip(&rules).filter(|(_, rule)| rule.is_some());
        let customers: Vec<_> = asked.map(|(run, _)| run.binding().customer().clone()).collect();
        if customers.is_empty() {
            return Ok(runs.iter().map(|_| Ok(Vec::new())).collect());
        }
        let mut identifiers = self.parts.store.identifiers(&customers).await?.into_iter();
        let mut forms: Vec<TokenOf> = Vec::new();
        let mut places = Vec::with_capacity(runs.len());
        for (run, rule) in runs.iter().zip(&rules) {
            let Some(rule) = rule else {
                places.push(Ok(0));
                continue;
            };
            let found = identifiers.next().unwrap_or_else(|| Err(super::run::not_tried()));
            places.push(found.map(|found| {
                let own = self.own_forms(treatment, rule, &found);
                let tenant = run.binding().tenant();
                let count = own.len();
                forms
                    .extend(own.into_iter().map(|form| TokenOf::Identifier { tenant: tenant.clone(), form }));
                count
            }));
        }
        let current = self.suppression_epochs().await?.pop().ok_or(KeyRingError::Empty)?;
        let mut tokens = tokens(&*self.suppressor()?.keys, &[current], &forms).await?.into_iter();
        let mut take = |count| {
            let mut of_one: Vec<SuppressionToken> =
                tokens.by_ref().take(count).map(crate::ledger::SubjectToken::to_suppression).collect();
            // Sorted, so that the order of the tokens does not show the order of the fields.
            of_one.sort_unstable();
            of_one.dedup();
            of_one
        };
        Ok(places.into_iter().map(|place: Result<usize, StoreError>| place.map(&mut take)).collect())
    }

    /// The forms of the identifiers that the rule names. Values that an earlier treatment wrote are left out.
    fn own_forms(&self, treatment: &Treatment, rule: &Suppressing, found: &Identifiers) -> Vec<String> {
        let is_placeholder = |kind: &Kind, value: &str| {
            let value = Value::Text(value.to_owned());
            self.data_map().classes().any(|class| {
                let mut fields = class.fields().iter().filter(|field| field.kind() == Some(kind));
                fields.any(|field| treatment.is_erased(class.name().as_str(), field.name().as_str(), &value))
            })
        };
        let named =
            found.iter().filter(|(kind, value)| rule.kinds.contains(kind) && !is_placeholder(kind, value));
        let mut forms: Vec<String> = named.flat_map(|(kind, value)| Forms::of(kind, value).kept).collect();
        forms.sort();
        forms.dedup();
        forms
    }

    /// Adds the tokens of customers whose records were erased. The tokens were recorded before the erasure. If the
    /// list is out of reach, the cases wait: the step is done only when the tokens are in the list.
    pub(super) async fn suppress_erased<'r, 'e: 'r>(
        &self,
        runs: impl Iterator<Item = &'r Run<'e, ErasureWork>>,
    ) -> Result<(), Error> {
        let mut by_day = BTreeMap::<NaiveDate, Vec<SuppressionToken>>::new();
        for run in runs {
            let before = run.progress.step(&Step::Records).and_then(|step| step.before.as_ref());
            let Some(Before::Records { suppress, .. }) = before else { continue };
            let rule = suppressing(&self.parts.policy, &run.new, run.binding());
            if let Some(rule) = rule.filter(|_| !suppress.is_empty()) {
                by_day.entry(rule.until).or_default().extend(suppress);
            }
        }
        if by_day.is_empty() {
            return Ok(());
        }
        let current = self.suppression_epochs().await?.pop().ok_or(KeyRingError::Empty)?;
        for (until, mut tokens) in by_day {
            // Sorted, so that the order does not show which tokens belong to the same customer.
            tokens.sort_unstable();
            tokens.dedup();
            let key = SuppressionKey { epoch: current.number, check: current.check.clone() };
            self.suppressor()?.list.suppress(&key, &tokens, until).await?;
        }
        Ok(())
    }
}

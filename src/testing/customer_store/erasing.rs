//! Carrying out a treatment.

use std::sync::Arc;

use super::{Bench, Broken, Law, Seen, stale, target, works};
use crate::customer::{Customer, CustomerId};
use crate::store::{Counts, CustomerStore, Erased, StoreError, Tally, TallyRequest, Target};
use crate::treatment::{RecordAction, Treatment, TreatmentName};

/// How often a store may answer that there is more to do.
const PARTS: usize = 1_000;

fn word(answer: Option<&Result<Erased, StoreError>>) -> &'static str {
    match answer {
        None => "none",
        Some(Ok(Erased::Done(_))) => "Done",
        Some(Ok(Erased::More(_))) => "More",
        Some(Ok(Erased::Changed)) => "Changed",
        Some(Ok(Erased::Missing)) => "Missing",
        Some(Err(_)) => "an error",
    }
}

/// The classes for which the number of treated records does not fit the count before. Gives class, counted before,
/// treated.
fn uncounted(treatment: &Treatment, before: &Tally, counts: &Counts) -> Option<(String, u64, u64)> {
    treatment.classes().iter().find_map(|(name, class)| {
        // Records that others own too, or fields in records of others, have their own counts.
        let is_shared = before.others.contains_key(name) || before.fields.contains_key(name);
        if matches!(class.action(), RecordAction::Keep { .. }) || is_shared {
            return None;
        }
        let rows = before.classes.get(name).map_or(0, |class| class.rows);
        let kept = before.kept.get(name).map_or(0, |kept| kept.rows);
        let other = counts.otherwise.get(name);
        let otherwise = other.map_or(0, |other| other.deleted + other.meanwhile + other.fields);
        let treated = counts.classes.get(name).copied().unwrap_or(0) + otherwise;
        (treated != rows.saturating_sub(kept)).then(|| (name.to_string(), rows.saturating_sub(kept), treated))
    })
}

impl<S: CustomerStore> Bench<S> {
    async fn erased(
        &self,
        targets: Vec<Target>,
        treatment: &Arc<Treatment>,
        seed: u8,
    ) -> Result<Vec<Result<Erased, StoreError>>, Broken> {
        works("erase", self.store().erase(&self.request(targets, treatment, seed)).await)
    }

    /// Erases the rest, if the first answer says that there is more. Returns the sum of all counts.
    async fn finish(
        &self,
        first: Option<&Result<Erased, StoreError>>,
        of: &Customer,
        treatment: &Arc<Treatment>,
    ) -> Result<Option<Counts>, Broken> {
        let mut all = Counts::default();
        let (mut answer, mut parts) = (first.and_then(|first| first.as_ref().ok()).cloned(), 0);
        loop {
            match answer {
                Some(Erased::Done(counts)) => {
                    all.add(&counts);
                    return Ok(Some(all));
                }
                Some(Erased::More(counts)) if parts < PARTS => all.add(&counts),
                _ => return Ok(None),
            }
            parts += 1;
            let more = self.erased(vec![target(of)], treatment, 1).await?.into_iter().next();
            answer = more.map(|more| works("erase of the rest", more)).transpose()?;
        }
    }

    /// Checks that erase does not touch a customer who has changed, or who does not exist.
    pub(super) async fn compares(&self, name: &TreatmentName) -> Result<(), Broken> {
        let (one, two, _) = self.few()?;
        let treatment = self.treatment(name, one)?;
        let before = [self.see(&one.id).await?, self.see(&two.id).await?];
        let nobody = Target { customer: self.nobody(), ..target(one) };
        let stale = Target { expected: stale(two), ..target(two) };
        let of_nobody = self.erased(vec![nobody], &treatment, 1).await?;
        Law::EraseMissing.hold(
            matches!(of_nobody.as_slice(), [Ok(Erased::Missing)]),
            format_args!("{name}: erase of nobody answered {}", word(of_nobody.first())),
        )?;
        let of_stale = self.erased(vec![stale], &treatment, 1).await?;
        let after = [self.see(&one.id).await?, self.see(&two.id).await?];
        Law::EraseCompares.hold(
            matches!(of_stale.as_slice(), [Ok(Erased::Changed)]) && before == after,
            format_args!(
                "{name}: erase of a customer with a subscription less than expected answered {}, and left everybody as before: {}",
                word(of_stale.first()),
                before == after
            ),
        )
    }

    pub(super) async fn erases(&self, name: &TreatmentName) -> Result<(), Broken> {
        let (one, two, rest) = self.few()?;
        let treatment = self.treatment(name, one)?;
        let others: Vec<&Customer> = std::iter::once(two).chain(rest).collect();
        let mut before: Vec<Seen> = Vec::new();
        for other in &others {
            before.push(self.see(&other.id).await?);
        }
        let counted = self.tally_of(&one.id, &treatment).await?;
        let nobody = Target { customer: self.nobody(), ..target(one) };
        let stale = Target { expected: stale(two), ..target(two) };
        let answers = self.erased(vec![nobody, target(one), stale], &treatment, 1).await?;
        let words: Vec<&str> = answers.iter().map(|answer| word(Some(answer))).collect();
        let is_right = matches!(words.as_slice(), ["Missing", "Done" | "More", "Changed"]);
        Law::EraseInOrder.hold(
            is_right,
            format_args!(
                "{name}: erase of nobody, of one customer, and of one with a subscription less than expected, answered {words:?}"
            ),
        )?;
        let counts = self.finish(answers.get(1), one, &treatment).await?;
        let counts = counts.ok_or_else(|| {
            Law::EraseInOrder.broken(format!("{name}: after More, erase of the rest came to no end"))
        })?;
        let wrong = uncounted(&treatment, &counted, &counts);
        Law::EraseCountsAll.hold(
            wrong.is_none(),
            format_args!("{name}: class, records that were to be treated, records counted: {wrong:?}"),
        )?;
        let left = self.tally_of(&one.id, &treatment).await?;
        Law::EraseLeavesNothingDue.hold(
            !left.is_anything_left(),
            format_args!("{name}: {} records are due after Done", left.due()),
        )?;
        for (place, (other, before)) in (2..).zip(others.iter().zip(&before)) {
            let after = self.see(&other.id).await?;
            Law::OthersUntouched.hold(
                after == *before,
                format_args!(
                    "{name}: the first customer was erased, and the one at place {place} is another one"
                ),
            )?;
        }
        self.erases_again(name, one, &treatment).await?;
        self.shows_nobody(&format!("{answers:?}"), "an answer of erase").await
    }

    async fn erases_again(
        &self,
        name: &TreatmentName,
        one: &Customer,
        treatment: &Arc<Treatment>,
    ) -> Result<(), Broken> {
        let before = self.see(&one.id).await?;
        let facts = self.facts_of(&one.id).await?;
        let is_gone = facts.is_none();
        let again = self.erased(vec![target(facts.as_ref().unwrap_or(one))], treatment, 2).await?;
        let after = self.see(&one.id).await?;
        let is_right = match again.first() {
            Some(Ok(Erased::Done(_))) => !is_gone,
            Some(Ok(Erased::Missing)) => true,
            _ => false,
        };
        Law::EraseAgain.hold(
            is_right && before == after,
            format_args!(
                "{name}: erase again answered {}, and left the customer as they were: {}",
                word(again.first()),
                before == after
            ),
        )
    }

    /// Checks a batch in which one customer cannot be erased.
    pub(super) async fn bears_a_spoilt_one(&self, name: &TreatmentName) -> Result<(), Broken> {
        let Some(spoil) = &self.stock.spoil else { return Ok(()) };
        let (one, spoilt, rest) = self.few()?;
        let treatment = self.treatment(name, one)?;
        let mut values: Vec<String> = vec![spoilt.id.as_str().to_owned()];
        values.extend(self.identifiers_of(&spoilt.id).await?.into_iter().map(|(_, value)| value));
        let neighbours: Vec<&Customer> = std::iter::once(one).chain(rest.first()).collect();
        let mut counted = Vec::new();
        for neighbour in &neighbours {
            counted.push(self.tally_of(&neighbour.id, &treatment).await?);
        }
        spoil(&spoilt.id);
        let rows = self.rows_of(&spoilt.id);
        // The spoilt customer is the second one, between two others.
        let mut order: Vec<&Customer> = neighbours.clone();
        order.insert(1, spoilt);
        let ids: Vec<CustomerId> = order.iter().map(|customer| customer.id.clone()).collect();
        let request = TallyRequest::new(ids, Arc::clone(&treatment)).at(self.stock.at);
        let tallies = self.store().tally(&request).await.map_err(|error| {
            Law::NeighboursUnharmed
                .broken(format!("{name}: the second customer is spoilt, and tally failed for all: {error}"))
        })?;
        let found = tallies
            .iter()
            .enumerate()
            .filter(|(place, _)| *place != 1)
            .map(|(_, answer)| answer.as_ref().ok());
        let right = found.eq(counted.iter().map(Some));
        Law::NeighboursUnharmed.hold(
            right && tallies.len() == order.len(),
            format_args!(
                "{name}: the second customer is spoilt, and the others are counted otherwise than before"
            ),
        )?;
        // The facts of the spoilt customer may be unreadable now, so the facts from before are used.
        let targets = order.iter().map(|customer| target(customer)).collect();
        let answers = self.store().erase(&self.request(targets, &treatment, 1)).await.map_err(|error| {
            Law::NeighboursUnharmed
                .broken(format!("{name}: the second customer is spoilt, and erase failed for all: {error}"))
        })?;
        let words: Vec<&str> = answers.iter().map(|answer| word(Some(answer))).collect();
        let Some(Err(error)) = answers.get(1) else {
            return Err(Law::FixtureSuffices.broken(format!(
                "{name}: the second customer was spoilt, and erase answered {words:?}; spoil customers so that they are refused"
            )));
        };
        let are_done =
            words.iter().enumerate().all(|(place, word)| place == 1 || matches!(*word, "Done" | "More"));
        Law::NeighboursUnharmed.hold(
            are_done && words.len() == order.len(),
            format_args!("{name}: the second customer is spoilt, and erase answered {words:?}"),
        )?;
        Law::FailedUntouched.hold(
            rows == self.rows_of(&spoilt.id),
            format_args!("{name}: erase gave an error for the second customer, whose rows are others now"),
        )?;
        let mut shown = format!("{error} {error:?}");
        let mut source = std::error::Error::source(error);
        while let Some(cause) = source {
            shown = format!("{shown} {cause} {cause:?}");
            source = cause.source();
        }
        let is_shown =
            values.iter().filter(|value| value.chars().count() > 3).any(|value| shown.contains(value));
        Law::StoreShowsNobody
            .hold(!is_shown, format_args!("{name}: the error of erase shows a value of the customer"))
    }
}

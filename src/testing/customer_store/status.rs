//! Checks the reversible first step, and its reversal.

use super::{Bench, Broken, Law, stale, works};
use crate::customer::{Customer, CustomerId, Expected, FormerStatus};
use crate::store::{CustomerStore, Deactivated, Deactivation, Reactivated, Reactivation};

/// An answer in one word. The data for undoing a deactivation are not shown.
fn word(answer: Option<&Deactivated>) -> &'static str {
    match answer {
        None => "none",
        Some(Deactivated::Done { .. }) => "Done",
        Some(Deactivated::Already) => "Already",
        Some(Deactivated::Changed) => "Changed",
        Some(Deactivated::Missing) => "Missing",
        Some(Deactivated::Unsupported) => "Unsupported",
    }
}

impl<S: CustomerStore> Bench<S> {
    fn deactivation(&self, customer: &CustomerId, expected: Expected) -> Deactivation {
        Deactivation { customer: customer.clone(), expected, at: self.stock.at }
    }

    async fn deactivated(&self, batch: &[Deactivation]) -> Result<Vec<Deactivated>, Broken> {
        let answers = works("deactivate", self.store().deactivate(batch).await)?;
        answers.into_iter().map(|answer| works("deactivate of one customer", answer)).collect()
    }

    async fn reactivated(
        &self,
        customer: &CustomerId,
        before: &FormerStatus,
    ) -> Result<Option<Reactivated>, Broken> {
        let batch = [Reactivation { customer: customer.clone(), before: before.clone() }];
        let answers = works("reactivate", self.store().reactivate(&batch).await)?;
        answers.into_iter().next().map(|answer| works("reactivate of one customer", answer)).transpose()
    }

    async fn expected(&self, customer: &Customer) -> Result<Option<Expected>, Broken> {
        Ok(self.facts_of(&customer.id).await?.map(|facts| facts.expected()))
    }

    pub(super) async fn status(&self) -> Result<(), Broken> {
        let (one, two, _) = self.few()?;
        let (nobody, before) = (self.nobody(), [one.expected(), two.expected()]);
        let batch = [
            self.deactivation(&nobody, one.expected()),
            self.deactivation(&one.id, one.expected()),
            self.deactivation(&two.id, stale(two)),
        ];
        let answers = self.deactivated(&batch).await?;
        if !self.deactivates() {
            let unsupported = answers.iter().all(|answer| *answer == Deactivated::Unsupported);
            let after = [self.expected(one).await?, self.expected(two).await?];
            return Law::DeactivateDeclared.hold(
                unsupported && answers.len() == 3 && after == before.map(Some),
                format_args!(
                    "the data map says that nobody can be deactivated, and deactivate answered {} first",
                    word(answers.first())
                ),
            );
        }
        let words: Vec<&str> = answers.iter().map(|answer| word(Some(answer))).collect();
        Law::DeactivateDeclared.hold(
            !answers.contains(&Deactivated::Unsupported),
            format_args!(
                "the data map says that customers can be deactivated, and deactivate answered {words:?}"
            ),
        )?;
        let mut sorted = words.clone();
        sorted.sort_unstable();
        Law::DeactivateInOrder.hold(
            answers.len() == 3 && (sorted != ["Changed", "Done", "Missing"] || words == ["Missing", "Done", "Changed"]),
            format_args!("deactivate of nobody, of one customer, and of one with a subscription less, answered {words:?}"),
        )?;
        Law::DeactivateMissing.hold(
            answers.first() == Some(&Deactivated::Missing),
            format_args!("deactivate of nobody answered {}", word(answers.first())),
        )?;
        let after = self.expected(two).await?;
        Law::DeactivateCompares.hold(
            answers.get(2) == Some(&Deactivated::Changed) && after == Some(two.expected()),
            format_args!(
                "deactivate of a customer with a subscription less than expected answered {}",
                word(answers.get(2))
            ),
        )?;
        let facts = self.facts_of(&one.id).await?;
        let is_archived = facts.as_ref().is_some_and(|facts| facts.status.is_archived());
        let is_same = facts.is_some_and(|facts| facts.revision() == one.revision());
        let Some(Deactivated::Done { before: former }) = answers.get(1) else {
            return Err(Law::DeactivateArchives
                .broken(format!("deactivate of a customer as expected answered {}", word(answers.get(1)))));
        };
        Law::DeactivateArchives.hold(
            is_archived && is_same,
            format_args!("after Done the facts say archived: {is_archived}, otherwise the same: {is_same}"),
        )?;
        let again = self.deactivated(&[self.deactivation(&one.id, one.expected())]).await?;
        Law::DeactivateAgain.hold(
            again == [Deactivated::Already],
            format_args!("deactivate of an archived customer answered {}", word(again.first())),
        )?;

        let answer = self.reactivated(&two.id, former).await?;
        let after = self.expected(two).await?;
        Law::ReactivateCompares.hold(
            answer == Some(Reactivated::Changed) && after == Some(two.expected()),
            format_args!("reactivate of a customer who is not archived answered {answer:?}"),
        )?;
        let answer = self.reactivated(&nobody, former).await?;
        Law::ReactivateCompares.hold(
            answer == Some(Reactivated::Missing),
            format_args!("reactivate of nobody answered {answer:?}"),
        )?;
        // The former status from the facts must be enough to undo the deactivation: if the answer was lost, there is
        // nothing else.
        let answer = self.reactivated(&one.id, &one.former_status).await?;
        let after = self.expected(one).await?;
        Law::ReactivateRestores.hold(
            answer == Some(Reactivated::Done) && after == Some(one.expected()),
            format_args!(
                "reactivate answered {answer:?}, and the customer is as before: {}",
                after == Some(one.expected())
            ),
        )
    }
}

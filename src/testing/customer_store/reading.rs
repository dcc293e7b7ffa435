//! Checks the reading of customers: pages, facts, identifiers, counts.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Bench, Broken, Law, MANY, works};
use crate::customer::CustomerId;
use crate::store::{Cursor, CustomerStore, PageRequest, Registration, TallyRequest};
use crate::treatment::TreatmentName;

/// After this number of empty pages, the listing counts as endless.
const EMPTY: usize = 100;

impl<S: CustomerStore> Bench<S> {
    /// Reads all customers, in pages of this size.
    async fn walk(&self, limit: usize) -> Result<Vec<CustomerId>, Broken> {
        let (mut found, mut ids, mut empty) = (Vec::new(), BTreeSet::new(), 0);
        let mut request = PageRequest::new(limit);
        loop {
            let page = works("page", self.store().page(&request).await)?;
            Law::PagesKeepLimit.hold(
                page.customers.len() <= limit,
                format_args!("a page of {limit} has {} customers", page.customers.len()),
            )?;
            let registrations = works("registrations", self.store().registrations(&request).await)?;
            let same: Vec<Registration> = page.customers.iter().cloned().map(Registration::from).collect();
            Law::RegistrationsAgree.hold(
                registrations.customers == same && registrations.next == page.next,
                format_args!(
                    "a page of {limit} has {} customers and {} registrations, and they are not the same",
                    same.len(),
                    registrations.customers.len()
                ),
            )?;
            empty = if page.customers.is_empty() { empty + 1 } else { 0 };
            for customer in page.customers {
                let is_new = ids.insert(customer.id.clone());
                Law::PagesHaveEachOnce.hold(
                    is_new,
                    format_args!("in pages of {limit}, somebody comes again after {} customers", found.len()),
                )?;
                found.push(customer.id);
            }
            let Some(next) = page.next else { return Ok(found) };
            Law::PagesHaveEachOnce.hold(
                empty < EMPTY,
                format_args!("in pages of {limit}, {empty} pages without anybody, and no end"),
            )?;
            request = request.after(Some(next));
        }
    }

    pub(super) async fn pages(&self) -> Result<(), Broken> {
        let all = self.walk(MANY).await?;
        for limit in [1, 2, 3] {
            let found = self.walk(limit).await?;
            let place = all.iter().zip(&found).take_while(|(one, other)| one == other).count();
            Law::PagesHaveEachOnce.hold(
                found == all,
                format_args!(
                    "pages of {limit} hold {} customers and one page {}; they differ from place {} on",
                    found.len(),
                    all.len(),
                    place + 1
                ),
            )?;
        }
        // This cursor sorts after every id, and no store makes such a text.
        let foreign = PageRequest::new(1).after(Some(Cursor::new("\u{10ffff} is no place of this store")));
        let page = self.store().page(&foreign).await;
        let begins = page.is_ok_and(|page| page.customers.first().map(|first| &first.id) == all.first());
        Law::ForeignCursorNeverBegins
            .hold(!begins, format_args!("page after such a cursor gave the first page"))
    }

    pub(super) async fn facts(&self) -> Result<(), Broken> {
        let (one, two, _) = self.few()?;
        let asked = [two.id.clone(), self.nobody(), one.id.clone()];
        let found = works("facts", self.store().facts(&asked).await)?;
        let ids: BTreeSet<_> = found.iter().map(|facts| &facts.id).collect();
        let others = found.iter().filter(|facts| facts.id != one.id && facts.id != two.id).count();
        Law::FactsOfThoseAsked.hold(
            found.len() == 2 && ids.len() == 2 && others == 0,
            format_args!(
                "facts of two customers and of nobody gave {} answers, {others} of others",
                found.len()
            ),
        )?;
        for (place, customer) in (1..).zip(&self.customers) {
            let facts = self.facts_of(&customer.id).await?;
            Law::FactsAgree.hold(
                facts.is_some_and(|facts| {
                    facts.expected() == customer.expected() && facts.tenant == customer.tenant
                }),
                format_args!("the customer at place {place} is another one by their facts than on the page"),
            )?;
        }
        Ok(())
    }

    pub(super) async fn identifiers(&self) -> Result<(), Broken> {
        let (one, two, _) = self.few()?;
        let alone = [Vec::new(), self.identifiers_of(&two.id).await?, self.identifiers_of(&one.id).await?];
        let asked = [self.nobody(), two.id.clone(), one.id.clone()];
        let together = works("identifiers", self.store().identifiers(&asked).await)?;
        let count = together.len();
        let mut found = Vec::new();
        for answer in together {
            let answer = works("identifiers of one customer", answer)?;
            found.push(
                answer.iter().map(|(kind, value)| (kind.clone(), value.to_owned())).collect::<Vec<_>>(),
            );
        }
        let wrong = (1..).zip(found.iter().zip(&alone)).find(|(_, (found, alone))| found != alone);
        Law::IdentifiersInOrder.hold(
            count == 3 && wrong.is_none(),
            format_args!(
                "identifiers of nobody and of two customers gave {count} answers; wrong at place {:?}",
                wrong.map(|(place, _): (usize, _)| place)
            ),
        )
    }

    pub(super) async fn tallies(&self, name: &TreatmentName) -> Result<(), Broken> {
        let (one, two, _) = self.few()?;
        let treatment = self.treatment(name, one)?;
        let before = [self.see(&one.id).await?, self.see(&two.id).await?];
        let alone = [self.tally_of(&one.id, &treatment).await?, self.tally_of(&two.id, &treatment).await?];
        let asked = vec![self.nobody(), two.id.clone(), one.id.clone()];
        let request = TallyRequest::new(asked, Arc::clone(&treatment)).at(self.stock.at);
        let together = works("tally", self.store().tally(&request).await)?;
        let count = together.len();
        let mut found = Vec::new();
        for answer in together {
            found.push(works("tally of one customer", answer)?);
        }
        let [of_one, of_two] = &alone;
        let rows =
            found.first().map_or(0, |nobody| nobody.classes.values().map(|class| class.rows).sum::<u64>());
        Law::TallyInOrder.hold(
            count == 3 && rows == 0 && found.get(1) == Some(of_two) && found.get(2) == Some(of_one),
            format_args!(
                "{name}: tally of nobody and of two customers gave {count} answers, the first of {rows} records; each customer \
                 was counted alone before"
            ),
        )?;
        let after = [self.see(&one.id).await?, self.see(&two.id).await?];
        let again = [self.tally_of(&one.id, &treatment).await?, self.tally_of(&two.id, &treatment).await?];
        Law::TallyOnlyReads.hold(
            before == after && again == alone,
            format_args!("{name}: after two tallies a customer is another one"),
        )
    }
}

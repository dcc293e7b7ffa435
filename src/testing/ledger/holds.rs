//! Checks the promises of a hold book about holds in force and lifted holds.

use std::collections::BTreeSet;

use chrono::TimeDelta;

use super::samples::noon;
use super::{Bench, Broken, Law, works};
use crate::customer::{HoldGround, HoldId};
use crate::ledger::{Hold, HoldOn, LedgerError, Signature, WhichHolds};

type Answer<T> = Result<T, Broken>;

fn signature(hours: i64) -> Signature {
    Signature { by: "operator-7".into(), at: noon() + TimeDelta::hours(hours) }
}

fn ids<'h>(holds: impl IntoIterator<Item = &'h Hold>) -> Vec<String> {
    holds.into_iter().map(|hold| hold.id.to_string()).collect()
}

impl Bench<'_> {
    fn on_customer(&self) -> Answer<HoldOn> {
        let [one, ..] = &self.samples.cases;
        let named = one.new.task.customer().zip(one.closed.subject());
        let Some(((customer, tenant), subject)) = named else {
            return Err(Law::FixtureSuffices.broken("the kit's own entries name nobody"));
        };
        Ok(HoldOn::Customer { tenant: tenant.clone(), customer: customer.clone(), subject })
    }

    /// A hold on a customer, one on the customer's tenant, and one on everything.
    pub(super) fn some_holds(&self) -> Answer<[Hold; 3]> {
        let hold = |id: &str, on| {
            let why = (HoldGround::LegalClaim, works("the kit's reference", "file-7".parse())?);
            Ok(Hold::place(HoldId::new(id), on, BTreeSet::from(["customer".into()]), why, signature(0)))
        };
        Ok([
            hold("hold-1", self.on_customer()?)?,
            hold("hold-2", HoldOn::Tenant("acme".into()))?,
            hold("hold-3", HoldOn::Everything)?,
        ])
    }

    async fn standing(&self, of: &[&Hold]) -> Answer<Vec<Hold>> {
        let keys: BTreeSet<String> = of.iter().filter_map(|hold| hold.on.key()).collect();
        works("standing_holds", self.ledger.standing_holds(&keys).await)
    }

    async fn list(&self, which: WhichHolds, after: Option<&HoldId>, limit: usize) -> Answer<Vec<String>> {
        Ok(ids(&works("list_holds", self.ledger.list_holds(which, after, limit).await)?))
    }

    pub(super) async fn holds(&self) -> Answer<()> {
        let [one, two, three] = self.some_holds()?;
        // The last ones first.
        for hold in [&three, &one, &two] {
            works("place_hold", self.ledger.place_hold(hold).await)?;
        }
        self.finds_holds(&one, &two, &three).await?;
        let mut later = one.clone();
        later.placed = signature(1);
        works("place_hold", self.ledger.place_hold(&later).await)?;
        let found = works("hold", self.ledger.hold(&one.id).await)?;
        Law::HoldPlacedOnce.hold(
            found.as_ref() == Some(&one),
            format_args!("hold-1 was placed again an hour later, and is not as it was placed first"),
        )?;
        self.lifts(&one).await?;
        self.lists_holds().await
    }

    async fn finds_holds(&self, one: &Hold, two: &Hold, three: &Hold) -> Answer<()> {
        let found = works("hold", self.ledger.hold(&one.id).await)?;
        Law::HoldStands
            .hold(found.as_ref() == Some(one), format_args!("hold-1 did not come back as it was placed"))?;
        let none = works("hold", self.ledger.hold(&"hold-0".into()).await)?;
        Law::HoldStands.hold(none.is_none(), format_args!("hold-0, which nobody placed, was found"))?;
        for (of, expected) in [
            (vec![one], vec!["hold-1"]),
            (vec![two], vec!["hold-2"]),
            (vec![one, three], vec!["hold-1", "hold-3"]),
            (vec![], vec![]),
        ] {
            let found = self.standing(&of).await?;
            Law::HoldsFoundByKey.hold(
                ids(&found) == expected,
                format_args!("standing_holds gave {:?} instead of {expected:?}", ids(&found)),
            )?;
        }
        Ok(())
    }

    async fn lifts(&self, one: &Hold) -> Answer<()> {
        let lifted = one.clone().lift(signature(2));
        let answer = works("lift_hold", self.ledger.lift_hold(&lifted).await)?;
        let found = works("hold", self.ledger.hold(&one.id).await)?;
        let standing = self.standing(&[one]).await?;
        Law::HoldLifted.hold(
            answer && standing.is_empty() && found.as_ref() == Some(&lifted),
            format_args!(
                "lift_hold of hold-1 answered {answer}, {} of it stand, and it is{} as it was lifted",
                standing.len(),
                if found.as_ref() == Some(&lifted) { "" } else { " not" }
            ),
        )?;
        let again = one.clone().lift(signature(3));
        let answer = works("lift_hold", self.ledger.lift_hold(&again).await)?;
        let found = works("hold", self.ledger.hold(&one.id).await)?;
        Law::HoldLiftedOnce.hold(
            !answer && found.as_ref() == Some(&lifted),
            format_args!(
                "lift_hold of hold-1, which was lifted before, answered {answer}, or lifted it again"
            ),
        )?;
        let mut unknown = again;
        unknown.id = "hold-0".into();
        let answer: Result<bool, LedgerError> = self.ledger.lift_hold(&unknown).await;
        let answer = works("lift_hold", answer)?;
        Law::HoldLiftedOnce
            .hold(!answer, format_args!("lift_hold of hold-0, which nobody placed, answered {answer}"))
    }

    /// At this point the first hold is lifted.
    async fn lists_holds(&self) -> Answer<()> {
        for (which, after, limit, expected) in [
            (WhichHolds::All, None, 10, vec!["hold-1", "hold-2", "hold-3"]),
            (WhichHolds::Standing, None, 10, vec!["hold-2", "hold-3"]),
            (WhichHolds::Standing, None, 1, vec!["hold-2"]),
            (WhichHolds::All, Some("hold-1"), 1, vec!["hold-2"]),
            (WhichHolds::Standing, Some("hold-2"), 10, vec!["hold-3"]),
            (WhichHolds::All, Some("hold-3"), 10, vec![]),
        ] {
            let id = after.map(HoldId::new);
            let found = self.list(which, id.as_ref(), limit).await?;
            Law::HoldsListed.hold(
                found == expected,
                format_args!(
                    "list_holds of {which:?} after {after:?}, at most {limit}, gave {found:?} instead of {expected:?}"
                ),
            )?;
        }
        Ok(())
    }
}

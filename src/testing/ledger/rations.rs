//! Checks the promises of a ledger about rations.

use futures_util::future::join_all;

use super::{Bench, Broken, Law, works};
use crate::ledger::{Ration, Taken};

impl Bench<'_> {
    async fn take(&self, rations: &[Ration], wanted: u64, least: u64) -> Result<Taken, Broken> {
        works("take", self.ledger.take(rations, wanted, least).await)
    }

    pub(super) async fn rations(&self) -> Result<(), Broken> {
        let (day, run) = (Ration::new("day", 10), Ration::new("run", 5));
        let first = self.take(std::slice::from_ref(&day), 4, 1).await?;
        Law::RationGivesWhatIsLeft.hold(
            first == Taken { taken: 4, left: 10 },
            format_args!("take of 4 from a ration of 10 gave {first:?}"),
        )?;
        let both = [day.clone(), run.clone()];
        let second = self.take(&both, 9, 1).await?;
        Law::RationSmallestDecides.hold(
            second == Taken { taken: 5, left: 5 },
            format_args!("take of 9 from rations of 10 and 5, the first with 6 left, gave {second:?}"),
        )?;
        let other = self.take(&[Ration::new("another day", 10)], 3, 1).await?;
        Law::RationsApart.hold(
            other == Taken { taken: 3, left: 10 },
            format_args!("take of 3 from another ration of 10 gave {other:?}"),
        )?;
        let none = self.take(&both, 1, 1).await?;
        Law::RationGivesWhatIsLeft.hold(
            none == Taken { taken: 0, left: 0 },
            format_args!("take of 1 from a ration with nothing left gave {none:?}"),
        )?;
        // With a higher limit, the earlier takes still count.
        let raised = self.take(&[Ration::new("run", 7)], 5, 3).await?;
        Law::RationAllOrLeast.hold(
            raised == Taken { taken: 0, left: 2 },
            format_args!("take of 5, and of 3 at least, from a ration with 2 left gave {raised:?}"),
        )?;
        let rest = self.take(&[Ration::new("run", 7)], 5, 0).await?;
        Law::RationAllOrLeast.hold(
            rest == Taken { taken: 2, left: 2 },
            format_args!("take of 5 from a ration with 2 left, after a refusal, gave {rest:?}"),
        )?;
        let shared = [Ration::new("shared", 20)];
        let asked = (0..12).map(|_| self.take(&shared, 3, 0));
        let answers = join_all(asked).await.into_iter().collect::<Result<Vec<_>, _>>()?;
        let sum: u64 = answers.iter().map(|answer| answer.taken).sum();
        Law::RationHoldsForAll
            .hold(sum == 20, format_args!("12 takes of 3 at once from a ration of 20 gave {sum} together"))
    }
}

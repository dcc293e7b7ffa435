//! The contract of a ledger and its case book.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;

use super::ManualClock;
use super::law::{Broken, Law, works};
use crate::ledger::Ledger;

mod case_book;
mod entries;
mod holds;
mod rations;
mod requests;
mod samples;

use samples::{Samples, noon};

/// How long the leases of the contract last.
const LEASE: Duration = Duration::from_secs(600);

/// Checks the promises of [`Ledger`], [`CaseBook`](crate::ledger::CaseBook), [`HoldBook`](crate::ledger::HoldBook),
/// [`Register`](crate::ledger::Register) and [`Rations`](crate::ledger::Rations), on new ledgers.
///
/// `open` is called several times. Each time it returns an empty ledger. The ledger's leases must use the given
/// clock.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// use relinquish::{MemoryLedger, testing};
///
/// testing::ledger(|clock| async move { MemoryLedger::new().lease_clock(move || clock.now()) }).await
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`Broken`], with the law and what was found instead.
pub async fn ledger<L, F, Opening>(open: F) -> Result<(), Broken>
where
    L: Ledger,
    F: Fn(Arc<ManualClock>) -> Opening,
    Opening: Future<Output = L>,
{
    let samples = Samples::new().await?;
    let fresh = async || {
        let clock = Arc::new(ManualClock::at(noon()));
        let ledger: Box<dyn Ledger> = Box::new(open(Arc::clone(&clock)).await);
        Bench { ledger, clock, samples: &samples }
    };
    fresh().await.opens().await?;
    fresh().await.lists().await?;
    fresh().await.claims().await?;
    fresh().await.leases().await?;
    fresh().await.passes_over().await?;
    fresh().await.records().await?;
    fresh().await.closes().await?;
    fresh().await.closes_all_or_nothing().await?;
    fresh().await.appends().await?;
    fresh().await.finds().await?;
    fresh().await.rations().await?;
    fresh().await.holds().await?;
    fresh().await.registers().await?;
    fresh().await.shows_nobody().await
}

/// A new ledger, and the sample cases and entries for it.
struct Bench<'s> {
    ledger: Box<dyn Ledger>,
    clock: Arc<ManualClock>,
    samples: &'s Samples,
}

impl Bench<'_> {
    /// Lets a part of a lease pass, in tenths.
    fn pass(&self, tenths: i32) {
        self.clock.turn(TimeDelta::seconds(60) * tenths);
    }

    /// Checks that the `Debug` of the ledger shows no customer, while cases are open and after a case is closed.
    async fn shows_nobody(&self) -> Result<(), Broken> {
        let [one, two, _] = &self.samples.cases;
        let cases = [one.new.clone(), two.new.clone(), self.samples.profile.clone()];
        let fence = works("open", self.ledger.open(&cases, &case_book::lease("one")).await)?.fence;
        works("close", self.ledger.close(fence, &[Arc::clone(&one.closed)]).await)?;
        let holds = self.some_holds()?;
        for hold in &holds {
            works("place_hold", self.ledger.place_hold(hold).await)?;
        }
        let requests = self.with_requests().await?;
        let shown = format!("{:?} {holds:?} {requests:?}", self.ledger);
        let place = Samples::persons().position(|person| shown.contains(person));
        Law::LedgerShowsNobody.hold(place.is_none(), format_args!("the id of person {place:?}"))
    }
}

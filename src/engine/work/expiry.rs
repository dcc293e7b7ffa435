//! An expiry: treats expired records part by part, as long as the mandate is valid.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;

use crate::engine::drive::Batch;
use crate::engine::run::{Run, Work};
use crate::engine::steps::{self, DueOnes, Perform};
use crate::engine::{Engine, Error, Expired, Outcome};
use crate::ledger::{ClosedCase, Closing, EndedEarly, Entry, Expiry, ExpiryResult};
use crate::plan::{ApprovalError, ExpiredOf, ExpiryOf, ExpiryPart, ExpiryPlace, RecordsOf, Step};

/// The result of finding a part and of treating it.
pub(in crate::engine) struct Looked {
    /// The place where the expiry continues.
    pub(in crate::engine) place: ExpiryPlace,
    /// The number of records that still had to be treated.
    pub(in crate::engine) found: u64,
    /// The results for each tenant, or for ownerless records.
    pub(in crate::engine) of: BTreeMap<RecordsOf, ExpiredOf>,
}

impl Looked {
    pub(in crate::engine) fn at(place: ExpiryPlace) -> Self {
        Self { place, found: 0, of: BTreeMap::new() }
    }

    pub(in crate::engine) fn into_part(self) -> ExpiryPart {
        ExpiryPart { place: self.place, found: self.found, of: self.of.into_iter().collect() }
    }
}

/// The data of a running expiry.
pub(in crate::engine) struct ExpiryWork {
    pub(in crate::engine) expiry: Expiry,
    /// The part that was found and is not recorded yet.
    pub(in crate::engine) part: Option<Looked>,
    /// The records that were found and will be treated next.
    pub(in crate::engine) due: DueOnes,
    /// Whether this was the last part.
    pub(in crate::engine) is_last: bool,
}

impl ExpiryWork {
    pub(in crate::engine) fn new(expiry: &Expiry) -> Self {
        Self { expiry: expiry.clone(), part: None, due: DueOnes::default(), is_last: false }
    }
}

impl Run<'_, ExpiryWork> {
    /// The place where the expiry continues.
    pub(in crate::engine) fn place(&self) -> ExpiryPlace {
        let recorded = || self.progress.step(&Step::Expire)?.expired.place.clone();
        let looked = self.work.part.as_ref().map(|part| part.place.clone());
        looked.or_else(recorded).unwrap_or_else(|| match self.work.expiry.terms.of() {
            ExpiryOf::Tenants(_) => ExpiryPlace::Customers { stand_ins: false, after: None },
            ExpiryOf::Ownerless => {
                ExpiryPlace::Ownerless { looks: 0, due: 0, parts: 0, after: None, refused: BTreeMap::new() }
            }
        })
    }

    /// The number of records that still had to be treated, in all parts so far.
    pub(in crate::engine) fn found(&self) -> u64 {
        let recorded = self.progress.step(&Step::Expire).map_or(0, |step| step.expired.found);
        recorded.saturating_add(self.work.part.as_ref().map_or(0, |part| part.found))
    }
}

#[async_trait]
impl Work for ExpiryWork {
    fn performer(step: &Step) -> Option<&'static dyn Perform<Self>> {
        match step {
            Step::Expire => Some(&steps::Expire),
            Step::Deactivate
            | Step::Gateway(_)
            | Step::Recipient(_)
            | Step::Mentions
            | Step::Records
            | Step::Verify
            | Step::Copies => None,
        }
    }

    /// Ends expiries whose mandate is not valid any more. Every part that was treated is complete, so an expiry can end
    /// after any part.
    async fn decide(engine: &Engine, _: &mut Batch<'_>, runs: Vec<&mut Run<'_, Self>>) -> Result<(), Error> {
        let now = engine.parts.clock.now();
        for run in runs {
            match run.new.mandate.valid_at(now) {
                Ok(()) => match engine.may_expire(run).await {
                    Ok(()) => run.turn.decided(),
                    Err(error @ (Error::Store(_) | Error::Census { .. })) => {
                        run.wait(Step::Expire, &error, None);
                    }
                    Err(error) => return Err(error),
                },
                Err(error) => {
                    let expired = if let ApprovalError::Expired { expires_at } = error {
                        Some(expires_at)
                    } else {
                        None
                    };
                    engine.end_early(run, EndedEarly::Mandate { expired }).await?;
                }
            }
        }
        Ok(())
    }

    async fn close(engine: &Engine, runs: Vec<&mut Run<'_, Self>>) -> Result<(), Error> {
        engine.close_expired(runs, None).await
    }

    fn outcome(run: &Run<'_, Self>, entry: &Entry) -> Option<Outcome> {
        let closed = entry.closed()?;
        match &closed.closing {
            Closing::Expired(result) => Some(Outcome::Expired(Box::new(expired(run, closed, result)?))),
            other => Outcome::without_effect(&closed.case, other),
        }
    }
}

/// The result, as far as this worker knows it. `None` if another worker has continued the case since.
fn expired(run: &Run<'_, ExpiryWork>, closed: &ClosedCase, result: &Arc<ExpiryResult>) -> Option<Expired> {
    let so_far = &run.progress.step(&Step::Expire)?.expired;
    let is_ours = result.expired.len() == so_far.of.len()
        && result.expired.iter().all(|entry| {
            so_far.of.get(&entry.of).is_some_and(|of| of.records == entry.records && of.left() == entry.left)
        });
    is_ours.then(|| Expired {
        case: closed.case.clone(),
        of: so_far.of.clone(),
        exact: result.exact,
        ended_early: result.ended_early.clone(),
    })
}

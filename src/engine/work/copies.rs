//! The removal of backup copies. Each copy must be unchanged since the plan, and the rule must still require its
//! removal.

use std::sync::Arc;

use async_trait::async_trait;

use crate::backup::CopiesTerms;
use crate::case::SupersedeReason;
use crate::engine::copies::CopiesRemoved;
use crate::engine::drive::Batch;
use crate::engine::run::{Run, Work};
use crate::engine::steps::{self, Perform};
use crate::engine::{Engine, Error, Outcome};
use crate::ledger::{EndedEarly, Entry};
use crate::plan::Step;

/// The data of a running removal.
pub(in crate::engine) struct CopiesWork {
    pub(in crate::engine) terms: Arc<CopiesTerms>,
}

impl CopiesWork {
    pub(in crate::engine) fn new(terms: &Arc<CopiesTerms>) -> Self {
        Self { terms: Arc::clone(terms) }
    }
}

#[async_trait]
impl Work for CopiesWork {
    fn performer(step: &Step) -> Option<&'static dyn Perform<Self>> {
        match step {
            Step::Copies => Some(&steps::Copies),
            Step::Deactivate
            | Step::Gateway(_)
            | Step::Recipient(_)
            | Step::Mentions
            | Step::Records
            | Step::Verify
            | Step::Expire => None,
        }
    }

    /// Ends removals whose plan does not fit any more. Nothing more is touched.
    async fn decide(engine: &Engine, _: &mut Batch<'_>, runs: Vec<&mut Run<'_, Self>>) -> Result<(), Error> {
        for run in runs {
            let (because, why) = match run.new.mandate.valid_at(engine.parts.clock.now()) {
                Err(error) => {
                    let because = SupersedeReason::mandate(&error);
                    let SupersedeReason::Mandate { expired } = because else { return Err(error.into()) };
                    (because, EndedEarly::Mandate { expired })
                }
                Ok(()) => match engine.copies_changed(&run.work.terms).await {
                    Ok(None) => {
                        run.turn.decided();
                        continue;
                    }
                    Ok(Some(changed)) => (SupersedeReason::Copies(changed), EndedEarly::Copies(changed)),
                    Err(error) => {
                        run.wait(Step::Copies, &error, None);
                        continue;
                    }
                },
            };
            if run.progress.is_irreversible() {
                match engine.end_copies(run, why).await {
                    // It is unknown which copies are left. The other cases of the batch continue.
                    Err(error @ Error::Backup(_)) => run.wait(Step::Copies, &error, None),
                    ended => ended?,
                }
            } else {
                engine.supersede(run, because).await?;
            }
        }
        Ok(())
    }

    async fn close(engine: &Engine, runs: Vec<&mut Run<'_, Self>>) -> Result<(), Error> {
        for run in runs {
            engine.close_copies(run, std::collections::BTreeSet::new(), None).await?;
        }
        Ok(())
    }

    fn outcome(_: &Run<'_, Self>, entry: &Entry) -> Option<Outcome> {
        let closed = entry.closed()?;
        match CopiesRemoved::of(entry) {
            Some(removed) => Some(Outcome::Copies(Box::new(removed))),
            None => Outcome::without_effect(&closed.case, &closed.closing),
        }
    }
}

//! Performs the steps of cases. Each kind of step has its own file.

use async_trait::async_trait;

use super::drive::Batch;
use super::run::{Run, Work};
use super::{Engine, Error};
use crate::plan::Step;

mod copies;
mod deactivate;
mod expire;
mod gateway;
mod mentions;
mod recipient;
mod records;
mod verify;

pub(super) use copies::Copies;
pub(super) use deactivate::Deactivate;
pub(super) use expire::{DueOnes, Expire};
pub(super) use gateway::{Accounts, AtGateways, Gateways, Refusal, open_items};
pub(super) use mentions::Mentions;
pub use mentions::MentionsPass;
pub(super) use recipient::Recipients;
pub(super) use records::{MOST_ROUNDS, Records};
pub(super) use verify::Verify;

/// Performs one kind of step for many cases, in as few requests as the ports allow.
///
/// Afterwards each case is one step further, or has stopped: it waits, is blocked, or is superseded. If one case fails,
/// the others are not affected. An error, such as a ledger out of reach, concerns all cases.
#[async_trait]
pub(super) trait Perform<W: Work>: Sync {
    /// Checks whether each case may take the step now, and records that the step begins.
    async fn look(
        &self,
        engine: &Engine,
        batch: &mut Batch<'_>,
        runs: &mut [&mut Run<'_, W>],
    ) -> Result<(), Error>;

    /// Takes the step, reads back the result, and records the result.
    async fn act(
        &self,
        engine: &Engine,
        batch: &mut Batch<'_>,
        runs: &mut [&mut Run<'_, W>],
    ) -> Result<(), Error>;

    /// Does both for the cases that may take the step.
    async fn perform(
        &self,
        engine: &Engine,
        batch: &mut Batch<'_>,
        mut runs: Vec<&mut Run<'_, W>>,
    ) -> Result<(), Error> {
        self.look(engine, batch, &mut runs).await?;
        runs.retain(|run| run.is_active());
        if runs.is_empty() {
            return Ok(());
        }
        self.act(engine, batch, &mut runs).await
    }
}

/// Whether two steps are performed together.
pub(super) fn are_alike(one: &Step, other: &Step) -> bool {
    std::mem::discriminant(one) == std::mem::discriminant(other)
}

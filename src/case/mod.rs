//! A case: the durable execution of one plan, as data.
//!
//! A case has [steps](Step), in the order of its plan. Everything that happens is an [`Event`]. The events together
//! give the case's [`Progress`]. [`next`] computes the next action of the case. Nothing in this module waits, reads a
//! clock or calls another system. The [engine](crate::engine) performs what [`next`] says, and records the result.
//!
//! ```
//! use relinquish::case::{Event, Next, Progress, Proof, DeactivationOutcome, Step, Turn, next};
//!
//! let mut progress = Progress::of(&[Step::Deactivate, Step::Records, Step::Verify]);
//! let mut turn = Turn::default();
//! assert_eq!(next(&progress, &turn), Next::Decide);
//! turn.decided();
//! assert_eq!(next(&progress, &turn), Next::Take(Step::Deactivate));
//!
//! // Records are erased only after an event says that this step begins.
//! let done = Event::Done { step: Step::Records, proof: Proof::Lost };
//! assert!(progress.apply(&done).is_err());
//!
//! progress.apply(&Event::Done {
//!     step: Step::Deactivate,
//!     proof: Proof::Deactivated(DeactivationOutcome::Already),
//! })?;
//! progress.apply(&Event::Begun { step: Step::Records, before: None })?;
//! progress.apply(&done)?;
//! assert_eq!(next(&progress, &turn), Next::Take(Step::Verify));
//! # Ok::<(), relinquish::case::OutOfOrder>(())
//! ```

mod answer;
mod event;
mod hindrance;
mod next;
mod progress;
mod supersede_reason;
#[cfg(test)]
mod tests;

pub use answer::{Answer, GatewayAnswer, GatewayOutcome, Receipt, RecipientAnswer, RecipientOutcome};
pub use event::{Before, ByHand, DeactivationOutcome, Event, Obstacle, Proof, PutOff, Waiver};
pub use hindrance::Hindrance;
pub use next::{Next, Turn, next};
pub use progress::{Expiries, OutOfOrder, Progress, StepProgress};
pub use supersede_reason::{NotDue, ProfileChanged, SupersedeReason};

pub use crate::plan::{CaseId, Step};

//! A recipient without an interface: a person tells it.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{Answers, Notice, Pending, Recipient, RecipientError, RecipientName, RecipientOutcome};

/// A recipient that only a person can tell: a partner without an interface, a paper archive, a portal.
///
/// A case is blocked at this step, before the customer's own records are erased, and the reason of the block is what the
/// person has to do. The person finds the customer in the host's database, does it, and keeps evidence. Then
/// [`Engine::done_by_hand`](crate::Engine::done_by_hand) lets the case go on, and the certificate names the evidence. If it
/// cannot be done, [`Engine::waive`](crate::Engine::waive) leaves the step out, and the certificate says so.
///
/// ```
/// use relinquish::recipient::{ManualRecipient, Recipient};
///
/// let archive = ManualRecipient::new("archive", "shred the customer's folder in the paper archive");
/// assert_eq!(archive.recipient().as_str(), "archive");
/// ```
#[derive(Clone, Debug)]
pub struct ManualRecipient {
    name: RecipientName,
    task: String,
}

impl ManualRecipient {
    /// A recipient under the name of the data map. `task`: what a person has to do. It is the same for every customer, so it
    /// names nobody.
    pub fn new(name: impl Into<RecipientName>, task: impl Into<String>) -> Self {
        Self { name: name.into(), task: task.into() }
    }
}

#[async_trait]
impl Recipient for ManualRecipient {
    fn recipient(&self) -> &RecipientName {
        &self.name
    }

    fn most_at_once(&self) -> usize {
        1_000
    }

    fn longest_call(&self) -> Duration {
        Duration::from_secs(1)
    }

    async fn tell(&self, notices: &[Notice], _: DateTime<Utc>) -> Answers {
        let asks = || RecipientOutcome::Refused {
            reason: format!("a person has to do this by hand: {}", self.task),
        };
        notices.iter().map(|_| Ok(asks().into())).collect()
    }

    async fn poll(&self, pending: &[Pending], _: DateTime<Utc>) -> Answers {
        let what = "a person does it by hand, so there is nothing to ask for";
        let refused = || RecipientError::Refused { recipient: self.name.clone(), what: what.to_owned() };
        pending.iter().map(|_| Err(refused())).collect()
    }
}

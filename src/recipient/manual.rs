//! A recipient without an interface. A person notifies it.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{Answers, Notice, Pending, Recipient, RecipientError, RecipientName, RecipientOutcome};

/// A recipient that only a person can notify: a partner without an interface, a paper archive, a portal.
///
/// A case is blocked at this step, before the customer's own records are erased. The reason of the block describes
/// the task for a person. The person finds the customer in the host's database, does the task, and keeps evidence.
/// Then [`Engine::done_by_hand`](crate::Engine::done_by_hand) continues the case, and the certificate names the
/// evidence. If the task cannot be done, [`Engine::waive`](crate::Engine::waive) skips the step, and the certificate
/// says so.
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
    /// Makes a recipient with its name in the data map. `task`: what a person has to do. The text is the same for
    /// every customer, so it must not name a person.
    pub fn new(name: impl Into<RecipientName>, task: impl Into<String>) -> Self {
        Self { name: name.into(), task: task.into() }
    }
}

#[async_trait]
impl Recipient for ManualRecipient {
    fn recipient(&self) -> &RecipientName {
        &self.name
    }

    fn max_batch(&self) -> usize {
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
        let what = "a person does it by hand, so no task can be asked for";
        let refused = || RecipientError::Refused { recipient: self.name.clone(), what: what.to_owned() };
        pending.iter().map(|_| Err(refused())).collect()
    }
}

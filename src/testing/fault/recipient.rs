//! Injects faults into calls to a recipient.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{Fault, Faulty, said};
use crate::data_map::RecipientName;
use crate::recipient::{Answers, Notice, Pending, Recipient, RecipientError};

/// The same error for every item of a call.
fn each(answers: Result<Answers, Fault>, recipient: &RecipientName, items: usize) -> Answers {
    let error = |fault| match fault {
        Fault::Error => {
            RecipientError::Unreachable { recipient: recipient.clone(), source: said(fault).into() }
        }
        Fault::Lost => {
            RecipientError::Unknown { recipient: recipient.clone(), source: Some(said(fault).into()) }
        }
    };
    answers.unwrap_or_else(|fault| (0..items).map(|_| Err(error(fault))).collect())
}

#[async_trait]
impl<T: Recipient> Recipient for Faulty<T> {
    fn recipient(&self) -> &RecipientName {
        self.inner.recipient()
    }

    fn max_batch(&self) -> usize {
        self.inner.max_batch()
    }

    fn longest_call(&self) -> Duration {
        self.inner.longest_call()
    }

    async fn tell(&self, notices: &[Notice], now: DateTime<Utc>) -> Answers {
        let told = async { Ok(self.inner.tell(notices, now).await) };
        each(self.call("tell", told, |fault| fault).await, self.recipient(), notices.len())
    }

    async fn poll(&self, pending: &[Pending], now: DateTime<Utc>) -> Answers {
        let asked = async { Ok(self.inner.poll(pending, now).await) };
        each(self.call("poll", asked, |fault| fault).await, self.recipient(), pending.len())
    }
}

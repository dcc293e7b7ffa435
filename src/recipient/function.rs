//! A recipient that the host itself can reach: a function of the host removes the person there.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use futures_util::future::{self, BoxFuture};

use super::{Answers, Notice, Pending, Recipient, RecipientError, RecipientName, RecipientOutcome};

type Forget =
    Box<dyn Fn(Notice) -> BoxFuture<'static, Result<RecipientOutcome, RecipientError>> + Send + Sync>;

/// The number of notices in one call. Their functions run at the same time.
const AT_ONCE: usize = 16;

/// A recipient behind a function of the host. The function removes the person from a search index or a cache, for
/// example, or ends the sessions.
///
/// The function gets one notice. It must be idempotent, because it may be called again for the same notice. It may
/// answer [`RecipientOutcome::Confirmed`] or [`RecipientOutcome::NothingThere`] only if no data of the person are
/// left there. It must not answer [`RecipientOutcome::Accepted`], because it cannot be asked again.
///
/// ```
/// use std::collections::BTreeSet;
/// use std::sync::{Arc, Mutex};
/// use std::time::Duration;
/// use relinquish::recipient::{FunctionRecipient, RecipientOutcome};
///
/// let sessions = Arc::new(Mutex::new(BTreeSet::from(["17".to_owned()])));
/// let open = Arc::clone(&sessions);
/// let recipient = FunctionRecipient::new("sessions", Duration::from_secs(1), move |notice| {
///     let open = Arc::clone(&open);
///     async move {
///         let key = notice.customer.map(|customer| customer.as_str().to_owned()).unwrap_or_default();
///         let was_there = open.lock().is_ok_and(|mut open| open.remove(&key));
///         Ok(if was_there { RecipientOutcome::Confirmed } else { RecipientOutcome::NothingThere })
///     }
/// });
/// # let _ = recipient;
/// ```
pub struct FunctionRecipient {
    name: RecipientName,
    longest: Duration,
    forget: Forget,
}

impl FunctionRecipient {
    /// Makes a recipient with its name in the data map. `longest`: the longest duration of one call of the function.
    pub fn new<F, A>(name: impl Into<RecipientName>, longest: Duration, forget: F) -> Self
    where
        F: Fn(Notice) -> A + Send + Sync + 'static,
        A: Future<Output = Result<RecipientOutcome, RecipientError>> + Send + 'static,
    {
        let forget: Forget = Box::new(move |notice| Box::pin(forget(notice)));
        Self { name: name.into(), longest, forget }
    }

    fn refuses(&self, what: &str) -> RecipientError {
        RecipientError::Refused { recipient: self.name.clone(), what: what.to_owned() }
    }
}

impl fmt::Debug for FunctionRecipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FunctionRecipient").field("name", &self.name).finish_non_exhaustive()
    }
}

#[async_trait]
impl Recipient for FunctionRecipient {
    fn recipient(&self) -> &RecipientName {
        &self.name
    }

    fn max_batch(&self) -> usize {
        AT_ONCE
    }

    fn longest_call(&self) -> Duration {
        self.longest
    }

    async fn tell(&self, notices: &[Notice], _: DateTime<Utc>) -> Answers {
        let answers = future::join_all(notices.iter().map(|notice| (self.forget)(notice.clone()))).await;
        let checked = answers.into_iter().map(|answer| match answer {
            Ok(RecipientOutcome::Accepted { .. } | RecipientOutcome::Unidentified) => {
                Err(self.refuses("its function answered \"accepted\", which a function must not answer"))
            }
            answer => answer.map(Into::into),
        });
        checked.collect()
    }

    async fn poll(&self, pending: &[Pending], _: DateTime<Utc>) -> Answers {
        let refused = || Err(self.refuses("it gives no receipts, so no task can be asked for"));
        pending.iter().map(|_| refused()).collect()
    }
}

//! Writes the bodies of requests, and reads the bodies of answers.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use serde::Deserialize;
use serde_json::json;

use super::{Notice, Pending, RecipientAnswer};
use crate::data_map::Kind;
use crate::gateway::http::code;
use crate::recipient::RecipientOutcome;

/// The body of a webhook's requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum WebhookBody {
    /// The body of this crate, as the [module](super) describes it.
    #[default]
    Own,
    /// The body of `OpenDSR` 2.0: an `erasure` request, with the identities `email` and `controller_customer_id`. The
    /// recipient's `completed` is the confirmation. The status is read from the webhook's address, a slash, and the id of
    /// the request.
    OpenDsr,
}

/// An answer in the format of this crate.
#[derive(Deserialize)]
struct Own {
    id: String,
    status: String,
    receipt: Option<String>,
    ask_again_s: Option<u64>,
    waits_for: Option<String>,
    reason: Option<String>,
    what: Option<String>,
    until: Option<NaiveDate>,
}

/// An answer in the format of `OpenDSR`.
#[derive(Deserialize)]
struct OpenDsr {
    subject_request_id: String,
    request_status: Option<String>,
    expected_completion_time: Option<DateTime<Utc>>,
}

impl WebhookBody {
    /// The body of a notice. An error if the format cannot express the notice.
    pub(super) fn notice(self, notice: &Notice) -> Result<Vec<u8>, &'static str> {
        let at = notice.erased_at.to_rfc3339_opts(SecondsFormat::Secs, true);
        let body = match self {
            Self::Own => {
                let mut person = serde_json::Map::new();
                if let Some(customer) = &notice.customer {
                    person.insert("key".to_owned(), customer.as_str().into());
                }
                let mut values = BTreeMap::<&str, Vec<&str>>::new();
                for (kind, value) in notice.identifiers.iter() {
                    values.entry(kind.as_str()).or_default().push(value);
                }
                person.extend(values.into_iter().map(|(kind, values)| (kind.to_owned(), json!(values))));
                json!({
                    "version": 1, "type": "person.erased", "id": notice.id, "tenant": notice.tenant,
                    "erased_at": at, "person": person,
                })
            }
            Self::OpenDsr => {
                let identity = |kind: &str, value: &str| json!({ "identity_type": kind, "identity_value": value, "identity_format": "raw" });
                let key = notice.customer.as_ref();
                let mut identities: Vec<_> =
                    key.map(|key| identity("controller_customer_id", key.as_str())).into_iter().collect();
                for (kind, value) in notice.identifiers.iter() {
                    if *kind != Kind::Email {
                        return Err(
                            "OpenDSR has a word only for a key and for e-mail addresses; name \"key\" or \"email\" \
                             for this recipient in the data map",
                        );
                    }
                    identities.push(identity("email", value));
                }
                json!({
                    "regulation": "gdpr", "subject_request_type": "erasure", "api_version": "2.0",
                    "subject_request_id": notice.id, "submitted_time": at, "subject_identities": identities,
                })
            }
        };
        serde_json::to_vec(&body).map_err(|_| "the notice cannot be written as JSON")
    }

    /// The path and the body of a request for the state of a task. The body may be empty: then the path contains the
    /// task.
    pub(super) fn status(self, task: &Pending) -> (String, Vec<u8>) {
        match self {
            Self::Own => {
                let body = json!({
                    "version": 1, "type": "person.erased.status", "id": task.id, "receipt": task.receipt,
                });
                (String::new(), body.to_string().into_bytes())
            }
            Self::OpenDsr => (format!("/{}", task.id), Vec::new()),
        }
    }

    /// Reads a signed answer. The error says why the answer is invalid.
    pub(super) fn answer(
        self,
        notice: &str,
        body: &[u8],
        now: DateTime<Utc>,
    ) -> Result<RecipientAnswer, &'static str> {
        const NOT_READ: &str = "the answer does not have the documented format of the webhook";
        const OTHER: &str = "the answer is about another notice";
        match self {
            Self::Own => {
                let own: Own = serde_json::from_slice(body).map_err(|_| NOT_READ)?;
                if own.id == notice { own.outcome().map(Into::into).ok_or(NOT_READ) } else { Err(OTHER) }
            }
            Self::OpenDsr => {
                let open: OpenDsr = serde_json::from_slice(body).map_err(|_| NOT_READ)?;
                if open.subject_request_id == notice { open.answer(now).ok_or(NOT_READ) } else { Err(OTHER) }
            }
        }
    }
}

/// The recipient's code, or a fixed text if it is no code. Free text is not used, because it may contain personal
/// data.
fn word(text: Option<&String>) -> String {
    text.and_then(|text| code(text)).unwrap_or("something without a code").to_owned()
}

impl Own {
    fn outcome(self) -> Option<RecipientOutcome> {
        Some(match self.status.as_str() {
            "erased" => RecipientOutcome::Confirmed,
            "nothing_there" => RecipientOutcome::NothingThere,
            "accepted" => RecipientOutcome::Accepted {
                receipt: code(self.receipt.as_deref()?)?.into(),
                ask_again: self.ask_again_s.map(Duration::from_secs),
                waits_for: self.waits_for.as_ref().map(|text| word(Some(text))),
            },
            "retained" => RecipientOutcome::Retained { what: word(self.what.as_ref()), until: self.until },
            "refused" => RecipientOutcome::Refused { reason: word(self.reason.as_ref()) },
            _ => return None,
        })
    }
}

impl OpenDsr {
    fn answer(self, now: DateTime<Utc>) -> Option<RecipientAnswer> {
        let outcome = match self.request_status.as_deref() {
            Some("completed") => RecipientOutcome::Confirmed,
            Some("cancelled") => RecipientOutcome::Refused { reason: "cancelled".to_owned() },
            // The answer to a new request has no status.
            None | Some("pending" | "in_progress") => {
                let left = |until: DateTime<Utc>| until.signed_duration_since(now).to_std().ok();
                let ask_again = self.expected_completion_time.and_then(left);
                let receipt = self.subject_request_id.into();
                RecipientOutcome::Accepted { receipt, ask_again, waits_for: None }
            }
            Some(_) => return None,
        };
        Some(outcome.into())
    }
}

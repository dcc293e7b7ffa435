//! Finds out which customer a Stripe event is about.

use serde::Deserialize;
use serde_json::Value;

use crate::customer::{CustomerId, ProfileId};

/// The error for a text that is no Stripe event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no event of Stripe's; give the body of a webhook whose signature you have verified")]
pub struct NotAnEvent;

/// The customer whom an event is about. Ask [`Engine::concerns_erased`](crate::Engine::concerns_erased) before you
/// process an event: a late or repeated event would store an erased person again.
///
/// This does not verify the signature of the event. The host must do this first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct EventSubject {
    /// The Stripe customer, if the event is about a customer or an object of a customer.
    pub profile: Option<ProfileId>,
    /// The host's own customer id in the metadata.
    pub owner: Option<CustomerId>,
}

#[derive(Deserialize)]
struct Event {
    object: String,
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    object: Value,
}

impl EventSubject {
    /// Reads the body of an event. `owner_key` is the metadata key with the host's own customer id.
    ///
    /// # Errors
    /// [`NotAnEvent`].
    pub fn of(body: &[u8], owner_key: &str) -> Result<Self, NotAnEvent> {
        let event: Event = serde_json::from_slice(body).map_err(|_| NotAnEvent)?;
        if event.object != "event" {
            return Err(NotAnEvent);
        }
        let object = &event.data.object;
        let id = |value: &Value| value.as_str().or_else(|| value.get("id")?.as_str()).map(ProfileId::from);
        let profile = if object.get("object").and_then(Value::as_str) == Some("customer") {
            id(object)
        } else {
            object.get("customer").and_then(id)
        };
        let metadata = |of: &Value| of.get("metadata")?.get(owner_key)?.as_str().map(CustomerId::from);
        let owner = metadata(object).or_else(|| metadata(object.get("customer")?));
        Ok(Self { profile, owner })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(object: &str) -> EventSubject {
        let body = format!(r#"{{"id":"evt_1","object":"event","type":"x","data":{{"object":{object}}}}}"#);
        EventSubject::of(body.as_bytes(), "customer_id").unwrap()
    }

    #[test]
    fn the_customer_is_found_wherever_the_event_names_it() {
        for object in [
            r#"{"object":"customer","id":"cus_1","metadata":{"customer_id":"7"}}"#,
            r#"{"object":"charge","id":"ch_1","customer":"cus_1","metadata":{"customer_id":"7"}}"#,
            r#"{"object":"invoice","id":"in_1","customer":{"id":"cus_1","metadata":{"customer_id":"7"}}}"#,
        ] {
            let found = subject(object);
            assert_eq!(found.profile, Some("cus_1".into()), "{object}");
            assert_eq!(found.owner, Some("7".into()), "{object}");
        }
        assert_eq!(subject(r#"{"object":"payout","id":"po_1","customer":null}"#), EventSubject::default());
    }

    #[test]
    fn anything_else_is_no_event() {
        for body in ["", "{}", r#"{"object":"customer","data":{"object":{}}}"#, "[1]"] {
            assert_eq!(EventSubject::of(body.as_bytes(), "customer_id"), Err(NotAnEvent));
        }
    }
}

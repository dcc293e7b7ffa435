//! The requests to Authorize.Net, and its answers.
//!
//! The JSON of Authorize.Net is a thin layer over XML. So the elements of a request have a fixed order, which is the
//! order of the fields here, and an answer begins with a byte-order mark. The HTTP status is always 200; only
//! `messages` shows the result. Source: the schema at <https://api.authorize.net/xml/v1/schema/AnetApiSchema.xsd>.

use serde::{Deserialize, Deserializer, Serialize};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Authentication<'k> {
    pub(super) name: &'k str,
    pub(super) transaction_key: &'k str,
}

/// A request. The order of the fields matters: a wrong order gives the error E00003.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Body<'k> {
    pub(super) merchant_authentication: Authentication<'k>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ref_id: Option<&'k str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) customer_profile_id: Option<&'k str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) subscription_id: Option<&'k str>,
}

/// An answer to any kind of request.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Answer {
    #[serde(default)]
    pub(super) ref_id: Option<String>,
    pub(super) messages: Messages,
    #[serde(default)]
    pub(super) profile: Option<Profile>,
    #[serde(default, deserialize_with = "texts")]
    pub(super) subscription_ids: Vec<String>,
    #[serde(default, deserialize_with = "texts")]
    pub(super) ids: Vec<String>,
    #[serde(default)]
    pub(super) status: Option<String>,
    #[serde(default)]
    pub(super) gateway_id: Option<String>,
    #[serde(default)]
    pub(super) is_test_mode: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Messages {
    pub(super) result_code: String,
    #[serde(default)]
    pub(super) message: Vec<Message>,
}

/// The message text is not read, because it may quote personal data from the request.
#[derive(Deserialize)]
pub(super) struct Message {
    pub(super) code: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Profile {
    pub(super) customer_profile_id: String,
    #[serde(default)]
    pub(super) merchant_customer_id: Option<String>,
    #[serde(default)]
    pub(super) email: Option<String>,
}

/// Reads ids. The layer over XML writes them as a list, as one text, or not at all.
fn texts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Ids {
        None(()),
        One(String),
        Several(Vec<String>),
        Wrapped {
            #[serde(default, alias = "subscriptionId", alias = "numericString")]
            ids: Vec<String>,
        },
    }
    Ok(match Ids::deserialize(deserializer)? {
        Ids::None(()) => Vec::new(),
        Ids::One(id) => vec![id],
        Ids::Several(ids) | Ids::Wrapped { ids } => ids,
    })
}

impl Answer {
    /// Reads an answer, without its byte-order mark.
    pub(super) fn read(body: &[u8]) -> Option<Self> {
        let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
        serde_json::from_slice(body).ok()
    }

    pub(super) fn is_ok(&self) -> bool {
        self.messages.result_code == "Ok"
    }

    /// The first code. It decides the result.
    pub(super) fn code(&self) -> &str {
        self.messages.message.first().map_or("", |message| message.code.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_may_begin_with_a_byte_order_mark() {
        let text = r#"{"messages":{"resultCode":"Ok","message":[{"code":"I00001","text":"Successful."}]}}"#;
        for body in [text.as_bytes().to_vec(), [b"\xEF\xBB\xBF", text.as_bytes()].concat()] {
            let answer = Answer::read(&body).unwrap();
            assert!(answer.is_ok());
            assert_eq!(answer.code(), "I00001");
        }
        assert!(Answer::read(b"\xEF\xBB\xBF<html>").is_none());
    }

    #[test]
    fn ids_come_in_any_form() {
        for (ids, expected) in [
            (r#"["1","2"]"#, vec!["1", "2"]),
            (r#""7""#, vec!["7"]),
            ("null", vec![]),
            (r#"{"subscriptionId":["8"]}"#, vec!["8"]),
        ] {
            let text = format!(r#"{{"messages":{{"resultCode":"Ok"}},"subscriptionIds":{ids}}}"#);
            assert_eq!(Answer::read(text.as_bytes()).unwrap().subscription_ids, expected, "{ids}");
        }
    }

    #[test]
    fn the_elements_of_a_request_are_in_order() {
        let merchant_authentication = Authentication { name: "n", transaction_key: "k" };
        let body = Body {
            merchant_authentication,
            ref_id: Some("r"),
            customer_profile_id: Some("1"),
            subscription_id: None,
        };
        assert_eq!(
            serde_json::to_string(&body).unwrap(),
            r#"{"merchantAuthentication":{"name":"n","transactionKey":"k"},"refId":"r","customerProfileId":"1"}"#
        );
    }
}

//! Signs requests, and checks the signatures of answers.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac as _};
use secrecy::{ExposeSecret, SecretSlice};
use sha2::Sha256;

use crate::gateway::http::Response;

const ID: &str = "webhook-id";
const TIMESTAMP: &str = "webhook-timestamp";
const SIGNATURE: &str = "webhook-signature";

/// The secret that the host and a recipient share. It is wiped from memory when it is dropped, and it is never
/// printed.
#[derive(Clone)]
pub struct WebhookSecret(SecretSlice<u8>);

/// The error for a text that is no secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a webhook's secret is whsec_ and the Base64 of 24 to 64 random bytes")]
pub struct NotAWebhookSecret;

impl WebhookSecret {
    /// Reads a secret in the spelling of Standard Webhooks: `whsec_` and the Base64 of 24 to 64 random bytes.
    ///
    /// # Errors
    /// [`NotAWebhookSecret`].
    pub fn new(text: &str) -> Result<Self, NotAWebhookSecret> {
        let bytes = text.strip_prefix("whsec_").and_then(|rest| STANDARD.decode(rest).ok());
        let bytes = bytes.filter(|bytes| (24..=64).contains(&bytes.len())).ok_or(NotAWebhookSecret)?;
        Ok(Self(bytes.into()))
    }

    /// The headers of a signed message.
    pub(super) fn sign(&self, id: &str, at: DateTime<Utc>, body: &[u8]) -> [(&'static str, String); 3] {
        let timestamp = at.timestamp().to_string();
        let signature = match self.mac(id, &timestamp, body) {
            Some(mac) => format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())),
            None => String::new(),
        };
        [(ID, id.to_owned()), (TIMESTAMP, timestamp), (SIGNATURE, signature)]
    }

    /// Whether an answer is signed with this secret, for the request of this id. If an answer has several signatures,
    /// one valid signature is enough, so that a secret can be changed.
    pub(super) fn has_signed(&self, id: &str, response: &Response) -> bool {
        let (Some(timestamp), Some(signatures)) = (response.header(TIMESTAMP), response.header(SIGNATURE))
        else {
            return false;
        };
        let is_right = |signature: &str| {
            let claimed = signature.strip_prefix("v1,").and_then(|text| STANDARD.decode(text).ok());
            let mac = self.mac(id, timestamp, &response.body);
            // Compared in constant time.
            claimed.zip(mac).is_some_and(|(claimed, mac)| mac.verify_slice(&claimed).is_ok())
        };
        response.header(ID) == Some(id) && signatures.split(' ').any(is_right)
    }

    fn mac(&self, id: &str, timestamp: &str, body: &[u8]) -> Option<Hmac<Sha256>> {
        // HMAC takes a key of any length.
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.expose_secret()).ok()?;
        mac.update(id.as_bytes());
        mac.update(b".");
        mac.update(timestamp.as_bytes());
        mac.update(b".");
        mac.update(body);
        Some(mac)
    }
}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSecret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    /// The test vector of the Standard Webhooks libraries.
    #[test]
    fn a_signature_is_that_of_standard_webhooks() {
        let at = DateTime::from_timestamp(1_614_265_330, 0).unwrap();
        let secret = WebhookSecret::new(SECRET).unwrap();
        let [_, _, (_, signature)] =
            secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", at, b"{\"test\": 2432232314}");
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn only_the_answer_to_this_request_is_believed() {
        let (secret, at) = (WebhookSecret::new(SECRET).unwrap(), DateTime::UNIX_EPOCH);
        let signed = |by: &WebhookSecret, id: &str, body: &[u8]| {
            let headers = by.sign(id, at, body).map(|(name, value)| (name.to_owned(), value));
            Response::new(200, headers.into(), body.to_vec())
        };
        assert!(secret.has_signed("a", &signed(&secret, "a", b"{}")));
        let mut two = signed(&secret, "a", b"{}");
        two.headers[2].1 = format!("v1,AAAA {}", two.headers[2].1);
        assert!(secret.has_signed("a", &two), "one signature of two");
        let other = WebhookSecret::new("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").unwrap();
        let mut changed = signed(&secret, "a", b"{}");
        changed.body = b"{ }".to_vec();
        for (what, response) in [
            ("another secret", signed(&other, "a", b"{}")),
            ("another request", signed(&secret, "b", b"{}")),
            ("another body", changed),
            ("no signature", Response::new(200, Vec::new(), b"{}".to_vec())),
        ] {
            assert!(!secret.has_signed("a", &response), "{what}");
        }
    }

    #[test]
    fn a_secret_is_long_enough_and_is_never_shown() {
        for text in ["", "whsec_", "whsec_AAAA", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_!"] {
            assert_eq!(WebhookSecret::new(text).err(), Some(NotAWebhookSecret), "{text}");
        }
        assert_eq!(format!("{:?}", WebhookSecret::new(SECRET).unwrap()), "WebhookSecret(…)");
    }
}

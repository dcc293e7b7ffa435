//! HTTP to a gateway: one small trait, and the client that ships.
//!
//! An adapter speaks to its gateway through a [`Transport`]: a request in, a response out. [`HttpClient`] is the one
//! that ships; a host with a client of its own (a proxy, a certificate store, a recorder) implements the trait, which
//! takes twenty lines. Whichever it is, the adapters add what keeps a gateway and the other cases from harm: a
//! deadline for every request, a bound on every answer, [limits](Limits) that all clones of an adapter share, and a
//! breaker that stops asking a gateway that is down.

// The feature alone, without an adapter, gives the transport.
#![cfg_attr(not(any(feature = "stripe", feature = "authorize-net")), allow(dead_code, unused_imports))]

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};

mod breaker;
mod client;
mod line;
mod pace;

pub use client::HttpClient;
pub(crate) use line::{Line, LineSettings, code};
pub(crate) use pace::Endpoint;
pub use pace::Limits;

/// What a request wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// To read.
    Get,
    /// To write, or to ask in a body.
    Post,
    /// To delete.
    Delete,
}

impl Method {
    /// As HTTP spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Delete => "DELETE",
        }
    }
}

/// A request to a gateway. It holds a key and may name a person, so its `Debug` shows only the method.
#[derive(Clone)]
#[non_exhaustive]
pub struct Request {
    /// What it wants.
    pub method: Method,
    /// The whole address, with its query.
    pub url: String,
    /// Name and value of each header, names in lower case.
    pub headers: Vec<(&'static str, String)>,
    /// The body; may be empty.
    pub body: Vec<u8>,
    /// How long it may take at most, until the last byte of the answer.
    pub timeout: Duration,
    /// How many bytes the body of the answer may have at most.
    pub most_bytes: usize,
}

impl Request {
    /// A request without headers and body. An answer may take 30 seconds and have 1 MiB.
    pub fn new(method: Method, url: impl Into<String>) -> Self {
        Self {
            method,
            url: url.into(),
            headers: Vec::new(),
            body: Vec::new(),
            timeout: Duration::from_secs(30),
            most_bytes: 1 << 20,
        }
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request").field("method", &self.method).finish_non_exhaustive()
    }
}

/// An answer. It may hold a person's data, so its `Debug` shows only the status.
#[derive(Clone)]
#[non_exhaustive]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Name and value of each header, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Response {
    /// An answer.
    pub fn new(status: u16, headers: Vec<(String, String)>, body: Vec<u8>) -> Self {
        Self { status, headers, body }
    }

    /// The first header of a name, in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response").field("status", &self.status).finish_non_exhaustive()
    }
}

/// Why there is no answer. None of the causes may name an address: it may hold an id.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// No connection came about: nothing was sent.
    #[error("no connection to the gateway")]
    NotSent(#[source] Cause),
    /// The request was sent, and no whole answer came back in time. It may have taken effect.
    #[error("the gateway gave no whole answer")]
    Lost(#[source] Cause),
    /// The answer is larger than it may be. The request may have taken effect.
    #[error("the gateway's answer has more than {most_bytes} bytes")]
    TooLarge {
        /// The bound.
        most_bytes: usize,
    },
}

/// The cause of a [`TransportError`].
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Carries requests to a gateway.
#[async_trait]
pub trait Transport: fmt::Debug + Send + Sync + 'static {
    /// Sends a request and reads the answer, whatever its status. TLS has to be verified, and a redirect must not be
    /// followed: the request holds a key.
    ///
    /// **Idempotency:** sends once, and never again by itself. **Partial failure:** after
    /// [`TransportError::Lost`] or [`TransportError::TooLarge`] the request may have taken effect. **Cancel
    /// safety:** dropping the future leaves the same doubt. **Errors:** [`TransportError`].
    async fn send(&self, request: &Request) -> Result<Response, TransportError>;
}

macro_rules! forward_transport {
    ($($pointer:ident),*) => {$(
        #[async_trait]
        impl<T: Transport + ?Sized> Transport for $pointer<T> {
            async fn send(&self, request: &Request) -> Result<Response, TransportError> {
                (**self).send(request).await
            }
        }
    )*};
}

forward_transport!(Arc, Box);

/// A key to a gateway. It is wiped from memory when it is dropped, and nothing ever prints it.
#[derive(Clone)]
pub struct ApiKey(SecretString);

impl ApiKey {
    /// Takes the key.
    pub fn new(key: impl Into<String>) -> Self {
        Self(SecretString::from(key.into()))
    }

    pub(crate) fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(…)")
    }
}

impl From<&str> for ApiKey {
    fn from(key: &str) -> Self {
        Self::new(key)
    }
}

impl From<String> for ApiKey {
    fn from(key: String) -> Self {
        Self::new(key)
    }
}

/// Whether the profiles are of real customers, or of a gateway's sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Real ones.
    Live,
    /// Those of the sandbox.
    Test,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Live => "live",
            Self::Test => "test",
        })
    }
}

/// The address that an adapter was given, without a slash at its end. A key goes over TLS, or stays on this machine.
pub(crate) fn base_url(base: &str) -> Result<String, &'static str> {
    let base = base.trim_end_matches('/');
    let local = |rest: &str| {
        let host = rest.split('/').next().unwrap_or(rest);
        let host = host.rsplit_once(':').map_or(host, |(host, port)| {
            if port.bytes().all(|byte| byte.is_ascii_digit()) { host } else { rest }
        });
        ["127.0.0.1", "localhost", "[::1]"].contains(&host)
    };
    let clear = base.strip_prefix("http://").is_some_and(local);
    if clear || base.strip_prefix("https://").is_some_and(|rest| !rest.is_empty()) {
        Ok(base.to_owned())
    } else {
        Err(
            "the base URL has to begin with https://; plain http:// carries the key in the clear, and is for this \
             machine only",
        )
    }
}

/// A part of an address or of a form, with everything escaped but the unreserved characters of RFC 3986.
#[cfg(feature = "stripe")]
pub(crate) fn escape(text: &str) -> String {
    use fmt::Write as _;

    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            // Writing to a text cannot fail.
            let _ = write!(escaped, "%{byte:02X}");
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_prints_a_key_or_an_address() {
        let key = ApiKey::new("sk_live_canary");
        let mut request = Request::new(Method::Get, "https://example.org/v1/customers/cus_canary");
        request.headers.push(("authorization", format!("Bearer {}", key.expose())));
        request.body = b"canary".to_vec();
        let response = Response::new(200, vec![("x".into(), "canary".into())], b"canary".to_vec());
        let shown = format!("{key:?} {request:?} {response:?}");
        assert!(!shown.contains("canary") && !shown.contains("99, 97"), "{shown}");
    }

    #[cfg(feature = "stripe")]
    #[test]
    fn an_id_cannot_leave_its_place_in_an_address() {
        assert_eq!(escape("cus_1/../x?a=b&ü"), "cus_1%2F..%2Fx%3Fa%3Db%26%C3%BC");
    }
}

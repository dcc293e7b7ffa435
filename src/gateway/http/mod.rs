//! HTTP to a gateway: the trait [`Transport`], and the default client.
//!
//! An adapter calls its gateway through a [`Transport`]: a request in, a response out. [`HttpClient`] is the default.
//! A host that needs its own client (a proxy, a certificate store, a recorder) implements the trait in about twenty
//! lines. With any transport, the adapters add a timeout for every request, a maximum size of every answer, and rate
//! [limits](Limits) that all clones of an adapter share. They also add a circuit breaker, which stops requests to a
//! gateway that is down.

// The feature `http` alone, without an adapter, contains only the transport.
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
    /// To write, or to read with parameters in a body.
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

/// A request to a gateway. It contains a key, and may contain personal data. So its `Debug` shows only the method.
#[derive(Clone)]
#[non_exhaustive]
pub struct Request {
    /// What it wants.
    pub method: Method,
    /// The whole address, with its query.
    pub url: String,
    /// Name and value of each header, names in lower case.
    pub headers: Vec<(&'static str, String)>,
    /// The body. It may be empty.
    pub body: Vec<u8>,
    /// The timeout, until the last byte of the answer.
    pub timeout: Duration,
    /// The maximum number of bytes of the answer's body.
    pub most_bytes: usize,
}

impl Request {
    /// A request without headers and body. The timeout is 30 seconds, and the answer may have 1 MiB.
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

/// An answer. It may contain personal data, so its `Debug` shows only the status.
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

    /// The first header with this name. The name is in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response").field("status", &self.status).finish_non_exhaustive()
    }
}

/// Why there is no answer. The causes must not contain an address, because an address may contain an id.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// There was no connection. Nothing was sent.
    #[error("no connection to the gateway")]
    NotSent(#[source] Cause),
    /// The request was sent, but no complete answer came back in time. The request may have taken effect.
    #[error("the gateway gave no complete answer")]
    Lost(#[source] Cause),
    /// The answer is too large. The request may have taken effect.
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
    /// Sends a request and reads the answer, with any status. TLS certificates must be verified, and redirects must
    /// not be followed, because the request contains a key.
    ///
    /// **Idempotency:** sends the request once, without retries. **Partial failure:** after [`TransportError::Lost`]
    /// or [`TransportError::TooLarge`] the request may have taken effect. **Cancel safety:** after the future was
    /// dropped, the request may have taken effect. **Errors:** [`TransportError`].
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

/// A key for a gateway. It is wiped from memory when it is dropped, and it is never printed.
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

/// Whether the adapter uses the gateway's live system or its sandbox.
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

/// Checks the address of an adapter, and removes a slash at its end. A key must be sent over TLS, or stay on this
/// machine.
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

/// Escapes a part of an address or of a form. Only the unreserved characters of RFC 3986 are not escaped.
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

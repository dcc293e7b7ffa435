//! The answers of the console, and the headers that every answer has.

use bytes::Bytes;
use http::header::{self, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use http_body_util::Full;
use maud::Markup;
use relinquish::engine::Error;

use crate::auth::Right;

/// The policy forbids scripts, frames, and forms that are sent to other servers. Styles and pictures come from the
/// console itself.
const CSP: &str = "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; \
                   frame-ancestors 'none'; base-uri 'none'";

/// An answer of a screen.
#[derive(Debug)]
pub(crate) enum Answer {
    /// A page.
    Page(StatusCode, Markup),
    /// A redirect to another page, which shows the result of a form.
    See(String),
    /// A file to keep.
    File { name: String, kind: &'static str, text: String },
    /// The style sheet.
    Style(&'static str),
}

impl Answer {
    pub(crate) fn into_response(self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::default());
        let mut cache = HeaderValue::from_static("no-store");
        let mut set = |name: HeaderName, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                response.headers_mut().insert(name, value);
            }
        };
        let (status, body) = match self {
            Self::Page(status, page) => {
                set(header::CONTENT_TYPE, "text/html; charset=utf-8");
                (status, Bytes::from(page.into_string()))
            }
            Self::See(url) => {
                set(header::LOCATION, &url);
                (StatusCode::SEE_OTHER, Bytes::new())
            }
            Self::File { name, kind, text } => {
                set(header::CONTENT_TYPE, kind);
                set(header::CONTENT_DISPOSITION, &format!("attachment; filename=\"{name}\""));
                (StatusCode::OK, Bytes::from(text))
            }
            Self::Style(text) => {
                set(header::CONTENT_TYPE, "text/css; charset=utf-8");
                cache = HeaderValue::from_static("private, max-age=3600");
                (StatusCode::OK, Bytes::from_static(text.as_bytes()))
            }
        };
        set(header::CONTENT_SECURITY_POLICY, CSP);
        set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
        set(header::X_FRAME_OPTIONS, "DENY");
        // With `no-referrer`, a browser would send forms with `Origin: null`.
        set(header::REFERRER_POLICY, "same-origin");
        set(HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
        set(HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
        set(header::VARY, "accept-language");
        response.headers_mut().insert(header::CACHE_CONTROL, cache);
        *response.status_mut() = status;
        *response.body_mut() = Full::new(body);
        response
    }
}

/// Why a request fails. Each failure becomes a page that says what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("nobody has signed in")]
    NotSignedIn,
    #[error("the operator lacks the right {0:?}")]
    Lacks(Right),
    #[error("the form was not sent from a page of the console")]
    OtherOrigin,
    #[error("the form is too large, or was not read to its end")]
    Unreadable,
    #[error("there is no such page")]
    NotFound,
    #[error("only GET and POST are answered")]
    Method,
    #[error(transparent)]
    Engine(#[from] Error),
    #[error("{0}")]
    Other(String),
}

impl Failure {
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::NotSignedIn => StatusCode::UNAUTHORIZED,
            Self::Lacks(_) | Self::OtherOrigin | Self::Engine(Error::Approval(_)) => StatusCode::FORBIDDEN,
            Self::Unreadable => StatusCode::PAYLOAD_TOO_LARGE,
            Self::NotFound
            | Self::Engine(Error::NoSuchCustomer | Error::NoSuchRequest { .. } | Error::NoSuchHold { .. }) => {
                StatusCode::NOT_FOUND
            }
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Engine(_) | Self::Other(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

/// The text of an error and of its causes, each text only once.
pub(crate) fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = error.source();
    }
    text
}

//! The default transport: reqwest over rustls.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::redirect;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

use super::{Cause, Method, Request, Response, Transport, TransportError};

/// The timeout for opening a connection.
const CONNECT: Duration = Duration::from_secs(10);

/// An HTTP client. It verifies TLS certificates against Mozilla's roots and the given roots. It follows no redirects,
/// and ignores proxies of the environment. Needs a Tokio runtime.
#[derive(Clone)]
pub struct HttpClient(reqwest::Client);

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HttpClient(…)")
    }
}

impl HttpClient {
    /// A client that trusts Mozilla's roots.
    ///
    /// # Errors
    /// [`TransportError::NotSent`] if TLS cannot be set up.
    pub fn new() -> Result<Self, TransportError> {
        Self::trusting("")
    }

    /// A client that also trusts the certificates in a PEM document. For a proxy with its own certificate authority.
    ///
    /// # Errors
    /// [`TransportError::NotSent`] if the document contains anything but certificates.
    pub fn trusting(pem: &str) -> Result<Self, TransportError> {
        fn cause(error: impl Into<Cause>) -> TransportError {
            TransportError::NotSent(error.into())
        }
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
            roots.add(certificate.map_err(cause)?).map_err(cause)?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(cause)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT)
            .no_proxy()
            .referer(false)
            // A request is sent only once. The engine decides about retries.
            .retry(reqwest::retry::never())
            .user_agent(concat!("relinquish/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(cause)?;
        Ok(Self(client))
    }
}

/// The cause without the address, because the address may contain an id.
fn lost(error: reqwest::Error) -> TransportError {
    let error = error.without_url();
    if error.is_connect() || error.is_builder() {
        TransportError::NotSent(error.into())
    } else {
        TransportError::Lost(error.into())
    }
}

#[async_trait]
impl Transport for HttpClient {
    async fn send(&self, request: &Request) -> Result<Response, TransportError> {
        let method = match request.method {
            Method::Get => reqwest::Method::GET,
            Method::Post => reqwest::Method::POST,
            Method::Delete => reqwest::Method::DELETE,
        };
        let mut building = self.0.request(method, &request.url).timeout(request.timeout);
        for (name, value) in &request.headers {
            building = building.header(*name, value);
        }
        if !request.body.is_empty() {
            building = building.body(request.body.clone());
        }
        let mut answer = building.send().await.map_err(lost)?;
        let status = answer.status().as_u16();
        let headers = answer
            .headers()
            .iter()
            .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
            .collect();
        let too_large = || TransportError::TooLarge { most_bytes: request.most_bytes };
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(lost)? {
            if body.len() + chunk.len() > request.most_bytes {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Response { status, headers, body })
    }
}

//! The part of Stripe's API that the adapter needs: requests, replies, lists.
//!
//! Sources: <https://docs.stripe.com/api/errors>, <https://docs.stripe.com/api/pagination>,
//! <https://docs.stripe.com/rate-limits>.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::Stripe;
use crate::gateway::GatewayError;
use crate::gateway::http::{Endpoint, Method, Request, code, escape};

/// The version of the API that this adapter requests, independent of the account's own version.
pub(super) const VERSION: &str = "2024-06-20";
/// The version of the API that has redaction jobs.
pub(super) const PREVIEW: &str = "2025-05-28.preview";
/// The maximum number of objects in a page.
const PAGE: usize = 100;

pub(super) const ACCOUNT: Endpoint = Endpoint::reading("account");
pub(super) const CUSTOMER: Endpoint = Endpoint::reading("customer");
pub(super) const CUSTOMERS: Endpoint = Endpoint::reading("customers");
pub(super) const SUBSCRIPTIONS: Endpoint = Endpoint::reading("subscriptions");
pub(super) const INVOICES: Endpoint = Endpoint::reading("invoices");
pub(super) const CHARGES: Endpoint = Endpoint::reading("charges");
pub(super) const DISPUTES: Endpoint = Endpoint::reading("disputes");
pub(super) const DELETE: Endpoint = Endpoint::erasing("delete customer");

/// A valid reply: an object, or Stripe's own error.
#[derive(Debug)]
pub(super) enum Reply<T> {
    Object(T, Said),
    Failed(Failure, Said),
}

/// For the certificate.
#[derive(Clone, Debug)]
pub(super) struct Said {
    pub(super) status: u16,
    pub(super) request_id: Option<String>,
}

/// Stripe's own error. The message is not read, because it may quote an id.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Failure {
    #[serde(default, rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    pub(super) code: Option<String>,
    #[serde(default)]
    pub(super) param: Option<String>,
}

#[derive(Deserialize)]
struct Failed {
    error: Failure,
}

impl Failure {
    /// The status, and those of Stripe's words that look like codes.
    pub(super) fn describe(&self, said: &Said) -> String {
        let mut text = format!("status {}", said.status);
        for (name, value) in [("", &self.code), ("type ", &self.kind), ("parameter ", &self.param)] {
            if let Some(word) = value.as_deref().and_then(code) {
                text = format!("{text}, {name}{word}");
            }
        }
        if let Some(id) = &said.request_id {
            text = format!("{text}, request {id}");
        }
        text
    }

    pub(super) fn is(&self, word: &str) -> bool {
        self.code.as_deref() == Some(word)
    }
}

#[derive(Deserialize)]
pub(super) struct Page<T> {
    #[serde(default)]
    object: String,
    pub(super) data: Vec<T>,
    pub(super) has_more: bool,
}

/// An object with an id, so that the next page can begin after it.
pub(super) trait Listed {
    fn id(&self) -> &str;
}

impl Stripe {
    pub(super) fn request(&self, method: Method, path: &str, query: &[(&str, &str)]) -> Request {
        let mut url = format!("{}{path}", self.base);
        let form: Vec<String> =
            query.iter().map(|(name, value)| format!("{}={}", escape(name), escape(value))).collect();
        let mut request = Request::new(method, "");
        if method == Method::Post {
            request.headers.push(("content-type", "application/x-www-form-urlencoded".to_owned()));
            request.body = form.join("&").into_bytes();
        } else if !form.is_empty() {
            url = format!("{url}?{}", form.join("&"));
        }
        request.url = url;
        request.headers.push(("authorization", format!("Bearer {}", self.key.expose())));
        request.headers.push(("stripe-version", VERSION.to_owned()));
        request
    }

    /// Sends a request. An answer that is not Stripe's counts as no answer.
    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        request: Request,
        endpoint: Endpoint,
    ) -> Result<Reply<T>, GatewayError> {
        let response = self.line.send(request, endpoint).await?;
        let request_id = response.header("request-id").and_then(code).map(str::to_owned);
        let said = Said { status: response.status, request_id };
        if response.status == 200 {
            // The cause is left out, because it would quote the text that could not be parsed.
            let object = serde_json::from_slice(&response.body)
                .map_err(|_| self.line.unknown("the answer is none of Stripe's"))?;
            return Ok(Reply::Object(object, said));
        }
        let Ok(Failed { error }) = serde_json::from_slice::<Failed>(&response.body) else {
            let what = format!("status {}, and no error of Stripe's", said.status);
            return Err(if said.status == 404 || said.status < 400 {
                self.line.refused(format!("{what}; mend the base URL"))
            } else {
                self.line.unknown(what)
            });
        };
        if said.status == 403 {
            let what = format!("the key may not do this ({})", error.describe(&said));
            return Err(self.line.refused(format!("{what}; give it the permission in Stripe's dashboard")));
        }
        Ok(Reply::Failed(error, said))
    }

    /// Asks for an object that must exist.
    pub(super) async fn expect<T: DeserializeOwned>(
        &self,
        request: Request,
        endpoint: Endpoint,
    ) -> Result<T, GatewayError> {
        match self.ask(request, endpoint).await? {
            Reply::Object(object, _) => Ok(object),
            Reply::Failed(failure, said) => Err(self.line.refused(failure.describe(&said))),
        }
    }

    /// Reads one page of a list, after an id.
    pub(super) async fn page<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
        after: Option<&str>,
        endpoint: Endpoint,
    ) -> Result<Reply<Page<T>>, GatewayError> {
        let limit = PAGE.to_string();
        let mut query = query.to_vec();
        query.push(("limit", &limit));
        query.extend(after.map(|id| ("starting_after", id)));
        let reply = self.ask(self.request(Method::Get, path, &query), endpoint).await?;
        match &reply {
            Reply::Object(Page { object, data, has_more }, _)
                if object != "list" || (*has_more && data.is_empty()) =>
            {
                Err(self.line.unknown("the answer is no list of Stripe's"))
            }
            _ => Ok(reply),
        }
    }

    /// Reads all objects of a list, page by page.
    pub(super) async fn each<T: DeserializeOwned + Listed>(
        &self,
        path: &str,
        query: &[(&str, &str)],
        endpoint: Endpoint,
        mut take: impl FnMut(&T) + Send,
    ) -> Result<(), GatewayError> {
        let mut after: Option<String> = None;
        loop {
            let page: Page<T> = match self.page(path, query, after.as_deref(), endpoint).await? {
                Reply::Object(page, _) => page,
                Reply::Failed(failure, said) => return Err(self.line.refused(failure.describe(&said))),
            };
            page.data.iter().for_each(&mut take);
            let last = page.data.last().map(|item| item.id().to_owned());
            if !page.has_more {
                return Ok(());
            }
            if last == after {
                return Err(self.line.unknown("the list does not go on"));
            }
            after = last;
        }
    }
}

//! Finds the screen for a request.

use std::sync::Arc;

use bytes::Bytes;
use http::header::ACCEPT_LANGUAGE;
use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, Full, Limited};
use maud::html;

use crate::answer::{Answer, Failure, told};
use crate::auth::Operator;
use crate::fields::{Fields, decode_segment};
use crate::tried::Tried;
use crate::visit::{Place, Visit};
use crate::words::Words;
use crate::{Shared, layout, origin, screens};

/// The maximum size of a form. The longest text that is sent is a policy.
const LONGEST: usize = 512 * 1024;

/// Answers a request. There is always an answer: a failure becomes a page that says why.
pub(crate) async fn answer<B>(shared: &Arc<Shared>, request: Request<B>) -> Response<Full<Bytes>>
where
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    let languages = request.headers().get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    let words = Words::preferred(languages.unwrap_or_default());
    let is_head = request.method() == Method::HEAD;
    let mut response = match screen(shared, words, request).await {
        Ok(answer) => answer.into_response(),
        Err(failure) => failed(shared, words, &failure).into_response(),
    };
    if is_head {
        *response.body_mut() = Full::default();
    }
    response
}

async fn screen<B>(
    shared: &Arc<Shared>,
    words: &'static Words,
    request: Request<B>,
) -> Result<Answer, Failure>
where
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    let (parts, body) = request.into_parts();
    let operator = parts.extensions.get::<Operator>().cloned().ok_or(Failure::NotSignedIn)?;
    let is_post = match parts.method {
        Method::GET | Method::HEAD => false,
        Method::POST => true,
        _ => return Err(Failure::Method),
    };
    let mut form = Fields::default();
    if is_post {
        if !origin::is_same(&parts.headers, &parts.uri, shared.origin.as_deref()) {
            return Err(Failure::OtherOrigin);
        }
        let body = Limited::new(body, LONGEST).collect().await.map_err(|_| Failure::Unreadable)?;
        form = Fields::read(&body.to_bytes());
    }
    let query = Fields::read(parts.uri.query().unwrap_or_default().as_bytes());
    let path = parts.uri.path().trim_matches('/').to_owned();
    let segments: Vec<String> =
        path.split('/').filter(|segment| !segment.is_empty()).map(decode_segment).collect();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let place = place(segments.first().copied().unwrap_or_default());
    let now = shared.clock.now();
    let visit = Visit { console: shared, operator, words, now, query, form, place };
    if is_post { post(&visit, shared, &segments).await } else { get(&visit, &segments).await }
}

fn place(first: &str) -> Place {
    match first {
        "requests" => Place::Requests,
        "review" => Place::Review,
        "cases" => Place::Cases,
        "holds" => Place::Holds,
        "expiry" => Place::Expiry,
        "policy" => Place::Policy,
        "data" => Place::Data,
        "ledger" => Place::Ledger,
        _ => Place::Home,
    }
}

async fn get(visit: &Visit<'_>, segments: &[&str]) -> Result<Answer, Failure> {
    let none = &Tried::default();
    match segments {
        [] => screens::home::show(visit, none).await,
        ["style.css"] => Ok(Answer::Style(layout::STYLE)),
        ["person", sealed] => screens::person::show(visit, sealed, none).await,
        ["person", sealed, "export"] => screens::export::show(visit, sealed, none).await,
        ["plan", sealed] => screens::plan::show(visit, sealed, none).await,
        ["person", sealed, "hold"] => screens::holds::on_person(visit, sealed, none).await,
        ["requests"] => screens::requests::list(visit).await,
        ["requests", "new"] => screens::requests::new(visit, none),
        ["requests", id] => screens::requests::show(visit, id, none).await,
        ["requests", id, "letter"] => screens::letters::of_request(visit, id, none).await,
        ["review"] => screens::review::show(visit, none),
        ["review", "approve"] => screens::review::confirm(visit, none),
        ["review", "run"] => screens::review::run(visit),
        ["holds"] => screens::holds::show(visit, none).await,
        ["expiry"] => screens::expiry::show(visit, none),
        ["policy"] => screens::policy::show(visit, none),
        ["data"] => screens::data::show(visit, none).await,
        ["ledger"] => screens::ledger::show(visit, none).await,
        ["cases"] => screens::cases::list(visit).await,
        ["cases", id] => screens::cases::show(visit, id, none).await,
        ["cases", id, "letter"] => screens::letters::of_case(visit, id).await,
        ["cases", id, "certificate.txt"] => screens::cases::download(visit, id, "txt").await,
        ["cases", id, "certificate.json"] => screens::cases::download(visit, id, "json").await,
        _ => Err(Failure::NotFound),
    }
}

async fn post(visit: &Visit<'_>, shared: &Arc<Shared>, segments: &[&str]) -> Result<Answer, Failure> {
    match segments {
        ["person"] => screens::home::find(visit).await,
        ["person", sealed] => screens::person::reveal(visit, sealed).await,
        ["person", sealed, "hold"] => screens::holds::place_on_person(visit, sealed).await,
        ["person", sealed, "export"] => screens::export::write(visit, sealed).await,
        ["plan", sealed] => screens::plan::approve(visit, sealed).await,
        ["requests", "new"] => screens::requests::receive(visit).await,
        ["requests", id] => screens::requests::reveal(visit, id).await,
        ["requests", id, "letter"] => screens::letters::sent(visit, id).await,
        ["requests", id, what] => screens::requests::note(visit, id, what).await,
        ["survey"] => screens::review::take(visit, shared).await,
        ["review"] => screens::review::strike(visit),
        ["review", "approve"] => screens::review::approve(visit, shared),
        ["expiry", "plan"] => screens::expiry::plan(visit, shared),
        ["expiry", "approve"] => screens::expiry::approve(visit, shared),
        ["policy", "try"] => screens::policy::attempt(visit, shared),
        ["data", "census"] => screens::data::take(visit, shared).await,
        ["ledger", "checkpoint"] => screens::ledger::checkpoint(visit).await,
        ["holds", "stop"] => screens::holds::stop(visit).await,
        ["holds", "tenant"] => screens::holds::place_on_tenant(visit).await,
        ["holds", id, "lift"] => screens::holds::lift(visit, id).await,
        ["cases", id, what @ ("retry" | "waive" | "by-hand" | "cancel")] => {
            screens::cases::act(visit, id, what).await
        }
        _ => Err(Failure::NotFound),
    }
}

/// The page of a failure. A failure that the operator cannot fix is also logged, without any typed value.
fn failed(shared: &Shared, words: &'static Words, failure: &Failure) -> Answer {
    let (title, hint) = words.failure(failure);
    let detail = match failure {
        Failure::Engine(_) | Failure::Other(_) => Some(told(failure)),
        _ => None,
    };
    if failure.status().is_server_error() {
        tracing::error!(
            status = failure.status().as_u16(),
            "a page of the console failed: {}",
            told(failure)
        );
    }
    let content = html! {
        h1 { (title) }
        p { (hint) }
        @if let Some(detail) = detail { p.complaint { (layout::english(&detail)) } }
        @if !matches!(failure, Failure::NotSignedIn) { p { a href={ (shared.base) "/" } { (words.home) } } }
    };
    Answer::Page(failure.status(), layout::bare(words, &shared.base, title, &content))
}

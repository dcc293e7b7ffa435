//! A sign-in that the service does itself. The console only needs an [`Operator`] in the request.
//!
//! A real host has its own users and sessions. This one has two operators and one password.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{Form, Request, State};
use axum::http::header::{COOKIE, SET_COOKIE};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Router, http};
use relinquish::TenantId;
use relinquish_console::{Operator, Right};
use serde::Deserialize;

/// The password of both operators.
pub(crate) const WORD: &str = "fjord";

/// The operators who have signed in, by the random name of the session.
#[derive(Debug, Default)]
pub(crate) struct Sessions(Mutex<BTreeMap<String, &'static str>>);

impl Sessions {
    fn operator(&self, headers: &HeaderMap) -> Option<Operator> {
        let name = session(headers)?;
        let signed_in = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut rights = vec![Right::See, Right::Plan, Right::Hold];
        let name = *signed_in.get(name)?;
        if name == "ben" {
            rights.extend([Right::Approve, Right::Administrate]);
        }
        Some(Operator::new(name, [TenantId::from("1")], rights))
    }
}

fn session(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get(COOKIE)?.to_str().ok()?;
    cookies.split(';').find_map(|cookie| cookie.trim().strip_prefix("session="))
}

/// Puts the operator into the request. A user who has not signed in is redirected to the sign-in page. But a form
/// that is sent after the session has ended goes to the console without an operator. The console then says that
/// nothing was changed.
pub(crate) async fn with_operator(
    State(sessions): State<Arc<Sessions>>,
    mut request: Request,
    next: Next,
) -> Response {
    match sessions.operator(request.headers()) {
        Some(operator) => {
            request.extensions_mut().insert(operator);
        }
        None if request.method() == Method::GET => return Redirect::to("/sign-in").into_response(),
        None => {}
    }
    next.run(request).await
}

pub(crate) fn routes(sessions: Arc<Sessions>) -> Router {
    Router::new()
        .route("/sign-in", get(|| async { Html(PAGE) }).post(sign_in))
        .route("/sign-out", post(sign_out))
        .with_state(sessions)
}

#[derive(Deserialize)]
struct Given {
    name: String,
    word: String,
}

async fn sign_in(State(sessions): State<Arc<Sessions>>, Form(given): Form<Given>) -> Response {
    let known = ["ann", "ben"].into_iter().find(|name| *name == given.name);
    let (Some(name), true) = (known, given.word == WORD) else {
        return (StatusCode::UNAUTHORIZED, Html(PAGE)).into_response();
    };
    let mut bytes = [0; 16];
    if getrandom::fill(&mut bytes).is_err() {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let session = u128::from_be_bytes(bytes).to_string();
    sessions.0.lock().unwrap_or_else(PoisonError::into_inner).insert(session.clone(), name);
    let cookie = format!("session={session}; HttpOnly; SameSite=Strict; Path=/");
    ([(SET_COOKIE, cookie)], Redirect::to("/erasure/")).into_response()
}

async fn sign_out(State(sessions): State<Arc<Sessions>>, headers: http::HeaderMap) -> Redirect {
    if let Some(name) = session(&headers) {
        sessions.0.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
    }
    Redirect::to("/sign-in")
}

const PAGE: &str = r#"<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Sign in</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">
<style>body{font:1rem/1.5 system-ui,sans-serif;max-width:22rem;margin:15vh auto;padding:0 1rem}label{display:block;margin:1rem 0 .25rem;font-weight:600}
input,select,button{font:inherit;padding:.5rem;width:100%;box-sizing:border-box}button{margin-top:1.5rem}</style></head>
<body><main><h1>Fjord Broadband</h1><form method="post" action="/sign-in">
<label for="name">Operator</label><select id="name" name="name"><option value="ben">ben (plans and approves)</option><option value="ann">ann (plans)</option></select>
<label for="word">Word</label><input id="word" name="word" type="password" autocomplete="current-password">
<button>Sign in</button></form></main></body></html>"#;

//! An imitation of Stripe's API, with the parts that an erasure needs.
//!
//! It behaves as Stripe's manual says:
//! * Deleting a customer cancels its subscriptions at once, and leaves charges and invoices.
//! * A deleted customer is returned as a stub with `deleted: true`.
//! * An unknown id gives `resource_missing`.
//! * Lists are sorted with the newest first. A page starts after an id, which must still exist.
//! * POST supports idempotency keys, and DELETE does not.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use serde_json::{Value, json};

use super::server::{Answer, Call, Gateway, Server};

pub(crate) const KEY: &str = "sk_test_4eC39HqLyjWDarjtT1zdp7dc";
pub(crate) const ACCOUNT: &str = "acct_1032D82eZvKYlo2C";

#[derive(Clone, Debug, Default)]
pub(crate) struct Customer {
    pub(crate) email: Option<String>,
    pub(crate) metadata: BTreeMap<String, String>,
    pub(crate) livemode: bool,
    pub(crate) deleted: bool,
    /// Status of each subscription.
    pub(crate) subscriptions: Vec<String>,
    pub(crate) invoices: Vec<String>,
    /// For each charge, the status of its dispute, if it has one.
    pub(crate) charges: Vec<Option<String>>,
    pub(crate) created: i64,
}

#[derive(Default)]
struct State {
    customers: BTreeMap<String, Customer>,
    /// What was done to which customer, with one entry for each time that it took effect.
    effects: Vec<String>,
    jobs: BTreeMap<String, (String, &'static str)>,
    made: BTreeMap<String, Value>,
    requests: u64,
    account: Option<String>,
    /// How many times the state of a redaction job has to be read before the job continues.
    slow: u32,
}

#[derive(Default)]
pub(crate) struct Stripe(Mutex<State>);

impl Stripe {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Adds a customer with this owner in its metadata, or replaces it.
    pub(crate) fn insert(&self, id: &str, owner: Option<&str>) {
        let metadata = owner.map(|owner| ("customer_id".to_owned(), owner.to_owned())).into_iter().collect();
        self.put(id, Customer { metadata, ..Customer::default() });
    }

    pub(crate) fn put(&self, id: &str, mut customer: Customer) {
        let mut state = self.lock();
        customer.created = 1_700_000_000 + i64::try_from(state.customers.len()).unwrap();
        state.customers.insert(id.to_owned(), customer);
    }

    pub(crate) fn change(&self, id: &str, change: impl FnOnce(&mut Customer)) {
        change(self.lock().customers.get_mut(id).expect("a customer of this id"));
    }

    /// Sets the account to which the keys belong from now on.
    pub(crate) fn account(&self, account: &str) {
        self.lock().account = Some(account.to_owned());
    }

    /// Customers who are there.
    pub(crate) fn left(&self) -> Vec<String> {
        let state = self.lock();
        state.customers.iter().filter(|(_, found)| !found.deleted).map(|(id, _)| id.clone()).collect()
    }

    pub(crate) fn customer(&self, id: &str) -> Customer {
        self.lock().customers[id].clone()
    }

    pub(crate) fn effects(&self) -> Vec<String> {
        self.lock().effects.clone()
    }

    pub(crate) fn slow_redaction(&self, polls: u32) {
        self.lock().slow = polls;
    }
}

fn error(status: u16, kind: &str, code: Option<&str>, param: Option<&str>, message: &str) -> Answer {
    let mut error = json!({"type": kind, "message": message});
    if let Some(code) = code {
        error["code"] = json!(code);
    }
    if let Some(param) = param {
        error["param"] = json!(param);
    }
    Answer::json(status, &json!({ "error": error }))
}

fn missing(what: &str, id: &str, param: &str, status: u16) -> Answer {
    // The real message quotes the id. So a client that repeats messages reveals a person.
    let message = format!("No such {what}: '{id}'");
    error(status, "invalid_request_error", Some("resource_missing"), Some(param), &message)
}

fn show(id: &str, customer: &Customer) -> Value {
    if customer.deleted {
        return json!({"id": id, "object": "customer", "deleted": true});
    }
    json!({
        "id": id, "object": "customer", "created": customer.created, "email": customer.email,
        "livemode": customer.livemode, "metadata": customer.metadata, "delinquent": false,
    })
}

/// A page of objects, in the order given.
fn page(call: &Call, items: Vec<Value>) -> Answer {
    let limit: usize = call.query("limit").map_or(10, |limit| limit.parse().unwrap_or(0));
    if !(1..=100).contains(&limit) {
        return error(400, "invalid_request_error", None, Some("limit"), "Invalid limit");
    }
    let start = match call.query("starting_after") {
        None => 0,
        Some(id) => match items.iter().position(|item| item["id"] == id) {
            Some(n) => n + 1,
            None => return missing("customer", id, "starting_after", 400),
        },
    };
    let more = items.len() > start + limit;
    let data: Vec<Value> = items.into_iter().skip(start).take(limit).collect();
    Answer::json(200, &json!({"object": "list", "url": call.path, "data": data, "has_more": more}))
}

fn of_customer<T>(
    call: &Call,
    state: &State,
    of: impl Fn(&Customer) -> &Vec<T>,
    show: impl Fn(&str, &T) -> Value,
) -> Answer {
    let Some(id) = call.query("customer") else {
        return error(
            400,
            "invalid_request_error",
            None,
            Some("customer"),
            "this imitation wants a customer",
        );
    };
    let Some(customer) = state.customers.get(id) else { return missing("customer", id, "customer", 404) };
    let items = of(customer).iter().enumerate().map(|(n, item)| {
        let mut item = show(&format!("{id}.{n}"), item);
        item["customer"] = json!(id);
        item
    });
    page(call, items.collect())
}

fn delete(state: &mut State, id: &str) -> Option<Answer> {
    let customer = state.customers.get_mut(id)?;
    if !customer.deleted {
        customer.deleted = true;
        for status in &mut customer.subscriptions {
            "canceled".clone_into(status);
        }
        state.effects.push(id.to_owned());
    }
    Some(Answer::json(200, &json!({"id": id, "object": "customer", "deleted": true})))
}

fn redaction(call: &Call, state: &mut State, rest: &str) -> Answer {
    let shown = |state: &State, job: &str| {
        let (customer, status) = &state.jobs[job];
        json!({
            "id": job, "object": "privacy.redaction_job", "status": status,
            "objects": {"customers": [customer]},
        })
    };
    if !call.headers.get("stripe-version").is_some_and(|version| version.ends_with(".preview")) {
        return error(404, "invalid_request_error", None, None, "Unrecognized request URL");
    }
    let (job, action) =
        rest.trim_start_matches('/').split_once('/').unwrap_or((rest.trim_start_matches('/'), ""));
    if job.is_empty() {
        let form = call.form();
        let customer = form.iter().find(|(name, _)| name == "objects[customers][]").map(|(_, id)| id.clone());
        let Some(customer) =
            customer.filter(|id| state.customers.get(id).is_some_and(|found| !found.deleted))
        else {
            return missing("customer", "", "objects[customers][0]", 400);
        };
        let key = call.headers.get("idempotency-key").cloned().unwrap_or_default();
        if let Some(made) = state.made.get(&key) {
            return Answer::json(200, made);
        }
        let id = format!("prj_{}", state.jobs.len());
        state.jobs.insert(id.clone(), (customer, "validating"));
        let made = shown(state, &id);
        state.made.insert(key, made.clone());
        return Answer::json(200, &made);
    }
    let Some((customer, status)) = state.jobs.get(job).cloned() else {
        return missing("redaction job", job, "job", 404);
    };
    let found = state.customers[&customer].clone();
    let open = |statuses: &[String]| statuses.iter().any(|status| status == "open");
    let clean = !open(&found.invoices) && found.charges.iter().all(Option::is_none);
    let next = match (call.method.as_str(), action, status) {
        ("POST", "run", "ready") => "redacting",
        ("POST", "validate", "failed") => "validating",
        ("POST", ..) => {
            return error(400, "invalid_request_error", Some("invalid_state"), None, "wrong state");
        }
        (_, _, status) if state.slow > 0 => {
            state.slow -= 1;
            status
        }
        (_, _, "validating") => {
            if clean {
                "ready"
            } else {
                "failed"
            }
        }
        (_, _, "redacting") => {
            state.effects.push(format!("{customer} redacted"));
            "succeeded"
        }
        (_, _, status) => status,
    };
    // The answer shows the old state of the job. After that, the job continues.
    let answer = if call.method == "POST" { next } else { status };
    state.jobs.insert(job.to_owned(), (customer.clone(), answer));
    let body = shown(state, job);
    state.jobs.insert(job.to_owned(), (customer, next));
    Answer::json(200, &body)
}

impl Gateway for Stripe {
    fn operation(&self, call: &Call) -> &'static str {
        match (call.method.as_str(), call.path.split('/').collect::<Vec<_>>().as_slice()) {
            ("GET", ["", "v1", "customers"]) => "list",
            ("GET", ["", "v1", "customers", _]) => "read",
            ("DELETE", ["", "v1", "customers", _]) => "erase",
            ("GET", ["", "v1", "account"]) => "account",
            (_, ["", "v1", "privacy", ..]) => "redact",
            _ => "other",
        }
    }

    fn answer(&self, call: &Call) -> Answer {
        let mut state = self.lock();
        state.requests += 1;
        let request_id = format!("req_{:06}", state.requests);
        let answer =
            if call.headers.get("authorization").map(String::as_str) == Some(&format!("Bearer {KEY}")) {
                respond(call, &mut state)
            } else {
                error(401, "invalid_request_error", None, None, "Invalid API Key provided")
            };
        answer.with("request-id", request_id)
    }

    fn too_many(&self, retry_after: Option<&str>) -> Answer {
        let answer = error(429, "invalid_request_error", Some("rate_limit"), None, "Too many requests");
        match retry_after {
            Some(value) => answer.with("retry-after", value),
            None => answer,
        }
    }

    fn broken(&self, status: u16) -> Answer {
        error(status, "api_error", None, None, "An unknown error occurred")
    }
}

fn respond(call: &Call, state: &mut State) -> Answer {
    match (call.method.as_str(), call.path.split('/').collect::<Vec<_>>().as_slice()) {
        ("GET", ["", "v1", "account"]) => {
            let id = state.account.clone().unwrap_or_else(|| ACCOUNT.to_owned());
            Answer::json(200, &json!({"id": id, "object": "account"}))
        }
        ("GET", ["", "v1", "customers"]) => {
            let mut found: Vec<_> = state.customers.iter().filter(|(_, found)| !found.deleted).collect();
            found.sort_by_key(|(_, customer)| std::cmp::Reverse(customer.created));
            page(call, found.into_iter().map(|(id, customer)| show(id, customer)).collect())
        }
        ("GET", ["", "v1", "customers", id]) => match state.customers.get(*id) {
            Some(customer) => Answer::json(200, &show(id, customer)),
            None => missing("customer", id, "id", 404),
        },
        ("DELETE", ["", "v1", "customers", id]) => {
            delete(state, id).unwrap_or_else(|| missing("customer", id, "id", 404))
        }
        ("GET", ["", "v1", "subscriptions"]) => {
            if call.query("status") != Some("all") {
                return error(400, "invalid_request_error", None, Some("status"), "this imitation wants all");
            }
            of_customer(
                call,
                state,
                |found| &found.subscriptions,
                |id, status| json!({"id": format!("sub_{id}"), "object": "subscription", "status": status}),
            )
        }
        ("GET", ["", "v1", "invoices"]) => of_customer(
            call,
            state,
            |found| &found.invoices,
            |id, status| json!({"id": format!("in_{id}"), "object": "invoice", "status": status}),
        ),
        ("GET", ["", "v1", "charges"]) => of_customer(
            call,
            state,
            |found| &found.charges,
            |id, dispute| json!({"id": format!("ch_{id}"), "object": "charge", "disputed": dispute.is_some()}),
        ),
        ("GET", ["", "v1", "disputes"]) => {
            let charge = call.query("charge").unwrap_or_default();
            let found = charge.strip_prefix("ch_").and_then(|rest| rest.rsplit_once('.'));
            let dispute = found
                .and_then(|(id, n)| state.customers.get(id)?.charges.get(n.parse::<usize>().ok()?)?.clone());
            page(
                call,
                dispute
                    .map(|status| json!({"id": "dp_1", "object": "dispute", "status": status}))
                    .into_iter()
                    .collect(),
            )
        }
        (_, ["", "v1", "privacy", "redaction_jobs", rest @ ..]) => redaction(call, state, &rest.join("/")),
        _ => error(404, "invalid_request_error", None, None, "Unrecognized request URL"),
    }
}

pub(crate) async fn start() -> Server<Stripe> {
    Server::start(Stripe::default()).await
}

//! An imitation of Authorize.Net's customer profiles, with the parts that an erasure needs.
//!
//! It behaves as the manual of the real gateway says. It has one address for all requests. It always answers HTTP
//! 200, with a byte-order mark before each answer. It requires a certain order of the elements.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use serde_json::{Value, json};

use super::server::{Answer, Call, Gateway, Server};

pub(crate) const LOGIN: &str = "5KP3u95bQpv";
pub(crate) const KEY: &str = "346HZ32z3fP4hTG2";
pub(crate) const ACCOUNT: &str = "565697";

#[derive(Clone, Debug, Default)]
pub(crate) struct Profile {
    pub(crate) merchant_customer_id: Option<String>,
    pub(crate) email: Option<String>,
    /// Status of each subscription.
    pub(crate) subscriptions: Vec<String>,
}

#[derive(Default)]
struct State {
    profiles: BTreeMap<String, Profile>,
    effects: Vec<String>,
    /// The error code for the next deletion, which then has no effect.
    refuse: Option<String>,
    account: Option<String>,
    test_mode: bool,
}

#[derive(Default)]
pub(crate) struct AuthorizeNet(Mutex<State>);

impl AuthorizeNet {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    pub(crate) fn insert(&self, id: &str, owner: Option<&str>) {
        let profile = Profile { merchant_customer_id: owner.map(str::to_owned), ..Profile::default() };
        self.put(id, profile);
    }

    pub(crate) fn put(&self, id: &str, profile: Profile) {
        self.lock().profiles.insert(id.to_owned(), profile);
    }

    pub(crate) fn left(&self) -> Vec<String> {
        self.lock().profiles.keys().cloned().collect()
    }

    pub(crate) fn effects(&self) -> Vec<String> {
        self.lock().effects.clone()
    }

    pub(crate) fn refuse_with(&self, code: &str) {
        self.lock().refuse = Some(code.to_owned());
    }

    pub(crate) fn account(&self, account: &str) {
        self.lock().account = Some(account.to_owned());
    }

    pub(crate) fn test_mode(&self) {
        self.lock().test_mode = true;
    }
}

/// The required order of the elements, for each kind of request.
const ORDER: [(&str, &[&str]); 5] = [
    ("getMerchantDetailsRequest", &["merchantAuthentication", "refId"]),
    ("getCustomerProfileRequest", &["merchantAuthentication", "refId", "customerProfileId"]),
    ("deleteCustomerProfileRequest", &["merchantAuthentication", "refId", "customerProfileId"]),
    ("getCustomerProfileIdsRequest", &["merchantAuthentication", "refId"]),
    ("ARBGetSubscriptionStatusRequest", &["merchantAuthentication", "refId", "subscriptionId"]),
];

/// The answer begins with a byte-order mark, as at the real gateway.
fn say(mut body: Value, result: &str, code: &str, reference: Option<&str>) -> Answer {
    body["messages"] =
        json!({"resultCode": result, "message": [{"code": code, "text": format!("Text of {code}.")}]});
    if let Some(reference) = reference {
        body["refId"] = json!(reference);
    }
    let mut answer = Answer::json(200, &body);
    answer.body.splice(0..0, [0xEF, 0xBB, 0xBF]);
    answer
}

fn ok(body: Value, reference: Option<&str>) -> Answer {
    say(body, "Ok", "I00001", reference)
}

fn error(code: &str, reference: Option<&str>) -> Answer {
    say(json!({}), "Error", code, reference)
}

/// Whether the elements are in this order. It is read from the text, because a parsed object has no order.
fn in_order(text: &str, order: &[&str]) -> bool {
    let places: Vec<usize> = order.iter().filter_map(|name| text.find(&format!("\"{name}\""))).collect();
    places.is_sorted() && text.contains("\"merchantAuthentication\":{\"name\"")
}

impl Gateway for AuthorizeNet {
    fn operation(&self, call: &Call) -> &'static str {
        let text = String::from_utf8_lossy(&call.body);
        for (request, operation) in [
            ("{\"getMerchantDetailsRequest\"", "account"),
            ("{\"getCustomerProfileRequest\"", "read"),
            ("{\"deleteCustomerProfileRequest\"", "erase"),
            ("{\"getCustomerProfileIdsRequest\"", "list"),
        ] {
            if text.starts_with(request) {
                return operation;
            }
        }
        "other"
    }

    fn answer(&self, call: &Call) -> Answer {
        let mut state = self.lock();
        let text = String::from_utf8_lossy(&call.body);
        if call.path != "/xml/v1/request.api" || call.method != "POST" {
            return Answer { status: 404, headers: Vec::new(), body: b"Not Found".to_vec() };
        }
        let Ok(Value::Object(request)) = serde_json::from_str::<Value>(&text) else {
            return error("E00003", None);
        };
        let Some((name, body)) = request.iter().next() else { return error("E00003", None) };
        let Some((_, order)) = ORDER.iter().find(|(known, _)| known == name) else {
            return error("E00003", None);
        };
        let known = body.as_object().is_some_and(|body| body.keys().all(|key| order.contains(&key.as_str())));
        if !known || !in_order(&text, order) {
            return error("E00003", None);
        }
        let reference = body["refId"].as_str();
        let keys = &body["merchantAuthentication"];
        if keys["name"] != LOGIN || keys["transactionKey"] != KEY {
            return error("E00007", reference);
        }
        let id = body["customerProfileId"].as_str().unwrap_or_default();
        match name.as_str() {
            "getMerchantDetailsRequest" => {
                let account = state.account.clone().unwrap_or_else(|| ACCOUNT.to_owned());
                ok(
                    json!({"merchantName": "Shop", "gatewayId": account, "isTestMode": state.test_mode}),
                    reference,
                )
            }
            "getCustomerProfileIdsRequest" => {
                ok(json!({"ids": state.profiles.keys().collect::<Vec<_>>()}), reference)
            }
            "getCustomerProfileRequest" => match state.profiles.get(id) {
                None => error("E00040", reference),
                Some(found) => {
                    let subscriptions: Vec<String> =
                        (0..found.subscriptions.len()).map(|n| format!("{id}{n:02}")).collect();
                    let profile = json!({
                        "customerProfileId": id, "merchantCustomerId": found.merchant_customer_id,
                        "email": found.email, "paymentProfiles": [],
                    });
                    ok(json!({"profile": profile, "subscriptionIds": subscriptions}), reference)
                }
            },
            "ARBGetSubscriptionStatusRequest" => {
                let id = body["subscriptionId"].as_str().unwrap_or_default();
                let (profile, n) = id.split_at(id.len().saturating_sub(2));
                let status = state
                    .profiles
                    .get(profile)
                    .and_then(|found| found.subscriptions.get(n.parse::<usize>().ok()?));
                match status {
                    Some(status) => ok(json!({ "status": status }), reference),
                    None => error("E00035", reference),
                }
            }
            _ => {
                if let Some(code) = state.refuse.take() {
                    return error(&code, reference);
                }
                match state.profiles.get(id) {
                    None => error("E00040", reference),
                    Some(found) if found.subscriptions.iter().any(|s| s == "active" || s == "suspended") => {
                        error("E00106", reference)
                    }
                    Some(_) => {
                        state.profiles.remove(id);
                        state.effects.push(id.to_owned());
                        ok(json!({}), reference)
                    }
                }
            }
        }
    }

    fn too_many(&self, retry_after: Option<&str>) -> Answer {
        let answer = error("E00053", None);
        match retry_after {
            Some(value) => Answer { status: 429, ..answer }.with("retry-after", value),
            None => answer,
        }
    }

    fn broken(&self, status: u16) -> Answer {
        // HTTP errors come from servers in front of the gateway. The gateway's own errors are answered with 200.
        if status == 500 {
            error("E00001", None)
        } else {
            Answer { status, headers: Vec::new(), body: Vec::new() }
        }
    }
}

pub(crate) async fn start() -> Server<AuthorizeNet> {
    Server::start(AuthorizeNet::default()).await
}

//! Adapters against the imitations, with limits that do not slow a test down.

use std::time::Duration;

use relinquish::gateway::authorize_net::AuthorizeNetBuilder;
use relinquish::gateway::http::{Limits, Mode};
use relinquish::gateway::stripe::StripeBuilder;
use relinquish::gateway::{AuthorizeNet, Stripe};

#[path = "../../examples/fakes/mod.rs"]
pub(crate) mod fakes;
#[path = "../it/support/gateways.rs"]
mod shop;

use fakes::server::Server;
pub(crate) use shop::Shop;

/// Short enough for a test, and long enough for a busy machine.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(5);

pub(crate) fn stripe(server: &Server<fakes::stripe::Stripe>) -> StripeBuilder {
    Stripe::builder(fakes::stripe::KEY, Mode::Test)
        .base_url(server.url())
        .limits(Limits::per_second(100_000))
        .timeout(TIMEOUT)
}

pub(crate) fn authorize_net(server: &Server<fakes::authorize_net::AuthorizeNet>) -> AuthorizeNetBuilder {
    AuthorizeNet::builder(fakes::authorize_net::LOGIN, fakes::authorize_net::KEY, Mode::Test)
        .base_url(server.url())
        .limits(Limits::per_second(100_000))
        .timeout(TIMEOUT)
}

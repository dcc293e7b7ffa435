//! A shop whose customers have profiles at two gateways.

use std::sync::Arc;

use relinquish::customer::{GatewayProfile, Status};
use relinquish::data_map::{Fact, Field, Kind, Record, RecordClass};
use relinquish::engine::EngineBuilder;
use relinquish::gateway::MemoryGateway;
use relinquish::ledger::Ledger;
use relinquish::store::MemoryRepository;
use relinquish::testing::ManualClock;
use relinquish::{ByRecord, Customer, DataMap, Engine, MemoryLedger, PaymentGatewayEraser, PolicyDocument};

use crate::hosts::{self, BuildCounted as _};

/// A shop whose customers have profiles at two gateways.
pub(crate) struct Shop {
    pub(crate) repository: Arc<MemoryRepository>,
    pub(crate) ledger: Arc<MemoryLedger>,
}

const POLICY: &str = r#"
version = 1
sweep = true
[triggers]
requested = { treatment = "clear" }
[guards]
not_archived = { ignore = "each case archives first" }
[anonymise]
name = "remove"
email = "remove"
[treatments.clear]
customer = "anonymise"
gateway.stripe = "erase"
gateway.authorize_net = "erase"
"#;

fn shop_map() -> DataMap {
    DataMap::builder(
        RecordClass::new("customer")
            .field(Field::key("id").token_part())
            .field(Field::personal("name", Kind::Name).required())
            .field(Field::personal("email", Kind::Email).required().unique()),
    )
    .knows(Fact::ActiveSubscriptions)
    .knows(Fact::Status)
    .knows(Fact::Tenants)
    .gateway("stripe")
    .gateway("authorize_net")
    .build()
    .unwrap()
}

impl Shop {
    /// A shop with these customers. Each has a list of profiles: the gateway and the id.
    pub(crate) fn new(customers: &[(&str, &[(&str, &str)])]) -> Self {
        let shop = Self {
            repository: Arc::new(MemoryRepository::new(shop_map())),
            ledger: Arc::new(MemoryLedger::new()),
        };
        for (id, profiles) in customers {
            shop.put(id, Status::Cancelled, profiles);
        }
        shop
    }

    pub(crate) fn put(&self, id: &str, status: Status, profiles: &[(&str, &str)]) {
        let mut customer = Customer::new(id, "shop");
        customer.status = status;
        customer.gateway_profiles =
            profiles.iter().map(|(gateway, id)| GatewayProfile::new(*gateway, *id)).collect();
        let record = Record::new("customer", id)
            .with("name", format!("Name {id}"))
            .with("email", format!("{id}@example.org"));
        self.repository.insert(customer, vec![record]);
    }

    pub(crate) fn builder_with(&self, ledger: Arc<dyn Ledger>) -> EngineBuilder {
        let policy = PolicyDocument::from_toml(POLICY).unwrap();
        let store = ByRecord::new(Arc::clone(&self.repository));
        Engine::builder(store, policy, ledger, hosts::keys()).clock(ManualClock::at(hosts::now()))
    }

    /// An engine with these gateways. A gateway that is not given has no profiles.
    pub(crate) fn engine(&self, gateways: impl IntoIterator<Item = Arc<dyn PaymentGatewayEraser>>) -> Engine {
        let ledger: Arc<dyn Ledger> = Arc::clone(&self.ledger) as Arc<dyn Ledger>;
        let mut builder = self.builder_with(ledger);
        let mut missing = vec!["stripe", "authorize_net"];
        for gateway in gateways {
            missing.retain(|name| *name != gateway.gateway().as_str());
            builder = builder.gateway(gateway);
        }
        for name in missing {
            builder = builder.gateway(MemoryGateway::new(name));
        }
        builder.counted().unwrap()
    }
}

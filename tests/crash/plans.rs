//! Plans of every kind: with different treatments, gateways and refusals.

/// A plan: a database, its map and policy, and the customers to erase.
pub(crate) struct Canonical {
    pub(crate) name: &'static str,
    pub(crate) sql: String,
    pub(crate) map: String,
    pub(crate) policy: String,
    pub(crate) customers: Vec<&'static str>,
    /// The profiles at the gateway: id, owner and active subscriptions.
    pub(crate) profiles: Vec<(&'static str, Option<&'static str>, u32)>,
    /// The profiles at the gateway after the plans were approved.
    pub(crate) later: Vec<(&'static str, Option<&'static str>, u32)>,
    /// The number of cases that end blocked.
    pub(crate) blocked: usize,
}

const CLIENTS: &str = "CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT, email TEXT UNIQUE, state TEXT NOT NULL DEFAULT 'active',
       pay TEXT, others TEXT, made TEXT NOT NULL DEFAULT '2020-01-01 10:00:00', stand_in INTEGER NOT NULL DEFAULT 0);
     INSERT INTO clients (id, name, email, state, pay) VALUES
       (1, 'Maud', 'maud@x.org', 'active', 'p1'), (2, 'Bob', 'bob@x.org', 'active', 'p2'), (3, 'Eve', 'eve@x.org', 'archived', NULL),
       (4, 'Dan', 'dan@x.org', 'active', '[\"p4\",\"p4b\"]');
     CREATE TABLE orders (id INTEGER PRIMARY KEY, client INTEGER NOT NULL REFERENCES clients, referrer INTEGER REFERENCES clients,
       note TEXT, profile TEXT);
     INSERT INTO orders VALUES (1, 1, 2, 'Maud', '{\"name\":\"Maud\",\"n\":1.0}'), (2, 2, 1, 'Bob', '{\"name\":\"Bob\",\"n\":2}'),
       (3, 4, NULL, 'Dan', NULL), (4, 1, NULL, 'Maud again', NULL);";
const HEAD: &str = "[customers]\ntable = 'clients'\nkey = 'id'\ntenant = { is = 'here' }\nregistered = 'made'\n\
     status = { column = 'state', active = 'active', archived = 'archived' }\n";
const FIELDS: &str = "[customers.fields]\nname = 'name'\nemail = 'email'\npay = 'payment_profile'\nothers = 'not personal'\nstand_in = 'not personal'\n";
const ORDERS: &str = "[records.order]\ntable = 'orders'\nkey = 'id'\nowner = 'client'\nends.referrer = 'clear'\n[records.order.fields]\nnote = 'free_text'\n\
     referrer = 'not personal'\nprofile = { json = { '/name' = 'name' }, rest = 'not personal' }\n";
const RULES: &str = "version = 1\nsweep = true\n[triggers]\nrequested = { treatment = 'x' }\n[guards]\n\
     several_tenants = { ignore = 'one' }\nnot_archived = { ignore = 'each case archives' }\nACTIVE\n\
     [anonymise]\nname = 'remove'\nemail = 'token'\nfree_text = 'remove'\npayment_profile = 'remove'\n[treatments.x]\n";

fn canonical(name: &'static str, treatment: &str, customers: &[&'static str]) -> Canonical {
    Canonical {
        name,
        sql: CLIENTS.to_owned(),
        map: format!("version = 1\n{HEAD}deactivate = {{ state = 'archived' }}\n{FIELDS}{ORDERS}"),
        policy: format!(
            "{}{treatment}",
            RULES.replace("ACTIVE", "active_subscription = { ignore = 'none here' }")
        ),
        customers: customers.to_vec(),
        profiles: Vec::new(),
        later: Vec::new(),
        blocked: 0,
    }
}

/// The same, with a gateway at which profiles are erased.
fn with_gateway(canonical: Canonical) -> Canonical {
    Canonical {
        map: canonical.map.replace(HEAD, &format!("{HEAD}gateways.pay = 'pay'\n")),
        policy: canonical
            .policy
            .replace("active_subscription = { ignore = 'none here' }", "active_subscription = 'block'")
            + "\ngateway.pay = 'erase'",
        profiles: vec![
            ("p1", Some("1"), 0),
            ("p2", Some("2"), 0),
            ("p4", Some("4"), 0),
            ("p4b", None, 0),
            ("other", Some("9"), 0),
        ],
        ..canonical
    }
}

pub(crate) fn all() -> Vec<Canonical> {
    let anonymise = "customer = 'anonymise'\norder = 'anonymise'";
    let delete = "customer = 'delete'\norder = 'delete'";
    let reassign =
        canonical("reassign to the unknown customer", "customer = 'delete'\norder = 'reassign'", &["1"]);
    let unknown = "[customers.unknown_customer]\nfind = { stand_in = 1 }\ncreate = { name = 'Unknown', email = 'unknown@{tenant}.invalid' }\n";
    let audited = canonical("a trigger writes along", &format!("{anonymise}\naudit = 'delete'"), &["1", "2"]);
    let shared = canonical(
        "a shared address",
        &format!("{delete}\nresident = 'delete'\naddress = 'delete'"),
        &["1", "2"],
    );
    let no_status = canonical("no status to deactivate by", anonymise, &["1"]);
    let refused = with_gateway(canonical("the gateway refuses one of three", anonymise, &["1", "2", "4"]));
    vec![
        canonical("anonymise", anonymise, &["1"]),
        canonical("delete, and cut a link", delete, &["1"]),
        canonical("archived before", anonymise, &["3"]),
        canonical("a batch of three", anonymise, &["1", "2", "4"]),
        Canonical {
            map: no_status.map.replace("{ state = 'archived' }", "{ none = 'no such status' }"),
            ..no_status
        },
        Canonical { map: format!("{}{unknown}", reassign.map), ..reassign },
        Canonical {
            sql: format!(
                "{CLIENTS} CREATE TABLE audit (id INTEGER PRIMARY KEY, client INTEGER, was TEXT);
                 CREATE TRIGGER keep AFTER UPDATE OF name ON clients
                   BEGIN INSERT INTO audit (client, was) VALUES (old.id, old.name); END;"
            ),
            map: format!(
                "{}[records.audit]\ntable = 'audit'\nkey = 'id'\nowner = 'client'\nfields = {{ was = 'name' }}\n",
                audited.map
            ),
            ..audited
        },
        Canonical {
            sql: format!(
                "{CLIENTS} CREATE TABLE addresses (id INTEGER PRIMARY KEY, street TEXT);
                 CREATE TABLE residents (client INTEGER NOT NULL REFERENCES clients, address INTEGER NOT NULL REFERENCES addresses,
                   PRIMARY KEY (client, address));
                 INSERT INTO addresses VALUES (7, 'Mill Lane'), (8, 'Old Street');
                 INSERT INTO residents VALUES (1, 7), (2, 7), (4, 8), (1, 8);"
            ),
            map: format!(
                "{}[records.resident]\ntable = 'residents'\nkey = ['client', 'address']\nowner = 'client'\n\
                 [records.address]\ntable = 'addresses'\nkey = 'id'\n\
                 shared = ['resident.address']\n\
                 fields = {{ street = 'address' }}\n",
                shared.map
            ),
            ..shared
        },
        with_gateway(canonical("a profile at a gateway", anonymise, &["1"])),
        with_gateway(canonical("two profiles at a gateway", delete, &["4"])),
        with_gateway(canonical("no profile at the gateway", delete, &["3"])),
        Canonical { later: vec![("p2", Some("9"), 0)], blocked: 1, ..refused },
    ]
}

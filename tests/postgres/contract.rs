//! The contracts of the ports, on PostgreSQL.

use relinquish::testing::{self, Stocked};
use relinquish::{PolicyDocument, PostgresStore, SqlMap};

use crate::server::Database;

#[tokio::test(flavor = "multi_thread")]
async fn composite_keys() {
    let map = "version = 1\n[customers]\ntable = 'people'\nkey = ['land', 'no']\ntenant = { is = 'us' }\n\
        status = { column = 'state', active = 'active', archived = 'archived' }\n\
        deactivate = { state = 'archived' }\n[customers.fields]\nname = 'name'\nmail = 'email'\nland = 'not personal'";
    let policy = "version = 1\nsweep = false\ntriggers.requested = { treatment = 't' }\n\
        guards.active_subscription = { ignore = 'none is sold' }\nguards.several_tenants = { ignore = 'one tenant' }\n\
        anonymise = { name = 'remove', email = 'token' }\ntreatments.t.customer = 'anonymise'";
    let fresh = || async {
        let database = Database::with(
            "CREATE TABLE people (land text NOT NULL, no int NOT NULL, state text NOT NULL, name text,
                 mail text UNIQUE NOT NULL, PRIMARY KEY (land, no));
             INSERT INTO people VALUES ('se', 10, 'active', 'maud', 'maud@example.org'),
                 ('se', 9, 'active', 'theo', 'theo@example.org'), ('no', 9, 'active', 'ines', 'ines@example.org'),
                 ('no', 11, 'archived', 'una', 'una@example.org');",
        );
        let store = PostgresStore::over(database.pool(), &SqlMap::from_toml(map).unwrap()).await.unwrap();
        Stocked::new(store, PolicyDocument::from_toml(policy).unwrap())
    };
    testing::customer_store(fresh).await.unwrap();
}

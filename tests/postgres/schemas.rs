//! Features that only PostgreSQL schemas have.

use relinquish::store::{CensusRequest, CustomerStore as _, RecordStore as _, StoreError, TakeCensus};

use crate::shop::{Shop, map_of, open};

#[tokio::test]
async fn a_customer_is_erased_with_everything_that_hangs_from_them() {
    let shop = Shop::open(
        "CREATE TABLE clients (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name varchar(40) NOT NULL, email text UNIQUE NOT NULL);
         CREATE TABLE orders (id bigserial PRIMARY KEY, client_id bigint NOT NULL REFERENCES clients, total numeric(10, 2), note text);
         INSERT INTO clients (name, email) VALUES ('Maud Berg', 'maud@example.org'), ('Theo', 'theo@example.org');
         INSERT INTO orders (client_id, total, note) VALUES (1, 12.50, 'for Maud Berg'), (2, 3, 'for Theo, and maud@example.org');",
        &map_of(
            "clients",
            "'id'",
            "fields = { name = 'name', email = 'email' }\n[records.orders]\nowner = 'client_id'\n\
             fields = { total = 'not personal', note = 'free_text' }",
        ),
        "anonymise = { name = { placeholder = 'Anonymised {date}' }, email = 'token', free_text = 'redact' }\n\
         [treatments.t]\ncustomer = 'anonymise'\norders = 'anonymise'",
    )
    .await;
    assert!(!shop.is_settled("1").await);
    shop.erase(&["1"]).await;
    let lines = shop.database.lines("SELECT id, name, email LIKE 'maud%' FROM clients ORDER BY id");
    assert_eq!(lines, ["1|Anonymised 2026-11-21|f", "2|Theo|f"]);
    let lines = shop.database.lines("SELECT client_id, total, note LIKE '%Maud%' FROM orders ORDER BY id");
    assert_eq!(lines, ["1|12.50|f", "2|3.00|f"]);
    assert!(shop.is_settled("1").await);
    assert!(!shop.is_settled("2").await);
}

#[tokio::test]
async fn names_are_quoted_and_schemas_are_named() {
    let shop = Shop::open(
        "CREATE SCHEMA \"Old Shop\"; CREATE TABLE \"Clients\" (\"Id\" int PRIMARY KEY, \"Full Name\" text, \"order\" text);
         CREATE TABLE \"Old Shop\".orders (\"No\" int PRIMARY KEY, \"Client\" int REFERENCES \"Clients\", note text);
         INSERT INTO \"Clients\" VALUES (1, 'Maud', 'first'), (2, 'Theo', 'second');
         INSERT INTO \"Old Shop\".orders VALUES (1, 1, 'x'), (2, 2, 'y')",
        &map_of(
            "Clients",
            "'Id'",
            "fields = { 'Full Name' = 'name', order = 'not personal' }\n[records.old_order]\ntable = 'Old Shop.orders'\n\
             owner = 'Client'\nfields = { note = 'free_text' }",
        ),
        "anonymise = { name = 'remove', free_text = 'remove' }\n[treatments.t]\ncustomer = 'anonymise'\nold_order = 'delete'",
    )
    .await;
    shop.erase(&["1"]).await;
    let lines = shop.database.lines("SELECT \"Id\", \"Full Name\", \"order\" FROM \"Clients\" ORDER BY 1");
    assert_eq!(lines, ["1|NULL|first", "2|Theo|second"]);
    assert_eq!(shop.database.lines("SELECT * FROM \"Old Shop\".orders"), ["2|2|y"]);
}

#[tokio::test]
async fn keys_are_uuids_and_columns_are_enums_domains_arrays_and_documents() {
    let shop = Shop::open(
        "CREATE EXTENSION IF NOT EXISTS citext; CREATE TYPE mood AS ENUM ('glad', 'sad');
         CREATE DOMAIN mail AS text NOT NULL CHECK (VALUE LIKE '%@%');
         CREATE TABLE clients (id uuid PRIMARY KEY, email mail UNIQUE, nick citext NOT NULL, mood mood, seen timestamptz,
             born date, tags text[], profile jsonb, raw json, photo bytea, ip inet, active boolean NOT NULL DEFAULT true,
             shout text GENERATED ALWAYS AS (upper(nick::text)) STORED);
         CREATE TABLE logins (client uuid REFERENCES clients, at timestamptz, ip inet, PRIMARY KEY (client, at));
         INSERT INTO clients VALUES
             ('0b8f0f5e-2f0e-4f0f-8f0f-0123456789ab', 'maud@example.org', 'Maud', 'glad', now(), '1980-02-03', '{a,b}',
              '{\"name\": \"Maud\", \"size\": 3}', '{ \"name\" : \"Maud\",  \"n\" : 1.50 }', '\\x0102', '10.0.0.1'),
             ('1b8f0f5e-2f0e-4f0f-8f0f-0123456789ab', 'theo@example.org', 'Theo', 'sad', now(), NULL, NULL, NULL, NULL, NULL, NULL);
         INSERT INTO logins VALUES ('0b8f0f5e-2f0e-4f0f-8f0f-0123456789ab', '2026-01-01', '10.0.0.1'),
             ('1b8f0f5e-2f0e-4f0f-8f0f-0123456789ab', '2026-01-01', '10.0.0.2')",
        &map_of(
            "clients",
            "'id'",
            "[customers.fields]\nemail = 'email'\nnick = 'username'\nmood = 'gender'\nseen = 'not personal'\n\
             born = 'birth_date'\ntags = 'custom_answer'\nprofile = { json = { '/name' = 'name' }, rest = 'not personal' }\n\
             raw = { json = { '/name' = 'name' }, rest = 'not personal' }\nphoto = 'image'\nip = 'ip_address'\nactive = 'not personal'\n\
             shout = 'username'\n[records.logins]\nowner = 'client'\nfields = { ip = 'ip_address' }\nrest = 'not personal'",
        ),
        "anonymise = { email = 'token', username = 'token', gender = 'remove', custom_answer = 'remove', birth_date = { generalise = 'year' }, name = 'token',\n\
         image = 'remove', ip_address = 'remove' }\n[treatments.t]\ncustomer = 'anonymise'\nlogins = 'delete'",
    )
    .await;
    let maud = "0b8f0f5e-2f0e-4f0f-8f0f-0123456789ab";
    shop.erase(&[maud]).await;
    let lines = shop.database.lines(
        "SELECT email LIKE 'maud%', nick, mood, born, tags, profile->>'size', raw::text LIKE '{ \"name\" : \"%\",  \"n\" : 1.50 }', photo, ip, active,
                profile::text || raw::text ILIKE '%maud%', shout = upper(nick::text) FROM clients WHERE id = '0b8f0f5e-2f0e-4f0f-8f0f-0123456789ab'",
    );
    let [line] = lines.as_slice() else { panic!("{lines:?}") };
    assert!(line.starts_with("f|") && !line.contains("Maud"), "{line}");
    assert!(line.ends_with("|NULL|1980-01-01|NULL|3|t|NULL|NULL|t|f|t"), "{line}");
    assert_eq!(shop.database.lines("SELECT ip FROM logins"), ["10.0.0.2"]);
    assert!(shop.is_settled(maud).await);
    // A key in another spelling belongs to nobody, and so does a text that is not a key.
    let none = ["0B8F0F5E-2F0E-4F0F-8F0F-0123456789AB", "maud", "7", ""].map(Into::into);
    assert!(shop.store.facts(&none).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_partitioned_table_is_one_table() {
    let shop = Shop::open(
        "CREATE TABLE clients (id int PRIMARY KEY, name text);
         CREATE TABLE calls (id int, client_id int NOT NULL REFERENCES clients, at date, called text, PRIMARY KEY (id, at))
             PARTITION BY RANGE (at);
         CREATE TABLE calls_25 PARTITION OF calls FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
         CREATE TABLE calls_26 PARTITION OF calls FOR VALUES FROM ('2026-01-01') TO ('2027-01-01') PARTITION BY LIST (id);
         CREATE TABLE calls_26_rest PARTITION OF calls_26 DEFAULT;
         INSERT INTO clients VALUES (1, 'Maud'), (2, 'Theo');
         INSERT INTO calls VALUES (1, 1, '2025-02-01', '112'), (2, 1, '2026-02-01', '112'), (3, 2, '2026-02-01', '113')",
        &map_of(
            "clients",
            "'id'",
            "fields = { name = 'name' }\n[records.calls]\nowner = 'client_id'\nfields = { called = 'communication' }\n\
             rest = 'not personal'",
        ),
        "anonymise = { name = 'remove' }\n[treatments.t]\ncustomer = 'delete'\ncalls = 'delete'",
    )
    .await;
    assert_eq!(shop.tally("1").await.classes["calls"].rows, 2);
    shop.erase(&["1"]).await;
    assert_eq!(shop.database.lines("SELECT id FROM calls"), ["3"]);
    assert_eq!(shop.database.lines("SELECT id FROM clients"), ["2"]);
    let census = TakeCensus::census(&shop.store, &CensusRequest::new(crate::shop::now())).await.unwrap();
    assert_eq!(census.tables["calls"].rows, 1);
    assert_eq!(census.tables.len(), 2, "a partition is no table of its own");
}

#[tokio::test]
async fn a_circle_of_deferrable_keys_is_deleted_in_one_transaction() {
    let shop = Shop::open(
        "CREATE TABLE clients (id int PRIMARY KEY, name text);
         CREATE TABLE books (id int PRIMARY KEY, client_id int NOT NULL REFERENCES clients, first_id int NOT NULL);
         CREATE TABLE pages (id int PRIMARY KEY, book_id int NOT NULL REFERENCES books DEFERRABLE, text text);
         INSERT INTO clients VALUES (1, 'Maud'), (2, 'Theo'); INSERT INTO books VALUES (10, 1, 100), (20, 2, 200);
         INSERT INTO pages VALUES (100, 10, 'a'), (101, 10, 'b'), (200, 20, 'c');
         ALTER TABLE books ADD FOREIGN KEY (first_id) REFERENCES pages DEFERRABLE INITIALLY IMMEDIATE",
        &map_of(
            "clients",
            "'id'",
            "fields = { name = 'name' }\n[records.books]\nowner = 'client_id'\nends = { first_id = 'goes' }\n[records.pages]\n\
             owner = 'book_id'\nfields = { text = 'free_text' }",
        ),
        "anonymise = { name = 'remove', free_text = 'remove' }\n[treatments.t]\ncustomer = 'delete'\nbooks = 'delete'\npages = 'delete'",
    )
    .await;
    shop.erase(&["1"]).await;
    let all = "SELECT id FROM clients UNION ALL SELECT id FROM books UNION ALL SELECT id FROM pages";
    assert_eq!(shop.database.lines(all), ["2", "20", "200"]);
}

#[tokio::test]
async fn what_the_map_forgets_is_refused_at_the_start() {
    let refused = async |sql: &str| {
        let sql = format!("CREATE TABLE clients (id int PRIMARY KEY, name text); {sql}");
        match open(&sql, &map_of("clients", "'id'", "fields = { name = 'name' }")).await {
            Err(error @ StoreError::Map(_)) => error.to_string(),
            Err(other) => panic!("{other}"),
            Ok(_) => panic!("nothing is said of {sql}"),
        }
    };
    let said = refused(
        "CREATE TABLE notes (id int PRIMARY KEY, client_id int REFERENCES clients ON DELETE CASCADE)",
    )
    .await;
    assert!(said.contains("notes") && said.contains("nobody mapped it"), "{said}");
    let said =
        refused("CREATE TABLE \"old.notes\" (id int PRIMARY KEY, client_id int REFERENCES clients)").await;
    assert!(said.contains("old.notes"), "{said}");
    let said = refused("ALTER TABLE clients ADD phone text").await;
    assert!(said.contains("phone"), "{said}");
    let said = refused(
        "CREATE TABLE audit (what text); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS
         'BEGIN IF TG_OP = ''UPDATE'' THEN INSERT INTO audit VALUES (OLD.name); END IF; RETURN NEW; END';
         CREATE TRIGGER copies AFTER UPDATE ON clients FOR EACH ROW EXECUTE FUNCTION f()",
    )
    .await;
    assert!(said.contains("clients.copies") && said.contains("audit"), "{said}");
    // A view is not a table.
    let view = map_of("people", "'id'", "fields = { name = 'name' }");
    let sql =
        "CREATE TABLE clients (id int PRIMARY KEY, name text); CREATE VIEW people AS SELECT * FROM clients";
    let Err(StoreError::Map(problems)) = open(sql, &view).await else { panic!("a view is mapped") };
    assert!(problems.to_string().contains("people"), "{problems}");
}

#[tokio::test]
async fn a_changed_schema_stops_everything_before_anything_is_touched() {
    let shop = Shop::open(
        "CREATE TABLE clients (id int PRIMARY KEY, name text); INSERT INTO clients VALUES (1, 'Maud')",
        &map_of("clients", "'id'", "fields = { name = 'name' }"),
        "anonymise = { name = 'remove' }\n[treatments.t]\ncustomer = 'anonymise'",
    )
    .await;
    assert!(shop.store.drift().await.unwrap().is_empty());
    for sql in ["VACUUM FULL clients", "ANALYZE clients", "CREATE TABLE other (x int)"] {
        shop.database.run(sql);
    }
    assert!(shop.store.drift().await.unwrap().is_empty(), "this does not matter to the map");
    let targets = shop.targets(&["1"]).await;
    shop.database.run("ALTER TABLE clients ADD phone text");
    let error = shop.store.erase(&shop.request(targets)).await.unwrap_err();
    assert!(matches!(&error, StoreError::Drift { .. }), "{error}");
    assert!(error.to_string().contains("phone"), "{error}");
    assert_eq!(shop.database.lines("SELECT name FROM clients"), ["Maud"]);
}

/// For each value the folding of case matters, and it follows Rust's rules.
#[tokio::test]
async fn values_compare_without_case_as_they_do_everywhere() {
    let shop = Shop::open(
        "CREATE TABLE clients (id int PRIMARY KEY, email text);
         CREATE TABLE signups (id int PRIMARY KEY, email text, note text);
         INSERT INTO clients VALUES (1, 'STRASSE@x.org'), (2, 'ΣΊΣΥΦΟΣ@x.org'), (3, 'maud@x.org');
         INSERT INTO signups VALUES (1, ' straße@X.org', 'a'), (2, 'σίσυφος@x.org', 'b'), (3, 'MAUD@x.org\t', 'c'), (4, 'theo@x.org', 'd')",
        &map_of(
            "clients",
            "'id'",
            "fields = { email = 'email' }\n[records.signups]\nowner = { column = 'email', to = 'customer.email', compare = 'normalised' }\n\
             nobody = 'of guests'\nfields = { email = 'email', note = 'free_text' }",
        ),
        "anonymise = { email = 'remove', free_text = 'remove' }\n[treatments.t]\ncustomer = 'anonymise'\nsignups = 'delete'",
    )
    .await;
    shop.erase(&["1", "2", "3"]).await;
    assert_eq!(shop.database.lines("SELECT id FROM signups"), ["4"]);
}

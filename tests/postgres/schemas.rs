//! What schemas of PostgreSQL have that others have not.

use relinquish::store::CustomerStore as _;

use crate::shop::{Shop, map_of};

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
    // A key in another spelling is nobody's, and a text that is no key at all is too.
    let none = ["0B8F0F5E-2F0E-4F0F-8F0F-0123456789AB", "maud", "7", ""].map(Into::into);
    assert!(shop.store.facts(&none).await.unwrap().is_empty());
}

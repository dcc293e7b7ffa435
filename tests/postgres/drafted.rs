//! Maps drafted from a schema of PostgreSQL.

use relinquish::customer::Status;
use relinquish::store::sql::{MapDraft, Samples};
use relinquish::store::{CustomerStore as _, Deactivated, Deactivation, StoreError};
use relinquish::{PostgresStore, SqlMap};

use crate::server::Database;

const FORUM: &str = r#"
CREATE TYPE mood AS ENUM ('glad', 'sad');
CREATE SCHEMA archive;
CREATE TABLE places (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, street text, postal_code varchar(12), phone text);
CREATE TABLE members (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, login text NOT NULL UNIQUE, mail text NOT NULL, crypted text,
    is_admin boolean NOT NULL, last_seen_at timestamptz, created_at timestamptz NOT NULL, active boolean NOT NULL DEFAULT true,
    feels mood, home_id bigint REFERENCES places);
CREATE TABLE threads (id uuid PRIMARY KEY, author_id bigint REFERENCES members ON DELETE SET NULL, title text, state text);
CREATE TABLE posts (id bigint PRIMARY KEY, thread_id uuid NOT NULL REFERENCES threads ON DELETE CASCADE,
    author_id bigint NOT NULL REFERENCES members, editor_id bigint REFERENCES members, body text, from_ip inet, likes integer, extra jsonb);
CREATE TABLE messages (id bigint PRIMARY KEY, sender_id bigint NOT NULL REFERENCES members, recipient_id bigint NOT NULL REFERENCES members, body text);
CREATE TABLE archive."Old Posts" ("Id" integer PRIMARY KEY, "Author" bigint NOT NULL REFERENCES members, "Body" text);
CREATE TABLE newsletter (email text PRIMARY KEY, topic text);
CREATE TABLE staff (id integer PRIMARY KEY, first_name text, phone text);
CREATE TABLE goods (id integer PRIMARY KEY, title text);
"#;

/// The draft after a person has accepted every guess.
fn looked_at(draft: &MapDraft) -> String {
    draft.to_string().replace("?\"", "\"").replace("\"TODO\"", "\"a reason\"")
}

async fn draft(database: &Database, customers: &str, samples: Samples) -> MapDraft {
    PostgresStore::draft(database.pool(), customers, samples).await.unwrap_or_else(|error| panic!("{error}"))
}

async fn opens(database: &Database, draft: &MapDraft) {
    let map = looked_at(draft);
    let read = SqlMap::from_toml(&map).unwrap_or_else(|problems| panic!("{problems}\n{map}"));
    PostgresStore::over(database.pool(), &read).await.unwrap_or_else(|error| panic!("{error}\n{map}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_places_every_table_and_opens() {
    let database = Database::with(FORUM);
    let draft = draft(&database, "members", Samples::None).await;
    let text = draft.to_string();
    for line in [
        "owner = \"author_id?\"  # a foreign key to members; or \"editor_id\"",
        "shared = [\"customer.home_id?\"]",
        "login = \"username?\"",
        "mail = \"email?\"",
        "postal_code = \"postcode?\"",
        "from_ip = \"ip_address?\"",
        "registered = \"created_at?\"",
        "[records.\"archive.Old Posts\"]",
        "status = { column = \"active\", active = \"true?\", archived = \"false?\" }  # a flag, and false means archived",
        "owner = \"Author?\"",
        "staff = \"TODO\"  # nothing ties it to a customer, and it has first_name, phone",
        "owner = { column = \"email?\", to = \"customer.mail\", compare = \"normalised\" }",
    ] {
        assert!(text.contains(line), "{line}\n\n{text}");
    }
    assert!(!text.contains("goods"), "{text}");
    assert!(SqlMap::from_toml(&text).is_err(), "nothing starts while a mark remains");
    opens(&database, &draft).await;
    // The drafted fields of a customer can be read and written.
    database.run(
        "INSERT INTO members (login, mail, is_admin, created_at) VALUES ('maud', 'maud@ash.org', false, now())",
    );
    let store =
        PostgresStore::over(database.pool(), &SqlMap::from_toml(&looked_at(&draft)).unwrap()).await.unwrap();
    let facts = store.facts(&["1".into()]).await.unwrap().remove(0);
    assert!(
        facts.unreadable.is_empty() && facts.status == Status::Active,
        "{:?} {:?}",
        facts.unreadable,
        facts.status
    );
    let deactivation = Deactivation {
        customer: "1".into(),
        expected: facts.expected(),
        at: "2026-11-21T12:00:00Z".parse().unwrap(),
    };
    let done = store.deactivate(&[deactivation]).await.unwrap().remove(0).unwrap();
    assert!(matches!(done, Deactivated::Done { .. }), "{done:?}");
    assert_eq!(database.lines("SELECT active FROM members"), ["f"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn samples_of_postgres_decide_and_no_value_is_shown() {
    let database = Database::with(
        "CREATE TABLE clients (id integer PRIMARY KEY, label text);
         CREATE TABLE records (id integer PRIMARY KEY, client_id integer NOT NULL REFERENCES clients,
             a text, b text, c text, d text, e jsonb);
         INSERT INTO clients SELECT n, 'x' || n FROM generate_series(1, 40) AS n;
         INSERT INTO records SELECT n, n, 'maud' || n || '@ash.example', '+46 8 123 4' || 10 + n, '10.1.2.' || n, 'new',
             jsonb_build_object('zip', 'QX' || n) FROM generate_series(1, 40) AS n;",
    );
    let draft = draft(&database, "clients", Samples::Rows(200)).await;
    let text = draft.to_string();
    for line in [
        "a = \"email?\"  # 40 of 40 samples are e-mail addresses",
        "b = \"phone?\"  # 40 of 40 samples are spelled like telephone numbers",
        "c = \"ip_address?\"  # 40 of 40 samples are IP addresses",
        "d = \"not personal?\"  # 1 different value in 40 samples",
        "e = \"free_text?\"",
    ] {
        assert!(text.contains(line), "{line}\n\n{text}");
    }
    for value in ["maud", "ash.example", "123 4", "10.1.2", "QX"] {
        assert!(!format!("{text}{draft:?}").contains(value), "{value}\n{text}");
    }
    opens(&database, &draft).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_no_schema_has_is_named_with_the_nearest() {
    let database = Database::with(FORUM);
    match PostgresStore::draft(database.pool(), "member", Samples::None).await {
        Err(StoreError::Map(problems)) => assert!(problems.to_string().contains("members"), "{problems}"),
        other => panic!("{other:?}"),
    }
}

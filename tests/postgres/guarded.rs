//! What may disturb an erasure: triggers, missing rights, other transactions, and connections that are cut.

use std::time::Duration;

use relinquish::store::{
    CustomerStore as _, Deactivated, Deactivation, Erased, RecordStore as _, StoreError,
};
use relinquish::{CustomerId, PolicyDocument, PostgresStore, SqlMap};

use crate::proxy::{Cut, Proxy};
use crate::server::{Database, pool};
use crate::shop::{POLICY, Shop, map_of, now};

const CLIENTS: &str = "CREATE TABLE clients (id int PRIMARY KEY, name text);
    INSERT INTO clients VALUES (1, 'Maud'), (2, 'Theo');";
const TREATMENT: &str = "anonymise = { name = 'remove' }\n[treatments.t]\ncustomer = 'anonymise'";

fn map() -> String {
    map_of("clients", "'id'", "fields = { name = 'name' }")
}

async fn clients(sql: &str) -> Shop {
    Shop::open(&format!("{CLIENTS}{sql}"), &map(), TREATMENT).await
}

fn error_of(answers: Result<Vec<Result<Erased, StoreError>>, StoreError>) -> StoreError {
    match answers {
        Err(error) => error,
        Ok(answers) => answers.into_iter().find_map(Result::err).expect("an error"),
    }
}

#[tokio::test]
async fn a_trigger_that_writes_where_nobody_expects_it_undoes_everything() {
    // The text of the function does not show the table.
    let shop = clients(
        "CREATE TABLE audit (what text); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS
         'BEGIN EXECUTE ''INS'' || ''ERT INTO au'' || ''dit VALUES ($1)'' USING OLD.name; RETURN NEW; END';
         CREATE TRIGGER copies AFTER UPDATE ON clients FOR EACH ROW EXECUTE FUNCTION f()",
    )
    .await;
    let error = error_of(shop.try_erase(&["1"]).await).to_string();
    assert!(error.contains("audit") && !error.contains("Maud"), "{error}");
    assert_eq!(shop.database.lines("SELECT name FROM clients ORDER BY id"), ["Maud", "Theo"]);
    assert_eq!(shop.database.lines("SELECT * FROM audit"), Vec::<String>::new());
    // Writes of other programs, before or at the same time, are not attributed to the trigger.
    shop.database.run("ALTER TABLE clients DISABLE TRIGGER copies; INSERT INTO audit VALUES ('x')");
    shop.erase(&["1"]).await;
}

#[tokio::test]
async fn a_trigger_may_write_to_a_table_that_the_map_leaves_out_for_a_reason() {
    let sql = format!(
        "{CLIENTS} CREATE TABLE audit (what text); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS
         'BEGIN INSERT INTO audit VALUES (TG_OP); RETURN NEW; END';
         CREATE TRIGGER notes AFTER UPDATE ON clients FOR EACH ROW EXECUTE FUNCTION f()"
    );
    let map = format!("{}\n[ignore]\naudit = 'it holds no names'", map());
    let shop = Shop::open(&sql, &map, TREATMENT).await;
    shop.erase(&["1"]).await;
    assert_eq!(shop.database.lines("SELECT * FROM audit"), ["UPDATE"]);
}

const ARCHIVE: &str =
    "CREATE TABLE clients (id int PRIMARY KEY, name text, status text NOT NULL DEFAULT 'on');
    CREATE TABLE archive (id int PRIMARY KEY, client int REFERENCES clients, name text);
    INSERT INTO clients VALUES (1, 'Maud'), (2, 'Theo'); INSERT INTO archive VALUES (99, 2, 'Teo');";

/// A shop with an archive, and a trigger on the customers' table that runs a statement for each changed row.
async fn archived(when: &str, statement: &str, deactivate: &str, ignored: &str) -> Shop {
    let sql = format!(
        "{ARCHIVE} CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN {statement}; RETURN NEW; END $f$;
         CREATE TRIGGER copies AFTER UPDATE OF {when} ON clients FOR EACH ROW EXECUTE FUNCTION f()"
    );
    let map = map_of("clients", "'id'", "fields = { name = 'name', status = 'not personal' }")
        .replace("deactivate = { none = 'no status' }", deactivate);
    let map = format!(
        "{map}\n[records.archive]\ntable = 'archive'\nowner = 'client'\nnobody = 'of programs'\nfields.name = 'name'\n{ignored}"
    );
    Shop::open(&sql, &map, &format!("{TREATMENT}\narchive = 'anonymise'")).await
}

/// A former bug: a trigger copied the name into a mapped table, into a record of another person or of nobody, and the
/// certificate said "erased".
#[tokio::test]
async fn a_copy_in_a_mapped_table_is_the_customers_or_stops_the_erasure() {
    let none = "deactivate = { none = 'no status' }";
    let insert = |client: &str| format!("INSERT INTO archive VALUES (OLD.id, {client}, OLD.name)");
    let hidden = "EXECUTE 'INS' || 'ERT INTO arc' || 'hive VALUES ($1, NULL, $2)' USING OLD.id, OLD.name";
    for (statement, named) in [
        (insert("2"), "the trigger copies"),
        (insert("NULL"), "the trigger copies"),
        (hidden.to_owned(), "a trigger"),
    ] {
        let shop = archived("name", &statement, none, "").await;
        let error = error_of(shop.try_erase(&["1"]).await).to_string();
        assert!(
            error.contains("archive") && error.contains(named) && !error.contains("Maud"),
            "{statement}: {error}"
        );
        assert_eq!(shop.database.lines("SELECT name FROM clients ORDER BY id"), ["Maud", "Theo"], "{error}");
        assert_eq!(shop.database.lines("SELECT name FROM archive"), ["Teo"]);
    }
    // A row of the customer is treated after the trigger.
    let shop = archived("name", &insert("OLD.id"), none, "").await;
    shop.erase(&["1"]).await;
    assert_eq!(shop.database.lines("SELECT name FROM archive ORDER BY id"), ["NULL", "Teo"]);
    // A trigger that the map ignores with a reason is trusted.
    let shop = archived("name", &insert("2"), none, "[ignore.triggers]\ncopies = 'a code name'").await;
    shop.erase(&["1"]).await;
    assert_eq!(shop.database.lines("SELECT name FROM archive ORDER BY id"), ["Maud", "Teo"]);
}

#[tokio::test]
async fn a_trigger_that_changes_rows_of_others_stops_the_erasure() {
    let none = "deactivate = { none = 'no status' }";
    for statement in ["UPDATE archive SET name = OLD.name", "DELETE FROM archive"] {
        let shop = archived("name", statement, none, "").await;
        let error = error_of(shop.try_erase(&["1"]).await).to_string();
        assert!(
            error.contains("the trigger copies changed or deleted 1 row of archive"),
            "{statement}: {error}"
        );
        assert!(error.contains("ignore.triggers.copies"), "{error}");
        assert_eq!(shop.database.lines("SELECT name FROM archive"), ["Teo"]);
        let shop = archived("name", statement, none, "[ignore.triggers]\ncopies = 'it only counts'").await;
        shop.erase(&["1"]).await;
    }
}

/// Other rows of the trigger's own table are others' rows, too.
#[tokio::test]
async fn a_trigger_that_changes_other_rows_of_its_own_table_stops_the_erasure() {
    let none = "deactivate = { none = 'no status' }";
    let before = ["1|Maud|on", "2|Theo|on"];
    for statement in ["DELETE FROM clients WHERE id = 3", "UPDATE clients SET status = 'x' WHERE id = 2"] {
        let shop = archived("name", statement, none, "").await;
        shop.database.run("INSERT INTO clients VALUES (3, 'Ida')");
        let error = error_of(shop.try_erase(&["1"]).await).to_string();
        assert!(error.contains("changed or deleted 1 row of customer"), "{statement}: {error}");
        let lines = shop.database.lines("SELECT id, name, status FROM clients WHERE id < 3 ORDER BY id");
        assert_eq!(lines, before, "{statement}");
    }
}

/// The first step of an erasure fires triggers, too.
#[tokio::test]
async fn a_copy_that_the_deactivation_makes_is_the_customers_or_stops_it() {
    let writes =
        "status = { column = 'status', active = 'on', archived = 'off' }\ndeactivate = { status = 'off' }";
    for (client, is_own) in [("NULL", false), ("2", false), ("OLD.id", true)] {
        let insert = format!("INSERT INTO archive VALUES (OLD.id, {client}, OLD.name)");
        let shop = archived("status", &insert, writes, "").await;
        let facts = shop.store.facts(&[CustomerId::from("1")]).await.unwrap().remove(0);
        let one = Deactivation { customer: "1".into(), expected: facts.expected(), at: now() };
        let answers = shop.store.deactivate(&[one]).await.unwrap();
        match answers.as_slice() {
            [Ok(Deactivated::Done { .. })] if is_own => {}
            [Err(error)] if !is_own => {
                let said = error.to_string();
                assert!(
                    said.contains("the trigger copies added 1 row to archive") && !said.contains("Maud"),
                    "{said}"
                );
                assert_eq!(shop.database.lines("SELECT status FROM clients ORDER BY id"), ["on", "on"]);
                assert_eq!(shop.database.lines("SELECT name FROM archive"), ["Teo"]);
            }
            other => panic!("{client}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn errors_name_constraints_and_no_values() {
    let shop = Shop::open(
        "CREATE TABLE clients (id int PRIMARY KEY, name text, vip int NOT NULL DEFAULT 0,
             CONSTRAINT named CHECK (vip = 0 OR name IS NOT NULL));
         CREATE TABLE guards (client_id int REFERENCES clients, secret text);
         INSERT INTO clients VALUES (1, 'Maud', 1), (2, 'Theo', 0)",
        &format!(
            "{}\n[ignore]\nguards = 'of another department'",
            map_of("clients", "'id'", "fields = { name = 'name', vip = 'not personal' }")
        ),
        TREATMENT,
    )
    .await;
    // The refused customer does not affect the other one.
    let answers = shop.try_erase(&["1", "2"]).await.unwrap();
    let [Err(refused), Ok(Erased::Done(_))] = answers.as_slice() else { panic!("{answers:?}") };
    assert!(matches!(refused, StoreError::Constraint { .. }), "{refused}");
    let said = format!("{refused} {refused:?}");
    assert!(said.contains("named") && said.contains("customer") && !said.contains("Maud"), "{said}");
    assert_eq!(shop.database.lines("SELECT name FROM clients ORDER BY id"), ["Maud", "NULL"]);
}

#[tokio::test]
async fn a_trigger_that_refuses_says_nothing_of_its_own() {
    let shop = clients(
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''no, %'', OLD.name; END';
         CREATE TRIGGER refuses BEFORE UPDATE ON clients FOR EACH ROW EXECUTE FUNCTION f()",
    )
    .await;
    let error = error_of(shop.try_erase(&["1"]).await);
    assert!(matches!(error, StoreError::Constraint { .. }), "{error}");
    assert!(!format!("{error} {error:?}").contains("Maud"));
}

#[tokio::test]
async fn rows_that_a_policy_of_the_database_would_hide_are_an_error() {
    let database = Database::with(&format!(
        "{CLIENTS} CREATE ROLE hidden_{0} LOGIN; GRANT ALL ON clients TO hidden_{0};
         ALTER TABLE clients ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON clients USING (id = 2)",
        std::process::id()
    ));
    let mut config = database.config();
    config.user(format!("hidden_{}", std::process::id()));
    let store = PostgresStore::over(pool(config), &SqlMap::from_toml(&map()).unwrap()).await.unwrap();
    let error = store.facts(&[CustomerId::from("1")]).await.unwrap_err().to_string();
    assert!(error.contains("row-level security"), "{error}");
}

#[tokio::test]
async fn who_changed_in_the_meantime_is_not_erased() {
    let shop = Shop::open(
        "CREATE TABLE clients (id int PRIMARY KEY, name text); CREATE TABLE subs (client_id int REFERENCES clients, n int);
         INSERT INTO clients VALUES (1, 'Maud'), (2, 'Theo')",
        &format!(
            "{}\n[ignore]\nsubs = 'only counted'",
            map_of(
                "clients",
                "'id'",
                "active_subscriptions = { sql = 'SELECT count(*) FROM subs WHERE client_id = clients.id' }\nfields = { name = 'name' }"
            )
        ),
        TREATMENT,
    )
    .await;
    let targets = shop.targets(&["1", "2"]).await;
    shop.database.run("INSERT INTO subs VALUES (1, 1)");
    let answers = shop.store.erase(&shop.request(targets)).await.unwrap();
    assert!(matches!(answers.as_slice(), [Ok(Erased::Changed), Ok(Erased::Done(_))]), "{answers:?}");
    assert_eq!(shop.database.lines("SELECT name FROM clients ORDER BY id"), ["Maud", "NULL"]);
}

/// Another transaction locks the customer's row, changes it and commits. The erasure waits, fails because of the
/// conflict, and starts again.
#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_that_loses_against_another_transaction_starts_again() {
    let shop = clients("").await;
    let mut other = shop.database.connect().await;
    let transaction = other.transaction().await.unwrap();
    transaction.batch_execute("UPDATE clients SET name = 'Maud B.' WHERE id = 1").await.unwrap();
    let targets = shop.targets(&["1"]).await;
    let request = shop.request(targets);
    let (answers, ()) = tokio::join!(shop.store.erase(&request), async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        transaction.commit().await.unwrap();
    });
    assert!(matches!(answers.unwrap().as_slice(), [Ok(Erased::Done(_))]));
    assert_eq!(shop.database.lines("SELECT name FROM clients ORDER BY id"), ["NULL", "Theo"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_is_not_let_go_is_an_error_that_may_pass() {
    let Shop { database, store, treatment } = clients("").await;
    let shop = Shop { store: store.lock_timeout(Duration::from_millis(200)), database, treatment };
    let mut other = shop.database.connect().await;
    let transaction = other.transaction().await.unwrap();
    transaction.batch_execute("SELECT * FROM clients WHERE id = 1 FOR UPDATE").await.unwrap();
    let error = error_of(shop.try_erase(&["1"]).await);
    assert!(matches!(error, StoreError::Busy { .. }) && error.is_transient(), "{error}");
    transaction.rollback().await.unwrap();
    shop.erase(&["1"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_takes_too_long_is_given_up() {
    let shop = clients(
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(2); RETURN NEW; END';
         CREATE TRIGGER slow BEFORE UPDATE ON clients FOR EACH ROW EXECUTE FUNCTION f()",
    )
    .await;
    let Shop { database, store, treatment } = shop;
    let shop = Shop { store: store.statement_timeout(Duration::from_millis(300)), database, treatment };
    let error = error_of(shop.try_erase(&["1"]).await);
    assert!(error.is_transient() && error.to_string().contains("statement_timeout"), "{error}");
    assert_eq!(shop.database.lines("SELECT name FROM clients ORDER BY id"), ["Maud", "Theo"]);
}

async fn behind(proxy: &Proxy, database: &Database) -> Shop {
    let store = PostgresStore::over(proxy.pool(database), &SqlMap::from_toml(&map()).unwrap()).await.unwrap();
    let policy = PolicyDocument::from_toml(&format!("{POLICY}{TREATMENT}")).unwrap();
    let policy = policy.check(store.data_map()).unwrap();
    let treatment = policy.dated(&"us".into(), &policy.treatments()["t"], now());
    Shop { database: Database { name: database.name.clone() }, store, treatment }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_cut_during_commit_is_resolved_by_asking() {
    let (proxy, database) = (Proxy::start().await, Database::with(CLIENTS));
    let shop = behind(&proxy, &database).await;

    // The server has committed, and only the answer is lost. The erasure is done, and the answer says so.
    proxy.answers_are_lost(true);
    let targets = shop.targets(&["1"]).await;
    proxy.cut(Cut::AtCommit);
    let answers = shop.store.erase(&shop.request(targets)).await.unwrap();
    assert!(matches!(answers.as_slice(), [Ok(Erased::Done(_))]), "{answers:?}");
    assert!(proxy.has_cut(), "the connection was cut");
    assert_eq!(database.lines("SELECT name FROM clients ORDER BY id"), ["NULL", "Theo"]);

    // The server did not receive the message, and the transaction is undone. It may be tried again.
    proxy.answers_are_lost(false);
    let targets = shop.targets(&["2"]).await;
    proxy.cut(Cut::AtCommit);
    let error = error_of(shop.store.erase(&shop.request(targets)).await);
    assert!(error.is_transient(), "{error}");
    assert_eq!(database.lines("SELECT name FROM clients ORDER BY id"), ["NULL", "Theo"]);
    shop.erase(&["2"]).await;
    assert_eq!(database.lines("SELECT name FROM clients ORDER BY id"), ["NULL", "NULL"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_the_server_has_closed_are_replaced() {
    let shop = clients("").await;
    assert!(!shop.is_settled("1").await);
    shop.database.run(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
    );
    shop.erase(&["1"]).await;
    assert_eq!(shop.database.lines("SELECT name FROM clients ORDER BY id"), ["NULL", "Theo"]);
}

/// The store leaves nothing on a connection that returns to the pool: no table, no function, no named statement and
/// no setting. So the next transaction may use another connection. Types that the client does not know need no named
/// statement either.
#[tokio::test]
async fn a_transaction_leaves_nothing_on_its_connection() {
    let sql = "CREATE EXTENSION citext; CREATE TYPE mood AS ENUM ('glad', 'sad');
        CREATE TABLE clients (id int PRIMARY KEY, name citext, mood mood, tags text[]);
        INSERT INTO clients VALUES (1, 'Maud', 'glad', '{a}'), (2, 'Theo', 'sad', NULL)";
    let map =
        map_of("clients", "'id'", "fields = { name = 'name', mood = 'gender', tags = 'custom_answer' }");
    let policy = "anonymise = { name = 'remove', gender = { constant = 'sad' }, custom_answer = 'remove' }\n[treatments.t]\ncustomer = 'anonymise'";
    let shop = Shop::open(sql, &map, policy).await;
    let database = shop.database;
    let pool = {
        let manager = deadpool_postgres::Manager::new(database.config(), tokio_postgres::NoTls);
        deadpool_postgres::Pool::builder(manager).max_size(1).build().unwrap()
    };
    let said = "SELECT name, setting FROM pg_settings WHERE source = 'session' OR name IN ('search_path', 'lock_timeout', 'row_security')
                ORDER BY name";
    let settings = async || pool.get().await.unwrap().simple_query(said).await.unwrap().len();
    let before = settings().await;
    let store = PostgresStore::over(pool.clone(), &SqlMap::from_toml(&map).unwrap()).await.unwrap();
    let shop = Shop { database, store, treatment: shop.treatment };
    shop.erase(&["1"]).await;
    assert!(shop.is_settled("1").await);
    shop.store.identifiers(&[CustomerId::from("2")]).await.unwrap();
    assert_eq!(
        shop.database.lines("SELECT name, mood, tags FROM clients ORDER BY id"),
        ["NULL|sad|NULL", "Theo|sad|NULL"]
    );
    assert_eq!(settings().await, before);
    let ours = "SELECT relname FROM pg_class WHERE relname LIKE 'relinquish%' UNION ALL
        SELECT proname FROM pg_proc WHERE proname LIKE 'relinquish%' UNION ALL SELECT name FROM pg_prepared_statements";
    let client = pool.get().await.unwrap();
    let left = client.simple_query(ours).await.unwrap();
    let left = left.iter().filter(|line| matches!(line, tokio_postgres::SimpleQueryMessage::Row(_))).count();
    assert_eq!(left, 0);
}

/// Two transactions block each other (a deadlock). One of them fails and starts again.
#[tokio::test(flavor = "multi_thread")]
async fn a_deadlock_is_survived() {
    let shop = Shop::open(
        "CREATE TABLE clients (id int PRIMARY KEY, name text); CREATE TABLE notes (id int PRIMARY KEY, client_id int REFERENCES clients, text text);
         INSERT INTO clients VALUES (1, 'Maud'); INSERT INTO notes VALUES (1, 1, 'x')",
        &map_of(
            "clients",
            "'id'",
            "fields = { name = 'name' }\n[records.notes]\nowner = 'client_id'\nfields = { text = 'free_text' }",
        ),
        "anonymise = { name = 'remove', free_text = 'remove' }\n[treatments.t]\ncustomer = 'anonymise'\nnotes = 'delete'",
    )
    .await;
    let mut other = shop.database.connect().await;
    // The other transaction locks the note, and the erasure locks the customer. Then each waits for the other's lock.
    let transaction = other.transaction().await.unwrap();
    transaction
        .batch_execute("SET deadlock_timeout = '10s'; SELECT * FROM notes WHERE id = 1 FOR UPDATE")
        .await
        .unwrap();
    let targets = shop.targets(&["1"]).await;
    let request = shop.request(targets);
    let (answers, ()) = tokio::join!(shop.store.erase(&request), async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        transaction.batch_execute("UPDATE clients SET name = 'Maud B.' WHERE id = 1").await.unwrap();
        transaction.commit().await.unwrap();
    });
    // The customer was changed in the meantime, but in a field on which the erasure does not depend.
    assert!(matches!(answers.unwrap().as_slice(), [Ok(Erased::Done(_))]));
    assert_eq!(shop.database.lines("SELECT name FROM clients"), ["NULL"]);
    assert_eq!(shop.database.lines("SELECT id FROM notes"), Vec::<String>::new());
}

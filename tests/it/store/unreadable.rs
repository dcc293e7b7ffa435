//! Values that cannot be read: bytes where a text is searched, text in another encoding, documents that are not JSON.
//! They block only their own customer, or become what the policy says.

use std::path::Path;
use std::sync::Arc;

use relinquish::data_map::{Fact, Field, Kind, Record, RecordClass, Value};
use relinquish::store::{ListUncertain as _, MemoryRepository, RecordStore, StoreError, TallyRequest};
use relinquish::testing::{ManualClock, RepeatableEntropy};
use relinquish::{
    Asked, Customer, CustomerStore, DataMap, Engine, MemoryLedger, MemoryStore, Outcome, Planned,
    PolicyDocument, SqlMap, SqliteStore,
};
use rusqlite::Connection;
use tempfile::TempDir;

use crate::hosts::{self, BuildCounted as _};

const SCHEMA: &str = "
    CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT, settings TEXT);
    CREATE TABLE mails (id INTEGER PRIMARY KEY, person INTEGER NOT NULL REFERENCES people, body, meta TEXT, on_day TEXT);
    INSERT INTO people VALUES (1, 'Sigrid Holmvik', NULL), (2, 'Bo Lindqvist', NULL), (3, 'Eva Quarnstedt', NULL);
    INSERT INTO mails VALUES (1, 1, 'Regards, Sigrid Holmvik', NULL, '2026-01-01'), (2, 2, 'Regards, Bo Lindqvist', NULL, '2026-01-01');";

const MAP: &str = "version = 1\n[customers]\ntable = 'people'\nkey = 'id'\ntenant = { is = 'desk' }\n\
    status = { sql = \"'active'\", active = 'active' }\ndeactivate = { none = 'no such status' }\n\
    fields = { name = 'name', settings = { json = { '/token' = 'access_token', '/mail' = 'email' }, rest = 'not personal' } }\n\
    [records.mail]\ntable = 'mails'\nkey = 'id'\nowner = 'person'\n\
    fields = { body = 'free_text', meta = { json = { '/by' = 'name' }, rest = 'free_text' }, on_day = 'not personal' }";

struct Desk {
    folder: TempDir,
    policy: String,
}

impl Desk {
    /// Some additional rows, and a treatment of customers and mails.
    fn new(rows: &str, customer: &str, mail: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let desk = Self {
            folder,
            policy: format!(
                "version = 1\nsweep = false\ntriggers.requested = {{ treatment = 't' }}\n\
                 guards.active_subscription = {{ ignore = 'none is sold' }}\nguards.not_archived = {{ ignore = 'none' }}\n\
                 guards.several_tenants = {{ ignore = 'one' }}\n\
                 [anonymise]\nname = 'remove'\nemail = 'remove'\naccess_token = 'remove'\nfree_text = 'redact'\n\
                 [treatments.t]\ncustomer = {customer}\nmail = {mail}\n"
            ),
        };
        Connection::open(desk.path()).unwrap().execute_batch(&format!("{SCHEMA}{rows}")).unwrap();
        desk
    }

    fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("desk.sqlite")
    }

    fn store(&self) -> SqliteStore {
        SqliteStore::open(self.path(), &SqlMap::from_toml(MAP).unwrap()).unwrap()
    }

    fn engine(&self) -> Engine {
        let policy = PolicyDocument::from_toml(&self.policy).unwrap();
        Engine::builder(self.store(), policy, MemoryLedger::new(), hosts::keys())
            .clock(ManualClock::at(hosts::now()))
            .entropy(RepeatableEntropy::new(1))
            .counted()
            .unwrap_or_else(|problems| panic!("{problems}"))
    }

    /// What blocks a customer.
    async fn blocked(&self, id: &str) -> String {
        match self.engine().plan(&id.into(), &Asked::request()).await.unwrap() {
            Planned::Refused(blocked) => {
                format!("{}; {}", blocked.by[0].why, blocked.by[0].way_out)
            }
            other => panic!("{other:?}"),
        }
    }

    /// Erases a customer, after which nothing is left to do.
    async fn erase(&self, id: &str) {
        let engine = self.engine();
        let plan = hosts::approved(&engine, &id.into(), &Asked::request()).await;
        let outcome = engine.erase(plan).await.unwrap();
        assert!(matches!(outcome, Outcome::Erased(_)), "{outcome}");
        let again = engine.plan(&id.into(), &Asked::request()).await.unwrap();
        assert!(matches!(again, Planned::Nothing(_)), "{again:?}");
    }

    fn cells(&self) -> hosts::Dump {
        hosts::dump_sqlite(&self.path())
    }

    fn value(&self, sql: &str) -> rusqlite::types::Value {
        value(&self.path(), sql)
    }
}

fn value(path: &Path, sql: &str) -> rusqlite::types::Value {
    Connection::open(path).unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
}

fn text(value: &str) -> rusqlite::types::Value {
    rusqlite::types::Value::Text(value.to_owned())
}

const PLAIN: [&str; 2] = ["'anonymise'", "'anonymise'"];

/// A former bug: an empty text in a JSON column counted as a broken document, so its customer could never be erased.
#[tokio::test]
async fn an_empty_document_holds_nothing() {
    for nothing in ["", " ", "\n\t"] {
        let rows = format!(
            "UPDATE people SET settings = '{nothing}'; UPDATE mails SET meta = '{nothing}' WHERE person = 1;"
        );
        let desk = Desk::new(&rows, PLAIN[0], PLAIN[1]);
        desk.erase("1").await;
        assert_eq!(desk.value("SELECT settings FROM people WHERE id = 1"), text(nothing));
        assert_eq!(desk.value("SELECT meta FROM mails WHERE id = 1"), text(nothing));
        let identifiers = desk.store().identifiers(&["2".into()]).await.unwrap();
        assert!(identifiers[0].is_ok(), "{identifiers:?}");
    }
}

/// A former bug: a name in a BLOB or in another encoding stayed in spite of the certificate, or stopped its customer
/// with an error of SQLite.
#[tokio::test]
async fn what_cannot_be_searched_blocks_its_customer_with_class_field_and_key() {
    for (body, why) in [
        ("CAST(x'53696772696420FFD8' AS BLOB)", "it holds bytes, not text"),
        ("'S' || char(0) || 'i' || char(0) || 'g' || char(0)", "NUL characters between letters"),
    ] {
        let desk =
            Desk::new(&format!("INSERT INTO mails VALUES (7, 1, {body}, NULL, NULL);"), PLAIN[0], PLAIN[1]);
        let before = desk.cells();
        let said = desk.blocked("1").await;
        for part in ["body of mail (key 7)", why, "otherwise = \"remove\""] {
            assert!(said.contains(part), "{part}: {said}");
        }
        assert!(!said.contains("Sigrid"), "{said}");
        assert_eq!(desk.cells(), before);
        desk.erase("2").await;
        // The suggested correction works.
        let mended = Desk {
            policy: desk
                .policy
                .replace("mail = 'anonymise'", "mail = { action = 'anonymise', otherwise = 'remove' }"),
            ..desk
        };
        mended.erase("1").await;
        assert_eq!(mended.value("SELECT body FROM mails WHERE id = 7"), rusqlite::types::Value::Null);
        assert_eq!(mended.value("SELECT body FROM mails WHERE id = 1"), text("Regards, [erased]"));
    }
}

/// A former bug: one byte outside UTF-8 in any text of a customer stopped the whole erasure. The text is searched for
/// what can be read, its other bytes stay, and it is named before the approval.
#[tokio::test]
async fn a_text_that_is_not_utf_8_is_searched_for_what_can_be_read() {
    // Latin-1 with a name in it, Latin-1 that names nobody, and a name whose own letter is such a byte.
    let rows = "INSERT INTO people VALUES (9, 'Åke Sjöholm', NULL);
        INSERT INTO mails VALUES (7, 1, CAST(x'4DE4' || ' Sigrid Holmvik ' || x'E5FF' AS TEXT), NULL, NULL),
            (8, 1, CAST(x'636166E9' AS TEXT), NULL, NULL), (9, 9, CAST('av ' || x'C56B6520536AF6686F6C6D' AS TEXT), NULL, NULL);";
    let desk = Desk::new(rows, PLAIN[0], PLAIN[1]);
    let plan = hosts::plan(&desk.engine(), &"1".into(), &Asked::request()).await;
    assert!(plan.to_string().contains("2 mentions are not certain"), "{plan}");
    let store = desk.store();
    let policy = PolicyDocument::from_toml(&desk.policy).unwrap().check(store.data_map()).unwrap();
    let request = TallyRequest::new(vec!["1".into()], Arc::clone(&policy.treatments()["t"]));
    let listed = store.list_uncertain(&request).await.unwrap().remove(0).unwrap();
    let named: Vec<(&str, &str)> = listed.iter().map(|one| (one.key.as_str(), one.field.as_str())).collect();
    assert_eq!(named, [("7", "body"), ("8", "body")]);
    desk.erase("1").await;
    desk.erase("9").await;
    let hex = |id: i64| {
        let sql = format!("SELECT typeof(body) || ' ' || hex(body) FROM mails WHERE id = {id}");
        match desk.value(&sql) {
            rusqlite::types::Value::Text(text) => text,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(hex(7), "text 4DE4205B6572617365645D20E5FF");
    assert_eq!(hex(8), "text 636166E9");
    assert_eq!(hex(9), "text 6176205B6572617365645D");
}

#[tokio::test]
async fn a_number_is_searched_as_it_is_written_and_a_nul_beside_words_hides_nothing() {
    let desk = Desk::new(
        "INSERT INTO mails VALUES (7, 1, 46701, NULL, NULL), (8, 1, 'So ' || char(0) || ' says Sigrid Holmvik', NULL, NULL),
         (9, 1, x'', NULL, NULL);",
        PLAIN[0],
        PLAIN[1],
    );
    desk.erase("1").await;
    assert_eq!(desk.value("SELECT body FROM mails WHERE id = 7"), rusqlite::types::Value::Integer(46701));
    assert_eq!(desk.value("SELECT body FROM mails WHERE id = 8"), text("So \0 says [erased]"));
}

/// A field that the policy clears is cleared, whatever it contains.
#[tokio::test]
async fn a_field_that_is_not_searched_is_written_over_whatever_it_holds() {
    for body in ["CAST('Sigrid' AS BLOB)", "CAST(x'e4' AS TEXT)", "17", "1.5"] {
        for (rule, wanted) in [
            ("'remove'", rusqlite::types::Value::Null),
            ("{ placeholder = 'gone' }", text("gone")),
            ("{ constant = 'gone' }", text("gone")),
        ] {
            let mail = format!("{{ action = 'anonymise', fields = {{ body = {rule} }} }}");
            let desk = Desk::new(&format!("UPDATE mails SET body = {body};"), PLAIN[0], &mail);
            desk.erase("1").await;
            assert_eq!(desk.value("SELECT body FROM mails WHERE id = 1"), wanted, "{body} {rule}");
        }
    }
}

#[tokio::test]
async fn a_document_that_is_no_json_becomes_what_the_policy_says() {
    let rows = "UPDATE people SET settings = '--- yaml: Sigrid' WHERE id = 1;
        INSERT INTO mails VALUES (7, 1, NULL, 'imported for Sigrid Holmvik', NULL), (8, 1, NULL, x'0102', NULL);";
    let desk = Desk::new(rows, PLAIN[0], PLAIN[1]);
    let said = desk.blocked("1").await;
    assert!(said.contains("cannot be erased within its document") && !said.contains("yaml"), "{said}");
    let desk = Desk::new(
        rows,
        "{ action = 'anonymise', otherwise = 'clear' }",
        "{ action = 'anonymise', otherwise = { constant = '{}' } }",
    );
    desk.erase("1").await;
    assert_eq!(desk.value("SELECT settings FROM people WHERE id = 1"), rusqlite::types::Value::Null);
    for id in [7, 8] {
        assert_eq!(desk.value(&format!("SELECT meta FROM mails WHERE id = {id}")), text("{}"));
    }
    // The line can also be for a kind or for a field.
    let mut desk = Desk::new(rows, "{ action = 'anonymise', otherwise = 'clear' }", PLAIN[1]);
    desk.policy = desk.policy.replace(
        "free_text = 'redact'",
        "free_text = { redact = '[x]', otherwise = { placeholder = 'lost' } }",
    );
    desk.erase("1").await;
    assert_eq!(desk.value("SELECT meta FROM mails WHERE id = 7"), text("lost"));
}

#[test]
fn what_the_policy_says_has_to_fit_the_field() {
    let desk = Desk::new("", PLAIN[0], PLAIN[1]);
    let store = desk.store();
    let check = |customer: &str, mail: &str| {
        let policy = Desk::new("", customer, mail).policy;
        PolicyDocument::from_toml(&policy).and_then(|policy| policy.check(store.data_map())).map(drop)
    };
    for (mail, wanted) in [
        ("{ action = 'anonymise', otherwise = 'delete' }", "mail.otherwise: says what becomes of a file"),
        (
            "{ action = 'anonymise', otherwise = 'token' }",
            "mail.otherwise: does not say what is written in place of the whole value",
        ),
        ("{ action = 'delete', otherwise = 'clear' }", "but the action is delete"),
        (
            "{ action = 'anonymise', otherwise = 'clear', fields = { body = 'remove', meta = 'remove' } }",
            "mail.otherwise: says what becomes of a value that cannot be read, and this class has no",
        ),
        (
            "{ action = 'anonymise', after_duty = 'clear' }",
            "mail.after_duty: says what becomes of searched texts",
        ),
    ] {
        let problems = check(PLAIN[0], mail).unwrap_err().to_string();
        assert!(problems.contains(wanted), "{mail}: {problems}");
    }
    assert!(check("{ action = 'anonymise', otherwise = 'remove' }", PLAIN[1]).is_ok());
}

/// A former bug: one broken record stopped the plans of all customers in its batch.
#[tokio::test]
async fn one_record_that_cannot_be_read_stops_one_customer_of_many() {
    let people: Vec<String> = (10..60).map(|id| format!("({id}, 'Person {id}', NULL)")).collect();
    let rows = format!(
        "INSERT INTO people VALUES {};
         UPDATE people SET settings = '{{' WHERE id IN (13, 44); INSERT INTO mails VALUES (9, 30, x'00ff', NULL, NULL);",
        people.join(", ")
    );
    let desk = Desk::new(&rows, PLAIN[0], PLAIN[1]);
    let ids: Vec<relinquish::CustomerId> = (10..60).map(|id| id.to_string().as_str().into()).collect();
    let planned = desk.engine().plan_batch(&ids, &Asked::request()).await.unwrap();
    let refused: Vec<&str> = ids
        .iter()
        .zip(&planned)
        .filter(|(_, planned)| matches!(planned, Ok(Planned::Refused(_))))
        .map(|(id, _)| id.as_str())
        .collect();
    assert_eq!(refused, ["13", "30", "44"]);
    assert!(planned.iter().all(Result::is_ok));
    let said = desk.blocked("13").await;
    assert!(!said.contains("key 13"), "a customer's key is personal: {said}");
    let explained = desk.engine().explain(&"30".into(), &Asked::request()).await.unwrap();
    assert!(explained.to_string().contains("body of mail (key 9)"), "{explained}");
    // The store itself answers for each of them.
    let store = desk.store();
    let policy = PolicyDocument::from_toml(&desk.policy).unwrap().check(store.data_map()).unwrap();
    let request = TallyRequest::new(ids.clone(), Arc::clone(&policy.treatments()["t"]));
    let broken = |n: usize| [3, 20, 34].contains(&n);
    for (n, answer) in store.tally(&request).await.unwrap().into_iter().enumerate() {
        assert_eq!(matches!(answer, Err(StoreError::Unreadable { .. })), broken(n), "{n}: {answer:?}");
    }
    for (n, answer) in store.identifiers(&ids).await.unwrap().into_iter().enumerate() {
        assert_eq!(answer.is_err(), [3, 34].contains(&n), "{n}: {answer:?}");
    }
    assert_eq!(store.facts(&ids).await.unwrap().len(), 50);
}

/// A duty keeps the record as it is, so nobody has to read it.
#[tokio::test]
async fn what_a_duty_keeps_is_not_read() {
    let mut desk = Desk::new(
        "INSERT INTO mails VALUES (7, 1, x'00ff', '{', '2026-06-01');",
        "{ keep = 'the register' }",
        "{ action = 'anonymise', fields = { body = 'redact' } }",
    );
    desk.policy.push_str("[duties.books]\nclasses = ['mail']\nstatute = 'SE/BFL/7:2'\nfrom = 'on_day'\n");
    let before = desk.value("SELECT hex(body) || meta FROM mails WHERE id = 7");
    let engine = desk.engine();
    let plan = hosts::approved(&engine, &"1".into(), &Asked::request()).await;
    assert!(matches!(engine.erase(plan).await.unwrap(), Outcome::Erased(_)));
    assert_eq!(desk.value("SELECT hex(body) || meta FROM mails WHERE id = 7"), before);
}

/// A name stored as bytes cannot be searched, so its mentions would have stayed.
#[tokio::test]
async fn a_name_that_cannot_be_read_stops_the_search_for_it() {
    let desk =
        Desk::new("UPDATE people SET name = CAST(x'48e56b616e' AS TEXT) WHERE id = 1;", PLAIN[0], PLAIN[1]);
    let said = desk.blocked("1").await;
    assert!(said.contains("name of customer cannot be read: its text is not UTF-8"), "{said}");
    // Bytes that are UTF-8 count as a name.
    let desk = Desk::new(
        "UPDATE people SET name = CAST('Sigrid Holmvik' AS BLOB) WHERE id = 1;",
        PLAIN[0],
        PLAIN[1],
    );
    desk.erase("1").await;
    assert_eq!(desk.value("SELECT body FROM mails WHERE id = 1"), text("Regards, [erased]"));
    // If nothing is searched, the value need not be read.
    let removed = "{ action = 'anonymise', fields = { body = 'remove', meta = 'remove' } }";
    let desk =
        Desk::new("UPDATE people SET name = CAST(x'48e56b616e' AS TEXT) WHERE id = 1;", PLAIN[0], removed);
    desk.erase("1").await;
}

#[tokio::test]
async fn a_host_with_repository_code_gets_the_same() {
    let note = RecordClass::new("note")
        .field(Field::key("id"))
        .field(Field::personal("body", Kind::FreeText))
        .field(Field::personal("log", Kind::FreeText).json())
        .needs_owner();
    let customer =
        RecordClass::new("customer").field(Field::key("id")).field(Field::personal("name", Kind::Name));
    let map = DataMap::builder(customer)
        .class(note)
        .knows(Fact::ActiveSubscriptions)
        .without_deactivation("there is no such status")
        .build()
        .unwrap();
    let repository = MemoryRepository::new(map);
    let blob = Value::Blob(b"Sigrid Holmvik\xff\xd8".to_vec());
    for (id, body, log) in [
        ("1", Value::from("by Sigrid Holmvik"), Value::from("")),
        ("2", blob, Value::Null),
        ("3", Value::from(17), Value::from("--- yaml")),
    ] {
        let own = Record::new("customer", id).with("id", id).with("name", "Sigrid Holmvik");
        let note = Record::new("note", id).with("id", id).with("body", body).with("log", log);
        repository.insert(Customer::new(id, "desk"), vec![own, note]);
    }
    let store = Arc::new(MemoryStore::new(repository));
    let engine = |note: &str| {
        let policy =
            Desk::new("", PLAIN[0], PLAIN[1]).policy.replace("mail = 'anonymise'", &format!("note = {note}"));
        Engine::builder(
            Arc::clone(&store),
            PolicyDocument::from_toml(&policy).unwrap(),
            MemoryLedger::new(),
            hosts::keys(),
        )
        .clock(ManualClock::at(hosts::now()))
        .entropy(RepeatableEntropy::new(1))
        .counted()
        .unwrap_or_else(|problems| panic!("{problems}"))
    };
    let strict = engine("'anonymise'");
    for (id, wanted) in [
        ("2", "body of note cannot be searched: it holds bytes"),
        ("3", "log of note cannot be searched: it is no JSON"),
    ] {
        match strict.plan(&id.into(), &Asked::request()).await.unwrap() {
            refused @ Planned::Refused(_) => assert!(refused.to_string().contains(wanted), "{refused}"),
            other => panic!("{other}"),
        }
    }
    let lenient = engine("{ action = 'anonymise', otherwise = 'clear' }");
    for id in ["1", "2", "3"] {
        let plan = hosts::approved(&lenient, &id.into(), &Asked::request()).await;
        let outcome = lenient.erase(plan).await.unwrap();
        assert!(matches!(outcome, Outcome::Erased(_)), "{outcome}");
    }
    let note = |id: &str| {
        store.repository().records(&id.into()).into_iter().find(|r| r.class.as_str() == "note").unwrap()
    };
    assert_eq!(note("1").get("body"), &Value::from("by [erased]"));
    assert_eq!(note("1").get("log"), &Value::from(""));
    assert_eq!((note("2").get("body"), note("3").get("log")), (&Value::Null, &Value::Null));
    assert_eq!(note("3").get("body"), &Value::from(17));
}

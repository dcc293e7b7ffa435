//! What becomes of a document, or of a text that cannot be read, depends on the value. Plan and certificate count it.

use std::sync::Arc;

use relinquish::data_map::{Datatype, Fact, Field, Kind, Record, RecordClass, Value};
use relinquish::ledger::CertifiedClass;
use relinquish::store::MemoryRepository;
use relinquish::testing::{ManualClock, RepeatableEntropy};
use relinquish::{
    Asked, Certificate, Customer, CustomerStore, DataMap, Engine, MemoryLedger, MemoryStore, Outcome,
    PolicyDocument, SqlMap, SqliteStore,
};
use rusqlite::Connection;
use serde_json::json;

use crate::hosts::{self, BuildCounted as _, approved};

/// Two pages.
const PDF: &[u8] = b"%PDF-1.4 1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj \
    2 0 obj<</Type/Pages/Kids[3 0 R 3 0 R]/Count 2/MediaBox[0 0 595 842]>>endobj \
    3 0 obj<</Type/Page/Parent 2 0 R>>endobj trailer<</Root 1 0 R>>";

const POLICY: &str = "version = 1\nsweep = false\ntriggers.requested = { treatment = 't' }\n\
    guards.active_subscription = { ignore = 'none is sold' }\nguards.several_tenants = { ignore = 'one tenant' }\n\
    guards.not_archived = { ignore = 'none' }\n\
    anonymise = { name = 'remove', free_text = 'redact', document = 'blank' }\n\
    treatments.t = { customer = 'anonymise', file = { action = 'anonymise', otherwise = 'remove' } }";

const MAP: &str = "version = 1\n[customers]\ntable = 'people'\nkey = 'id'\ntenant = { is = 'us' }\n\
    deactivate = { none = 'no status' }\nfields = { name = 'name' }\n\
    [records.file]\ntable = 'files'\nkey = 'id'\nowner = 'person'\nfields = { body = 'document', said = 'free_text' }";

/// The documents and texts of the customer: two PDFs, an image, a plain text, two files that cannot be read, no file,
/// and a blank file. Bytes that are no text, once.
fn rows() -> [(Option<Vec<u8>>, Value); 8] {
    let text = |text: &str| Value::from(text);
    [
        (Some(PDF.to_vec()), text("by Sigrid Holmvik")),
        (Some(PDF.to_vec()), Value::Null),
        (Some(b"\x89PNG\r\n\x1a\n more".to_vec()), text("nothing")),
        (Some(b"Sigrid;Holmvik".to_vec()), Value::Null),
        (Some(b"%!PS-Adobe-3.0 (Sigrid) show".to_vec()), Value::Null),
        (Some(b"PK\x03\x04 Sigrid".to_vec()), Value::Null),
        (None, Value::Blob(vec![0xff, 0xd8])),
        (Some(Vec::new()), Value::Null),
    ]
}

fn sqlite(path: &std::path::Path) -> SqliteStore {
    let connection = Connection::open(path).unwrap();
    connection
        .execute_batch(
            "CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT);
             CREATE TABLE files (id INTEGER PRIMARY KEY, person INTEGER REFERENCES people, body BLOB, said);
             INSERT INTO people VALUES (1, 'Sigrid Holmvik'), (2, 'Bo Lindqvist'); INSERT INTO files VALUES (99, 2, 'x', 'y');",
        )
        .unwrap();
    for (body, said) in rows() {
        let sql = "INSERT INTO files (person, body, said) VALUES (1, ?1, ?2)";
        match said {
            Value::Blob(said) => connection.execute(sql, rusqlite::params![body, said]).unwrap(),
            said => connection.execute(sql, rusqlite::params![body, said.as_text()]).unwrap(),
        };
    }
    SqliteStore::open(path, &SqlMap::from_toml(MAP).unwrap()).unwrap()
}

fn memory() -> MemoryStore {
    let file = RecordClass::new("file")
        .field(Field::key("id"))
        .field(Field::personal("body", Kind::Document).datatype(Datatype::Blob))
        .field(Field::personal("said", Kind::FreeText))
        .needs_owner();
    let customer =
        RecordClass::new("customer").field(Field::key("id")).field(Field::personal("name", Kind::Name));
    let map = DataMap::builder(customer)
        .class(file)
        .knows(Fact::ActiveSubscriptions)
        .without_deactivation("there is no such status")
        .build()
        .unwrap();
    let repository = MemoryRepository::new(map);
    let files = rows().into_iter().enumerate().map(|(n, (body, said))| {
        let id = n.to_string();
        let record = Record::new("file", id.as_str()).with("id", id.as_str()).with("said", said);
        record.with("body", body.map_or(Value::Null, Value::Blob))
    });
    let own = Record::new("customer", "1").with("id", "1").with("name", "Sigrid Holmvik");
    repository.insert(Customer::new("1", "us"), std::iter::once(own).chain(files).collect());
    MemoryStore::new(repository)
}

/// What plan, certificate and page say.
async fn said(store: Arc<dyn CustomerStore>) -> (serde_json::Value, String, Box<Certificate>) {
    let engine = Engine::builder(
        store,
        PolicyDocument::from_toml(POLICY).unwrap(),
        MemoryLedger::new(),
        hosts::keys(),
    )
    .clock(ManualClock::at(hosts::now()))
    .entropy(RepeatableEntropy::new(1))
    .counted()
    .unwrap_or_else(|problems| panic!("{problems}"));
    let plan = hosts::plan(&engine, &"1".into(), &Asked::request()).await;
    let planned = (plan.to_json(), plan.to_string());
    match engine.erase(approved(&engine, &"1".into(), &Asked::request()).await).await.unwrap() {
        Outcome::Erased(certificate) => (planned.0, planned.1, certificate),
        other => panic!("{other}"),
    }
}

/// A former bug: plan and certificate said the same for every customer, however many files could not be blanked.
#[tokio::test]
async fn documents_and_unreadable_texts_are_counted_by_what_becomes_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let stores: [Arc<dyn CustomerStore>; 2] =
        [Arc::new(sqlite(&folder.path().join("files.sqlite"))), Arc::new(memory())];
    for store in stores {
        let (json, text, certificate) = said(store).await;
        let counts = json!({
            "body": { "blanked": 2, "replaced": 1, "emptied": 1, "deleted": 2, "unreadable": 2 },
            "said": { "deleted": 1, "unreadable": 1 },
        });
        let file = json["records"].as_array().unwrap().iter().find(|class| class["class"] == "file").unwrap();
        assert_eq!(file["contents"], counts);
        let body =
            "by their contents: 2 blanked, 1 replaced, 1 emptied, 2 deleted; 2 of these cannot be read";
        for line in [body, "by their contents: 1 deleted; 1 of these cannot be read"] {
            assert!(text.contains(line), "{text}");
        }
        let class: CertifiedClass =
            certificate.records().into_iter().find(|class| class.class.as_str() == "file").unwrap();
        assert_eq!(serde_json::to_value(class.otherwise.unwrap()).unwrap()["contents"], counts);
        let text = certificate.to_string();
        for line in [&body.replace("cannot", "could not"), "1 deleted; 1 of these could not be read"] {
            assert!(text.contains(line), "{text}");
        }
    }
}

//! Exports: their content, what is left out and why, the access log, and the format.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use relinquish::engine::export::{Export, ExportError, Exporting, ZipExport, write_csv, write_json};
use relinquish::engine::{
    Access, AccessEvent, AccessLog, AccessLogError, Accessed, EngineBuilder, MemoryAccessLog, Purpose,
};
use relinquish::plan::Authority;
use relinquish::plan::letter::{Authority as Supervisor, Controller, Language, Letterhead};
use relinquish::request::{Channel, NewRequest, Note, RequestKind, Who};
use relinquish::store::documents::WithDocuments;
use relinquish::store::documents::object_store::memory::InMemory;
use relinquish::store::documents::object_store::{ObjectStore, ObjectStoreExt as _};
use relinquish::testing::ManualClock;
use relinquish::{CustomerStore, Engine, Error, MemoryLedger, PolicyDocument, SqlMap, SqliteStore};
use rusqlite::Connection;
use serde_json::{Value as Json, json};
use tempfile::TempDir;

use crate::hosts;

const SCHEMA: &str = r#"
    CREATE TABLE people (id INTEGER PRIMARY KEY, tenant TEXT NOT NULL, name TEXT NOT NULL, email TEXT UNIQUE, password TEXT, profile TEXT,
        referrer_id INTEGER REFERENCES people);
    CREATE TABLE messages (id INTEGER PRIMARY KEY, sender_id INTEGER REFERENCES people, recipient_id INTEGER REFERENCES people,
        sender_mail TEXT, body TEXT, sent_on TEXT);
    CREATE TABLE notes (id INTEGER PRIMARY KEY, owner_id INTEGER NOT NULL REFERENCES people, editor_id INTEGER REFERENCES people,
        editor_name TEXT, text TEXT, scan BLOB);
    CREATE TABLE audits (id INTEGER PRIMARY KEY, what TEXT);
    INSERT INTO people VALUES
        (1, 'acme', '=Maud "M" Ashworth', 'maud@example.org', '$2b$12$secret', '{"nick": "Mo", "token": "t0ken", "n": 1.50}', NULL),
        (2, 'acme', 'Théo <b>Lefèvre</b>', 'theo@example.org', '$2b$12$hidden', 'no JSON', 1),
        (3, 'other', 'Ines García', 'ines@example.org', NULL, NULL, 2);
    INSERT INTO messages VALUES
        (1, 1, 2, 'maud@example.org', 'Dear Théo, my cat is ill', '2026-01-02'), (2, 2, 1, 'theo@example.org', 'Dear Maud', '2026-01-03'),
        (3, 1, NULL, 'maud@example.org', 'To myself', '2026-01-04'), (4, 2, NULL, 'theo@example.org', 'private', '2026-01-05');
    INSERT INTO notes VALUES
        (1, 1, 2, 'Théo', 'Maud called', x'255044462d312e34'), (2, 2, 1, 'Maud', 'Théo is a good payer', NULL), (3, 1, 1, 'Maud', NULL, NULL);
"#;

const MAP: &str = r#"
    version = 1
    [customers]
    class = "person"
    table = "people"
    key = "id"
    tenant = "tenant"
    tenants = { sql = "1" }
    deactivate = { none = "people have no state" }
    ends = { referrer_id = "clear" }
    [customers.fields]
    name = "name"
    email = "email"
    password = "password"
    profile = { json = { "/nick" = "username", "/token" = "access_token" }, rest = "not personal" }
    [records.message]
    table = "messages"
    shared = ["sender_id", "recipient_id"]
    fields = { sender_mail = { kind = "email", of = "sender_id" }, body = "free_text", sent_on = "not personal" }
    [records.note]
    table = "notes"
    owner = "owner_id"
    ends = { editor_id = "clear" }
    fields = { editor_name = { kind = "name", of = "editor_id" }, text = "free_text", scan = "document" }
    [ignore]
    audits = "numbers of rows only"
"#;

const POLICY: &str = r#"
    version = 1
    name = "Post"
    sweep = false
    triggers.requested = { treatment = "clear" }
    guards = { active_subscription = { ignore = "none is sold" }, not_archived = { ignore = "people have no state" }, several_tenants = { ignore = "one" } }
    anonymise = { name = "remove", email = "remove", password = "invalidate", username = "remove", access_token = "clear", free_text = "clear", document = "clear" }
    [treatments.clear]
    person = "anonymise"
    message = "delete"
    note = "delete"
"#;

struct World {
    folder: TempDir,
    store: Arc<SqliteStore>,
    log: Arc<MemoryAccessLog>,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("post.sqlite");
        Connection::open(&path).unwrap().execute_batch(SCHEMA).unwrap();
        let store = SqliteStore::open(&path, &SqlMap::from_toml(MAP).unwrap());
        let store = Arc::new(store.unwrap_or_else(|problems| panic!("{problems}")));
        Self { folder, store, log: Arc::new(MemoryAccessLog::new()) }
    }

    fn builder(&self, policy: &str) -> EngineBuilder {
        let policy = PolicyDocument::from_toml(policy).unwrap();
        Engine::builder(Arc::clone(&self.store), policy, MemoryLedger::new(), hosts::keys())
            .clock(ManualClock::at(hosts::now()))
            .records(Arc::clone(&self.store))
            .access_log(Arc::clone(&self.log))
    }

    fn engine(&self) -> Engine {
        self.builder(POLICY).build().unwrap_or_else(|problems| panic!("{problems}"))
    }

    fn at(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }
}

fn access() -> Access {
    by(&["acme", "other"])
}

fn by(tenants: &[&str]) -> Access {
    let operator = Authority::new("operator-7", tenants.iter().map(|tenant| (*tenant).into()));
    Access::new(operator, Purpose::Reason("ticket-4711".parse().unwrap()))
}

async fn exporting(engine: &Engine, export: &Export) -> Exporting {
    engine.export(export, &access()).await.unwrap()
}

async fn json_of(engine: &Engine, export: &Export) -> Json {
    let mut written = Vec::new();
    write_json(exporting(engine, export).await, &mut written).await.unwrap();
    serde_json::from_slice(&written).unwrap()
}

fn records<'j>(export: &'j Json, class: &str) -> &'j Vec<Json> {
    let classes = export["classes"].as_array().unwrap();
    classes.iter().find(|of| of["class"] == class).unwrap()["records"].as_array().unwrap()
}

#[tokio::test]
async fn secrets_and_what_is_of_others_are_left_out_and_said() {
    let world = World::new();
    let export = json_of(&world.engine(), &Export::customer("1")).await;
    let person = &records(&export, "person")[0];
    assert_eq!(person["values"]["email"], "maud@example.org");
    assert_eq!(person["values"]["profile"], r#"{"nick": "Mo", "n": 1.50}"#);
    assert_eq!(person["left_out"], json!({ "password": "secret" }));
    // Of messages with another person, the export has only the parts that are certainly hers.
    let messages = records(&export, "message");
    assert_eq!(messages.len(), 3);
    let sent = json!({ "id": 1, "sender_id": 1, "sender_mail": "maud@example.org", "sent_on": "2026-01-02" });
    assert_eq!(messages[0]["values"], sent);
    assert_eq!(messages[0]["left_out"], json!({ "recipient_id": "of_somebody_else", "body": "shared" }));
    assert_eq!(messages[1]["values"], json!({ "id": 2, "recipient_id": 1, "sent_on": "2026-01-03" }));
    assert_eq!(messages[2]["values"]["body"], "To myself");
    // Her own notes, without the names of other writers; and her name in a note of another person.
    let notes = records(&export, "note");
    assert_eq!(
        notes[0]["values"],
        json!({ "id": 1, "owner_id": 1, "text": "Maud called", "scan": { "base64": "JVBERi0xLjQ=" } })
    );
    assert_eq!(
        notes[0]["left_out"],
        json!({ "editor_id": "of_somebody_else", "editor_name": "of_somebody_else" })
    );
    assert_eq!(notes[1]["values"], json!({ "editor_name": "Maud" , "scan": null}));
    assert_eq!(notes[2]["values"]["editor_name"], "Maud");
    let left_out = export["report"]["left_out"].as_array().unwrap();
    let inside = json!({ "class": "person", "field": "profile/token", "why": "secret", "records": 1 });
    assert!(left_out.contains(&inside), "{left_out:?}");
    let ignored = json!({ "ignored": { "what": { "table": "audits" }, "reason": "numbers of rows only" } });
    assert!(export["report"]["not_covered"].as_array().unwrap().contains(&ignored), "{export}");
    // An operator who has weighed the rights of the other people can show these values.
    let shown = json_of(&world.engine(), &Export::customer("1").showing_shared()).await;
    assert_eq!(records(&shown, "message")[0]["values"]["body"], "Dear Théo, my cat is ill");
    assert_eq!(
        records(&shown, "message")[1]["left_out"],
        json!({ "sender_id": "of_somebody_else", "sender_mail": "of_somebody_else" })
    );
    // A document that cannot be read may contain the secret anywhere.
    let theo = json_of(&world.engine(), &Export::customer("2")).await;
    let left_out = json!({ "password": "secret", "profile": "secret", "referrer_id": "of_somebody_else" });
    assert_eq!(records(&theo, "person")[0]["left_out"], left_out);
    // A former bug: a document stored as bytes was exported with its secret.
    let as_bytes = "UPDATE people SET profile = CAST(profile AS BLOB)";
    Connection::open(world.at("post.sqlite")).unwrap().execute_batch(as_bytes).unwrap();
    for id in ["1", "2"] {
        let export = json_of(&world.engine(), &Export::customer(id)).await;
        assert_eq!(records(&export, "person")[0]["left_out"]["profile"], "secret");
        assert!(records(&export, "person")[0]["values"]["profile"].is_null());
    }
}

#[tokio::test]
async fn one_class_of_all_customers_and_a_whole_tenant_are_exported() {
    let world = World::new();
    let engine = world.engine();
    let list = json_of(&engine, &Export::class("person")).await;
    assert_eq!(list["of"], json!({ "class": "person" }));
    let names: Vec<&str> =
        records(&list, "person").iter().map(|person| person["values"]["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["=Maud \"M\" Ashworth", "Théo <b>Lefèvre</b>", "Ines García"]);
    assert_eq!(records(&list, "person")[1]["left_out"], json!({ "password": "secret", "profile": "secret" }));
    for page in [1, 2, 100] {
        let tenant = json_of(&engine, &Export::tenant("acme").page(page)).await;
        let of: Vec<(&str, i64)> = records(&tenant, "message")
            .iter()
            .map(|message| (message["customer"].as_str().unwrap(), message["values"]["id"].as_i64().unwrap()))
            .collect();
        assert_eq!(of, [("1", 1), ("1", 2), ("1", 3), ("2", 1), ("2", 2), ("2", 4)], "page {page}");
        assert_eq!(records(&tenant, "person").len(), 2);
        assert_eq!(records(&tenant, "message")[0]["values"]["body"], "Dear Théo, my cat is ill");
        assert_eq!(tenant["report"]["records"]["message"], 6);
    }
}

#[tokio::test]
async fn the_host_hears_of_each_access_before_anything_is_read() {
    #[derive(Debug)]
    struct Broken;
    #[async_trait]
    impl AccessLog for Broken {
        async fn record(&self, _: &AccessEvent) -> Result<(), AccessLogError> {
            Err("the log is full".into())
        }
    }
    let world = World::new();
    let engine = world.engine();
    let customer = Export::customer("1");
    drop(exporting(&engine, &customer).await);
    let events = world.log.events();
    assert_eq!(events[0].what, Accessed::Customer { customer: "1".into() });
    assert_eq!((events[0].operator.as_str(), events[0].at), ("operator-7", hosts::now()));
    assert_eq!(events[0].purpose.to_string(), "ticket-4711");
    let refused = |engine: Engine, export: Export, access: Access| async move {
        engine.export(&export, &access).await.unwrap_err()
    };
    let is = refused(engine.clone(), customer.clone(), by(&["other"])).await;
    assert!(matches!(is, Error::Approval(_)), "{is}");
    let is = refused(engine.clone(), Export::class("person"), by(&["acme"])).await;
    assert!(matches!(is, Error::Approval(_)), "all tenants have people: {is}");
    let is = refused(engine.clone(), Export::customer("9"), access()).await;
    assert!(matches!(is, Error::NoSuchCustomer), "{is}");
    let is = refused(engine.clone(), Export::class("persn"), access()).await;
    assert!(is.to_string().contains("did you mean person?"), "{is}");
    let is = refused(engine.clone(), Export::tenant("acne"), access()).await;
    assert!(is.to_string().contains("did you mean acme?"), "{is}");
    assert_eq!(world.log.events().len(), 1, "what is refused is no access");
    let broken = world.builder(POLICY).access_log(Broken).build().unwrap();
    let is = refused(broken, customer.clone(), access()).await;
    assert!(matches!(is, Error::AccessLog(_)), "{is}");
    let policy = PolicyDocument::from_toml(POLICY).unwrap();
    let bare = Engine::builder(Arc::clone(&world.store), policy, MemoryLedger::new(), hosts::keys());
    let is = refused(bare.build().unwrap(), customer.clone(), access()).await;
    assert!(matches!(is, Error::NoRecords), "{is}");
    let policy = PolicyDocument::from_toml(POLICY).unwrap();
    let no_log = Engine::builder(Arc::clone(&world.store), policy, MemoryLedger::new(), hosts::keys())
        .records(Arc::clone(&world.store));
    let is = refused(no_log.build().unwrap(), customer, access()).await;
    assert!(matches!(is, Error::NoAccessLog), "{is}");
}

#[tokio::test]
async fn a_request_allows_an_export_of_its_person_once_the_identity_is_confirmed() {
    let world = World::new();
    let engine = world.engine();
    let who = Who::Customer { customer: "1".into() };
    let new = NewRequest::new("r-1", RequestKind::Access, Channel::Web, who, hosts::now());
    engine.receive(new).await.unwrap();
    let by = Authority::new("operator-7", ["acme".into()]);
    let access = Access::new(by.clone(), Purpose::Request("r-1".into()));
    let export = |customer: &str| {
        let (engine, access, export) = (engine.clone(), access.clone(), Export::customer(customer));
        async move { engine.export(&export, &access).await.map(drop) }
    };
    let refused = export("1").await.unwrap_err().to_string();
    assert!(refused.contains("nobody has confirmed who asks"), "{refused}");
    let today = hosts::now().date_naive();
    let confirmed = Note::ConfirmIdentity { reference: "passport".parse().unwrap() };
    engine.note(&"r-1".into(), &confirmed, today, &by).await.unwrap();
    export("1").await.unwrap();
    let refused = export("2").await.unwrap_err().to_string();
    assert!(refused.contains("it is a request of somebody else"), "{refused}");
    // A request of one person is not a reason to export all customers.
    let refused = engine.export(&Export::tenant("acme"), &access).await.unwrap_err().to_string();
    assert!(refused.contains("it is one person's"), "{refused}");
    assert_eq!(world.log.events().len(), 1);
}

fn unzipped(path: &Path) -> zip::ZipArchive<File> {
    zip::ZipArchive::new(File::open(path).unwrap()).unwrap()
}

fn file(archive: &mut zip::ZipArchive<File>, name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    archive.by_name(name).unwrap_or_else(|error| panic!("{name}: {error}")).read_to_end(&mut bytes).unwrap();
    bytes
}

fn text(archive: &mut zip::ZipArchive<File>, name: &str) -> String {
    String::from_utf8(file(archive, name)).unwrap()
}

#[tokio::test]
async fn an_archive_has_a_table_for_each_class_and_a_page_in_the_persons_language() {
    let world = World::new();
    let sentences = [
        (Language::English, "<html lang=\"en\">", "Your data at Post", "It is a secret that grants access."),
        (
            Language::Swedish,
            "<html lang=\"sv\">",
            "Dina uppgifter hos Post",
            "Det är en hemlighet som ger åtkomst.",
        ),
        (
            Language::German,
            "<html lang=\"de\">",
            "Ihre Daten bei Post",
            "Es ist ein Geheimnis, das Zugang gewährt.",
        ),
    ];
    for (language, html, title, secret) in sentences {
        let code = html.split('"').nth(1).unwrap();
        let engine = world.builder(&format!("language = '{code}'\n{POLICY}")).build().unwrap();
        let controller = Controller::new("Post", "info@post.example");
        let authority = Supervisor::new("Authority", "Street 1");
        let head =
            Letterhead::new(engine.policy(), language, controller, authority, hosts::now().date_naive())
                .unwrap();
        let path = world.at(&format!("{code}.zip"));
        let export =
            ZipExport::at(&path).with_index(&head).write(exporting(&engine, &Export::customer("1")).await);
        let report = export.await.unwrap().report().clone();
        assert_eq!(report.records.values().sum::<u64>(), 7);
        let mut archive = unzipped(&path);
        let mut names: Vec<String> = archive.file_names().map(|name| name.unwrap().into_owned()).collect();
        names.sort_unstable();
        let expected = [
            "files/note/000001-scan.pdf",
            "index.html",
            "message.csv",
            "note.csv",
            "person.csv",
            "report.json",
        ];
        assert_eq!(names, expected);
        assert_eq!(file(&mut archive, expected[0]), b"%PDF-1.4");
        let people = text(&mut archive, "person.csv");
        let row = "1,acme,\"'=Maud \"\"M\"\" Ashworth\",maud@example.org,[left out: secret],";
        assert!(people.lines().nth(1).unwrap().starts_with(row), "{people}");
        let notes = text(&mut archive, "note.csv");
        assert!(notes.contains("Maud called,files/note/000001-scan.pdf"), "{notes}");
        assert!(notes.contains("[left out: of somebody else]"), "{notes}");
        let page = text(&mut archive, "index.html");
        for part in [
            html,
            title,
            secret,
            "=Maud &quot;M&quot; Ashworth",
            "<a href=\"person.csv\">",
            "numbers of rows only",
        ] {
            assert!(page.contains(part), "{code}: {part} is missing in\n{page}");
        }
        // The statement about retention follows. A tag inside a value is not interpreted.
        assert_eq!(page.matches("<h1>").count(), 2);
        assert!(!page.contains("<b>"));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        // An existing archive with this name is not overwritten.
        let before = fs::read(&path).unwrap();
        let again =
            ZipExport::at(&path).write(exporting(&engine, &Export::customer("2")).await).await.unwrap_err();
        assert!(
            matches!(&again, ExportError::Write(error) if error.kind() == std::io::ErrorKind::AlreadyExists),
            "{again}"
        );
        assert_eq!(fs::read(&path).unwrap(), before);
    }
    let left: Vec<String> = fs::read_dir(world.folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains(".part") || name.contains(".rows"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn a_table_is_safe_in_a_spreadsheet() {
    let world = World::new();
    let mut written = Vec::new();
    write_csv(exporting(&world.engine(), &Export::class("message")).await, &mut written).await.unwrap();
    let table = String::from_utf8(written).unwrap();
    let first = "1,1,2,maud@example.org,\"Dear Théo, my cat is ill\",'2026-01-02";
    assert_eq!(table.lines().nth(1).unwrap(), first);
    assert_eq!(table.lines().next().unwrap(), "id,sender_id,recipient_id,sender_mail,body,sent_on");
    assert_eq!(table.lines().count(), 5);
}

#[tokio::test]
async fn documents_in_an_object_store_are_files_of_the_archive() {
    let world = World::new();
    let bucket: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    for (place, bytes) in [("scans/1/a", "first"), ("scans/1/b", "%PDF-2"), ("scans/2/a", "of somebody else")]
    {
        bucket.put(&place.into(), bytes.as_bytes().to_vec().into()).await.unwrap();
    }
    let store =
        WithDocuments::new(Arc::clone(&world.store)).documents("scan", bucket, "scans/{customer}").unwrap();
    let store = Arc::new(store);
    let policy = PolicyDocument::from_toml(&format!("{POLICY}\nscan = 'delete'")).unwrap();
    let engine = Engine::builder(Arc::clone(&store), policy, MemoryLedger::new(), hosts::keys())
        .records(store)
        .access_log(Arc::clone(&world.log))
        .build()
        .unwrap();
    let path = world.at("documents.zip");
    let export = exporting(&engine, &Export::customer("1").page(1)).await;
    ZipExport::at(&path).uncompressed().write(export).await.unwrap();
    let mut archive = unzipped(&path);
    assert_eq!(text(&mut archive, "files/scan/000001-file.txt"), "first");
    assert_eq!(text(&mut archive, "files/scan/000002-file.pdf"), "%PDF-2");
    let table = text(&mut archive, "scan.csv");
    assert_eq!(table.lines().count(), 3, "{table}");
    let all = json_of(&engine, &Export::class("scan")).await;
    assert_eq!(records(&all, "scan").len(), 3);
}

/// Every adapter reads the same records: SQLite, a host's own record code, and memory.
#[tokio::test]
async fn every_kind_of_store_exports_its_customers() {
    use relinquish::store::{ByRecord, MemoryRepository};
    let repository = MemoryRepository::new(hosts::memory_map());
    for (id, name) in [("1", "maud"), ("2", "theo")] {
        let (customer, records) = hosts::memory_customer(id, name, false);
        repository.insert(customer, records);
    }
    let store = Arc::new(ByRecord::new(repository));
    assert_eq!(store.facts(&["1".into()]).await.unwrap().len(), 1);
    let policy = PolicyDocument::from_toml(hosts::MEMORY_POLICY).unwrap();
    let log = Arc::new(MemoryAccessLog::new());
    let engine = Engine::builder(Arc::clone(&store), policy, MemoryLedger::new(), hosts::keys())
        .gateway(relinquish::gateway::MemoryGateway::new("stripe"))
        .records(store)
        .access_log(log)
        .build()
        .unwrap();
    for page in [1, 2, 50] {
        let one = json_of(&engine, &Export::customer("1").page(page)).await;
        assert_eq!(one["report"]["records"], json!({ "call": 1, "customer": 1, "order": 2 }));
        assert_eq!(
            records(&one, "order")[0]["values"],
            json!({ "id": "1-1", "note": "for maud", "total": 1200 })
        );
        let all = json_of(&engine, &Export::class("order").page(page)).await;
        assert_eq!(records(&all, "order").len(), 4, "page {page}");
        let tenant = json_of(&engine, &Export::tenant("acme").page(page)).await;
        assert_eq!(records(&tenant, "order")[3]["customer"], "2");
    }
}

//! Documents in an object store (real directories), together with real SQLite files.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path as FilePath;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use chrono::DateTime;
use futures_util::stream::BoxStream;
use relinquish::anonymise::Seed;
use relinquish::anonymise::document::is_blank;
use relinquish::data_map::{Field, RecordClass};
use relinquish::ledger::MemoryLedger;
use relinquish::store::documents::WithDocuments;
use relinquish::store::documents::object_store::local::LocalFileSystem;
use relinquish::store::documents::object_store::path::Path;
use relinquish::store::documents::object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result as StoreResult,
};
use relinquish::store::{CustomerStore, EraseRequest, Erased, MemoryRepository, RecordStore, Target};
use relinquish::testing::{self, ManualClock, Stocked};
use relinquish::{
    Asked, Customer, DataMap, Engine, MemoryStore, Outcome, Planned, PolicyDocument, SqliteStore,
};
use tempfile::TempDir;

use crate::hosts::ResumeAll as _;
use crate::hosts::{self, BuildCounted as _, approved};
use crate::shop::{CUSTOMERS, Shop};

const PDF: &[u8] = b"%PDF-1.4 1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj \
    2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1/MediaBox[0 0 595 842]>>endobj \
    3 0 obj<</Type/Page/Parent 2 0 R/Contents 4 0 R>>endobj \
    4 0 obj<</Length 21>>stream\n(Maud Ashworth) Tj    \nendstream endobj trailer<</Root 1 0 R>>";
const PNG: &[u8] = b"\x89PNG\r\n\x1a\nMaud Ashworth";

/// Every file below a directory.
type Files = BTreeMap<String, Vec<u8>>;

/// A shop with a directory of documents.
struct Archive {
    shop: Shop,
    folder: TempDir,
}

impl Archive {
    fn new(treatment: &str, files: &[(&str, &[u8])]) -> Self {
        let shop = Shop::new(
            "CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT);
             INSERT INTO clients VALUES (1, 'Maud Ashworth'), (2, 'Bob'), (11, 'Eve');",
            &format!("{CUSTOMERS}fields.name = 'name'"),
            treatment,
        );
        let folder = tempfile::tempdir().unwrap();
        let archive = Self { shop, folder };
        for (name, bytes) in files {
            archive.put(name, bytes);
        }
        archive
    }

    fn put(&self, name: &str, bytes: &[u8]) {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    fn files(&self) -> Files {
        fn gather(folder: &FilePath, root: &FilePath, files: &mut Files) {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    gather(&path, root, files);
                } else {
                    let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                    files.insert(name, std::fs::read(&path).unwrap());
                }
            }
        }
        let mut files = Files::new();
        gather(self.folder.path(), self.folder.path(), &mut files);
        files
    }

    fn bucket(&self) -> Arc<dyn ObjectStore> {
        Arc::new(LocalFileSystem::new_with_prefix(self.folder.path()).unwrap())
    }

    fn store(&self) -> WithDocuments<SqliteStore> {
        self.store_over(self.bucket())
    }

    fn store_over(&self, bucket: Arc<dyn ObjectStore>) -> WithDocuments<SqliteStore> {
        let root = self.shop.store().unwrap();
        WithDocuments::new(root).documents("invoice_document", bucket, "invoices/{customer}").unwrap()
    }

    fn engine(&self, store: impl CustomerStore) -> Engine {
        let policy = PolicyDocument::from_toml(&self.shop.policy).unwrap();
        Engine::builder(store, policy, MemoryLedger::new(), hosts::keys())
            .clock(ManualClock::at(hosts::now()))
            .counted()
            .unwrap_or_else(|problems| panic!("{problems}"))
    }

    async fn request(&self, store: &WithDocuments<SqliteStore>, id: &str) -> EraseRequest {
        let policy = PolicyDocument::from_toml(&self.shop.policy).unwrap().check(store.data_map()).unwrap();
        let facts = store.facts(&[id.into()]).await.unwrap();
        let target =
            |facts: Customer| Target { expected: facts.expected(), customer: facts.id, tenant: facts.tenant };
        let targets = facts.into_iter().map(target).collect();
        EraseRequest::new(targets, policy.treatments()["x"].clone(), Seed::new([7; 32]), DateTime::UNIX_EPOCH)
    }
}

async fn nothing_is_left(engine: &Engine, id: &str) {
    match engine.plan(&id.into(), &Asked::request()).await.unwrap() {
        Planned::Nothing(_) => {}
        other => panic!("there is something left to do: {other}"),
    }
}

#[tokio::test]
async fn a_store_with_documents_keeps_the_contract_of_a_customer_store() {
    let files: &[(&str, &[u8])] = &[
        ("invoices/1/a.pdf", PDF),
        ("invoices/1/b.png", PNG),
        ("invoices/2/a.pdf", PDF),
        ("invoices/11/a.pdf", PDF),
        ("invoices/12/a.pdf", PDF),
    ];
    for treatment in [
        "customer = 'anonymise'\ninvoice_document = 'blank'",
        "customer = 'delete'\ninvoice_document = 'delete'",
    ] {
        let fresh = || async {
            let archive = Archive::new(treatment, files);
            let policy = PolicyDocument::from_toml(&archive.shop.policy).unwrap();
            Stocked::new(archive.store(), policy).rows(move |customer| {
                let place = format!("invoices/{}/", customer.as_str());
                let theirs = archive.files().into_iter().filter(|(name, _)| name.starts_with(&place));
                theirs.map(|(name, bytes)| (name, format!("{bytes:?}"))).collect()
            })
        };
        testing::customer_store(fresh).await.unwrap();
    }
}

#[tokio::test]
async fn a_customers_documents_are_blanked_and_nobody_elses_are_touched() {
    let archive = Archive::new(
        "customer = 'anonymise'\ninvoice_document = 'blank'",
        &[
            ("invoices/1/a.pdf", PDF),
            ("invoices/1/2024/scan.png", PNG),
            ("invoices/1/rates.xlsx", b"PK\x03\x04 Maud Ashworth"),
            ("invoices/11/a.pdf", PDF),
            ("invoices/2/a.pdf", PDF),
            ("other/1/a.pdf", PDF),
        ],
    );
    let before = archive.files();
    let engine = archive.engine(archive.store());
    let plan = hosts::plan(&engine, &"1".into(), &Asked::request()).await;
    assert!(plan.to_string().contains("invoice_document"), "{plan}");
    let Outcome::Erased(certificate) =
        engine.erase(approved(&engine, &"1".into(), &Asked::request()).await).await.unwrap()
    else {
        panic!("it was not erased")
    };
    let said = certificate.to_string();
    assert!(
        said.contains("older versions, replicas and backups of the objects of invoice_document"),
        "{said}"
    );
    let mut expected = before;
    expected.remove("invoices/1/rates.xlsx");
    let after = archive.files();
    for name in ["invoices/1/a.pdf", "invoices/1/2024/scan.png"] {
        assert!(is_blank(&after[name]), "{name}");
        expected.insert(name.to_owned(), after[name].clone());
    }
    assert_eq!(after, expected);
    assert_eq!(archive.shop.text("SELECT group_concat(coalesce(name, '-')) FROM clients"), "-,Bob,Eve");
    nothing_is_left(&engine, "1").await;
}

/// A document with exactly this path counts too. A document whose path only begins like it does not.
#[tokio::test]
async fn deleted_documents_are_gone_and_their_neighbours_stay() {
    let archive = Archive::new(
        "customer = 'anonymise'\ninvoice_document = 'delete'",
        &[
            ("invoices/1/a/b/c.txt", b"Maud"),
            ("invoices/1.pdf", PDF),
            ("invoices/11", b"Eve"),
            ("invoices/12/x", b"y"),
        ],
    );
    let engine = archive.engine(archive.store());
    for id in ["1", "11"] {
        let plan = approved(&engine, &id.into(), &Asked::request()).await;
        let outcome = engine.erase(plan).await.unwrap();
        assert!(matches!(outcome, Outcome::Erased(_)), "{outcome}");
        nothing_is_left(&engine, id).await;
    }
    let left: Vec<String> = archive.files().into_keys().collect();
    assert_eq!(left, ["invoices/1.pdf", "invoices/12/x"]);
}

#[tokio::test]
async fn a_duty_keeps_documents_by_the_day_on_which_they_were_written() {
    let duty = "\n[duties.books]\nclasses = ['invoice_document']\nperiod = '7 years'\nstart = 'record_date'\n\
         law = 'a law'\nground = '17(3)(b)'\nfrom = 'written'";
    let archive = Archive::new(
        &format!("customer = 'anonymise'\ninvoice_document = 'delete'{duty}"),
        &[("invoices/1/new.pdf", PDF), ("invoices/1/old.pdf", PDF)],
    );
    let old =
        std::fs::File::options().write(true).open(archive.folder.path().join("invoices/1/old.pdf")).unwrap();
    old.set_modified("2001-01-01T00:00:00Z".parse::<DateTime<chrono::Utc>>().unwrap().into()).unwrap();
    let engine = archive.engine(archive.store());
    let outcome = engine.erase(approved(&engine, &"1".into(), &Asked::request()).await).await.unwrap();
    assert!(matches!(outcome, Outcome::Erased(_)), "{outcome}");
    assert_eq!(
        archive.files().into_iter().collect::<Vec<_>>(),
        [("invoices/1/new.pdf".to_owned(), PDF.to_vec())]
    );
}

/// When the duty ends, nobody could find these documents any more.
#[tokio::test]
async fn a_customer_is_not_deleted_while_a_duty_keeps_documents() {
    let duty = "\n[duties.books]\nclasses = ['invoice_document']\nperiod = '7 years'\nstart = 'record_date'\n\
         law = 'a law'\nground = '17(3)(b)'\nfrom = 'written'";
    let archive = Archive::new(
        &format!("customer = 'delete'\ninvoice_document = 'delete'{duty}"),
        &[("invoices/1/new.pdf", PDF)],
    );
    let engine = archive.engine(archive.store());
    let before = (archive.shop.cells(), archive.files());
    let outcome = engine.erase(approved(&engine, &"1".into(), &Asked::request()).await).await.unwrap();
    assert!(outcome.to_string().contains("a duty keeps documents of invoice_document"), "{outcome}");
    assert_eq!((archive.shop.cells(), archive.files()), before);
}

/// A blanked document has the date of its blanking. By this date the duty would start again, and the plan would say
/// for years that the law keeps an empty page.
#[tokio::test]
async fn a_blank_document_is_kept_by_no_duty_though_it_was_written_anew() {
    let duty = "\n[duties.books]\nclasses = ['invoice_document']\nperiod = '7 years'\nstart = 'record_date'\n\
         law = 'a law'\nground = '17(3)(b)'\nfrom = 'written'";
    let blanked = relinquish::anonymise::document::blank(PDF).unwrap();
    for root in ["anonymise", "delete"] {
        let archive = Archive::new(
            &format!(
                "customer = '{root}'\ninvoice_document = {{ action = 'blank', otherwise = 'empty' }}{duty}"
            ),
            // The first document was blanked by a run that did not finish.
            &[
                ("invoices/1/a.pdf", &blanked),
                ("invoices/1/old.pdf", PDF),
                ("invoices/1/old.zip", b"PK\x03\x04"),
            ],
        );
        for name in ["old.pdf", "old.zip"] {
            let old = archive.folder.path().join("invoices/1").join(name);
            let old = std::fs::File::options().write(true).open(old).unwrap();
            old.set_modified("2001-01-01T00:00:00Z".parse::<DateTime<chrono::Utc>>().unwrap().into())
                .unwrap();
        }
        let engine = archive.engine(archive.store());
        let outcome = engine.erase(approved(&engine, &"1".into(), &Asked::request()).await).await.unwrap();
        let Outcome::Erased(certificate) = outcome else { panic!("{outcome}") };
        assert!(!certificate.to_string().contains("must be kept"), "{certificate}");
        let files = archive.files();
        assert!(files.values().all(|file| is_blank(file)) && files["invoices/1/old.zip"].is_empty());
        if root == "anonymise" {
            nothing_is_left(&engine, "1").await;
            // A new document is kept, but not a blank one.
            archive.put("invoices/1/new.pdf", PDF);
            let store = archive.store();
            let policy =
                PolicyDocument::from_toml(&archive.shop.policy).unwrap().check(store.data_map()).unwrap();
            let treatment = policy.dated(&"here".into(), &policy.treatments()["x"], hosts::now());
            let request = relinquish::store::TallyRequest::new(vec!["1".into()], treatment).at(hosts::now());
            let tally = store.tally(&request).await.unwrap().remove(0).unwrap();
            assert_eq!(tally.kept["invoice_document"].rows, 1);
        }
    }
}

#[test]
fn the_same_document_belongs_to_one_class_only() {
    let archive = Archive::new("", &[]);
    let (bucket, other) = (archive.bucket(), archive.bucket());
    let store = |template: &str| {
        let root = archive.shop.store().unwrap();
        let first = WithDocuments::new(root).documents(
            "invoice_document",
            Arc::clone(&bucket),
            "invoices/{customer}",
        );
        first.unwrap().documents("note", Arc::clone(&bucket), template).map(drop)
    };
    for template in [
        "invoices/{customer}",
        "invoices/{customer}/drafts",
        "{customer}",
        "{customer}/notes",
        "/invoices//{customer}",
    ] {
        let problems = store(template).unwrap_err().to_string();
        assert!(problems.contains("documents of invoice_document may lie too"), "{template}: {problems}");
    }
    store("notes/{customer}").unwrap();
    let root = archive.shop.store().unwrap();
    let first =
        WithDocuments::new(root).documents("invoice_document", bucket, "invoices/{customer}").unwrap();
    first.documents("note", other, "invoices/{customer}").unwrap();
}

/// A treatment is refused if it was made for another map, or if its own strategies are missing.
#[tokio::test]
async fn a_treatment_that_does_not_cover_the_documents_is_refused() {
    let archive = Archive::new("customer = 'anonymise'", &[("invoices/1/a.pdf", PDF)]);
    let root = archive.shop.store().unwrap();
    let policy = PolicyDocument::from_toml(&archive.shop.policy).unwrap().check(root.data_map()).unwrap();
    let store = archive.store();
    let before = (archive.shop.cells(), archive.files());
    let treatment = policy.treatments()["x"].clone();
    let facts = store.facts(&["1".into()]).await.unwrap().remove(0);
    let target = Target { expected: facts.expected(), customer: facts.id, tenant: facts.tenant };
    let request =
        EraseRequest::new(vec![target], treatment.clone(), Seed::new([7; 32]), DateTime::UNIX_EPOCH);
    let error = store.erase(&request).await.unwrap_err().to_string();
    assert!(error.contains("does not cover invoice_document"), "{error}");
    let request = relinquish::store::TallyRequest::new(vec!["1".into()], treatment);
    assert!(store.tally(&request).await.unwrap_err().to_string().contains("does not cover invoice_document"));
    assert_eq!((archive.shop.cells(), archive.files()), before);
}

/// A directory whose writes fail as long as a test wants it.
#[derive(Debug)]
struct Failing {
    inner: LocalFileSystem,
    fails: Arc<AtomicBool>,
}

impl fmt::Display for Failing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a directory that fails")
    }
}

#[async_trait]
impl ObjectStore for Failing {
    async fn put_opts(&self, at: &Path, payload: PutPayload, options: PutOptions) -> StoreResult<PutResult> {
        if self.fails.load(Ordering::SeqCst) {
            return Err(Error::Generic { store: "failing", source: format!("no room for {at}").into() });
        }
        self.inner.put_opts(at, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        at: &Path,
        options: PutMultipartOptions,
    ) -> StoreResult<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(at, options).await
    }

    async fn get_opts(&self, at: &Path, options: GetOptions) -> StoreResult<GetResult> {
        self.inner.get_opts(at, options).await
    }

    fn delete_stream(
        &self,
        places: BoxStream<'static, StoreResult<Path>>,
    ) -> BoxStream<'static, StoreResult<Path>> {
        self.inner.delete_stream(places)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, StoreResult<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> StoreResult<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> StoreResult<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

#[tokio::test]
async fn a_case_waits_for_an_object_store_that_fails_and_is_finished_later() {
    let archive = Archive::new(
        "customer = 'delete'\ninvoice_document = 'blank'",
        &[("invoices/1/Maud Ashworth.pdf", PDF), ("invoices/2/a.pdf", PDF)],
    );
    let fails = Arc::new(AtomicBool::new(true));
    let inner = LocalFileSystem::new_with_prefix(archive.folder.path()).unwrap();
    let bucket = Failing { inner, fails: Arc::clone(&fails) };
    let engine = archive.engine(archive.store_over(Arc::new(bucket)));
    let plan = approved(&engine, &"1".into(), &Asked::request()).await;
    let outcome = engine.erase(plan).await.unwrap();
    assert!(matches!(outcome, Outcome::Waiting { .. }), "{outcome}");
    let said = outcome.to_string();
    assert!(said.contains("the object store failed") && !said.contains("Maud"), "{said}");
    fails.store(false, Ordering::SeqCst);
    let finished = engine.resumed().await;
    assert!(matches!(finished[..], [Outcome::Erased(_)]), "{finished:?}");
    let files = archive.files();
    assert!(is_blank(&files["invoices/1/Maud Ashworth.pdf"]));
    assert_eq!(files["invoices/2/a.pdf"], PDF);
    assert_eq!(archive.shop.text("SELECT group_concat(id) FROM clients"), "2,11");
}

#[tokio::test]
async fn where_documents_cannot_be_looked_at_nothing_is_touched() {
    let treatment = "customer = 'anonymise'\ninvoice_document = 'blank'";
    // A file is in the place of a directory.
    let archive = Archive::new(treatment, &[("invoices", b"no directory")]);
    let store = archive.store();
    let before = archive.shop.cells();
    let error = store.erase(&archive.request(&store, "1").await).await.unwrap().remove(0).unwrap_err();
    assert!(error.is_transient() && error.to_string().contains("listing documents"), "{error}");
    assert_eq!(archive.shop.cells(), before);

    let archive = Archive::new(treatment, &[("invoices/1/a.pdf", PDF), ("invoices/2/a.png", PNG)]);
    let store = archive.store().most_bytes(100);
    let before = (archive.shop.cells(), archive.files());
    let error = store.erase(&archive.request(&store, "1").await).await.unwrap().remove(0).unwrap_err();
    assert!(!error.is_transient() && error.to_string().contains("larger than 100 bytes"), "{error}");
    assert_eq!((archive.shop.cells(), archive.files()), before);
    let answer = store.erase(&archive.request(&store, "2").await).await.unwrap().remove(0).unwrap();
    assert!(matches!(answer, Erased::Done(_)), "{answer:?}");
    assert!(is_blank(&archive.files()["invoices/2/a.png"]));
}

#[tokio::test]
async fn an_id_leads_to_its_own_place_and_to_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let bucket = Arc::new(LocalFileSystem::new_with_prefix(folder.path()).unwrap());
    for file in ["all/2/a.txt", "secret/a.txt", "all/a/b/c.txt"] {
        let path = folder.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "x").unwrap();
    }
    let map = DataMap::builder(RecordClass::new("customer").field(Field::key("id").token_part()));
    let map = map.without_deactivation("no status").build().unwrap();
    let root = MemoryStore::new(MemoryRepository::new(map));
    let store = WithDocuments::new(root).documents("note", bucket, "all/{customer}").unwrap();
    let text = "version = 1\nsweep = false\ntriggers.requested = { treatment = 'x' }\n\
         guards = { active_subscription = { ignore = 'a' }, several_tenants = { ignore = 'a' }, not_archived = { ignore = 'a' } }\n\
         treatments.x = { customer = 'delete', note = 'delete' }";
    let policy = PolicyDocument::from_toml(text).unwrap().check(store.data_map());
    let policy = policy.unwrap_or_else(|problems| panic!("{problems}"));
    let rows = async |id: &str| {
        let request = relinquish::store::TallyRequest::new(vec![id.into()], policy.treatments()["x"].clone());
        let tally = store.tally(&request).await.unwrap().remove(0);
        tally.map(|tally| tally.classes["note"].rows)
    };
    assert_eq!(rows("2").await.unwrap(), 1);
    for id in ["../secret", "a/b", "a/../2", ".", "..", "2 ", "%32"] {
        assert_eq!(rows(id).await.unwrap(), 0, "{id}");
    }
    let error = rows("").await.unwrap_err().to_string();
    assert!(error.contains("id is empty"), "{error}");
}

#[test]
fn a_template_has_to_say_whose_a_document_is() {
    let archive = Archive::new("", &[]);
    for template in ["", "invoices", "invoices/c{customer}", "{customer}/{customer}", "{tenant}/{customer}"] {
        let root = archive.shop.store().unwrap();
        let problems = WithDocuments::new(root).documents("note", archive.bucket(), template).unwrap_err();
        assert!(
            problems.to_string().contains("does not contain the owner of a document"),
            "{template}: {problems}"
        );
    }
    for (class, problem) in [("customer", "is there twice"), ("gateway", "word of the policy's own")] {
        let root = archive.shop.store().unwrap();
        let problems =
            WithDocuments::new(root).documents(class, archive.bucket(), "a/{customer}").unwrap_err();
        assert!(problems.to_string().contains(problem), "{problems}");
    }
}

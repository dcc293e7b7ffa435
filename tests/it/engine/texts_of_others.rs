//! People are taken out of the texts of others, for everybody who waits in one pass.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::TimeDelta;
use fastrand::Rng;
use relinquish::customer::{HoldGround, Identifiers};
use relinquish::data_map::Kind;
use relinquish::engine::{EngineBuilder, NewHold};
use relinquish::ledger::CaseBook as _;
use relinquish::plan::{Authority, Step};
use relinquish::store::{
    Cursor, CustomerStore, Mentioned, MentionsPart, MentionsRequest, RedactMentions, StoreError,
};
use relinquish::testing::{Faulty, Interfere, ManualClock};
use relinquish::{Asked, Engine, Outcome, PolicyDocument, SqlMap, SqliteLedger, SqliteStore};
use rusqlite::Connection;

use crate::hosts::{self, ResumeAll as _, approved};
use crate::wired::{NEVER, Tripwire, until_death};

const MAP: &str = r#"
version = 1
[customers]
table = "clients"
key = "id"
tenant = "organisation"
status = { column = "status", active = "active", archived = "archived" }
deactivate = { status = "archived" }
fields = { name = "name", email = "email" }
[records.comment]
table = "comments"
owner = "client"
fields = { body = "free_text" }
[mentions.comment]
fields = "body"
tenant = { sql = "SELECT c.organisation FROM clients c WHERE c.id = comments.client" }
"#;

const POLICY: &str = r#"
version = 1
sweep = false
[triggers]
requested = { treatment = "clear" }
[guards]
active_subscription = { ignore = "none" }
several_tenants = { ignore = "one" }
not_archived = { ignore = "each case archives first" }
[anonymise]
name = "remove"
email = "token"
free_text = "remove"
[treatments.clear]
customer = "anonymise"
comment = "delete"
mention.comment = { redact = "[gone]" }
"#;

const SCHEMA: &str = "CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT, email TEXT, organisation TEXT NOT NULL, status TEXT NOT NULL DEFAULT 'active');
    CREATE TABLE comments (id INTEGER PRIMARY KEY, client INTEGER REFERENCES clients, body);";

struct Forum {
    folder: tempfile::TempDir,
    clock: Arc<ManualClock>,
}

impl Forum {
    fn new(sql: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let forum = Self { folder, clock: Arc::new(ManualClock::at(hosts::now())) };
        forum.connect().execute_batch(&format!("{SCHEMA}{sql}")).unwrap();
        forum
    }

    /// Four clients of two organisations, and what they write of each other.
    fn small() -> Self {
        Self::new(
            "INSERT INTO clients VALUES (1, 'Maud Ashworth', 'maud@ashworth.example', 'a', 'active'),
                (2, 'Theo Quillfeather', 'theo@quill.example', 'a', 'active'),
                (3, 'Ines Vandermolen', 'ines@molen.example', 'a', 'active'),
                (4, 'Otto Brandwijk', 'otto@brand.example', 'b', 'active');
            INSERT INTO comments VALUES (1, 2, 'Ask Maud Ashworth, maud@ashworth.example.'), (2, 3, 'I agree with Theo.'),
                (3, 3, 'Theo Quillfeather and Maud Ashworth were there.'), (4, 4, 'I know Maud Ashworth too.'),
                (5, 1, 'Nothing.'), (6, 2, NULL), (7, 3, x'ff00'), (8, 3, 'Maud is nice.');",
        )
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("forum.sqlite")
    }

    fn connect(&self) -> Connection {
        Connection::open(self.path()).unwrap()
    }

    fn ledger(&self) -> SqliteLedger {
        SqliteLedger::open(self.folder.path().join("ledger.sqlite")).unwrap()
    }

    fn store(&self) -> SqliteStore {
        SqliteStore::open(self.path(), &SqlMap::from_toml(MAP).unwrap()).unwrap()
    }

    fn engine_with(&self, around: impl Interfere + Clone) -> Engine {
        let texts = Faulty::new(self.store(), around.clone());
        self.builder_with(around).mentions(texts).build().unwrap()
    }

    fn builder_with(&self, around: impl Interfere + Clone) -> EngineBuilder {
        let keys = hosts::keys_beside(&self.folder.path().join("ledger.sqlite"));
        let policy = PolicyDocument::from_toml(POLICY).unwrap();
        let ledger = Faulty::new(self.ledger(), around.clone());
        Engine::builder(Faulty::new(self.store(), around), policy, ledger, keys)
            .clock(Arc::clone(&self.clock))
            .worker("one")
            .batch(3)
    }

    async fn engine(&self) -> Engine {
        let engine = self.engine_with(Tripwire::at(NEVER));
        engine.ensure_census().await.unwrap();
        engine
    }

    async fn ask(&self, engine: &Engine, id: &str) -> Outcome {
        let plan = approved(engine, &id.into(), &Asked::request()).await;
        engine.erase(plan).await.unwrap()
    }

    fn texts(&self) -> BTreeMap<i64, String> {
        let connection = self.connect();
        let mut statement = connection.prepare("SELECT id, quote(body) FROM comments").unwrap();
        statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect()
    }

    fn email(&self, id: i64) -> String {
        self.connect().query_row("SELECT email FROM clients WHERE id = ?1", [id], |row| row.get(0)).unwrap()
    }
}

fn waits(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Waiting { step: Step::Mentions, .. })
}

#[tokio::test]
async fn who_waits_is_taken_out_of_the_texts_of_others_and_then_erased() {
    let forum = Forum::small();
    let engine = forum.engine().await;
    let plan = hosts::plan(&engine, &"1".into(), &Asked::request()).await;
    let shown = plan.to_string();
    assert!(shown.contains("take the person out of the texts of others, in the next pass"), "{shown}");
    assert!(shown.contains("mention.comment      replaced by \"[gone]\""), "{shown}");
    let before = forum.texts();
    for id in ["1", "2"] {
        let outcome = forum.ask(&engine, id).await;
        assert!(waits(&outcome), "{outcome}");
    }
    assert_eq!(forum.texts(), before, "nothing is read before the pass");
    assert_eq!(forum.email(1), "maud@ashworth.example", "the row stays");
    let pass = engine.redact_mentions().await.unwrap();
    assert_eq!((pass.done, pass.left, pass.read), (2, 0, 7));
    let outcomes = engine.resumed().await;
    let certificates: Vec<_> = outcomes.iter().map(|outcome| outcome.certificate().unwrap()).collect();
    assert_eq!(certificates.len(), 2, "{outcomes:?}");
    let after = forum.texts();
    assert_eq!(after[&3], "'[gone] and [gone] were there.'");
    // Another organisation's, a name alone, bytes, and nothing.
    for id in [4, 7, 8] {
        assert_eq!(after[&id], before[&id], "{id}");
    }
    assert!(!after.contains_key(&1) && !after.contains_key(&5), "their own records go");
    let of = |changed| {
        certificates.iter().find(|found| found.mentions().unwrap().counts.changed == changed).unwrap()
    };
    let counts = of(2).mentions().unwrap();
    assert!(counts.exact);
    // Six texts of the organisation, one of which is bytes; `Maud` alone may be her.
    assert_eq!((counts.counts.read, counts.counts.unreadable, counts.counts.uncertain), (6, 1, 1));
    let shown = of(2).to_string();
    assert!(
        shown.contains("texts of others: 6 read, 2 changed, 1 mention not certain, 1 that cannot be read"),
        "{shown}"
    );
    assert_eq!(of(2).letter_facts().uncertain, 1);
    // A pass when nobody waits reads nothing.
    assert_eq!(engine.redact_mentions().await.unwrap().read, 0);
}

#[tokio::test]
async fn a_plan_reads_no_text_of_others() {
    let forum = Forum::small();
    let engine = forum.engine().await;
    // A plan would fail at bytes that it had to search.
    let plan = hosts::plan(&engine, &"1".into(), &Asked::request()).await;
    assert_eq!(plan.tally().classes["comment"].rows, 1, "her own");
}

#[tokio::test]
async fn a_pass_that_dies_anywhere_is_made_again() {
    let mut deaths = 0;
    let mut inexact = 0;
    for dies_at in 0.. {
        let forum = Forum::small();
        let engine = forum.engine().await;
        assert!(waits(&forum.ask(&engine, "1").await));
        assert!(waits(&forum.ask(&engine, "2").await));
        drop(engine);
        let wire = Tripwire::at(dies_at);
        let dying = forum.engine_with(Arc::clone(&wire));
        let survived = until_death(&wire, dying.redact_mentions()).await;
        drop(dying);
        let engine = forum.engine().await;
        engine.redact_mentions().await.unwrap();
        let outcomes = engine.resumed().await;
        assert_eq!(outcomes.len(), 2, "at {dies_at}: {outcomes:?}");
        for outcome in &outcomes {
            let certificate = outcome.certificate().unwrap_or_else(|| panic!("at {dies_at}: {outcome}"));
            inexact += usize::from(!certificate.mentions().unwrap().exact);
        }
        assert_eq!(forum.texts()[&3], "'[gone] and [gone] were there.'", "at {dies_at}");
        assert!(forum.ledger().list(None, 10).await.unwrap().is_empty());
        if survived.is_some() {
            break;
        }
        deaths += 1;
    }
    assert!(deaths > 10 && inexact > 0, "{deaths} boundaries, {inexact}");
}

#[tokio::test]
async fn a_text_that_is_held_for_somebody_else_stays_and_the_case_waits() {
    let forum = Forum::small();
    let engine = forum.engine().await;
    let by = Authority::new("operator-7", ["a".into()]);
    let hold = NewHold::on_customer("3", HoldGround::LegalClaim, "claim-1".parse().unwrap());
    let hold = engine.place_hold(&hold, &by).await.unwrap();
    let before = forum.texts();
    assert!(waits(&forum.ask(&engine, "1").await));
    let pass = engine.redact_mentions().await.unwrap();
    assert_eq!((pass.done, pass.left), (0, 1));
    assert_eq!(forum.texts()[&3], before[&3]);
    assert_eq!(forum.email(1), "maud@ashworth.example");
    engine.lift_hold(&hold.id, &by).await.unwrap();
    assert_eq!(engine.redact_mentions().await.unwrap().done, 1);
    assert!(matches!(&engine.resumed().await[..], [Outcome::Erased(_)]));
    assert_eq!(forum.texts()[&3], "'Theo Quillfeather and [gone] were there.'");
}

/// The bug: a hold on a class kept its records from treatments alone, and a hold that was placed during a pass counted from
/// the next pass on.
#[tokio::test]
async fn a_hold_on_a_class_of_texts_keeps_them_before_and_during_a_pass() {
    let by = Authority::new("operator-7", ["a".into(), "b".into()]);
    let code = || "claim-1".parse().unwrap();
    for on in [
        NewHold::on_tenant("a", HoldGround::LegalClaim, code()),
        NewHold::on_everything(HoldGround::LegalClaim, code()),
    ] {
        let forum = Forum::small();
        let engine = forum.engine().await;
        let before = forum.texts();
        assert!(waits(&forum.ask(&engine, "1").await));
        let hold = engine.place_hold(&on.classes(["comment"]), &by).await.unwrap();
        engine.redact_mentions().await.unwrap();
        assert_eq!(forum.texts(), before);
        engine.lift_hold(&hold.id, &by).await.unwrap();
        assert_eq!(engine.redact_mentions().await.unwrap().done, 1);
        assert_ne!(forum.texts(), before);
    }
    // Placed by another process when the pass has read its first part.
    let forum = Forum::small();
    let holding = Holding { store: forum.store(), engine: forum.engine().await };
    let engine = forum.builder_with(Tripwire::at(NEVER)).mentions(holding).build().unwrap();
    assert!(waits(&forum.ask(&engine, "1").await));
    let pass = engine.redact_mentions().await.unwrap();
    assert_eq!((pass.done, pass.left), (0, 1));
    assert_eq!(forum.email(1), "maud@ashworth.example");
    assert!(
        forum.texts()[&1].contains("[gone]") && forum.texts()[&3].contains("Maud Ashworth"),
        "{:?}",
        forum.texts()
    );
}

/// Reads one text at a time, and holds the person when the first part is done.
#[derive(Debug)]
struct Holding {
    store: SqliteStore,
    engine: Engine,
}

#[async_trait]
impl RedactMentions for Holding {
    async fn redact_mentions(
        &self,
        request: &MentionsRequest,
        after: Option<&Cursor>,
    ) -> Result<MentionsPart, StoreError> {
        let part = self.store.redact_mentions(&request.clone().rows(1), after).await?;
        if after.is_none() {
            let hold = NewHold::on_customer("1", HoldGround::LegalClaim, "claim-1".parse().unwrap());
            self.engine.place_hold(&hold, &Authority::new("operator-7", ["a".into()])).await.unwrap();
        }
        Ok(part)
    }
}

#[tokio::test]
async fn a_text_that_cannot_be_written_blocks_whom_it_mentions_and_nobody_else() {
    let forum = Forum::small();
    forum
        .connect()
        .execute_batch("UPDATE comments SET body = 'Only Maud Ashworth was there.' WHERE id = 3")
        .unwrap();
    let trigger = "CREATE TRIGGER locked BEFORE UPDATE ON comments WHEN old.id = 3 BEGIN SELECT raise(ABORT, 'locked'); END";
    let engine = forum.engine().await;
    assert!(waits(&forum.ask(&engine, "1").await));
    assert!(waits(&forum.ask(&engine, "2").await));
    drop(engine);
    forum.connect().execute_batch(trigger).unwrap();
    let map = format!("{MAP}[ignore.triggers]\nlocked = 'a thread that is locked'\n");
    let store = Arc::new(SqliteStore::open(forum.path(), &SqlMap::from_toml(&map).unwrap()).unwrap());
    let mut people = Vec::new();
    for identifiers in store.identifiers(&["1".into(), "2".into()]).await.unwrap() {
        let with = BTreeMap::from([("comment".into(), "[gone]".to_owned())]);
        people.push(Mentioned::new("a", identifiers.unwrap(), with));
    }
    let request = MentionsRequest::new(&people).unwrap();
    let part = store.redact_mentions(&request, None).await.unwrap();
    assert_eq!(part.of[&0].refused, 1, "{part:?}");
    assert_eq!(part.of[&0].changed, 1, "the other text is written");
    assert!(part.of.get(&1).is_none_or(|counts| counts.refused == 0));
    let refused = part.refused.unwrap();
    assert!(refused.contains("locked") && !refused.contains("Ashworth"), "{refused}");
}

#[tokio::test]
async fn a_worker_makes_the_pass_at_the_time_that_the_host_names() {
    let forum = Forum::small();
    let engine = forum.engine().await;
    assert!(waits(&forum.ask(&engine, "1").await));
    let mut worker = engine.worker().redact_mentions_daily(hosts::now() + TimeDelta::hours(10));
    let turned = worker.turn().await.unwrap();
    assert_eq!((turned.redacted, turned.waiting), (0, 1));
    // It is no failure to wait, however long it lasts.
    forum.clock.turn(TimeDelta::hours(11));
    let turned = worker.turn().await.unwrap();
    assert_eq!((turned.redacted, turned.ended), (1, 1));
}

#[test]
fn a_map_and_a_policy_say_what_is_wrong_with_mentions() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("forum.sqlite");
    Connection::open(&path).unwrap().execute_batch(SCHEMA).unwrap();
    let map = |mentions: &str| {
        let start = MAP.split("[mentions").next().unwrap();
        let map = SqlMap::from_toml(&format!("{start}[mentions]\n{mentions}"))
            .map_err(|problems| problems.to_string())?;
        SqliteStore::open(&path, &map).map_err(|error| error.to_string())
    };
    for (mentions, part) in [
        ("coment = 'body'", "mentions.coment: is no record class of this map"),
        ("comment = 'boddy'", "names boddy, which is no column of comments"),
        ("comment = 'id'", "names id, which is a document, a key, unique or computed"),
        ("comment = 'body'", "does not say to which tenant a text belongs"),
        ("comment = 7", "mentions.comment"),
    ] {
        let found = map(mentions).map(|_| ()).unwrap_err();
        assert!(found.contains(part), "{part} is missing in\n{found}");
    }
    let store = map("comment = { fields = 'body', tenant = { sql = \"SELECT 'a'\" } }").unwrap();
    let rule = |line: &str| {
        let policy = POLICY.replace("mention.comment = { redact = \"[gone]\" }", line);
        let policy = PolicyDocument::from_toml(&policy).map_err(|problems| problems.to_string())?;
        policy
            .check(relinquish::RecordStore::data_map(&store))
            .map(|_| ())
            .map_err(|problems| problems.to_string())
    };
    rule("mention.comment = { keep = 'they are quoted in print' }").unwrap();
    for (line, part) in [
        ("", "treatments.clear.mention.comment: is not covered"),
        ("mention.comment = 'redact'", "treatments.clear.mention.comment"),
        ("mention.comment = { redact = 'a', keep = 'b' }", "is no rule for the texts of others"),
        (
            "mention = { comment = { redact = 'a' }, coment = { redact = 'a' } }",
            "mention.coment: is no class whose texts",
        ),
    ] {
        let found = rule(line).unwrap_err();
        assert!(found.contains(part), "{part} is missing in\n{found}");
    }
    let keys = hosts::keys();
    let policy = PolicyDocument::from_toml(POLICY).unwrap();
    let found = Engine::builder(store, policy, relinquish::MemoryLedger::new(), keys)
        .build()
        .unwrap_err()
        .to_string();
    assert!(
        found.contains("mention.comment: needs a store that can take people out of the texts of others"),
        "{found}"
    );
}

/// People planted in texts: who is sought is taken out, and no other byte changes.
struct Planted {
    sql: String,
    people: Vec<(String, String)>,
    /// Before, and as it has to be afterwards.
    texts: BTreeMap<i64, (String, String)>,
    sought: usize,
}

const SYLLABLES: [&str; 16] = [
    "bran", "quil", "vor", "zeth", "mok", "tarv", "lund", "yrs", "pell", "gorn", "stav", "wex", "hald",
    "firn", "ulv", "krog",
];

const FILLERS: [&str; 6] = ["äpple", "{\"key\": 1}", "'quoted'", "order 17", "\u{1f600}", "ab\\cd"];

fn planted(rng: &mut Rng) -> Planted {
    let mut people = Vec::new();
    while people.len() < 12 {
        let mut word = |n: usize| {
            let text: String = (0..n).map(|_| *rng.choice(&SYLLABLES).unwrap()).collect();
            text[..1].to_uppercase() + &text[1..]
        };
        let (name, n) = (format!("{} {}", word(2), word(3)), people.len());
        let email = format!("p{n}.{}@example.org", word(2).to_lowercase());
        if people.iter().all(|(other, _)| *other != name) {
            people.push((name, email));
        }
    }
    let sought = 5;
    let mut texts = BTreeMap::new();
    for id in 1..60 {
        let (mut before, mut after) = (String::new(), String::new());
        for _ in 0..rng.usize(1..6) {
            let (person, is_email) = (rng.usize(0..people.len()), rng.bool());
            let (name, email) = &people[person];
            let other = *rng.choice(&FILLERS).unwrap();
            let is_person = rng.u32(0..3) == 0;
            let said = if !is_person {
                other
            } else if is_email {
                email
            } else {
                name
            };
            before += said;
            after += if is_person && person < sought { "[gone]" } else { said };
            let gap = *rng.choice(&["; then ", " -- ", "\nnext: "]).unwrap();
            before += gap;
            after += gap;
        }
        texts.insert(id, (before, after));
    }
    let mut sql = String::new();
    for (n, (name, email)) in people.iter().enumerate() {
        write!(sql, "INSERT INTO clients VALUES ({}, '{name}', '{email}', 'a', 'active');", n + 1).unwrap();
    }
    for (id, (before, _)) in &texts {
        write!(sql, "INSERT INTO comments VALUES ({id}, 12, '{}');", before.replace('\'', "''")).unwrap();
    }
    Planted { sql, people, texts, sought }
}

impl Planted {
    fn request(&self) -> MentionsRequest {
        let with = BTreeMap::from([("comment".into(), "[gone]".to_owned())]);
        let people = self.people[..self.sought].iter().map(|(name, email)| {
            let mut all = Identifiers::new();
            all.insert(Kind::Name, name.as_str());
            all.insert(Kind::Email, email.as_str());
            Mentioned::new("a", all, with.clone())
        });
        MentionsRequest::new(&people.collect::<Vec<_>>()).unwrap()
    }

    /// What a store does wrong with these texts, if anything.
    async fn fault(&self, forum: &Forum, texts: &dyn RedactMentions, rows: usize) -> Option<String> {
        let request = self.request().rows(rows);
        let mut after = None;
        let (mut changed, mut read) = (0, 0);
        loop {
            let part = texts.redact_mentions(&request, after.as_ref()).await.unwrap();
            read += part.read.values().sum::<u64>();
            changed += part.of.values().map(|counts| counts.changed).sum::<u64>();
            after = part.next;
            if after.is_none() {
                break;
            }
        }
        let connection = forum.connect();
        for (id, (before, after)) in &self.texts {
            let now: String = connection
                .query_row("SELECT body FROM comments WHERE id = ?1", [id], |row| row.get(0))
                .unwrap();
            if now != *after {
                return Some(format!("text {id}\nwas {before:?}\nis  {now:?}\nnot {after:?}"));
            }
        }
        let mentions = self.texts.values().filter(|(before, after)| before != after).count() as u64;
        (read != self.texts.len() as u64 || changed < mentions)
            .then(|| format!("{read} read, {changed} changed"))
    }
}

#[tokio::test]
async fn whoever_is_planted_in_texts_of_others_is_taken_out_and_no_other_byte_changes() {
    for seed in 0..60 {
        let mut rng = Rng::with_seed(seed);
        let planted = planted(&mut rng);
        let forum = Forum::new(&planted.sql);
        let store = forum.store();
        let rows = rng.usize(1..25);
        assert_eq!(planted.fault(&forum, &store, rows).await, None, "seed {seed}");
        // Again changes nothing.
        let before = forum.texts();
        store.redact_mentions(&planted.request(), None).await.unwrap();
        assert_eq!(forum.texts(), before, "seed {seed}");
    }
}

/// Saboteurs of the pass: one writes one text too many, one leaves out the first row of each page, one stops early.
#[derive(Debug)]
struct Wrong(SqliteStore, PathBuf, u32);

#[async_trait]
impl RedactMentions for Wrong {
    async fn redact_mentions(
        &self,
        request: &MentionsRequest,
        after: Option<&Cursor>,
    ) -> Result<MentionsPart, StoreError> {
        let connection = Connection::open(&self.1).unwrap();
        let first = "SELECT id, body FROM comments ORDER BY id LIMIT 1";
        let (id, body): (i64, String) =
            connection.query_row(first, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        let mut part = self.0.redact_mentions(request, after).await?;
        match self.2 {
            0 => drop(
                connection.execute("UPDATE comments SET body = body || ' ' WHERE id = ?1", [id]).unwrap(),
            ),
            1 => drop(connection.execute("UPDATE comments SET body = ?2 WHERE id = ?1", (id, body)).unwrap()),
            _ => part.next = None,
        }
        Ok(part)
    }
}

#[tokio::test]
async fn a_pass_that_changes_too_much_or_too_little_is_found_out() {
    for wrong in 0..3 {
        let mut found = 0;
        for seed in 0..10 {
            let planted = planted(&mut Rng::with_seed(seed));
            let forum = Forum::new(&planted.sql);
            let store = Wrong(forum.store(), forum.path(), wrong);
            found += usize::from(planted.fault(&forum, &store, 7).await.is_some());
        }
        assert!(found > 0, "saboteur {wrong}");
    }
}

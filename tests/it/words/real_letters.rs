//! Confirmations of real cases. Each sentence is held against the rows of the database before and after, the draw of the
//! policy, and the profile at the gateway. Nothing here reads the certificate.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Duration;

use chrono::{Datelike, NaiveDate};
use fastrand::Rng;
use relinquish::anonymise::Reveals;
use relinquish::case::RecipientOutcome;
use relinquish::customer::CustomerId;
use relinquish::data_map::NotCovered;
use relinquish::gateway::MemoryGateway;
use relinquish::plan::Authority as Operator;
use relinquish::plan::letter::{
    self, Authority, Controller, Fact, Language, Letterhead, Lingering, Recipients, Request, Told,
    ToldGateway, ToldRecipient, WhatWasTold,
};
use relinquish::policy::PrivacyLaw;
use relinquish::recipient::{FunctionRecipient, ManualRecipient, Notice, RecipientError};
use relinquish::testing::{ManualClock, RepeatableEntropy};
use relinquish::treatment::{Lead, RecordAction, Residue};
use relinquish::{Asked, Engine, MemoryLedger, Outcome, PolicyDocument, SqlMap, SqliteStore};
use rusqlite::Connection;

use super::true_letters::{CLASSES, Wanted, faults, lines, said, title, written};
use crate::hosts::{self, BuildCounted as _};

/// What the policy does with a class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Does {
    Delete,
    /// Keeps the day as it is.
    KeepsField,
    /// Keeps the year of the day.
    KeepsYear,
    Anonymise,
    Keep,
}

/// What becomes of the person's data at the search index, a recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Search {
    Confirms,
    Keeps,
    /// The index refuses, and an operator leaves the step out.
    Refuses,
    ByHand,
    /// The policy tells the index nothing.
    NotTold,
}

/// A data protection law: its name, a statute under it with the years that it keeps a record, and how the articles are
/// cited in each language.
#[derive(Clone, Copy, Debug)]
struct Law {
    name: &'static str,
    statute: &'static str,
    years: i32,
    ground: [&'static str; 3],
    remedy: &'static str,
}

const LAWS: [Law; 3] = [
    Law {
        name: "gdpr",
        statute: "SE/BFL/7:2",
        years: 7,
        ground: ["Art. 17(3)(b) GDPR", "artikel 17.3 b i GDPR", "Art. 17 Abs. 3 Buchst. b DSGVO"],
        remedy: "77",
    },
    Law {
        name: "uk_gdpr",
        statute: "UK/TAX",
        years: 6,
        ground: ["Art. 17(3)(b) UK GDPR", "artikel 17.3 b i UK GDPR", "Art. 17 Abs. 3 Buchst. b UK GDPR"],
        remedy: "164A",
    },
    Law {
        name: "fadp",
        statute: "CH/OR/958f",
        years: 10,
        ground: ["Art. 31(1) FADP", "artikel 31.1 i den schweiziska dataskyddslagen", "Art. 31 Abs. 1 DSG"],
        remedy: "49",
    },
];

fn of_language(texts: [&'static str; 3], language: Language) -> &'static str {
    match language {
        Language::Swedish => texts[1],
        Language::German => texts[2],
        _ => texts[0],
    }
}

/// One draw: what the policy does with each class, and which rows the person has.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is drawn for itself")]
struct Drawn {
    does: BTreeMap<&'static str, Does>,
    /// The days of the person's rows. `None`: the day cannot be read.
    rows: BTreeMap<&'static str, Vec<Option<NaiveDate>>>,
    /// Whether a duty keeps the first class.
    duty: bool,
    erases_profile: bool,
    has_profile: bool,
    law: Law,
    /// The customer's own row is deleted, and so is everything else.
    deletes_root: bool,
    /// The person's messages. `true`: the other customer has the message, too.
    messages: Vec<bool>,
    deletes_messages: bool,
    search: Search,
}

const CHILDREN: [&str; 3] = ["alpha", "bravo", "charlie"];

fn draw(rng: &mut Rng) -> Drawn {
    let kinds = [Does::Delete, Does::KeepsField, Does::KeepsYear, Does::Anonymise, Does::Keep];
    let deletes_root = rng.u32(0..4) == 0;
    let does = |rng: &mut Rng| if deletes_root { Does::Delete } else { *rng.choice(&kinds).unwrap() };
    let does: BTreeMap<_, _> = CHILDREN.iter().map(|class| (*class, does(rng))).collect();
    let day = |rng: &mut Rng| {
        let year = if rng.bool() { rng.i32(2001..2016) } else { rng.i32(2021..2026) };
        (rng.u32(0..4) > 0).then(|| NaiveDate::from_ymd_opt(year, 3, 14).unwrap())
    };
    let rows = CHILDREN.map(|class| (class, (0..rng.usize(0..4)).map(|_| day(rng)).collect()));
    let duty = rng.bool() && does["alpha"] != Does::Keep;
    let searches = [Search::Confirms, Search::Keeps, Search::Refuses, Search::ByHand, Search::NotTold];
    Drawn {
        does,
        rows: rows.into(),
        duty,
        erases_profile: rng.bool(),
        has_profile: rng.bool(),
        law: *rng.choice(&LAWS).unwrap(),
        deletes_root,
        messages: (0..rng.usize(0..3)).map(|_| rng.bool()).collect(),
        deletes_messages: deletes_root || rng.bool(),
        search: *rng.choice(&searches).unwrap(),
    }
}

impl Drawn {
    /// Whether the duty keeps a row of this day on the day of the tests, in November 2026.
    fn is_kept(&self, class: &str, day: Option<NaiveDate>) -> bool {
        self.duty && class == "alpha" && day.is_none_or(|day| day.year() + self.law.years >= 2026)
    }

    fn policy(&self) -> String {
        let mut text = String::from(
            "version = 1\nsweep = false\ntriggers.requested = { treatment = 't' }\n\
             anonymise = { name = 'remove', birth_date = 'remove', payment_profile = 'remove' }\n\
             guards = { active_subscription = { ignore = 'x' }, several_tenants = { ignore = 'x' }, not_archived = { ignore = 'x' } }\n",
        );
        let (law, customer) = (self.law.name, if self.deletes_root { "delete" } else { "anonymise" });
        let messages = if self.deletes_messages { "delete" } else { "anonymise" };
        let search = if self.search == Search::NotTold { "{ impossible = 'refunds' }" } else { "'tell'" };
        write!(
            text,
            "privacy_law = '{law}'\ntreatments.t.customer = '{customer}'\ntreatments.t.delta = '{messages}'\n\
             treatments.t.recipient.search = {search}\n"
        )
        .unwrap();
        for (class, does) in &self.does {
            let does = match does {
                Does::Delete => "'delete'".to_owned(),
                Does::Anonymise => "'anonymise'".to_owned(),
                Does::Keep => "{ keep = 'statistics' }".to_owned(),
                Does::KeepsField => {
                    format!("{{ action = 'anonymise', keep = {{ field{class} = 'refunds' }} }}")
                }
                Does::KeepsYear => {
                    format!(
                        "{{ action = 'anonymise', fields = {{ field{class} = {{ generalise = 'year' }} }} }}"
                    )
                }
            };
            writeln!(text, "treatments.t.{class} = {does}").unwrap();
        }
        let gateway = if self.erases_profile { "'erase'" } else { "{ keep = 'theft' }" };
        writeln!(text, "treatments.t.gateway.stripe = {gateway}").unwrap();
        if self.duty {
            writeln!(
                text,
                "duties.books = {{ classes = 'alpha', statute = '{}', from = 'made', needs = [] }}",
                self.law.statute
            )
            .unwrap();
        }
        for language in [Language::Swedish, Language::German] {
            for class in CHILDREN.iter().chain(&["customer", "delta"]) {
                writeln!(text, "words.{language}.names.{class} = '{}'", said(language, class)).unwrap();
                let field = format!("field{class}");
                writeln!(text, "words.{language}.names.{field} = '{}'", said(language, &field)).unwrap();
            }
            for reason in ["statistics", "refunds", "theft"] {
                writeln!(text, "words.{language}.texts.{reason} = '{}'", said(language, reason)).unwrap();
            }
        }
        text
    }

    fn map() -> String {
        let mut map = String::from(
            "version = 1\n[customers]\ntable = 'people'\nkey = 'id'\ntenant = { is = 'desk' }\n\
             status = { sql = \"'active'\", active = 'active' }\ndeactivate = { none = 'no such status' }\n\
             gateways = { stripe = 'stripe' }\nfields = { name = 'name' }\n\
             [recipients]\nsearch = 'key'\n\
             [records.delta]\ntable = 'deltas'\nkey = 'id'\nshared = ['person', 'other']\n\
             ends = { person = 'clear', other = 'clear' }\n\
             fields = { name = 'name', fielddelta = 'birth_date' }\n",
        );
        for class in CHILDREN {
            writeln!(
                map,
                "[records.{class}]\ntable = '{class}s'\nkey = 'id'\nowner = 'person'\n\
                 fields = {{ name = 'name', field{class} = 'birth_date', made = 'not personal' }}"
            )
            .unwrap();
        }
        map
    }

    fn schema(&self) -> String {
        let mut sql = String::from(
            "CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT NOT NULL, stripe TEXT);
             INSERT INTO people VALUES (1, 'Sigrid Holmvik', NULL), (2, 'Bo Lindqvist', NULL);
             CREATE TABLE deltas (id INTEGER PRIMARY KEY, person INTEGER REFERENCES people,
                other INTEGER REFERENCES people, name TEXT, fielddelta DATE);
             INSERT INTO deltas VALUES (99, NULL, 2, 'Bo Lindqvist', '1970-02-03');",
        );
        for (n, is_shared) in self.messages.iter().enumerate() {
            let other = if *is_shared { "2" } else { "NULL" };
            write!(sql, "INSERT INTO deltas VALUES ({n}, 1, {other}, 'Sigrid Holmvik', '1984-05-1{n}');")
                .unwrap();
        }
        if self.has_profile {
            sql.push_str("UPDATE people SET stripe = 'cus_1' WHERE id = 1;");
        }
        for (class, rows) in &self.rows {
            write!(
                sql,
                "CREATE TABLE {class}s (id INTEGER PRIMARY KEY, person INTEGER NOT NULL REFERENCES people, name TEXT,
                    field{class} DATE, made TEXT);
                 INSERT INTO {class}s VALUES (99, 2, 'Bo Lindqvist', '1970-02-03', '2024-01-01');"
            )
            .unwrap();
            for (n, day) in rows.iter().enumerate() {
                let made = day.map_or_else(|| "one day".to_owned(), |day| day.to_string());
                write!(
                    sql,
                    "INSERT INTO {class}s VALUES ({n}, 1, 'Sigrid Holmvik', '1984-05-1{n}', '{made}');"
                )
                .unwrap();
            }
        }
        sql
    }
}

/// What a real case left in the database.
struct Seen {
    /// The person's rows of each class afterwards, and how many of them still have the name.
    after: BTreeMap<&'static str, (u64, u64)>,
    /// The person's messages, and how many of them still have the name.
    messages: (u64, u64),
    /// Whether the person's own row is there.
    has_row: bool,
}

/// Runs the case. Its facts for a letter, and what the database shows.
async fn run(drawn: &Drawn) -> (Engine, Told, Seen) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("desk.sqlite");
    let connection = Connection::open(&path).unwrap();
    connection.execute_batch(&drawn.schema()).unwrap();
    let store = SqliteStore::open(&path, &SqlMap::from_toml(&Drawn::map()).unwrap()).unwrap();
    let gateway = MemoryGateway::new("stripe");
    gateway.insert("cus_1", Some(CustomerId::from("1")), 0);
    let policy = PolicyDocument::from_toml(&drawn.policy()).unwrap_or_else(|error| panic!("{error}"));
    let search = drawn.search;
    let answer = move |_: Notice| async move {
        let retained = RecipientOutcome::Retained { what: "a log".to_owned(), until: None };
        let refused = RecipientOutcome::Refused { reason: "closed".to_owned() };
        Ok::<_, RecipientError>(match search {
            Search::Keeps => retained,
            Search::Refuses => refused,
            _ => RecipientOutcome::Confirmed,
        })
    };
    let builder = Engine::builder(store, policy, MemoryLedger::new(), hosts::keys());
    let builder = if search == Search::ByHand {
        builder.recipient(ManualRecipient::new("search", "ask the library"))
    } else {
        builder.recipient(FunctionRecipient::new("search", Duration::from_secs(1), answer))
    };
    let engine = builder
        .clock(ManualClock::at(hosts::now()))
        .entropy(RepeatableEntropy::new(3))
        .gateway(gateway)
        .counted()
        .unwrap_or_else(|error| panic!("{error}"));
    let mut outcome =
        engine.erase(hosts::approved(&engine, &"1".into(), &Asked::request()).await).await.unwrap();
    if let Outcome::Blocked { case, step, .. } = &outcome {
        let (by, reference) = (Operator::new("operator-7", ["desk".into()]), "ticket-1".parse().unwrap());
        outcome = match search {
            Search::Refuses => engine.waive(case, step.clone(), &by, reference).await.unwrap(),
            Search::ByHand => engine.done_by_hand(case, step.clone(), &by, reference).await.unwrap(),
            _ => panic!("{outcome}"),
        };
    }
    let told = outcome.certificate().unwrap_or_else(|| panic!("{outcome}")).letter_facts();
    let count = |class: &str, and: &str| {
        let sql = format!("SELECT count(*) FROM {class}s WHERE person = 1 {and}");
        u64::try_from(hosts::sum(&path, &sql)).unwrap()
    };
    let named = "AND name = 'Sigrid Holmvik'";
    let after = CHILDREN.map(|class| (class, (count(class, ""), count(class, named)))).into();
    let messages = |and: &str| {
        let sql = format!("SELECT count(*) FROM deltas WHERE id < 90 {and}");
        u64::try_from(hosts::sum(&path, &sql)).unwrap()
    };
    let messages = (messages(""), messages(named));
    let has_row = hosts::sum(&path, "SELECT count(*) FROM people WHERE id = 1") == 1;
    (engine, told, Seen { after, messages, has_row })
}

/// A number of records.
fn counted(n: u64) -> String {
    format!(" ({n} ")
}

/// What the person has a right to know, read from the database and from the draw.
#[expect(clippy::too_many_lines, reason = "one fact after another, in the order of the letter")]
fn right_to_know(drawn: &Drawn, seen: &Seen, told: &Told, language: Language) -> (Wanted, Residue) {
    let today = NaiveDate::from_ymd_opt(2026, 11, 21).unwrap();
    let received = NaiveDate::from_ymd_opt(2026, 10, 30).unwrap();
    let date = |day| vec![written(language, day)];
    let mut wanted: Wanted = vec![
        (Fact::Date(today), date(today)),
        (Fact::Reference, vec!["R-1".to_owned()]),
        (Fact::Controller, Vec::new()),
        (Fact::Received(received), date(received)),
        (Fact::CarriedOut(today), date(today)),
    ];
    let of_customer = vec![format!("**{}**", said(language, "customer")), counted(1)];
    let is_root_deleted = drawn.deletes_root && !seen.has_row;
    wanted.push(if is_root_deleted {
        (Fact::Deleted("customer".into()), of_customer.clone())
    } else {
        (Fact::Cleared("customer".into()), of_customer.clone())
    });
    let mut leads: Vec<(Lead, Vec<String>)> = Vec::new();
    let mut refuses = false;
    for class in CHILDREN {
        let (does, rows) = (drawn.does[class], &drawn.rows[class]);
        let name = said(language, class);
        let with = |more: &[String]| [&[format!("**{name}**")][..], more].concat();
        let (after, named) = seen.after[class];
        let gone = rows.len() as u64 - after;
        let kept: Vec<_> = rows.iter().filter(|day| drawn.is_kept(class, **day)).collect();
        let treated = rows.len() as u64 - kept.len() as u64;
        let (field, of) = (format!("field{class}"), |field: &str| said(language, field));
        let lead_class = |while_kept| Lead::Class { class: class.into(), while_kept, names: true };
        match does {
            Does::Delete => assert_eq!(gone, treated, "what no duty keeps is deleted"),
            Does::Keep => assert_eq!((gone, named), (0, after), "kept unchanged"),
            _ => assert_eq!((gone, named), (0, kept.len() as u64), "only what a duty keeps has the name"),
        }
        if does == Does::Keep && after > 0 {
            wanted.push((Fact::Kept(class.into()), with(&[counted(after), of("statistics")])));
            leads.push((lead_class(false), vec![name.clone()]));
            refuses = true;
        } else if does == Does::Delete && gone > 0 {
            wanted.push((Fact::Deleted(class.into()), with(&[counted(gone)])));
        } else if does != Does::Keep && does != Does::Delete && treated > 0 {
            wanted.push((Fact::Cleared(class.into()), with(&[counted(treated)])));
            let about = |part: &str| vec![of(&field), name.clone(), part.to_owned()];
            if does == Does::KeepsField {
                let fact = Fact::KeptField(class.into(), field.as_str().into());
                wanted.push((fact, about(&of("refunds"))));
                let (field, is_name) = (field.as_str().into(), false);
                let lead = Lead::Field { class: class.into(), field, while_kept: false, names: is_name };
                leads.push((lead, about("")));
                refuses = true;
            } else if does == Does::KeepsYear {
                let year = match language {
                    Language::Swedish => "(året)",
                    Language::German => "(das Jahr)",
                    _ => "(the year)",
                };
                wanted.push((Fact::GeneralField(class.into(), field.as_str().into()), about(year)));
            }
        }
        if kept.is_empty() {
            continue;
        }
        refuses = true;
        let undated = kept.iter().filter(|day| day.is_none()).count() as u64;
        let last = kept.iter().filter_map(|day| **day).max();
        let until = last.map(|day| NaiveDate::from_ymd_opt(day.year() + drawn.law.years, 12, 31).unwrap());
        let dated = kept.len() as u64 - undated;
        let told_rows = if dated > 0 { dated } else { undated };
        let mut parts = vec![counted(told_rows), of_language(drawn.law.ground, language).to_owned()];
        parts.extend(until.map(|day| written(language, day)));
        wanted.push((Fact::Deferred(class.into()), with(&parts)));
        if undated > 0 {
            wanted.push((Fact::Undated(class.into()), with(&[counted(undated)])));
        }
        if until.is_some() {
            let known = match language {
                Language::Swedish => ", där den sista dagen är känd",
                Language::German => ", soweit der letzte Tag bekannt ist",
                _ => ", where the last day is known",
            };
            let known = (undated > 0).then(|| known.to_owned());
            wanted.push((Fact::Afterwards(class.into()), with(&known.into_iter().collect::<Vec<_>>())));
        }
        let mut parts = vec![name.clone()];
        let until = until.filter(|_| undated == 0).map(|day| written(language, day));
        parts.extend(until.clone());
        leads.push((lead_class(true), parts));
        if drawn.deletes_root {
            // The kept records need the customer's own row.
            assert!(seen.has_row);
            let parts = of_customer.iter().cloned().chain(until);
            wanted.push((Fact::Needed("customer".into()), parts.collect()));
        }
    }
    let name = said(language, "delta");
    let shared = drawn.messages.iter().filter(|is_shared| **is_shared).count() as u64;
    let own = drawn.messages.len() as u64 - shared;
    let stay = if drawn.deletes_messages { shared } else { shared + own };
    assert_eq!(seen.messages, (stay, shared), "what somebody else has, too, stays as it is");
    if own > 0 {
        let parts = vec![format!("**{name}**"), counted(own)];
        let class = "delta".into();
        wanted
            .push((if drawn.deletes_messages { Fact::Deleted(class) } else { Fact::Cleared(class) }, parts));
    }
    if shared > 0 {
        wanted.push((Fact::Shared("delta".into()), vec![format!("**{name}**"), counted(shared)]));
        leads.push((Lead::Shared { class: "delta".into(), names: true }, vec![name]));
        refuses = true;
    }
    let what = match drawn.search {
        Search::Confirms => WhatWasTold::Told,
        Search::Keeps => WhatWasTold::Retained { until: None },
        Search::Refuses => WhatWasTold::Unconfirmed,
        Search::ByHand => WhatWasTold::ByHand,
        Search::NotTold => WhatWasTold::NotTold { reason: "refunds".to_owned() },
    };
    let mut parts = vec!["search".to_owned()];
    if drawn.search == Search::NotTold {
        parts.push(said(language, "refunds"));
    }
    let recipient = ToldRecipient::new("search", what);
    wanted.push((Fact::Recipient(recipient.clone()), parts));
    let is_left_there = matches!(drawn.search, Search::Keeps | Search::Refuses);
    if is_left_there {
        wanted.push((Fact::LeftAtRecipient(recipient), vec!["search".to_owned()]));
    }
    if drawn.has_profile {
        let gateway = "stripe".into();
        let (fact, reason) = if drawn.erases_profile {
            (ToldGateway::Erased { gateway }, None)
        } else {
            leads.push((Lead::Gateway("stripe".into()), vec!["stripe".to_owned()]));
            refuses = true;
            (ToldGateway::Kept { gateway, reason: "theft".to_owned() }, Some(said(language, "theft")))
        };
        // It is a recipient, too.
        let parts = ["stripe".to_owned()].into_iter().chain(reason).collect();
        wanted.push((Fact::Gateway(fact.clone()), parts));
        wanted.push((Fact::Gateway(fact), vec!["stripe".to_owned()]));
    }
    if refuses {
        wanted.push((Fact::RefusedInPart, Vec::new()));
    }
    let names = leads.iter().any(|(lead, _)| lead.names_person()) || is_left_there;
    let residue = if names {
        Residue::InPart
    } else if seen.has_row {
        Residue::Pseudonymous
    } else if own > 0 && !drawn.deletes_messages {
        Residue::Anonymous
    } else {
        Residue::Nothing
    };
    wanted.push((Fact::Left(residue), Vec::new()));
    if seen.has_row {
        // The row of the customer stays, and has the key.
        let (mut classes, mut while_kept) = (BTreeSet::new(), BTreeSet::new());
        if drawn.deletes_root { &mut while_kept } else { &mut classes }.insert("customer".into());
        leads.push((Lead::Token { classes, while_kept }, Vec::new()));
    }
    wanted.extend(leads.into_iter().map(|(lead, parts)| (Fact::Lead(lead), parts)));
    for what in &told.not_covered {
        assert!(
            matches!(what, NotCovered::Mentions | NotCovered::OtherSystems | NotCovered::Backups),
            "{what}"
        );
        if *what != NotCovered::Backups {
            wanted.push((Fact::NotCovered(what.clone()), Vec::new()));
        }
    }
    wanted.push((Fact::Backups(Lingering::Days(30)), vec!["30".to_owned()]));
    if told.old_bytes {
        wanted.push((Fact::OldBytes, Vec::new()));
    }
    wanted.push((Fact::Rights, Vec::new()));
    wanted.push((Fact::Remedies, vec![drawn.law.remedy.to_owned()]));
    (wanted, residue)
}

/// The title of the letter, and its lines.
fn tell(engine: &Engine, told: &Told, language: Language) -> (String, Vec<(Fact, String)>) {
    let controller = Controller::new("Berg & Son", "1 High Street");
    let authority = Authority::new("the Authority", "2 High Street");
    let head = Letterhead::new(engine.policy(), language, controller, authority, told.on).unwrap();
    let head = head.with_backups(Lingering::Days(30)).with_recipients(Recipients::Named);
    let request = Request::new("R-1", NaiveDate::from_ymd_opt(2026, 10, 30).unwrap());
    let letter = letter::confirmation(&head, Some(&request), told).unwrap();
    (letter.lines().next().unwrap().1.to_owned(), lines(&letter))
}

/// What is broken on purpose. `false`: the case has nothing of the kind.
type Saboteur = (&'static str, fn(&mut Told) -> bool);

fn changed<'t, T: 't>(found: impl Iterator<Item = &'t mut T>, change: impl Fn(&mut T)) -> bool {
    found.map(change).count() > 0
}

const SABOTEURS: [Saboteur; 16] = [
    ("a class without rows is told as kept", |told| {
        let empty = told.classes.iter_mut().filter(|of| of.left == Some(0));
        changed(empty.filter(|of| matches!(of.action, RecordAction::Keep { .. })), |of| of.left = None)
    }),
    ("a class without rows is called a lead", |told| {
        let class = told.classes.iter().find(|of| of.left == Some(0) && of.deferred.is_none());
        let Some(class) = class.map(|of| of.class.clone()) else { return false };
        told.leads.push(Lead::Class { class, while_kept: false, names: true });
        true
    }),
    ("the deletion of undated records is promised", |told| {
        let deferred = told.classes.iter_mut().filter_map(|of| of.deferred.as_mut());
        changed(deferred.filter(|of| of.undated > 0), |of| of.undated = 0)
    }),
    ("an end is made up", |told| {
        let on = told.on;
        let deferred = told.classes.iter_mut().filter_map(|of| of.deferred.as_mut());
        changed(deferred.filter(|of| of.until.is_none()), |of| of.until = Some(on))
    }),
    ("a last day is another one", |told| {
        let duties =
            told.classes.iter_mut().filter_map(|of| of.deferred.as_mut()).flat_map(|of| &mut of.duties);
        changed(duties.filter(|of| of.until.is_some()), |of| {
            of.until = of.until.and_then(|day| day.succ_opt());
        })
    }),
    ("what a duty keeps is left out", |told| {
        changed(told.classes.iter_mut().filter(|of| of.deferred.is_some()), |of| of.deferred = None)
    }),
    ("a general value is left out", |told| {
        let general = |of: &&mut letter::ToldClass| !of.general.is_empty() && of.left != Some(0);
        changed(told.classes.iter_mut().filter(general), |of| of.general.clear())
    }),
    ("a general value is another one", |told| {
        let general = |of: &&mut letter::ToldClass| !of.general.is_empty() && of.left != Some(0);
        changed(told.classes.iter_mut().filter(general), |of| {
            of.general.values_mut().for_each(|reveals| *reveals = Reveals::General);
        })
    }),
    ("a kept field is left out", |told| {
        let kept = |of: &&mut letter::ToldClass| !of.kept.is_empty() && of.left != Some(0);
        changed(told.classes.iter_mut().filter(kept), |of| of.kept.clear())
    }),
    ("a kept profile is called deleted", |told| {
        let kept = told.gateways.iter_mut().filter(|of| matches!(of, ToldGateway::Kept { .. }));
        changed(kept, |of| *of = ToldGateway::Erased { gateway: "stripe".into() })
    }),
    ("more is called erased than was", |told| {
        let is_part = told.residue == Residue::InPart;
        told.residue = Residue::Pseudonymous;
        is_part
    }),
    ("a record that somebody else has, too, is no lead", |told| {
        let before = told.leads.len();
        told.leads.retain(|lead| !matches!(lead, Lead::Shared { .. }));
        told.leads.len() < before
    }),
    ("a record that somebody else has, too, is left out", |told| {
        changed(told.classes.iter_mut().filter(|of| of.otherwise.shared > 0), |of| of.otherwise.shared = 0)
    }),
    ("a recipient that has not confirmed is called told", |told| {
        let open = told.recipients.iter_mut().filter(|of| of.what == WhatWasTold::Unconfirmed);
        changed(open, |of| of.what = WhatWasTold::Told)
    }),
    ("another law is cited", |told| {
        told.privacy_law = match told.privacy_law {
            PrivacyLaw::Gdpr => PrivacyLaw::UkGdpr,
            _ => PrivacyLaw::Gdpr,
        };
        true
    }),
    ("a recipient is made up", |told| {
        told.recipients.push(ToldRecipient::new("mailings", WhatWasTold::Told));
        true
    }),
];

/// Forty cases against a real database: each sentence is true of its rows, and each fact is told. Whoever breaks one kind of
/// sentence is found out.
#[tokio::test]
async fn every_sentence_about_a_real_case_is_true_of_the_rows() {
    let mut found = [0_u32; SABOTEURS.len()];
    for seed in 0..40 {
        let drawn = draw(&mut Rng::with_seed(seed));
        let (engine, told, seen) = run(&drawn).await;
        for language in Language::ALL {
            let (facts, residue) = right_to_know(&drawn, &seen, &told, language);
            let wanted = || facts.clone();
            let honest = tell(&engine, &told, language);
            assert_eq!(honest.0, title(residue, true, language), "seed {seed}: {drawn:?}");
            let honest = honest.1;
            let wrong = faults(&honest, wanted(), language);
            assert!(
                wrong.is_empty(),
                "seed {seed}, {language}\n{}\n{drawn:?}\n{honest:#?}",
                wrong.join("\n")
            );
            for (n, (kind, sabotage)) in SABOTEURS.iter().enumerate() {
                let mut broken = told.clone();
                if sabotage(&mut broken) {
                    let (_, lines) = tell(&engine, &broken, language);
                    assert!(!faults(&lines, wanted(), language).is_empty(), "seed {seed}: {kind}");
                    found[n] += 1;
                }
            }
        }
    }
    for ((kind, _), times) in SABOTEURS.iter().zip(found) {
        assert!(times >= 4, "{kind}: only {times}");
    }
    assert!(CHILDREN.iter().all(|class| CLASSES.contains(class)), "no letter speaks of another class");
}

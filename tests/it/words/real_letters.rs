//! Confirmations of real cases. Each sentence is held against the rows of the database before and after, the draw of the
//! policy, and the profile at the gateway. Nothing here reads the certificate.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use chrono::{Datelike, NaiveDate};
use fastrand::Rng;
use relinquish::anonymise::Reveals;
use relinquish::customer::CustomerId;
use relinquish::data_map::NotCovered;
use relinquish::gateway::MemoryGateway;
use relinquish::plan::letter::{
    self, Authority, Controller, Fact, Language, Letterhead, Lingering, Recipients, Request, Told,
    ToldGateway, ToldRecipient, WhatWasTold,
};
use relinquish::testing::{ManualClock, RepeatableEntropy};
use relinquish::treatment::{Lead, RecordAction, Residue};
use relinquish::{Asked, Engine, MemoryLedger, PolicyDocument, SqlMap, SqliteStore};
use rusqlite::Connection;

use super::true_letters::{CLASSES, Wanted, faults, lines, said, written};
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

/// One draw: what the policy does with each class, and which rows the person has.
#[derive(Debug)]
struct Drawn {
    does: BTreeMap<&'static str, Does>,
    /// The days of the person's rows. `None`: the day cannot be read.
    rows: BTreeMap<&'static str, Vec<Option<NaiveDate>>>,
    /// Whether a duty keeps the first class.
    duty: bool,
    erases_profile: bool,
    has_profile: bool,
}

const CHILDREN: [&str; 3] = ["alpha", "bravo", "charlie"];

fn draw(rng: &mut Rng) -> Drawn {
    let kinds = [Does::Delete, Does::KeepsField, Does::KeepsYear, Does::Anonymise, Does::Keep];
    let does: BTreeMap<_, _> = CHILDREN.iter().map(|class| (*class, *rng.choice(&kinds).unwrap())).collect();
    let day = |rng: &mut Rng| {
        let year = if rng.bool() { rng.i32(2001..2016) } else { rng.i32(2021..2026) };
        (rng.u32(0..4) > 0).then(|| NaiveDate::from_ymd_opt(year, 3, 14).unwrap())
    };
    let rows = CHILDREN.map(|class| (class, (0..rng.usize(0..4)).map(|_| day(rng)).collect()));
    let duty = rng.bool() && does["alpha"] != Does::Keep;
    Drawn { does, rows: rows.into(), duty, erases_profile: rng.bool(), has_profile: rng.bool() }
}

impl Drawn {
    /// Whether the duty keeps a row of this day on the day of the tests, in November 2026.
    fn is_kept(&self, class: &str, day: Option<NaiveDate>) -> bool {
        self.duty && class == "alpha" && day.is_none_or(|day| day.year() + 7 >= 2026)
    }

    fn policy(&self) -> String {
        let mut text = String::from(
            "version = 1\nsweep = false\ntriggers.requested = { treatment = 't' }\n\
             anonymise = { name = 'remove', birth_date = 'remove', payment_profile = 'remove' }\n\
             guards = { active_subscription = { ignore = 'x' }, several_tenants = { ignore = 'x' }, not_archived = { ignore = 'x' } }\n\
             treatments.t.customer = 'anonymise'\n",
        );
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
                "duties.books = {{ classes = 'alpha', statute = 'SE/BFL/7:2', from = 'made', needs = [] }}"
            )
            .unwrap();
        }
        for language in [Language::Swedish, Language::German] {
            for class in CHILDREN.iter().chain(&["customer"]) {
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
             gateways = { stripe = 'stripe' }\nfields = { name = 'name' }\n",
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
            "CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT, stripe TEXT);
             INSERT INTO people VALUES (1, 'Sigrid Holmvik', NULL), (2, 'Bo Lindqvist', NULL);",
        );
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
    let engine = Engine::builder(store, policy, MemoryLedger::new(), hosts::keys())
        .clock(ManualClock::at(hosts::now()))
        .entropy(RepeatableEntropy::new(3))
        .gateway(gateway)
        .counted()
        .unwrap_or_else(|error| panic!("{error}"));
    let outcome = engine.erase(hosts::approved(&engine, &"1".into(), &Asked::request()).await).await.unwrap();
    let told = outcome.certificate().unwrap_or_else(|| panic!("{outcome}")).letter_facts();
    let count = |class: &str, and: &str| {
        let sql = format!("SELECT count(*) FROM {class}s WHERE person = 1 {and}");
        u64::try_from(hosts::sum(&path, &sql)).unwrap()
    };
    let named = "AND name = 'Sigrid Holmvik'";
    let after = CHILDREN.map(|class| (class, (count(class, ""), count(class, named)))).into();
    (engine, told, Seen { after })
}

/// A number of records.
fn counted(n: u64) -> String {
    format!(" ({n} ")
}

/// What the person has a right to know, read from the database and from the draw.
#[expect(clippy::too_many_lines, reason = "one fact after another, in the order of the letter")]
fn right_to_know(drawn: &Drawn, seen: &Seen, told: &Told, language: Language) -> Wanted {
    let today = NaiveDate::from_ymd_opt(2026, 11, 21).unwrap();
    let received = NaiveDate::from_ymd_opt(2026, 10, 30).unwrap();
    let date = |day| vec![written(language, day)];
    let mut wanted: Wanted = vec![
        (Fact::Date(today), date(today)),
        (Fact::Reference, vec!["R-1".to_owned()]),
        (Fact::Controller, Vec::new()),
        (Fact::Received(received), date(received)),
        (Fact::CarriedOut(today), date(today)),
        (Fact::Cleared("customer".into()), vec![format!("**{}**", said(language, "customer")), counted(1)]),
    ];
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
        let until = last.map(|day| NaiveDate::from_ymd_opt(day.year() + 7, 12, 31).unwrap());
        let mut parts = vec![counted(kept.len() as u64)];
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
        parts.extend(until.filter(|_| undated == 0).map(|day| written(language, day)));
        leads.push((lead_class(true), parts));
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
        wanted.push((Fact::Gateway(fact), ["stripe".to_owned()].into_iter().chain(reason).collect()));
    }
    if refuses {
        wanted.push((Fact::RefusedInPart, Vec::new()));
    }
    let names = leads.iter().any(|(lead, _)| lead.names_person());
    let residue = if names { Residue::InPart } else { Residue::Pseudonymous };
    wanted.push((Fact::Left(residue), Vec::new()));
    // The row of the customer stays, and has the key.
    leads
        .push((Lead::Token { classes: ["customer".into()].into(), while_kept: BTreeSet::new() }, Vec::new()));
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
    wanted.push((Fact::Recipients, Vec::new()));
    wanted.push((Fact::Rights, Vec::new()));
    wanted.push((Fact::Remedies, vec!["77".to_owned()]));
    wanted
}

fn tell(engine: &Engine, told: &Told, language: Language) -> Vec<(Fact, String)> {
    let controller = Controller::new("Berg & Son", "1 High Street");
    let authority = Authority::new("the Authority", "2 High Street");
    let head = Letterhead::new(engine.policy(), language, controller, authority, told.on).unwrap();
    let head = head.with_backups(Lingering::Days(30)).with_recipients(Recipients::Named);
    let request = Request::new("R-1", NaiveDate::from_ymd_opt(2026, 10, 30).unwrap());
    lines(&letter::confirmation(&head, Some(&request), told).unwrap())
}

/// What is broken on purpose. `false`: the case has nothing of the kind.
type Saboteur = (&'static str, fn(&mut Told) -> bool);

fn changed<'t, T: 't>(found: impl Iterator<Item = &'t mut T>, change: impl Fn(&mut T)) -> bool {
    found.map(change).count() > 0
}

const SABOTEURS: [Saboteur; 12] = [
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
    ("a recipient is made up", |told| {
        told.recipients.push(ToldRecipient::new("search", WhatWasTold::Told));
        true
    }),
];

/// Sixty cases against a real database: each sentence is true of its rows, and each fact is told. Whoever breaks one kind of
/// sentence is found out.
#[tokio::test]
async fn every_sentence_about_a_real_case_is_true_of_the_rows() {
    let mut found = [0_u32; SABOTEURS.len()];
    for seed in 0..60 {
        let drawn = draw(&mut Rng::with_seed(seed));
        let (engine, told, seen) = run(&drawn).await;
        for language in Language::ALL {
            let wanted = || right_to_know(&drawn, &seen, &told, language);
            let honest = tell(&engine, &told, language);
            let wrong = faults(&honest, wanted(), language);
            assert!(
                wrong.is_empty(),
                "seed {seed}, {language}\n{}\n{drawn:?}\n{honest:#?}",
                wrong.join("\n")
            );
            for (n, (kind, sabotage)) in SABOTEURS.iter().enumerate() {
                let mut broken = told.clone();
                if sabotage(&mut broken) {
                    let lines = tell(&engine, &broken, language);
                    assert!(!faults(&lines, wanted(), language).is_empty(), "seed {seed}: {kind}");
                    found[n] += 1;
                }
            }
        }
    }
    for ((kind, _), times) in SABOTEURS.iter().zip(found) {
        assert!(times >= 9, "{kind}: only {times}");
    }
    assert!(CHILDREN.iter().all(|class| CLASSES.contains(class)), "no letter speaks of another class");
}

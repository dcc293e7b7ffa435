//! Every sentence of a confirmation comes from a fact of the case, and each fact that the person has a right to know is
//! told. The facts are read here a second time, by rules of their own.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use chrono::{Days, NaiveDate};
use fastrand::Rng;
use relinquish::anonymise::{Generalisation, Reveals};
use relinquish::customer::HoldKind;
use relinquish::data_map::{
    ClassName, Fact as StoreFact, Field, FieldName, IgnoredPart, Kind, NotCovered, RecordClass, UnreachedRows,
};
use relinquish::plan::letter::{
    self, Authority, Controller, Fact, Language, Letter, LetterError, Letterhead, Lingering, Request, Told,
    ToldClass, ToldDeferral, ToldDuty, ToldGateway, ToldRecipient, WhatWasTold,
};
use relinquish::plan::{Tombstones, decide};
use relinquish::policy::{Ground, Guard, PrivacyLaw, StartRule, Statute, Suppressing, Trigger};
use relinquish::store::Otherwise;
use relinquish::treatment::{Lead, RecordAction, Residue};
use relinquish::{Asked, Customer, DataMap, Policy, PolicyDocument};

pub(super) const CLASSES: [&str; 5] = ["alpha", "bravo", "charlie", "delta", "echo"];

/// What a name or a text of the host is called in each language. Each word is found in no other.
pub(super) fn said(language: Language, word: &str) -> String {
    match language {
        Language::Swedish => format!("{word}å"),
        Language::German => format!("{word}ß"),
        _ => word.to_owned(),
    }
}

fn policy() -> Policy {
    let class = |name: &str| {
        RecordClass::new(name)
            .field(Field::key("id"))
            .field(Field::personal("name", Kind::Name))
            .field(Field::personal(format!("field{name}"), Kind::City))
    };
    let map =
        CLASSES[1..].iter().fold(DataMap::builder(class(CLASSES[0])), |map, name| map.class(class(name)));
    let map = map.knows(StoreFact::Status).build().unwrap();
    let mut text = String::from(
        "version = 1\nsweep = false\ntriggers.requested = { treatment = 't' }\nanonymise = { name = 'clear', city = 'clear' }\n\
         guards = { active_subscription = { ignore = 'x' }, several_tenants = { ignore = 'x' }, not_archived = { ignore = 'x' } }\n",
    );
    for name in CLASSES {
        writeln!(text, "treatments.t.{name} = 'anonymise'").unwrap();
    }
    for language in [Language::Swedish, Language::German] {
        for name in
            CLASSES.iter().map(|name| (*name).to_owned()).chain(CLASSES.map(|name| format!("field{name}")))
        {
            writeln!(text, "words.{language}.names.{name} = '{}'", said(language, &name)).unwrap();
        }
        for reason in REASONS {
            writeln!(text, "words.{language}.texts.{reason} = '{}'", said(language, reason)).unwrap();
        }
    }
    let checked = PolicyDocument::from_toml(&text).and_then(|policy| policy.check(&map));
    checked.unwrap_or_else(|problems| panic!("{problems}"))
}

/// What of a value may stay.
const GENERAL: [Reveals; 5] = [
    Reveals::Only(Generalisation::Year),
    Reveals::Only(Generalisation::Prefix(3)),
    Reveals::Rest,
    Reveals::General,
    Reveals::Pages,
];

/// A word of what is said of it.
fn in_general(reveals: Reveals, language: Language) -> &'static str {
    let [english, swedish, german] = match reveals {
        Reveals::Only(Generalisation::Year) => ["the year", "året", "das Jahr"],
        Reveals::Only(Generalisation::Prefix(3)) => {
            ["(the first 3 letters and digits)", "(de 3 första bokstäverna", "(die ersten 3 Buchstaben"]
        }
        Reveals::Pages => ["an empty document", "ett tomt dokument", "ein leeres Dokument"],
        Reveals::Rest => ["without the passages", "utan de ställen", "ohne die Stellen"],
        _ => ["in more general form as", "i mer allmän form lika", "in allgemeinerer Form aufbewahrt,"],
    };
    match language {
        Language::Swedish => swedish,
        Language::German => german,
        _ => english,
    }
}

const REASONS: [&str; 3] = ["statistics", "refunds", "theft"];

fn day(rng: &mut Rng) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 12, 1).unwrap() + Days::new(rng.u64(0..5_000))
}

fn some<T>(rng: &mut Rng, make: impl FnOnce(&mut Rng) -> T) -> Option<T> {
    rng.bool().then(|| make(rng))
}

fn duty(rng: &mut Rng) -> ToldDuty {
    let statute = rng.bool().then(|| rng.choice(Statute::all()).unwrap());
    ToldDuty {
        law: (*rng.choice(&REASONS).unwrap()).to_owned(),
        statute,
        ground: *rng.choice(&[Ground::LegalObligation, Ground::LegalClaims, Ground::Archiving]).unwrap(),
        privacy_law: PrivacyLaw::Gdpr,
        period: format!("{} years", rng.u32(1..20)).parse().unwrap(),
        start: *rng.choice(&StartRule::ALL).unwrap(),
        until: some(rng, day),
    }
}

fn class(rng: &mut Rng, name: &str) -> ToldClass {
    let reason = |rng: &mut Rng| (*rng.choice(&REASONS).unwrap()).to_owned();
    let action = match rng.u32(0..4) {
        0 => RecordAction::Delete,
        1 => RecordAction::Anonymise,
        2 => RecordAction::Reassign,
        _ => RecordAction::Keep { reason: reason(rng) },
    };
    let is_kept = matches!(action, RecordAction::Keep { .. });
    let field = || format!("field{name}").into();
    let mut otherwise = Otherwise::default();
    if !is_kept {
        otherwise.deleted = rng.u64(0..3);
        otherwise.meanwhile = rng.u64(0..3);
        otherwise.fields = rng.u64(0..3);
        otherwise.shared = rng.u64(0..3);
    }
    let kept: BTreeMap<_, _> =
        some(rng, |rng| (field(), reason(rng))).into_iter().filter(|_| !is_kept).collect();
    ToldClass {
        class: name.into(),
        treated: (!is_kept).then(|| some(rng, |rng| rng.u64(0..4))),
        left: some(rng, |rng| rng.u64(0..4)),
        general: some(rng, |rng| (field(), *rng.choice(&GENERAL).unwrap())).into_iter().collect(),
        group: if kept.is_empty() && !is_kept {
            some(rng, |rng| (field(), some(rng, reason))).into_iter().collect()
        } else {
            BTreeMap::new()
        },
        kept_meanwhile: BTreeMap::new(),
        kept_until: kept
            .keys()
            .filter_map(|field| Some((FieldName::clone(field), some(rng, day)?)))
            .collect(),
        kept,
        otherwise,
        deferred: some(rng, |rng| {
            let duties: Vec<ToldDuty> = (0..rng.usize(1..3)).map(|_| duty(rng)).collect();
            ToldDeferral {
                rows: rng.u64(1..90),
                until: duties.iter().filter_map(|duty| duty.until).max(),
                duties,
                undated: rng.u64(0..3),
                for_others: rng.bool(),
            }
        })
        .filter(|_| !is_kept),
        action,
    }
}

/// The facts of a case. They need not fit each other: each of them is told for itself.
fn case(rng: &mut Rng) -> Told {
    let classes: Vec<ToldClass> = CLASSES.iter().map(|name| class(rng, name)).collect();
    let gateways = ["stripe", "swish"].into_iter().filter_map(|name| {
        let gateway = name.into();
        Some(match rng.u32(0..6) {
            0 => ToldGateway::Erased { gateway },
            1 => ToldGateway::Absent { gateway },
            2 => ToldGateway::Retained { gateway, until: some(rng, day) },
            3 => ToldGateway::Waived { gateway },
            4 => ToldGateway::Kept { gateway, reason: (*rng.choice(&REASONS).unwrap()).to_owned() },
            _ => return None,
        })
    });
    let gateways = gateways.collect();
    let recipients = ["search", "mailings"].into_iter().filter_map(|name| {
        let what = match rng.u32(0..7) {
            0 => WhatWasTold::Told,
            5 => WhatWasTold::ByHand,
            1 => WhatWasTold::Retained { until: some(rng, day) },
            2 => WhatWasTold::Unconfirmed,
            3 => WhatWasTold::Unidentified,
            4 => WhatWasTold::NotTold { reason: (*rng.choice(&REASONS).unwrap()).to_owned() },
            _ => return None,
        };
        Some(ToldRecipient::new(name, what))
    });
    let recipients = recipients.collect();
    let leads = CLASSES.iter().filter_map(|name| {
        let (class, while_kept, names) = (ClassName::from(*name), rng.bool(), rng.bool());
        Some(match rng.u32(0..6) {
            0 => Lead::Class { class, while_kept, names },
            3 => Lead::Shared { class, names },
            1 => Lead::Field { field: format!("field{name}").into(), class, while_kept, names },
            2 if while_kept => Lead::Token { classes: BTreeSet::new(), while_kept: [class].into() },
            2 => Lead::Token { classes: [class].into(), while_kept: BTreeSet::new() },
            _ => return None,
        })
    });
    let leads: Vec<Lead> = leads.collect();
    let mut not_covered = vec![NotCovered::Mentions, NotCovered::OtherSystems, NotCovered::Backups];
    if rng.bool() {
        let what = IgnoredPart::Table("old".to_owned());
        not_covered.push(NotCovered::Ignored { what, reason: (*rng.choice(&REASONS).unwrap()).to_owned() });
    }
    if rng.bool() {
        not_covered.push(NotCovered::Rows {
            which: UnreachedRows::NoOwner { class: CLASSES[rng.usize(0..5)].into() },
            rows: rng.u64(1..90),
            because: relinquish::data_map::RowsBecause::NotGiven,
            at: "2026-11-01T00:00:00Z".parse().unwrap(),
        });
    }
    Told {
        privacy_law: *rng.choice(&[PrivacyLaw::Gdpr, PrivacyLaw::UkGdpr, PrivacyLaw::Fadp]).unwrap(),
        trigger: *rng.choice(&[Trigger::Requested, Trigger::Cancelled]).unwrap(),
        on: day(rng),
        residue: *rng
            .choice(&[Residue::Nothing, Residue::Anonymous, Residue::Pseudonymous, Residue::InPart])
            .unwrap(),
        is_all_claimed: rng.bool(),
        classes,
        gateways,
        recipients,
        leads,
        tombstones: some(rng, |rng| Tombstones {
            class: CLASSES[rng.usize(0..5)].into(),
            rows: rng.u64(1..90),
            needed_by: BTreeSet::new(),
            until: some(rng, day),
        })
        .into_iter()
        .collect(),
        leftovers: some(rng, |rng| (CLASSES[rng.usize(0..5)].into(), rng.u64(1..90))).into_iter().collect(),
        mentions_waived: rng.bool(),
        uncertain: rng.u64(0..3),
        not_covered,
        backups: some(rng, |rng| Lingering::Until(day(rng)))
            .into_iter()
            .chain(some(rng, |rng| Lingering::Copies(rng.u32(1..4))))
            .collect(),
        suppressing: some(rng, |rng| Suppressing {
            kinds: [Kind::Email, Kind::Phone].into_iter().take(rng.usize(1..3)).collect(),
            until: day(rng),
        }),
        old_bytes: rng.bool(),
    }
}

/// A date as each language writes it.
pub(super) fn written(language: Language, date: NaiveDate) -> String {
    let english = date.format("%-d %B %Y").to_string();
    let month = date.format("%B").to_string();
    let n = chrono::Datelike::month0(&date) as usize;
    let months = match language {
        Language::Swedish => [
            "januari",
            "februari",
            "mars",
            "april",
            "maj",
            "juni",
            "juli",
            "augusti",
            "september",
            "oktober",
            "november",
            "december",
        ],
        Language::German => [
            "Januar",
            "Februar",
            "März",
            "April",
            "Mai",
            "Juni",
            "Juli",
            "August",
            "September",
            "Oktober",
            "November",
            "Dezember",
        ],
        _ => return english,
    };
    let text = english.replace(&month, months[n]);
    if language == Language::German { text.replacen(' ', ". ", 1) } else { text }
}

/// What has to be in the line of a fact, once for each line that tells it.
pub(super) type Wanted = Vec<(Fact, Vec<String>)>;

fn of_class(language: Language, of: &ToldClass, wanted: &mut Wanted) {
    let class = &of.class;
    let name = said(language, class.as_str());
    let with = |more: &[String]| [&[format!("**{name}**")][..], more].concat();
    if let Some(count) = of.treated.filter(|count| *count != Some(0)) {
        let fact = match of.action {
            RecordAction::Delete => Fact::Deleted(class.clone()),
            RecordAction::Anonymise => Fact::Cleared(class.clone()),
            _ => Fact::HandedOver(class.clone()),
        };
        wanted.push((fact, with(&count.map(counted).into_iter().collect::<Vec<_>>())));
    }
    for (n, fact) in [
        (of.otherwise.deleted, Fact::Deleted(class.clone())),
        (of.otherwise.meanwhile, Fact::Cleared(class.clone())),
        (of.otherwise.fields, Fact::FieldsOfOthers(class.clone())),
        (of.otherwise.shared, Fact::Shared(class.clone())),
    ] {
        if n > 0 {
            wanted.push((fact, with(&[counted(n)])));
        }
    }
    let is_left = of.left != Some(0);
    if let (RecordAction::Keep { reason }, true) = (&of.action, is_left) {
        let parts = of.left.map(counted).into_iter().chain([said(language, reason)]);
        wanted.push((Fact::Kept(class.clone()), with(&parts.collect::<Vec<_>>())));
    }
    if is_left && matches!(of.action, RecordAction::Anonymise | RecordAction::Reassign) {
        for (field, reason) in &of.kept {
            let fact = Fact::KeptField(class.clone(), field.clone());
            let mut parts = vec![said(language, field.as_str()), name.clone(), said(language, reason)];
            parts.push(match (of.kept_until.get(field), language) {
                (Some(day), _) => written(language, *day),
                (None, Language::Swedish) => "lika länge som".to_owned(),
                (None, Language::German) => "so lange wie".to_owned(),
                (None, _) => "as long as the record".to_owned(),
            });
            wanted.push((fact, parts));
        }
        for (field, reveals) in &of.general {
            let fact = Fact::GeneralField(class.clone(), field.clone());
            let part = in_general(*reveals, language).to_owned();
            wanted.push((fact, vec![said(language, field.as_str()), name.clone(), part]));
        }
        for (field, reason) in &of.group {
            let fact = Fact::SharedField(class.clone(), field.clone());
            let reason = reason.iter().map(|reason| said(language, reason));
            let parts = [said(language, field.as_str()), name.clone()].into_iter().chain(reason);
            wanted.push((fact, parts.collect()));
        }
    }
    let Some(deferral) = &of.deferred else { return };
    // Records without a date have a line of their own, unless none has a date.
    let dated = deferral.rows.saturating_sub(deferral.undated);
    let mut parts = with(&[counted(if dated > 0 { dated } else { deferral.rows })]);
    for duty in &deferral.duties {
        parts.extend(duty.until.map(|day| written(language, day)));
        parts.push(match (duty.statute, language) {
            (Some(statute), Language::English) => statute.english.to_owned(),
            (Some(statute), _) => cited(statute, language).to_owned(),
            (None, _) => said(language, &duty.law),
        });
        // A limitation period requires nothing.
        parts.push(
            match (duty.ground, language) {
                (Ground::LegalObligation, Language::Swedish) => "enligt lag skyldiga",
                (Ground::LegalObligation, Language::German) => "gesetzlich verpflichtet",
                (Ground::LegalObligation, _) => "required by law",
                (Ground::LegalClaims, Language::Swedish) => "rättsliga anspråk",
                (Ground::LegalClaims, Language::German) => "Rechtsansprüche",
                (Ground::LegalClaims, _) => "legal claims",
                _ => "",
            }
            .to_owned(),
        );
    }
    wanted.push((Fact::Deferred(class.clone()), parts));
    if deferral.undated > 0 {
        wanted.push((Fact::Undated(class.clone()), with(&[counted(deferral.undated)])));
    }
    // Where no end is known, none is promised.
    if deferral.until.is_some() {
        let known = match language {
            Language::Swedish => "där den sista dagen är känd",
            Language::German => "soweit der letzte Tag bekannt ist",
            _ => "where the last day is known",
        };
        let known = (deferral.undated > 0).then(|| known.to_owned());
        wanted.push((Fact::Afterwards(class.clone()), with(&known.into_iter().collect::<Vec<_>>())));
    }
}

/// How a law is cited: as in its own country, or by its title.
fn cited(statute: &Statute, language: Language) -> &'static str {
    match (statute.country, language) {
        ("SE", Language::Swedish) | ("DE" | "AT" | "CH", Language::German) => statute.cited,
        ("FI", Language::Swedish) => "Finlands bokföringslag (1336/1997)",
        ("EU", Language::Swedish) => "mervärdesskattedirektivet (2006/112/EG)",
        ("EU", _) => "Mehrwertsteuersystemrichtlinie (2006/112/EG)",
        _ => statute.title,
    }
}

/// A number of records, as every language begins it.
fn counted(n: u64) -> String {
    format!(" ({n} ")
}

/// Everything that the person has a right to know of the case, and nothing else.
#[expect(clippy::too_many_lines, reason = "one fact after another, in the order of the letter")]
fn right_to_know(told: &Told, request: Option<&Request>, language: Language) -> Wanted {
    let mut wanted: Wanted = Vec::new();
    let date = |day| vec![written(language, day)];
    wanted.push((Fact::Date(written_on()), date(written_on())));
    wanted.push((Fact::Controller, vec!["Berg & Son".to_owned(), "1 High Street".to_owned()]));
    match request {
        Some(request) => {
            wanted.push((Fact::Reference, vec!["R-1".to_owned()]));
            wanted.push((Fact::Received(request.received), date(request.received)));
            wanted.push((Fact::CarriedOut(told.on), date(told.on)));
            let is_ours = |lead: &Lead| !matches!(lead, Lead::Token { .. });
            if told.classes.iter().any(|of| of.deferred.is_some()) || told.leads.iter().any(is_ours) {
                wanted.push((Fact::RefusedInPart, Vec::new()));
            }
        }
        None => wanted.push((Fact::CarriedOutUnasked(told.on), date(told.on))),
    }
    for of in &told.classes {
        of_class(language, of, &mut wanted);
    }
    for gateway in &told.gateways {
        let (name, more) = match gateway {
            ToldGateway::Erased { gateway }
            | ToldGateway::Absent { gateway }
            | ToldGateway::Waived { gateway } => (gateway, None),
            ToldGateway::Retained { gateway, until } => (gateway, until.map(|day| written(language, day))),
            ToldGateway::Kept { gateway, reason } => (gateway, Some(said(language, reason))),
            _ => unreachable!(),
        };
        let parts = [name.to_string()].into_iter().chain(more).collect();
        wanted.push((Fact::Gateway(gateway.clone()), parts));
    }
    let is_done = |(fact, _): &(Fact, _)| match fact {
        Fact::Deleted(_) | Fact::Cleared(_) | Fact::HandedOver(_) | Fact::FieldsOfOthers(_) => true,
        Fact::Gateway(gateway) => matches!(gateway, ToldGateway::Erased { .. } | ToldGateway::Absent { .. }),
        _ => false,
    };
    if !wanted.iter().any(is_done) {
        wanted.push((Fact::NothingDone, Vec::new()));
    }
    for stays in &told.tombstones {
        let parts = [said(language, stays.class.as_str()), counted(stays.rows)].into_iter();
        let parts = parts.chain(stays.until.map(|day| written(language, day))).collect();
        wanted.push((Fact::Needed(stays.class.clone()), parts));
    }
    let names = told.leads.iter().any(Lead::names_person)
        || !told.leftovers.is_empty()
        || told.gateways.iter().any(|of| matches!(of, ToldGateway::Retained { .. }))
        || told.recipients.iter().any(|of| matches!(of.what, WhatWasTold::Retained { .. }));
    let how = match (told.residue == Residue::InPart, names, language) {
        (false, ..) => "",
        (_, true, Language::Swedish) => "är finns kvar",
        (_, true, Language::German) => "sind noch vorhanden",
        (_, true, _) => "are still there",
        (_, false, Language::Swedish) => "kan finnas kvar",
        (_, false, Language::German) => "können noch vorhanden sein",
        (_, false, _) => "may still be there",
    };
    wanted.push((Fact::Left(told.residue), vec![how.to_owned()]));
    for (class, rows) in &told.leftovers {
        let parts = vec![said(language, class.as_str()), format!(": {rows})")];
        wanted.push((Fact::Leftover(class.clone()), parts));
    }
    for lead in &told.leads {
        let parts = match lead {
            Lead::Class { class, .. } => vec![said(language, class.as_str())],
            Lead::Shared { class, .. } => {
                let other = match language {
                    Language::Swedish => "en annan person",
                    Language::German => "einer anderen Person",
                    _ => "another person",
                };
                vec![said(language, class.as_str()), other.to_owned()]
            }
            Lead::Field { class, field, .. } => {
                vec![said(language, class.as_str()), said(language, field.as_str())]
            }
            _ => Vec::new(),
        };
        wanted.push((Fact::Lead(lead.clone()), parts));
    }
    for gateway in &told.gateways {
        let (name, until) = match gateway {
            ToldGateway::Retained { gateway, until } => (gateway, *until),
            ToldGateway::Waived { gateway } => (gateway, None),
            _ => continue,
        };
        let until = until.map(|day| written(language, day));
        let parts = [name.to_string()].into_iter().chain(until).collect();
        wanted.push((Fact::LeftAtGateway(gateway.clone()), parts));
    }
    for recipient in &told.recipients {
        let until = match recipient.what {
            WhatWasTold::Retained { until } => until,
            WhatWasTold::Unconfirmed => None,
            _ => continue,
        };
        let until = until.map(|day| written(language, day));
        let parts = [recipient.recipient.to_string()].into_iter().chain(until).collect();
        wanted.push((Fact::LeftAtRecipient(recipient.clone()), parts));
    }
    if told.mentions_waived {
        wanted.push((Fact::MentionsLeft, Vec::new()));
    }
    if !told.is_all_claimed {
        wanted.push((Fact::Unclaimed, Vec::new()));
    }
    if told.uncertain > 0 {
        wanted.push((Fact::Uncertain, vec![told.uncertain.to_string()]));
    }
    for what in told.not_covered.iter().filter(|what| **what != NotCovered::Backups) {
        let parts = match what {
            NotCovered::Ignored { reason, .. } => vec![said(language, reason)],
            NotCovered::Rows { which: UnreachedRows::NoOwner { class }, rows, .. } => {
                vec![said(language, class.as_str()), rows.to_string()]
            }
            _ => Vec::new(),
        };
        wanted.push((Fact::NotCovered(what.clone()), parts));
    }
    let backups = if told.backups.is_empty() { vec![Lingering::Days(30)] } else { told.backups.clone() };
    for lingering in backups {
        let parts = match (lingering, language) {
            (Lingering::Until(day), _) => date(day),
            (Lingering::Copies(1), Language::Swedish) => vec!["en nyare kopia".to_owned()],
            (Lingering::Copies(1), Language::German) => vec!["eine neuere Kopie".to_owned()],
            (Lingering::Copies(1), _) => vec!["one newer copy".to_owned()],
            (Lingering::Copies(n), _) => vec![n.to_string()],
            _ => vec!["30".to_owned()],
        };
        wanted.push((Fact::Backups(lingering), parts));
    }
    if let Some(Suppressing { kinds, until }) = &told.suppressing {
        let mail = if language == Language::Swedish { "e-post" } else { "ail" };
        let phone = if language == Language::English { "telephone" } else { "elefonnummer" };
        let mut parts = date(*until);
        parts.extend(kinds.iter().map(|kind| if *kind == Kind::Email { mail } else { phone }.to_owned()));
        wanted.push((Fact::Suppressed(*until), parts));
    }
    if told.old_bytes {
        wanted.push((Fact::OldBytes, Vec::new()));
    }
    let remedy = match told.privacy_law {
        PrivacyLaw::UkGdpr => "164A",
        PrivacyLaw::Fadp => "49",
        _ => "77",
    };
    for recipient in &told.recipients {
        let more = match &recipient.what {
            WhatWasTold::Retained { until } => until.map(|day| written(language, day)),
            WhatWasTold::NotTold { reason } => Some(said(language, reason)),
            _ => None,
        };
        let parts = [recipient.recipient.to_string()].into_iter().chain(more).collect();
        wanted.push((Fact::Recipient(recipient.clone()), parts));
    }
    for gateway in &told.gateways {
        wanted.push((Fact::Gateway(gateway.clone()), vec![gateway.gateway().to_string()]));
    }
    if told.recipients.is_empty() && told.gateways.is_empty() {
        wanted.push((Fact::Recipients, Vec::new()));
    }
    wanted.push((Fact::Rights, vec!["Berg & Son".to_owned()]));
    let authority = ["the Authority", "2 High Street", remedy];
    wanted.push((Fact::Remedies, authority.map(str::to_owned).to_vec()));
    wanted
}

/// After every day that is drawn: no letter is dated before what it tells.
pub(super) fn written_on() -> NaiveDate {
    NaiveDate::from_ymd_opt(2040, 12, 31).unwrap()
}

/// The title of a letter: what is left, and whether anything was done.
pub(super) fn title(residue: Residue, is_anything_done: bool, language: Language) -> &'static str {
    let [english, swedish, german] = match residue {
        _ if !is_anything_done => {
            ["The outcome of the erasure", "Resultatet av raderingen", "Das Ergebnis der Löschung"]
        }
        Residue::Nothing => {
            ["Your data were deleted", "Dina uppgifter har raderats", "Ihre Daten wurden gelöscht"]
        }
        Residue::Anonymous => [
            "Your data were anonymised",
            "Dina uppgifter har anonymiserats",
            "Ihre Daten wurden anonymisiert",
        ],
        Residue::Pseudonymous => [
            "Your data were pseudonymised",
            "Dina uppgifter har pseudonymiserats",
            "Ihre Daten wurden pseudonymisiert",
        ],
        Residue::InPart => [
            "Your data were erased in part",
            "Dina uppgifter har raderats delvis",
            "Ihre Daten wurden zum Teil gelöscht",
        ],
        _ => unreachable!(),
    };
    match language {
        Language::Swedish => swedish,
        Language::German => german,
        _ => english,
    }
}

/// The lines of a letter, without its headings and introductions.
pub(super) fn lines(letter: &Letter) -> Vec<(Fact, String)> {
    let lines = letter.lines().filter(|(fact, _)| !matches!(fact, Fact::Heading | Fact::Introduction));
    lines.map(|(fact, text)| (fact.clone(), text.to_owned())).collect()
}

/// Sentences without a fact, facts without a sentence, and sentences that do not say what their fact is.
pub(super) fn faults(lines: &[(Fact, String)], mut wanted: Wanted, language: Language) -> Vec<String> {
    let mut faults = Vec::new();
    for (fact, text) in lines {
        if text.contains(['{', '}']) || text.trim().is_empty() {
            faults.push(format!("not filled in: {text}"));
        }
        let is_it = |(wanted, parts): &(Fact, Vec<String>)| {
            wanted == fact && parts.iter().all(|part| text.contains(part.as_str()))
        };
        let Some(n) = wanted.iter().position(is_it) else {
            faults.push(format!("comes from no fact: {fact:?}: {text}"));
            continue;
        };
        let (_, parts) = wanted.remove(n);
        // Nothing of another fact: no other class, and no day that is not this fact's.
        let others = CLASSES.iter().map(|class| said(language, class));
        for other in others.filter(|other| text.contains(other.as_str())) {
            if !parts.iter().any(|part| part.contains(other.as_str())) {
                faults.push(format!("speaks of {other}: {fact:?}: {text}"));
            }
        }
    }
    faults.extend(wanted.into_iter().map(|(fact, parts)| format!("is not told: {fact:?} {parts:?}")));
    faults
}

fn letter(policy: &Policy, told: &Told, request: Option<&Request>, language: Language) -> Letter {
    let controller = Controller::new("Berg & Son", "1 High Street");
    let authority = Authority::new("the Authority", "2 High Street");
    let head = Letterhead::new(policy, language, controller, authority, written_on()).unwrap();
    // The person has asked who the recipients are.
    let head = head.with_backups(Lingering::Days(30)).with_recipients(letter::Recipients::Named);
    letter::confirmation(&head, request, told).unwrap()
}

fn request_of(told: &Told) -> Option<Request> {
    let received = NaiveDate::from_ymd_opt(2026, 10, 30).unwrap();
    (told.trigger == Trigger::Requested).then(|| Request::new("R-1", received))
}

#[test]
fn every_sentence_comes_from_a_fact_and_each_fact_is_told() {
    let policy = policy();
    for seed in 0..2_000 {
        let mut rng = Rng::with_seed(seed);
        let told = case(&mut rng);
        let request = request_of(&told);
        let language = Language::ALL[rng.usize(0..3)];
        let letter = letter(&policy, &told, request.as_ref(), language);
        let wanted = right_to_know(&told, request.as_ref(), language);
        let is_anything_done = wanted.iter().all(|(fact, _)| *fact != Fact::NothingDone);
        let titled = letter.lines().next().unwrap().1.to_owned();
        assert_eq!(titled, title(told.residue, is_anything_done, language), "seed {seed}");
        let faults = faults(&lines(&letter), wanted, language);
        assert!(faults.is_empty(), "seed {seed}, {language}\n{}\n{letter}", faults.join("\n"));
    }
}

/// Whoever leaves a fact out, tells another one, or writes from today's policy instead of the case is found out.
#[test]
fn a_letter_that_says_more_less_or_something_else_is_found_out() {
    let policy = policy();
    let language = Language::English;
    let mut found = [0; 5];
    for seed in 0..500 {
        let mut rng = Rng::with_seed(seed);
        let told = case(&mut rng);
        let request = request_of(&told);
        let honest = lines(&letter(&policy, &told, request.as_ref(), language));
        let wanted = || right_to_know(&told, request.as_ref(), language);
        let is_found = |lines: &[(Fact, String)]| !faults(lines, wanted(), language).is_empty();
        let mut less = honest.clone();
        less.remove(rng.usize(0..less.len()));
        assert!(is_found(&less), "seed {seed}: less");
        let mut more = honest.clone();
        more.push((Fact::Deleted("foxtrot".into()), "**foxtrot**: deleted (records: 1).".to_owned()));
        assert!(is_found(&more), "seed {seed}: more");
        found[0] += 2;
        // The policy of the day keeps what the case deleted.
        let mut today = told.clone();
        for of in today
            .classes
            .iter_mut()
            .filter(|of| of.action == RecordAction::Delete && of.treated != Some(Some(0)))
        {
            of.action = RecordAction::Keep { reason: REASONS[0].to_owned() };
            of.treated = None;
            found[1] += 1;
        }
        if today != told {
            assert!(
                is_found(&lines(&letter(&policy, &today, request.as_ref(), language))),
                "seed {seed}: today"
            );
        }
        // A gateway that was waived is called erased.
        let mut waived = told.clone();
        for gateway in &mut waived.gateways {
            if let ToldGateway::Waived { gateway: name } = gateway {
                *gateway = ToldGateway::Erased { gateway: name.clone() };
                found[2] += 1;
            }
        }
        if waived != told {
            assert!(
                is_found(&lines(&letter(&policy, &waived, request.as_ref(), language))),
                "seed {seed}: waived"
            );
        }
        // A recipient that has not confirmed is called told.
        let mut confirmed = told.clone();
        for recipient in &mut confirmed.recipients {
            if recipient.what == WhatWasTold::Unconfirmed {
                recipient.what = WhatWasTold::Told;
                found[4] += 1;
            }
        }
        if confirmed != told {
            assert!(
                is_found(&lines(&letter(&policy, &confirmed, request.as_ref(), language))),
                "seed {seed}: confirmed"
            );
        }
        // A limitation period is told as a duty, and a day is another one.
        let mut duties = told.clone();
        for duty in duties
            .classes
            .iter_mut()
            .flat_map(|of| &mut of.deferred)
            .flat_map(|deferral| &mut deferral.duties)
        {
            match (duty.ground, duty.until) {
                (Ground::LegalClaims, _) => duty.ground = Ground::LegalObligation,
                (_, Some(until)) => duty.until = until.succ_opt(),
                _ => continue,
            }
            found[3] += 1;
        }
        if duties != told {
            assert!(
                is_found(&lines(&letter(&policy, &duties, request.as_ref(), language))),
                "seed {seed}: duties"
            );
        }
    }
    assert!(found.iter().all(|times| *times > 50), "{found:?}");
}

/// A data protection law: a statute under it, with the years of its period, and the remedy that letters name.
const LAWS: [(PrivacyLaw, &str, u32, &str); 3] = [
    (PrivacyLaw::Gdpr, "SE/BFL/7:2", 7, "77"),
    (PrivacyLaw::UkGdpr, "UK/TAX", 6, "164A"),
    (PrivacyLaw::Fadp, "CH/OR/958f", 10, "49"),
];

/// How a law cites the provision that answers to a ground, such as `(3, 'e')` for Art. 17(3)(e).
fn provision(law: PrivacyLaw, (paragraph, letter): (u32, char), language: Language) -> String {
    if law == PrivacyLaw::Fadp {
        let necessary = paragraph == 1;
        return match (language, necessary) {
            (Language::Swedish, true) => "(artikel 31.2 a i den schweiziska dataskyddslagen)",
            (Language::Swedish, false) => "artikel 31.1 i den schweiziska dataskyddslagen)",
            (Language::German, true) => "(Art. 31 Abs. 2 Bst. a DSG)",
            (Language::German, false) => "Art. 31 Abs. 1 DSG)",
            (_, true) => "(Art. 31(2)(a) FADP)",
            (_, false) => "Art. 31(1) FADP)",
        }
        .to_owned();
    }
    let name = match (law, language) {
        (PrivacyLaw::UkGdpr, _) => "UK GDPR",
        (_, Language::German) => "DSGVO",
        _ => "GDPR",
    };
    match language {
        Language::Swedish => format!("artikel 17.{paragraph} {letter} i {name})"),
        Language::German => format!("Art. 17 Abs. {paragraph} Buchst. {letter} {name})"),
        _ => format!("Art. 17({paragraph})({letter}) {name})"),
    }
}

/// A guard, and the ground on which it refuses a request. `None`: the law gives no ground.
type Grounded = (Guard, Option<(u32, char)>);

/// A policy under which every guard refuses, with a duty. One guard of the host's own covers a part of the data.
fn guarded(law: PrivacyLaw, statute: &str) -> (Policy, Vec<Grounded>) {
    let class =
        RecordClass::new("customer").field(Field::key("id")).field(Field::personal("name", Kind::Name));
    let bill = RecordClass::new("bill").field(Field::key("id")).field(Field::plain("day").dated());
    let facts = [
        StoreFact::Status,
        StoreFact::Tenants,
        StoreFact::ActiveSubscriptions,
        StoreFact::UnpaidInvoices,
        StoreFact::OpenDisputes,
        StoreFact::Holds,
    ];
    let map = facts
        .into_iter()
        .fold(DataMap::builder(class).class(bill), relinquish::data_map::DataMapBuilder::knows);
    let map = map.state("vip").build().unwrap();
    let mut text = format!(
        "version = 1\nsweep = false\nprivacy_law = '{law}'\ntriggers.requested = {{ treatment = 't' }}\n\
         anonymise.name = 'clear'\n\
         guards = {{ active_subscription = 'block', several_tenants = 'block', not_archived = {{ ignore = 'x' }},\n\
         unpaid_invoice = {{ data = ['bill', 'customer'] }},\n\
         open_dispute = {{ data = ['bill', 'customer'] }},\n\
         legal_claim = {{ data = ['bill', 'customer'] }},\n\
         vip = {{ block = 'statistics', ground = '17(3)(a)', data = 'bill' }} }}\n\
         treatments.t = {{ customer = 'anonymise', bill = 'delete' }}\n\
         duties.books = {{ classes = 'bill', statute = '{statute}', from = 'day' }}\n",
    );
    for language in [Language::Swedish, Language::German] {
        for name in ["customer", "bill"] {
            writeln!(text, "words.{language}.names.{name} = '{}'", said(language, name)).unwrap();
        }
        let reason = said(language, "statistics");
        writeln!(text, "words.{language}.texts.statistics = '{reason}'").unwrap();
    }
    let checked = PolicyDocument::from_toml(&text).and_then(|policy| policy.check(&map));
    let guards = vec![
        (Guard::ActiveSubscription, Some((1, 'a'))),
        (Guard::SeveralTenants, None),
        (Guard::UnpaidInvoice, Some((3, 'e'))),
        (Guard::OpenDispute, Some((3, 'e'))),
        (Guard::Hold(HoldKind::LegalClaim), Some((3, 'e'))),
        (Guard::Hold(HoldKind::Restriction), None),
        (Guard::Hold(HoldKind::AuthorityOrder), Some((3, 'b'))),
        (Guard::Own("vip".into()), Some((3, 'a'))),
    ];
    (checked.unwrap_or_else(|problems| panic!("{problems}")), guards)
}

fn with(guards: &[&Guard]) -> Customer {
    let mut one = Customer::new("1", "any");
    one.states.insert("vip".into(), false);
    for guard in guards {
        match guard {
            Guard::ActiveSubscription => one.active_subscriptions = 1,
            Guard::SeveralTenants => one.tenants = 2,
            Guard::UnpaidInvoice => one.unpaid_invoices = 1,
            Guard::OpenDispute => one.open_disputes = 1,
            Guard::Hold(kind) => drop(one.holds.insert(*kind)),
            Guard::Own(state) => drop(one.states.insert(state.clone(), true)),
            _ => unreachable!(),
        }
    }
    one
}

/// Every set of guards there is, under each law and in each language: a refusal names those with a ground, each with it,
/// and no other.
#[test]
fn a_refusal_names_every_ground_and_nothing_that_is_none() {
    for (law, statute, years, remedy) in LAWS {
        let (policy, guards) = guarded(law, statute);
        for language in Language::ALL {
            let refused = (0..1_usize << guards.len())
                .filter(|set| {
                    let up = guards.iter().enumerate().filter(|(n, _)| set & (1 << n) != 0);
                    let up: Vec<&Grounded> = up.map(|(_, guard)| guard).collect();
                    is_refused(&policy, (law, years, remedy), &up, language)
                })
                .count();
            assert!(refused > 200, "{law}, {language}: {refused}");
        }
    }
}

/// Whether a customer with these guards is refused. Holds the letter against them.
fn is_refused(
    policy: &Policy,
    (law, years, remedy): (PrivacyLaw, u32, &str),
    up: &[&Grounded],
    language: Language,
) -> bool {
    let controller = Controller::new("Berg & Son", "1 High Street");
    let authority = Authority::new("the Authority", "2 High Street");
    let head = Letterhead::new(policy, language, controller, authority, written_on()).unwrap();
    let head = head.with_objection().with_consent();
    let request = Request::new("R-1", NaiveDate::from_ymd_opt(2026, 10, 30).unwrap());
    let one = with(&up.iter().map(|(guard, _)| guard).collect::<Vec<_>>());
    let decision = decide(policy, &one, &Asked::request(), &[], "2026-11-30T12:00:00Z".parse().unwrap());
    let letter = letter::refusal(&head, &request, policy.everyone(), &decision);
    let grounds: Vec<_> = up.iter().filter_map(|(guard, ground)| Some((guard, (*ground)?))).collect();
    if up.is_empty() {
        // A duty keeps a part, and nobody has counted.
        assert!(letter.unwrap().lines().any(|(fact, _)| *fact == Fact::RestErased));
        return false;
    }
    if grounds.is_empty() {
        assert_eq!(letter, Err(LetterError::NoGround), "{decision}");
        return false;
    }
    if grounds.iter().all(|(guard, _)| matches!(guard, Guard::Own(_))) {
        // The ground covers bills, and nothing keeps the customer's own record.
        assert_eq!(letter, Err(LetterError::Unfounded { classes: ["customer".into()].into() }));
        return false;
    }
    let [concerns, only, years_of] = match language {
        Language::Swedish => ["Det gäller", "Det gäller: billå.", "i {n} år från"],
        Language::German => ["Dies betrifft", "Dies betrifft: billß.", "{n} Jahre ab"],
        _ => ["This concerns", "This concerns: bill.", "for {n} years from"],
    };
    let duty = vec![years_of.replace("{n}", &years.to_string()), provision(law, (3, 'b'), language)];
    let mut wanted: Wanted = vec![
        (Fact::Date(written_on()), Vec::new()),
        (Fact::Reference, vec!["R-1".to_owned()]),
        (Fact::Controller, vec!["1 High Street".to_owned()]),
        (Fact::Received(request.received), vec![written(language, request.received)]),
        (Fact::NothingErased, Vec::new()),
        (Fact::Deferred("bill".into()), duty),
        (Fact::Objection, Vec::new()),
        (Fact::Consent, Vec::new()),
        (Fact::Remedies, ["the Authority", "2 High Street", remedy].map(str::to_owned).to_vec()),
    ];
    wanted.extend(grounds.iter().map(|(guard, ground)| {
        let data = if matches!(guard, Guard::Own(_)) { only } else { concerns };
        let parts = vec![provision(law, *ground, language), data.to_owned()];
        (Fact::Refused(Some((*guard).clone())), parts)
    }));
    let lines = lines(&letter.unwrap());
    let found = faults(&lines, wanted.clone(), language);
    assert!(found.is_empty(), "{decision}\n{found:?}");
    for n in 0..lines.len() {
        let mut less = lines.clone();
        less.remove(n);
        assert!(!faults(&less, wanted.clone(), language).is_empty(), "nobody misses {:?}", lines[n]);
    }
    true
}

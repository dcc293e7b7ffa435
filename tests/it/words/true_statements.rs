//! Every sentence of the retention statement comes from a rule of the policy in force, and each rule is told. The same for
//! the notice of extension and its clock. The facts are read here a second time, by rules of their own.

use std::fmt::Write as _;

use chrono::{Days, NaiveDate};
use fastrand::Rng;
use relinquish::customer::HoldKind;
use relinquish::data_map::{Fact as StoreFact, Field, Kind, RecordClass};
use relinquish::plan::letter::{
    self, Authority, Controller, Fact, Language, LetterError, Letterhead, Lingering, ToldGateway,
};
use relinquish::plan::{ExtensionReason, Holidays, Regime, RequestClock, StopReason, Suspension};
use relinquish::policy::{Concept, ConceptRow, Guard, Statute, Trigger};
use relinquish::{DataMap, Policy, PolicyDocument};

use super::true_letters::{CLASSES, Wanted, faults, lines, said, written, written_on};

const STATUTE: &str = "SE/BFL/7:2";
const SWEEPS: [(Trigger, &str, &str); 3] = [
    (Trigger::Cancelled, "after = '{n} years'", ""),
    (Trigger::Inactive, "since = ['seen'], after = '{n} years'", "seen"),
    (Trigger::Listed, "since = ['seen'], after = '{n} years'", "seen"),
];

/// A policy, and what its statement has to say.
struct Drawn {
    text: String,
    wanted: Vec<(Fact, Vec<Said>)>,
}

/// A part of a sentence: in every language the same, a word of the host, or a text per language.
#[derive(Clone)]
enum Said {
    Word(String),
    Host(String),
    Each([&'static str; 3]),
}

fn years(n: u32) -> [String; 3] {
    let (english, german) = if n == 1 { ("year", "Jahr") } else { ("years", "Jahre") };
    [format!("{n} {english}"), format!("{n} år"), format!("{n} {german}")]
}

fn host(name: &str) -> Said {
    Said::Host(name.to_owned())
}

/// What is said of a field that stays in general form.
fn general(class: &str) -> Vec<Said> {
    let first = Said::Each(["the first 3 characters", "de 3 första tecknen", "die ersten 3 Zeichen"]);
    vec![host(class), host(&format!("field{class}")), first]
}

#[expect(clippy::too_many_lines, reason = "one drawn fact after another")]
fn draw(rng: &mut Rng) -> Drawn {
    let sweep = rng.bool();
    let mut text = format!("version = 1\nsweep = {sweep}\n");
    let mut wanted: Vec<(Fact, Vec<Said>)> = vec![
        (Fact::Date(written_on()), Vec::new()),
        (Fact::Controller, vec![Said::Word("1 High Street".to_owned())]),
        (Fact::InForce, Vec::new()),
        (Fact::Backups(Lingering::Days(30)), Vec::new()),
        (Fact::Rights, vec![Said::Word("Berg & Son".to_owned())]),
        (Fact::Remedies, vec![Said::Word("the Authority".to_owned()), Said::Word("77".to_owned())]),
    ];
    if !sweep {
        wanted.push((Fact::OnlyOnRequest, Vec::new()));
    }
    // Which trigger leads to which treatment.
    let mut used = vec![rng.usize(0..2)];
    writeln!(text, "triggers.requested = {{ treatment = 't{}' }}", used[0]).unwrap();
    wanted.push((Fact::Trigger(Trigger::Requested), Vec::new()));
    for (trigger, rule, date) in SWEEPS {
        if !rng.bool() {
            continue;
        }
        let (n, treatment) = (rng.u32(1..9), rng.usize(0..2));
        writeln!(
            text,
            "triggers.{trigger} = {{ {}, treatment = 't{treatment}' }}",
            rule.replace("{n}", &n.to_string())
        )
        .unwrap();
        if sweep {
            let mut parts: Vec<Said> = vec![Said::Word(n.to_string())];
            parts.extend((!date.is_empty()).then(|| host(date)));
            wanted.push((Fact::Trigger(trigger), parts));
            used.push(treatment);
        }
    }
    for treatment in 0..2 {
        for class in CLASSES {
            let (name, fact_of) = (class.into(), format!("field{class}"));
            let (rule, facts): (String, Vec<(Fact, Vec<Said>)>) = match rng.u32(0..6) {
                0 if class != CLASSES[0] => {
                    ("'delete'".to_owned(), vec![(Fact::Deleted(name), vec![host(class)])])
                }
                1 if class != CLASSES[0] => {
                    let parts = vec![host(class), host("statistics")];
                    ("{ keep = 'statistics' }".to_owned(), vec![(Fact::Kept(name), parts)])
                }
                2 => {
                    let n = rng.u32(2..9);
                    let kept = Fact::KeptField(name.clone(), fact_of.as_str().into());
                    let parts = vec![host(class), host(&fact_of), host("refunds"), Said::Word(n.to_string())];
                    let rule = format!(
                        "{{ action = 'anonymise', keep = {{ {fact_of} = {{ reason = 'refunds', for = '{n} years' }} }} }}"
                    );
                    (rule, vec![(Fact::Cleared(name), vec![host(class)]), (kept, parts)])
                }
                3 => {
                    let kept = Fact::KeptField(name.clone(), fact_of.as_str().into());
                    let as_long = Said::Each(["as long as the record", "lika länge som", "so lange wie"]);
                    let parts = vec![host(class), host(&fact_of), host("theft"), as_long];
                    let rule = format!("{{ action = 'anonymise', keep = {{ {fact_of} = 'theft' }} }}");
                    (rule, vec![(Fact::Cleared(name), vec![host(class)]), (kept, parts)])
                }
                4 => {
                    let rule =
                        format!("{{ action = 'anonymise', fields = {{ {fact_of} = {{ truncate = 3 }} }} }}");
                    let general = (Fact::GeneralField(name.clone(), fact_of.as_str().into()), general(class));
                    (rule, vec![(Fact::Cleared(name), vec![host(class)]), general])
                }
                _ => ("'anonymise'".to_owned(), vec![(Fact::Cleared(name), vec![host(class)])]),
            };
            writeln!(text, "treatments.t{treatment}.{class} = {rule}").unwrap();
            if used.contains(&treatment) {
                wanted.extend(facts);
            }
        }
        let (rule, fact) = if rng.bool() {
            ("'erase'", ToldGateway::Erased { gateway: "stripe".into() })
        } else {
            (
                "{ keep = 'refunds' }",
                ToldGateway::Kept { gateway: "stripe".into(), reason: "refunds".to_owned() },
            )
        };
        writeln!(text, "treatments.t{treatment}.gateway.stripe = {rule}").unwrap();
        if used.contains(&treatment) {
            let parts = match &fact {
                ToldGateway::Kept { .. } => vec![Said::Word("stripe".to_owned()), host("refunds")],
                _ => vec![Said::Word("stripe".to_owned())],
            };
            wanted.push((Fact::Gateway(fact), parts));
        }
    }
    let no_ground = || Said::Each(["no ground in law", "ingen laglig grund", "kein gesetzlicher Grund"]);
    for guard in [Guard::ActiveSubscription, Guard::SeveralTenants, Guard::Own("vip".into())] {
        let is_own = matches!(guard, Guard::Own(_));
        let (rule, fact) = match rng.u32(0..3) {
            0 if is_own => {
                let parts = vec![Said::Word("17".to_owned()), Said::Word("tatistics".to_owned())];
                (
                    "{ block = 'statistics', ground = '17(3)(a)' }",
                    Some((Fact::Obstacle(guard.clone()), parts)),
                )
            }
            0 => {
                let ground = if guard.ground().is_some() { Said::Word("17".to_owned()) } else { no_ground() };
                ("'block'", Some((Fact::Obstacle(guard.clone()), vec![ground])))
            }
            1 => {
                let parts = is_own.then(|| host("vip")).into_iter().collect();
                ("'block sweep'", sweep.then(|| (Fact::Delay(guard.clone()), parts)))
            }
            _ => ("{ ignore = 'x' }", None),
        };
        writeln!(text, "guards.{guard} = {rule}").unwrap();
        wanted.extend(fact);
    }
    // A hold of the hold book is no line of a policy, and always stands against an erasure.
    for (hold, says) in [
        (HoldKind::LegalClaim, Said::Word("17".to_owned())),
        (HoldKind::AuthorityOrder, Said::Word("17".to_owned())),
        (HoldKind::Restriction, no_ground()),
    ] {
        wanted.push((Fact::Obstacle(Guard::Hold(hold)), vec![says]));
    }
    if rng.bool() {
        let n = rng.u32(1..9);
        writeln!(text, "suppress = {{ kinds = ['email'], treatments = ['t0'], for = '{n} years' }}").unwrap();
        if used.contains(&0) {
            wanted.push((Fact::WillBeSuppressed, vec![Said::Word(n.to_string())]));
        }
    }
    if rng.bool() {
        let (n, ownerless) = (rng.u32(1..9), rng.bool());
        let (action, stays) = match rng.u32(0..3) {
            0 => ("action = 'delete'", None),
            1 => {
                let kept = Fact::KeptField("echo".into(), "fieldecho".into());
                let parts = vec![host("echo"), host("fieldecho"), host("theft")];
                ("action = 'anonymise', keep = { fieldecho = 'theft' }", Some((kept, parts)))
            }
            _ => {
                let kept = Fact::GeneralField("echo".into(), "fieldecho".into());
                (
                    "action = 'anonymise', fields = { fieldecho = { truncate = 3 } }",
                    Some((kept, general("echo"))),
                )
            }
        };
        let owner = if ownerless { ", ownerless = 'gone or none'" } else { "" };
        writeln!(text, "expire.echo = {{ from = 'madeecho', after = '{n} years', {action}{owner} }}")
            .unwrap();
        if sweep {
            let parts = vec![host("echo"), host("madeecho"), Said::Word(n.to_string())];
            wanted.push((Fact::Expires("echo".into()), parts.clone()));
            wanted.extend(stays.clone());
            if ownerless {
                let both = Said::Each(["but not before", "men tidigast", "frühestens aber"]);
                wanted.push((Fact::Ownerless("echo".into()), parts.into_iter().chain([both]).collect()));
                wanted.extend(stays);
            }
        }
    }
    Drawn { text, wanted }
}

fn map() -> DataMap {
    let class = |name: &str| {
        RecordClass::new(name)
            .field(Field::key("id"))
            .field(Field::personal("name", Kind::Name))
            .field(Field::personal(format!("field{name}"), Kind::City))
            .field(Field::personal("mail", Kind::Email))
            .field(Field::plain(format!("made{name}")).dated())
    };
    let map =
        CLASSES[1..].iter().fold(DataMap::builder(class(CLASSES[0])), |map, name| map.class(class(name)));
    let map = map.knows(StoreFact::Status).knows(StoreFact::ActiveSubscriptions).knows(StoreFact::Tenants);
    let map = map.state("vip").date("seen");
    map.date("cancelled").gateway("stripe").build().unwrap()
}

fn policy(drawn: &str) -> Policy {
    let mut text = format!(
        "{drawn}guards.not_archived = {{ ignore = 'x' }}\n\
         guards.unpaid_invoice = {{ ignore = 'x' }}\nguards.open_dispute = {{ ignore = 'x' }}\n\
         anonymise = {{ name = 'clear', city = 'clear', email = 'clear' }}\n"
    );
    let names =
        CLASSES.iter().flat_map(|name| [(*name).to_owned(), format!("field{name}"), format!("made{name}")]);
    let names: Vec<String> = names.chain(["seen", "cancelled", "vip"].map(str::to_owned)).collect();
    for language in [Language::Swedish, Language::German] {
        for name in &names {
            writeln!(text, "words.{language}.names.{name} = '{}'", said(language, name)).unwrap();
        }
        for reason in ["statistics", "refunds", "theft"] {
            writeln!(text, "words.{language}.texts.{reason} = '{}'", said(language, reason)).unwrap();
        }
    }
    let checked = PolicyDocument::from_toml(&text).and_then(|policy| policy.check(&map()));
    checked.unwrap_or_else(|problems| panic!("{problems}\n{text}"))
}

fn head(policy: &Policy, language: Language) -> Letterhead {
    let controller = Controller::new("Berg & Son", "1 High Street");
    let authority = Authority::new("the Authority", "2 High Street");
    let head = Letterhead::new(policy, language, controller, authority, written_on()).unwrap();
    head.with_backups(Lingering::Days(30))
}

fn index(language: Language) -> usize {
    Language::ALL.iter().position(|one| *one == language).unwrap()
}

fn in_words(wanted: &[(Fact, Vec<Said>)], language: Language) -> Wanted {
    let part = |part: &Said| match part {
        Said::Word(word) => word.clone(),
        Said::Host(name) => said(language, name),
        Said::Each(each) => each[index(language)].to_owned(),
    };
    wanted.iter().map(|(fact, parts)| (fact.clone(), parts.iter().map(part).collect())).collect()
}

/// The lines of a statement. Leads are told beside what is kept, and say nothing new.
fn told(policy: &Policy, language: Language) -> Vec<(Fact, String)> {
    let letter = letter::statement(&head(policy, language), policy, None).unwrap();
    lines(&letter).into_iter().filter(|(fact, _)| !matches!(fact, Fact::Lead(_))).collect()
}

#[test]
fn every_sentence_of_a_statement_comes_from_a_rule_and_each_rule_is_told() {
    for seed in 0..400 {
        let mut rng = Rng::with_seed(seed);
        let drawn = draw(&mut rng);
        let language = Language::ALL[rng.usize(0..3)];
        let found =
            faults(&told(&policy(&drawn.text), language), in_words(&drawn.wanted, language), language);
        assert!(found.is_empty(), "seed {seed}, {language}\n{}\n{}", found.join("\n"), drawn.text);
    }
}

/// Whoever leaves a rule out, makes one up, or writes another policy's rules is found out.
#[test]
fn a_statement_that_says_more_less_or_something_else_is_found_out() {
    let mut others = 0;
    for seed in 0..100 {
        let mut rng = Rng::with_seed(seed);
        let (drawn, other) = (draw(&mut rng), draw(&mut rng));
        let language = Language::ALL[rng.usize(0..3)];
        let wanted = || in_words(&drawn.wanted, language);
        let honest = told(&policy(&drawn.text), language);
        for n in 0..honest.len() {
            let mut less = honest.clone();
            let left_out = less.remove(n);
            assert!(!faults(&less, wanted(), language).is_empty(), "seed {seed}: nobody misses {left_out:?}");
        }
        let mut more = honest.clone();
        more.push((Fact::AtMost("calls".to_owned()), "**calls**: kept for 6 months at most.".to_owned()));
        assert!(!faults(&more, wanted(), language).is_empty(), "seed {seed}: more");
        let of_another = told(&policy(&other.text), language);
        if of_another != honest {
            assert!(!faults(&of_another, wanted(), language).is_empty(), "seed {seed}: another policy");
            others += 1;
        }
        // A period that is another one.
        let longer = drawn.text.replace("for = '2 years'", "for = '31 years'");
        if longer != drawn.text && told(&policy(&longer), language) != honest {
            let found = faults(&told(&policy(&longer), language), wanted(), language);
            assert!(!found.is_empty(), "seed {seed}: longer");
        }
    }
    assert!(others > 90, "{others}");
}

/// The facts of a statement for which the deletion concept has no row.
fn without_row<'w>(rows: &[ConceptRow], wanted: &'w [(Fact, Vec<Said>)]) -> Vec<&'w Fact> {
    let is_told = |row: &ConceptRow, fact: &Fact| match fact {
        Fact::Trigger(trigger) => row.implementation.starts_with(&format!("triggers.{trigger},")),
        Fact::Deleted(class) => row.cluster == class.as_str() && row.action == "delete",
        Fact::Cleared(class) => row.cluster == class.as_str() && row.action == "anonymise",
        Fact::Kept(class) => row.cluster == class.as_str() && row.action == "keep: statistics",
        Fact::KeptField(class, field) => {
            row.cluster == class.as_str() && row.implementation.contains(&format!(", keep.{field}"))
        }
        Fact::GeneralField(class, field) => {
            let says = format!("keep field {field} in general form: the first 3 characters");
            row.cluster == class.as_str() && row.action == says
        }
        Fact::Gateway(ToldGateway::Kept { .. }) => {
            row.cluster == "gateway.stripe" && row.action == "keep: refunds"
        }
        Fact::Gateway(_) => row.cluster == "gateway.stripe" && row.action == "erase",
        Fact::Expires(class) => row.implementation == format!("expire.{class}"),
        Fact::Ownerless(class) => row.implementation == format!("expire.{class}, ownerless"),
        Fact::WillBeSuppressed => row.cluster == "suppression list",
        _ => true,
    };
    wanted.iter().map(|(fact, _)| fact).filter(|fact| !rows.iter().any(|row| is_told(row, fact))).collect()
}

/// What the statement tells the people, the deletion concept tells the controller, in both of its forms.
#[test]
fn the_deletion_concept_has_a_row_for_each_rule_that_a_statement_tells() {
    let mut others = 0;
    for seed in 0..200 {
        let mut rng = Rng::with_seed(seed);
        let (drawn, other) = (draw(&mut rng), draw(&mut rng));
        let concept = Concept::of(&policy(&drawn.text), None, &map());
        let untold = without_row(concept.rows(), &drawn.wanted);
        assert!(untold.is_empty(), "seed {seed}: {untold:?}\n{}\n{}", concept.to_markdown(), drawn.text);
        let (csv, markdown) = (concept.to_csv(), concept.to_markdown());
        assert_eq!(csv.lines().count(), concept.rows().len() + 1, "{csv}");
        for row in concept.rows() {
            for text in [&row.cluster, &row.period, &row.start, &row.latest, &row.action, &row.implementation]
            {
                assert!(csv.contains(text.as_str()) && markdown.contains(text.as_str()), "{text}\n{csv}");
            }
        }
        // Whoever prints another policy's concept is found out.
        others += usize::from(!without_row(concept.rows(), &other.wanted).is_empty());
    }
    assert!(others > 190, "{others}");
}

/// What duties keep is told with law, period and start, in every language.
#[test]
fn a_statement_tells_every_duty_with_its_law() {
    let statute = Statute::find(STATUTE).unwrap();
    let mut rng = Rng::with_seed(1);
    let drawn = draw(&mut rng);
    let text = format!(
        "{}duties.books = {{ classes = ['bravo'], statute = '{STATUTE}', from = 'madebravo' }}\n",
        drawn.text.replace("treatments.t0.bravo = { keep = 'statistics' }", "treatments.t0.bravo = 'delete'")
    );
    let policy = policy(&text);
    for language in Language::ALL {
        let lines = told(&policy, language);
        let duty = lines.iter().find(|(fact, _)| *fact == Fact::Duty("books".to_owned())).unwrap();
        let law = match language {
            Language::English => statute.english,
            Language::Swedish => statute.cited,
            _ => statute.title,
        };
        for part in [law, &years(7)[index(language)], &said(language, "bravo")] {
            assert!(duty.1.contains(part), "{part} is missing: {}", duty.1);
        }
    }
}

/// A clock that was extended, with stops before.
fn clock(rng: &mut Rng) -> Option<RequestClock> {
    let regime = *rng.choice(&[Regime::Eu, Regime::Uk, Regime::Switzerland]).unwrap();
    let mut day = NaiveDate::from_ymd_opt(2026, 9, 1).unwrap() + Days::new(rng.u64(0..400));
    let mut clock = RequestClock::under(regime, day);
    let holidays = Holidays::default();
    for _ in 0..if regime.has_stops() { rng.u32(0..3) } else { 0 } {
        day = day + Days::new(rng.u64(1..8));
        let reason = if rng.bool() { StopReason::Identity } else { StopReason::Clarification };
        clock.suspend(day, reason, &holidays).ok()?;
        day = day + Days::new(rng.u64(1..20));
        clock.resume(day).ok()?;
    }
    let reason = if rng.bool() { ExtensionReason::Complexity } else { ExtensionReason::NumberOfRequests };
    clock.extend(day + Days::new(rng.u64(0..4)), reason, &holidays).ok()?;
    Some(clock)
}

fn of_extension(clock: &RequestClock, language: Language) -> Wanted {
    let n = index(language);
    let due = clock.due(&Holidays::default()).unwrap();
    let why = match clock.extension().unwrap().reason {
        ExtensionReason::Complexity => ["is complex", "komplicerad", "komplex"],
        ExtensionReason::NumberOfRequests if clock.regime() == Regime::Uk => {
            ["You have made", "Du har gjort", "Sie haben mehrere"]
        }
        ExtensionReason::NumberOfRequests => ["large number of requests", "stort antal", "große Zahl"],
    };
    let article = match (clock.regime(), language) {
        (Regime::Uk, _) => "12A",
        (Regime::Switzerland, _) => "30",
        (_, Language::Swedish) => "12.3",
        (_, Language::German) => "12 Abs. 3",
        _ => "12(3)",
    };
    let mut wanted: Wanted = vec![
        (Fact::Date(written_on()), vec![written(language, written_on())]),
        (Fact::Controller, vec!["1 High Street".to_owned()]),
        (Fact::Reference, vec!["R-1".to_owned()]),
        (Fact::Received(clock.received_on()), vec![written(language, clock.received_on())]),
        (Fact::Extended(due), vec![written(language, due), why[n].to_owned(), article.to_owned()]),
        (Fact::Remedies, vec!["the Authority".to_owned()]),
    ];
    // In the UK the month begins with the last proof of identity, and what was before does not count.
    let begins = |stop: &Suspension| clock.regime() == Regime::Uk && stop.reason == StopReason::Identity;
    let first = clock.suspensions().iter().rposition(begins).unwrap_or(0);
    for stop in &clock.suspensions()[first..] {
        let (from, to) = (written(language, stop.from), written(language, stop.to.unwrap()));
        let parts = if begins(stop) {
            let began = ["began on", "började löpa den", "begann am"][n];
            vec![format!("{began} {to}."), ["or for a fee", "en avgift", "eine Gebühr"][n].to_owned()]
        } else {
            let why = match stop.reason {
                StopReason::Identity => ["identity", "identitet", "Identität"],
                StopReason::Clarification => ["refers to", "avser", "bezieht"],
            };
            vec![from, to, why[n].to_owned()]
        };
        wanted.push((Fact::Suspended(stop.from), parts));
    }
    wanted
}

#[test]
fn every_sentence_of_an_extension_comes_from_the_clock_and_each_stop_is_told() {
    let text = draw(&mut Rng::with_seed(1)).text;
    let under = |law: &str| policy(&format!("privacy_law = '{law}'\n{text}"));
    let (european, british, swiss) = (under("gdpr"), under("uk_gdpr"), under("fadp"));
    let of = |clock: &RequestClock| match clock.regime() {
        Regime::Uk => &british,
        Regime::Switzerland => &swiss,
        _ => &european,
    };
    let (mut stops, mut letters) = (0, 0);
    for seed in 0..2_000 {
        let mut rng = Rng::with_seed(seed);
        let (clock, other) = (clock(&mut rng), clock(&mut rng));
        let language = Language::ALL[rng.usize(0..3)];
        let Some(clock) = clock else { continue };
        let tell = |clock: &RequestClock| {
            let (policy, holidays) = (of(clock), Holidays::default());
            let letter =
                letter::extension(&head(policy, language), "R-1", policy.everyone(), clock, &holidays);
            lines(&letter.unwrap())
        };
        let (honest, wanted) = (tell(&clock), || of_extension(&clock, language));
        let found = faults(&honest, wanted(), language);
        assert!(found.is_empty(), "seed {seed}, {language}\n{}\n{honest:?}", found.join("\n"));
        stops += clock.suspensions().len();
        letters += 1;
        // Whoever leaves a sentence out, or tells another clock, is found out.
        let mut less = honest.clone();
        let left_out = less.remove(rng.usize(0..less.len()));
        assert!(!faults(&less, wanted(), language).is_empty(), "seed {seed}: nobody misses {left_out:?}");
        if let Some(other) = other.filter(|other| *other != clock && tell(other) != honest) {
            assert!(!faults(&tell(&other), wanted(), language).is_empty(), "seed {seed}: another clock");
        }
    }
    assert!(stops > 300 && letters > 500, "{stops} {letters}");
    // A clock that was not extended has no such letter.
    let clock = RequestClock::received(written_on());
    let head = head(&european, Language::English);
    let none = letter::extension(&head, "R-1", european.everyone(), &clock, &Holidays::default());
    assert_eq!(none, Err(LetterError::NotExtended));
}

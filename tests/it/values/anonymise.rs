//! For each strategy: the new value contains nothing of the old one, and the new value is recognised later.

use std::collections::BTreeSet;

use chrono::{Days, NaiveDate};
use proptest::prelude::*;
use relinquish::anonymise::OwnStrategy as _;
use relinquish::anonymise::{
    Draw, Generalisation, NotATemplate, Reveals, Seed, Strategy as Anonymise, Template, Token, TokenForm,
};
use relinquish::data_map::{ClassName, FieldName, Record, RecordKey, Value};

use crate::values::own_strategies::{Region, own};

/// A place with everything that a [`Draw`] borrows.
#[derive(Clone, Debug)]
struct Place {
    seed: Seed,
    class: ClassName,
    key: RecordKey,
    field: FieldName,
    attempt: u32,
    date: NaiveDate,
}

impl Place {
    fn new(seed: u8, key: &str) -> Self {
        Self {
            seed: Seed::new([seed; 32]),
            class: "customer".into(),
            key: RecordKey::new(key),
            field: "email".into(),
            attempt: 0,
            date: NaiveDate::from_ymd_opt(2018, 12, 15).unwrap(),
        }
    }

    fn draw(&self) -> Draw<'_> {
        Draw {
            seed: &self.seed,
            class: &self.class,
            key: &self.key,
            field: &self.field,
            attempt: self.attempt,
            date: self.date,
        }
    }
}

fn any_place() -> impl Strategy<Value = Place> {
    (any::<[u8; 32]>(), ".{0,12}", any::<u32>(), 0..200_000_u64).prop_map(|(seed, key, attempt, days)| {
        let date = NaiveDate::from_ymd_opt(1900, 1, 1).unwrap() + Days::new(days);
        Place { seed: Seed::new(seed), attempt, date, ..Place::new(0, &key) }
    })
}

const FORMS: [TokenForm; 3] = [TokenForm::Email, TokenForm::Username, TokenForm::Plain];

/// Every token there is.
fn tokens() -> Vec<Token> {
    let rooms = (0..60).map(Some).chain([None]);
    let digits = (10..=38).map(TokenForm::Digits);
    let forms: Vec<TokenForm> = FORMS.into_iter().chain([TokenForm::Uuid]).chain(digits).collect();
    let all = rooms.flat_map(|room| forms.iter().filter_map(move |form| Token::fitting(*form, room)));
    let mut list: Vec<Token> = Vec::new();
    all.for_each(|token| {
        if !list.contains(&token) {
            list.push(token);
        }
    });
    list
}

fn any_strategy() -> impl Strategy<Value = Anonymise> {
    let token = || prop::sample::select(tokens());
    let template = "[A-Za-z0-9 _@.-]{0,6}[A-Za-z]{3} ?(\\{date\\}|\\{year\\})(\\{token\\})?[a-z@. ]{0,8}|\\{token\\}|[A-Za-z ]{0,6}[A-Za-z]";
    prop_oneof![
        Just(Anonymise::Clear),
        any_value().prop_map(Anonymise::Constant),
        template.prop_map(|text| Anonymise::Placeholder(text.parse().unwrap())),
        token().prop_map(Anonymise::Token),
        Just(Anonymise::Invalidate(None)),
        token().prop_map(|token| Anonymise::Invalidate(Some(token))),
        prop::sample::select(vec!["void", "card_region"]).prop_map(of_the_host),
        any_generalisation(),
    ]
}

fn of_the_host(name: &str) -> Anonymise {
    Anonymise::Own(own(1).get(name).unwrap())
}

const GENERALISATIONS: [Generalisation; 12] = [
    Generalisation::UkArea,
    Generalisation::WideAgeBand,
    Generalisation::WideNetwork,
    Generalisation::UkPostcode,
    Generalisation::UsZip,
    Generalisation::Prefix(2),
    Generalisation::Year,
    Generalisation::Month,
    Generalisation::AgeBand,
    Generalisation::IpNetwork,
    Generalisation::Truncate(1),
    Generalisation::Truncate(12),
];

fn any_generalisation() -> impl Strategy<Value = Anonymise> {
    let otherwise =
        ["Anonymised {date}", "erased {token}"].map(|text| Anonymise::Placeholder(text.parse().unwrap()));
    let otherwise = prop::sample::select([vec![Anonymise::Clear], otherwise.to_vec()].concat());
    (prop::sample::select(GENERALISATIONS.to_vec()), otherwise)
        .prop_map(|(to, otherwise)| Anonymise::Generalise { to, otherwise: Box::new(otherwise) })
}

/// Postcodes, days, ages and addresses. They are so few that two of them often have the same generalisation.
fn general() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        "(SW1A|E1|m1) ?[0-9][A-Z]{2}",
        "(02139|02138|03601|89399)(-[0-9]{4})?",
        "198[45]-0[12]-[012][0-9]( 08:30)?",
        "[0-9]{1,3}",
        "203\\.0\\.11[34]\\.[0-9]{1,2}",
        "(SW|E|QQ|40-59|80\\+)",
        "2001:db8:[12]:[0-9a-f]{1,4}::[0-9a-f]{1,4}",
        personal(),
    ];
    prop_oneof![text.prop_map(Value::Text), (0..120_i64).prop_map(Value::Integer), Just(Value::Null)]
}

fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<i64>().prop_map(Value::Integer),
        prop::num::f64::NORMAL.prop_map(Value::Real),
        ".{0,40}".prop_map(Value::Text),
        personal().prop_map(Value::Text),
        prop::collection::vec(any::<u8>(), 0..20).prop_map(Value::Blob),
    ]
}

/// Names, mail addresses, user names, telephone numbers, days of birth, hashes of passwords.
fn personal() -> impl Strategy<Value = String> {
    prop_oneof![
        "[A-ZÅÄÖÉ][a-zåäöéü]{1,10}( [A-Z][a-z]{1,12}(-[A-Z][a-z]{2,8})?)?",
        "[a-z]{2,10}[._]?[a-z0-9]{0,8}@[a-z]{2,10}\\.(org|com|de|se|example)",
        "[a-z]{3,10}[0-9]{0,4}",
        "(\\+|00)[1-9][0-9 ]{6,14}",
        "0[1-9][0-9]{1,3}[ -/][0-9]{3,8}",
        "(19|20)[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])",
        "\\$2b\\$12\\$[./A-Za-z0-9]{53}",
        "[A-Z][a-z]{3,10}(gatan|strasse| street) [1-9][0-9]?",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_comes_out_never_depends_on_what_was_erased(
        strategy in any_strategy(), one in any_value(), other in any_value(), place in any_place(),
    ) {
        prop_assume!(strategy.reveals() == Reveals::Nothing);
        prop_assume!(!strategy.holds(&one) && !strategy.holds(&other));
        prop_assert!(strategy.apply(&one, &place.draw()) == strategy.apply(&other, &place.draw()));
    }

    #[test]
    fn what_comes_out_depends_on_nothing_but_what_the_strategy_says_that_it_reveals(
        strategy in any_generalisation(), values in prop::collection::vec(general(), 2..12), place in any_place(),
    ) {
        let Reveals::Only(general) = strategy.reveals() else { panic!("{strategy:?} reveals something") };
        for one in &values {
            for other in &values {
                if general.apply(one, place.date) == general.apply(other, place.date) {
                    prop_assert!(
                        strategy.apply(one, &place.draw()) == strategy.apply(other, &place.draw()),
                        "{:?} of {:?} and {:?}", strategy, one.as_text(), other.as_text(),
                    );
                }
            }
        }
    }

    #[test]
    fn a_strategy_of_the_hosts_own_shows_its_generalisation_and_nothing_else(
        values in prop::collection::vec("(SE|DK|se)-?[0-9]{1,4}", 2..8), place in any_place(),
    ) {
        let strategy = of_the_host("card_region");
        prop_assert_eq!(strategy.reveals(), Reveals::General);
        let values: Vec<Value> = values.into_iter().map(Value::from).collect();
        for (one, other) in values.iter().zip(values.iter().skip(1)) {
            let general = |value| Region { version: 1 }.general(value, place.date);
            let same = strategy.apply(one, &place.draw()) == strategy.apply(other, &place.draw());
            prop_assert_eq!(same, general(one) == general(other));
        }
    }

    /// A value that cannot be read is never kept.
    #[test]
    fn what_cannot_be_made_general_goes(strategy in any_generalisation(), old in any_value(), place in any_place()) {
        let Reveals::Only(general) = strategy.reveals() else { panic!("{strategy:?} reveals something") };
        let new = strategy.apply(&old, &place.draw());
        if general.apply(&old, place.date).is_none() && !strategy.holds(&old) {
            prop_assert!(new != old);
        }
    }

    #[test]
    fn what_is_general_is_general_already(
        to in prop::sample::select(GENERALISATIONS.to_vec()), old in general(), place in any_place(),
    ) {
        if let Some(once) = to.apply(&old, place.date) {
            prop_assert!(to.apply(&once, place.date) == Some(once.clone()), "{:?} of {:?}", to, old.as_text());
            if let (Some(text), None) = (once.as_text(), to.chars()) {
                let before = old.as_text().map_or(0, |text| text.chars().count());
                prop_assert!(text.chars().count() <= before, "{:?} grows", to);
            }
        }
    }

    #[test]
    fn what_came_out_counts_as_erased(strategy in any_strategy(), old in any_value(), place in any_place()) {
        let new = strategy.apply(&old, &place.draw());
        prop_assert!(strategy.holds(&new), "{:?} at {}", strategy, place.date);
    }

    #[test]
    fn done_twice_is_done_once_and_no_placeholder_is_dated_anew(
        strategy in any_strategy(), old in any_value(), place in any_place(), again in any_place(),
    ) {
        let once = strategy.apply(&old, &place.draw());
        let twice = strategy.apply(&once, &again.draw());
        prop_assert!(once == twice, "{:?}", strategy);
    }

    #[test]
    fn the_same_place_gives_the_same_value_and_another_place_another(
        token in prop::sample::select(tokens()), place in any_place(), what in 0..5_u8,
    ) {
        prop_assume!(token.is_unique());
        let mut other = place.clone();
        match what {
            0 => other.seed = Seed::new([0xa5; 32]),
            1 => other.class = "order".into(),
            2 => other.key = RecordKey::new(format!("{}x", place.key.as_str())),
            3 => other.field = "name".into(),
            _ => other.attempt = place.attempt.wrapping_add(1),
        }
        let strategy = Anonymise::Token(token);
        let value = strategy.apply(&Value::Null, &place.draw());
        prop_assert!(value == strategy.apply(&Value::from("Ann"), &place.clone().draw()));
        prop_assert!(value != strategy.apply(&Value::Null, &other.draw()));
        other = Place { date: place.date + Days::new(1), ..place.clone() };
        prop_assert!(value == strategy.apply(&Value::Null, &other.draw()), "a token bears no date");
    }

    /// Two parts of a place that are equal when joined are still different.
    #[test]
    fn no_two_places_draw_the_same(left in "[ab]{0,3}", right in "[ab]{0,3}", cut in 0..7_usize) {
        let text = format!("{left}{right}");
        prop_assume!(cut <= text.len() && cut != left.len());
        let place = |left: &str, right: &str| Place { class: left.into(), ..Place::new(1, right) };
        let (one, other) = (place(&left, &right), place(&text[..cut], &text[cut..]));
        prop_assert_ne!(one.draw().bytes(), other.draw().bytes());
    }

    #[test]
    fn what_a_person_wrote_is_no_placeholder_and_no_long_token(value in personal()) {
        let templates = ["Anonymised {date}", "Erased {date}", "{date}@x.invalid", "erased-{date}@erased.invalid"];
        let placeholders = templates.map(|text| Anonymise::Placeholder(text.parse().unwrap()));
        let long = FORMS.map(|form| Anonymise::Token(Token::fitting(form, None).unwrap()));
        let passwords = [None, Token::fitting(TokenForm::Plain, None)].map(Anonymise::Invalidate);
        let value = Value::Text(value);
        for strategy in placeholders.iter().chain(&long).chain(&passwords).chain([&Anonymise::Clear]) {
            prop_assert!(!strategy.holds(&value), "{:?}", strategy);
        }
    }

    #[test]
    fn a_token_fits_its_column_and_is_of_its_form(
        form in prop::sample::select(FORMS.to_vec()), room in 0..80_u32, place in any_place(),
    ) {
        let least = if form == TokenForm::Email { 18 } else { 12 };
        let Some(token) = Token::fitting(form, Some(room)) else {
            prop_assert!(room < least, "{:?} has room in {}", form, room);
            return Ok(());
        };
        let value = Anonymise::Token(token.clone()).apply(&Value::Null, &place.draw());
        let text = value.as_text().unwrap();
        prop_assert!(text.is_ascii() && text.len() <= room as usize);
        prop_assert_eq!(text.len(), token.chars());
        let local = text.strip_suffix(".invalid").and_then(|rest| rest.split_once('@'));
        prop_assert_eq!(local.is_some(), form == TokenForm::Email);
        prop_assert!(room < 42 || text.starts_with("erased-"));
    }

    #[test]
    fn a_placeholder_is_as_long_as_it_says_and_is_known_on_every_day(
        before in "[A-Za-zäö ]{0,10}", after in "[a-z@. ]{0,10}", days in 0..80_000_u64,
    ) {
        let template: Template = format!("xyz{before}{{date}}{after}").parse().unwrap();
        let date = NaiveDate::from_ymd_opt(1970, 1, 1).unwrap() + Days::new(days);
        let text = template.render(&Place { date, ..Place::new(1, "7") }.draw());
        prop_assert_eq!(text.chars().count(), template.chars());
        prop_assert!(template.holds(&text));
        let longer = format!("{text} ");
        prop_assert!(!template.holds(&longer));
        prop_assert!(!template.holds(&text.replacen('-', "/", 1)));
        prop_assert!(!template.holds(template.as_str()));
    }
}

#[test]
fn tokens_of_ten_thousand_records_are_all_different() {
    for form in FORMS {
        let strategy = Anonymise::Token(Token::fitting(form, None).unwrap());
        for seed in [1, 2] {
            let texts: BTreeSet<String> = (0..10_000)
                .map(|n| strategy.apply(&Value::Null, &Place::new(seed, &n.to_string()).draw()))
                .filter_map(|value| value.as_text().map(str::to_owned))
                .collect();
            assert_eq!(texts.len(), 10_000, "{form:?}");
        }
    }
}

/// There are thirty random bits. Two of ten thousand values may be equal by chance, and are drawn again with the next
/// attempt.
#[test]
fn short_tokens_seldom_clash_and_another_attempt_is_another_token() {
    for (form, room) in [(TokenForm::Plain, 12), (TokenForm::Email, 18)] {
        let strategy = Anonymise::Token(Token::fitting(form, Some(room)).unwrap());
        let texts: BTreeSet<String> = (0..5_000)
            .flat_map(|n: u32| [0, 1].map(|attempt| Place { attempt, ..Place::new(1, &n.to_string()) }))
            .filter_map(|place| strategy.apply(&Value::Null, &place.draw()).as_text().map(str::to_owned))
            .collect();
        assert!(texts.len() > 9_997, "{form:?}: {}", texts.len());
    }
}

/// A number that looks like a token would be left in place and always count as erased. So no token is as short as a
/// telephone number, and the checksum of the shortest token is long enough.
#[test]
fn no_number_of_a_person_and_no_user_name_passes_for_a_token() {
    let numbers =
        (0..20_000).flat_map(|n: u64| [n + 46_701_230_000, n + 198_405_120_000, n + 461_234_567_000]);
    let names = ["annebergsson", "margaretedna", "stephanhanse", "svenpetersen"];
    let names = names.iter().flat_map(|name| {
        let letters = "abcdefghjkmnpqrstvwxyz0123456789".chars();
        letters.flat_map(move |c| (0..12).map(move |at| format!("{}{c}{}", &name[..at], &name[at + 1..])))
    });
    let values: Vec<Value> = numbers.map(|number| number.to_string()).chain(names).map(Value::Text).collect();
    for form in [TokenForm::Plain, TokenForm::Username] {
        assert_eq!(Token::fitting(form, Some(11)), None, "{form:?}");
        let strategy = Anonymise::Token(Token::fitting(form, Some(12)).unwrap());
        let taken = values.iter().filter(|value| strategy.holds(value)).count();
        assert_eq!(taken, 0, "{form:?}: {taken} of {} pass for a token", values.len());
    }
}

/// Tokens begin with three zeros. The test tries numbers of people: telephone numbers as they are dialled and
/// written, personal numbers, cards and accounts. For such short numbers the checksum alone would not be enough.
#[test]
fn no_number_of_a_person_passes_for_digits_or_a_uuid() {
    let numbers = (0..50_000_u64).flat_map(|n| {
        [
            format!("{}", 4_670_123_456 + n),
            format!("0{}", 701_234_567 + n),
            format!("00{}", 46_701_234_567 + n),
            format!("{}", 198_405_120_000 + n),
            format!("{}", 4_111_111_111_110_000 + n),
        ]
    });
    let strategies: Vec<Anonymise> =
        (10..=38).map(|n| Anonymise::Token(Token::fitting(TokenForm::Digits(n), None).unwrap())).collect();
    for number in numbers {
        let strategy = &strategies[number.len() - 10];
        assert!(!strategy.holds(&Value::from(number.as_str())), "{number}");
    }
    let uuid = Anonymise::Token(Token::fitting(TokenForm::Uuid, None).unwrap());
    for other in [
        "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
        "f47ac10b-58cc-4372-a567-0e02b2c3d479",
        "01890a5d-ac96-774b-bcce-b302099a8057",
        "320c3d4d-cc00-875b-8ec9-32d5f69181c0",
    ] {
        assert!(!uuid.holds(&Value::from(other)), "{other}");
    }
}

#[test]
fn a_uuid_is_one_by_rfc_9562_and_digits_are_as_many_as_asked_for() {
    let uuid = Anonymise::Token(Token::fitting(TokenForm::Uuid, Some(36)).unwrap());
    assert_eq!(Token::fitting(TokenForm::Uuid, Some(35)), None);
    for n in 0..500 {
        let value = uuid.apply(&Value::Null, &Place::new(1, &n.to_string()).draw());
        let text = value.as_text().unwrap();
        let groups: Vec<usize> = text.split('-').map(str::len).collect();
        assert_eq!(groups, [8, 4, 4, 4, 12], "{text}");
        assert!(text.chars().all(|c| c == '-' || c.is_ascii_digit() || ('a'..='f').contains(&c)), "{text}");
        assert!(text[14..].starts_with('8') && text[19..].starts_with(['8', '9', 'a', 'b']), "{text}");
        assert!(uuid.holds(&Value::from(text.to_uppercase())), "some databases write them large");
    }
    for count in 10..=38 {
        let token = Token::fitting(TokenForm::Digits(count), Some(count.into())).unwrap();
        assert_eq!(token.is_unique(), count >= 16, "{count}");
        let value = Anonymise::Token(token).apply(&Value::Null, &Place::new(1, "7").draw());
        let text = value.as_text().unwrap();
        assert!(text.len() == usize::from(count) && text.bytes().all(|b| b.is_ascii_digit()), "{text}");
        assert_eq!(Token::fitting(TokenForm::Digits(count), Some(u32::from(count) - 1)), None);
    }
    for count in [0, 9, 39, 255] {
        assert_eq!(Token::fitting(TokenForm::Digits(count), None), None);
    }
}

#[test]
fn no_day_of_birth_passes_for_a_placeholder() {
    for bare in ["{date}", " {date}", "* {date}", "{date} -", "a{date}b"] {
        assert_eq!(bare.parse::<Template>(), Err(NotATemplate::BareDate), "{bare}");
    }
}

#[test]
fn a_password_that_is_invalidated_verifies_in_no_format() {
    for token in [None, Token::fitting(TokenForm::Plain, Some(12)), Token::fitting(TokenForm::Plain, None)] {
        let chars = 1 + token.as_ref().map_or(0, Token::chars);
        let strategy = Anonymise::Invalidate(token);
        let value = strategy.apply(&Value::from("$2b$12$canary"), &Place::new(1, "7").draw());
        let text = value.as_text().unwrap();
        assert!(text.starts_with('!') && text.len() == chars, "{text}");
        for other in ["", "!x", "!!", "!$2b$12$abc", "$argon2id$v=19$m=1"] {
            assert!(!strategy.holds(&Value::from(other)), "{other}");
        }
    }
}

#[test]
fn null_is_replaced_too() {
    let token = Anonymise::Token(Token::fitting(TokenForm::Plain, None).unwrap());
    for strategy in [
        token,
        Anonymise::Constant(Value::Integer(0)),
        Anonymise::Placeholder("Anonymised {date}".parse().unwrap()),
        Anonymise::Invalidate(None),
    ] {
        assert!(!strategy.holds(&Value::Null), "{strategy:?}");
        assert!(strategy.apply(&Value::Null, &Place::new(1, "7").draw()) != Value::Null, "{strategy:?}");
    }
}

#[test]
fn debug_shows_nobody() {
    let record = Record::new("customer", "canary@example.org")
        .with("name", "Canary")
        .with("phone", 4_670_123_456_i64)
        .with("photo", Value::Blob(b"canary".to_vec()))
        .with("height", Value::Real(1.8125));
    let mut place = Place::new(b'c', "canary");
    place.seed = Seed::new(*b"canarycanarycanarycanarycanaryca");
    let constant = Anonymise::Constant(Value::from("canary"));
    let shown = format!("{record:?} {record:#?} {place:?} {:?} {constant:?}", place.draw());
    for part in ["canary", "Canary", "4670123456", "1.8125", "99, 97"] {
        assert!(!shown.contains(part), "{part} is shown in {shown}");
    }
    assert!(shown.contains("name") && shown.contains("Text(…)"), "{shown}");
    let written = [Value::Null, Value::Integer(1), Value::Real(1.0), Value::from("x"), Value::Blob(vec![1])];
    assert_eq!(format!("{written:?}"), "[Null, Integer(…), Real(…), Text(…), Blob(…)]");
}

//! Dates in every form that hosts store, and facts that cannot be read: they block, they are counted, and they can be
//! listed.

use std::collections::BTreeMap;

use relinquish::customer::Moment;
use relinquish::data_map::{DateForm, Field, Kind, Record, RecordClass, StoredAs, Value};
use relinquish::engine::PlannedExpiry;
use relinquish::ledger::MemoryLedger;
use relinquish::plan::ExpiryPlan;
use relinquish::store::{CustomerStore, MemoryRepository};
use relinquish::testing::ManualClock;
use relinquish::{
    Asked, ByRecord, Customer, CustomerId, DataMap, Decision, Engine, PolicyDocument, SqlMap, TenantId,
};
use rusqlite::Connection;

use crate::hosts::{self, BuildCounted as _};
use crate::shop::{CUSTOMERS, Shop};

const POLICY: &str = "
version = 1
sweep = true
[triggers]
requested = { treatment = 'clear' }
cancelled = { after = '90 days', treatment = 'clear' }
inactive = { since = ['last_login', 'created'], after = '2 years', treatment = 'clear' }
[guards]
active_subscription = { ignore = 'none' }
several_tenants = { ignore = 'one' }
not_archived = { ignore = 'none' }
[anonymise]
email = 'remove'
ip_address = 'remove'
[expire]
visit = { from = 'at', after = '30 days', action = 'delete' }
[treatments.clear]
customer = 'anonymise'
visit = 'delete'
";

/// Clients 1 to 3, each with a visit.
fn members(clients: &str, visits: &str, dates: &str, at: &str) -> Shop {
    let sql = format!(
        "CREATE TABLE clients (id INTEGER PRIMARY KEY, email TEXT, state TEXT, joined, login, ended);
         CREATE TABLE visits (id INTEGER PRIMARY KEY, client INTEGER NOT NULL REFERENCES clients, ip TEXT, at);
         INSERT INTO clients (id, state, joined, login, ended) VALUES {clients};
         INSERT INTO visits (id, client, at) VALUES {visits};"
    );
    let map = format!(
        "{CUSTOMERS}{dates}\nfields = {{ email = 'email', joined = 'not personal', login = 'not personal', ended = 'not personal' }}
         status = {{ column = 'state', active = 'active', cancelled = 'ended' }}
         [records.visit]\ntable = 'visits'\nkey = 'id'\nowner = 'client'
         fields = {{ ip = 'ip_address', at = {at} }}"
    );
    Shop { policy: POLICY.to_owned(), ..Shop::new(&sql, &map, "") }
}

async fn sweep(shop: &Shop, id: &str) -> String {
    shop.engine().decide(&id.into(), &Asked::Sweep).await.unwrap().to_string()
}

async fn expiry(engine: &Engine) -> ExpiryPlan {
    match engine.plan_expiry([TenantId::new("here")]).await.unwrap() {
        PlannedExpiry::Plan(plan) => *plan,
        PlannedExpiry::Nothing(why) => panic!("{why}"),
    }
}

/// The number of rows, of expired rows, and of rows whose date cannot be read.
fn counted(plan: &ExpiryPlan) -> (u64, u64, u64) {
    let counted = plan.expiring().values().next().unwrap();
    let unreadable = counted.unreadable.values().flat_map(BTreeMap::values).sum();
    let class = counted.classes.get("visit").copied().unwrap_or_default();
    (class.rows, class.expired, unreadable)
}

const MILLISECONDS: &str =
    "registered = 'joined'\ndates = { created = 'joined', last_login = 'login', cancelled = 'ended' }";

const IN_MILLISECONDS: &str = "registered = { column = 'joined', stored = 'milliseconds' }
    dates.created = { column = 'joined', stored = 'milliseconds' }
    dates.cancelled = { column = 'ended', stored = 'milliseconds' }
    dates.last_login = { sql = 'clients.login', stored = 'milliseconds' }";

/// A former bug: milliseconds were read as dates in the year 52971. So nobody was ever due, nothing ever expired, and
/// there was no report.
#[tokio::test]
async fn milliseconds_that_nobody_declared_block_and_are_counted() {
    let clients =
        "(1, 'ended', 1577836800000, NULL, 1609459200000), (2, 'active', 1577836800000, 1795000000000, NULL)";
    let visits = "(1, 1, 1577836800000), (2, 2, 1577836800000), (3, 2, 1795000000000)";
    let undeclared = members(clients, visits, MILLISECONDS, "'not personal'");
    for id in ["1", "2"] {
        let said = sweep(&undeclared, id).await;
        assert!(said.starts_with("refused") && said.contains("has date created in a form"), "{said}");
        assert!(said.contains("has registered in a form"), "{said}");
    }
    let plan = expiry(&undeclared.engine()).await;
    assert_eq!(counted(&plan), (3, 0, 3), "{plan}");
    // If the facts of a client cannot be read, nothing of the client expires, even if the dates of the visits can be
    // read.
    let (personal, declared) =
        ("at = 'not personal'", "at = { date = { stored = 'milliseconds', none = [0] } }");
    let held = Shop { map: undeclared.map.replace(personal, declared), ..members(clients, visits, "", "''") };
    assert_eq!(
        expiry(&held.engine()).await.expiring().values().next().unwrap().held,
        [("unreadable".to_owned(), 2)].into()
    );

    let half = Shop { map: undeclared.map.replace(MILLISECONDS, IN_MILLISECONDS), ..undeclared };
    let plan = expiry(&half.engine()).await;
    assert_eq!(counted(&plan), (3, 0, 3), "{plan}");
    assert!(plan.to_string().contains("3 rows never expire: at cannot be read"), "{plan}");
    assert!(plan.to_json().to_string().contains(r#""unreadable":{"visit":{"at":3}}"#));

    let declared = Shop {
        map: half
            .map
            .replace("at = 'not personal'", "at = { date = { stored = 'milliseconds', none = [0] } }"),
        ..half
    };
    let plan = expiry(&declared.engine()).await;
    assert_eq!(counted(&plan), (3, 2, 0), "{plan}");
    assert_eq!(sweep(&declared, "1").await, "due (cancelled), treatment clear, since 2021-04-01");
    assert!(sweep(&declared, "2").await.starts_with("not yet: inactive"));
}

/// A former bug: "never logged in" was stored as 1970, so an account of last week was deleted.
#[tokio::test]
async fn a_zero_is_no_date_and_says_so() {
    let week_ago = hosts::now().timestamp() - 7 * 86_400;
    let clients = format!(
        "(1, 'active', 1546300800, 1577836800, NULL), (2, 'active', {week_ago}, 0, NULL), (3, 'active', {week_ago}, '0000-00-00', NULL)"
    );
    let plain = "dates = { created = 'joined', last_login = 'login', cancelled = 'ended' }";
    let shop = members(&clients, "(1, 1, 0)", plain, "'not personal'");
    let shop = Shop { policy: without_cancelled(), ..shop };
    assert_eq!(sweep(&shop, "1").await, "due (inactive), treatment clear, since 2022-01-01");
    for id in ["2", "3"] {
        let said = sweep(&shop, id).await;
        assert!(said.starts_with("refused: the store has date last_login in a form"), "{said}");
        let why = shop.engine().explain(&id.into(), &Asked::Sweep).await.unwrap().to_string();
        assert!(why.contains("cannot be read: date last_login") && !why.contains("no such date"), "{why}");
    }
    assert_eq!(counted(&expiry(&shop.engine()).await), (1, 0, 1));
    let declared =
        "dates = { created = 'joined', last_login = { column = 'login', none = [0, '0000-00-00'] } }";
    let map =
        shop.map.replace(plain, declared).replace("at = 'not personal'", "at = { date = { none = [0] } }");
    let shop = Shop { map, ..shop };
    for id in ["2", "3"] {
        let said = sweep(&shop, id).await;
        assert!(said.starts_with("not yet: inactive makes the customer due on 2028-11-"), "{said}");
    }
    assert_eq!(counted(&expiry(&shop.engine()).await), (1, 0, 0), "none is no unreadable date");
}

fn without_cancelled() -> String {
    POLICY.replace("cancelled = { after = '90 days', treatment = 'clear' }\n", "")
}

/// One value in each row, and how a column without a form reads it.
#[tokio::test]
async fn every_spelling_expires_or_is_counted() {
    let read = [
        "'2020-01-01'",
        "'2020-01-01 10:00:00'",
        "'2020-01-01T10:00'",
        "'2020-01-01T10:00:00+0200'",
        "'2020-01-01 10:00:00+00'",
        "'2020-01-01 10:00:00 UTC'",
        "1577872800",
        "1577872800.5",
    ];
    let unreadable = [
        "'2020/01/01'",
        "'01.01.2020'",
        "'1577872800'",
        "1577872800000",
        "20200101",
        "0",
        "''",
        "'1900-01-01'",
        "'1970-01-01T00:00:00Z'",
        "'9999-12-31'",
        "x'32303230'",
        "'2020-13-01'",
    ];
    let visits: Vec<String> = read
        .iter()
        .chain(&unreadable)
        .chain(&["NULL", "'2026-11-20'"])
        .enumerate()
        .map(|(n, value)| format!("({n}, 1, {value})"))
        .collect();
    let shop = members(
        "(1, 'active', NULL, NULL, NULL)",
        &visits.join(", "),
        "dates = { created = 'joined', last_login = 'login', cancelled = 'ended' }",
        "'not personal'",
    );
    let engine = shop.engine();
    let plan = expiry(&engine).await;
    assert_eq!(counted(&plan), (visits.len() as u64, read.len() as u64, unreadable.len() as u64), "{plan}");
    let approval = relinquish::Approval::new(
        "op-1",
        [TenantId::new("here")],
        plan.digest(),
        hosts::now(),
        chrono::TimeDelta::hours(1),
    );
    let expired = hosts::expired(engine.expire(&plan.approve(approval).unwrap()).await.unwrap());
    assert!(expired.is_complete(), "{expired}");
    let left = shop.text("SELECT group_concat(id) FROM (SELECT id FROM visits ORDER BY id)");
    let wanted: Vec<String> = (read.len()..visits.len()).map(|n| n.to_string()).collect();
    assert_eq!(left, wanted.join(","));
}

/// A former bug: a bill from 02:00 on New Year's Day in New York counted as one of the old year, and would have been
/// deleted a year too early.
#[tokio::test]
async fn a_wall_clock_counts_in_its_own_zone() {
    let bill = |date: &str| {
        let sql = "CREATE TABLE clients (id INTEGER PRIMARY KEY, email TEXT);
            CREATE TABLE bills (id INTEGER PRIMARY KEY, client INTEGER NOT NULL REFERENCES clients, text TEXT, booked TEXT);
            INSERT INTO clients VALUES (1, 'maud@example.org');
            INSERT INTO bills VALUES (1, 1, 'x', '2020-01-01 02:00:00'), (2, 1, 'x', '2019-12-31 23:59:59');";
        let map = format!(
            "{CUSTOMERS}fields = {{ email = 'email' }}\n[records.bill]\ntable = 'bills'\nkey = 'id'\nowner = 'client'
             fields = {{ text = 'free_text', booked = {date} }}"
        );
        let shop = Shop::new(sql, &map, "customer = 'anonymise'\nbill = 'delete'");
        let policy = shop.policy.replace("version = 1", "version = 1\ntime_zone = 'America/New_York'");
        let duty = "\n[duties.books]\nclasses = ['bill']\nperiod = '6 years'\nstart = 'calendar_year'\n\
            law = 'the books act'\nground = '17(3)(b)'\nfrom = 'booked'";
        Shop { policy: format!("{policy}{duty}"), ..shop }
    };
    for (date, kept) in [
        ("'not personal'", "no row"),
        ("{ date = { zone = 'America/New_York' } }", "1"),
        ("{ date = { stored = 'iso', zone = 'America/New_York' }, kind = 'x_booked' }", "1"),
    ] {
        let mut shop = bill(date);
        if date.contains("x_booked") {
            shop.policy =
                shop.policy.replace("[anonymise]", "[anonymise]\nx_booked = { keep = 'the books' }");
        }
        shop.erase("1").await;
        let left = shop.text("SELECT coalesce((SELECT group_concat(id) FROM bills), 'no row')");
        assert_eq!(left, kept, "{date}");
    }
}

/// A former bug: a hold of an unknown kind had no effect.
#[tokio::test]
async fn a_hold_without_a_kind_holds() {
    for (holds, is_free) in [
        ("NULL", true),
        ("'[]'", true),
        ("' [ ] '", true),
        ("'[null]'", false),
        ("'[\"\"]'", false),
        ("'[\" \"]'", false),
        ("'[\"legal_claim\", null]'", false),
        ("'[\"legal_claim\", \"\"]'", false),
        ("'legal_claim'", false),
        ("'[\"legal_claim\"]'", false),
        ("'LEGAL_CLAIM'", false),
        ("'[\"litigation\"]'", false),
        ("'legal_claim,restriction'", false),
        ("''", false),
        ("' '", false),
        ("'[1]'", false),
        ("'[[]]'", false),
        ("'['", false),
        ("'null'", false),
        ("'{}'", false),
        ("'0'", false),
        ("0", false),
        ("1", false),
        ("0.5", false),
        ("x''", false),
        ("x'5b5d80'", false),
    ] {
        let sql = format!(
            "CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT, held); INSERT INTO clients VALUES (1, 'Maud', {holds});"
        );
        let shop = Shop::new(
            &sql,
            &format!("{CUSTOMERS}holds = 'held'\nfields = {{ name = 'name' }}"),
            "customer = 'anonymise'",
        );
        let decided = shop.engine().decide(&"1".into(), &Asked::request()).await.unwrap();
        assert_eq!(matches!(decided, Decision::Due(_)), is_free, "{holds}: {decided}");
        assert_eq!(matches!(decided, Decision::Blocked(_)), !is_free, "{holds}: {decided}");
    }
}

/// Every strange value of a fact that a guard uses blocks.
#[tokio::test]
async fn an_odd_value_of_a_guards_fact_blocks() {
    for value in ["''", "'no'", "'0'", "-1", "0.0", "0.5", "x'00'", "9223372036854775807"] {
        let sql = format!(
            "CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT, odd); INSERT INTO clients VALUES (1, 'Maud', {value});"
        );
        for fact in
            ["active_subscriptions", "unpaid_invoices", "open_disputes", "states.not_reseller", "status"]
        {
            let line = match fact {
                "status" => "status = { column = 'odd', active = 'active' }".to_owned(),
                fact => format!("{fact} = 'odd'"),
            };
            let map = format!("{CUSTOMERS}{line}\nfields = {{ name = 'name' }}");
            let mut shop = Shop::new(&sql, &map, "customer = 'anonymise'");
            if fact.starts_with("states") {
                shop.policy = shop.policy.replace("[anonymise]", "not_reseller = 'block sweep'\n[anonymise]");
            }
            let decided = shop.engine().decide(&"1".into(), &Asked::request()).await.unwrap();
            assert!(matches!(decided, Decision::Blocked(_)), "{fact} {value}: {decided}");
            assert!(decided.to_string().contains("cannot be read"), "{fact} {value}: {decided}");
        }
    }
}

/// A former bug: for such customers a sweep said that no trigger applies, that the customer is active, or that there
/// is no such date.
#[tokio::test]
async fn whoever_cannot_be_read_is_blocked_in_a_sweep_and_listed() {
    let clients = "(1, 'active', '2020-01-01', '2026-11-01', NULL), (2, 'ACTIVE?', '2020-01-01', '2026-11-01', NULL), \
        (3, 'active', 'last spring', '2026-11-01', NULL), (4, NULL, '2020-01-01', '9999-12-31', 0), \
        (5, 'ended', '2020-01-01', '2026-11-01', '2020-01-01')";
    let dates = "registered = 'joined'\ndates = { created = 'joined', last_login = 'login', cancelled = 'ended' }\n\
        unknown_customer = { find = { email = 'nobody' } }";
    let shop = members(clients, "(1, 1, '2026-11-20')", dates, "'not personal'");
    let connection = Connection::open(shop.path()).unwrap();
    connection.execute_batch("INSERT INTO clients (id, email, state) VALUES (6, 'nobody', 'gone')").unwrap();
    let engine = shop.engine();
    let wanted: [(&str, &[&str]); 6] = [
        ("1", &[]),
        ("2", &["status"]),
        ("3", &["date created", "registered"]),
        ("4", &["date cancelled", "date last_login", "status"]),
        ("5", &[]),
        ("6", &["status"]),
    ];
    for (id, facts) in &wanted[..5] {
        for asked in [Asked::Sweep, Asked::List] {
            let decided = engine.decide(&(*id).into(), &asked).await.unwrap();
            let is_blocked = matches!(decided, Decision::Blocked(_));
            assert_eq!(is_blocked, !facts.is_empty(), "{id}: {decided}");
            for fact in *facts {
                assert!(decided.to_string().contains(&format!("has {fact} in a form")), "{id}: {decided}");
            }
            let why = engine.explain(&(*id).into(), &asked).await.unwrap().to_string();
            assert!(facts.is_empty() || !why.contains("no such date"), "{why}");
            assert!(!facts.contains(&"status") || !why.contains("is active"), "{why}");
        }
    }
    let mut listed = Vec::new();
    let mut customers = engine.unreadable();
    while let Some(batch) = customers.next_batch().await.unwrap() {
        listed.extend(batch.into_iter().map(|one| (one.customer.as_str().to_owned(), one.facts)));
    }
    let wanted: Vec<_> = wanted
        .into_iter()
        .filter(|(_, facts)| !facts.is_empty())
        .map(|(id, facts)| (id.to_owned(), facts.iter().map(|fact| (*fact).to_owned()).collect()))
        .collect();
    assert_eq!(listed, wanted);
    // With the switch off there is no sweep, and the answer says so.
    let off = Shop { policy: shop.policy.replace("sweep = true", "sweep = false"), ..shop };
    assert!(sweep(&off, "2").await.contains("sweep is off"));
}

/// A host's own store reads dates in the same forms.
#[tokio::test]
async fn a_store_by_record_reads_the_same_forms() {
    let form = DateForm::new().stored(StoredAs::Milliseconds).none(0).zone("Asia/Tokyo".parse().unwrap());
    for (form, wanted) in [(form, (5, 1, 2)), (DateForm::new(), (5, 1, 3))] {
        let map = DataMap::builder(
            RecordClass::new("customer").field(Field::key("id")).field(Field::personal("email", Kind::Email)),
        )
        .class(
            RecordClass::new("visit")
                .field(Field::key("id"))
                .field(Field::personal("ip", Kind::IpAddress))
                .field(Field::plain("at").dated_as(form))
                .needs_owner(),
        )
        .without_deactivation("none")
        .build()
        .unwrap();
        let repository = MemoryRepository::new(map);
        let mut records = vec![Record::new("customer", "1").with("id", "1")];
        let values = [
            Value::Integer(1_577_836_800_000),
            Value::Integer(1_577_836_800),
            Value::Integer(0),
            Value::Null,
            Value::from("soon"),
        ];
        for (n, at) in values.into_iter().enumerate() {
            records.push(Record::new("visit", n.to_string()).with("id", n.to_string()).with("at", at));
        }
        repository.insert(Customer::new("1", "here"), records);
        let policy = POLICY.replace("cancelled = { after = '90 days', treatment = 'clear' }\n", "").replace(
            "inactive = { since = ['last_login', 'created'], after = '2 years', treatment = 'clear' }\n",
            "",
        );
        let engine = Engine::builder(
            ByRecord::new(repository),
            PolicyDocument::from_toml(&policy).unwrap(),
            MemoryLedger::new(),
            hosts::keys(),
        )
        .clock(ManualClock::at(hosts::now()))
        .counted()
        .unwrap_or_else(|problems| panic!("{problems}"));
        let plan = expiry(&engine).await;
        let (rows, expired, unreadable) = wanted;
        // Only the numbers that are seconds are read as seconds, and one of them has expired.
        assert_eq!(counted(&plan), (rows, expired, unreadable), "{plan}");
    }
}

/// An instant that is written is read back with the same form.
#[tokio::test]
async fn the_instant_is_written_as_its_column_stores_it() {
    for (form, said) in [
        ("stored = 'milliseconds'", "1795262400000"),
        ("stored = 'seconds'", "1795262400"),
        ("stored = 'YYYYMMDD', zone = 'Asia/Tokyo'", "20261121"),
        ("zone = 'Asia/Tokyo'", "2026-11-21 21:00:00"),
        ("none = [0]", "2026-11-21 12:00:00"),
    ] {
        for place in ["field", "fact"] {
            let sql = "CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT, state TEXT, ended);
                INSERT INTO clients VALUES (1, 'Maud', 'active', NULL);";
            let (fact, field) = match place {
                "field" => {
                    ("dates = { ended = 'ended' }".to_owned(), format!(", ended = {{ date = {{ {form} }} }}"))
                }
                _ => (format!("dates.ended = {{ column = 'ended', {form} }}"), String::new()),
            };
            let map = format!(
                "[customers]\ntable = 'clients'\nkey = 'id'\ntenant = {{ is = 'here' }}
                 status = {{ column = 'state', active = 'active', archived = 'gone' }}
                 deactivate = {{ state = 'gone', ended = '{{now}}' }}\n{fact}\nfields = {{ name = 'name'{field} }}"
            );
            let shop = Shop::new(sql, &map, "customer = 'anonymise'");
            shop.engine().deactivate(&"1".into()).await.unwrap();
            assert_eq!(shop.text("SELECT CAST(ended AS TEXT) FROM clients"), said, "{form} {place}");
            let store = shop.store().unwrap();
            let facts = store.facts(&[CustomerId::new("1")]).await.unwrap();
            let ended = *facts[0].dates.get("ended").unwrap();
            let wanted = match ended {
                Moment::Day(_) => Moment::Day(hosts::now().date_naive()),
                Moment::Instant(_) => Moment::Instant(hosts::now()),
            };
            assert_eq!(ended, wanted, "{form} {place}");
        }
    }
}

/// A former bug: the check treated `{now}` as a text, whatever form the column has, and refused it for an integer
/// column.
#[tokio::test]
async fn now_is_checked_as_it_is_written() {
    for (declared, form, said) in [
        ("INTEGER", "stored = 'milliseconds'", "1795262400000"),
        (
            "BIGINT NOT NULL DEFAULT 0 CHECK (typeof(ended) = 'integer')",
            "stored = 'seconds', none = [0]",
            "1795262400",
        ),
        ("INTEGER CHECK (length(ended) <= 8)", "stored = 'YYYYMMDD'", "20261121"),
        ("VARCHAR(8)", "stored = 'YYYYMMDD'", "20261121"),
    ] {
        let sql = format!(
            "CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT, state TEXT, ended {declared});
             INSERT INTO clients (id, name, state) VALUES (1, 'Maud', 'active');"
        );
        let map = |date: &str| {
            format!(
                "[customers]\ntable = 'clients'\nkey = 'id'\ntenant = {{ is = 'here' }}
                 status = {{ column = 'state', active = 'active', archived = 'gone' }}
                 deactivate = {{ state = 'gone', ended = '{{now}}' }}\nfields = {{ name = 'name'{date} }}"
            )
        };
        let shop =
            Shop::new(&sql, &map(&format!(", ended = {{ date = {{ {form} }} }}")), "customer = 'anonymise'");
        shop.engine().deactivate(&"1".into()).await.unwrap();
        assert_eq!(shop.text("SELECT CAST(ended AS TEXT) FROM clients"), said, "{declared}");
        // Without a form it is a text, and the error suggests the form.
        let refused = Shop::new(&sql, &map(""), "customer = 'anonymise'").refused();
        let wanted = if declared.starts_with("VARCHAR") {
            "longer than the 8"
        } else {
            "fields.ended = { date = { stored = "
        };
        assert!(refused.contains("{now} writes a text such as 2026-01-31 09:30:00"), "{refused}");
        assert!(refused.contains(wanted), "{refused}");
    }
}

/// Records without an owner are counted in the same way.
#[tokio::test]
async fn records_without_an_owner_are_counted_by_the_same_reader() {
    let sql = "CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT);
        CREATE TABLE bills (id INTEGER PRIMARY KEY, client INTEGER, text TEXT, booked);
        INSERT INTO bills VALUES (1, 9, 'x', 1262304000000), (2, 9, 'x', 1262304000), (3, 9, 'x', 'soon'), (4, 9, 'x', NULL);";
    let map = format!(
        "{CUSTOMERS}fields = {{ name = 'name' }}\n[records.bill]\ntable = 'bills'\nkey = 'id'\nowner = 'client'
         fields = {{ text = 'free_text', booked = {{ date = {{ stored = 'milliseconds' }} }} }}"
    );
    let mut shop = Shop::new(sql, &map, "customer = 'anonymise'\nbill = 'delete'");
    shop.policy += "\n[duties.books]\nclasses = ['bill']\nperiod = '6 years'\nstart = 'calendar_year'\nlaw = 'the act'\n\
        ground = '17(3)(b)'\nfrom = 'booked'\n[expire]\nbill = { ownerless = 'gone', action = 'delete' }";
    let store = std::sync::Arc::new(shop.store().unwrap());
    let policy = PolicyDocument::from_toml(&shop.policy).unwrap();
    let engine = Engine::builder(store.clone(), policy, MemoryLedger::new(), hosts::keys())
        .clock(ManualClock::at(hosts::now()))
        .ownerless(store)
        .counted()
        .unwrap_or_else(|problems| panic!("{problems}"));
    let PlannedExpiry::Plan(plan) = engine.plan_ownerless().await.unwrap() else { panic!() };
    let text = plan.to_string();
    assert!(text.contains("4 rows, 1 expired, 1 to do"), "{text}");
    assert!(text.contains("2 rows never expire: booked cannot be read"), "{text}");
}

/// A plan says how many of the kept records have a date that cannot be read.
#[tokio::test]
async fn a_plan_counts_what_a_duty_keeps_because_its_date_cannot_be_read() {
    let sql = "CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT);
        CREATE TABLE bills (id INTEGER PRIMARY KEY, client INTEGER NOT NULL REFERENCES clients, text TEXT, booked);
        INSERT INTO clients VALUES (1, 'Maud');
        INSERT INTO bills VALUES (1, 1, 'x', '2026-01-01'), (2, 1, 'x', '1900-01-01'), (3, 1, 'x', 0), (4, 1, 'x', '2001-01-01');";
    let map = format!(
        "{CUSTOMERS}fields = {{ name = 'name' }}\n[records.bill]\ntable = 'bills'\nkey = 'id'\nowner = 'client'
         fields = {{ text = 'free_text', booked = 'not personal' }}"
    );
    let mut shop = Shop::new(sql, &map, "customer = 'anonymise'\nbill = 'delete'");
    shop.policy += "\n[duties.books]\nclasses = ['bill']\nperiod = '6 years'\nstart = 'calendar_year'\nlaw = 'the act'\n\
        ground = '17(3)(b)'\nfrom = 'booked'";
    let plan = hosts::plan(&shop.engine(), &"1".into(), &Asked::request()).await;
    let text = plan.to_string();
    assert!(
        text.contains(
            "3 rows of bill must be kept until 2032-12-31, or with no known end (booked of 2 cannot be read)"
        ),
        "{text}"
    );
    assert_eq!(plan.due().deferred[0].unreadable, [("booked".into(), 2)].into());
    shop.erase("1").await;
    assert_eq!(shop.text("SELECT group_concat(id) FROM bills"), "1,2,3");
}

/// The form is that of the field with the date, whichever record has this field.
#[tokio::test]
async fn a_date_of_another_record_is_read_in_the_form_of_that_record() {
    let sql = "CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT);
        CREATE TABLE bills (id INTEGER PRIMARY KEY, client INTEGER NOT NULL REFERENCES clients, booked);
        CREATE TABLE lines (id INTEGER PRIMARY KEY, bill INTEGER NOT NULL REFERENCES bills, text TEXT);
        INSERT INTO clients VALUES (1, 'Maud');
        INSERT INTO bills VALUES (1, 1, 1767225600000), (2, 1, 981158400000), (3, 1, 1767225600), (4, 1, 0);
        INSERT INTO lines VALUES (1, 1, 'x'), (2, 2, 'x'), (3, 3, 'x'), (4, 4, 'x');";
    let map = format!(
        "{CUSTOMERS}fields = {{ name = 'name' }}\n[records.bill]\ntable = 'bills'\nkey = 'id'\nowner = 'client'
         fields = {{ booked = {{ date = {{ stored = 'milliseconds' }} }} }}
         [records.line]\ntable = 'lines'\nkey = 'id'\nowner = ['bill', 'client']\nfields = {{ text = 'free_text' }}"
    );
    let mut shop = Shop::new(sql, &map, "customer = 'anonymise'\nbill = 'delete'\nline = 'delete'");
    shop.policy += "\n[duties.books]\nclasses = ['bill', 'line']\nperiod = '6 years'\nstart = 'calendar_year'\n\
        law = 'the act'\nground = '17(3)(b)'\nfrom = 'booked'";
    let plan = hosts::plan(&shop.engine(), &"1".into(), &Asked::request()).await;
    for deferred in plan.due().deferred.iter() {
        assert_eq!((deferred.rows, deferred.unreadable.get("booked")), (Some(3), Some(&2)), "{deferred}");
    }
    shop.erase("1").await;
    for table in ["bills", "lines"] {
        assert_eq!(shop.text(&format!("SELECT group_concat(id) FROM {table}")), "1,3,4", "{table}");
    }
}

/// An error in a form is reported at its path, with what to do.
#[test]
fn a_wrong_word_of_a_form_is_said_with_a_way_out() {
    let problems = |dates: &str, field: &str| {
        let map = format!(
            "version = 1\n{CUSTOMERS}{dates}\n[records.visit]\ntable = 'visits'\nkey = 'id'\nowner = 'client'\nfields = {{ at = {field} }}"
        );
        SqlMap::from_toml(&map).map(|_| ()).unwrap_err().to_string()
    };
    for (dates, field, wanted) in [
        (
            "",
            "{ date = { stored = 'miliseconds' } }",
            "records.visit.fields.at.date.stored: miliseconds is no form of dates; did you mean milliseconds?",
        ),
        ("", "{ date = { stored = 'yyyymmdd' } }", "did you mean YYYYMMDD?"),
        ("", "{ date = { stored = 'ISO' } }", "did you mean iso?"),
        ("", "{ date = { stored = 7 } }", "records.visit.fields.at.date.stored: is not a text"),
        (
            "",
            "{ date = { zone = 'America/NewYork' } }",
            "records.visit.fields.at.date.zone: America/NewYork is no time zone",
        ),
        ("", "{ date = { zone = 'America/NewYork' } }", "did you mean America/New_York?"),
        ("", "{ date = { zone = 'nowhere at all' } }", "write one such as \"America/New_York\""),
        ("", "{ date = { from = '1950' } }", "records.visit.fields.at.date.from: is no day"),
        ("", "{ date = { from = '1950-1-1' } }", "is no day"),
        (
            "",
            "{ date = { none = [true] } }",
            "records.visit.fields.at.date.none: holds something that is no text",
        ),
        ("", "{ date = { none = [1970-01-01] } }", "a date stands in quotes"),
        (
            "",
            "{ date = { sored = 'iso' } }",
            "records.visit.fields.at.date.sored: is no key of this table; did you mean stored?",
        ),
        ("", "{ date = 'iso' }", "records.visit.fields.at.date: is not a table"),
        ("", "{ date = {}, kin = 'name' }", "did you mean kind?"),
        ("dates = { created = 7 }", "'not personal'", "customers.dates.created: is no source of a date"),
        (
            "dates = { created = { stored = 'iso' } }",
            "'not personal'",
            "customers.dates.created: has no source, or two",
        ),
        (
            "dates = { created = { column = 'a', sql = 'b' } }",
            "'not personal'",
            "customers.dates.created: has no source, or two",
        ),
        (
            "registered = { column = 'a', stored = 'secs' }",
            "'not personal'",
            "customers.registered.stored: secs is no form of dates",
        ),
        (
            "dates = { created = { column = 'Made', stored = 'iso' } }\nfields = { made = { date = { stored = 'seconds' } } }",
            "'not personal'",
            "customers.dates.created: says another form of its dates than customers.fields.Made",
        ),
    ] {
        let said = problems(dates, field);
        assert!(said.contains(wanted), "{dates} {field}: {said}");
    }
}

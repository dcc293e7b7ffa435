//! Records that find their customer by a value: an order with an e-mail address, from a customer with an account or
//! from a guest.

use std::sync::Arc;

use relinquish::engine::{Expired, PlannedExpiry};
use relinquish::ledger::MemoryLedger;
use relinquish::plan::RecordsOf;
use relinquish::store::RecordStore as _;
use relinquish::testing::ManualClock;
use relinquish::{Approval, Asked, Engine, Outcome, PolicyDocument, TenantId};

use crate::hosts::{self, BuildCounted as _, approved};
use crate::shop::{CUSTOMERS, Shop, changes};

const SCHEMA: &str = "
    CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT, email TEXT);
    CREATE TABLE tickets (id INTEGER PRIMARY KEY, client INTEGER REFERENCES clients, contact TEXT, bought TEXT);
    INSERT INTO clients VALUES (1, 'Maud Ash', 'maud@ash.org'), (2, 'Bob Elm', 'bob@elm.org');";

/// The orders of a test, their treatment, and other lines of the policy.
fn shop(tickets: &str, treatment: &str, rules: &str) -> Shop {
    let map = format!(
        "{CUSTOMERS}fields = {{ name = 'name', email = 'email' }}
         [records.ticket]\ntable = 'tickets'\nnobody = 'of guests'
         owner = {{ first = ['client', {{ column = 'contact', to = 'customer.email', compare = 'nocase' }}] }}
         fields = {{ contact = 'email', bought = 'not personal' }}"
    );
    let sql = format!("{SCHEMA}\nINSERT INTO tickets VALUES {tickets};");
    let mut shop = Shop::new(&sql, &map, &format!("customer = 'anonymise'\nticket = '{treatment}'\n"));
    shop.policy += rules;
    shop
}

/// An engine on a given day, which also treats records without an owner.
fn engine_on(shop: &Shop, day: &str) -> (Engine, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at(format!("{day}T12:00:00Z").parse().unwrap()));
    let store = Arc::new(shop.store().unwrap());
    let policy = PolicyDocument::from_toml(&shop.policy).unwrap();
    let engine = Engine::builder(Arc::clone(&store), policy, MemoryLedger::new(), hosts::keys())
        .ownerless(store)
        .clock(Arc::clone(&clock))
        .counted()
        .unwrap_or_else(|problems| panic!("{problems}"));
    (engine, clock)
}

async fn expire(engine: &Engine, clock: &ManualClock, planned: PlannedExpiry) -> (String, Expired) {
    let PlannedExpiry::Plan(plan) = planned else { panic!("nothing expires") };
    let now = clock.now();
    let approval = Approval::new(
        "operator-1",
        [TenantId::from("here")],
        plan.digest(),
        now,
        chrono::TimeDelta::hours(1),
    );
    let says = plan.to_string();
    let expired = hosts::expired(engine.expire(&plan.approve(approval).unwrap()).await.unwrap());
    assert!(expired.is_complete(), "{expired}");
    (says, expired)
}

async fn expire_ownerless(engine: &Engine, clock: &ManualClock) -> (String, Expired) {
    let planned = engine.plan_ownerless().await.unwrap();
    expire(engine, clock, planned).await
}

/// Two former bugs. An address in a customer's record stayed if it was not the customer's own address, but the
/// certificate called the record anonymised. The customer's address in another person's record was erased, but not
/// counted.
#[tokio::test]
async fn the_address_in_a_record_goes_with_the_record_and_with_the_person() {
    let shop = shop(
        "(1, 1, 'private@ash.org', NULL), (2, 2, 'MAUD@ash.org', NULL), (3, NULL, 'maud@ash.org', NULL),
         (4, 2, 'bob@elm.org', NULL), (5, NULL, 'guest@fir.org', NULL)",
        "anonymise",
        "",
    );
    let before = shop.cells();
    let engine = shop.engine();
    let plan = approved(&engine, &"1".into(), &Asked::request()).await;
    let text = plan.plan().to_string();
    assert!(text.contains("ticket               anonymise       2 rows"), "{text}");
    assert!(text.contains("1 more row of others: only fields of this person"), "{text}");
    let Outcome::Erased(certificate) = engine.erase(plan).await.unwrap() else { panic!("not erased") };
    let text = certificate.to_string();
    assert!(text.contains("ticket               anonymise          2"), "{text}");
    assert!(text.contains("1 record of others: only fields of this person"), "{text}");
    let changed = changes(&before, &shop.cells());
    let expected = [
        "clients[1].email",
        "clients[1].name",
        "tickets[1].contact",
        "tickets[2].contact",
        "tickets[3].contact",
    ];
    assert_eq!(changed.iter().map(String::as_str).collect::<Vec<_>>(), expected);
}

/// A former bug: two customers with the same address blocked each other because of a record that names its customer
/// by the account.
#[tokio::test]
async fn an_address_behind_an_account_blocks_nobody() {
    let shop = shop("(1, 1, 'maud@ash.org', NULL)", "anonymise", "");
    rusqlite::Connection::open(shop.path())
        .unwrap()
        .execute_batch("UPDATE clients SET email = 'Maud@Ash.org' WHERE id = 2")
        .unwrap();
    assert!(matches!(shop.erase("2").await, Outcome::Erased(_)));
    assert!(matches!(shop.erase("1").await, Outcome::Erased(_)));
    assert_eq!(shop.text("SELECT count(*) || '' FROM tickets WHERE contact LIKE '%ash.org'"), "0");
}

/// An order without an account is still unclear if two customers have its address.
#[tokio::test]
async fn an_address_without_an_account_blocks_both() {
    let shop = shop("(1, NULL, 'maud@ash.org', NULL)", "anonymise", "");
    rusqlite::Connection::open(shop.path())
        .unwrap()
        .execute_batch("UPDATE clients SET email = 'Maud@Ash.org' WHERE id = 2")
        .unwrap();
    let engine = shop.engine();
    let decision = engine.plan(&"1".into(), &Asked::request()).await;
    assert!(format!("{decision:?}").contains("contact"), "{decision:?}");
}

/// A former bug: together with `from` and `after`, `ownerless` deleted an order that was three days old. A guest's
/// order expired at any age.
#[tokio::test]
async fn a_guests_order_expires_by_its_age_and_not_before() {
    for beside in ["", "ownerless = 'gone or none', "] {
        let shop = shop(
            "(1, NULL, 'guest@fir.org', '2023-01-01'), (2, NULL, 'guest@fir.org', '2026-05-30'),
             (3, NULL, 'guest@fir.org', '0000-00-00'), (4, NULL, 'maud@ash.org', '2023-01-01'),
             (5, 2, 'x@elm.org', '2023-01-01'), (6, NULL, NULL, '2023-01-01')",
            "delete",
            &format!(
                "[expire]\nticket = {{ {beside}from = 'bought', after = '2 years', action = 'delete' }}\n"
            ),
        );
        let (engine, clock) = engine_on(&shop, "2026-06-01");
        let (says, expired) = expire_ownerless(&engine, &clock).await;
        assert!(says.contains("owner gone or none, 2 years after bought"), "{says}");
        assert!(says.contains("4 rows, 2 expired, 2 to do"), "{says}");
        assert_eq!(expired.of[&RecordsOf::Nobody].records["ticket"], 2);
        assert_eq!(shop.text("SELECT group_concat(id) FROM tickets"), "2,3,4,5");
        let planned = engine.plan_expiry([TenantId::from("here")]).await.unwrap();
        let (says, _) = expire(&engine, &clock, planned).await;
        assert!(says.contains("2 rows, 2 expired, 2 to do"), "{says}");
        assert_eq!(shop.text("SELECT group_concat(id) FROM tickets"), "2,3");
    }
}

/// Nobody knows to which tenant an ownerless record belongs. So it waits for the longest age that any tenant has.
#[tokio::test]
async fn a_guests_order_waits_for_the_longest_age_of_all_tenants() {
    let shop = shop(
        "(1, NULL, 'guest@fir.org', '2023-01-01'), (2, NULL, 'guest@fir.org', '2020-01-01')",
        "delete",
        "[expire]\nticket = { from = 'bought', after = '2 years', action = 'delete' }\n\
         [tenants.careful]\nexpire.ticket = { from = 'bought', after = '5 years', action = 'delete' }\n",
    );
    let (engine, _) = engine_on(&shop, "2026-06-01");
    let PlannedExpiry::Plan(plan) = engine.plan_ownerless().await.unwrap() else { panic!("nothing expires") };
    let says = plan.to_string();
    assert!(says.contains("owner gone or none, 2 years after bought, 5 years after bought"), "{says}");
    assert!(says.contains("2 rows, 1 expired, 1 to do"), "{says}");
}

/// A former bug: the plan counted a record and its field twice: "3 rows, 3 expired, 6 to do". A record of another
/// person that names the customer does not belong to the customer here. It expires by its own age.
#[tokio::test]
async fn a_record_that_is_found_by_a_value_is_counted_once() {
    let shop = shop(
        "(1, NULL, 'maud@ash.org', '2023-01-01'), (2, 2, 'maud@ash.org', '2023-01-01'), (3, 2, 'maud@ash.org', '2026-01-01')",
        "delete",
        "[expire]\nticket = { from = 'bought', after = '2 years', action = 'anonymise' }\n",
    );
    let (engine, clock) = engine_on(&shop, "2026-06-01");
    let planned = engine.plan_expiry([TenantId::from("here")]).await.unwrap();
    let (says, expired) = expire(&engine, &clock, planned).await;
    assert!(says.contains("3 rows, 2 expired, 2 to do"), "{says}");
    assert_eq!(expired.of[&RecordsOf::Tenant("here".into())].customers, 2);
    assert_eq!(shop.text("SELECT group_concat(id) FROM tickets WHERE contact LIKE '%.org'"), "3");
}

/// Two former bugs. The certificate said that one record was kept, but the plan said two. When the duty ended, the
/// guest's order was not found, so the address stayed for ever.
#[tokio::test]
async fn what_a_duty_kept_is_found_when_the_duty_is_over() {
    let shop = shop(
        "(1, 1, 'maud@ash.org', '2025-01-01'), (2, NULL, 'maud@ash.org', '2025-01-01'), (3, 2, 'bob@elm.org', '2025-01-01')",
        "anonymise",
        "[duties.books]\nclasses = ['ticket']\nperiod = '7 years'\nstart = 'calendar_year'\nlaw = 'the book-keeping act'\n\
         ground = '17(3)(b)'\nfrom = 'bought'\n[expire]\nticket = { after = 'duty', action = 'delete' }\n",
    );
    let (engine, clock) = engine_on(&shop, "2026-11-21");
    let plan = approved(&engine, &"1".into(), &Asked::request()).await;
    let text = plan.plan().to_string();
    assert!(text.contains("2 rows of ticket must be kept until 2032-12-31"), "{text}");
    let Outcome::Erased(certificate) = engine.erase(plan).await.unwrap() else { panic!("not erased") };
    let text = certificate.to_string();
    assert!(text.contains("2 records kept as they are until 2032-12-31"), "{text}");
    let (says, _) = expire_ownerless(&engine, &clock).await;
    assert!(says.contains("1 row, 0 expired, 0 to do"), "{says}");

    let (engine, clock) = engine_on(&shop, "2033-01-02");
    let (says, _) = expire_ownerless(&engine, &clock).await;
    assert!(says.contains("1 row, 1 expired, 1 to do"), "{says}");
    assert_eq!(shop.text("SELECT group_concat(id) FROM tickets"), "1,3");
}

/// A former bug: with `of` next to such a value, the customer's own address stayed in a guest's order.
#[tokio::test]
async fn a_value_that_leads_to_a_customer_is_of_no_other_link() {
    let mut shop = shop("(1, 1, 'maud@ash.org', NULL)", "anonymise", "");
    shop.map = shop.map.replace("contact = 'email'", "contact = { kind = 'email', of = 'client' }");
    let says = shop.refused();
    assert!(says.contains("records.ticket.fields.contact.of"), "{says}");
    assert!(says.contains("leave `of` out"), "{says}");
}

/// A former bug: records without an owner counted as expired, but their addresses were not erased.
#[tokio::test]
async fn the_address_of_a_guest_is_written_when_the_order_expires() {
    let shop = shop(
        "(1, NULL, 'guest@fir.org', NULL), (2, NULL, 'maud@ash.org', NULL)",
        "anonymise",
        "[expire]\nticket = { ownerless = 'gone or none', action = 'anonymise' }\n",
    );
    let (engine, clock) = engine_on(&shop, "2026-06-01");
    let (says, expired) = expire_ownerless(&engine, &clock).await;
    assert!(says.contains("1 row, 1 expired, 1 to do"), "{says}");
    assert_eq!(expired.of[&RecordsOf::Nobody].records["ticket"], 1);
    assert_eq!(shop.text("SELECT group_concat(id) FROM tickets WHERE contact LIKE '%.org'"), "2");
}

/// A former bug: a record without an owner has a field that belongs to a customer. No rule limited the age of this
/// record. But the field was erased, separately from the rest of its record, when any other record of the customer
/// had expired.
#[tokio::test]
async fn a_field_of_another_person_expires_with_its_record() {
    let mut shop = shop(
        "(1, 1, 'first', '2020-01-01'), (2, NULL, 'second', '2020-01-01'), (3, 1, 'third', '2026-05-01')",
        "anonymise",
        "[expire]\nticket = { from = 'bought', after = '2 years', action = 'anonymise' }\n",
    );
    rusqlite::Connection::open(shop.path())
        .unwrap()
        .execute_batch(
            "ALTER TABLE tickets ADD COLUMN seller INTEGER REFERENCES clients;
             ALTER TABLE tickets ADD COLUMN seller_name TEXT; ALTER TABLE tickets ADD COLUMN note TEXT;
             UPDATE tickets SET seller = 2, seller_name = 'Bob', note = 'words'",
        )
        .unwrap();
    let (before, _) = shop.map.split_once("owner =").unwrap();
    shop.map = format!(
        "{before}owner = 'client'\nends = {{ seller = 'clear' }}\nfields = {{ note = 'free_text', contact = 'not personal', \
         bought = 'not personal', seller_name = {{ kind = 'name', of = 'seller' }} }}"
    );
    let (engine, clock) = engine_on(&shop, "2026-06-01");
    let before = shop.cells();
    let planned = engine.plan_expiry([TenantId::from("here")]).await.unwrap();
    let (says, _) = expire(&engine, &clock, planned).await;
    assert!(says.contains("2 rows, 1 expired, 1 to do"), "{says}");
    let changed = changes(&before, &shop.cells());
    assert_eq!(
        changed.iter().map(String::as_str).collect::<Vec<_>>(),
        ["tickets[1].note", "tickets[1].seller_name"]
    );
}

/// A duty keeps a place. The place belongs to orders that are found only by an address. The address is erased
/// earlier, so nobody could find the place when the duty ends.
#[test]
fn what_hangs_from_a_record_by_value_may_only_wait_for_a_duty_if_it_goes_by_itself() {
    let sql = "CREATE TABLE clients (id INTEGER PRIMARY KEY, email TEXT);
        CREATE TABLE orders (id INTEGER PRIMARY KEY, mail TEXT, place INTEGER, made_on TEXT);
        CREATE TABLE places (id INTEGER PRIMARY KEY, street TEXT, made_on TEXT);
        CREATE TABLE permits (id INTEGER PRIMARY KEY, purchase INTEGER NOT NULL, made_on TEXT);";
    let orders = |rest: &str| {
        format!(
            "{CUSTOMERS}fields.email = 'email'\n[records.order]\ntable = 'orders'\nowner = {{ column = 'mail', to = 'customer.email' }}\n\
             nobody = 'of guests'\nfields = {{ mail = 'email', made_on = 'not personal', place = 'not personal' }}\n{rest}"
        )
    };
    let places = orders(
        "ends = { place = { to = 'place', gone = 'clear' } }\n[records.place]\ntable = 'places'\nshared = ['order.place']\n\
         nobody = 'of guests'\nfields = { street = 'address', made_on = 'not personal' }\n[ignore]\npermits = 'x'\n",
    );
    let permits = orders(
        "[records.permit]\ntable = 'permits'\nowner = { column = 'purchase', to = 'order' }\nnobody = 'of guests'\n\
         fields.made_on = 'not personal'\n[ignore]\nplaces = 'x'\n",
    );
    let duty = |classes: &str| {
        format!(
            "[duties.books]\nclasses = [{classes}]\nneeds = []\nperiod = '7 years'\nstart = 'record_date'\nfrom = 'made_on'\n\
             law = 'x'\nground = '17(3)(b)'\n"
        )
    };
    let goes = |class: &str| format!("{class} = {{ after = 'duty', action = 'delete' }}\n");
    let treatment = |class: &str| format!("customer = 'anonymise'\norder = 'delete'\n{class} = 'delete'\n");
    let refused = |map: &str, class: &str, rules: String| {
        Shop::new(sql, map, &format!("{}{rules}", treatment(class))).policy_refused()
    };
    // Shared records cannot expire.
    let said = refused(&places, "place", duty("'place'"));
    assert!(
        said.contains(
            "treatments.x.place: may be kept by a duty, and hangs from order, which is found by a value"
        ),
        "{said}"
    );
    assert!(said.contains("leave place out of the classes of the duty"), "{said}");
    let said =
        refused(&permits, "permit", format!("{}[expire]\n{}", duty("'order', 'permit'"), goes("order")));
    assert!(said.contains("treatments.x.permit: may be kept by a duty, and hangs from order"), "{said}");
    assert!(said.contains("write expire.permit = { after = \"duty\", action = \"delete\" }"), "{said}");
    let rules = format!("{}[expire]\n{}{}", duty("'order', 'permit'"), goes("order"), goes("permit"));
    let mut shop = Shop::new(sql, &permits, &format!("{}{rules}", treatment("permit")));
    let policy = relinquish::PolicyDocument::from_toml(&shop.policy).unwrap();
    policy.check(shop.store().unwrap().data_map()).unwrap();
    // Records expire only if the policy sweeps.
    shop.policy = shop.policy.replace("sweep = true", "sweep = false");
    let said = shop.policy_refused();
    assert!(
        said.contains("write sweep = true: expire.order")
            && said.contains("write sweep = true: expire.permit"),
        "{said}"
    );
}

/// A former bug: a table whose key is the address by which its person is found could not be mapped. The rows are
/// deleted, and the check wanted a rule for the address all the same, as for a row that stays.
#[tokio::test]
async fn a_row_whose_key_is_the_address_of_its_person_can_be_deleted() {
    let schema = format!(
        "{SCHEMA} CREATE TABLE letters (email TEXT, list TEXT, since TEXT, PRIMARY KEY (email, list)) WITHOUT ROWID;
         CREATE TABLE resets (email TEXT PRIMARY KEY, code TEXT);
         INSERT INTO letters VALUES ('maud@ash.org', 'news', '2024'), ('guest@fir.org', 'news', '2024'),
             ('maud@ash.org', 'offers', '2025'), ('bob@elm.org', 'offers', '2025');
         INSERT INTO resets VALUES ('maud@ash.org', 'x'), ('bob@elm.org', 'y');"
    );
    let owner = "nobody = 'not yet a customer'\nowner = { column = 'email', to = 'customer.email', compare = 'exact' }";
    let map = format!(
        "{CUSTOMERS}fields = {{ name = 'name', email = 'email' }}
         [records.letter]\ntable = 'letters'\n{owner}\nfields = {{ email = 'email', list = 'not personal', since = 'not personal' }}
         [records.reset]\ntable = 'resets'\n{owner}\nfields = {{ email = 'email', code = 'not personal' }}
         [ignore]\ntickets = 'not part of this test'"
    );
    let shop = Shop::new(&schema, &map, "customer = 'anonymise'\nletter = 'delete'\nreset = 'delete'\n");
    assert!(matches!(shop.erase("1").await, Outcome::Erased(_)));
    let left: Vec<_> =
        shop.cells().into_iter().filter(|cell| format!("{cell:?}").contains("maud@ash")).collect();
    assert!(left.is_empty(), "{left:?}");
    let kept = |text: &str| shop.cells().iter().filter(|cell| format!("{cell:?}").contains(text)).count();
    assert!(kept("guest@fir.org") > 0 && kept("bob@elm.org") > 2, "other people's rows stay");
}

//! What a duty keeps with a record, because the record needs it to keep its meaning.

use relinquish::plan::letter::{self, Authority, Controller, Language, Letterhead, Request};
use relinquish::{Asked, Outcome, PolicyDocument, RecordStore as _};

use crate::hosts::{self, approved};
use crate::shop::{CUSTOMERS, Shop};

const SCHEMA: &str = "
    CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT);
    CREATE TABLE addresses (id INTEGER PRIMARY KEY, client INTEGER NOT NULL REFERENCES clients, street TEXT);
    CREATE TABLE orders (id INTEGER PRIMARY KEY, client INTEGER NOT NULL REFERENCES clients, bill_to INTEGER REFERENCES addresses,
                         placed TEXT);
    INSERT INTO clients VALUES (1, 'Maud Ash'), (2, 'Bob Elm');
    INSERT INTO addresses VALUES (1, 1, 'Mill Lane 1'), (2, 1, 'High Street 2'), (3, 2, 'Low Street 3');
    INSERT INTO orders VALUES (1, 1, 1, '2024-05-05'), (2, 1, 1, '2025-06-06'), (3, 1, 2, '2010-01-01'), (4, 2, 3, '2026-01-01');";

fn shop() -> Shop {
    let map = format!(
        "{CUSTOMERS}fields.name = 'name'
         [records.address]\ntable = 'addresses'\nowner = 'client'\nfields.street = 'address'
         [records.order]\ntable = 'orders'\nowner = 'client'\nends.bill_to = 'clear'\nfields.placed = 'not personal'"
    );
    let mut shop = Shop::new(SCHEMA, &map, "customer = 'delete'\norder = 'delete'\naddress = 'delete'");
    shop.policy.push_str(
        "\n[duties.books]\nclasses = ['order']\nneeds = ['order.bill_to']\nperiod = '7 years'\nstart = 'calendar_year'\n\
         law = 'the book-keeping act'\nground = '17(3)(b)'\nfrom = 'placed'\n"
    );
    shop
}

/// The address on a kept invoice names the person. The certificate said "anonymised", and of the address that it stays "with no
/// end that is known".
#[tokio::test]
async fn what_is_kept_with_an_order_leads_to_the_person_until_the_order_goes() {
    let shop = shop();
    let engine = shop.engine();
    let plan = approved(&engine, &"1".into(), &Asked::request()).await;
    let text = plan.plan().to_string();
    assert!(text.contains("1 row of address must be kept until 2032-12-31 at the latest"), "{text}");
    assert!(text.contains("2 rows of order must be kept until 2032-12-31 at the latest"), "{text}");
    assert!(text.contains("afterwards the person is erased in part"), "{text}");
    let Outcome::Erased(certificate) = engine.erase(plan).await.unwrap() else { panic!("not erased") };
    assert_eq!(certificate.outcome(), "erased in part", "{certificate}");
    let text = certificate.to_string();
    assert!(text.contains("1 record kept as it is until 2032-12-31, by the duties: books"), "{text}");
    assert_eq!(shop.text("SELECT group_concat(id || street) FROM addresses"), "1Mill Lane 1,3Low Street 3");
}

/// A field of somebody else's in such a record stays with it. The address on Maud's kept invoice lost the name of whoever had
/// noted it down, when that one left: only what the leaving person has was looked at for who needs it.
#[tokio::test]
async fn a_field_of_somebody_else_stays_in_what_is_kept_with_a_record() {
    let mut shop = shop();
    let change = "ALTER TABLE addresses ADD COLUMN noter INTEGER REFERENCES clients;
        ALTER TABLE addresses ADD COLUMN noted_by TEXT;
        UPDATE addresses SET noter = 2, noted_by = 'Bob Elm' WHERE id < 3;";
    rusqlite::Connection::open(shop.path()).unwrap().execute_batch(change).unwrap();
    shop.map = shop.map.replace(
        "fields.street = 'address'",
        "ends.noter = 'clear'\nfields = { street = 'address', noted_by = { kind = 'name', of = 'noter' } }",
    );
    // Where the customers' own records stay, nobody asks who needs them.
    shop.policy = shop.policy.replace("customer = 'delete'", "customer = 'anonymise'");
    let outcome = shop.erase("2").await;
    assert!(matches!(outcome, Outcome::Erased(_)), "{outcome}");
    let names = "SELECT group_concat(id || coalesce(noted_by, '')) FROM addresses WHERE client = 1";
    assert_eq!(shop.text(names), "1Bob Elm,2", "the second one is on no invoice that is kept");
}

/// The letter said that the address was kept because of a law, as if a law said so of addresses. It is kept because an invoice
/// needs it: what is kept, why and until when. The statement did not mention it at all.
#[tokio::test]
async fn the_letter_says_what_is_kept_for_the_sake_of_a_kept_record_and_until_when() {
    let shop = shop();
    let store = shop.store().unwrap();
    let policy = PolicyDocument::from_toml(&shop.policy).unwrap().check(store.data_map()).unwrap();
    let controller = Controller::new("Ash & Elm", "1 Elm Street");
    let authority = Authority::new("the Authority", "2 Elm Street");
    let written = "2026-11-21".parse().unwrap();
    let head = Letterhead::new(&policy, Language::English, controller, authority, written).unwrap();
    let plan = hosts::plan(&shop.engine(), &"1".into(), &Asked::request()).await;
    let outcome = shop.erase("1").await;
    let told = outcome.certificate().unwrap_or_else(|| panic!("{outcome}")).letter_facts();
    let request = Request::new("R-1", "2026-11-01".parse().unwrap());
    let text = letter::confirmation(&head, Some(&request), &told).unwrap().to_string();
    for part in [
        "# Your data were erased in part",
        "We have to refuse a part of your request.",
        "* **address** (1 record): kept unchanged, because other records that we keep need them. For those other records: We are required by law to keep them until \
         31 December 2032 at the latest:",
        "* **order** (2 records): kept unchanged. We are required by law to keep them until 31 December 2032 at the latest: 7 years \
         from the end of the calendar year of the record (the book-keeping act; Art. 17(3)(b) GDPR).",
        "* address, until 31 December 2032 at the latest",
        "Art. 77 GDPR",
    ] {
        assert!(text.contains(part), "{part}\nis missing in\n{text}");
    }
    // Bob's letter names his own address alone, and Maud's second address is on no invoice that is kept.
    assert_eq!(plan.deferred().iter().find(|kept| kept.class.as_str() == "address").unwrap().rows, Some(1));
    let statement = letter::statement(&head, &policy, None).unwrap().to_string();
    let said = "**order**: what such a record refers to under bill to is kept as long as the record.";
    assert!(statement.contains(said), "{statement}");
}

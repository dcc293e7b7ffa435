//! What a duty keeps with a record, because the record needs it to keep its meaning.

use relinquish::{Asked, Outcome};

use crate::hosts::approved;
use crate::shop::{CUSTOMERS, Shop};

const SCHEMA: &str = "
    CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT);
    CREATE TABLE addresses (id INTEGER PRIMARY KEY, client INTEGER NOT NULL REFERENCES clients, street TEXT);
    CREATE TABLE orders (id INTEGER PRIMARY KEY, client INTEGER NOT NULL REFERENCES clients, bill_to INTEGER REFERENCES addresses,
                         placed TEXT);
    INSERT INTO clients VALUES (1, 'Maud Ash'), (2, 'Bob Elm');
    INSERT INTO addresses VALUES (1, 1, 'Mill Lane 1'), (2, 1, 'High Street 2'), (3, 2, 'Low Street 3');
    INSERT INTO orders VALUES (1, 1, 1, '2024-05-05'), (2, 1, 1, '2025-06-06'), (3, 1, 2, '2010-01-01'), (4, 2, 3, '2026-01-01');";

fn shop(extra: &str) -> Shop {
    let map = format!(
        "{CUSTOMERS}fields.name = 'name'
         [records.address]\ntable = 'addresses'\nowner = 'client'\nfields.street = 'address'
         [records.order]\ntable = 'orders'\nowner = 'client'\nends.bill_to = 'clear'\nfields.placed = 'not personal'"
    );
    let mut shop = Shop::new(SCHEMA, &map, "customer = 'delete'\norder = 'delete'\naddress = 'delete'");
    let duty = format!(
        "\n[duties.books]\nclasses = ['order']\nneeds = ['order.bill_to']\nperiod = '7 years'\nstart = 'calendar_year'\n\
         law = 'the book-keeping act'\nground = '17(3)(b)'\nfrom = 'placed'\n{extra}"
    );
    shop.policy += &duty;
    shop
}

/// The address on a kept invoice names the person. The certificate said "anonymised", and of the address that it stays "with no
/// end that is known".
#[tokio::test]
async fn what_is_kept_with_an_order_leads_to_the_person_until_the_order_goes() {
    let shop = shop("");
    let engine = shop.engine();
    let plan = approved(&engine, &"1".into(), &Asked::request()).await;
    let text = plan.plan().to_string();
    assert!(text.contains("1 row of address must be kept until 2032-12-31 at the latest"), "{text}");
    assert!(text.contains("2 rows of order must be kept until 2032-12-31 at the latest"), "{text}");
    assert!(text.contains("afterwards the person is pseudonymised"), "{text}");
    let Outcome::Erased(certificate) = engine.erase(plan).await.unwrap() else { panic!("not erased") };
    assert_eq!(certificate.outcome(), "pseudonymised", "{certificate}");
    let text = certificate.to_string();
    assert!(text.contains("1 of them kept as they are until 2032-12-31, by the duties: books"), "{text}");
    assert_eq!(shop.text("SELECT group_concat(id || street) FROM addresses"), "1Mill Lane 1,3Low Street 3");
}

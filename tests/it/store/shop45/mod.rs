//! A shop in 45 tables: its map stays short, and one of its customers is erased.

use std::collections::BTreeSet;

use relinquish::Outcome;
use relinquish::store::sql::Note;
use rusqlite::Connection;

use crate::shop::{Shop, changes};

pub(super) const SCHEMA: &str = include_str!("schema.sql");
pub(super) const MAP: &str = include_str!("map.toml");
const POLICY: &str = include_str!("policy.toml");

/// Goods, and a customer's rows, whose keys all begin with the customer's number.
fn shop() -> Shop {
    let folder = tempfile::tempdir().unwrap();
    let connection = Connection::open(folder.path().join("shop.sqlite")).unwrap();
    connection.execute_batch(SCHEMA).unwrap();
    connection
        .execute_batch(
            "INSERT INTO countries VALUES ('SE', 'Sweden', 1);
             INSERT INTO categories VALUES (1, NULL, 'Shoes', 'shoes', 1);
             INSERT INTO brands VALUES (1, 'Ösel', 'osel');
             INSERT INTO products VALUES (1, 1, 1, NULL, 'Boots', 'Warm', '2024-01-01', NULL);
             INSERT INTO variants VALUES (1, 1, 'B-42', '42', 'black', 900);
             INSERT INTO staff VALUES (1, 'Ester Berg', 'ester@shop.example', 'support', NULL);",
        )
        .unwrap();
    for (n, first, last) in [(1, "Quillon", "Zandervik"), (2, "Marta", "Holm"), (3, "Ivo", "Brandt")] {
        let mail = format!("{}@{}.example", first.to_lowercase(), last.to_lowercase());
        // Customer 2 has been referred by customer 1, and sends a parcel to an address of customer 1.
        let (referred, shipping) = if n == 2 { ("1", "101".to_owned()) } else { ("NULL", format!("{n}01")) };
        connection
            .execute_batch(&format!(
                "INSERT INTO customers VALUES ({n}, 'C-{first}', '{mail}', 'hash-{first}', '{first}', '{last}', '{last} AB', 'SE-{last}', '1980-0{n}-01',
                   'sv', 'SEK', NULL, {referred}, 'active', 1, '2024-01-0{n}', '2025-01-01', NULL);
                 INSERT INTO addresses VALUES ({n}01, {n}, 'home', '{first} {last}', NULL, '{last} road 1', NULL, '111 1{n}', '{last}stad', NULL, 'SE', '070-{last}', '2024-01-01', 1),
                   ({n}02, {n}, 'office', '{first} {last}', '{last} AB', '{last} street 2', NULL, '222 2{n}', '{last}stad', NULL, 'SE', NULL, '2024-01-01', 0);
                 INSERT INTO customer_phones VALUES ({n}01, {n}, '+46 {last}', 'mobile', NULL);
                 INSERT INTO consents VALUES ({n}01, {n}, 'mail', '2024-01-01', NULL, 1);
                 INSERT INTO sessions VALUES ({n}01, {n}, 'session-{last}', '10.0.0.{n}', 'Agent {last}', '2025-01-01', '2025-01-01');
                 INSERT INTO password_resets VALUES ({n}01, {n}, 'reset-{last}', '2025-01-01', NULL);
                 INSERT INTO newsletter_signups VALUES ({n}01, ' {upper} ', 'weekly', 'footer', NULL, NULL);
                 INSERT INTO wishlists VALUES ({n}01, {n}, 0, '2024-01-01');
                 INSERT INTO wishlist_items VALUES ({n}01, {n}01, 1, '2024-01-01');
                 INSERT INTO carts VALUES ({n}01, {n}, 'SEK', '2024-01-01', NULL);
                 INSERT INTO cart_items VALUES ({n}01, {n}01, 1, 1, '2024-01-01');
                 INSERT INTO orders VALUES
                   ({n}01, 'O-{n}01', {n}, '{mail}', '070-{last}', {n}02, {shipping}, '2024-03-01', '2024-03-01', NULL, 'SEK', 80, 10, 10, 100, '10.0.0.{n}', 'Agent {last}', 'Dear {last}', NULL, 'web'),
                   ({n}02, 'O-{n}02', NULL, '{upper}', NULL, {n}02, NULL, '2024-04-01', NULL, NULL, 'SEK', 80, 10, 10, 100, NULL, NULL, NULL, 'To {last}', 'web');
                 INSERT INTO order_items VALUES ({n}01, {n}01, 1, 1, 100, 20, 'For {last}'), ({n}02, {n}02, 1, 1, 100, 20, NULL);
                 INSERT INTO order_notes VALUES ({n}01, {n}01, 1, '{last} called', '2024-03-02');
                 INSERT INTO order_events VALUES ({n}01, {n}01, 'paid', '2024-03-01');
                 INSERT INTO invoices VALUES ({n}01, {n}01, 'I-{n}01', '2024-03-01', '{first} {last}', '{last} road 1', 'SE-{last}', 80, 20, 100);
                 INSERT INTO invoice_lines VALUES ({n}01, {n}01, 'Boots for {last}', 1, 80, NULL);
                 INSERT INTO payments VALUES ({n}01, {n}01, 'card', 'pay_{last}', '424{n}', '{first} {last}', 100, '2024-03-01');
                 INSERT INTO refunds VALUES ({n}01, {n}01, 10, 'Scratch, says {last}', 'SE00{last}', '2024-03-09');
                 INSERT INTO shipments VALUES ({n}01, {n}01, NULL, NULL, 'T-{last}', '2024-03-02', '2024-03-04');
                 INSERT INTO shipment_events VALUES ({n}01, {n}01, '{last}stad', '{last}', '2024-03-04', 'OK');
                 INSERT INTO returns VALUES ({n}01, {n}01, 'R-{n}01', 'size', 'Too small, {last}', '2024-03-10', NULL);
                 INSERT INTO return_items VALUES ({n}01, {n}01, {n}01, 1, 'new');
                 INSERT INTO reviews VALUES ({n}01, {n}, 1, 5, '{last}77', 'By {last}', 'Good, says {last}', '2024-05-01');
                 INSERT INTO questions VALUES ({n}01, '{mail}', 1, '{first}', 'I am {last}', NULL, '2024-02-01');
                 INSERT INTO tickets VALUES ({n}01, NULL, '{mail}', {n}01, 'From {last}', 1, 1, '2024-06-01', NULL);
                 INSERT INTO ticket_messages VALUES ({n}01, {n}01, 1, 'Hello {last}', '2024-06-01');
                 INSERT INTO gift_cards VALUES ({n}01, {n}, NULL, 'G-{n}01', 'To {last}', 50, 50, '2027-01-01');
                 INSERT INTO loyalty_points VALUES ({n}01, {n}, {n}01, 10, '2024-03-01');
                 INSERT INTO coupons_used VALUES ({n}01, {n}, {n}01, 'TEN', 10);",
                upper = mail.to_uppercase(),
            ))
            .unwrap();
    }
    // A card from customer 1 to customer 3, votes on one another's reviews, and a guest.
    connection
        .execute_batch(
            "INSERT INTO gift_cards VALUES (901, 1, 3, 'G-901', 'For Ivo', 50, 50, '2027-01-01');
             INSERT INTO review_votes VALUES (101, 2, 1), (201, 1, 1), (301, 2, 0);
             INSERT INTO orders (id, number, email, placed_at) VALUES (902, 'O-902', 'guest@nowhere.example', '2024-01-01');",
        )
        .unwrap();
    Shop { folder, map: MAP.to_owned(), policy: POLICY.to_owned() }
}

#[test]
fn the_map_of_45_tables_is_short() {
    assert_eq!(SCHEMA.lines().filter(|line| line.starts_with("CREATE TABLE")).count(), 45);
    let lines = MAP.lines().count();
    assert!(lines < 150, "{lines} lines");
    assert!(MAP.lines().all(|line| line.chars().count() <= 170), "no line holds what belongs into three");
    let store = shop().store().unwrap_or_else(|error| panic!("{error}"));
    let named: BTreeSet<&str> = store
        .notes()
        .iter()
        .filter_map(|note| if let Note::Rest { class, .. } = note { Some(class.as_str()) } else { None })
        .collect();
    assert!(
        named.contains("customer") && named.contains("order_items") && named.contains("tickets"),
        "{named:?}"
    );
    // What `rest` covers is said column by column.
    let text: Vec<String> = store.notes().iter().map(ToString::to_string).collect();
    assert!(
        text.iter()
            .any(|note| note
                .starts_with("reviews: rest = \"not personal\" covers product_id, stars, written_at")),
        "{text:#?}"
    );
    assert!(text.iter().any(|note| note.contains("CREATE INDEX \"order_items_order_id_idx\"")), "{text:#?}");
}

#[tokio::test]
async fn erasing_one_customer_leaves_the_others_as_they_were() {
    let shop = shop();
    let before = shop.cells();
    let outcome = shop.erase("1").await;
    assert!(matches!(outcome, Outcome::Erased(_)), "{outcome}");
    let after = shop.cells();
    let changed = changes(&before, &after);
    let key = |change: &str| change.split_once('[').unwrap().1.split_once(']').unwrap().0.to_owned();
    let foreign: Vec<&String> = changed.iter().filter(|change| !key(change).starts_with('1')).collect();
    assert_eq!(foreign, Vec::<&String>::new());
    // What both have stays as long as the other is there.
    assert!(!changed.iter().any(|change| change.contains("addresses[101]")), "{changed:#?}");
    let left: Vec<_> = after
        .iter()
        .filter(|((row, _), value)| {
            let value = value.to_lowercase();
            row != "addresses[101]" && (value.contains("zandervik") || value.contains("quillon"))
        })
        .collect();
    assert!(left.is_empty(), "{left:#?}");
    for gone in [
        "sessions[101]",
        "wishlist_items[101]",
        "cart_items[101]",
        "questions[101]",
        "ticket_messages[101]",
        "newsletter_signups[101]",
    ] {
        assert!(changed.contains(&format!("- {gone}")), "{gone}: {changed:#?}");
    }
    for written in
        ["orders[102].email", "refunds[101].iban", "invoice_lines[101].text", "addresses[102].line1"]
    {
        assert!(changed.contains(written), "{written}: {changed:#?}");
    }
    // With the last who has it, the address goes too.
    let outcome = shop.erase("2").await;
    assert!(matches!(outcome, Outcome::Erased(_)), "{outcome}");
    assert_ne!(shop.cells()[&("addresses[101]".to_owned(), "line1".to_owned())], "'Zandervik road 1'");
    assert_eq!(shop.text("SELECT email FROM orders WHERE id = 902"), "guest@nowhere.example");
}

/// A column that is added is covered by `rest`, so the store that was opened before says that it is new.
#[tokio::test]
async fn a_new_column_under_rest_is_noticed() {
    let shop = shop();
    let store = shop.store().unwrap();
    Connection::open(shop.path())
        .unwrap()
        .execute_batch("ALTER TABLE reviews ADD COLUMN video TEXT")
        .unwrap();
    assert_eq!(store.drift().await.unwrap(), ["column reviews.video is new"]);
    let now = shop.store().unwrap();
    let covers = |note: &Note| matches!(note, Note::Rest { columns, .. } if columns.iter().any(|c| c.as_str() == "video"));
    assert!(now.notes().iter().any(covers));
}

//! The CRM of a small internet provider in an SQLite file: a few hundred clients with their orders, invoices, call
//! records and other data.

use std::path::Path;

use rusqlite::{Connection, Result, params};

const FIRST: [&str; 12] = [
    "Astrid",
    "Bjørn",
    "Clara",
    "David",
    "Élodie",
    "Farid",
    "Greta",
    "Hugo",
    "Ingrid",
    "Jonas",
    "Katarzyna",
    "Liam",
];
const LAST: [&str; 14] = [
    "Andersson",
    "Berg",
    "Castillo",
    "Dubois",
    "Eriksen",
    "Fischer",
    "García",
    "Holm",
    "Ivanova",
    "Jensen",
    "Kowalska",
    "Lindqvist",
    "Müller",
    "Nowak",
];
const STREETS: [&str; 6] =
    ["Storgatan", "Fjordveien", "Rue des Lilas", "Hauptstraße", "Church Lane", "Ulica Długa"];
const CITIES: [(&str, &str); 5] = [
    ("411 03", "Göteborg"),
    ("5003", "Bergen"),
    ("69002", "Lyon"),
    ("20095", "Hamburg"),
    ("80-831", "Gdańsk"),
];
const PLANS: [(&str, i64); 3] = [("Fibre 100", 2900), ("Fibre 500", 3900), ("Fibre 1000", 5900)];

/// The client whose subscription has ended.
pub(crate) const CANCELLED: &str = "17";
/// The client whose subscription still runs.
pub(crate) const ACTIVE: &str = "18";

/// Makes the database.
pub(crate) fn create(path: &Path, clients: i64) -> Result<()> {
    let mut connection = Connection::open(path)?;
    connection.execute_batch(include_str!("crm.sql"))?;
    let transaction = connection.transaction()?;
    transaction.execute("INSERT INTO organisations (id, name) VALUES (1, 'Fjord Broadband')", [])?;
    for id in 1..=clients {
        client(&transaction, id)?;
    }
    transaction.commit()
}

fn pick<T: Copy>(list: &[T], n: i64) -> Option<T> {
    let length = i64::try_from(list.len()).ok()?;
    list.get(usize::try_from(n.rem_euclid(length)).ok()?).copied()
}

fn client(connection: &Connection, id: i64) -> Result<()> {
    let first = pick(&FIRST, id * 5).unwrap_or_default();
    let last = pick(&LAST, id * 3 + id / 7).unwrap_or_default();
    let (postcode, city) = pick(&CITIES, id).unwrap_or_default();
    let street = format!("{} {}", pick(&STREETS, id * 11).unwrap_or_default(), id % 90 + 1);
    let login = format!("{}.{}{id}", first.to_lowercase(), last.to_lowercase());
    let email = format!("{login}@example.net");
    let phone = format!("+46 70 {:03} {:02} {:02}", id * 37 % 1000, id % 100, id * 7 % 100);
    // Every fourth client is cancelled. So client 17 is cancelled, and client 18 is active.
    let cancelled = id % 4 == 1;
    let status = if cancelled { "cancelled" } else { "active" };
    let cancelled_on = cancelled.then(|| format!("2025-{:02}-{:02}", id % 12 + 1, id % 28 + 1));
    let stripe = (id % 3 != 0).then(|| format!("cus_{id:06}"));
    let note = (id % 6 == 5).then(|| format!("Attn. {first} {last}, second floor"));
    connection.execute(
        "INSERT INTO clients (id, organisation_id, first_name, last_name, email, phone, street, postcode, city,
                              password_hash, invoice_text, stripe_id, status, created_at, cancelled_on)
         VALUES (?1, 1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
        params![
            id,
            first,
            last,
            email,
            phone,
            street,
            postcode,
            city,
            format!("$2b$12$ODkxNTM2NDk4MTIz{id:06}"),
            note,
            stripe,
            status,
            format!("20{:02}-{:02}-11 09:{:02}:00", 15 + id % 9, id % 12 + 1, id % 60),
            cancelled_on,
        ],
    )?;
    let (plan, price) = pick(&PLANS, id).unwrap_or_default();
    connection.execute(
        "INSERT INTO subscriptions (client_id, plan, active) VALUES (?1, ?2, ?3)",
        params![id, plan, !cancelled],
    )?;
    connection.execute(
        "INSERT INTO delivery_addresses (client_id, recipient, street, postcode, city) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![id, format!("{first} {last}"), street, postcode, city],
    )?;
    connection.execute(
        "INSERT INTO contacts (client_id, name, username, email, password_hash) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![id, format!("{first} {last}"), login, email, format!("$2b$12$Y29udGFjdA{id:06}")],
    )?;
    for n in 0..3 {
        connection.execute(
            "INSERT INTO orders (client_id, ordered_on, deliver_to, note, total_cents) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![
                id,
                format!("2025-0{}-15", n + 1),
                format!("{first} {last}"),
                (n == 1).then(|| format!("Call {phone} before you come")),
                4900 + n * 1000
            ],
        )?;
        connection.execute(
            "INSERT INTO invoices (client_id, number, issued_on, billing_name, billing_address, total_cents)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![
                id,
                format!("2025-{id:05}-{n}"),
                format!("2025-0{}-28", n + 1),
                format!("{first} {last}"),
                format!("{street}, {postcode} {city}"),
                price
            ],
        )?;
        connection.execute(
            "INSERT INTO invoice_lines (invoice_id, text, amount_cents) VALUES (last_insert_rowid(), ?1, ?2)",
            params![format!("{plan}, one month"), price],
        )?;
        connection.execute(
            "INSERT INTO activity_log (client_id, at, action, ip) VALUES (?1, ?2, ?3, ?4)",
            params![
                id,
                format!("2025-0{}-02 08:00:00", n + 1),
                format!("{login} logged in"),
                format!("192.0.2.{}", id % 250 + 1)
            ],
        )?;
    }
    for n in 0..20 {
        connection.execute(
            "INSERT INTO call_records (client_id, called, started_at, seconds) VALUES (?1, ?2, ?3, ?4)",
            params![
                id,
                format!("+47 55 {:06}", (id * 7919 + n * 104_729) % 1_000_000),
                format!("2025-03-{:02} 1{}:30:00", n + 1, n % 10),
                30 + n * 17
            ],
        )?;
    }
    Ok(())
}

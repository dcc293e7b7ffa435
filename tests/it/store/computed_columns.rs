//! Columns that the database computes: they are erased only through the columns from which they are computed.

use crate::shop::{CUSTOMERS, Shop, changes};

fn shop(fields: &str, treatment: &str) -> Shop {
    let sql = "CREATE TABLE clients (id INTEGER PRIMARY KEY, doc TEXT, handle TEXT,
            email TEXT AS (json_extract(doc, '$.email')) VIRTUAL, loud TEXT AS (upper(email)) STORED);
        INSERT INTO clients (id, doc, handle) VALUES (1, '{\"email\":\"ragna@x.example\"}', 'ragna'), (2, '{}', 'bo');";
    Shop::new(sql, &format!("{CUSTOMERS}fields = {{ {fields} }}"), treatment)
}

/// A former bug: the check passed, the plan named no field, and the outcome was "anonymised", but nothing was
/// changed.
#[test]
fn a_computed_column_is_refused_where_its_source_stays() {
    let plain = "doc = 'not personal', handle = 'username', email = 'email', loud = 'email'";
    let said = shop(plain, "customer = 'anonymise'").policy_refused();
    for part in
        ["treatments.x.customer.email", "treatments.x.customer.loud", "computes it from doc", "classify doc"]
    {
        assert!(said.contains(part), "{part}: {said}");
    }
    // If the policy keeps a source column, the computed column is kept too.
    let kept = "doc = 'free_text', handle = 'username', email = 'email', loud = 'not personal'";
    let said = shop(kept, "customer = { action = 'anonymise', keep = { doc = 'law' } }").policy_refused();
    assert!(said.contains("write a rule for doc"), "{said}");
    // Another value of the document is not the source of the computed column.
    let other = "doc = { json = { '/phone' = 'username' }, rest = 'not personal' }, handle = 'username', email = 'email', loud = 'email'";
    let said = shop(other, "customer = 'anonymise'").policy_refused();
    assert!(said.contains("treatments.x.customer.email"), "{said}");
}

#[tokio::test]
async fn each_way_out_of_a_computed_column_works() {
    for (fields, treatment) in [
        ("doc = 'free_text', handle = 'username', email = 'email', loud = 'email'", "customer = 'anonymise'"),
        (
            "doc = { json = { '/email' = 'email' }, rest = 'not personal' }, handle = 'username', email = 'email', loud = 'email'",
            "customer = 'anonymise'",
        ),
    ] {
        let shop = shop(fields, treatment);
        let before = shop.cells();
        shop.erase("1").await;
        let changed = changes(&before, &shop.cells());
        for cell in ["clients[1].doc", "clients[1].email", "clients[1].loud", "clients[1].handle"] {
            assert!(changed.contains(cell), "{cell}: {changed:?}");
        }
        assert_eq!(changed.len(), 4, "{changed:?}");
    }
    let fields = "doc = 'not personal', handle = 'username', email = 'email', loud = 'email'";
    let keeps = shop(fields, "customer = { action = 'anonymise', keep = { email = 'law', loud = 'law' } }");
    let before = keeps.cells();
    keeps.erase("1").await;
    assert_eq!(Vec::from_iter(changes(&before, &keeps.cells())), ["clients[1].handle"]);
}

/// A former bug: a column is computed from two columns. Only one of them was erased, so the computed column still
/// named the person.
#[tokio::test]
async fn a_computed_column_is_refused_where_one_of_its_sources_still_names_the_person() {
    let shop = |treatment: &str| {
        let sql = "CREATE TABLE clients (id INTEGER PRIMARY KEY, first TEXT, last TEXT, city TEXT, rank TEXT,
                label TEXT AS (coalesce(first, '') || ' ' || coalesce(last, '') || coalesce(city, '') || coalesce(rank, '')));
            INSERT INTO clients (id, first, last, city, rank) VALUES (1, 'Ragna', 'Ek', 'Sund', 'a'), (2, 'Bo', 'Berg', 'Ask', 'b');";
        let fields = "first = 'name', last = 'name', city = 'city', rank = 'not personal', label = 'name'";
        let mut shop = Shop::new(sql, &format!("{CUSTOMERS}fields = {{ {fields} }}"), treatment);
        shop.policy =
            shop.policy.replace("name = 'remove'", "name = 'remove'\ncity = { keep = 'figures by town' }");
        shop
    };
    let keeps = "customer = { action = 'anonymise', keep = { last = 'law' } }";
    let said = shop(keeps).policy_refused();
    for part in ["treatments.x.customer.label", "of which last is not written", "write a rule for last"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert_eq!(said.lines().count(), 1, "{said}");
    // Both suggested ways are accepted. A town that stays names nobody.
    for (treatment, label) in [
        ("customer = 'anonymise'", " Sunda"),
        (
            "customer = { action = 'anonymise', keep = { last = 'law', label = 'the last name is in it' } }",
            " EkSunda",
        ),
    ] {
        let shop = shop(treatment);
        shop.erase("1").await;
        assert_eq!(shop.text("SELECT label FROM clients WHERE id = 1"), label, "{treatment}");
    }
}

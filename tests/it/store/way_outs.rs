//! The corrections that the check suggests for a wrong link lead to a map that fits.

use relinquish::{PolicyDocument, RecordStore as _};

use super::paste::{Database, filled_in};
use crate::shop::{CUSTOMERS, Shop};

const SCHEMA: &str = "
    CREATE TABLE clients (id INTEGER PRIMARY KEY, mail TEXT UNIQUE);
    CREATE TABLE addresses (id INTEGER PRIMARY KEY, street TEXT);
    CREATE TABLE orders (id INTEGER PRIMARY KEY, client_id INTEGER NOT NULL REFERENCES clients,
        billing_id INTEGER REFERENCES addresses, seen_id INTEGER);";

fn map(address: &str, order: &str) -> String {
    format!(
        "version = 1\n{CUSTOMERS}fields = {{ mail = 'email' }}\n\
         [records.order]\ntable = 'orders'\nowner = 'client_id'\n{order}\n\
         [records.address]\ntable = 'addresses'\n{address}\nfields = {{ street = 'address' }}\n"
    )
}

const SEEN: &str = "fields = { seen_id = 'not personal' }";

fn said(database: &Database, map: &str) -> String {
    let problems = database.problems(map);
    assert_eq!(problems.len(), 1, "{problems:#?}");
    problems[0].to_string()
}

/// A former bug: a link that names itself in `shared` was reported as "no key of this table", with a useless list of
/// keys.
#[test]
fn a_link_that_calls_itself_shared_is_told_where_that_is_said() {
    let database = Database::new(SCHEMA);
    let chain =
        "owner = [{ column = 'id', table = 'orders', key = 'billing_id', shared = true }, 'client_id']";
    let said = said(&database, &map(chain, SEEN));
    let wanted = "records.address.owner[0].shared: is no key of a link: a class names the links that share it; write shared = \
                  [\"class.billing_id\"] in place of owner, with the name of the class of table orders";
    assert_eq!(said, wanted);
    assert_eq!(database.problems(&map("shared = ['order.billing_id']", SEEN)), []);
    let single = self::said(
        &Database::new(
            "CREATE TABLE clients (id INTEGER PRIMARY KEY, mail TEXT UNIQUE); CREATE TABLE notes (id INTEGER PRIMARY KEY, by_id INTEGER REFERENCES clients);",
        ),
        &format!(
            "version = 1\n{CUSTOMERS}fields = {{ mail = 'email' }}\n[records.note]\ntable = 'notes'\nowner = {{ column = 'by_id', shared = true }}\n"
        ),
    );
    assert!(single.ends_with("write shared = [\"by_id\"] in place of owner"), "{single}");
}

/// A former bug: an owner that names a link of another class was reported as a missing column.
#[test]
fn an_owner_that_is_a_link_of_another_class_is_told_to_be_shared() {
    let database = Database::new(SCHEMA);
    let said = said(&database, &map("owner = 'order.billing_id'", SEEN));
    let wanted = "records.address.owner: order.billing_id is a link of order, and an owner is a link of the class itself; write \
                  shared = [\"order.billing_id\"] in place of owner";
    assert_eq!(said, wanted);
    // The column of the other class is not a link. The error also says what follows from this.
    let said = self::said(&database, &map("owner = 'order.seen_id'", "ends = { billing_id = 'clear' }"));
    assert!(
        said.contains("write shared = [\"order.seen_id\"] in place of owner; say where it leads"),
        "{said}"
    );
}

/// A former bug: for a column of another class without a foreign key, the error suggested a link that a `shared` list
/// does not accept.
#[test]
fn a_shared_column_without_a_foreign_key_is_told_where_its_target_is_said() {
    let database = Database::new(SCHEMA);
    let shared = map("shared = ['order.seen_id']", "[records.order.ends]\nbilling_id = 'clear'");
    let problems = database.problems(&shared);
    assert_eq!(problems.len(), 1, "{problems:#?}");
    let wanted = "records.address.shared[0]: no foreign key of orders starts at seen_id; say where it leads: \
                  records.order.ends.seen_id = { to = \"address\", gone = \"clear\" }";
    assert_eq!(problems[0].to_string(), wanted);
    let lines = problems[0].paste.as_deref().unwrap();
    assert_eq!(
        lines,
        "[records.order.ends]\nseen_id = { to = \"address\", gone = \"TODO\" }  # \"clear\" or \"goes\""
    );
    for choice in 0..2 {
        let line = filled_in(lines, choice).lines().nth(1).unwrap().to_owned();
        let pasted = shared.replace("billing_id = 'clear'", &format!("billing_id = 'clear'\n{line}"));
        assert_eq!(database.problems(&pasted), [], "{pasted}");
    }
    // A former bug: for an end without a target, the error suggested a link without a line for the end.
    let said = said(
        &database,
        &map("shared = ['order.seen_id', 'order.billing_id']", "ends = { seen_id = 'clear' }"),
    );
    assert!(said.contains("say where it leads: { to = \"class\", gone = \"…\" }"), "{said}");
    let ends = "ends = { seen_id = { to = 'address', gone = 'clear' } }";
    assert_eq!(database.problems(&map("shared = ['order.seen_id', 'order.billing_id']", ends)), []);
}

/// A former bug: the key of a table was silently used as the customers' key. So every record belonged to the customer
/// with the same number.
#[test]
fn a_tables_own_key_is_no_owner_unless_the_map_says_so() {
    let database = Database::new(SCHEMA);
    let said = said(
        &database,
        &map("owner = 'id'", "ends = { billing_id = 'clear' }\nfields = { seen_id = 'not personal' }"),
    );
    let wanted = "records.address.owner: is the key of addresses itself, and no foreign key says that it is a customer's key too; \
                  write the column that leads to the customer, or { column = \"id\", to = \"customer\" } where both tables share their \
                  keys";
    assert_eq!(said, wanted);
    let says_so = "owner = { column = 'id', to = 'customer' }";
    assert_eq!(
        database.problems(&map(
            says_so,
            "ends = { billing_id = 'clear' }\nfields = { seen_id = 'not personal' }"
        )),
        []
    );
    // If a foreign key says this, no other line is needed.
    let profiles = Database::new(&format!(
        "{SCHEMA}CREATE TABLE profiles (id INTEGER PRIMARY KEY REFERENCES clients, nick TEXT);"
    ));
    let with_profile = format!(
        "{}[records.profile]\ntable = 'profiles'\nowner = 'id'\nfields = {{ nick = 'username' }}\n",
        map("shared = ['order.billing_id']", SEEN)
    );
    assert_eq!(profiles.problems(&with_profile), []);
}

/// A former bug: a list of words in the place of a table was reported only as "not a table".
#[test]
fn a_list_of_words_is_told_what_a_table_says() {
    let database = Database::new(SCHEMA);
    let said = said(
        &database,
        &map(
            "shared = ['order.billing_id']",
            "ends = ['clear', 'goes']\nfields = { seen_id = 'not personal' }",
        ),
    );
    let wanted = "records.order.ends: says of no link what happens at its end; write { column = \"goes\" } with each link and its \
                  word, or \"schema\"";
    assert_eq!(said, wanted);
    let said = self::said(
        &database,
        &map(
            "shared = ['order.billing_id']",
            "when = ['open', 'paid']\nfields = { seen_id = 'not personal' }",
        ),
    );
    assert!(
        said.starts_with("records.order.when: is no condition on rows; write { column = value }"),
        "{said}"
    );
}

/// A former bug: for records that expire, the error suggested "delete favourite", but no treatment deletes records
/// that expire.
#[test]
fn a_record_that_cannot_expire_is_told_of_rules_that_expire() {
    let sql = "CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT);
        CREATE TABLE posts (id INTEGER PRIMARY KEY, client INTEGER NOT NULL REFERENCES clients, made TEXT);
        CREATE TABLE favourites (id INTEGER PRIMARY KEY, client INTEGER NOT NULL REFERENCES clients,
            post INTEGER NOT NULL REFERENCES posts, made TEXT);";
    let map = format!(
        "{CUSTOMERS}fields.name = 'name'\n\
         [records.post]\ntable = 'posts'\nowner = 'client'\nfields.made = 'not personal'\n\
         [records.favourite]\ntable = 'favourites'\nowner = 'client'\nends.post = 'goes'\nfields.made = 'not personal'\n"
    );
    let mut shop = Shop::new(sql, &map, "customer = 'delete'\npost = 'delete'\nfavourite = 'delete'\n");
    shop.policy.push_str("[expire]\npost = { from = 'made', after = '2 years', action = 'delete' }\n");
    let said = shop.policy_refused();
    let way_out = "let favourite expire too: expire.favourite = { from = \"its date\", after = \"a period\", action = \"delete\" }";
    assert!(said.contains(way_out) && !said.contains("; delete favourite"), "{said}");
    shop.policy.push_str("favourite = { from = 'made', after = '2 years', action = 'delete' }\n");
    let policy = PolicyDocument::from_toml(&shop.policy).unwrap();
    policy.check(shop.store().unwrap().data_map()).unwrap_or_else(|problems| panic!("{problems}"));
}

/// A former bug: the error suggested "treat hist without a search", but did not say what to write.
#[test]
fn a_search_that_comes_too_early_is_told_what_to_write() {
    let sql = "CREATE TABLE clients (id INTEGER PRIMARY KEY, name TEXT);
        CREATE TABLE history (id INTEGER PRIMARY KEY, client INTEGER REFERENCES clients, note TEXT);
        CREATE TRIGGER kept AFTER UPDATE ON clients BEGIN INSERT INTO history (client, note) VALUES (old.id, old.name); END;";
    let map = format!(
        "{CUSTOMERS}fields.name = 'name'\n[records.history]\nowner = 'client'\nends.client = 'clear'\nnobody = 'x'\nfields.note = 'free_text'\n"
    );
    let treatment = |history: &str| format!("customer = 'anonymise'\nhistory = {history}\n");
    let shop = Shop::new(sql, &map, &treatment("{ action = 'anonymise', fields = { note = 'redact' } }"));
    let said = shop.policy_refused();
    let wanted = "drop the trigger for the run, or write fields = { note = \"remove\" } for history, or \"delete\" for history";
    assert!(said.contains(wanted), "{said}");
    for history in ["{ action = 'anonymise', fields = { note = 'remove' } }", "'delete'"] {
        let shop = Shop::new(sql, &map, &treatment(history));
        let policy = PolicyDocument::from_toml(&shop.policy).unwrap();
        policy
            .check(shop.store().unwrap().data_map())
            .unwrap_or_else(|problems| panic!("{history}: {problems}"));
    }
}

/// A former bug: one mistake that many classes share was reported for each of them.
#[test]
fn a_mistake_that_many_classes_share_is_said_once() {
    let database = Database::new(super::shop45::SCHEMA);
    let whole = super::shop45::MAP;
    let mut parsed: toml::Table = toml::from_str(whole).unwrap();
    parsed.remove("links");
    let said = self::said(&database, &toml::to_string(&parsed).unwrap());
    assert!(
        said.starts_with(
            "links.by_mail: is missing: newsletter_signups, orders, questions, tickets name such a link"
        ),
        "{said}"
    );
    // The shape with many tables, with tables that are misspelled, missing or of a wrong type.
    for (what, change) in
        [("text", toml::Value::Integer(7)), ("list", toml::Value::Array(vec![toml::Value::Integer(7)]))]
    {
        let mut parsed: toml::Table = toml::from_str(whole).unwrap();
        parsed["alike"][1]["tables"] = change;
        let said = self::said(&database, &toml::to_string(&parsed).unwrap());
        assert!(said.starts_with("alike[1].tables"), "{what}: {said}");
    }
    let mut parsed: toml::Table = toml::from_str(whole).unwrap();
    parsed["alike"].as_array_mut().unwrap().remove(1);
    let text = toml::to_string(&parsed).unwrap();
    let problems = relinquish::SqlMap::from_toml(&text).unwrap_err();
    let said: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(said.len(), 1, "{said:#?}");
    assert!(said[0].contains("have no owner, and no [[alike]] names such a table"), "{said:#?}");
    let mut parsed: toml::Table = toml::from_str(whole).unwrap();
    parsed["alike"][1].as_table_mut().unwrap().remove("rest");
    let said = self::said(&database, &toml::to_string(&parsed).unwrap());
    assert!(said.starts_with("alike[1].fields: nobody classified these columns of"), "{said}");
    assert!(said.contains("; of order_items: "), "{said}");
    // An unknown key, and the key that is missing because of it.
    let text = format!("version = 1\n{CUSTOMERS}fields = {{ mail = 'email' }}").replace("{ is =", "{ name =");
    let problems = relinquish::SqlMap::from_toml(&text).unwrap_err().to_string();
    assert_eq!(problems, "customers.tenant.name: is no key of this table; there is: is; missing here: is");
}

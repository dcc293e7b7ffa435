//! Records of another tenant's customer are neither deleted nor changed, because a mandate covers only the customer's
//! own tenants.

use relinquish::store::StoreError;
use relinquish::{Asked, Engine, Error, Outcome, Planned};
use rusqlite::Connection;

use crate::hosts::{self};
use crate::shop::{Shop, changes};

/// Two tenants, 'north' and 'south', in one database. Client 9 belongs to both.
const SQL: &str = "
    CREATE TABLE clients (id INTEGER PRIMARY KEY, club TEXT NOT NULL, clubs TEXT, name TEXT, helper INTEGER REFERENCES clients);
    CREATE TABLE follows (id INTEGER PRIMARY KEY, client INTEGER NOT NULL REFERENCES clients,
        target INTEGER NOT NULL REFERENCES clients, why TEXT);
    CREATE TABLE photos (id INTEGER PRIMARY KEY, client INTEGER NOT NULL REFERENCES clients, title TEXT);
    CREATE TABLE likes (id INTEGER PRIMARY KEY, client INTEGER NOT NULL REFERENCES clients,
        photo INTEGER NOT NULL REFERENCES photos, why TEXT);
    CREATE TABLE stars (like_id INTEGER NOT NULL REFERENCES likes, id INTEGER PRIMARY KEY, why TEXT);
    CREATE TABLE pages (id INTEGER PRIMARY KEY, client INTEGER NOT NULL REFERENCES clients, editor INTEGER REFERENCES clients,
        editor_nick TEXT, cover INTEGER REFERENCES photos);
    INSERT INTO clients VALUES (1, 'north', NULL, 'Vigdis', NULL), (2, 'north', NULL, 'Bo', NULL), (3, 'south', NULL, 'Runa', NULL),
        (9, 'north', '[\"north\", \"south\"]', 'Una', NULL);";

const MAP: &str = "[customers]\ntable = 'clients'\nkey = 'id'\ntenant = 'club'\ntenants = 'clubs'\n\
    deactivate = { none = 'no status' }\nends = { helper = 'clear' }\nfields = { name = 'name' }\n\
    [records.follow]\ntable = 'follows'\nowner = 'client'\nends = { target = 'goes' }\nfields = { why = 'free_text' }\n\
    [records.photo]\ntable = 'photos'\nowner = 'client'\nfields = { title = 'free_text' }\n\
    [records.like]\ntable = 'likes'\nowner = 'client'\nends = { photo = 'goes' }\nfields = { why = 'free_text' }\n\
    [records.star]\ntable = 'stars'\nowner = 'like_id'\nfields = { why = 'free_text' }\n\
    [records.page]\ntable = 'pages'\nowner = 'client'\nends = { editor = 'clear', cover = 'clear' }\n\
    fields = { editor_nick = { kind = 'username', of = 'editor' } }\n";

const DELETE: &str = "customer = 'delete'\nfollow = 'delete'\nphoto = 'delete'\nlike = 'delete'\nstar = 'delete'\npage = 'delete'\n";
const ANONYMISE: &str = "customer = 'anonymise'\nfollow = 'delete'\nphoto = 'anonymise'\nlike = 'delete'\nstar = 'delete'\npage = 'anonymise'\n";

fn shop(rows: &str, treatment: &str) -> Shop {
    Shop::new(&format!("{SQL}{rows}"), MAP, treatment)
}

async fn erased(engine: &Engine, customer: &str) -> Outcome {
    let plan = hosts::plan(engine, &customer.into(), &Asked::request()).await;
    let tenants = ["north", "south"].map(Into::into);
    let approval =
        relinquish::Approval::new("op-1", tenants, plan.digest(), hosts::now(), chrono::TimeDelta::hours(1));
    engine.erase(plan.approve(approval).unwrap()).await.unwrap()
}

/// A former bug: records of another tenant's customer were deleted because their link led to the customer, although
/// the mandate did not cover that tenant.
#[tokio::test]
async fn a_customer_who_reaches_records_of_another_tenant_is_blocked() {
    let cases = [
        (
            "a record that goes along",
            DELETE,
            "follow",
            "target",
            "INSERT INTO follows VALUES (1, 3, 1, 'x'), (2, 3, 1, 'x');",
            2,
        ),
        (
            "and where the customer stays",
            ANONYMISE,
            "follow",
            "target",
            "INSERT INTO follows VALUES (1, 3, 1, 'x');",
            1,
        ),
        (
            "one that goes with a record",
            DELETE,
            "like",
            "photo",
            "INSERT INTO photos VALUES (1, 1, 'a'); INSERT INTO likes VALUES (1, 3, 1, 'x'); INSERT INTO stars VALUES (1, 1, 'x');",
            1,
        ),
        (
            "a link to the customer",
            DELETE,
            "customer",
            "helper",
            "UPDATE clients SET helper = 1 WHERE id = 3;",
            1,
        ),
        (
            "a link to a record",
            DELETE,
            "page",
            "cover",
            "INSERT INTO photos VALUES (1, 1, 'a'); INSERT INTO pages VALUES (1, 3, NULL, NULL, 1);",
            1,
        ),
        ("a field", ANONYMISE, "page", "editor", "INSERT INTO pages VALUES (1, 3, 1, 'vig', NULL);", 1),
    ];
    for (what, treatment, class, link, rows, count) in cases {
        let shop = shop(rows, treatment);
        let before = shop.cells();
        let engine = shop.engine();
        let planned = engine.plan(&"1".into(), &Asked::request()).await;
        let Err(Error::Store(error @ StoreError::OtherTenant { .. })) = planned else {
            panic!("{what}: {planned:?}")
        };
        let StoreError::OtherTenant { class: at, link: over, rows } = &error else { unreachable!() };
        assert_eq!((at.as_str(), over.as_str(), *rows), (class, link, count), "{what}");
        let text = error.to_string();
        assert!(
            text.contains(&format!("{class}.{link}")) && text.contains("customers.tenants"),
            "{what}: {text}"
        );
        assert!(changes(&before, &shop.cells()).is_empty(), "{what}");
        // Nobody else is blocked.
        assert!(matches!(erased(&engine, "2").await, Outcome::Erased(_)), "{what}");
        // If the other tenant's customer leaves first, nothing forbids the erasure.
        assert!(matches!(erased(&engine, "3").await, Outcome::Erased(_)), "{what}");
        if treatment == DELETE {
            assert!(matches!(erased(&engine, "1").await, Outcome::Erased(_)), "{what}");
        }
    }
}

/// Records that were added after the approval block the case, and nothing of the customer is touched.
#[tokio::test]
async fn a_record_of_another_tenant_that_came_in_since_blocks_the_case() {
    let shop = shop("INSERT INTO follows VALUES (1, 2, 1, 'x');", DELETE);
    let engine = shop.engine();
    let plan = hosts::plan(&engine, &"1".into(), &Asked::request()).await;
    let plan = plan.clone().approve(approval_of(&plan, &["north"])).unwrap();
    Connection::open(shop.path()).unwrap().execute("INSERT INTO follows VALUES (2, 3, 1, 'x')", []).unwrap();
    let before = shop.cells();
    let outcome = engine.erase(plan).await.unwrap().to_string();
    assert!(
        outcome.contains("belongs to customers of another tenant") && outcome.contains("follow.target"),
        "{outcome}"
    );
    assert!(changes(&before, &shop.cells()).is_empty());
}

fn approval_of(plan: &relinquish::Plan, tenants: &[&str]) -> relinquish::Approval {
    let tenants = tenants.iter().map(|tenant| (*tenant).into());
    relinquish::Approval::new("op-1", tenants, plan.digest(), hosts::now(), chrono::TimeDelta::hours(1))
}

/// The correction that the error names: if the map names the other tenant, the approval has to cover this tenant, and
/// then the record is deleted.
#[tokio::test]
async fn a_mandate_for_both_tenants_covers_the_records_of_both() {
    let rows = "INSERT INTO follows VALUES (1, 3, 9, 'x'), (2, 2, 9, 'x'), (3, 3, 2, 'x');";
    let shop = shop(rows, DELETE);
    let engine = shop.engine();
    let plan = hosts::plan(&engine, &"9".into(), &Asked::request()).await;
    assert!(plan.clone().approve(approval_of(&plan, &["north"])).is_err());
    let before = shop.cells();
    assert!(matches!(erased(&engine, "9").await, Outcome::Erased(_)));
    let gone: Vec<String> = changes(&before, &shop.cells()).into_iter().collect();
    assert_eq!(gone, ["- clients[9]", "- follows[1]", "- follows[2]"]);
}

/// A record that a customer shares with another tenant's customer also belongs to this customer.
#[tokio::test]
async fn a_record_that_both_have_blocks_nobody() {
    let sql = "
        CREATE TABLE clients (id INTEGER PRIMARY KEY, club TEXT NOT NULL, name TEXT);
        CREATE TABLE mails (id INTEGER PRIMARY KEY, sender INTEGER REFERENCES clients, reader INTEGER REFERENCES clients, body TEXT);
        INSERT INTO clients VALUES (1, 'north', 'Vigdis'), (2, 'south', 'Bo');
        INSERT INTO mails VALUES (1, 1, 2, 'x');";
    let map = "[customers]\ntable = 'clients'\nkey = 'id'\ntenant = 'club'\ndeactivate = { none = 'no status' }\n\
        fields = { name = 'name' }\n[records.mail]\ntable = 'mails'\nshared = ['sender', 'reader']\n\
        ends = { sender = 'clear', reader = 'clear' }\nfields = { body = 'free_text' }\n";
    let shop = Shop::new(sql, map, "customer = 'delete'\nmail = 'delete'\n");
    let engine = shop.engine();
    let before = shop.cells();
    assert!(matches!(erased(&engine, "1").await, Outcome::Erased(_)));
    assert_eq!(
        changes(&before, &shop.cells()).into_iter().collect::<Vec<_>>(),
        ["- clients[1]", "mails[1].sender"]
    );
    assert!(matches!(engine.plan(&"2".into(), &Asked::request()).await.unwrap(), Planned::Plan(_)));
}

/// A guest's row of one tenant was erased with the customer of another tenant who has the same address.
#[tokio::test]
async fn a_value_is_compared_within_the_tenant_that_the_row_names() {
    let sql = "CREATE TABLE clients (id INTEGER PRIMARY KEY, club TEXT NOT NULL, email TEXT);
         CREATE TABLE letters (id INTEGER PRIMARY KEY, club TEXT NOT NULL, email TEXT, note TEXT);
         CREATE TABLE prizes (id INTEGER PRIMARY KEY, email TEXT, note TEXT);
         INSERT INTO clients VALUES (1, 'north', 'Vigdis@x.org'), (2, 'south', 'bo@x.org'), (3, 'south', 'runa@x.org');
         INSERT INTO letters VALUES (1, 'south', 'vigdis@x.org', 'a'), (2, 'north', 'vigdis@X.org', 'b'), (3, 'north', 'bo@x.org', 'c'),
             (4, 'south', 'bo@x.org', 'd');
         INSERT INTO prizes VALUES (1, 'bo@x.org', 'x');";
    let map = |tenant: &str, owner: &str, more: &str| {
        format!(
            "[customers]\ntable = 'clients'\nkey = 'id'\n{tenant}deactivate = {{ none = 'no status' }}\n\
             fields = {{ email = 'email' {more} }}\n[records.letter]\ntable = 'letters'\nowner = {owner}\nnobody = 'of guests'\n\
             rest = 'not personal'\nfields.note = 'free_text'\nfields.email = 'email'\n[records.prize]\ntable = 'prizes'\n\
             owner = {{ column = 'email', to = 'customer.email' }}\nnobody = 'of guests'\nfields.note = 'free_text'\nfields.email = 'email'\n"
        )
    };
    let alone = "{ column = 'email', to = 'customer.email', compare = 'nocase' }";
    let treatment = "customer = 'anonymise'\nletter = 'delete'\nprize = 'delete'\n";
    let said = Shop::new(sql, &map("tenant = 'club'\n", alone, ""), treatment).refused();
    let way_out = "{ column = [\"club\", \"email\"], table = \"clients\", key = [\"club\", \"email\"], compare = \"nocase\" }";
    for part in ["records.letter.owner", "letters.club says of which tenant a row is", way_out] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(!said.contains("prize"), "a row that names no tenant cannot be compared so: {said}");
    // The way out works.
    for (customer, gone) in [
        ("1", vec!["- letters[2]", "clients[1].email"]),
        ("2", vec!["- letters[4]", "- prizes[1]", "clients[2].email"]),
    ] {
        let shop = Shop::new(sql, &map("tenant = 'club'\n", way_out, ""), treatment);
        let notes: Vec<String> = shop.store().unwrap().notes().iter().map(ToString::to_string).collect();
        assert!(
            notes
                .iter()
                .any(|note| note
                    .starts_with("prize.email: compares the value with the customers of every tenant")),
            "{notes:?}"
        );
        assert!(
            !notes.iter().any(|note| note.starts_with("letter.") && note.contains("every tenant")),
            "{notes:?}"
        );
        let before = shop.cells();
        erased(&shop.engine(), customer).await;
        assert_eq!(Vec::from_iter(changes(&before, &shop.cells())), gone);
    }
    // One tenant only: nothing to compare.
    Shop::new(sql, &map("tenant = { is = 'here' }\n", alone, ", club = 'not personal'"), treatment)
        .store()
        .unwrap();
}

/// A key with the tenant in it stays in the tenant when it is handed over, and no index can refuse that. The check refused
/// it, and its way out would have deleted other people's records.
#[tokio::test]
async fn a_key_with_the_tenant_is_handed_over_within_the_tenant() {
    const ORDERS: &str =
        "INSERT INTO orders VALUES ('north', 1, 1, 2, 'a'), ('north', 2, 2, 1, 'b'), ('north', 3, 1, 1, 'c'),
        ('south', 1, 1, 1, 'd');";
    let sql = |unique: &str| {
        format!(
            "CREATE TABLE clients (club TEXT NOT NULL, id INTEGER NOT NULL, name TEXT, PRIMARY KEY (club, id));
             CREATE TABLE orders (club TEXT NOT NULL, id INTEGER NOT NULL, client INTEGER NOT NULL, seller INTEGER NOT NULL, note TEXT,
                 PRIMARY KEY (club, id), FOREIGN KEY (club, client) REFERENCES clients, FOREIGN KEY (club, seller) REFERENCES clients{unique});
             INSERT INTO clients VALUES ('north', 1, 'Vigdis'), ('north', 0, 'Unknown'), ('south', 1, 'Bo'), ('south', 0, 'Unknown'), ('north', 2, 'Una');
             {}",
            if unique.is_empty() { ORDERS } else { "" }
        )
    };
    let map = "[customers]\ntable = 'clients'\nkey = ['club', 'id']\ntenant = 'club'\ndeactivate = { none = 'no status' }\n\
         unknown_customer = { find = { name = 'Unknown' }, create = { id = 0 } }\nfields = { name = 'name', club = 'not personal' }\n\
         [records.order]\ntable = 'orders'\nkey = ['club', 'id']\nowner = [['club', 'client']]\nends = { 'club+seller' = 'stand-in' }\n\
         fields = { note = 'free_text' }\n";
    let treatment = "customer = 'delete'\norder = 'reassign'\n";
    let shop = Shop::new(&sql(""), map, treatment);
    let before = shop.cells();
    let outcome = erased(&shop.engine(), "north:1").await;
    assert!(matches!(outcome, Outcome::Erased(_)), "{outcome}");
    let changed = [
        "- clients[north,1]",
        "orders[north,1].client",
        "orders[north,1].note",
        "orders[north,2].seller",
        "orders[north,3].client",
        "orders[north,3].note",
        "orders[north,3].seller",
    ];
    assert_eq!(Vec::from_iter(changes(&before, &shop.cells())), changed);
    // An index over the column that does change refuses as before.
    let said = Shop::new(&sql(", UNIQUE (club, client)"), map, treatment).policy_refused();
    assert!(said.contains("UNIQUE (club, client) leaves the \"Unknown Customer\" one record"), "{said}");
    let said = Shop::new(&sql(", UNIQUE (club, seller)"), map, treatment).policy_refused();
    assert!(said.contains("UNIQUE (club, seller) refuses a second such record"), "{said}");
}

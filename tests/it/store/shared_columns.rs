//! Links of several columns that share a column, as where each table has the tenant's column: what one link loses must
//! not take the others with it.

use relinquish::{Approval, Asked, Outcome};

use crate::hosts;
use crate::shop::{Shop, changes};

/// The tables, with or without foreign keys.
fn sql(keys: &str) -> String {
    format!(
        "CREATE TABLE people (club INTEGER, id INTEGER, name TEXT, PRIMARY KEY (club, id));
         CREATE TABLE notes (id INTEGER PRIMARY KEY, club INTEGER, author INTEGER, editor INTEGER, editor_name TEXT, body TEXT{keys});
         INSERT INTO people VALUES (1, 1, 'Anna'), (1, 2, 'Bo'), (1, 3, 'Cid'), (2, 1, 'Dag');
         INSERT INTO notes VALUES (1, 1, 2, 1, 'Anna', 'by Bo'), (2, 1, 1, 2, 'Bo', 'by Anna'), (3, 1, 3, 3, 'Cid', 'by Cid'),
             (4, 2, 1, NULL, NULL, 'by Dag');"
    )
}

const KEYS: &str = ", FOREIGN KEY (club, author) REFERENCES people, \
    FOREIGN KEY (club, editor) REFERENCES people ON DELETE SET NULL";

const MAP: &str = "[customers]\ntable = 'people'\nkey = ['club', 'id']\ntenant = 'club'\ndeactivate = { none = 'no status' }\n\
    fields = { name = 'name' }\n[records.note]\ntable = 'notes'\nnobody = 'found'\n";

fn fields(of: &str) -> String {
    format!(
        "fields = {{ club = 'not personal', editor_name = {{ kind = 'name', of = '{of}' }}, body = 'free_text' }}\n"
    )
}

async fn erase(shop: &Shop, customer: &str) {
    let engine = shop.engine();
    let plan = hosts::plan(&engine, &customer.into(), &Asked::request()).await;
    let tenants = ["1", "2"].map(Into::into);
    let approval =
        Approval::new("op-1", tenants, plan.digest(), hosts::now(), chrono::TimeDelta::hours(1));
    let outcome = engine.erase(plan.approve(approval).unwrap()).await.unwrap();
    assert!(matches!(outcome, Outcome::Erased(_)), "{customer}: {outcome:?}");
}

/// The bug: NULL was written to every column of the link, also to the tenant's. The note had no author from then on, and
/// stayed when the author was erased, under a certificate that said "erased".
#[tokio::test]
async fn a_cleared_link_leaves_the_columns_of_other_links() {
    let owned = format!(
        "{MAP}owner = [['club', 'author']]\nends = {{ 'club+editor' = 'clear' }}\n{}",
        fields("club+editor")
    );
    let shared = format!(
        "{MAP}shared = [['club', 'author'], ['club', 'editor']]\n\
         ends = {{ 'club+author' = 'clear', 'club+editor' = 'clear' }}\n{}",
        fields("club+editor")
    );
    for (map, what) in [(owned, "an end beside the owner"), (shared, "two owners")] {
        let shop = Shop::new(&sql(KEYS), &map, "customer = 'delete'\nnote = 'delete'\n");
        let before = shop.cells();
        erase(&shop, "[1,1]").await;
        let changed = changes(&before, &shop.cells());
        assert!(changed.iter().any(|cell| cell == "notes[1].editor"), "{what}: {changed:?}");
        assert!(!changed.iter().any(|cell| cell == "notes[1].club"), "{what}: {changed:?}");
        erase(&shop, "[1,2]").await;
        let left = format!("{:?}", shop.cells());
        assert!(!left.contains("by Bo") && !left.contains("by Anna"), "{what}: {left}");
        assert!(left.contains("by Cid") && left.contains("by Dag"), "{what}: {left}");
    }
}

/// The same with a value that means nobody: the note moved to another tenant.
#[tokio::test]
async fn a_value_for_nobody_is_not_written_to_the_columns_of_other_links() {
    let map = format!(
        "{MAP}owner = {{ column = ['club', 'author'], to = 'customer' }}\n\
         ends = {{ editor = {{ column = ['club', 'editor'], to = 'customer', none = 0, gone = {{ clear = 0 }} }} }}\n{}",
        fields("editor")
    );
    let shop = Shop::new(&sql(""), &map, "customer = 'delete'\nnote = 'delete'\n");
    let before = shop.cells();
    erase(&shop, "[1,1]").await;
    let changed = changes(&before, &shop.cells());
    assert!(changed.iter().any(|cell| cell == "notes[1].editor"), "{changed:?}");
    assert!(!changed.iter().any(|cell| cell == "notes[1].club"), "{changed:?}");
}

/// Where every column of a link also says whose the record is, there is nothing to clear.
#[test]
fn a_link_without_a_column_of_its_own_cannot_be_cleared() {
    let sql = "CREATE TABLE people (club INTEGER, id INTEGER, name TEXT, PRIMARY KEY (club, id));
        CREATE TABLE places (id INTEGER PRIMARY KEY, club INTEGER, owner INTEGER, street TEXT,
            FOREIGN KEY (club, owner) REFERENCES people);
        CREATE TABLE notes (id INTEGER PRIMARY KEY, club INTEGER, author INTEGER, body TEXT,
            FOREIGN KEY (club, author) REFERENCES people, FOREIGN KEY (author) REFERENCES places);";
    let map = format!(
        "{MAP}owner = [['club', 'author']]\nends = {{ author = 'clear' }}\n\
         fields = {{ club = 'not personal', body = 'free_text' }}\n\
         [records.place]\ntable = 'places'\nnobody = 'found'\nowner = [['club', 'owner']]\n\
         fields = {{ club = 'not personal', street = 'address' }}\n"
    );
    let said = Shop::new(sql, &map, "customer = 'delete'\nnote = 'delete'\nplace = 'delete'\n").refused();
    assert!(said.contains("records.note.ends.author: cannot be cleared"), "{said}");
    assert!(said.contains("also leads to whoever has it; write \"stand-in\""), "{said}");
}

/// The bug: a foreign key to `UNIQUE (club, id)` was taken for a link by value, because the customers' key is `id` alone.
/// So `ends` was not carried out, and each case was blocked for good after its approval.
#[tokio::test]
async fn a_key_with_the_tenant_beside_it_is_a_key() {
    let sql = "CREATE TABLE people (id INTEGER PRIMARY KEY, club INTEGER NOT NULL, name TEXT, UNIQUE (club, id));
        CREATE TABLE tasks (id INTEGER PRIMARY KEY, club INTEGER NOT NULL, author INTEGER NOT NULL, helper INTEGER, body TEXT,
            FOREIGN KEY (club, author) REFERENCES people (club, id), FOREIGN KEY (club, helper) REFERENCES people (club, id));
        INSERT INTO people VALUES (1, 7, 'Anna'), (2, 7, 'Bo'), (3, 8, 'Cid');
        INSERT INTO tasks VALUES (1, 7, 2, 1, 'of Bo'), (2, 7, 1, 2, 'of Anna'), (3, 8, 3, 3, 'of Cid');";
    let map = "[customers]\ntable = 'people'\nkey = 'id'\ntenant = 'club'\ndeactivate = { none = 'no status' }\n\
        fields = { name = 'name' }\n[records.task]\ntable = 'tasks'\nowner = [['club', 'author']]\n\
        ends = { 'club+helper' = 'clear' }\nfields = { club = 'not personal', body = 'free_text' }\n";
    for (treatment, left) in [
        ("customer = 'delete'\ntask = 'delete'\n", vec!["tasks[1].helper", "tasks[2]"]),
        ("customer = 'anonymise'\ntask = 'anonymise'\n", vec!["tasks[2].body"]),
    ] {
        let shop = Shop::new(sql, map, treatment);
        let before = shop.cells();
        let engine = shop.engine();
        let plan = hosts::plan(&engine, &"1".into(), &Asked::request()).await;
        let approval =
            Approval::new("op-1", ["7".into()], plan.digest(), hosts::now(), chrono::TimeDelta::hours(1));
        let outcome = engine.erase(plan.approve(approval).unwrap()).await.unwrap();
        assert!(matches!(outcome, Outcome::Erased(_)), "{treatment}: {outcome:?}");
        let changed = changes(&before, &shop.cells());
        for cell in left {
            assert!(changed.iter().any(|changed| changed.starts_with(cell)), "{treatment}: {cell}: {changed:?}");
        }
        assert!(!changed.iter().any(|cell| cell.contains("[3]") || cell.contains("tasks[1].body")), "{changed:?}");
    }
}

/// The bug: a foreign key to another value of a customer passed the check with a random token, which no row has. Each case
/// was blocked for good after its approval.
#[test]
fn a_foreign_key_to_a_value_takes_nothing_but_null() {
    let sql = "CREATE TABLE people (id INTEGER PRIMARY KEY, nick TEXT UNIQUE, name TEXT);
        CREATE TABLE pages (id INTEGER PRIMARY KEY, author INTEGER REFERENCES people, editor TEXT REFERENCES people (nick), body TEXT);";
    let map = "[customers]\ntable = 'people'\nkey = 'id'\ntenant = { is = 'here' }\ndeactivate = { none = 'no status' }\n\
        fields = { nick = 'username', name = 'name' }\n[records.page]\ntable = 'pages'\nowner = 'author'\n\
        ends = { editor = 'clear' }\nfields = { editor = 'username', body = 'free_text' }\n";
    let said = Shop::new(sql, map, "customer = 'anonymise'\npage = 'anonymise'\n").policy_refused();
    assert!(said.contains("page.editor: is a foreign key to a value of customer"), "{said}");
    assert!(said.contains("write fields = { editor = \"clear\" }"), "{said}");
    let cleared = "customer = 'anonymise'\npage = { action = 'anonymise', fields = { editor = 'clear' } }\n";
    let shop = Shop::new(sql, map, cleared);
    let policy = relinquish::PolicyDocument::from_toml(&shop.policy).unwrap();
    policy.check(shop.store().unwrap().data_map()).unwrap();
}

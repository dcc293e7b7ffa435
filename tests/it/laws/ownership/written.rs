//! A world in the form that a host uses: SQLite tables and rows, a map and a policy in TOML. It also checks the cells
//! after an erasure.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use fastrand::Rng;
use rusqlite::types::Value as Sql;
use rusqlite::{Connection, params_from_iter};

use super::generated::KINDS;
use super::world::{
    Action, CUSTOMERS, Class, Compare, Divided, Gone, Id, KeyForm, Link, Made, OnDelete, Own, Role, Row,
    STAND_IN, Shape, Table, To, Val, When, World,
};

/// The numbers of the rows that no class claims.
const UNCLAIMED: [u32; 2] = [80, 81];

/// A shape as a schema in SQL, a map and a policy.
#[derive(Clone, Debug)]
pub(super) struct Written {
    pub(super) schema: String,
    pub(super) map: String,
    pub(super) policy: String,
}

/// Every cell of a database: by table and number of the row, then by column.
pub(super) type Cells = BTreeMap<(usize, u32), BTreeMap<String, Sql>>;

const POLICY: &str = r#"version = 1
sweep = true
[triggers]
requested = { treatment = "x" }
[guards]
active_subscription = { ignore = "none" }
several_tenants = { ignore = "one" }
not_archived = { ignore = "none" }
"#;

/// What is written over names and addresses. A customer's own record must show that the customer has left: by a
/// placeholder, by a token, or by both.
const SIGNS: [&str; 3] = [
    "name = { placeholder = \"Anonymised {date}\" }\nemail = \"token\"\n",
    "name = { placeholder = \"Anonymised {date}\" }\nemail = \"remove\"\n",
    "name = \"remove\"\nemail = \"token\"\n",
];

/// Writes a shape. The same shape can be written in several ways, and `rng` chooses one.
pub(super) fn written(rng: &mut Rng, shape: &Shape) -> Written {
    Written { schema: schema(rng, shape), map: map(rng, shape), policy: policy(rng, shape) }
}

pub(super) fn key_columns(table: &Table) -> Vec<&'static str> {
    match table.key {
        KeyForm::Pair => vec!["part", "code"],
        KeyForm::Rowid => Vec::new(),
        _ => vec!["id"],
    }
}

/// The columns of a link. It has two if it leads to a key of two columns.
fn columns(shape: &Shape, link: &Link) -> Vec<String> {
    if link.value.is_none() && shape.tables[link.to].key == KeyForm::Pair {
        vec![format!("{}_part", link.name), format!("{}_code", link.name)]
    } else {
        vec![link.name.clone()]
    }
}

fn types(key: KeyForm) -> &'static [&'static str] {
    match key {
        KeyForm::Integer | KeyForm::Rowid => &["INTEGER"],
        KeyForm::Text => &["TEXT"],
        KeyForm::Bytes => &["BLOB"],
        KeyForm::Pair => &["INTEGER", "TEXT"],
    }
}

pub(super) fn key(table: &Table, n: u32) -> Vec<Sql> {
    match table.key {
        KeyForm::Integer | KeyForm::Rowid => vec![Sql::Integer(i64::from(n) + 10)],
        KeyForm::Text => vec![Sql::Text(format!("{}-{n}", table.name))],
        KeyForm::Bytes => {
            let mut bytes = vec![0x5a; 16];
            bytes[15] = u8::try_from(n).unwrap();
            vec![Sql::Blob(bytes)]
        }
        KeyForm::Pair => vec![Sql::Integer(i64::from(n % 2)), Sql::Text(format!("no-{}", n / 2))],
    }
}

/// The links of all classes of a table. Each column appears once.
fn links_of<'s>(shape: &'s Shape, table: &Table) -> Vec<&'s Link> {
    let mut seen = BTreeSet::new();
    let links = table.classes.iter().flat_map(|class| &shape.classes[*class].links);
    links.filter(|link| seen.insert(link.name.as_str())).collect()
}

fn schema(rng: &mut Rng, shape: &Shape) -> String {
    let mut sql = String::new();
    for (t, table) in shape.tables.iter().enumerate() {
        let mut lines: Vec<String> = match table.key {
            KeyForm::Integer => vec!["id INTEGER PRIMARY KEY".to_owned()],
            KeyForm::Text => vec!["id TEXT NOT NULL PRIMARY KEY".to_owned()],
            KeyForm::Bytes => vec!["id BLOB NOT NULL DEFAULT (randomblob(16)) PRIMARY KEY".to_owned()],
            KeyForm::Pair => vec!["part INTEGER NOT NULL".to_owned(), "code TEXT NOT NULL".to_owned()],
            KeyForm::Rowid => Vec::new(),
        };
        if t == CUSTOMERS {
            lines.extend(["joined TEXT".to_owned(), "is_unknown INTEGER NOT NULL DEFAULT 0".to_owned()]);
        }
        if table.divided == Divided::ByKind {
            lines.push("kind TEXT".to_owned());
        }
        if table.classes.iter().any(|class| shape.is_dated(*class)) {
            lines.push("made_on TEXT".to_owned());
        }
        let fields: BTreeSet<&str> = table
            .classes
            .iter()
            .flat_map(|class| &shape.classes[*class].fields)
            .map(|field| field.column.as_str())
            .collect();
        lines.extend(fields.into_iter().map(|field| format!("{field} TEXT")));
        let mut keys = Vec::new();
        let mut indexes = String::new();
        for link in links_of(shape, table) {
            let to = &shape.tables[link.to];
            let text = link.value.is_some() || link.as_text;
            let types = if text { &["TEXT"] } else { types(to.key) };
            let columns = columns(shape, link);
            let null = if link.nullable { "" } else { " NOT NULL" };
            lines.extend(columns.iter().zip(types).map(|(column, kind)| format!("{column} {kind}{null}")));
            let list = columns.join(", ");
            if let Some(on_delete) = link.foreign_key {
                let on_delete = match on_delete {
                    OnDelete::Nothing => "",
                    OnDelete::Restrict => " ON DELETE RESTRICT",
                    OnDelete::Cascade => " ON DELETE CASCADE",
                    OnDelete::SetNull => " ON DELETE SET NULL",
                };
                let key = key_columns(to).join(", ");
                keys.push(format!("FOREIGN KEY ({list}) REFERENCES {} ({key}){on_delete}", to.name));
            }
            if rng.bool() {
                writeln!(indexes, "CREATE INDEX {}_{} ON {} ({list});", table.name, link.name, table.name)
                    .unwrap();
            }
        }
        lines.extend(keys);
        if table.key == KeyForm::Pair {
            lines.push("PRIMARY KEY (part, code)".to_owned());
        }
        let without = if table.without_rowid { " WITHOUT ROWID" } else { "" };
        writeln!(sql, "CREATE TABLE {} (\n  {}\n){without};\n{indexes}", table.name, lines.join(",\n  "))
            .unwrap();
    }
    sql
}

fn list(items: &[String]) -> String {
    let items: Vec<String> = items.iter().map(|item| format!("\"{item}\"")).collect();
    items.join(", ")
}

fn gone(gone: Gone) -> &'static str {
    match gone {
        Gone::Goes => "\"goes\"",
        Gone::Same => "\"same\"",
        Gone::Clear => "\"clear\"",
        Gone::StandIn => "\"stand-in\"",
        Gone::Keep => "{ keep = \"it shows nothing\" }",
    }
}

/// How the map describes where a link without a foreign key leads.
fn leads(shape: &Shape, link: &Link) -> Option<String> {
    if let Some(compare) = link.value {
        let compare = match compare {
            Compare::Exact => "exact",
            Compare::NoCase => "nocase",
            Compare::Normalised => "normalised",
        };
        return Some(format!("to = \"customer.email\", compare = \"{compare}\""));
    }
    if link.foreign_key.is_some() {
        return None;
    }
    let to = &shape.tables[link.to];
    // A link to a class leads only to the rows of that class. If several classes divide a table, a link to the table
    // leads to all its rows.
    let mut leads = match (to.classes.as_slice(), key_columns(to).as_slice()) {
        ([class], _) => format!("to = \"{}\"", shape.classes[*class].name),
        (_, [key]) => format!("table = \"{}\", key = \"{key}\"", to.name),
        (_, []) => format!("table = \"{}\", key = \"rowid\"", to.name),
        (_, keys) => {
            let keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
            format!("table = \"{}\", key = [{}]", to.name, list(&keys))
        }
    };
    if link.as_text {
        leads.push_str(", compare = \"text\"");
    }
    if link.none {
        leads.push_str(if to.key == KeyForm::Integer { ", none = 0" } else { ", none = \"\"" });
    }
    Some(leads)
}

/// A link as a class names it: only by its name, or with its full description.
fn named(shape: &Shape, link: &Link) -> String {
    match leads(shape, link) {
        Some(leads) if !link.named => format!("{{ column = \"{}\", {leads} }}", link.name),
        _ => format!("\"{}\"", link.name),
    }
}

/// The links that the map gives a name, under `links`.
fn links(shape: &Shape) -> String {
    let mut text = String::new();
    let mut seen = BTreeSet::new();
    for (_, _, link) in shape.links().filter(|(_, _, link)| link.named) {
        let columns = columns(shape, link);
        let column = match columns.as_slice() {
            [column] => format!("\"{column}\""),
            several => format!("[{}]", list(several)),
        };
        let leads = leads(shape, link).map_or(String::new(), |leads| format!(", {leads}"));
        if seen.insert(&link.name) {
            writeln!(text, "{} = {{ column = {column}{leads} }}", link.name).unwrap();
        }
    }
    if text.is_empty() { text } else { format!("[links]\n{text}") }
}

/// Whether the map may leave out the end, because it is the default.
fn is_understood(shape: &Shape, link: &Link) -> bool {
    let by_schema = matches!(
        (link.gone, link.foreign_key),
        (Some(Gone::Goes), Some(OnDelete::Cascade)) | (Some(Gone::Clear), Some(OnDelete::SetNull))
    );
    let by_shared = link.gone == Some(Gone::Clear)
        && link.nullable
        && link.foreign_key.is_some()
        && !link.hangs.is_empty()
        && !shape.ends_by_schema;
    link.role == Role::End && ((by_schema && shape.ends_by_schema) || by_shared)
}

fn ends(rng: &mut Rng, shape: &Shape, class: &Class) -> String {
    let mut ends = Vec::new();
    for link in &class.links {
        let Some(end) = link.gone else { continue };
        if is_understood(shape, link) && rng.bool() {
            continue;
        }
        let end = match leads(shape, link) {
            Some(leads) if link.role == Role::End && !link.named => {
                format!("{{ {leads}, gone = {} }}", gone(end))
            }
            _ => gone(end).to_owned(),
        };
        ends.push(format!("{} = {end}", link.name));
    }
    if ends.is_empty() { String::new() } else { format!("ends = {{ {} }}\n", ends.join(", ")) }
}

/// The column by which a table is divided into classes.
fn dividing(table: &Table) -> String {
    match &table.divided {
        Divided::ByLink(link) if table.key == KeyForm::Pair => format!("{link}_part"),
        Divided::ByLink(link) => link.clone(),
        _ => "kind".to_owned(),
    }
}

fn when(shape: &Shape, class: &Class) -> String {
    let table = &shape.tables[class.table];
    let column = dividing(table);
    let condition = match &class.when {
        When::Always => return String::new(),
        When::Rest => return "when = \"rest\"\n".to_owned(),
        When::Is(kinds) if kinds.len() == 1 => format!("\"{}\"", kinds[0]),
        When::Is(kinds) => format!("[{}]", list(&kinds.iter().map(ToString::to_string).collect::<Vec<_>>())),
        When::Not(kind) => format!("{{ not = \"{kind}\" }}"),
        When::Null => "{ null = true }".to_owned(),
        When::NotNull => "{ null = false }".to_owned(),
    };
    format!("when = {{ {column} = {condition} }}\n")
}

fn fields(shape: &Shape, c: usize, class: &Class) -> String {
    let mut fields: Vec<String> = class
        .fields
        .iter()
        .map(|field| match field.of {
            None => format!("{} = \"{}\"", field.column, field.kind),
            Some(of) => {
                let of = &class.links[of].name;
                format!("{} = {{ kind = \"{}\", of = \"{of}\" }}", field.column, field.kind)
            }
        })
        .collect();
    let values = class.links.iter().filter(|link| link.value.is_some());
    fields.extend(values.map(|link| format!("{} = \"email\"", link.name)));
    if shape.is_dated(c) {
        fields.push("made_on = \"not personal\"".to_owned());
    }
    // A text key has to be classified like any other text.
    let key = match shape.tables[class.table].key {
        KeyForm::Text => Some("id"),
        KeyForm::Pair => Some("code"),
        _ => None,
    };
    fields.extend(key.map(|key| format!("{key} = \"not personal\"")));
    format!("fields = {{ {} }}\nrest = \"not personal\"\n", fields.join(", "))
}

fn owner(shape: &Shape, c: usize, class: &Class) -> String {
    let of = |role| class.links.iter().filter(move |link| link.role == role);
    let owners: Vec<String> = of(Role::Owner).map(|link| named(shape, link)).collect();
    let mut text = match owners.as_slice() {
        [] => String::new(),
        [one] => format!("owner = {one}\n"),
        several => format!("owner = {{ first = [{}] }}\n", several.join(", ")),
    };
    let mut shared: Vec<String> = of(Role::Shared).map(|link| named(shape, link)).collect();
    let by_others = shape.links().filter(|(_, _, link)| link.hangs.contains(&c));
    shared.extend(by_others.map(|(foot, _, link)| format!("\"{}.{}\"", shape.classes[foot].name, link.name)));
    if !shared.is_empty() {
        writeln!(text, "shared = [{}]", shared.join(", ")).unwrap();
    }
    let always = |link: &Link| {
        link.role != Role::End
            && (!link.nullable || matches!(shape.tables[class.table].divided, Divided::ByLink(_)))
            && link.foreign_key.is_some()
    };
    if !class.links.iter().any(always) {
        text.push_str("nobody = \"of people who were never customers\"\n");
    }
    text
}

fn map(rng: &mut Rng, shape: &Shape) -> String {
    let mut map = "version = 1\n".to_owned();
    if shape.ends_by_schema {
        map.push_str("ends = \"schema\"\n");
    }
    let customers = &shape.classes[CUSTOMERS];
    let key = |table: &Table| match key_columns(table).as_slice() {
        [] => "key = \"rowid\"\n".to_owned(),
        [one] => format!("key = \"{one}\"\n"),
        several => {
            format!("key = [{}]\n", list(&several.iter().map(ToString::to_string).collect::<Vec<_>>()))
        }
    };
    map.push_str(&links(shape));
    write!(
        map,
        "[customers]\ntable = \"{}\"\n{}tenant = {{ is = \"here\" }}\nregistered = \"joined\"\n\
         deactivate = {{ none = \"no status\" }}\n{}{}{}",
        shape.tables[0].name,
        key(&shape.tables[0]),
        when(shape, customers),
        ends(rng, shape, customers),
        fields(shape, CUSTOMERS, customers),
    )
    .unwrap();
    if shape.has_stand_in() {
        let mut create = "name = \"nobody\", email = \"nobody@x.org\"".to_owned();
        match shape.tables[0].key {
            KeyForm::Text => create.push_str(", id = \"clients-0\""),
            KeyForm::Pair => create.push_str(", part = 0, code = \"no-0\""),
            _ => {}
        }
        if shape.tables[0].divided == Divided::ByKind {
            create.push_str(", kind = \"a\"");
        }
        writeln!(map, "unknown_customer = {{ find = {{ is_unknown = 1 }}, create = {{ {create} }} }}")
            .unwrap();
    }
    for (c, class) in shape.classes.iter().enumerate().skip(1) {
        let table = &shape.tables[class.table];
        writeln!(map, "[records.{}]", class.name).unwrap();
        if table.name != class.name {
            writeln!(map, "table = \"{}\"", table.name).unwrap();
        }
        if table.key == KeyForm::Rowid || rng.bool() {
            map.push_str(&key(table));
        }
        for part in
            [when(shape, class), owner(shape, c, class), ends(rng, shape, class), fields(shape, c, class)]
        {
            map.push_str(&part);
        }
    }
    for table in shape.tables.iter().filter(|table| table.ignored) {
        writeln!(map, "[ignore]\n{} = {{ rest = \"suppliers and templates\" }}", table.name).unwrap();
    }
    // One `[ignore]` heading is enough for all tables that are partly ignored.
    let (first, rest) = map.split_once("[ignore]\n").unwrap_or((&map, ""));
    if rest.is_empty() { map } else { format!("{first}[ignore]\n{}", rest.replace("[ignore]\n", "")) }
}

fn policy(rng: &mut Rng, shape: &Shape) -> String {
    let other = shape.by_the_other();
    let both = || std::iter::once(shape).chain(&other);
    // Where the address stays, or the treatments write different words, the name has to show who has left.
    let signs = if both().any(|shape| shape.own.keeps_email || shape.own.writes_otherwise) {
        &SIGNS[..2]
    } else {
        &SIGNS[..]
    };
    let signs = signs[rng.usize(0..signs.len())];
    let mut policy = format!("{POLICY}[anonymise]\n{signs}username = \"remove\"\n");
    for (d, duty) in shape.duties.iter().enumerate() {
        let classes: Vec<String> =
            duty.classes.iter().map(|class| shape.classes[*class].name.clone()).collect();
        let needs: Vec<String> = duty
            .needs
            .iter()
            .map(|(class, l)| {
                let class = &shape.classes[*class];
                format!("{}.{}", class.name, class.links[*l].name)
            })
            .collect();
        writeln!(
            policy,
            "[duties.books_{d}]\nclasses = [{}]\nneeds = [{}]\nperiod = \"7 years\"\nstart = \"record_date\"\n\
             law = \"x\"\nground = \"17(3)(b)\"\nfrom = \"made_on\"",
            list(&classes),
            list(&needs)
        )
        .unwrap();
    }
    both().for_each(|shape| policy.push_str(&treatment(shape)));
    policy.push_str("[expire]\n");
    for (c, class) in shape.classes.iter().enumerate().filter(|(c, _)| shape.expires_by_itself(*c)) {
        assert_ne!(c, CUSTOMERS);
        writeln!(policy, "{} = {{ after = \"duty\", action = \"delete\" }}", class.name).unwrap();
    }
    policy
}

fn treatment(shape: &Shape) -> String {
    let mut text = format!("[treatments.{}]\n", shape.treatment);
    for (c, class) in shape.classes.iter().enumerate() {
        let own = if c == CUSTOMERS { shape.own } else { Own::default() };
        let action = match class.action {
            Action::Anonymise if own.keeps_email && own.writes_otherwise => {
                "{ action = \"anonymise\", keep = { email = \"we may write\" }, fields = { name = \"token\" } }"
            }
            Action::Anonymise if own.keeps_email => {
                "{ action = \"anonymise\", keep = { email = \"we may write\" } }"
            }
            Action::Anonymise if own.writes_otherwise => {
                "{ action = \"anonymise\", fields = { name = \"token\" } }"
            }
            Action::Delete => "\"delete\"",
            Action::Anonymise => "\"anonymise\"",
            Action::Keep => "{ keep = \"statistics\" }",
            Action::Reassign { or_delete: false } => "\"reassign\"",
            Action::Reassign { or_delete: true } => "{ action = \"reassign\", else = \"delete\" }",
        };
        writeln!(text, "{} = {action}", class.name).unwrap();
    }
    text
}

/// When a customer joined: by this the facts of a store tell which row they are of.
pub(super) fn joined(n: u32) -> String {
    format!("2020-01-{:02}", n + 1)
}

/// A row as the database holds it.
fn cells(shape: &Shape, id: Id, row: &Row) -> BTreeMap<String, Sql> {
    let class = &shape.classes[id.class];
    let table = &shape.tables[class.table];
    let keys = key_columns(table);
    let mut cells: BTreeMap<String, Sql> =
        keys.into_iter().map(str::to_owned).zip(key(table, id.n)).collect();
    if class.table == 0 {
        cells.insert("joined".to_owned(), Sql::Text(joined(id.n)));
        cells.insert("is_unknown".to_owned(), Sql::Integer(i64::from(id == STAND_IN)));
    }
    if table.divided == Divided::ByKind {
        let kind = row.kind.map_or(Sql::Null, |kind| Sql::Text(kind.to_owned()));
        cells.insert("kind".to_owned(), kind);
    }
    if shape.is_dated(id.class) {
        let day = match row.made {
            Made::LongAgo => Sql::Text("2001-01-01".to_owned()),
            Made::Lately => Sql::Text("2026-03-01".to_owned()),
            Made::Unknown => Sql::Null,
        };
        cells.insert("made_on".to_owned(), day);
    }
    for (field, value) in class.fields.iter().zip(&row.val) {
        if let Val::Text(text) = value {
            cells.insert(field.column.clone(), Sql::Text(text.clone()));
        }
    }
    for (link, to) in class.links.iter().zip(&row.to) {
        cells.extend(link_cells(shape, link, to));
    }
    cells
}

fn link_cells(shape: &Shape, link: &Link, to: &To) -> Vec<(String, Sql)> {
    let columns = columns(shape, link);
    let values = match to {
        To::Row(head) => key(&shape.tables[link.to], head.n),
        To::Nobody => vec![nobody(shape, link)],
        To::Blank => vec![Sql::Text(" ".to_owned())],
        To::Value(value) => vec![Sql::Text(value.clone())],
        To::Nowhere | To::Cleared | To::Erased => vec![Sql::Null; columns.len()],
    };
    let spelled = |value: Sql| match value {
        Sql::Integer(number) if link.as_text => Sql::Text(number.to_string()),
        value => value,
    };
    columns.into_iter().zip(values.into_iter().map(spelled)).collect()
}

/// The value that means nobody.
fn nobody(shape: &Shape, link: &Link) -> Sql {
    if shape.tables[link.to].key == KeyForm::Integer { Sql::Integer(0) } else { Sql::Text(String::new()) }
}

fn insert(connection: &Connection, table: &Table, n: u32, mut cells: BTreeMap<String, Sql>) {
    if table.key == KeyForm::Rowid {
        cells.insert("rowid".to_owned(), key(table, n).remove(0));
    }
    let columns: Vec<&str> = cells.keys().map(String::as_str).collect();
    let marks = vec!["?"; columns.len()].join(", ");
    let sql = format!("INSERT INTO {} ({}) VALUES ({marks})", table.name, columns.join(", "));
    connection.execute(&sql, params_from_iter(cells.values())).unwrap();
}

/// Makes the database of a world.
pub(super) fn create(world: &World, written: &Written, path: &Path) {
    let shape = &world.shape;
    let mut connection = Connection::open(path).unwrap();
    connection.execute_batch("PRAGMA synchronous = OFF; PRAGMA foreign_keys = OFF").unwrap();
    let transaction = connection.transaction().unwrap();
    transaction.execute_batch(&written.schema).unwrap_or_else(|error| panic!("{error}\n{}", written.schema));
    for (id, row) in &world.rows {
        let table = &shape.tables[shape.classes[id.class].table];
        insert(&transaction, table, id.n, cells(shape, *id, row));
    }
    for table in shape.tables.iter().filter(|table| table.ignored) {
        let keys = key_columns(table);
        for n in UNCLAIMED {
            let mut cells: BTreeMap<String, Sql> =
                keys.iter().map(|key| (*key).to_owned()).zip(key(table, n)).collect();
            assert!(!KINDS.contains(&"supplier"));
            cells.insert("kind".to_owned(), Sql::Text("supplier".to_owned()));
            insert(&transaction, table, n, cells);
        }
    }
    transaction.commit().unwrap();
}

/// The statements that set the date of every record so far in the past that no duty keeps the record.
pub(super) fn end_duties(shape: &Shape) -> String {
    let is_dated = |table: &&Table| table.classes.iter().any(|class| shape.is_dated(*class));
    let dated = shape.tables.iter().filter(is_dated);
    let each: Vec<String> =
        dated.map(|table| format!("UPDATE {} SET made_on = '2001-01-01';", table.name)).collect();
    each.join("\n")
}

/// Every cell of the database. A row with an unknown key is an error.
pub(super) fn read(shape: &Shape, path: &Path) -> Result<Cells, String> {
    let connection = Connection::open(path).unwrap();
    let mut cells = Cells::new();
    for (t, table) in shape.tables.iter().enumerate() {
        let numbers: Vec<(Vec<Sql>, u32)> = (0..100).map(|n| (key(table, n), n)).collect();
        let keys = if table.key == KeyForm::Rowid { vec!["rowid"] } else { key_columns(table) };
        let sql = format!("SELECT {}, * FROM {}", keys.join(", "), table.name);
        let mut statement = connection.prepare(&sql).unwrap();
        let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let values: Vec<Sql> = (0..names.len()).map(|n| row.get(n).unwrap()).collect();
            let number = numbers.iter().find(|(key, _)| key[..] == values[..keys.len()]);
            let Some((_, n)) = number else { return Err(format!("a new row in {}", table.name)) };
            let columns = names.iter().cloned().zip(values).skip(keys.len());
            cells.insert((t, *n), columns.collect());
        }
    }
    Ok(cells)
}

/// Compares the cells of a database with a world. Both are given before and after an erasure.
pub(super) fn compare(before: &World, is: &World, was: &Cells, cells: &Cells) -> Result<(), String> {
    let shape = &before.shape;
    let mut expected: BTreeSet<(usize, u32)> = was.keys().copied().collect();
    for id in before.rows.keys().filter(|id| !is.rows.contains_key(id)) {
        expected.remove(&(shape.classes[id.class].table, id.n));
    }
    let is_there: BTreeSet<(usize, u32)> = cells.keys().copied().collect();
    let place = |(table, n): &(usize, u32)| format!("row {n} of {}", shape.tables[*table].name);
    if let Some(row) = expected.difference(&is_there).next() {
        return Err(format!("{} is gone, and has to stay", place(row)));
    }
    if let Some(row) = is_there.difference(&expected).next() {
        return Err(format!("{} is there, and has to go", place(row)));
    }
    for row in &is_there {
        let ids = is.rows.keys().find(|id| (shape.classes[id.class].table, id.n) == *row);
        for (column, value) in &cells[row] {
            let old = &was[row][column];
            let may = ids.map_or(Allowed::Same, |id| allowed(before, is, *id, column));
            let holds = match &may {
                Allowed::Same => value == old,
                // NULL may be the new value.
                Allowed::Erased => value != old || *value == Sql::Null,
                Allowed::One(values) => values.contains(value),
            };
            if !holds {
                return Err(format!("{}, {column}: {value:?}, and has to be {may:?} ({old:?})", place(row)));
            }
        }
    }
    Ok(())
}

/// What a cell may contain after an erasure.
#[derive(Debug)]
enum Allowed {
    Same,
    Erased,
    One(Vec<Sql>),
}

fn allowed(before: &World, is: &World, id: Id, column: &str) -> Allowed {
    let shape = &before.shape;
    let class = &shape.classes[id.class];
    let (was, is) = (&before.rows[&id], &is.rows[&id]);
    let field = class.fields.iter().position(|field| field.column == column);
    if field.is_some_and(|field| is.val[field] != was.val[field]) {
        return Allowed::Erased;
    }
    for (nth, link) in class.links.iter().enumerate().filter(|(nth, _)| is.to[*nth] != was.to[*nth]) {
        let cells = link_cells(shape, link, &is.to[nth]);
        let Some((_, value)) = cells.into_iter().find(|(name, _)| name == column) else { continue };
        return match &is.to[nth] {
            To::Erased => Allowed::Erased,
            To::Cleared if link.none && link.nullable => Allowed::One(vec![Sql::Null, nobody(shape, link)]),
            To::Cleared if link.none => Allowed::One(vec![nobody(shape, link)]),
            // The column that divides the table stays. The other one becomes NULL, so the link leads nowhere.
            To::Cleared if column == dividing(&shape.tables[class.table]) => Allowed::Same,
            _ => Allowed::One(vec![value]),
        };
    }
    Allowed::Same
}

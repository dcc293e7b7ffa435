//! A generated shop: its tables and rows. Each cell says whose it is and how an erasure may change it.

use std::path::Path;

use proptest::prelude::*;
use rusqlite::Connection;
use rusqlite::types::Value as Sql;

/// The customer who is erased: its position among the customers.
pub(super) const TARGET: i64 = 1;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holds {
    Plain,
    Personal(&'static str),
    /// A JSON document in which some values are personal.
    Document,
}

/// The kind of values in a column, and the column's constraints.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    pub(super) holds: Holds,
    pub(super) required: bool,
    pub(super) unique: bool,
    pub(super) longest: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Delete,
    Anonymise,
    Keep,
    Reassign,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Plain,
    WithoutRowid,
    Strict,
    /// The primary key has two columns.
    Composite,
}

#[derive(Clone, Debug)]
pub(super) struct Table {
    /// The table that this table's `owner` column refers to. `None`: the customers.
    pub(super) parent: Option<usize>,
    pub(super) columns: Vec<Column>,
    /// The number of rows for each row of the parent table.
    pub(super) rows: usize,
    pub(super) action: Action,
    pub(super) form: Form,
    /// A second link to a customer: the `ON DELETE` clause of its foreign key.
    pub(super) second: Option<&'static str>,
    /// The column `owner_type` says whether a row's owner is a customer or a supplier.
    pub(super) typed: bool,
}

/// A generated shop.
#[derive(Clone, Debug)]
pub(super) struct Shop {
    pub(super) customers: usize,
    pub(super) columns: Vec<Column>,
    pub(super) delete_customers: bool,
    pub(super) tables: Vec<Table>,
    /// There are addresses that several customers share. This is what happens to an address when its last customer is
    /// erased.
    pub(super) shared: Option<Action>,
    /// The seed of the generated values.
    pub(super) salt: u64,
}

/// How an erasure may change a cell of a row that is treated.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Rule {
    Plain,
    Personal,
    /// A JSON document with these personal values. The text between them must stay exactly the same.
    Document(Vec<String>),
    Owner,
    /// A second link to a customer. If that customer's row is deleted, the link is set to NULL, whoever owns this
    /// row.
    Link,
    Status,
}

#[derive(Clone, Debug)]
pub(super) struct Cell {
    pub(super) column: String,
    pub(super) value: Sql,
    pub(super) rule: Rule,
}

#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) table: String,
    /// The values of the primary key, separated by commas.
    pub(super) key: String,
    /// The position of the row's customer among the customers. `None`: the row belongs to nobody.
    pub(super) customer: Option<i64>,
    /// The policy's action for the rows of this table.
    pub(super) action: Action,
    pub(super) cells: Vec<Cell>,
}

impl Row {
    /// The action that has to be taken on this row.
    pub(super) fn fate(&self) -> Action {
        if self.customer == Some(TARGET) { self.action } else { Action::Keep }
    }

    pub(super) fn place(&self) -> (String, String) {
        (self.table.clone(), self.key.clone())
    }

    fn add(&mut self, column: impl Into<String>, value: Sql, rule: Rule) {
        self.cells.push(Cell { column: column.into(), value, rule });
    }

    /// The personal values that must disappear from this row: all values if the row is deleted, otherwise the
    /// classified ones.
    pub(super) fn erased_values(&self) -> Vec<String> {
        let fate = self.fate();
        let gone = |cell: &&Cell| match cell.rule {
            Rule::Personal | Rule::Document(_) => fate != Action::Keep,
            _ => fate == Action::Delete,
        };
        self.cells.iter().filter(gone).flat_map(Cell::secrets).collect()
    }
}

impl Cell {
    /// The personal values in the row, whoever they belong to.
    pub(super) fn secrets(&self) -> Vec<String> {
        match (&self.value, &self.rule) {
            (Sql::Text(text), Rule::Document(pieces)) => {
                let holes = between(text, pieces).unwrap();
                holes
                    .iter()
                    .filter_map(|hole| serde_json::from_str::<Option<String>>(hole).unwrap())
                    .collect()
            }
            (Sql::Text(text), _) if text.starts_with('v') => vec![text.clone()],
            _ => Vec::new(),
        }
    }
}

/// The texts between the given pieces of a document. `None` if the document does not contain these pieces in this
/// order.
pub(super) fn between<'t>(text: &'t str, pieces: &[String]) -> Option<Vec<&'t str>> {
    let (first, rest) = pieces.split_first()?;
    let mut text = text.strip_prefix(first.as_str())?;
    let mut holes = Vec::new();
    for piece in rest {
        let (hole, after) = text.split_once(piece.as_str())?;
        holes.push(hole);
        text = after;
    }
    text.is_empty().then_some(holes)
}

fn column() -> impl Strategy<Value = Column> {
    let personal = ["name", "email", "phone", "username", "password", "free_text"].map(Holds::Personal);
    let holds: Vec<Holds> = personal.into_iter().chain([Holds::Plain, Holds::Document]).collect();
    let longest = prop::sample::select(vec![None, Some(20), Some(45)]);
    (prop::sample::select(holds), any::<bool>(), any::<bool>(), longest).prop_map(
        |(holds, required, unique, longest)| match holds {
            Holds::Document => Column { holds, required: false, unique: false, longest: None },
            _ => Column { holds, required, unique, longest },
        },
    )
}

fn table() -> impl Strategy<Value = Table> {
    let action =
        prop::sample::select(vec![Action::Delete, Action::Anonymise, Action::Keep, Action::Reassign]);
    let form = prop::sample::select(vec![Form::Plain, Form::WithoutRowid, Form::Strict, Form::Composite]);
    let second = prop::sample::select(vec!["", "ON DELETE CASCADE", "ON DELETE SET NULL"]);
    (
        prop::option::of(0_usize..4),
        prop::collection::vec(column(), 0..3),
        0_usize..3,
        action,
        form,
        prop::option::of(second),
        prop::bool::weighted(0.2),
    )
        .prop_map(|(parent, columns, rows, action, form, second, typed)| Table {
            parent,
            columns,
            rows,
            action,
            form,
            second,
            typed,
        })
}

pub(super) fn shop() -> impl Strategy<Value = Shop> {
    let tables = prop::collection::vec(table(), 1..5);
    let shared = prop::option::of(prop::sample::select(vec![Action::Delete, Action::Anonymise]));
    let columns = prop::collection::vec(column(), 1..4);
    (2_usize..5, columns, any::<bool>(), tables, shared, any::<u64>()).prop_map(
        |(customers, columns, delete_customers, tables, shared, salt)| {
            let mut shop = Shop { customers, columns, delete_customers, tables, shared, salt };
            shop.make_possible();
            shop
        },
    )
}

impl Shop {
    /// Repairs the drawn shop. Each table may refer only to an earlier one. If the rows of a table are deleted, the
    /// rows that refer to them are deleted too.
    fn make_possible(&mut self) {
        // A customer's row must show that the customer is erased. So it has a column that is NOT NULL and gets a
        // token.
        let sign =
            Column { holds: Holds::Personal("username"), required: true, unique: false, longest: None };
        let is_sign = |column: &Column| column.holds == sign.holds && column.required;
        if self.shared.is_some() && !self.delete_customers && !self.columns.iter().any(is_sign) {
            self.columns.push(sign);
        }
        for n in 0..self.tables.len() {
            let typed = self.tables[n].typed;
            // Rows of other people in the table have a second link too. The check refuses this if customers are
            // deleted.
            if typed && self.delete_customers {
                self.tables[n].second = None;
            }
            let parent =
                self.tables[n].parent.filter(|parent| !typed && *parent < n && !self.tables[*parent].typed);
            let of_parent = parent.map(|parent| self.tables[parent].action);
            let delete_customers = self.delete_customers;
            let table = &mut self.tables[n];
            table.parent = parent;
            match (of_parent, table.action) {
                (Some(Action::Delete), _) => table.action = Action::Delete,
                (Some(_), Action::Reassign) => table.action = Action::Keep,
                (None, _) if typed && delete_customers => table.action = Action::Delete,
                (None, Action::Reassign) if typed => table.action = Action::Anonymise,
                (None, Action::Keep | Action::Anonymise) if delete_customers => {
                    table.action = Action::Reassign;
                }
                _ => {}
            }
            // A row that is kept unchanged cannot refer to a row that is deleted.
            if delete_customers && table.action == Action::Keep {
                table.second = None;
            }
        }
    }

    /// The same shop, reduced to what the record-by-record store supports: no second links, no documents, no shared
    /// rows.
    pub(super) fn of_records(&self) -> Self {
        let mut shop = self.clone();
        shop.shared = None;
        let tables = shop.tables.iter_mut().map(|table| {
            (table.second, table.typed, table.form) = (None, false, Form::Plain);
            &mut table.columns
        });
        for column in tables.chain([&mut shop.columns]).flatten() {
            if column.holds == Holds::Document {
                column.holds = Holds::Personal("free_text");
            }
        }
        shop.make_possible();
        shop
    }

    /// The id of a customer. It is so long that a search for it finds nothing by chance.
    pub(super) fn id(&self, customer: i64) -> i64 {
        let base = 1_000_000_000_000_000 + i64::try_from(self.salt % 1_000_000_000_000_000).unwrap();
        base + customer
    }

    pub(super) fn target(&self) -> String {
        self.id(TARGET).to_string()
    }

    pub(super) fn action_of_customers(&self) -> Action {
        if self.delete_customers { Action::Delete } else { Action::Anonymise }
    }

    /// Every row. `twist` changes only those values of the target that are erased.
    pub(super) fn rows(&self, twist: u64) -> Vec<Row> {
        let mut rows = Vec::new();
        let customers = 1..=i64::try_from(self.customers).unwrap();
        for customer in customers.clone() {
            let id = self.id(customer);
            let action = self.action_of_customers();
            let mut row = new_row("customers", id.to_string(), Some(customer), action);
            let tenant = if customer % 2 == 0 { "even" } else { "odd" };
            row.add("id", Sql::Integer(id), Rule::Plain);
            row.add("tenant", Sql::Text(tenant.to_owned()), Rule::Plain);
            row.add("state", Sql::Text("active".to_owned()), Rule::Status);
            row.add("stand_in", Sql::Integer(0), Rule::Plain);
            self.fill(&mut row, &self.columns, twist);
            rows.push(row);
        }
        // For each row of each table: its part, its id, its customer.
        let mut made: Vec<Vec<(&str, i64, Option<i64>)>> = vec![Vec::new(); self.tables.len()];
        for (n, table) in self.tables.iter().enumerate() {
            let mut owners: Vec<(&str, i64, Option<i64>)> = match table.parent {
                None => {
                    customers.clone().map(|customer| ("client", self.id(customer), Some(customer))).collect()
                }
                Some(parent) => made[parent].clone(),
            };
            if table.typed {
                // Suppliers with the same ids as customers.
                let suppliers: Vec<_> = owners.iter().map(|(_, id, _)| ("supplier", *id, None)).collect();
                owners.extend(suppliers);
            }
            for (part, owner, customer) in owners {
                for _ in 0..table.rows {
                    let count = i64::try_from(made[n].len()).unwrap();
                    // In a composite key the same number occurs twice.
                    let composite = table.form == Form::Composite;
                    let own = if composite { ["a", "b"][made[n].len() % 2] } else { "" };
                    let id = if composite { count / 2 + 1 } else { count + 1 };
                    let key = if composite { format!("{own},{id}") } else { id.to_string() };
                    let mut row = new_row(&format!("t{n}"), key, customer, table.action);
                    if composite {
                        row.add("part", Sql::Text(own.to_owned()), Rule::Plain);
                    }
                    row.add("id", Sql::Integer(id), Rule::Plain);
                    row.add("owner", Sql::Integer(owner), Rule::Owner);
                    if table.typed {
                        row.add("owner_type", Sql::Text(part.to_owned()), Rule::Plain);
                    } else if table.parent.is_some_and(|parent| self.tables[parent].form == Form::Composite) {
                        row.add("owner_part", Sql::Text(part.to_owned()), Rule::Plain);
                    }
                    row.add("amount", Sql::Integer(count * 7 + 1), Rule::Plain);
                    if table.second.is_some() {
                        let to = i64::try_from(hash(&format!("{}/{n}/{count}", self.salt)) % 3).unwrap();
                        // No link leads into another tenant. Such a link would block the customer, which other tests
                        // cover.
                        let is_own = to != 0 && customer.is_none_or(|customer| customer % 2 == to % 2);
                        let to = if is_own { Sql::Integer(self.id(to)) } else { Sql::Null };
                        row.add("other", to, Rule::Link);
                    }
                    self.fill(&mut row, &table.columns, twist);
                    made[n].push((own, id, customer));
                    rows.push(row);
                }
            }
        }
        if let Some(action) = self.shared {
            self.add_addresses(&mut rows, action, twist);
        }
        rows
    }

    /// Four addresses: one is only the target's, one is shared with another customer, one is another customer's, and
    /// one is nobody's.
    fn add_addresses(&self, rows: &mut Vec<Row>, action: Action, twist: u64) {
        for (id, whose, residents) in
            [(1, Some(TARGET), &[TARGET][..]), (2, None, &[TARGET, 2]), (3, Some(2), &[2]), (4, None, &[])]
        {
            let mut row = new_row("addresses", i64::to_string(&id), whose, action);
            row.add("id", Sql::Integer(id), Rule::Plain);
            let column =
                Column { holds: Holds::Personal("address"), required: true, unique: false, longest: None };
            let (value, rule) = self.value(&row, 0, column, twist);
            row.add("street", value, rule);
            rows.push(row);
            for customer in residents {
                let client = self.id(*customer);
                let mut row = new_row("residents", format!("{client},{id}"), Some(*customer), Action::Delete);
                row.add("client", Sql::Integer(client), Rule::Plain);
                row.add("address", Sql::Integer(id), Rule::Plain);
                rows.push(row);
            }
        }
    }

    fn fill(&self, row: &mut Row, columns: &[Column], twist: u64) {
        for (n, column) in columns.iter().enumerate() {
            let (value, rule) = self.value(row, n, *column, twist);
            row.add(format!("c{n}"), value, rule);
        }
    }

    /// Values that all differ and fit into their column. A value that is not erased does not depend on `twist`.
    fn value(&self, row: &Row, n: usize, column: Column, twist: u64) -> (Sql, Rule) {
        let twist = if row.fate() == Action::Keep { 0 } else { twist };
        let seeded = |what: &str, twist: u64| {
            hash(&format!("{}/{}/{}/{n}{what}/{twist}", self.salt, row.table, row.key))
        };
        let plain = spelled(seeded("", 0));
        let value = spelled(seeded("", twist));
        match column.holds {
            Holds::Plain => (Sql::Text(plain), Rule::Plain),
            Holds::Personal(_) if !column.required && twist == 0 && seeded("", 0).is_multiple_of(5) => {
                (Sql::Null, Rule::Personal)
            }
            Holds::Personal(_) => (Sql::Text(value), Rule::Personal),
            Holds::Document => {
                let pieces: Vec<String> = [
                    "{\"n\": 1.50,\t\"name\": ",
                    ", \"contacts\": [{\"email\": ",
                    ", \"vip\":true}, {\"email\": ",
                    &format!("}}], \"rest\": \"{n} stays\" }}"),
                ]
                .map(str::to_owned)
                .to_vec();
                let holes = ["name", "first", "second"].map(|what| seeded(what, twist)).map(|hash| {
                    if hash.is_multiple_of(4) {
                        "null".to_owned()
                    } else {
                        serde_json::to_string(&spelled(hash)).unwrap()
                    }
                });
                let text: String = pieces
                    .iter()
                    .zip(holes.iter().map(String::as_str).chain([""]))
                    .fold(String::new(), |text, (piece, hole)| text + piece + hole);
                (Sql::Text(text), Rule::Document(pieces))
            }
        }
    }

    pub(super) fn create(&self, path: &Path, rows: &[Row]) {
        let mut connection = Connection::open(path).unwrap();
        connection.execute_batch(&self.schema()).unwrap();
        let transaction = connection.transaction().unwrap();
        for row in rows {
            insert(
                &transaction,
                &row.table,
                row.cells.iter().map(|cell| (cell.column.as_str(), &cell.value)),
            );
        }
        transaction.commit().unwrap();
    }
}

/// The SQL that inserts a row, or replaces it.
pub(super) fn insert<'c>(
    connection: &Connection,
    table: &str,
    cells: impl IntoIterator<Item = (&'c str, &'c Sql)>,
) {
    let (columns, values): (Vec<&str>, Vec<&Sql>) = cells.into_iter().unzip();
    let marks = vec!["?"; columns.len()].join(", ");
    let sql = format!("INSERT OR REPLACE INTO {table} ({}) VALUES ({marks})", columns.join(", "));
    connection.execute(&sql, rusqlite::params_from_iter(values)).unwrap();
}

fn new_row(table: &str, key: String, customer: Option<i64>, action: Action) -> Row {
    Row { table: table.to_owned(), key, customer, action, cells: Vec::new() }
}

/// At most 20 characters. The lengths differ, and some texts have quotes, spaces or characters outside ASCII.
fn spelled(hash: u64) -> String {
    let digits = format!("{hash:016x}");
    match hash % 4 {
        0 => format!("v{digits}"),
        1 => format!("v{}", &digits[..12]),
        2 => format!("v{} \"é'Ö", &digits[..11]),
        _ => format!("v{}/Å%+ß", &digits[..12]),
    }
}

pub(super) fn hash(text: &str) -> u64 {
    // FNV-1a: a simple hash that is the same on every platform.
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

impl Shop {
    /// The rows between a row and its customer's row, both excluded.
    pub(super) fn above<'r>(&self, rows: &'r [Row], row: &Row) -> Vec<&'r Row> {
        let value = |row: &Row, column: &str| {
            row.cells.iter().find(|cell| cell.column == column).map(|cell| cell.value.clone())
        };
        if row.table == "addresses" {
            let of = |resident: &&Row| {
                resident.table == "residents"
                    && resident.customer == row.customer
                    && value(resident, "address") == value(row, "id")
            };
            return rows.iter().filter(of).collect();
        }
        let number = row.table.strip_prefix('t').and_then(|n| n.parse::<usize>().ok());
        let Some(parent) = number.and_then(|n| self.tables[n].parent) else { return Vec::new() };
        let name = format!("t{parent}");
        let is_parent = |above: &&Row| {
            above.table == name
                && value(above, "id") == value(row, "owner")
                && value(above, "part") == value(row, "owner_part")
        };
        let above = rows.iter().find(is_parent).unwrap();
        let mut list = vec![above];
        list.extend(self.above(rows, above));
        list
    }
}

//! A map drafted from the live schema: whose the records of each table are, and what each column holds.
//!
//! The draft is what the check asks for, answered with guesses. It starts with the customers, places one table after
//! the other, and then lets the check say what is missing, until it has nothing more to say. So a draft from which
//! the marks are taken is a map that opens.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};

use super::bind::bind;
use super::dialect::Dialect;
use super::draft::free_name;
use super::fault::Fault;
use super::map::SqlMap;
use super::paste;
use super::schema::{Column, ForeignKey, OnDelete, Schema, Table};
use super::session::Session;
use crate::document::{Problem, Problems, join, suggest};
use crate::store::StoreError;

mod kinds;
mod page;
mod root;
mod samples;

use page::Page;
use samples::Seen;

/// The mark behind a guess. A map with a mark is refused.
pub(super) const MARK: char = '?';

/// How many rounds of checking a draft may take. Each adds lines, so a schema of any size needs few.
const MOST_ROUNDS: usize = 64;

/// A map that was drafted from a schema. Every guess carries a mark (`?`), and a map with a mark is refused.
///
/// ```
/// # use rusqlite::Connection;
/// use relinquish::store::sql::Samples;
/// use relinquish::{SqlMap, SqliteStore};
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("shop.sqlite");
/// # Connection::open(&path)?.execute_batch(
/// #     "CREATE TABLE clients (id INTEGER PRIMARY KEY, email TEXT UNIQUE, joined_at TEXT);
/// #      CREATE TABLE orders (id INTEGER PRIMARY KEY, client_id INTEGER NOT NULL REFERENCES clients, note TEXT, cents INTEGER);")?;
/// let draft = SqliteStore::draft(&path, "clients", Samples::None)?;
/// let text = draft.to_string();
/// assert!(text.contains("email = \"email?\"  # named like an e-mail address"), "{text}");
/// assert!(text.contains("owner = \"client_id?\"  # a foreign key to clients"), "{text}");
/// assert!(SqlMap::from_toml(&text).is_err(), "nothing starts while a mark remains");
///
/// // A person looks at each guess, and takes its mark away. TODO is what only a person knows.
/// let looked_at = text.replace("?\"", "\"").replace("TODO", "clients have no state");
/// SqliteStore::open(&path, &SqlMap::from_toml(&looked_at)?)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct MapDraft {
    text: String,
    guesses: Vec<Guess>,
    open: Vec<String>,
}

/// A guess of a draft.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Guess {
    /// The place in the map: `records.order.fields.note`.
    pub path: String,
    /// What the draft says there.
    pub value: String,
    /// What speaks for it. It names no value of a row.
    pub why: String,
    /// How much harm a wrong guess does.
    pub risk: Risk,
}

/// How much harm a wrong guess does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Risk {
    /// It rests on more than a name, or errs on the safe side: more is treated as personal.
    Low,
    /// It rests on a name.
    Middle,
    /// A wrong guess leaves personal data, or erases what is somebody else's.
    High,
}

/// Whether a draft may read rows. What was read never leaves the process; the draft says only how many samples have
/// which form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Samples {
    /// Only the schema is read.
    None,
    /// So many rows of each table are read.
    Rows(u32),
}

/// A value with what speaks for it.
struct Said {
    value: String,
    why: String,
    risk: Risk,
}

impl MapDraft {
    /// The guesses, those first whose error would do most harm.
    pub fn guesses(&self) -> &[Guess] {
        &self.guesses
    }

    /// What the draft could not guess, in sentences. Each place has a `TODO`, or the check will name it.
    pub fn open(&self) -> &[String] {
        &self.open
    }
}

impl fmt::Display for MapDraft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Drafts the map of a database whose customers are in a table.
pub(crate) fn draft(
    session: &mut dyn Session,
    customers: &str,
    samples: Samples,
    doing: &'static str,
) -> Result<MapDraft, StoreError> {
    let failed = |fault: Fault| fault.into_error(doing);
    let schema = session.schema().map_err(failed)?;
    let Some(root) = schema.table(customers) else {
        let known: Vec<&str> = schema.tables().map(|table| table.name.as_str()).collect();
        return Err(Problems::one(Problem::new(
            "customers.table",
            format!("the database has no table {customers}"),
            suggest(customers, known),
        ))
        .into());
    };
    if root.primary_key.is_empty() {
        return Err(Problems::one(Problem::new(
            "customers.key",
            format!("{} has no primary key", root.name),
            "name a table whose rows a key tells apart",
        ))
        .into());
    }
    let mut seen = BTreeMap::new();
    if let Samples::Rows(rows) = samples {
        for table in schema.tables() {
            seen.insert(table.name.clone(), samples::look(session, table, rows).map_err(failed)?);
        }
    }
    let drafter = Drafter {
        schema: &schema,
        dialect: session.dialect(),
        root,
        seen,
        page: Page::default(),
        guesses: Vec::new(),
        open: Vec::new(),
        classes: BTreeMap::new(),
        left_out: BTreeSet::new(),
    };
    Ok(drafter.draft())
}

struct Drafter<'s> {
    schema: &'s Schema,
    dialect: &'static dyn Dialect,
    root: &'s Table,
    seen: BTreeMap<String, BTreeMap<String, Seen>>,
    page: Page,
    guesses: Vec<Guess>,
    open: Vec<String>,
    /// The class of each table that is placed, by the table's name in lower case.
    classes: BTreeMap<String, String>,
    /// The tables that are left out with a question, in lower case.
    left_out: BTreeSet<String>,
}

/// A column that may say whose a record is.
struct Candidate<'s> {
    columns: Vec<String>,
    /// The table that it leads to.
    to: &'s Table,
    key: Option<&'s ForeignKey>,
    is_direct: bool,
}

impl<'s> Drafter<'s> {
    fn draft(mut self) -> MapDraft {
        self.customers();
        self.classes.insert(self.root.name.to_ascii_lowercase(), "customer".to_owned());
        self.place_tables();
        let mut problems = self.fill_in();
        // What the customers' own rows and records lead to may be theirs as well: an address, a contact.
        if self.place_heads() {
            self.place_tables();
            problems = self.fill_in();
        }
        if self.place_strangers() {
            self.place_tables();
            problems = self.fill_in();
        }
        for problem in problems.iter().filter(|problem| problem.paste.is_none()) {
            self.open.push(format!("{}: {}; {}", problem.path, problem.what, problem.way_out));
        }
        self.finish()
    }

    /// Notes a guess, and gives it as a value of the map.
    fn guessed(&mut self, path: String, said: Said) -> (String, String) {
        let value = paste::text(&format!("{}{MARK}", said.value));
        let comment = said.why.clone();
        self.guesses.push(Guess { path, value: said.value, why: said.why, risk: said.risk });
        (value, comment)
    }

    fn set_guess(&mut self, place: &[&str], key: &str, said: Said) {
        let (value, comment) = self.guessed(join(&place.join("."), key), said);
        self.page.set(&paste::header(place), key, &value, &comment);
    }

    /// Places every table from which a foreign key leads to a placed table, level by level.
    fn place_tables(&mut self) {
        loop {
            let mut level = Vec::new();
            for table in self.schema.tables() {
                if !self.classes.contains_key(&table.name.to_ascii_lowercase()) {
                    let candidates = self.candidates(table);
                    if !candidates.is_empty() {
                        level.push((table, candidates));
                    }
                }
            }
            if level.is_empty() {
                return;
            }
            for (table, candidates) in level {
                self.place(table, candidates);
            }
        }
    }

    /// The columns of a table that lead to a placed table, the likeliest owner first.
    fn candidates(&self, table: &'s Table) -> Vec<Candidate<'s>> {
        let mut found: Vec<Candidate<'s>> = Vec::new();
        for key in &table.foreign_keys {
            let is_placed = self.classes.contains_key(&key.to_table.to_ascii_lowercase());
            if let Some(to) = self.schema.table(&key.to_table).filter(|_| is_placed) {
                let is_direct = to.name.eq_ignore_ascii_case(&self.root.name);
                found.push(Candidate { columns: key.columns.clone(), to, key: Some(key), is_direct });
            }
        }
        // A column that is named like the customers' key, where nobody declared a foreign key.
        if let [key] = self.root.primary_key.as_slice()
            && !found.iter().any(|candidate| candidate.is_direct)
        {
            let datatype = self.root.column(key).map(|key| key.datatype);
            let is_same = |column: &&Column| Some(column.datatype) == datatype;
            let named = names_of_key(&self.root.name, key);
            let is_named = |column: &&Column| named.contains(&kinds::words(&column.name).concat());
            let is_declared =
                |column: &&Column| table.foreign_keys.iter().any(|key| key.columns.contains(&column.name));
            let columns = table.columns.iter().filter(is_same).filter(is_named);
            found.extend(columns.filter(|column| !is_declared(column)).map(|column| Candidate {
                columns: vec![column.name.clone()],
                to: self.root,
                key: None,
                is_direct: true,
            }));
        }
        found.sort_by_key(|candidate| rank(table, candidate));
        found
    }

    fn place(&mut self, table: &'s Table, candidates: Vec<Candidate<'s>>) {
        let mut candidates = candidates.into_iter();
        let Some(owner) = candidates.next() else { return };
        if self.left_out.remove(&table.name.to_ascii_lowercase()) {
            self.page.unset("[ignore]", &table.name);
            let path = join("ignore", &table.name);
            self.open.retain(|open| !open.starts_with(&format!("{path}:")));
        }
        let class = self.class_of(table);
        let place = ["records", class.as_str()];
        let header = paste::header(&place);
        self.name_table(&header, &class, table);
        let why = match owner.key {
            Some(_) => format!("a foreign key to {}", owner.to.name),
            None => format!("named like the key of {}, and nothing in the schema says so", owner.to.name),
        };
        let others: Vec<Candidate<'_>> = candidates.collect();
        let rivals: Vec<String> = others
            .iter()
            .filter(|other| other.is_direct == owner.is_direct)
            .map(|other| paste::list(&other.columns))
            .collect();
        let risk = match (owner.key, rivals.is_empty()) {
            (Some(_), true) => Risk::Low,
            (None, true) => Risk::Middle,
            (_, false) => Risk::High,
        };
        let path = join(&place.join("."), "owner");
        let value = owner.columns.join(", ");
        self.guesses.push(Guess { path, value, why: why.clone(), risk });
        let marked: Vec<String> = owner.columns.iter().map(|column| format!("{column}{MARK}")).collect();
        let value =
            if marked.len() == 1 { paste::list(&marked) } else { format!("[{}]", paste::list(&marked)) };
        let comment = if rivals.is_empty() { why } else { format!("{why}; or {}", rivals.join(", or ")) };
        self.page.set(&header, "owner", &value, &comment);
        self.compare_owner(&class, &owner, &comment);
        if let ([column], false) = (owner.columns.as_slice(), rivals.is_empty()) {
            let all: Vec<String> = std::iter::once(paste::text(column)).chain(rivals).collect();
            self.page.comment(
                &header,
                &format!("or, if each of them has the record: shared = [{}]", all.join(", ")),
            );
        }
        self.classes.insert(table.name.to_ascii_lowercase(), class);
    }

    /// Says how an owner link is compared, where its ends differ in type or in how the database compares them.
    fn compare_owner(&mut self, class: &str, owner: &Candidate<'_>, comment: &str) {
        let [column] = owner.columns.as_slice() else { return };
        let place = ["records", class];
        let header = paste::header(&place);
        let path = join(&place.join("."), "owner");
        let plain = self.page.clone();
        for compare in [None, Some("text"), Some("nocase")] {
            if let Some(compare) = compare {
                self.page = plain.clone();
                self.page.unset(&header, "owner");
                let value = paste::compared_link(&format!("{column}{MARK}"), compare);
                self.page.set(&header, "owner", &value, comment);
            }
            if !self.problems().iter().any(|problem| problem.path.starts_with(&path)) {
                return;
            }
        }
        self.page = plain;
    }

    fn name_table(&mut self, header: &str, class: &str, table: &Table) {
        if class != table.name {
            self.page.set(header, "table", &paste::text(&table.name), "");
        }
        if table.primary_key.is_empty() {
            let handle = table.handle();
            self.page.set(header, "key", &paste::list(&handle), "the table has no primary key");
        }
    }

    fn class_of(&self, table: &Table) -> String {
        self.map().map_or_else(|_| table.name.clone(), |map| free_name(&map, &table.name).to_string())
    }

    /// The map as far as it is drafted, with all guesses taken as true.
    fn map(&self) -> Result<SqlMap, Problems> {
        SqlMap::of_draft(&self.page.text())
    }

    fn problems(&self) -> Problems {
        match self.map() {
            Ok(map) => bind(&map, self.schema, self.dialect).err().unwrap_or_default(),
            Err(problems) => problems,
        }
    }

    /// Lets the check say what is missing, and guesses it, until the check has nothing more to say or the guesses are
    /// of no use. Returns what is left.
    fn fill_in(&mut self) -> Problems {
        for _ in 0..MOST_ROUNDS {
            let problems = self.problems();
            let mut grew = false;
            for problem in problems.iter() {
                if let Some(lines) = &problem.paste {
                    grew |= self.answer(lines);
                }
            }
            if !grew {
                return problems;
            }
        }
        self.problems()
    }

    /// Takes over lines that the check proposes, each with a guess. Returns whether the draft grew.
    fn answer(&mut self, lines: &str) -> bool {
        let mut header = String::new();
        let mut grew = false;
        for line in lines.lines() {
            if line.starts_with('[') {
                line.clone_into(&mut header);
            } else if let Some((key, value)) = line.split_once(" = ").filter(|_| !line.starts_with('#')) {
                let (value, choices) = value.split_once("  # ").unwrap_or((value, ""));
                grew |= self.answer_line(&header, key, value, choices);
            }
        }
        grew
    }

    fn answer_line(&mut self, header: &str, key: &str, value: &str, choices: &str) -> bool {
        let place: Vec<String> = read_header(header);
        let key = read_key(key);
        let parts: Vec<&str> = place.iter().map(String::as_str).collect();
        let table = match parts.as_slice() {
            ["customers", ..] => Some(self.root),
            ["records", class, ..] => match self.table_of(class) {
                Some(table) => Some(table),
                // A table that is not placed yet. It gets an owner before anything is said of its columns.
                None => return false,
            },
            _ => None,
        };
        let said = match (parts.last(), table) {
            (Some(&"fields"), Some(table)) => self.field(table, &key),
            (Some(&"ends"), Some(table)) if value.contains(paste::TODO) => end(table, &key, choices),
            _ => None,
        };
        let Some(said) = said else {
            return self.page.set(header, &key, value, choices);
        };
        if said.value == "not personal" && said.risk == Risk::Low && parts.first() == Some(&"records") {
            return self.rest(&parts, &key);
        }
        let of = match (parts.as_slice(), table) {
            (["records", class, "fields"], Some(table)) if said.value != "not personal" => {
                self.of_another(table, class, &key)
            }
            _ => None,
        };
        if let Some(link) = of {
            let why = format!("{}, and beside {link}, which leads to somebody else", said.why);
            let value = format!(
                "{{ kind = {}, of = {} }}",
                paste::text(&format!("{}{MARK}", said.value)),
                paste::text(&format!("{link}{MARK}"))
            );
            let path = join(&parts.join("."), &key);
            let guessed = format!("{} of {link}", said.value);
            self.guesses.push(Guess { path, value: guessed, why: why.clone(), risk: Risk::High });
            return self.page.set(header, &key, &value, &why);
        }
        let value = if let Some((before, after)) = value.split_once(paste::TODO) {
            // The word may stand within a larger value: { compare = "text", gone = "TODO" }.
            let is_whole = before == "\"" && after == "\"";
            if is_whole { None } else { Some(format!("{before}{}{MARK}{after}", said.value)) }
        } else {
            None
        };
        let path = join(&parts.join("."), &key);
        let (guessed, comment) = self.guessed(path, said);
        self.page.set(header, &key, &value.unwrap_or(guessed), &comment)
    }

    /// The foreign key to a customer beside which a column stands by its name, if it is not the owner: `editor_id` for
    /// `editor_nick`.
    fn of_another(&self, table: &Table, class: &str, column: &str) -> Option<String> {
        let owner = join(&join("records", class), "owner");
        let owner = self.guesses.iter().find(|guess| guess.path == owner).map_or("", |guess| &guess.value);
        let named = kinds::words(column);
        table.foreign_keys.iter().find_map(|key| {
            let [link] = key.columns.as_slice() else { return None };
            let mut stem = kinds::words(link);
            if stem.last().is_some_and(|last| ["id", "key", "no", "fk"].contains(&last.as_str())) {
                stem.pop();
            }
            let is_beside = !stem.is_empty() && named.len() > stem.len() && named.starts_with(&stem);
            let leads_to_customer = key.to_table.eq_ignore_ascii_case(&self.root.name);
            (is_beside && leads_to_customer && link != owner && link != column).then(|| link.clone())
        })
    }

    /// Says once for a class that all numbers, dates and flags are not personal.
    fn rest(&mut self, parts: &[&str], column: &str) -> bool {
        let Some((_, class)) = parts.split_last() else { return false };
        let path = class.join(".");
        let known = self.guesses.iter_mut().find(|guess| guess.path == join(&path, "rest"));
        if let Some(known) = known {
            known.why = format!("{}, {column}", known.why);
            return false;
        }
        let why = format!("numbers, dates and flags: {column}");
        self.guesses.push(Guess {
            path: join(&path, "rest"),
            value: "not personal".to_owned(),
            why: why.clone(),
            risk: Risk::Low,
        });
        let header = paste::header(class);
        self.page.set(
            &header,
            "rest",
            &paste::text(&format!("not personal{MARK}")),
            "numbers, dates and flags",
        )
    }

    fn table_of(&self, class: &str) -> Option<&'s Table> {
        let (table, _) = self.classes.iter().find(|(_, known)| *known == class)?;
        self.schema.table(table)
    }

    fn field(&self, table: &'s Table, column: &str) -> Option<Said> {
        let found = table.column(column)?;
        let seen = self.seen.get(&table.name).and_then(|seen| seen.get(&found.name));
        let is_root = table.name == self.root.name;
        Some(kinds::guess(table, found, is_root, seen))
    }

    /// Places tables about people to which placed rows lead: the address of a customer, the contact of an order.
    fn place_heads(&mut self) -> bool {
        let mut heads: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (foot, class) in &self.classes {
            let Some(foot) = self.schema.table(foot) else { continue };
            for key in &foot.foreign_keys {
                let is_placed = self.classes.contains_key(&key.to_table.to_ascii_lowercase());
                if let ([column], false) = (key.columns.as_slice(), is_placed) {
                    heads.entry(key.to_table.clone()).or_default().push(format!("{class}.{column}"));
                }
            }
        }
        let mut has_placed = false;
        for (name, links) in heads {
            let Some(table) = self.schema.table(&name).filter(|table| !kinds::of_people(table).is_empty())
            else {
                continue;
            };
            // Whoever has a login, or works here, is no part of a customer's data.
            let is_only_places = kinds::of_people(table).iter().all(|column| kinds::is_of_place(column));
            let class = self.class_of(table);
            let place = ["records", class.as_str()];
            let header = paste::header(&place);
            if is_only_places {
                self.name_table(&header, &class, table);
                let marked: Vec<String> =
                    links.iter().map(|link| paste::text(&format!("{link}{MARK}"))).collect();
                let why = format!("{} lead to it, so it is theirs who have these", links.join(", "));
                self.page.set(&header, "shared", &format!("[{}]", marked.join(", ")), &why);
                let path = join(&place.join("."), "shared");
                let value = links.join(", ");
                self.guesses.push(Guess { path, value, why, risk: Risk::High });
                self.classes.insert(table.name.to_ascii_lowercase(), class.clone());
                has_placed = true;
                if self.fill_in().iter().any(|problem| problem.paste.is_none() && is_of(problem, &place)) {
                    self.take_back(&table.name, &place);
                } else {
                    continue;
                }
            }
            self.leave_out(table, &format!("{} lead to it, and it has", links.join(", ")));
        }
        has_placed
    }

    /// Places tables about people that nothing ties to a customer: by an e-mail address, or as a question.
    fn place_strangers(&mut self) -> bool {
        let mail = self.root.columns.iter().find(|column| kinds::is_email(self.root, column));
        let mail = mail.map(|column| column.name.clone());
        let mut has_placed = false;
        let tables: Vec<&Table> = self.schema.tables().collect();
        for table in tables {
            let people = kinds::of_people(table);
            let name = table.name.to_ascii_lowercase();
            if self.classes.contains_key(&name) || self.left_out.contains(&name) || people.is_empty() {
                continue;
            }
            let own = table.columns.iter().find(|column| kinds::is_email(table, column));
            if let (Some(mail), Some(own)) = (&mail, own) {
                let class = self.class_of(table);
                let place = ["records", class.as_str()];
                let header = paste::header(&place);
                self.name_table(&header, &class, table);
                let why = format!("no key leads to {}, and both have an e-mail address", self.root.name);
                let owner = format!(
                    "{{ column = {}, to = {}, compare = \"normalised\" }}",
                    paste::text(&format!("{}{MARK}", own.name)),
                    paste::text(&format!("customer.{mail}"))
                );
                self.page.set(&header, "owner", &owner, &why);
                self.page.set(
                    &header,
                    "nobody",
                    &paste::text(&format!("of people who are no customers{MARK}")),
                    "",
                );
                let path = join(&place.join("."), "owner");
                self.guesses.push(Guess { path, value: own.name.clone(), why, risk: Risk::High });
                self.classes.insert(table.name.to_ascii_lowercase(), class.clone());
                has_placed = true;
                if self.fill_in().iter().any(|problem| problem.paste.is_none() && is_of(problem, &place)) {
                    self.take_back(&table.name, &place);
                } else {
                    continue;
                }
            }
            self.leave_out(table, "nothing ties it to a customer, and it has");
        }
        has_placed
    }

    /// Takes a table out of the draft again.
    fn take_back(&mut self, table: &str, place: &[&str]) {
        self.page.remove(&paste::header(place));
        self.classes.remove(&table.to_ascii_lowercase());
        let path = place.join(".");
        self.guesses.retain(|guess| guess.path != path && !guess.path.starts_with(&format!("{path}.")));
    }

    /// Leaves a table out, with a question.
    fn leave_out(&mut self, table: &Table, why: &str) {
        self.left_out.insert(table.name.to_ascii_lowercase());
        let columns = kinds::of_people(table).join(", ");
        let comment = format!("{why} {columns}: why is nothing of it a customer's?");
        self.page.set("[ignore]", &table.name, &paste::text(paste::TODO), &comment);
        self.open.push(format!("{}: {why} {columns}", join("ignore", &table.name)));
    }

    fn finish(mut self) -> MapDraft {
        self.guesses.sort_by(|one, other| other.risk.cmp(&one.risk).then_with(|| one.path.cmp(&other.path)));
        let mut head = format!(
            "# Drafted from the schema. A {MARK} marks a guess: look at it, and take the {MARK} away. TODO is what only you know.\n"
        );
        let risky: Vec<&Guess> = self.guesses.iter().filter(|guess| guess.risk == Risk::High).collect();
        if !risky.is_empty() {
            head.push_str("# Look at these first:\n");
        }
        for Guess { path, value, why, .. } in risky {
            // Writing to a String never fails.
            let _ = writeln!(head, "#   {path} = {value}: {why}");
        }
        if !self.open.is_empty() {
            head.push_str("# Not guessed:\n");
        }
        for open in &self.open {
            let _ = writeln!(head, "#   {}", open.replace('\n', " "));
        }
        MapDraft { text: format!("{head}\n{}", self.page.text()), guesses: self.guesses, open: self.open }
    }
}

/// How likely a column says whose a record is: the smallest first.
fn rank(table: &Table, candidate: &Candidate<'_>) -> (bool, bool, bool, bool, bool) {
    let words: BTreeSet<String> = candidate.columns.iter().flat_map(|column| kinds::words(column)).collect();
    let has = |list: &[&str]| words.iter().any(|word| list.contains(&word.as_str()));
    let is_nullable = |column: &String| table.column(column).is_none_or(|column| column.nullable);
    let cascades = candidate.key.is_some_and(|key| key.on_delete == OnDelete::Cascade);
    (!candidate.is_direct, has(ACTORS), !has(OWNERS), candidate.columns.iter().any(is_nullable), !cascades)
}

/// Words of columns that name whoever did something to a record, or another end of it.
const ACTORS: &[&str] = &[
    "by",
    "editor",
    "grantor",
    "approver",
    "assignee",
    "assigned",
    "reviewer",
    "moderator",
    "target",
    "referrer",
    "referred",
    "parent",
    "manager",
    "supervisor",
    "agent",
    "recipient",
    "receiver",
    "updater",
    "creator",
    "handler",
    "rep",
    "invited",
    "followed",
    "blocked",
    "reply",
    "seller",
    "support",
];

/// Words of columns that name whose a record is.
const OWNERS: &[&str] = &[
    "user",
    "customer",
    "client",
    "account",
    "owner",
    "member",
    "author",
    "holder",
    "buyer",
    "subscriber",
    "person",
    "sender",
    "kund",
    "kunde",
    "kunden",
    "utilisateur",
    "usuario",
    "cliente",
    "follower",
    "blocker",
];

/// The names that a column with the key of a table may have, as [`words`](kinds::words) spells them.
fn names_of_key(table: &str, key: &str) -> Vec<String> {
    let (table, key) = (kinds::words(table).concat(), kinds::words(key).concat());
    let singular = table.strip_suffix("ies").map(|stem| format!("{stem}y"));
    let singular = singular.or_else(|| table.strip_suffix('s').map(str::to_owned));
    let names = std::iter::once(table.clone())
        .chain(singular)
        .flat_map(|table| [format!("{table}{key}"), format!("{table}id")]);
    let mut names: Vec<String> = names.collect();
    // A key that is more than "id" may have the same name elsewhere.
    if key.len() > 2 && key.starts_with(table.trim_end_matches('s')) {
        names.push(key);
    }
    names
}

/// What happens when the row at an end leaves.
fn end(table: &Table, link: &str, choices: &str) -> Option<Said> {
    let may = |word: &str| choices.contains(&paste::text(word));
    let said =
        |value: &str, why: &str, risk| Some(Said { value: value.to_owned(), why: why.to_owned(), risk });
    let key = table
        .foreign_keys
        .iter()
        .find(|key| key.columns.iter().any(|column| column.eq_ignore_ascii_case(link)));
    match key.map(|key| key.on_delete) {
        Some(OnDelete::Cascade) if may("goes") => {
            said("goes", "the schema deletes the row along", Risk::Middle)
        }
        Some(OnDelete::SetNull) if may("clear") => said("clear", "the schema clears the link", Risk::Low),
        _ if may("clear") => said("clear", "the column takes NULL, so the row can stay", Risk::Middle),
        _ if may("goes") => said("goes", "the column takes no NULL, so the row cannot stay", Risk::High),
        _ if may("stand-in") => said("stand-in", "the column takes no NULL", Risk::Middle),
        _ => None,
    }
}

/// Whether a problem is about a place of the map, or below it.
fn is_of(problem: &Problem, place: &[&str]) -> bool {
    let path = place.join(".");
    problem.path.strip_prefix(&path).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// The names in a header such as `[records."sent mails".fields]`.
fn read_header(header: &str) -> Vec<String> {
    let mut names = Vec::new();
    let read = crate::document::Reader::toml(header).unwrap_or_default();
    let mut at = &read;
    while let Some((name, below)) = at.as_object().and_then(|table| table.iter().next()) {
        names.push(name.clone());
        at = below;
    }
    names
}

/// The name in a key such as `"sent mails"`.
fn read_key(key: &str) -> String {
    read_header(&format!("{key} = 0")).into_iter().next().unwrap_or_else(|| key.to_owned())
}

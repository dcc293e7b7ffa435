//! Corrects misspelled names. Each is reported once, and the rest of the map is checked with the intended name.
//! Otherwise one wrong letter in a table's name would give an error for every column, link and class that depends on
//! it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::links::{LinkMap, LinkRef, SharedMap, Target, When};
use super::map::{CustomersMap, DeactivateMap, FieldMap, Ignored, RecordMap, Source, SqlMap, TenantSource};
use super::paste::{list, set, text};
use super::schema::{Schema, Table};
use crate::data_map::{ClassName, DateForm};
use crate::document::{Problem, Reader, join, nearest, suggest};
use crate::edits::edits;

/// A map with corrected names, and what could not be corrected.
pub(super) struct Mended {
    pub(super) map: SqlMap,
    /// For each class, by its place in the map: the number of missing columns that resemble no existing column. The
    /// same number of unclassified columns may be the intended ones.
    pub(super) unresolved: BTreeMap<String, usize>,
    /// The number of record classes whose table does not exist.
    pub(super) lost_tables: usize,
}

impl Mended {
    /// The number of missing columns that the classes of a table name.
    pub(super) fn lost(&self, table: &str) -> usize {
        let is_of = |path: &str| match path.strip_prefix("records.") {
            Some(class) => {
                self.map.records.get(class).is_some_and(|record| record.table.eq_ignore_ascii_case(table))
            }
            None => self.map.customers.table.eq_ignore_ascii_case(table),
        };
        self.unresolved.iter().filter(|(path, _)| is_of(path)).map(|(_, lost)| lost).sum()
    }
}

/// The map with each misspelled name corrected, if the schema has a similar name.
pub(super) fn mended(reader: &mut Reader, map: &SqlMap, schema: &Schema) -> Mended {
    let mut map = map.clone();
    mend_tables(reader, &mut map, schema);
    let mut unresolved = BTreeMap::new();
    if let Some(table) = schema.table(&map.customers.table) {
        mend_key(reader, &mut map.customers, table);
        let mut pen = Pen { reader, table, path: "customers".to_owned(), place: vec!["customers"], lost: 0 };
        pen.customers(&mut map.customers, &map.links.keys().cloned().collect());
        unresolved.insert("customers".to_owned(), pen.lost);
    }
    mend_named_links(reader, &mut map, schema);
    let known = Known {
        named: map.links.keys().cloned().collect(),
        classes: class_tables(&map),
        records: map.records.iter().map(|(name, record)| (name.clone(), ends_of(record))).collect(),
        schema,
        customers: map.customers.table.clone(),
    };
    for (class, record) in &mut map.records {
        let Some(table) = schema.table(&record.table) else { continue };
        let path = join("records", class.as_str());
        let place = if record.alike.is_none() { vec!["records", class.as_str()] } else { Vec::new() };
        let mut pen = Pen { reader, table, path: path.clone(), place, lost: 0 };
        pen.record(record, &known);
        unresolved.insert(path, pen.lost);
    }
    let lost_tables = map.records.values().filter(|record| schema.table(&record.table).is_none()).count();
    Mended { map, unresolved, lost_tables }
}

/// The intended name: the most similar one, or else the only name that begins or ends with the words of the other.
pub(super) fn meant<'n>(
    written: &str,
    known: impl IntoIterator<Item = &'n str, IntoIter: Clone>,
) -> Option<&'n str> {
    let known = known.into_iter();
    // For short names, the most similar name may have no letter in common.
    let is_like = |name: &&str| {
        let chars = written.chars().count().max(name.chars().count());
        edits(written, name) * 2 < chars
    };
    if let Some(name) = nearest(written, known.clone().filter(|name| name.len() <= 64)).filter(is_like) {
        return Some(name);
    }
    let lower = written.to_ascii_lowercase();
    let of_words = |name: &&str| {
        let name = name.to_ascii_lowercase();
        let (long, short) = if name.len() > lower.len() { (&name, &lower) } else { (&lower, &name) };
        // Every other column ends with `id`.
        if short.len() < 4 {
            return false;
        }
        let before = long.strip_prefix(short.as_str()).is_some_and(|rest| rest.starts_with('_'));
        before || long.strip_suffix(short.as_str()).is_some_and(|rest| rest.ends_with('_'))
    };
    let mut found = known.filter(of_words);
    let first = found.next()?;
    found.next().is_none().then_some(first)
}

fn class_tables(map: &SqlMap) -> BTreeMap<ClassName, String> {
    let records = map.records.iter().map(|(name, record)| (name.clone(), record.table.clone()));
    records.chain([(map.customers.class.clone(), map.customers.table.clone())]).collect()
}

/// The names that a class gives to its links.
fn ends_of(record: &RecordMap) -> BTreeSet<String> {
    record.ends.links.keys().cloned().collect()
}

/// Corrects the tables of the customers, of the records, and of the ignored tables.
fn mend_tables(reader: &mut Reader, map: &mut SqlMap, schema: &Schema) {
    let all: Vec<&str> = schema.tables().map(|table| table.name.as_str()).collect();
    let used: BTreeSet<String> = class_tables(map)
        .into_values()
        .chain(map.ignore.keys().cloned())
        .map(|t| t.to_ascii_lowercase())
        .collect();
    let mut free: Vec<&str> =
        all.iter().copied().filter(|name| !used.contains(&name.to_ascii_lowercase())).collect();
    let mut pick = |words: &[&str]| {
        let found = words.iter().find_map(|word| meant(word, free.iter().copied()));
        let found = found.or_else(|| words.first().and_then(|word| nearest(word, all.iter().copied())));
        free.retain(|name| Some(*name) != found);
        found
    };
    let no_table = |written: &str| format!("there is no table {written}");
    if schema.table(&map.customers.table).is_none()
        && let Some(name) = pick(&[&map.customers.table])
    {
        let paste = set(&["customers"], "table", &text(name));
        let what = no_table(&map.customers.table);
        reader.problem_to_paste("customers.table", what, format!("did you mean {name}?"), Some(paste));
        name.clone_into(&mut map.customers.table);
    }
    for (class, record) in &mut map.records {
        if schema.table(&record.table).is_some() {
            continue;
        }
        let Some(name) = pick(&[&record.table, class.as_str()]) else { continue };
        let place = record.alike.is_none().then(|| set(&["records", class.as_str()], "table", &text(name)));
        let path = match record.alike {
            Some(n) => format!("alike[{n}].tables"),
            None => join(&join("records", class.as_str()), "table"),
        };
        reader.problem_to_paste(path, no_table(&record.table), format!("did you mean {name}?"), place);
        name.clone_into(&mut record.table);
    }
    let slips: Vec<String> = map.ignore.keys().filter(|name| !schema.has(name)).cloned().collect();
    for written in slips {
        let whole = matches!(map.ignore.get(&written), Some(Ignored::Table(_)));
        let near = if whole { pick(&[&written]) } else { nearest(&written, all.iter().copied()) };
        if let Some(name) = near
            && let Some(ignored) = map.ignore.remove(&written)
        {
            reader.problem(
                join("ignore", &written),
                "there is no such table",
                format!("did you mean {name}?"),
            );
            map.ignore.entry(name.to_owned()).or_insert(ignored);
        }
    }
}

/// Corrects the customers' key. If its column did not exist, no row could reference it, and every record would have
/// the same problem.
fn mend_key(reader: &mut Reader, customers: &mut CustomersMap, table: &Table) {
    if table.primary_key.is_empty() && customers.key == table.handle() {
        return; // The row number is not a column.
    }
    let columns = table.columns.iter().map(|column| column.name.as_str());
    let mut key = customers.key.clone();
    let mut slips = Vec::new();
    for part in key.iter_mut().filter(|part| table.column(part).is_none()) {
        let near = meant(part, columns.clone()).map(str::to_owned);
        if let Some(meant) = near.or_else(|| only_key(table, &customers.key)) {
            slips.push((std::mem::replace(part, meant.clone()), meant));
        }
    }
    for (written, meant) in slips {
        reader.problem_to_paste(
            "customers.key",
            format!("table {} has no column {written}", table.name),
            format!("did you mean {meant}?"),
            Some(set(&["customers"], "key", &list(&key))),
        );
    }
    customers.key = key;
}

/// The primary key, if it has one column and the map names one column.
fn only_key(table: &Table, written: &[String]) -> Option<String> {
    match (table.primary_key.as_slice(), written) {
        ([only], [_]) => Some(only.clone()),
        _ => None,
    }
}

/// Corrects the named links: their targets, and columns that no class with the link has.
fn mend_named_links(reader: &mut Reader, map: &mut SqlMap, schema: &Schema) {
    let classes = class_tables(map);
    let users: BTreeMap<String, Vec<&Table>> = map
        .links
        .keys()
        .map(|name| {
            let uses = |record: &&RecordMap| {
                let is = |link: &LinkRef| matches!(link, LinkRef::Word(word) if word == name);
                record.owner.iter().any(is)
                    || record.shared.iter().any(|shared| matches!(shared, SharedMap::Own(link) if is(link)))
                    || record.ends.links.get(name).is_some_and(|end| end.link.is_none())
            };
            let tables = map.records.values().filter(uses).filter_map(|record| schema.table(&record.table));
            (name.clone(), tables.collect())
        })
        .collect();
    for (name, link) in &mut map.links {
        let path = join("links", name);
        mend_target(reader, &path, &["links", name.as_str()], link, &classes, schema);
        let users = users.get(name).map_or(&[][..], Vec::as_slice);
        let is_simple = link.columns.len() == 1;
        for column in &mut link.columns {
            let Some(first) = users.first() else { continue };
            if users.iter().any(|table| table.column(column).is_some()) {
                continue;
            }
            let all = |name: &&str| users.iter().all(|table| table.column(name).is_some());
            let shared = first.columns.iter().map(|column| column.name.as_str()).filter(all);
            let shared: Vec<&str> = shared.collect();
            let Some(meant) = meant(column, shared.iter().copied()) else { continue };
            let tables: BTreeSet<&str> = users.iter().map(|table| table.name.as_str()).collect();
            let tables: Vec<&str> = tables.into_iter().collect();
            reader.problem_to_paste(
                join(&path, "column"),
                format!("{} has no column {column}", tables.join(", ")),
                format!("did you mean {meant}?"),
                is_simple.then(|| set(&["links", name.as_str()], "column", &text(meant))),
            );
            meant.clone_into(column);
        }
    }
}

/// Corrects the target of a link that names its target.
fn mend_target(
    reader: &mut Reader,
    path: &str,
    place: &[&str],
    link: &mut LinkMap,
    classes: &BTreeMap<ClassName, String>,
    schema: &Schema,
) {
    let pasted = |key: &str, value: String| (!place.is_empty()).then(|| set(place, key, &value));
    let class_names = || classes.keys().map(ClassName::as_str);
    match &mut link.to {
        Some(Target::Class(class)) if !classes.contains_key(class) => {
            let Some(meant) = meant(class.as_str(), class_names()) else { return };
            let paste = pasted("to", text(meant));
            let what = format!("{class} is no record class");
            reader.problem_to_paste(join(path, "to"), what, format!("did you mean {meant}?"), paste);
            *class = meant.into();
        }
        Some(Target::Column(class, column)) => {
            if !classes.contains_key(class) {
                let Some(meant) = meant(class.as_str(), class_names()) else { return };
                let paste = pasted("to", text(&format!("{meant}.{column}")));
                let what = format!("{class} is no record class");
                reader.problem_to_paste(join(path, "to"), what, format!("did you mean {meant}?"), paste);
                *class = meant.into();
            }
            let Some(table) = classes.get(class).and_then(|table| schema.table(table)) else { return };
            if table.column(column).is_none() {
                let columns = table.columns.iter().map(|column| column.name.as_str());
                let Some(meant) = meant(column, columns) else { return };
                let paste = pasted("to", text(&format!("{class}.{meant}")));
                let what = format!("table {} has no column {column}", table.name);
                reader.problem_to_paste(join(path, "to"), what, format!("did you mean {meant}?"), paste);
                meant.clone_into(column);
            }
        }
        Some(Target::Table(table, _)) if schema.table(table).is_none() => {
            let Some(meant) = meant(table, schema.tables().map(|table| table.name.as_str())) else { return };
            let what = format!("there is no table {table}");
            let paste = pasted("table", text(meant));
            reader.problem_to_paste(join(path, "table"), what, format!("did you mean {meant}?"), paste);
            meant.clone_into(table);
        }
        _ => {}
    }
}

/// The names that a record class may use.
struct Known<'s> {
    /// The named links.
    named: BTreeSet<String>,
    /// The table of each class.
    classes: BTreeMap<ClassName, String>,
    /// The names of the ends of each class.
    records: BTreeMap<ClassName, BTreeSet<String>>,
    schema: &'s Schema,
    customers: String,
}

/// Corrects the columns that one class names.
struct Pen<'r, 's> {
    reader: &'r mut Reader,
    table: &'s Table,
    /// The place of the class in the map.
    path: String,
    /// The place as a header, if lines can be pasted there.
    place: Vec<&'s str>,
    lost: usize,
}

impl<'s> Pen<'_, 's> {
    fn columns(&self) -> impl Iterator<Item = &'s str> + Clone + use<'s> {
        self.table.columns.iter().map(|column| column.name.as_str())
    }

    fn has(&self, column: &str) -> bool {
        self.table.column(column).is_some()
    }

    /// The lines that set a key of a table below the class.
    fn lines(&self, below: &[&str], key: &str, value: &str) -> Option<String> {
        (!self.place.is_empty()).then(|| set(&[&self.place, below].concat(), key, value))
    }

    fn said(&mut self, path: &str, written: &str, meant: &str, paste: Option<String>) {
        self.reader.problem_to_paste(
            join(&self.path, path),
            format!("table {} has no column {written}", self.table.name),
            format!("did you mean {meant}?"),
            paste,
        );
    }

    /// Corrects a column that is the value of a key.
    fn value(&mut self, below: &[&str], key: &str, column: &mut String, can_paste: bool) {
        if self.has(column) {
            return;
        }
        let Some(meant) = meant(column, self.columns()) else {
            self.lost += 1;
            return;
        };
        let paste = if can_paste { self.lines(below, key, &text(meant)) } else { None };
        let path = below.iter().copied().chain([key]).collect::<Vec<_>>().join(".");
        self.said(path.strip_suffix(".column").unwrap_or(&path), column, meant, paste);
        meant.clone_into(column);
    }

    fn source(&mut self, below: &[&str], key: &str, source: &mut Source, can_paste: bool) {
        if let Source::Column(column) = source {
            self.value(below, key, column, can_paste);
        }
    }

    /// Corrects columns that are keys of a table in the map. A key is renamed only if the correct key does not exist
    /// as well.
    fn keys<V>(&mut self, below: &str, map: &mut BTreeMap<String, V>, among: &[&str]) {
        let is_slip = |name: &&String| !among.contains(&name.as_str()) && !self.has(name);
        let slips: Vec<String> = map.keys().filter(is_slip).cloned().collect();
        for written in slips {
            let taken = |name: &&str| !map.keys().any(|key| key.eq_ignore_ascii_case(name));
            let free: Vec<&str> = among.iter().copied().chain(self.columns()).filter(taken).collect();
            let found = meant(&written, free.iter().copied());
            if let Some(meant) = found
                && let Some(value) = map.remove(&written)
            {
                self.said(&join(below, &written), &written, meant, None);
                map.insert(meant.to_owned(), value);
            } else {
                self.lost += 1;
            }
        }
    }

    fn when(&mut self, when: &mut When) {
        if let When::Values(values) = when {
            self.keys("when", values, &[]);
        }
    }

    /// Corrects the fields. A field with a wrong name is usually the column that nobody else classified.
    fn fields(&mut self, fields: &mut BTreeMap<String, FieldMap>) {
        self.keys("fields", fields, &[]);
    }

    fn ends<V>(&mut self, ends: &mut BTreeMap<String, V>, own: &[&str], named: &BTreeSet<String>) {
        let joined: Vec<String> = self.table.foreign_keys.iter().map(|key| key.columns.join("+")).collect();
        let known: Vec<&str> =
            named.iter().chain(&joined).map(String::as_str).chain(own.iter().copied()).collect();
        let is_way = |name: &str| name.contains('+') && name.split('+').all(|part| self.has(part.trim()));
        let ways: Vec<String> = ends.keys().filter(|name| is_way(name)).cloned().collect();
        let known: Vec<&str> = known.into_iter().chain(ways.iter().map(String::as_str)).collect();
        self.keys("ends", ends, &known);
    }

    fn customers(&mut self, customers: &mut CustomersMap, named: &BTreeSet<String>) {
        if let TenantSource::From(source) = &mut customers.tenant {
            self.source(&[], "tenant", source, true);
        }
        let form = customers.registered_form == DateForm::new();
        if let Some(source) = &mut customers.registered {
            self.source(&[], "registered", source, form);
        }
        let facts = [
            ("tenants", &mut customers.tenants),
            ("active_subscriptions", &mut customers.active_subscriptions),
            ("unpaid_invoices", &mut customers.unpaid_invoices),
            ("open_disputes", &mut customers.open_disputes),
            ("holds", &mut customers.holds),
        ];
        for (key, source) in facts {
            if let Some(source) = source {
                self.source(&[], key, source, true);
            }
        }
        if let Some(status) = &mut customers.status {
            self.source(&["status"], "column", &mut status.source, true);
        }
        for (name, source) in &mut customers.dates {
            let form = customers.date_forms.get(name).is_none_or(|form| *form == DateForm::new());
            self.source(&["dates"], name, source, form);
        }
        for (name, source) in &mut customers.states {
            self.source(&["states"], name.as_str(), source, true);
        }
        for (name, source) in &mut customers.gateways {
            self.source(&["gateways"], name.as_str(), source, true);
        }
        if let DeactivateMap::Write(writes) = &mut customers.deactivate {
            self.keys("deactivate", writes, &[]);
        }
        if let Some(unknown) = &mut customers.unknown {
            self.keys("unknown_customer.find", &mut unknown.find, &[]);
            self.keys("unknown_customer.create", &mut unknown.create, &[]);
        }
        self.when(&mut customers.when);
        let own = own_ends(&customers.ends.links);
        let own: Vec<&str> = own.iter().map(String::as_str).collect();
        self.ends(&mut customers.ends.links, &own, named);
        self.fields(&mut customers.fields);
    }

    fn record(&mut self, record: &mut RecordMap, known: &Known<'s>) {
        let handle = self.table.handle();
        // A table without a primary key uses its row number.
        let is_written = |key: &&mut Vec<String>| !self.table.primary_key.is_empty() || **key != handle;
        if let Some(key) = record.key.as_mut().filter(is_written) {
            let mut right = key.clone();
            let mut slips = Vec::new();
            for part in right.iter_mut().filter(|part| self.table.column(part).is_none()) {
                let near = meant(part, self.columns()).map(str::to_owned);
                match near.or_else(|| only_key(self.table, key)) {
                    Some(meant) => slips.push((std::mem::replace(part, meant.clone()), meant)),
                    None => self.lost += 1,
                }
            }
            for (written, meant) in slips {
                let paste = self.lines(&[], "key", &list(&right));
                self.said("key", &written, &meant, paste);
            }
            *key = right;
        }
        self.when(&mut record.when);
        self.owner_of_another(record, known);
        let single = record.owner.len() == 1;
        for (n, link) in record.owner.iter_mut().enumerate() {
            let path = if single { "owner".to_owned() } else { format!("owner.first[{n}]") };
            self.link(&path, link, known, single);
        }
        for (n, shared) in record.shared.iter_mut().enumerate() {
            let path = format!("shared[{n}]");
            match shared {
                SharedMap::Own(link) => self.link(&path, link, known, false),
                SharedMap::Of(class, link) => self.shared_of(&path, class, link, known),
            }
        }
        for (name, end) in &mut record.ends.links {
            let path = join(&join(&self.path, "ends"), name);
            if let Some(link) = &mut end.link {
                mend_target(self.reader, &path, &[], link, &known.classes, known.schema);
                for column in &mut link.columns {
                    // A link named after its column is corrected as a key.
                    if column != name {
                        self.value(&["ends", name], "column", column, true);
                    }
                }
            }
        }
        let mut own = own_ends(&record.ends.links);
        own.extend(record.owner.iter().map(name_of));
        own.extend(record.shared.iter().filter_map(|shared| match shared {
            SharedMap::Own(link) => Some(name_of(link)),
            SharedMap::Of(..) => None,
        }));
        let own: Vec<&str> = own.iter().map(String::as_str).collect();
        self.ends(&mut record.ends.links, &own, &known.named);
        // By default, a link's column is the link's own name.
        for (name, end) in &mut record.ends.links {
            if let Some(link) = end.link.as_mut().filter(|link| link.name.as_ref() != Some(name)) {
                link.columns = vec![name.clone()];
                link.name = Some(name.clone());
            }
        }
        self.fields(&mut record.fields);
    }

    /// Corrects an owner that names a link of another class. Whoever has the other record has this one: that is what
    /// `shared` says.
    fn owner_of_another(&mut self, record: &mut RecordMap, known: &Known<'s>) {
        let [LinkRef::Word(word)] = record.owner.as_slice() else { return };
        let Some((class, link)) = word.split_once('.').filter(|_| !self.has(word)) else { return };
        if known.named.contains(word) || !known.classes.contains_key(class) {
            return;
        }
        self.reader.problem(
            join(&self.path, "owner"),
            format!("{word} is a link of {class}, and an owner is a link of the class itself"),
            format!("write shared = {} in place of owner", list_of(word)),
        );
        record.shared.push(SharedMap::Of(class.into(), link.to_owned()));
        record.owner.clear();
    }

    /// Corrects a link that starts at this class.
    fn link(&mut self, path: &str, link: &mut LinkRef, known: &Known<'s>, can_paste: bool) {
        match link {
            LinkRef::Word(word) => {
                if self.has(word) || known.named.contains(word) {
                    return;
                }
                let names = known.named.iter().map(String::as_str).chain(self.columns());
                // If no name is similar, suggest the only foreign key to the customers.
                let mut to_root = self.table.foreign_keys.iter().filter(|key| {
                    key.columns.len() == 1 && key.to_table.eq_ignore_ascii_case(&known.customers)
                });
                let only = match (to_root.next(), to_root.next()) {
                    (Some(key), None) => key.columns.first().map(String::as_str),
                    _ => None,
                };
                let Some(meant) = meant(word, names).or(only).map(str::to_owned) else {
                    self.lost += 1;
                    return;
                };
                let paste = if can_paste { self.lines(&[], "owner", &text(&meant)) } else { None };
                self.said(path, word, &meant, paste);
                *word = meant;
            }
            LinkRef::Full(link) => {
                let at = join(&self.path, path);
                mend_target(self.reader, &at, &[], link, &known.classes, known.schema);
                for column in &mut link.columns {
                    if self.has(column) {
                        continue;
                    }
                    let Some(meant) = meant(column, self.columns()) else {
                        self.lost += 1;
                        continue;
                    };
                    self.said(path, column, meant, None);
                    meant.clone_into(column);
                }
                self.when(&mut link.when);
            }
        }
    }

    /// Corrects a link of another class.
    fn shared_of(&mut self, path: &str, class: &mut ClassName, link: &mut String, known: &Known<'s>) {
        let at = join(&self.path, path);
        if !known.classes.contains_key(class) {
            let names = known.classes.keys().map(ClassName::as_str);
            let Some(meant) = meant(class.as_str(), names) else { return };
            let what = format!("{class} is no record class");
            self.reader.problem(&at, what, format!("did you mean {meant}?"));
            *class = meant.into();
        }
        let Some(table) = known.classes.get(class).and_then(|table| known.schema.table(table)) else {
            return;
        };
        let ends = known.records.get(class);
        let is_known = known.named.contains(link)
            || table.column(link).is_some()
            || link.contains('+')
            || ends.is_some_and(|ends| ends.contains(link));
        if is_known {
            return;
        }
        let columns = table.columns.iter().map(|column| column.name.as_str());
        let names = known.named.iter().chain(ends.into_iter().flatten()).map(String::as_str);
        let all: Vec<&str> = names.chain(columns).collect();
        if let Some(meant) = meant(link, all.iter().copied()) {
            let what = format!("table {} has no column {link}", table.name);
            self.reader.problem(&at, what, suggest(link, [meant]));
            meant.clone_into(link);
        }
    }
}

/// The names of ends that define their own links.
fn own_ends(ends: &BTreeMap<String, super::links::EndMap>) -> Vec<String> {
    let own = ends.iter().filter(|(name, end)| {
        end.link.as_ref().is_some_and(|link| link.columns.len() != 1 || link.columns.first() != Some(*name))
    });
    own.map(|(name, _)| name.clone()).collect()
}

/// One name as a list.
fn list_of(name: &str) -> String {
    format!("[{}]", text(name))
}

/// The name by which `ends` can refer to a link.
fn name_of(link: &LinkRef) -> String {
    match link {
        LinkRef::Word(word) => word.clone(),
        LinkRef::Full(link) => link.name.clone().unwrap_or_else(|| link.columns.join("+")),
    }
}

/// Merges the problems of several classes that name one link, if the map has no link of this name and no table has such a
/// column: the link is missing, or all misspell it.
pub(super) fn fold_missing_links(problems: Vec<Problem>, map: &SqlMap) -> Vec<Problem> {
    let missed = |problem: &Problem| {
        let (class, place) = problem.path.strip_prefix("records.")?.split_once('.')?;
        let is_link = ["owner", "shared", "ends"].iter().any(|key| place.starts_with(key));
        let (_, word) = problem.what.strip_prefix("table ")?.split_once(" has no column ")?;
        is_link.then(|| (word.to_owned(), class.to_owned()))
    };
    let mut users: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (word, class) in problems.iter().filter_map(missed) {
        users.entry(word).or_default().insert(class);
    }
    // The tables of one shape have one mistake, which is merged with the shape.
    let shapes = |classes: &BTreeSet<String>| {
        let of_class = |class: &String| {
            map.records
                .get(class.as_str())
                .map(|record| (record.alike, record.alike.is_none().then_some(class.clone())))
        };
        classes.iter().map(of_class).collect::<BTreeSet<_>>().len()
    };
    users.retain(|_, classes| shapes(classes) > 1);
    let mut folded: Vec<Problem> = Vec::new();
    for problem in problems {
        let Some((word, classes)) = missed(&problem).and_then(|(word, _)| users.get_key_value(&word)) else {
            folded.push(problem);
            continue;
        };
        let path = join("links", word);
        let to_link = map.links.keys().any(|name| problem.way_out == format!("did you mean {name}?"));
        if folded.iter().any(|known| known.path == path) {
            continue;
        }
        let classes: Vec<&str> = classes.iter().map(String::as_str).collect();
        let way_out = if to_link {
            problem.way_out
        } else {
            format!("write {path} = {{ column = \"…\", to = \"…\" }}, or the column of each")
        };
        let what = format!(
            "is missing: {} name such a link, and their tables have no such column",
            classes.join(", ")
        );
        folded.push(Problem { path, what, way_out, paste: None });
    }
    folded
}

/// Merges the same problem of all classes of an `[[alike]]` group into one.
pub(super) fn fold_alike(problems: Vec<Problem>, map: &SqlMap) -> Vec<Problem> {
    let group_of = |path: &str| {
        map.records.iter().find_map(|(name, record)| {
            let rest = path.strip_prefix(&join("records", name.as_str()))?;
            let rest = rest.strip_prefix('.').or_else(|| rest.is_empty().then_some(""))?;
            Some((record.alike?, name.as_str(), rest.to_owned()))
        })
    };
    let mut folded: Vec<Problem> = Vec::new();
    let mut groups: BTreeMap<(usize, String, String), (usize, Vec<String>)> = BTreeMap::new();
    for mut problem in problems {
        let Some((n, class, rest)) = group_of(&problem.path) else {
            folded.push(problem);
            continue;
        };
        // Columns that nobody classified are other ones in each table, and the shape lacks one line for all of them.
        let is_open = rest == "fields" && problem.what.starts_with("nobody classified");
        let way_out = problem.way_out.replace(&format!("records.{class}."), "");
        let way_out = way_out.replace(&format!("\"{class}."), "");
        let way_out = if is_open { String::new() } else { way_out };
        match groups.entry((n, rest.clone(), way_out)) {
            std::collections::btree_map::Entry::Vacant(entry) => {
                entry.insert((folded.len(), vec![class.to_owned()]));
                problem.path = join(&format!("alike[{n}]"), &rest);
                folded.push(problem);
            }
            std::collections::btree_map::Entry::Occupied(mut entry) => {
                let (at, classes) = entry.get_mut();
                classes.push(class.to_owned());
                if let Some(first) = folded.get_mut(*at) {
                    if is_open {
                        let columns = problem.what.split_once(" of ").map_or("", |(_, columns)| columns);
                        let _ = write!(first.what, "; of {columns}");
                        let _ = write!(first.way_out, "; {}", problem.way_out);
                    }
                    first.paste = match (first.paste.take(), problem.paste) {
                        (Some(one), Some(other)) => Some(format!("{one}\n{other}")),
                        _ => None,
                    };
                }
            }
        }
    }
    for (at, classes) in groups.into_values().filter(|(_, classes)| classes.len() > 1) {
        let others = classes.get(1..).unwrap_or_default().join(", ");
        // The columns of each class are listed already.
        let listed = |problem: &&mut Problem| !problem.what.starts_with("nobody classified");
        if let Some(problem) = folded.get_mut(at).filter(listed) {
            let _ = write!(problem.what, ", and likewise for {others}");
        }
    }
    folded
}

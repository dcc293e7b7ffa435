//! Reads whole records, page by page.
//!
//! The records of a class are paged by the [handle](BoundClass::handle) of their rows, which is unique and never NULL.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Frame;
use super::page::Part;
use crate::data_map::{FieldName, LinkRole, Value};
use crate::store::read::{no_such_class, not_our_cursor};
use crate::store::sql::bind::BoundClass;
use crate::store::sql::cell::Cell;
use crate::store::sql::fault::{Fault, Trouble};
use crate::store::sql::session::{Purpose, Row, Session};
use crate::store::sql::spelling::{columns, flag, listed, quoted};
use crate::store::sql::way::BoundLink;
use crate::store::sql::whose::{
    From, Set, Touched, Toward, Ways, handle_names, is_row, of_class, same_handle,
};
use crate::store::{Cursor, Had, ReadRecord, ReadRequest, RecordPage, StoreError, Whose};

/// The most rows for which a page has room before they are read.
const ROOM: usize = 1_000;

/// Where a page begins: the place of the customer, and the handle of the last row.
#[derive(Serialize, Deserialize)]
struct Place {
    customer: usize,
    handle: Vec<Part>,
}

impl Place {
    fn of(cursor: &Cursor, parts: usize) -> Option<Self> {
        serde_json::from_str(cursor.as_str()).ok().filter(|place: &Self| place.handle.len() == parts)
    }
}

/// A field of a class with the link that says whose it is.
struct Foreign<'b> {
    /// The places among the fields that are read.
    places: Vec<usize>,
    link: &'b BoundLink,
    /// Whether the fields are somebody else's if the link leads to nobody.
    if_nobodys: bool,
}

/// What is read of a class.
struct Reading<'b> {
    number: usize,
    class: &'b BoundClass,
    fields: Arc<[FieldName]>,
    foreign: Vec<Foreign<'b>>,
}

impl Frame {
    /// The class of a request, and its fields that are columns.
    fn reading(&self, request: &ReadRequest) -> Result<Reading<'_>, StoreError> {
        let found = self.bound.classes.iter().enumerate().find(|(_, class)| class.name == request.class);
        let described = self.bound.data_map.class(request.class.as_str());
        let (Some((number, class)), Some(described)) = (found, described) else {
            return Err(no_such_class(&request.class));
        };
        let is_column = |name: &&FieldName| !class.json.contains_key(*name);
        let fields: Arc<[FieldName]> =
            described.fields().iter().map(crate::data_map::Field::name).filter(is_column).cloned().collect();
        let foreign = self.foreign(class, &fields);
        Ok(Reading { number, class, fields, foreign })
    }

    /// The fields that may be somebody else's than the record's owner.
    fn foreign<'b>(&'b self, class: &'b BoundClass, fields: &[FieldName]) -> Vec<Foreign<'b>> {
        let root = &self.bound.customers.class;
        let is_only_way = |link: &BoundLink| {
            link.role == LinkRole::Owner
                && !class.is_shared
                && class.links.iter().filter(|other| other.role != LinkRole::End).count() == 1
        };
        let place = |name: &str| fields.iter().position(|field| field.as_str().eq_ignore_ascii_case(name));
        let mut foreign = Vec::new();
        for link in &class.links {
            let of = fields.iter().enumerate().filter(|(_, field)| class.is_of(field.as_str(), link));
            let of: Vec<usize> = of.map(|(place, _)| place).collect();
            if !of.is_empty() {
                foreign.push(Foreign { places: of, link, if_nobodys: true });
            }
            let leads_to_customer = link.heads == [root.clone()] && link.hops.is_empty() && !link.by_value;
            if leads_to_customer && !is_only_way(link) {
                let places = link.columns.iter().filter_map(|column| place(column)).collect();
                foreign.push(Foreign { places, link, if_nobodys: false });
            }
        }
        foreign
    }

    /// Whether the link of a row leads to a record of the row's customer: 1, to somebody else's: 0, to nobody: NULL.
    fn leads_home(&self, class: &BoundClass, link: &BoundLink) -> String {
        let ways = Ways { bound: &self.bound };
        let heads = self.bound.classes.iter().enumerate().filter(|(_, head)| link.heads.contains(&head.name));
        let each: Vec<String> = heads
            .map(|(number, head)| {
                let end = "relinquish_e";
                let is_home = format!(
                    "EXISTS (SELECT 1 FROM {} AS relinquish_h WHERE relinquish_h.n = relinquish_r.n AND {})",
                    Set::Touched.of(&self.bound, number),
                    is_row(head, end, "relinquish_h")
                );
                let value = format!("max({})", flag(&is_home));
                ways.scalar(link, class, head, (&quoted(&class.table), end), &value)
            })
            .collect();
        match each.as_slice() {
            [one] => one.clone(),
            several => format!("coalesce({})", several.join(", ")),
        }
    }

    /// The rows of a class that customers of the batch have, and rows of others with fields that are theirs.
    fn source(&self, reading: &Reading<'_>) -> String {
        let (class, number) = (reading.class, reading.number);
        let touched = Touched::by_link(&self.bound, class, number);
        if touched.is_without_set() {
            return touched.rows();
        }
        let handle = handle_names(class);
        let set = Set::Touched.of(&self.bound, number);
        let mut each = vec![format!("SELECT n, {handle}, had, 0 AS other FROM {set} WHERE beside = 0")];
        let ways = Ways { bound: &self.bound };
        let names: Vec<String> = class
            .handle
            .iter()
            .enumerate()
            .map(|(part, column)| format!("x.{} AS h{part}", quoted(column)))
            .collect();
        let gives = format!("relinquish_r.n AS n, {}", names.join(", "));
        for link in class.links.iter().filter(|link| class.has_fields_of(link)) {
            for (at, head) in self.bound.classes.iter().enumerate() {
                if link.heads.contains(&head.name) {
                    let from = From::set(&self.bound, Set::Touched, at);
                    let along = ways.along(link, class, head, Toward::Foot, &from, &gives, None).sql;
                    let is_there = format!(
                        "EXISTS (SELECT 1 FROM {set} AS t WHERE t.n = named.n AND {})",
                        same_handle(class, "t", "named")
                    );
                    // UNION, because several links may name the customer in one row.
                    each.push(format!(
                        "SELECT n, {handle}, 0, 1 FROM (SELECT * FROM ({along}) AS found) AS named WHERE NOT {is_there}"
                    ));
                }
            }
        }
        let table = quoted(&class.table);
        let on = is_row(class, &table, "relinquish_r");
        format!(
            "FROM ({}) AS relinquish_r{}",
            each.join(" UNION "),
            self.bound.dialect.then(&self.bound.table(&class.table), &table, &on)
        )
    }

    pub(crate) fn read_records(
        &self,
        session: &mut dyn Session,
        request: &ReadRequest,
    ) -> Result<Result<RecordPage, StoreError>, Trouble> {
        let reading = match self.reading(request) {
            Ok(reading) => reading,
            Err(error) => return Ok(Err(error)),
        };
        let place = match &request.after {
            None => None,
            Some(cursor) => match Place::of(cursor, reading.class.handle.len()) {
                Some(place) => Some(place),
                None => return Ok(Err(not_our_cursor())),
            },
        };
        let at = Trouble::at(&reading.class.name);
        let mut transaction = session.transaction(Purpose::Read)?;
        self.same_schema(&mut *transaction)?;
        let page = match &request.whose {
            Whose::Everybody => self.read_everybody(&mut *transaction, request, &reading, place)?,
            Whose::Of(customers) => {
                // Customers before the place are read.
                let first = place.as_ref().map_or(0, |place| place.customer);
                let Some(rest) = customers.get(first..).filter(|rest| !rest.is_empty()) else {
                    return Ok(Ok(RecordPage::new(reading.fields, Vec::new(), None)));
                };
                self.fill(&mut *transaction, rest.iter())?;
                // A direct link leads from the batch itself to the rows.
                let is_plain = self.is_found_by_batch(&reading);
                if !is_plain {
                    self.find_each(&mut *transaction, &self.held, std::iter::empty())?;
                }
                let read = self.read_batch(&mut *transaction, request, &reading, place, first);
                read.map_err(|trouble| Trouble { class: trouble.class, ..trouble })?
            }
        };
        transaction.commit().map_err(at)?;
        Ok(Ok(page))
    }

    /// Whether the rows of a class are found from the batch, and need nothing that has to be found first.
    fn is_found_by_batch(&self, reading: &Reading<'_>) -> bool {
        let mut owners = reading.class.links.iter().filter(|link| link.role != LinkRole::End);
        let is_direct = |link: &BoundLink| link.heads == [self.bound.customers.class.clone()];
        reading.foreign.is_empty()
            && Touched::by_link(&self.bound, reading.class, reading.number).is_without_set()
            && owners.all(is_direct)
    }

    fn read_everybody(
        &self,
        session: &mut dyn Session,
        request: &ReadRequest,
        reading: &Reading<'_>,
        place: Option<Place>,
    ) -> Result<RecordPage, Trouble> {
        let class = reading.class;
        let table = quoted(&class.table);
        let handle = listed(&table, &class.handle);
        let mut parameters = vec![count(request.limit)];
        let after = self.after(class, &table, place.as_ref(), &mut parameters)?;
        let sql = format!(
            "SELECT {handle}, {} FROM {} AS {table} WHERE {after}{} ORDER BY {handle} LIMIT {}",
            listed(&table, &names(&reading.fields)),
            self.bound.table(&class.table),
            of_class(&self.bound, &table, &class.rows),
            self.bound.dialect.parameter(1),
        );
        self.page_of(session, request, reading, (&sql, &parameters), |_, _| Ok(ReadRecord::default()), 0)
    }

    fn read_batch(
        &self,
        session: &mut dyn Session,
        request: &ReadRequest,
        reading: &Reading<'_>,
        place: Option<Place>,
        first: usize,
    ) -> Result<RecordPage, Trouble> {
        let class = reading.class;
        let table = quoted(&class.table);
        let handle = listed(&table, &class.handle);
        let is_in_set = !Touched::by_link(&self.bound, class, reading.number).is_without_set();
        let homes: Vec<String> =
            reading.foreign.iter().map(|foreign| self.leads_home(class, foreign.link)).collect();
        let known = if is_in_set { "relinquish_r.had, relinquish_r.other" } else { "0, 0" };
        let gives: Vec<String> = [known.to_owned()].into_iter().chain(homes).collect();
        let mut parameters = vec![count(request.limit)];
        let after = self.after(class, &table, place.as_ref(), &mut parameters)?;
        let is_one = matches!(&request.whose, Whose::Of(customers) if customers.len() == first + 1);
        // With one customer, an index gives the rows in order. The first of several is the one in whose records the
        // last page ended.
        let (which, order) = if is_one {
            (format!("relinquish_r.n = 0 AND {after}"), handle.clone())
        } else {
            (format!("(relinquish_r.n > 0 OR {after})"), format!("relinquish_r.n, {handle}"))
        };
        let sql = format!(
            "SELECT {handle}, {}, relinquish_r.n, {} {} WHERE {which} ORDER BY {order} LIMIT {}",
            listed(&table, &names(&reading.fields)),
            gives.join(", "),
            self.source(reading),
            self.bound.dialect.parameter(1),
        );
        let behind = class.handle.len() + reading.fields.len();
        let known = |row: &dyn Row, first: usize| {
            let mut record = ReadRecord::new(first + row.natural::<usize>(behind)?, Vec::new());
            let (is_shared, is_other) = (row.flag(behind + 1)?, row.flag(behind + 2)?);
            record.had = match (is_shared, is_other) {
                (_, true) => Had::ByOthers,
                (true, false) => Had::Shared,
                (false, false) => Had::Alone,
            };
            let mut own = Vec::new();
            for (n, foreign) in reading.foreign.iter().enumerate() {
                let is_others = match row.cell(behind + 3 + n)? {
                    Cell::Null => foreign.if_nobodys,
                    _ => !row.flag(behind + 3 + n)?,
                };
                let list = if is_others { &mut record.of_others } else { &mut own };
                list.extend(&foreign.places);
            }
            if is_other {
                // Only what is this customer's in the record of others.
                let of: Vec<usize> = reading
                    .foreign
                    .iter()
                    .filter(|foreign| foreign.if_nobodys)
                    .flat_map(|foreign| foreign.places.iter().copied())
                    .filter(|place| own.contains(place) && !record.of_others.contains(place))
                    .collect();
                record.of_others = (0..reading.fields.len()).filter(|place| !of.contains(place)).collect();
            }
            record.of_others.sort_unstable();
            record.of_others.dedup();
            Ok(record)
        };
        self.page_of(session, request, reading, (&sql, &parameters), known, first)
    }

    /// The condition that a row comes after the last page.
    fn after(
        &self,
        class: &BoundClass,
        table: &str,
        place: Option<&Place>,
        parameters: &mut Vec<Value>,
    ) -> Result<String, Trouble> {
        let Some(place) = place else { return Ok("TRUE".to_owned()) };
        let mut places = Vec::with_capacity(place.handle.len());
        for part in &place.handle {
            let bound = part.bind(self.bound.dialect, parameters.len() + 1);
            let (value, sql) = bound.ok_or_else(|| Fault::Other("the cursor cannot be read".to_owned()))?;
            parameters.push(value);
            places.push(sql);
        }
        let places = if places.len() == 1 { places.concat() } else { format!("({})", places.join(", ")) };
        Ok(format!("{} > {places}", columns(table, &class.handle)))
    }

    /// The rows of a statement: handle, fields, and what `known` reads behind them.
    fn page_of(
        &self,
        session: &mut dyn Session,
        request: &ReadRequest,
        reading: &Reading<'_>,
        (sql, parameters): (&str, &[Value]),
        known: impl Fn(&dyn Row, usize) -> Result<ReadRecord, Fault>,
        first: usize,
    ) -> Result<RecordPage, Trouble> {
        let parts = reading.class.handle.len();
        let mut records = Vec::with_capacity(request.limit.min(ROOM));
        let mut last = None;
        let read = session.query(sql, parameters, &mut |row| {
            let mut record = known(row, first)?;
            record.values.reserve_exact(reading.fields.len());
            for place in 0..reading.fields.len() {
                record.values.push(exact(row.cell(parts + place)?));
            }
            if records.len() + 1 == request.limit {
                let handle = (0..parts).map(|part| Ok(Part::of(row.cell(part)?)));
                let handle = handle.collect::<Result<Option<Vec<Part>>, Fault>>()?;
                last = handle.map(|handle| Place { customer: record.customer, handle });
            }
            records.push(record);
            Ok(())
        });
        read.map_err(Trouble::at(&reading.class.name))?;
        let failed = |error: serde_json::Error| Fault::Other(format!("the place cannot be written: {error}"));
        let next = last.map(|last| serde_json::to_string(&last)).transpose().map_err(failed)?;
        Ok(RecordPage::new(Arc::clone(&reading.fields), records, next.map(Cursor::new)))
    }
}

/// The value as it is stored. A text that is not UTF-8 comes as bytes.
fn exact(cell: Cell<'_>) -> Value {
    match cell {
        Cell::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => Value::Text(text.to_owned()),
            Err(_) => Value::Blob(bytes.to_vec()),
        },
        other => other.to_value(),
    }
}

fn count(limit: usize) -> Value {
    Value::Integer(i64::try_from(limit).unwrap_or(i64::MAX))
}

fn names(fields: &[FieldName]) -> Vec<String> {
    fields.iter().map(|field| field.as_str().to_owned()).collect()
}

//! Pages of customers, by key.
//!
//! A cursor holds the last row's key as the database stores it, each value with its storage class. No spelling of an
//! id is involved, so a page always begins right after the previous page.

use serde::{Deserialize, Serialize};

use super::Frame;
use super::facts::Seen;
use crate::data_map::Value;
use crate::hex;
use crate::store::sql::cell::Cell;
use crate::store::sql::dialect::Dialect;
use crate::store::sql::fault::{Fault, Trouble};
use crate::store::sql::session::{Row, Session};
use crate::store::sql::spelling::{columns, listed, quoted};
use crate::store::sql::whose::{of_class, stand_in_sql};
use crate::store::{Cursor, Page, PageRequest, RegistrationPage};

/// The most customers for whom a page has room before they are read.
const ROOM: usize = 1_000;

/// One value of a key.
#[derive(Serialize, Deserialize)]
pub(super) enum Part {
    #[serde(rename = "i")]
    Integer(i64),
    /// The bits of a floating-point number.
    #[serde(rename = "r")]
    Real(u64),
    /// The bytes of a text in hexadecimal. The text may not be UTF-8.
    #[serde(rename = "t")]
    Text(String),
    #[serde(rename = "b")]
    Blob(String),
}

impl Part {
    /// The part of a stored value. `None` for NULL, which no paged key contains.
    pub(super) fn of(value: Cell<'_>) -> Option<Self> {
        match value {
            Cell::Null => None,
            Cell::Integer(number) => Some(Self::Integer(number)),
            Cell::Real(number) => Some(Self::Real(number.to_bits())),
            Cell::Text(bytes) => Some(Self::Text(hex::encode(bytes))),
            Cell::Blob(bytes) => Some(Self::Blob(hex::encode(bytes))),
        }
    }

    /// The part of a value. `None` for NULL.
    pub(super) fn of_value(value: &Value) -> Option<Self> {
        match value {
            Value::Null => None,
            Value::Integer(number) => Some(Self::Integer(*number)),
            Value::Real(number) => Some(Self::Real(number.to_bits())),
            Value::Text(text) => Some(Self::Text(hex::encode(text))),
            Value::Blob(bytes) => Some(Self::Blob(hex::encode(bytes))),
        }
    }

    /// The value. `None` for a text that is not UTF-8.
    pub(super) fn value(&self) -> Option<Value> {
        Some(match self {
            Self::Integer(number) => Value::Integer(*number),
            Self::Real(bits) => Value::Real(f64::from_bits(*bits)),
            Self::Text(bytes) => Value::Text(String::from_utf8(hex::decode(bytes).ok()?).ok()?),
            Self::Blob(bytes) => Value::Blob(hex::decode(bytes).ok()?),
        })
    }

    /// The parameter's value, and the SQL that uses it.
    pub(super) fn bind(&self, dialect: &dyn Dialect, place: usize) -> Option<(Value, String)> {
        let place = dialect.parameter(place);
        Some(match self {
            Self::Integer(number) => (Value::Integer(*number), place),
            Self::Real(bits) => (Value::Real(f64::from_bits(*bits)), place),
            Self::Text(bytes) => {
                let bytes = hex::decode(bytes).ok()?;
                match String::from_utf8(bytes) {
                    Ok(text) => (Value::Text(text), place),
                    Err(error) => (Value::Blob(error.into_bytes()), dialect.text_of_bytes(&place)),
                }
            }
            Self::Blob(bytes) => (Value::Blob(hex::decode(bytes).ok()?), place),
        })
    }
}

impl Frame {
    pub(crate) fn page(&self, session: &mut dyn Session, request: &PageRequest) -> Result<Page, Trouble> {
        let Some(root) = self.bound.root() else { return Ok(Page::default()) };
        let (mut seen, at) = (Seen::default(), root.key.len());
        let mut customers = Vec::with_capacity(request.limit.min(ROOM));
        let next = self.each(session, request, &[self.facts.columns().to_owned()], &mut |row| {
            customers.push(self.facts.read(row, at, &mut seen)?);
            Ok(())
        })?;
        Ok(Page::new(customers, next))
    }

    pub(crate) fn registrations(
        &self,
        session: &mut dyn Session,
        request: &PageRequest,
    ) -> Result<RegistrationPage, Trouble> {
        let mut seen = Seen::default();
        let mut customers = Vec::with_capacity(request.limit.min(ROOM));
        let next = self.each(session, request, self.facts.of_registration(), &mut |row| {
            customers.push(self.facts.read_registration(row, &mut seen)?);
            Ok(())
        })?;
        Ok(RegistrationPage::new(customers, next))
    }

    /// Reads some columns of each customer of a page, after the key. Returns the cursor of the next page.
    fn each(
        &self,
        session: &mut dyn Session,
        request: &PageRequest,
        gives: &[String],
        read: &mut dyn FnMut(&dyn Row) -> Result<(), Fault>,
    ) -> Result<Option<Cursor>, Trouble> {
        let Some(root) = self.bound.root() else { return Ok(None) };
        let table = quoted(&root.table);
        let key = columns(&table, &root.key);
        let listed = listed(&table, &root.key);
        let gives = [std::slice::from_ref(&listed), gives].concat().join(", ");
        let mut values = vec![Value::Integer(i64::try_from(request.limit).unwrap_or(i64::MAX))];
        let mut after = "TRUE".to_owned();
        if let Some(cursor) = &request.after {
            let mut places = Vec::new();
            for (value, place) in places_of(self.bound.dialect, cursor, root.key.len())? {
                values.push(value);
                places.push(place);
            }
            let places = if places.len() == 1 { places.concat() } else { format!("({})", places.join(", ")) };
            after = format!("{key} > {places}");
        }
        let is_there: Vec<String> =
            root.key.iter().map(|column| format!("{table}.{} IS NOT NULL", quoted(column))).collect();
        let which = if request.stand_ins { "" } else { "NOT " };
        let sql = format!(
            "SELECT {gives} FROM {} AS {table} WHERE {after} AND {}{} AND {which}coalesce({}, FALSE)
             ORDER BY {listed} LIMIT {}",
            self.bound.table(&root.table),
            is_there.join(" AND "),
            of_class(&self.bound, &table, &root.rows),
            stand_in_sql(self.bound.dialect, self.customers(), &table),
            self.bound.dialect.parameter(1),
        );
        let (mut last, mut count) = (None, 0);
        session.query(&sql, &values, &mut |row| {
            read(row)?;
            count += 1;
            if count == request.limit {
                let parts = (0..root.key.len()).map(|part| Ok(Part::of(row.cell(part)?)));
                last = parts.collect::<Result<Option<Vec<Part>>, Fault>>()?;
            }
            Ok(())
        })?;
        let failed = |error: serde_json::Error| Fault::Other(format!("the place cannot be written: {error}"));
        let next = last.map(|last| serde_json::to_string(&last)).transpose().map_err(failed)?;
        Ok(next.map(Cursor::new))
    }
}

/// The values of a cursor, each with the SQL that uses it.
fn places_of(dialect: &dyn Dialect, cursor: &Cursor, parts: usize) -> Result<Vec<(Value, String)>, Trouble> {
    let list: Option<Vec<Part>> = serde_json::from_str(cursor.as_str()).ok();
    let list = list.filter(|list| list.len() == parts);
    // The first parameter is the limit.
    let bound =
        list.and_then(|list| list.iter().zip(2..).map(|(part, place)| part.bind(dialect, place)).collect());
    bound.ok_or_else(|| {
        let what = "the cursor is not of this store and this map; begin with the first page";
        Fault::Other(what.to_owned()).into()
    })
}

//! The customers of a batch, in a table of the session's own.

use std::collections::HashMap;

use super::Frame;
use crate::customer::{Customer, CustomerId};
use crate::data_map::{Datatype, Value};
use crate::store::sql::fault::{Fault, Trouble};
use crate::store::sql::keys;
use crate::store::sql::session::{Purpose, Session};
use crate::store::sql::spelling::{columns, quoted};
use crate::store::sql::whose::{BATCH, of_class};

impl Frame {
    /// The facts of customers, those of them that are there.
    pub(crate) fn facts_of(
        &self,
        session: &mut dyn Session,
        customers: &[CustomerId],
    ) -> Result<Vec<Customer>, Trouble> {
        let mut transaction = session.transaction(Purpose::Read)?;
        self.fill(&mut *transaction, customers.iter())?;
        let facts = self.batch_facts(&mut *transaction)?;
        transaction.commit()?;
        Ok(facts.into_values().collect())
    }

    /// Puts customers into the batch table, numbered from 0. An id that is not spelled as the key columns spell it belongs
    /// to nobody.
    pub(super) fn fill<'i>(
        &self,
        session: &mut dyn Session,
        customers: impl Iterator<Item = &'i CustomerId>,
    ) -> Result<(), Trouble> {
        let types = self.key_types();
        let spelled = |value: &Value| match value {
            Value::Blob(bytes) => serde_json::json!(["b", hex::encode(bytes)]),
            Value::Integer(number) => serde_json::json!(["i", number]),
            Value::Real(number) => serde_json::json!(["r", number]),
            Value::Text(text) => serde_json::json!(["t", text]),
            Value::Null => serde_json::json!(["n", null]),
        };
        let ways: Vec<Vec<Vec<Value>>> =
            customers.map(|customer| keys::read(customer.as_str(), &types).unwrap_or_default()).collect();
        session.execute(&format!("DELETE FROM {BATCH}"), &[])?;
        if let Some(keys) = plain_keys(&ways) {
            return fill_plain(session, types.len(), &keys);
        }
        let mut ids = Vec::new();
        for (n, ways) in ways.iter().enumerate() {
            if ways.is_empty() {
                ids.push(serde_json::json!({ "n": n, "way": 0, "key": [] }));
            }
            for (way, parts) in ways.iter().enumerate() {
                let key: Vec<serde_json::Value> = parts.iter().map(spelled).collect();
                ids.push(serde_json::json!({ "n": n, "way": way, "key": key }));
            }
        }
        let ids =
            serde_json::to_string(&ids).map_err(|_| Fault::Other("ids cannot be written".to_owned()))?;
        let parts = 0..types.len();
        let names: Vec<String> = parts.clone().map(|part| format!("k{part}")).collect();
        let values: Vec<String> = parts
            .map(|part| {
                let at = |n: usize| format!("json_extract(value, '$.key[{part}][{n}]')");
                format!(
                    "CASE {} WHEN 'b' THEN relinquish_bytes({}) ELSE {} END AS k{part}",
                    at(0),
                    at(1),
                    at(1)
                )
            })
            .collect();
        let map = self.customers();
        let is_there: Vec<String> =
            map.key.iter().zip(&names).map(|(key, name)| format!("x.{} = way.{name}", quoted(key))).collect();
        // Of several ways to read an id the one counts that is somebody's.
        let sql = format!(
            "INSERT OR REPLACE INTO {BATCH} (n, {names}) SELECT n, {names} FROM (
                 SELECT json_extract(value, '$.n') AS n, json_extract(value, '$.way') AS way, {values} FROM json_each(?1)
             ) AS way ORDER BY n, EXISTS (SELECT 1 FROM main.{table} AS x WHERE way.way > 0 AND {is_there}), way DESC",
            names = names.join(", "),
            values = values.join(", "),
            table = quoted(&map.table),
            is_there = is_there.join(" AND "),
        );
        session.execute(&sql, &[Value::Text(ids)])?;
        Ok(())
    }

    /// The types of the columns of the customers' key.
    fn key_types(&self) -> Vec<Datatype> {
        let root = self.bound.data_map.class(self.bound.data_map.root().as_str());
        let datatype = |column: &String| {
            root.and_then(|root| root.find(column))
                .map_or(Datatype::Any, |field| field.constraints().datatype)
        };
        self.bound.root().map_or_else(Vec::new, |root| root.key.iter().map(datatype).collect())
    }

    /// True of the rows of customers of the batch.
    pub(super) fn in_batch(&self, which: &str) -> String {
        let map = self.customers();
        let names: Vec<String> = (0..map.key.len()).map(|part| format!("k{part}")).collect();
        let own = self.bound.root().map_or(&[][..], |root| &root.key);
        format!("{} IN (SELECT {} FROM {BATCH}{which})", columns(&quoted(&map.table), own), names.join(", "))
    }

    /// Takes customers out of the batch table again.
    pub(super) fn leave_out(session: &mut dyn Session, numbers: &[usize]) -> Result<(), Trouble> {
        if numbers.is_empty() {
            return Ok(());
        }
        let list = format!("{numbers:?}");
        let sql = format!("DELETE FROM {BATCH} WHERE n IN (SELECT value FROM json_each(?1))");
        session.execute(&sql, &[Value::Text(list)])?;
        Ok(())
    }

    /// The facts of the batch, by number.
    pub(super) fn batch_facts(&self, session: &mut dyn Session) -> Result<HashMap<usize, Customer>, Trouble> {
        let table = quoted(&self.customers().table);
        let Some(root) = self.bound.root() else { return Ok(HashMap::new()) };
        let same: Vec<String> = root
            .key
            .iter()
            .enumerate()
            .map(|(part, key)| format!("{table}.{} = relinquish_b.relinquish_{part}", quoted(key)))
            .collect();
        let parts: Vec<String> =
            (0..root.key.len()).map(|part| format!("k{part} AS relinquish_{part}")).collect();
        // Names that scalar SQL of the host's cannot mean.
        let sql = format!(
            "SELECT relinquish_b.relinquish_n, {} FROM (SELECT n AS relinquish_n, {} FROM {BATCH}) AS relinquish_b
             CROSS JOIN main.{table} AS {table} ON {}{}",
            self.facts.columns(),
            parts.join(", "),
            same.join(" AND "),
            of_class(&table, &root.rows),
        );
        let facts = session.rows(&sql, &[], |row| Ok((row.natural(0)?, self.facts.read(row, 1)?)))?;
        Ok(facts.into_iter().collect())
    }
}

/// The keys of a batch as JSON says them, NULL for nobody's; where each id is read in one way at most, and as what JSON
/// has.
fn plain_keys(ways: &[Vec<Vec<Value>>]) -> Option<Vec<serde_json::Value>> {
    let plain = |value: &Value| match value {
        Value::Integer(number) => Some(serde_json::json!(number)),
        Value::Text(text) => Some(serde_json::json!(text)),
        Value::Blob(_) | Value::Real(_) | Value::Null => None,
    };
    let key = |ways: &Vec<Vec<Value>>| match ways.as_slice() {
        [] => Some(serde_json::Value::Null),
        [key] => match key.as_slice() {
            [part] => plain(part),
            parts => parts.iter().map(plain).collect::<Option<Vec<_>>>().map(serde_json::Value::Array),
        },
        _ => None,
    };
    ways.iter().map(key).collect()
}

/// Puts such keys into the batch table, each under its place in the list.
fn fill_plain(session: &mut dyn Session, parts: usize, keys: &[serde_json::Value]) -> Result<(), Trouble> {
    let keys = serde_json::to_string(keys).map_err(|_| Fault::Other("ids cannot be written".to_owned()))?;
    let names: Vec<String> = (0..parts).map(|part| format!("k{part}")).collect();
    let values: Vec<String> = if parts == 1 {
        vec!["value".to_owned()]
    } else {
        (0..parts).map(|part| format!("json_extract(value, '$[{part}]')")).collect()
    };
    let sql = format!(
        "INSERT INTO {BATCH} (n, {}) SELECT key, {} FROM json_each(?1)",
        names.join(", "),
        values.join(", ")
    );
    session.execute(&sql, &[Value::Text(keys)])?;
    Ok(())
}

//! The customers of a batch, in a temporary table.

use std::collections::HashMap;

use super::Frame;
use super::facts::Seen;
use crate::customer::{Customer, CustomerId};
use crate::data_map::{Datatype, Value};
use crate::store::sql::fault::Trouble;
use crate::store::sql::keys;
use crate::store::sql::session::{Purpose, Session};
use crate::store::sql::spelling::{columns, flag, json_rows, listed, quoted};
use crate::store::sql::whose::{batch, of_class};

impl Frame {
    /// The facts of the customers that exist.
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

    /// Puts customers into the batch table, numbered from 0. An id that is not spelled exactly like the key belongs
    /// to nobody.
    pub(super) fn fill<'i>(
        &self,
        session: &mut dyn Session,
        customers: impl Iterator<Item = &'i CustomerId>,
    ) -> Result<(), Trouble> {
        let (map, dialect) = (self.customers(), self.bound.dialect);
        let (types, batch) = (self.key_types(), batch(&self.bound));
        let customers: Vec<&CustomerId> = customers.collect();
        self.fill_people(session, &customers)?;
        let ways: Vec<Vec<Vec<Value>>> = customers
            .iter()
            .map(|customer| keys::read(customer.as_str(), &types).unwrap_or_default())
            .collect();
        session.execute(&format!("DELETE FROM {batch}"), &[])?;
        let names: Vec<String> = (0..types.len()).map(|part| format!("k{part}")).collect();
        let mut columns: Vec<(String, Datatype)> = names.iter().cloned().zip(types).collect();
        let names = names.join(", ");
        let nobody = || vec![Value::Null; columns.len()];
        let host = self.bound.table(&map.table);
        let in_type: Vec<String> = (0..)
            .zip(&map.key)
            .map(|(part, key): (usize, _)| dialect.in_type_of(&host, key, &format!("list.k{part}")))
            .collect();
        let gives = in_type.join(", ");
        if ways.iter().all(|ways| ways.len() < 2) {
            let rows = ways.into_iter().map(|ways| ways.into_iter().next().unwrap_or_else(nobody));
            let parameter = json_rows(rows);
            let list = dialect.rows(1, &columns);
            let sql =
                format!("INSERT INTO {batch} (n, {names}) SELECT list.place, {gives} FROM {list} AS list");
            session.execute(&sql, &[parameter])?;
            return Ok(());
        }
        // If an id can be read in several ways, the way that matches a customer counts. If none matches, the most
        // likely way counts.
        let mut rows = Vec::new();
        for (n, ways) in ways.into_iter().enumerate() {
            let nobody = ways.is_empty().then(nobody);
            for (way, key) in ways.into_iter().chain(nobody).enumerate() {
                let numbers = [n, way].into_iter().map(|number| i64::try_from(number).unwrap_or(i64::MAX));
                rows.push(numbers.map(Value::Integer).chain(key).collect());
            }
        }
        columns.splice(0..0, ["n", "way"].map(|name| (name.to_owned(), Datatype::Integer)));
        let is_there: Vec<String> =
            in_type.iter().zip(&map.key).map(|(value, key)| format!("x.{} = {value}", quoted(key))).collect();
        let is_there = is_there.join(" AND ");
        let is_nobodys = format!("NOT (way > 0 AND EXISTS (SELECT 1 FROM {host} AS x WHERE {is_there}))");
        let sql = format!(
            "INSERT INTO {batch} (n, {names}) SELECT list.n, {gives} FROM (
                 SELECT list.*, row_number() OVER (PARTITION BY n ORDER BY {}, way) AS choice FROM {} AS list
             ) AS list WHERE choice = 1",
            flag(&is_nobodys),
            dialect.rows(1, &columns)
        );
        let list = json_rows(rows);
        session.execute(&sql, std::slice::from_ref(&list))?;
        // Two customers may have keys that are spelled alike, such as the number 7 and the text '7'. Nobody can tell which of
        // them such an id means, so it means nobody.
        let clears: Vec<String> = (0..map.key.len()).map(|part| format!("k{part} = NULL")).collect();
        let keys: Vec<String> = map.key.iter().map(|key| format!("x.{}", quoted(key))).collect();
        let sql = format!(
            "UPDATE {batch} SET {} WHERE n IN (
                 SELECT found.n FROM (SELECT DISTINCT list.n, {} FROM {} AS list{}) AS found GROUP BY found.n HAVING count(*) > 1
             )",
            clears.join(", "),
            keys.join(", "),
            dialect.rows(1, &columns),
            dialect.then(&host, "x", &is_there)
        );
        session.execute(&sql, &[list])?;
        Ok(())
    }

    /// Locks the batch's own rows until the transaction ends, in the order of their keys. So nobody changes a customer
    /// between the comparison and the write.
    pub(super) fn lock(&self, session: &mut dyn Session) -> Result<(), Trouble> {
        let Some(root) = self.bound.root() else { return Ok(()) };
        let names: Vec<String> = (0..root.key.len()).map(|part| format!("k{part}")).collect();
        let select = format!(
            "SELECT 1 FROM {} AS x WHERE {} IN (SELECT {} FROM {}) ORDER BY {}",
            self.bound.table(&root.table),
            columns("x", &root.key),
            names.join(", "),
            batch(&self.bound),
            listed("x", &root.key),
        );
        if let Some(sql) = self.bound.dialect.locking(&select, "x") {
            session.query(&sql, &[], &mut |_| Ok(()))?;
        }
        Ok(())
    }

    /// The types of the columns of the customers' key.
    pub(super) fn key_types(&self) -> Vec<Datatype> {
        let root = self.bound.data_map.class(self.bound.data_map.root().as_str());
        let datatype = |column: &String| {
            root.and_then(|root| root.find(column))
                .map_or(Datatype::Any, |field| field.constraints().datatype)
        };
        self.bound.root().map_or_else(Vec::new, |root| root.key.iter().map(datatype).collect())
    }

    /// The condition that a row belongs to a customer of the batch.
    pub(super) fn in_batch(&self, which: &str) -> String {
        let map = self.customers();
        let names: Vec<String> = (0..map.key.len()).map(|part| format!("k{part}")).collect();
        let own = self.bound.root().map_or(&[][..], |root| &root.key);
        format!(
            "{} IN (SELECT {} FROM {}{which})",
            columns(&quoted(&map.table), own),
            names.join(", "),
            batch(&self.bound)
        )
    }

    /// Removes customers from the batch table.
    pub(super) fn leave_out(&self, session: &mut dyn Session, numbers: &[usize]) -> Result<(), Trouble> {
        if numbers.is_empty() {
            return Ok(());
        }
        let list = self.bound.dialect.rows(1, &[("n".to_owned(), Datatype::Integer)]);
        let sql = format!("DELETE FROM {} WHERE n IN (SELECT n FROM {list} AS list)", batch(&self.bound));
        let rows = numbers.iter().map(|n| vec![Value::Integer(i64::try_from(*n).unwrap_or(i64::MAX))]);
        session.execute(&sql, &[json_rows(rows)])?;
        Ok(())
    }

    /// The facts of the batch, by customer number.
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
        // These names cannot clash with names in the host's scalar SQL.
        let sql = format!(
            "SELECT relinquish_b.relinquish_n, {} FROM (SELECT n AS relinquish_n, {} FROM {}) AS relinquish_b{} WHERE TRUE{}",
            self.facts.columns(),
            parts.join(", "),
            batch(&self.bound),
            self.bound.dialect.then(&self.bound.table(&root.table), &table, &same.join(" AND ")),
            of_class(&self.bound, &table, &root.rows),
        );
        let (mut facts, mut seen) = (HashMap::new(), Seen::default());
        session.query(&sql, &[], &mut |row| {
            facts.insert(row.natural(0)?, self.facts.read(row, 1, &mut seen)?);
            Ok(())
        })?;
        Ok(facts)
    }
}

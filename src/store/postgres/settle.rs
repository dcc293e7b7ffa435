//! Computes the results that a statement needs from Rust before the statement runs.

use super::own;
use super::session::PostgresSession;
use crate::data_map::Value;
use crate::store::sql::{Fault, json_rows, values};

impl PostgresSession<'_> {
    /// The rows of a select. It is repeated until all results that it needs from Rust are computed.
    pub(super) fn settled(&mut self, sql: &str, parameters: &[Value]) -> Result<Vec<Vec<Value>>, Fault> {
        if !own::is_computed(sql) {
            return self.read(sql, parameters);
        }
        self.forget()?;
        loop {
            let rows = self.read(sql, parameters)?;
            let asked = self.asked()?;
            if asked.is_empty() {
                return Ok(rows);
            }
            self.answer(&asked)?;
        }
    }

    /// Forgets results that were computed under other conditions, for example for other people to search for.
    pub(super) fn forget(&mut self) -> Result<(), Fault> {
        let version = self.computing.as_ref().and_then(|computing| values::version(&computing.bench));
        let Some(open) = &mut self.open else { return Ok(()) };
        if open.version == version {
            return Ok(());
        }
        open.version = version;
        open.refusals.clear();
        if !open.has.contains(own::KNOWN) {
            return Ok(());
        }
        let (known, asked) = (own::spelled(own::KNOWN), own::spelled(own::ASKED));
        self.batch(&format!("DELETE FROM {known}; DELETE FROM {asked}"))
    }

    /// Checks that a statement that writes has found every result. A trigger of the table may have changed a row
    /// since the select.
    pub(super) fn found_all(&mut self, sql: &str) -> Result<(), Fault> {
        if !own::is_computed(sql) || self.asked()?.is_empty() {
            return Ok(());
        }
        let what = "a row came between reading and writing, and its new value was not computed";
        Err(Fault::Other(what.to_owned()))
    }

    /// The questions without a result, each with its digest. A question that failed before has no text.
    pub(super) fn asked(&mut self) -> Result<Vec<(String, Option<String>)>, Fault> {
        let sql = format!("SELECT encode(key, 'hex'), asked FROM {}", own::spelled(own::ASKED));
        let rows = self.read(&sql, &[])?;
        let text = |value: Option<&Value>| value.and_then(Value::as_text).map(str::to_owned);
        Ok(rows.iter().filter_map(|row| Some((text(row.first())?, text(row.get(1))))).collect())
    }

    /// Computes the answers and stores them. If there is no new question, an earlier computation must have failed.
    pub(super) fn answer(&mut self, asked: &[(String, Option<String>)]) -> Result<(), Fault> {
        let Some(computing) = self.computing.clone() else {
            return Err(Fault::Other("nothing can be computed before the store is open".to_owned()));
        };
        let Some(open) = &mut self.open else { return Ok(()) };
        if asked.iter().all(|(_, question)| question.is_none()) {
            let refusal = asked.iter().find_map(|(key, _)| open.refusals.get(key));
            let what = refusal.map_or("a value was not computed", |refusal| refusal.what);
            if let Some(why) = refusal.and_then(|refusal| refusal.unreadable.clone()) {
                values::put_unreadable(&computing.bench, why);
            }
            return Err(Fault::Other(what.to_owned()));
        }
        let mut known = Vec::with_capacity(asked.len());
        for (key, question) in asked {
            let Some(question) = question else { continue };
            let (value, failed) = match computing.compute(question) {
                Ok(value) => (value.map_or(Value::Null, Value::Text), 0),
                Err(refusal) => {
                    open.refusals.insert(key.clone(), refusal);
                    (Value::Null, 1)
                }
            };
            known.push(vec![Value::from(key.as_str()), value, Value::Integer(failed)]);
        }
        let (table, asked) = (own::spelled(own::KNOWN), own::spelled(own::ASKED));
        self.batch(&format!("DELETE FROM {asked}"))?;
        let sql = format!(
            "INSERT INTO {table} SELECT decode(one.line ->> 0, 'hex'), one.line ->> 1, one.line ->> 2 = '1' \
             FROM jsonb_array_elements($1::jsonb) AS one(line) ON CONFLICT DO NOTHING"
        );
        self.write(&sql, &[json_rows(known)])?;
        Ok(())
    }
}

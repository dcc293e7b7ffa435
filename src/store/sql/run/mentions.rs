//! Lists uncertain mentions, row by row.

use chrono::NaiveDate;

use super::{Count, Frame};
use crate::customer::CustomerId;
use crate::data_map::RecordKey;
use crate::store::sql::cell::Cell;
use crate::store::sql::fault::{Fault, Trouble};
use crate::store::sql::keys;
use crate::store::sql::script::Script;
use crate::store::sql::session::{Purpose, Row, Session};
use crate::store::sql::values;
use crate::store::{Batch, HeldCustomers, StoreError, UncertainMention};
use crate::treatment::Treatment;

impl Frame {
    /// Lists them one customer at a time, so that an unreadable value affects only its customer.
    pub(crate) fn list_uncertain(
        &self,
        session: &mut dyn Session,
        customers: &[CustomerId],
        treatment: &Treatment,
        day: NaiveDate,
    ) -> Result<Batch<Vec<UncertainMention>>, Trouble> {
        let script = self.script(treatment);
        let mut answers = Vec::with_capacity(customers.len());
        for customer in customers {
            let listed = self.list_uncertain_of(session, customer, treatment, &script, day);
            let unread = values::take_unreadable(&self.bench);
            values::set(&self.bench, None);
            answers.push(match listed {
                Ok(answer) => answer,
                Err(trouble) => Err(self.uncounted(trouble, unread)?),
            });
        }
        Ok(answers)
    }

    fn list_uncertain_of(
        &self,
        session: &mut dyn Session,
        customer: &CustomerId,
        treatment: &Treatment,
        script: &Script,
        day: NaiveDate,
    ) -> Result<Result<Vec<UncertainMention>, StoreError>, Trouble> {
        let mut transaction = session.transaction(Purpose::Read)?;
        self.same_schema(&mut *transaction)?;
        let customers = std::slice::from_ref(customer);
        // Nothing is written, so a hold on somebody else hides no mention.
        let count = Count { treatment, day, held: &HeldCustomers::new() };
        let (_, unclear) = self.find_to_count(&mut *transaction, customers, count, script)?;
        if let Some(error) = unclear.into_values().next() {
            return Ok(Err(error));
        }
        let mut list = Vec::new();
        for class in &script.classes {
            let Some((sql, fields, key)) = &class.uncertain_rows else { continue };
            let mut each = |row: &dyn Row| {
                for (n, field) in fields.iter().enumerate() {
                    let mentions: u64 = row.natural(n)?;
                    if mentions == 0 {
                        continue;
                    }
                    let parts: Result<Vec<_>, Fault> =
                        (0..*key).map(|part| row.cell(fields.len() + part).map(Cell::to_value)).collect();
                    let key = keys::written(&parts?)
                        .ok_or_else(|| Fault::Other(format!("a record of {} has no key", class.class)))?;
                    let (class, field) = (class.class.clone(), field.clone());
                    list.push(UncertainMention { class, key: RecordKey::new(key), field, mentions });
                }
                Ok(())
            };
            transaction.query(sql, &[], &mut each).map_err(Trouble::at(&class.class))?;
        }
        transaction.commit()?;
        list.sort_by(|a, b| (&a.class, a.key.as_str(), &a.field).cmp(&(&b.class, b.key.as_str(), &b.field)));
        Ok(Ok(list))
    }
}

//! Rows that triggers add during an erasure. Those that are the customer's are treated like the others. What a trigger
//! writes for somebody else, for nobody, or into a class that is kept may hold what was erased.

use std::collections::BTreeMap;

use super::Frame;
use crate::data_map::ClassName;
use crate::document::key;
use crate::store::sql::bind::BoundClass;
use crate::store::sql::fault::{Fault, Trouble};
use crate::store::sql::script::Script;
use crate::store::sql::session::Session;
use crate::store::sql::spelling::quoted;
use crate::store::sql::whose::{Set, is_row};
use crate::words::plural;

/// The newest row of each table to which triggers may write.
pub(super) type Newest = BTreeMap<String, i64>;

impl Frame {
    /// The newest row of each such table, before anything is written.
    pub(super) fn newest(&self, session: &mut dyn Session) -> Result<Newest, Trouble> {
        let mut newest = Newest::new();
        for (class, number) in self.echoed() {
            if newest.contains_key(&class.table) {
                continue;
            }
            let sql = format!(
                "SELECT coalesce(max(x.{}), 0) FROM {} AS x",
                quoted(number),
                self.bound.table(&class.table)
            );
            let last =
                session.one(&sql, &[], |row| row.natural::<i64>(0)).map_err(Trouble::at(&class.name))?;
            newest.insert(class.table.clone(), last);
        }
        Ok(newest)
    }

    /// The classes with personal data to which triggers may add rows, with the column that numbers their rows.
    fn echoed(&self) -> impl Iterator<Item = (&BoundClass, &str)> {
        let is_personal = |name: &ClassName| {
            let class = self.bound.data_map.class(name.as_str());
            class.is_some_and(|class| class.fields().iter().any(|field| field.kind().is_some()))
        };
        let classes = self.bound.classes.iter().filter(|class| !class.echoes.is_empty());
        classes
            .filter(move |class| is_personal(&class.name))
            .filter_map(|class| Some((class, class.row_number.as_deref()?)))
    }

    /// Stops if a trigger has added a row that is not treated.
    pub(super) fn nothing_added(
        &self,
        session: &mut dyn Session,
        script: &Script,
        newest: &Newest,
    ) -> Result<(), Trouble> {
        for (class, number) in self.echoed() {
            let Some(newest) = newest.get(&class.table) else { continue };
            let of_table = self.bound.classes.iter().enumerate();
            let treated: Vec<String> = of_table
                .filter(|(_, other)| other.table == class.table)
                .filter(|(_, other)| {
                    script.classes.iter().any(|script| script.class == other.name && script.is_treated())
                })
                .map(|(at, other)| {
                    let set = Set::Touched.of(&self.bound, at);
                    format!(" AND NOT EXISTS (SELECT 1 FROM {set} AS s WHERE {})", is_row(other, "x", "s"))
                })
                .collect();
            let sql = format!(
                "SELECT count(*) FROM {} AS x WHERE x.{} > {newest}{}",
                self.bound.table(&class.table),
                quoted(number),
                treated.concat()
            );
            let added: u64 =
                session.one(&sql, &[], |row| row.natural(0)).map_err(Trouble::at(&class.name))?;
            if added > 0 {
                let by: Vec<&str> = class.echoes.iter().map(String::as_str).collect();
                let (triggers, may, reason) = match by.as_slice() {
                    [one] => ("trigger", "it may", format!("ignore.triggers.{} = \"reason\"", key(one))),
                    _ => {
                        ("triggers", "they may", "a reason for each of them under ignore.triggers".to_owned())
                    }
                };
                return Err(Fault::Other(format!(
                    "the {triggers} {} added {added} {} to {} that {} not this customer's to treat, and {may} have copied what is \
                     erased; drop the {triggers} for the run, let the rows name the customer and treat {}, or, where they hold \
                     nothing of a person, write {reason}",
                    by.join(" and "),
                    plural(added, "row"),
                    class.name,
                    if added == 1 { "is" } else { "are" },
                    class.name,
                ))
                .into());
            }
        }
        Ok(())
    }
}

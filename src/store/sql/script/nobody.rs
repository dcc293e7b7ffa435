//! Records whose key is a value that means nobody at a link. Such a value leads nowhere, so what leads to the record would
//! not be found; and a link that is cleared to the value would lead to the record.

use super::KeysOfNobody;
use super::class::Writer;
use crate::data_map::Value;
use crate::store::sql::bind::BoundClass;
use crate::store::sql::spelling::quoted;
use crate::store::sql::way::BoundLink;
use crate::store::sql::whose::{Set, is_row, of_class};

impl Writer<'_> {
    /// For each link and class at its far end: the selected records whose key means nobody there.
    pub(super) fn keys_of_nobody(&self) -> Vec<KeysOfNobody> {
        let mut list = Vec::new();
        for foot in
            self.bound.classes.iter().filter(|foot| self.treatment.class(foot.name.as_str()).is_some())
        {
            for link in foot.links.iter().filter(|link| !link.by_value) {
                let heads = self.bound.classes.iter().enumerate();
                for (number, head) in heads.filter(|(_, head)| link.heads.contains(&head.name)) {
                    let Some(is_nobody) = self.is_nobody(link, head) else { continue };
                    let found = format!(
                        "SELECT relinquish_r.n, count(*) FROM {} AS relinquish_r{} WHERE {is_nobody}{} GROUP BY relinquish_r.n",
                        Set::Touched.of(self.bound, number),
                        self.bound.dialect.then(
                            &self.bound.table(&head.table),
                            "x",
                            &is_row(head, "x", "relinquish_r")
                        ),
                        self.ways.is_somebody(head, "x"),
                    );
                    let (class, to) = (foot.name.clone(), head.name.clone());
                    list.push(KeysOfNobody { class, link: link.name.clone(), to, found });
                }
            }
        }
        list
    }

    /// The condition that a part of the key of a record `x` means nobody at a link. `None` if no value does.
    fn is_nobody(&self, link: &BoundLink, head: &BoundClass) -> Option<String> {
        let none = || link.none.iter().filter(|value| **value != Value::Null);
        let each: Vec<String> = link
            .to_columns
            .iter()
            .flat_map(|column| none().map(move |value| self.has_key(head, column, value)))
            .collect();
        (!each.is_empty()).then(|| format!("({})", each.join(" OR ")))
    }

    /// The condition that a column of a record `x` has a value.
    fn has_key(&self, head: &BoundClass, column: &str, value: &Value) -> String {
        let table = self.bound.table(&head.table);
        let value = self.bound.dialect.literal(value);
        format!("x.{} = {}", quoted(column), self.bound.dialect.in_type_of(&table, column, &value))
    }

    /// The number of customers whose key is what clearing a link writes. `None` if no customer can have it.
    pub(super) fn taken(&self, link: &BoundLink) -> Option<String> {
        let root = self.bound.root().filter(|root| link.heads.contains(&root.name) && !link.by_value)?;
        // A link with a NULL in it leads nowhere.
        let written = |column: &String| {
            let cleared = link.cleared.iter().find(|(cleared, _)| cleared.eq_ignore_ascii_case(column));
            cleared.map(|(_, value)| value).filter(|value| **value != Value::Null)
        };
        let is: Option<Vec<String>> = link
            .columns
            .iter()
            .zip(&link.to_columns)
            .map(|(near, far)| Some(self.has_key(root, far, written(near)?)))
            .collect();
        Some(format!(
            "SELECT count(*) FROM {} AS x WHERE {}{}{}",
            self.bound.table(&root.table),
            is?.join(" AND "),
            of_class(self.bound, "x", &root.rows),
            self.ways.is_somebody(root, "x"),
        ))
    }
}

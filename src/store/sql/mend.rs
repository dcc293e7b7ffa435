//! A slip of the pen in what everything else refers to: the customers' table and its key. It is said once, and the rest of the
//! map is held against what was meant.

use std::borrow::Cow;

use super::map::SqlMap;
use super::schema::Schema;
use crate::document::{Reader, nearest, suggest};

/// The map with the customers' table and key put right where the schema has nearly the same name.
pub(super) fn mended<'m>(reader: &mut Reader, map: &'m SqlMap, schema: &Schema) -> Cow<'m, SqlMap> {
    let mut mended = Cow::Borrowed(map);
    let known = schema.tables().map(|table| table.name.as_str());
    if schema.table(&map.customers.table).is_none()
        && let Some(name) = nearest(&map.customers.table, known.clone())
    {
        let written = &map.customers.table;
        reader.problem("customers.table", format!("there is no table {written}"), suggest(written, known));
        name.clone_into(&mut mended.to_mut().customers.table);
    }
    let Some(table) = schema.table(&mended.customers.table) else { return mended };
    let columns = table.columns.iter().map(|column| column.name.as_str());
    // A row cannot lead to a column that is not there: every record would be wrong in the same way.
    let mut key = map.customers.key.clone();
    for part in key.iter_mut().filter(|part| table.column(part).is_none()) {
        let near = nearest(part, columns.clone()).map(str::to_owned);
        let only = match (table.primary_key.as_slice(), map.customers.key.as_slice()) {
            ([only], [_]) => Some(only.clone()),
            _ => None,
        };
        if let Some(meant) = near.or(only) {
            reader.problem(
                "customers.key",
                format!("table {} has no column {part}", table.name),
                format!("did you mean {meant}?"),
            );
            *part = meant;
        }
    }
    if key != map.customers.key {
        mended.to_mut().customers.key = key;
    }
    mended
}

//! Tests of the stores on difficult schemas: the owner of a row, constraints, triggers, values that cannot be read,
//! and the census.

pub(crate) mod by_record_sharing;
pub(crate) mod by_value;
pub(crate) mod census;
pub(crate) mod column_checks;
pub(crate) mod computed_columns;
pub(crate) mod deep_trees;
pub(crate) mod drafted;
pub(crate) mod drift;
pub(crate) mod fields_of_others;
pub(crate) mod first_links;
pub(crate) mod found_by_trying;
pub(crate) mod hard_schemas;
pub(crate) mod json;
pub(crate) mod kept_of_others;
pub(crate) mod leftovers;
pub(crate) mod named_others;
pub(crate) mod of_guests;
pub(crate) mod other_tenants;
pub(crate) mod own_connection;
pub(crate) mod paste;
pub(crate) mod php;
pub(crate) mod several;
pub(crate) mod shapes;
pub(crate) mod shop45;
pub(crate) mod sql_map;
pub(crate) mod sqlite_store;
pub(crate) mod table_triggers;
pub(crate) mod trigger_changes;
pub(crate) mod trigger_copies;
pub(crate) mod uncertain_mentions;
pub(crate) mod unclaimed_rest;
pub(crate) mod unique_indexes;
pub(crate) mod unreadable;
pub(crate) mod way_outs;
pub(crate) mod wrong_maps;

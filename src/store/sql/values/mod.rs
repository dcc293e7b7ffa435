//! What Rust computes from the values of records: new values, whether a value is final already, and whom a text
//! mentions.

mod json_fields;
mod people;
mod unreadable;
mod working;

pub(crate) use json_fields::texts;
pub(crate) use people::{People, Searched};
pub(crate) use unreadable::{
    Unreadable, document, has_another_shape, identifier, readable_part, readable_text,
};
#[cfg(feature = "postgres")]
pub(crate) use working::version;
pub(crate) use working::{
    Bench, Dated, Failure, Place, Slot, Working, compared, key_of, put_unreadable, search_for, set,
    stop_at_unreadable, take_failure, take_unreadable, with,
};

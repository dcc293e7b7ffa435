//! The number of statements of a batch, and the number of readings of a table.

mod readings;
mod statements;

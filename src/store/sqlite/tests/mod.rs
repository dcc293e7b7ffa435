//! How many statements a batch takes, and how often a table is read.

mod readings;
mod statements;

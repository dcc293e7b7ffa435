//! The errors of a host's database.

use crate::data_map::{ClassName, StoreName};
use crate::document::Problems;

type Source = Box<dyn std::error::Error + Send + Sync>;

/// An error of a store. Its texts never contain a customer's values.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The map and the database do not match.
    #[error("the data map and the database do not fit:\n{0}")]
    Map(#[from] Problems),
    /// The host's database has no place for the mark of the ledger.
    #[error(
        "{doing}: the database has no table relinquish_mark with the columns id, entry and leaf; add store::sql::MARK_TABLE to \
         your migrations"
    )]
    NoMarkTable {
        /// What was being done.
        doing: &'static str,
    },
    /// The host's database has no table for the inbox of requests.
    #[error(
        "{doing}: the database has no table relinquish_inbox with the columns id, kind, channel, received_at, customer and \
         address; add store::sql::INBOX_TABLE to your migrations"
    )]
    NoInboxTable {
        /// What was being done.
        doing: &'static str,
    },
    /// The database's schema has changed since the store was opened. Nothing was touched.
    #[error(
        "{doing}: the database's schema changed since the store was opened, so nothing was touched:\n- {}\n\
         mend the map where it does not fit any more, then open the store again",
        .changes.join("\n- ")
    )]
    Drift {
        /// What was being done.
        doing: &'static str,
        /// What changed, one sentence each.
        changes: Vec<String>,
    },
    /// Another connection has locked the database.
    #[error("{doing}: the database is locked by another connection; try again when it is free")]
    Busy {
        /// What was being done.
        doing: &'static str,
    },
    /// The database cannot be written to.
    #[error("{doing}: the database is read-only; give this process the right to write it and its folder")]
    ReadOnly {
        /// What was being done.
        doing: &'static str,
    },
    /// The database is damaged, or the file is not a database.
    #[error("{doing}: the file is damaged or no database; restore it from a backup")]
    Corrupt {
        /// What was being done.
        doing: &'static str,
    },
    /// The database cannot be opened.
    #[error("{doing}: the database cannot be opened; check its path and permissions")]
    NotFound {
        /// What was being done.
        doing: &'static str,
    },
    /// A connection that the host opened is not suitable for erasing. Nothing was touched.
    #[error("{doing}: {what}; {way_out}")]
    Connection {
        /// What was being done.
        doing: &'static str,
        /// What is wrong with the connection.
        what: String,
        /// How to correct this.
        way_out: &'static str,
    },
    /// The database refused a write, because a constraint forbids it. Nothing was written.
    #[error(
        "{doing}: the database refused: {constraint}; the policy's treatment of {class}, and `ends` of its links in the map, have to respect it"
    )]
    Constraint {
        /// What was being done.
        doing: &'static str,
        /// The record class.
        class: ClassName,
        /// The constraint, by its columns.
        constraint: String,
    },
    /// The owner of records is unclear. Nothing of the customer was touched.
    #[error(
        "nobody can tell to whom {rows} of {class} {belong}: {class}.{link} leads to several people. Either several \
         customers have the value of the link, or the records at its two ends belong to different people; mend the data, \
         or say more in the map",
        rows = if *rows == 1 { "1 record".to_owned() } else { format!("{rows} records") },
        belong = if *rows == 1 { "belongs" } else { "belong" }
    )]
    Unclear {
        /// The record class.
        class: ClassName,
        /// The link that leads to several people.
        link: String,
        /// How many records.
        rows: u64,
    },
    /// The treatment would delete or change records of another tenant's customer. Nothing of the customer was
    /// touched.
    #[error(
        "{rows} of {class} {belong} to customers of another tenant, and would be treated because {class}.{link} leads to this \
         customer or to a record of theirs: no approval for this customer covers that tenant. Mend the data; or let \
         customers.tenants of the data map name that tenant too, so that whoever approves has to be its operator as well",
        rows = if *rows == 1 { "1 record".to_owned() } else { format!("{rows} records") },
        belong = if *rows == 1 { "belongs" } else { "belong" }
    )]
    OtherTenant {
        /// The record class.
        class: ClassName,
        /// The link that leads to the customer, or to a record of the customer.
        link: String,
        /// How many records.
        rows: u64,
    },
    /// The treatment would change records of another person who has a hold. Nothing of the customer was touched.
    #[error(
        "{rows} of {class} {belong} to somebody on whom a hold stands, and would be changed because {by}: erase this customer when \
         the hold is lifted",
        rows = if *rows == 1 { "1 record".to_owned() } else { format!("{rows} records") },
        belong = if *rows == 1 { "belongs" } else { "belong" },
        by = link.as_ref().map_or_else(
            || "this customer has them as well".to_owned(),
            |link| format!("{class}.{link} leads to this customer or to a record of theirs")
        )
    )]
    Held {
        /// The record class.
        class: ClassName,
        /// The link that leads to the customer, or to a record of the customer. `None`: the customer shares the records,
        /// and their texts are searched.
        link: Option<String>,
        /// How many records.
        rows: u64,
    },
    /// Records link to a record that would be deleted. The map writes a fixed value into such a link, but no row has
    /// this value as its key, and a foreign key requires the row. Nothing of the customer was touched.
    #[error(
        "{rows} of {class} {lead} to what would be deleted. The map writes a value to {link} there, and a foreign key \
         requires a row of {table} with that value, which does not exist; insert that row, or \
         let ends.{link} of {class} be \"stand-in\", or \"clear\" if the column takes NULL",
        rows = if *rows == 1 { "1 record".to_owned() } else { format!("{rows} records") },
        lead = if *rows == 1 { "leads" } else { "lead" }
    )]
    CutToNothing {
        /// The record class.
        class: ClassName,
        /// The link.
        link: String,
        /// The table to which the link leads.
        table: String,
        /// How many records.
        rows: u64,
    },
    /// A record has a key that a link uses to mean nobody. Nothing of the customer was touched.
    #[error(
        "a record of {to} has the key that means nobody at {class}.{link}, so nobody can tell which records lead to it and which \
         to nobody. Let the map name another value at that link; or leave the row out of {to} with `when`; or, if it stands \
         for people who left, let customers.unknown_customer find it"
    )]
    KeyOfNobody {
        /// The record class that has the link.
        class: ClassName,
        /// The link.
        link: String,
        /// The record class to which the link leads.
        to: ClassName,
    },
    /// Rows that no record class claims belong to the customer, or use a shared record that the treatment reaches. Nothing of the customer was touched.
    #[error(
        "{rows} of {table} {belong} to the customer, or {lead} to a record that would be erased with the customer, and {are} of \
         no record class; write a class with table = \"{table}\", when = \"rest\" and an owner, or ignore.{table} = {{ rest = \
         \"reason\" }}",
        rows = if *rows == 1 { "1 row".to_owned() } else { format!("{rows} rows") },
        belong = if *rows == 1 { "belongs" } else { "belong" },
        lead = if *rows == 1 { "leads" } else { "lead" },
        are = if *rows == 1 { "is" } else { "are" }
    )]
    Unclaimed {
        /// The table.
        table: String,
        /// How many rows.
        rows: u64,
    },
    /// The database refused the values of `customers.deactivate` in the data map, or the former values when a
    /// deactivation was undone. Nothing was written.
    #[error(
        "{doing}: customers.deactivate of the data map writes {columns}, and the database refused: {constraint}; {way_out}"
    )]
    Deactivation {
        /// What was being done.
        doing: &'static str,
        /// The columns that the map writes.
        columns: String,
        /// The constraint or trigger.
        constraint: String,
        /// How to correct this.
        way_out: &'static str,
    },
    /// The values of `customers.deactivate` in the data map, or the former values, had no effect: reading back shows
    /// the customer as before. Nothing was written.
    #[error(
        "{doing}: customers.deactivate of the data map writes {columns}, and read back the customer is as before: {cause}; {way_out}"
    )]
    NotDeactivated {
        /// What was being done.
        doing: &'static str,
        /// The columns that the map writes.
        columns: String,
        /// The triggers that may be the cause, or a note that none is known.
        cause: String,
        /// How to correct this.
        way_out: &'static str,
    },
    /// The treatment does not fit this store: it was checked against another data map.
    #[error("the treatment does not fit this store: {what}; check the policy against this store's data map")]
    Treatment {
        /// What does not fit.
        what: String,
    },
    /// The records of the same customer kept changing while the store worked.
    #[error("{doing}: the records kept changing; try again")]
    Contended {
        /// What was being done.
        doing: &'static str,
    },
    /// A part of the records cannot be reached, for example in an object store. The parts that were already treated
    /// stay so.
    #[error("{doing}: {what}; try again")]
    Unavailable {
        /// What was being done.
        doing: &'static str,
        /// What went wrong, with no value in it.
        what: String,
    },
    /// A record of a customer cannot be read, so nobody can say whether it names the customer. This blocks only this
    /// customer.
    #[error("{doing}: {what}; {way_out}")]
    Unreadable {
        /// What was being done.
        doing: &'static str,
        /// The class, the field and the reason, without the value. Also the record's key, if the key is not personal.
        what: String,
        /// How to correct this.
        way_out: String,
    },
    /// An error in a store beside the root store.
    #[error("in {store}: {error}")]
    Beside {
        /// The store.
        store: StoreName,
        /// The error.
        #[source]
        error: Box<StoreError>,
    },
    /// Anything else.
    #[error("{doing}: {what}")]
    Failed {
        /// What was being done.
        doing: &'static str,
        /// What went wrong, with no value in it.
        what: String,
        /// The cause, if it is known.
        #[source]
        source: Option<Source>,
    },
}

impl StoreError {
    /// An error of the host's own store. Put no value of a customer into the text or the cause.
    pub fn failed(doing: &'static str, what: impl Into<String>) -> Self {
        Self::Failed { doing, what: what.into(), source: None }
    }

    /// Whether repeating the request may succeed without any change.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Busy { .. } | Self::Contended { .. } | Self::Unavailable { .. } => true,
            Self::Beside { error, .. } => error.is_transient(),
            _ => false,
        }
    }

    /// The error with the name of its store, unless its text already names a class.
    pub(crate) fn in_store(self, store: &StoreName) -> Self {
        if self.is_transient() { Self::Beside { store: store.clone(), error: Box::new(self) } } else { self }
    }
}

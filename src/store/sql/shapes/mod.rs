//! One page for each shape of ownership: the situation, a small database, and a map to copy.
//!
//! Each page has four blocks: the tables with a few rows, the whole map, the lines of the treatment, and what an erasure of one customer
//! changes. In the last block, `- orders[10]` is a row that is deleted, and `orders[10].note` is a value that is written. The crate's tests run
//! every page as it stands here.
//!
//! | your rows | page |
//! |---|---|
//! | a record that hangs from another record | [`chain`] |
//! | an address that orders share | [`address`] |
//! | a customer's own row that points at a personal row | [`home`] |
//! | people and homes joined by a table of links | [`link_table`] |
//! | a row with two ends, such as a follow or a favourite | [`both_ends`] |
//! | a message between two people | [`message`] |
//! | a thread in which several people write | [`thread`] |
//! | a record that names who granted it | [`granted_by`] |
//! | a record with two ways to one person | [`diamond`] |
//! | contacts of a company in the customers' table | [`company`] |
//! | orders that are known by an e-mail address | [`guest`] |
//! | a table of keys and values | [`key_value`] |
//! | a link whose target depends on another column | [`polymorphic`] |
//! | keys of several columns | [`composite`] |
//! | links without a foreign key, and a number that means nobody | [`no_foreign_key`] |
//! | a name that belongs to somebody else than its row | [`others_name`] |
//! | records that stay when their owner leaves | [`without_owner`] |
//! | records that form a tree | [`tree`] |
//! | an address that a kept invoice needs | [`kept_with`] |
//!
//! The [page of the map](super#whose-a-record-is) has the rules behind them.

pub mod address;
pub mod both_ends;
pub mod chain;
pub mod company;
pub mod composite;
pub mod diamond;
pub mod granted_by;
pub mod guest;
pub mod home;
pub mod kept_with;
pub mod key_value;
pub mod link_table;
pub mod message;
pub mod no_foreign_key;
pub mod others_name;
pub mod polymorphic;
pub mod thread;
pub mod tree;
pub mod without_owner;

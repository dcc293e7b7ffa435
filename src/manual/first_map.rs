//! From an unknown database to a plan.
//!
//! The example `operator` does each step on the command line. Each step names the method that a host calls.
//!
//! # 1. Draft the map
//!
//! ```text
//! cargo run --example operator -- draft --database shop.sqlite --customers clients > map.toml
//! ```
//!
//! Say in which table the customers are. [`SqliteStore::draft`](crate::SqliteStore::draft) and `PostgresStore::draft`
//! put every table into the map that leads to this table by foreign keys. They guess the content of each column from
//! its type and its name, in English, Swedish, German, French and Spanish. With `--samples 200`, the draft also looks
//! at 200 rows of each table. It prints no value, only lines such as "196 of 200 samples are e-mail addresses".
//!
//! ```text
//! # Drafted from the schema. A ? marks a guess: look at it, and take the ? away. TODO is what only you know.
//! # Look at these first:
//! #   records.hats.owner = user_id: a foreign key to members
//! [records.hats]
//! owner = "user_id?"  # a foreign key to members; or "granted_by"
//!
//! [records.hats.fields]
//! hat = "free_text?"  # a text whose name tells nothing
//! ```
//!
//! # 2. Look at each guess
//!
//! Wrong guesses at the top do the most harm. If a personal text is called "not personal", it stays. If a record has
//! the wrong owner, it is erased with the wrong person. Remove the `?` if a guess is right. A map with a `?` or a
//! `TODO` is refused, so nothing runs before you have checked every guess.
//! [`MapDraft::guesses`](crate::store::sql::MapDraft::guesses) returns the guesses as a list.
//!
//! A draft prefers the safe guess: if the name of a text column shows nothing, the column is called `free_text`, and
//! is searched for the person. A draft cannot know
//!
//! * how an account is closed, unless a flag such as `active` says so,
//! * to which tenant a customer belongs, unless a column such as `organisation_id` says so,
//! * whether a record belongs to several of the people that it references. The comment below the owner has the line for
//!   this,
//! * which data you keep outside the database.
//!
//! # 3. Check the map against the database
//!
//! ```text
//! cargo run --example operator -- check --database shop.sqlite --map map.toml --policy policy.toml
//! ```
//!
//! The check reads the schema, and takes a census of all rows. It counts rows that belong to no class, records without
//! an owner, and dates that cannot be read. If a line in the map would help, the check prints this line.
//!
//! # 4. A policy, and a plan
//!
//! Start with a policy of the [cookbook](super::cookbook) with requests only, and no sweep. Then plan one customer. A
//! plan touches nothing:
//!
//! ```text
//! cargo run --example operator -- plan --database shop.sqlite --map map.toml --policy policy.toml --customer 5
//! ```

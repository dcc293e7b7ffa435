//! From an unknown database to a plan.
//!
//! The example `operator` does each step on a command line; each names the method that a host would call.
//!
//! # 1. Draft the map
//!
//! ```text
//! cargo run --example operator -- draft --database shop.sqlite --customers clients > map.toml
//! ```
//!
//! Say in which table the customers are. [`SqliteStore::draft`](crate::SqliteStore::draft) and `PostgresStore::draft` place every
//! table from which keys lead there, and guess what each column holds: by its name, in English, Swedish, German, French and Spanish, and by
//! its type. With `--samples 200`, 200 rows of each table are looked at as well. No value of them is printed; the draft says "196 of 200
//! samples are e-mail addresses".
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
//! The guesses at the head would do most harm if they were wrong: a text that is called "not personal" would stay, and a record with
//! the wrong owner would go with the wrong person. Take the `?` away where a guess is right. A map with a `?` or a `TODO` is refused, so
//! nothing starts half looked at. [`MapDraft::guesses`](crate::store::sql::MapDraft::guesses) has them as a list.
//!
//! A draft errs on the safe side: a text whose name tells nothing is called `free_text`, and is searched for the person. It cannot know
//!
//! * how an account is closed, unless a flag such as `active` says so,
//! * of which tenant a customer is, unless a column such as `organisation_id` says so,
//! * whether both ends of a table have a record. The comment below the owner has the line for that,
//! * what is kept beside the database.
//!
//! # 3. Hold it against the database
//!
//! ```text
//! cargo run --example operator -- check --database shop.sqlite --map map.toml --policy policy.toml
//! ```
//!
//! The check reads the schema, and takes a census of all rows. It counts rows that no class claims, records without an owner, and dates
//! that cannot be read. Where a line of the map helps, it prints the line.
//!
//! # 4. A policy, and a plan
//!
//! Start with a policy of the [cookbook](super::cookbook): requests alone, no sweep. Then plan one customer. A plan touches nothing:
//!
//! ```text
//! cargo run --example operator -- plan --database shop.sqlite --map map.toml --policy policy.toml --customer 5
//! ```

//! How fast the crate is, and how it is tested.
//!
//! # Erasing
//!
//! Each benchmark prints the ratio to code written by hand over the same data.
//!
//! | command | work | today |
//! |---|---|---|
//! | `cargo bench --bench erase` | erase 10,000 customers with a hundred call records each, among as many bystanders | 1.5 times the time and 1.8 times the CPU time of careful SQL that keeps no record of what it did, on a busy machine |
//! | `cargo bench --bench expire` | delete the expired call records of 10,000 customers | 2.4 times the time of a `DELETE` that counts afterwards |
//! | `cargo bench --bench plan` | plan 10,000 customers who are all due | 1.8 times the time of reading the same facts and counts |
//! | `cargo bench --bench decide` | decide with a realistic policy that has four duties | 0.65 of the rate of hand-written `if`s for this one policy |
//! | `cargo bench --bench replay` | find, after a restore, ten erased customers among 300,000 | 2.3 times the CPU time of reading the columns of all customers; 4.9 million tokens per second on one core |
//! | `cargo bench --bench memory` | erase 50,000 customers, and 5,000 | 1.1 times the memory |
//! | `cargo bench --bench one` | plan and erase one customer among 1,000, 20,000 and 200,000 | see below |
//!
//! A case does more than the hand-written SQL: it records its plan, decides again, reads back, and writes an entry to
//! a ledger on disk. The number of statements depends on the record classes, not on the rows. For very many
//! customers, use [`Engine::execute_each`](crate::Engine::execute_each): it takes plans from an iterator, and has
//! only a few batches in memory.
//!
//! One customer among 200,000 costs 1.0 to 1.6 times the CPU time of one among 20,000, on a busy machine, if each link has an index.
//! Without indexes, a plan costs 1.8 times the CPU time of reading the tables once, and an erasure 5 times. `check` of the example
//! `operator` prints a `CREATE INDEX` line for each link without an index.
//!
//! # Gateways, texts and documents
//!
//! * `cargo bench --bench gateway --features stripe` erases profiles at an imitation of Stripe that answers after 50 ms. It prints how much
//!   of the gateway's limit is used, and the CPU time per erasure.
//! * `cargo bench --bench redact` searches 256 MiB of comments for one person, for 1,000 and for 100,000. One core of
//!   a small machine reads 0.7 GB/s of ASCII, and 0.3 GB/s where one character in five is not ASCII. On ASCII this is
//!   1.2 to 4.9 times the rate of a plain automaton (aho-corasick) for the same words.
//! * `cargo bench --bench blank --features pdf` prints documents per second.
//!
//! # Tests
//!
//! `.ci/test` sets up what the tests need, and runs all of them. Documents and gateways are tested with independent
//! programs: qpdf, poppler, Ghostscript, and an imitation of Stripe in a virtual environment of Python 3 below
//! `target`. `.ci/run` runs all checks that a change must pass, and prints the seconds of each step. Longer tests
//! have separate commands:
//!
//! | command | does |
//! |---|---|
//! | `cargo test --release --all-features --test crash` | kills twelve kinds of plan at every boundary of their case, at every boundary of each recovery, and at every await; prints runs and violations |
//! | `cargo test --release --all-features --test ownership` | erases in 20,000 random databases; compares each cell with an oracle that knows the owner of each record; prints violations |
//! | `cargo test --release --all-features --test fuzz` | reads hostile maps, policies, JSON, texts and PDFs, ten minutes each |
//! | `.ci/sqlite` | builds a small program with each supported release of rusqlite, with sqlx and with sea-orm |

//! How fast it is, and how it is tested.
//!
//! # Erasing
//!
//! `cargo bench --bench erase` erases 10,000 customers with a hundred call records each, among as many bystanders, and prints
//! the ratio to SQL written by hand over the same file. Today a case, with its plan recorded, decided again, read back, and
//! its certificate in a ledger that is on disk before it is answered, takes about 1.5 times as long as careful SQL that
//! keeps no record of what it did, and twice the CPU time. The number of statements depends on the record classes, not on the rows.
//!
//! `Engine::execute_each` takes plans from an iterator and gives their outcomes one by one, so that a run over very many
//! customers holds no more than a few batches of them at once: 50,000 take 1.1 times the memory of 5,000 (`cargo bench --bench
//! memory`).
//!
//! `cargo bench --bench one` plans and erases one customer among 1,000, 20,000 and 200,000, without `ANALYZE`. With an index on
//! each link, 200,000 customers cost 1.0 to 1.6 times the CPU time of 20,000 on a busy machine. Without, a plan costs about 1.8
//! times the CPU time of reading the tables once, and an erasure about 5 times. `check` of the example `operator` prints a `CREATE INDEX` line for
//! each link without one.
//!
//! `cargo bench --bench expire` deletes the call records of 10,000 customers that have expired: about 2.4 times the time of a
//! `DELETE` written by hand that counts afterwards. Ours looks at every customer's holds first and reads back what it did.
//!
//! `cargo bench --bench decide` decides with a realistic policy, four duties among it, at some 0.65 of the rate of a chain of `if`s
//! written by hand for that one policy. `cargo bench --bench plan` plans 10,000 customers who are all due: about 1.8 times the
//! time of reading the same facts and counts by hand.
//!
//! # Gateways, texts and documents
//!
//! `cargo bench --bench gateway --features stripe` erases profiles at an imitation of Stripe that answers after 50 ms: how much of what the
//! gateway allows is used, and the CPU time per erasure.
//!
//! `cargo bench --bench redact` searches 256 MiB of comments for one person, 1,000 and 100,000: some 0.7 GB/s of ASCII on one
//! core of a small machine, 0.3 GB/s where one character in five is not, and 1.2 to 4.9 times what a bare automaton
//! (aho-corasick) takes in of the same ASCII. `--bench blank` prints documents per second.
//!
//! # Tests
//!
//! `.ci/test` sets up what the tests need, and runs all of them. The tests of documents and gateways ask programs that nobody here
//! wrote: qpdf, poppler, Ghostscript, and an imitation of Stripe in a virtual environment of Python 3 below `target`. `.ci/run`
//! runs everything that has to hold before a change lands, and prints the seconds of each step. Campaigns that take longer have
//! commands of their own:
//!
//! | command | does |
//! |---|---|
//! | `cargo test --release --all-features --test crash` | twelve kinds of plan die at every boundary of their case, again at every boundary of each recovery, and at every await; prints the runs and the violations |
//! | `cargo test --release --all-features --test ownership` | 20,000 random schemas with maps and policies, against a brute-force oracle of whose a record is, cell by cell; prints worlds, fates and violations |
//! | `cargo test --release --all-features --test fuzz` | hostile maps, policies, JSON, texts and PDFs, ten minutes each |
//! | `.ci/sqlite` | resolves and checks a host beside each release of rusqlite in the range, sqlx and sea-orm |

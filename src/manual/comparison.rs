//! When another tool is better, and what this crate is for.
//!
//! This page is for readers who have not decided yet. Its statements about other tools come from the linked pages, as
//! they were when this release was made. Read those pages before you decide.
//!
//! | your need | use |
//! |---|---|
//! | production data for developers or analysts, without real people | [a masking tool](#masking-copies) |
//! | three tables, one database, a few requests a year | [a SQL script](#a-sql-script) |
//! | no data have to stay, and every table has a foreign key | [`ON DELETE CASCADE`](#on-delete-cascade) |
//! | events or archives that cannot be changed | [crypto-shredding](#crypto-shredding) |
//! | Parquet or JSON files in a data lake | [a tool for data lakes](#data-lakes) |
//! | requests that go to dozens of cloud services | [a privacy platform](#privacy-platforms) |
//! | data that only a vendor holds | [the vendor's own retention settings](#the-vendors-own-settings) |
//! | an application in Django or Laravel | [a package of that framework](#packages-of-web-frameworks) |
//! | a Rust service that must erase customers from its own database, keep what the law demands, and prove it | this crate |
//!
//! # Masking copies
//!
//! [PostgreSQL Anonymizer](https://www.pgxn.org/dist/postgresql_anonymizer/) declares masking rules in the database
//! itself. It writes masked dumps, masks columns when some roles read them, or [rewrites the data in
//! place](https://access.crunchydata.com/documentation/postgresql-anonymizer/latest/static_masking/). Use it to make
//! a harmless copy of the whole database. This crate treats single customers in the live database, and makes no
//! copies.
//!
//! # A SQL script
//!
//! A reviewed script of five statements in a transaction is easier to understand than a map, a policy and a ledger.
//! Use the script as long as one person knows all tables, no law requires you to keep data, and nobody asks for
//! proof. Use this crate if a table may be forgotten, if a second system has a copy, or if a crash between two steps
//! would matter.
//!
//! # `ON DELETE CASCADE`
//!
//! [Foreign keys](https://www.postgresql.org/docs/current/ddl-constraints.html#DDL-CONSTRAINTS-FK) with `ON DELETE
//! CASCADE` delete all rows that belong to a row in the same statement, and no program can forget it. Use cascades if
//! everything may be deleted. A cascade cannot keep an invoice without the name. It does not reach payment gateways
//! and files. From a shared row it reaches other people. You can use this crate together with cascades. The crate
//! reads the foreign keys, and refuses a database in which a cascade would delete rows that nobody mapped.
//!
//! # Crypto-shredding
//!
//! Each person's fields are encrypted with a key of that person. To erase the person, you delete the key. [Mathias
//! Verraes describes the pattern](https://verraes.net/2019/05/eventsourcing-patterns-throw-away-the-key/) for event
//! stores. The pattern erases the data in immutable events and all backups at once. For unencrypted data, this crate
//! only reports until when backups contain the old data. For encrypted data, [this crate can destroy the
//! key](super::recipients#shredding-keys). The author names the limits of the pattern: encryption and key management
//! must be good, and it is disputed whether such data are erased in the sense of the law. You have to use the pattern
//! from the first day. It does not reach values that were copied in clear text.
//!
//! # Data lakes
//!
//! [Amazon S3 Find and Forget](https://github.com/awslabs/amazon-s3-find-and-forget) takes a queue of identifiers and removes their rows from Parquet and
//! JSON files in S3. This crate does not open such files. It deletes or blanks whole documents of a customer.
//!
//! # Privacy platforms
//!
//! Transcend, Fides and [OneTrust](https://developer.onetrust.com/) are servers or services that take requests and
//! pass them on to many systems. Transcend, for example, erases a person's data at
//! [Amplitude](https://amplitude.com/docs/en/data/pii/transcend). The engine of Fides is a separate service that
//! [connects to your databases](https://pypi.org/project/fidesops/); Fides is open source. Use a platform if you need
//! a portal for requests, and connectors to cloud services. This crate has adapters for two gateways, but no portal
//! and no connectors. Behind such a platform, it can do the work in your own database.
//!
//! # The vendor's own settings
//!
//! If only a vendor has the data, use the vendor's own functions. Two examples: [S3 lifecycle
//! rules](https://docs.aws.amazon.com/goto/WebAPI/s3-2006-03-01/NoncurrentVersionExpiration) delete old versions of
//! objects. This crate cannot reach them. [Stripe deletes a customer](https://docs.stripe.com/api/customers/delete)
//! with one call, which also cancels the customer's subscriptions. This crate adds the checks before this call, and
//! the proof after it.
//!
//! # Packages of web frameworks
//!
//! In Django, [django-gdpr-assist](https://github.com/wildfish/django-gdpr-assist) finds, exports and anonymises
//! personal data of models. It records erasures, so that they can be replayed after a restore. In this crate, an
//! operator approves a [replay](super::cookbook#after-a-restore) like any other plan. See [`finding`](super::finding)
//! for exports. In Laravel, [laravel-gdpr](https://packagist.org/packages/jeffersongoncalves/laravel-gdpr) declares
//! personal columns on the models, and exports and anonymises a person's records.
//!
//! # When this crate is the wrong choice today
//!
//! * Your customers are neither in SQLite nor in PostgreSQL, and you do not want to write a
//!   [`Repository`](crate::Repository). The map of this release describes these two.
//! * The ledger can be neither in a SQLite file nor in PostgreSQL, and you do not want to write your own
//!   [`Ledger`](crate::ledger::Ledger).
//! * Your service is not in Rust.
//! * One customer has data in several databases. This release erases from one root store.
//! * You need to remove a person from other people's texts in PostgreSQL. This release does so only in SQLite.

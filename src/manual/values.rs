//! What becomes of a value.
//!
//! Cleared, a constant, a dated placeholder in your language, a random token that fits the column, an invalid password; or
//! made general where statistics need it: a UK postcode to its outward code, a ZIP code to three digits, a date to its year
//! or month, an age to its band, an IP address to its network. What cannot be read is cleared, never kept.
//!
//! What the column's length, type, NOT NULL, UNIQUE or CHECK would refuse is said with its path when the policy is checked, before
//! anything runs. Triggers that would refuse, swallow or rewrite what a treatment does are named then, too. Each strategy says what
//! of the old value its result depends on, and a property test holds it to that.
//!
//! Where a text or a document cannot be read (bytes, another encoding, no JSON), its customer is blocked, with class and field,
//! and nobody else. `otherwise = "remove"` beside the action of the class says what becomes of such a value instead.
//!
//! # Documents
//!
//! Values inside JSON documents are replaced in place, every other byte left alone. PDFs become blank ones of the same pages,
//! written new.
//!
//! # Small groups
//!
//! With `smallest_group = 20`, what is kept or made general stays only where twenty customers of the tenant share all of it.
//! Where they do not it is made one step more general, and goes where too few share even that: counted before the run, and said
//! by the plan.
//!
//! # Strategies of your own
//!
//! What none of them writes, a strategy of your own does: it is given the generalisation that it declares and never the value, a
//! plan binds its version, and `testing::own_strategy` checks it on your values.
//!
//! # Texts
//!
//! In texts that people wrote, `"redact"` takes the customer out however they are written: names in any order and with
//! initials, numbers in any grouping, whatever Unicode lets a letter look like. Measured recall, and what is out of scope,
//! stand in [`free_text`](super::free_text). `{ redact = "[removed]", also = ["email", "iban"] }` takes out what these
//! detectors find as well, whoever's it is.

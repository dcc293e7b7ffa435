//! What becomes of a value.
//!
//! | what you want | what can be written |
//! |---|---|
//! | the value goes | NULL, a constant, a placeholder with its date in your language, a random token that fits the column, an invalid password |
//! | a part stays for statistics | a UK postcode becomes its outward code, a ZIP code three digits, a date its year or month, an age its band, an IP address its network |
//!
//! A value that cannot be read as what is to be made general is cleared.
//!
//! The check of a policy names, with its path, what the column would refuse: by length, type, NOT NULL, UNIQUE or CHECK. It also names
//! triggers that would refuse, swallow or rewrite a write. Nothing has run by then. Each strategy declares what its result reveals of the
//! old value, and a property test checks this.
//!
//! A text or a document may be unreadable: bytes, another encoding, no JSON. It then blocks its customer, and only this customer. The
//! error names class and field. With `otherwise = "remove"` beside the action of the class, such a value is removed instead.
//!
//! # Documents
//!
//! Values inside JSON documents are replaced in place, and every other byte stays. PDFs become new, blank PDFs with the same pages.
//!
//! # Small groups
//!
//! A postcode and a year of birth together can name one person. With `smallest_group = 20`, such fields stay only where at least twenty
//! customers of the tenant share all of them. For a smaller group, each field is first made one step more general. If the group is still
//! too small, the fields are removed. The plan counts this before the run.
//!
//! # Strategies of your own
//!
//! You can write a strategy for a value that none of these produces. It gets the generalisation that it declares, and never the value
//! itself. A plan names its version. `testing::own_strategy` checks it on your values.
//!
//! # Texts
//!
//! `"redact"` takes the customer out of texts that people wrote: names in any order and with initials, numbers in any grouping, letters in
//! any Unicode form. [`free_text`](super::free_text) has the measured recall, and what is not found. With
//! `{ redact = "[removed]", also = ["email", "iban"] }`, every e-mail address and every IBAN goes as well, whoever it belongs to.

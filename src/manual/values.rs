//! How a value is removed, replaced or made less exact.
//!
//! | what you want | what can be written |
//! |---|---|
//! | the value goes | NULL, a constant, a placeholder with its date in your language, a random token that fits the column, an invalid password |
//! | a part stays for statistics | a UK postcode becomes its outward code, a ZIP code three digits, a date its year or month, an age its band, an IP address its network |
//!
//! If a value does not have the form that a generalisation expects, the value is cleared.
//!
//! Before anything runs, the check of a policy names each rule whose result the column would refuse: because of length,
//! type, NOT NULL, UNIQUE or CHECK. It also names triggers that would refuse, suppress or change a write. Each strategy
//! declares what its result reveals of the old value, and a property test checks this.
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
//! If none of these strategies fits, write one of your own. Your strategy gets the value only in the generalised form
//! that the strategy declares, and never the value itself. A plan names the version of the strategy. Check your
//! strategy on your own values with `testing::own_strategy`.
//!
//! # Texts
//!
//! `"redact"` takes the customer out of texts that people wrote: names in any order and with initials, numbers in any grouping, letters in
//! any Unicode form. [`free_text`](super::free_text) has the measured recall, and what is not found. With
//! `{ redact = "[removed]", also = ["email", "iban"] }`, every e-mail address and every IBAN goes as well, whoever it belongs to.

//! How a value is removed, replaced or made less exact.
//!
//! | goal | possible results |
//! |---|---|
//! | remove the value | NULL, a constant, a placeholder with the date in your language, a random token that fits the column, an invalid password |
//! | keep a part for statistics | the outward code of a UK postcode, three digits of a ZIP code, the year or month of a date, the band of an age, the network of an IP address |
//!
//! If a value does not have the form that a generalisation expects, the value is cleared.
//!
//! Before anything runs, the check of a policy names each rule with a result that the column would refuse: because of
//! length, type, NOT NULL, UNIQUE or CHECK. It also names triggers that would refuse, ignore or change a write. Each
//! strategy declares what its result reveals about the old value, and a property test checks this.
//!
//! A text or a document may be unreadable: bytes, or no JSON. It then blocks its customer, and only this customer. A
//! text that is not UTF-8 is searched for what can be read (see [free text](crate::manual::free_text)). The error names class and field. To remove such a value instead, write `otherwise = "remove"`
//! beside the action of the class.
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
//! # Your own strategies
//!
//! If none of these strategies fits, write your own. It gets only the generalised form of the value that it declares,
//! and never the value itself. A plan names the version of the strategy. Check your strategy on your own values with
//! `testing::own_strategy`.
//!
//! # Texts
//!
//! `"redact"` removes mentions of the customer from free texts: names in any order and with initials, numbers in any
//! grouping, letters in any Unicode form. [`free_text`](super::free_text) has the measured rates, and lists what is
//! not found. With `{ redact = "[removed]", also = ["email", "iban"] }`, all e-mail addresses and IBANs are removed
//! as well, even those of other people.

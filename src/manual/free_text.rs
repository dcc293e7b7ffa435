//! People in free text: what is found, how much of it, and what is not.
//!
//! [`text::Matcher`](crate::anonymise::text::Matcher) searches a text for one person or for a hundred thousand in a single pass. It
//! searches for the values that the host's fields hold. A name that stands in no field is not found.
//!
//! # Measured
//!
//! Identifiers are planted in English, Swedish and German notes: 2,000 notes per language and way of writing. Other sentences in the notes
//! are there to mislead: namesakes, names that are part of a word or of a place, numbers that differ from the person's by a digit. A
//! mention counts as found when nothing of it is left. `cargo run --release --example recall` prints the table.
//!
//! | written | English: recall, precision | Swedish | German |
//! |---|---|---|---|
//! | exact | 1.000, 0.969 | 1.000, 1.000 | 1.000, 1.000 |
//! | upper case | 1.000, 0.983 | 1.000, 1.000 | 1.000, 1.000 |
//! | lower case | 1.000, 0.983 | 1.000, 1.000 | 1.000, 1.000 |
//! | surname first | 1.000, 1.000 | 1.000, 1.000 | 1.000, 1.000 |
//! | surname first, no comma | 1.000, 1.000 | 1.000, 1.000 | 1.000, 1.000 |
//! | initials | 1.000, 1.000 | 1.000, 1.000 | 1.000, 1.000 |
//! | decomposed (NFD) | 1.000, 0.983 | 1.000, 1.000 | 1.000, 1.000 |
//! | marks dropped | 1.000, 0.983 | 1.000, 1.000 | 1.000, 1.000 |
//! | marks spelled out | 1.000, 1.000 | 1.000, 1.000 | 1.000, 1.000 |
//! | full width | 1.000, 0.983 | 1.000, 1.000 | 1.000, 1.000 |
//! | without width in between | 1.000, 0.976 | 1.000, 1.000 | 1.000, 1.000 |
//! | Turkish i | 1.000, 1.000 | 1.000, 1.000 | 1.000, 1.000 |
//! | other spaces and hyphens | 1.000, 1.000 | 1.000, 1.000 | 1.000, 1.000 |
//! | genitive | 1.000, 1.000 | 1.000, 1.000 | 1.000, 1.000 |
//! | street abbreviated | 1.000, 0.956 | 1.000, 1.000 | 1.000, 1.000 |
//! | phone, international | 1.000, 0.959 | 1.000, 1.000 | 1.000, 1.000 |
//! | phone, national | 1.000, 0.959 | 1.000, 1.000 | 1.000, 1.000 |
//! | account, grouped | 1.000, 0.959 | 1.000, 1.000 | 1.000, 1.000 |
//! | personal number, shorter | 1.000, 0.959 | 1.000, 1.000 | 1.000, 1.000 |
//! | nobody: texts that came out changed | 0 of 2000 | 0 of 2000 | 0 of 2000 |
//!
//! Precision falls below one where a namesake stands in the same sentence as a number or an address of the person. An example is
//! *"K-104233, with grace and patience"* for a customer whose first name is Grace.
//!
//! # Certain, and for a person to look at
//!
//! Four kinds of names are not certain by themselves:
//!
//! * names of up to four letters,
//! * the most common names of the three languages,
//! * names that are also words,
//! * names that several of the people searched for have.
//!
//! Such a name is certain only beside another identifier of the same person in the same sentence: another name, an initial, a number or
//! an address. Otherwise the name is reported and stays. So "Ed" in *Edinburgh* is no mention, *Ed* alone is reported, and *Ed
//! Featherstone* is replaced. Plan and certificate say how many uncertain mentions each field has. After the erasure nobody could count
//! them, because the person's own values are gone.
//!
//! # Addresses and numbers of anybody
//!
//! A text may hold addresses and numbers that no field has. Detectors find these by shape and check digit: mail addresses, telephone
//! numbers, IBANs (mod 97), cards (Luhn), IP addresses, and the national numbers of Sweden, the United Kingdom and Germany.
//!
//! A detector does not know whose number it found, and one number in ten that is no card has the check digit of a card. So detectors only
//! report ([`detect`](crate::anonymise::text::detect)), unless the policy names them: `{ redact = "[removed]", also = ["email", "iban"] }` takes
//! out every e-mail address and every IBAN. A text in which a named detector still finds something is due.
//!
//! # In documents
//!
//! Each text of a JSON document is searched by itself, after its escapes are resolved: `Ashw\u006frth` is found. *Maud* in one text and
//! *Ashworth* in the next are two names that stand alone. Every other byte of the document stays.
//!
//! # What is not found
//!
//! * Nicknames and misspellings: *Maudie*, *Ashwort*.
//! * Words with a hyphen at the end of a line, and letters with spaces between them: *A s h w o r t h*.
//! * Disguised addresses, such as *maud (at) example.org*; HTML entities and other encodings of text.
//! * Letters of another script that look the same.
//! * Descriptions without a name: *the owner of the red bakery in Whitby*.
//! * Images, sound, and text within files such as PDFs.

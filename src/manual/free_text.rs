//! People in free text: what is found, how much of it, and what is not.
//!
//! [`text::Matcher`](crate::anonymise::text::Matcher) looks for one person or a hundred thousand in a single pass. It
//! works from what the host knows of them, so it is as good as that: a name that nobody wrote into a field of its own is
//! found by nothing.
//!
//! # Measured
//!
//! Identifiers are planted in English, Swedish and German notes, 2,000 per language and way of writing, among sentences
//! that are there to mislead: namesakes, names that are a part of a word or of a place, numbers that nearly are the
//! person's. A mention counts as found when nothing of it is left. The table is printed by
//! `cargo run --release --example recall`.
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
//! Precision below one comes from namesakes in the same sentence as a number or an address of the person: in *"K-104233,
//! with grace and patience"* the customer's first name is Grace.
//!
//! # Certain, and for a person to look at
//!
//! A name of up to four letters, one of the commonest in the three languages, one that is a word, and one that several
//! of those searched for bear, is certain only beside another identifier of the same person: another of their names, an
//! initial, a number or an address in the same sentence. Elsewhere it is reported and stays. So "Ed" in *Edinburgh* is
//! no mention at all, *Ed* alone is reported, and *Ed Featherstone* is replaced. A plan says how many such mentions each
//! field has, and so does the certificate, because once the person's own values are gone nobody can tell any more.
//!
//! # Whoever's it is
//!
//! A text may name others, and numbers that no field holds. Detectors know mail addresses, telephone numbers, IBANs (mod 97),
//! cards (Luhn), IP addresses and the national numbers of Sweden, the United Kingdom and Germany by shape and check digit.
//! Alone they are advisory ([`detect`](crate::anonymise::text::detect)): one number in ten that is no card has the check
//! digit of one. A policy says which of them count: `{ redact = "[removed]", also = ["email", "iban"] }` takes out what they
//! find as well, and a text in which one of them still finds something is due.
//!
//! # In documents
//!
//! Within a JSON document each text is searched for itself, its escapes resolved: `Ashw\u006frth` is found, *Maud* in one
//! text and *Ashworth* in the next are two names that each stand alone. Every other byte of the document stays.
//!
//! # Out of scope
//!
//! * Nicknames and misspellings: *Maudie*, *Ashwort*.
//! * Words broken by a hyphen at the end of a line, and letters set apart: *A s h w o r t h*.
//! * Addresses in disguise, such as *maud (at) example.org*; entities of HTML and other encodings of text.
//! * Letters of other scripts that look alike.
//! * Whoever can be known without a name: *the owner of the red bakery in Whitby*.
//! * Images, sound, and text within files such as PDFs.
//!
//! What is detected by shape ([`text::detect`](crate::anonymise::text::detect): mail addresses, telephone numbers,
//! accounts, cards, IP addresses, national numbers of Sweden, the UK and Germany) says nothing of whose it is. It is for a
//! person to look at.

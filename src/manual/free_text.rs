//! People in free text: what is found, the measured rates, and what is not found.
//!
//! [`text::Matcher`](crate::anonymise::text::Matcher) searches a text for one person or for a hundred thousand in a
//! single pass. It searches for the values in the host's fields. A name that is in no field is not found.
//!
//! # Measured
//!
//! The measurement generates people of fifteen languages, and inserts them into notes: 500 notes per language and
//! way of writing. Other sentences in the notes are distractors: namesakes, names that are part of a word or of a
//! place, other numbers. *Found* means that at most a title, a label or an ending of the mention is left. *Reported*
//! means that nothing is replaced, but the place is counted, so that an operator can check it. `cargo run --release
//! --example recall` prints the tables.
//!
//! | way of writing | texts | found | reported | a part left | missed without report | found or reported |
//! |---|--:|--:|--:|--:|--:|--:|
//! | exact | 7500 | 7491 | 9 | 0 | 0 | 1.000 |
//! | full name, upper or lower case | 6000 | 6000 | 0 | 0 | 0 | 1.000 |
//! | full name, NFD, full width, zero width | 6000 | 6000 | 0 | 0 | 0 | 1.000 |
//! | full name, other spaces, brackets, emoji | 6000 | 6000 | 0 | 0 | 0 | 1.000 |
//! | full name, middle initial | 5872 | 5872 | 0 | 0 | 0 | 1.000 |
//! | marks dropped or spelled out | 4000 | 4000 | 0 | 0 | 0 | 1.000 |
//! | Last, First | 6000 | 6000 | 0 | 0 | 0 | 1.000 |
//! | F. Last, Last F., First L. | 6000 | 5996 | 0 | 4 | 0 | 0.999 |
//! | first name alone | 6000 | 3609 | 2391 | 0 | 0 | 1.000 |
//! | surname, title and surname | 6000 | 4843 | 1157 | 0 | 0 | 1.000 |
//! | phone, with country code | 7500 | 7500 | 0 | 0 | 0 | 1.000 |
//! | phone, as dialled within the country | 7500 | 7500 | 0 | 0 | 0 | 1.000 |
//! | phone, country code and no plus | 7500 | 7500 | 0 | 0 | 0 | 1.000 |
//! | phone, labels attached, underscores | 7500 | 7500 | 0 | 0 | 0 | 1.000 |
//! | account, regrouped | 7500 | 7500 | 0 | 0 | 0 | 1.000 |
//! | national id, regrouped or with other separators | 7500 | 7500 | 0 | 0 | 0 | 1.000 |
//! | customer number, other separator | 7500 | 7500 | 0 | 0 | 0 | 1.000 |
//! | mail, tags and signs around it | 7500 | 7500 | 0 | 0 | 0 | 1.000 |
//! | street, number moved, 5a, Nr. 5 | 7500 | 5068 | 2432 | 0 | 0 | 1.000 |
//! | street, abbreviated | 7500 | 7500 | 0 | 0 | 0 | 1.000 |
//! | street without its number | 7500 | 0 | 7500 | 0 | 0 | 1.000 |
//! | date of birth, postcode, city | 7500 | 0 | 7499 | 0 | 1 | 1.000 |
//! | initials only | 4000 | 0 | 4000 | 0 | 0 | 1.000 |
//! | CamelCase | 5872 | 5872 | 0 | 0 | 0 | 1.000 |
//! | Chinese, Japanese, Korean names in running text | 1500 | 1434 | 66 | 0 | 0 | 1.000 |
//! | case endings | 3929 | 1609 | 2320 | 0 | 0 | 1.000 |
//! | declared out: nickname, typing error, spaced letters, (at) | 7500 | 0 | 1222 | 12 | 6266 | 0.163 |
//!
//! | texts that do not mention the person | texts | changed | reported |
//! |---|--:|--:|--:|
//! | texts about others | 3807 | 0 | 18 |
//! | texts about nobody | 7500 | 0 | 6 |
//! | a one-letter word before a name that is a word | 500 | 0 | 0 |
//! | surnames that are words, in lower case | 500 | 0 | 0 |
//! | a relative of the same surname | 4756 | 0 | 145 |
//! | the same first name, another surname | 4756 | 0 | 420 |
//! | somebody else's mail with the name in it | 4000 | 0 | 0 |
//!
//! A surname alone or a given name alone may mean the person, so it is reported. Another name beside it may show that
//! somebody else is meant:
//!
//! * *Tom Ashworth* is not Maud Ashworth: *Tom* is on a list of given names, and is neither similar to *Maud* nor a
//!   nickname of it, as *Bill* is of William. *Maudie Ashworth* is reported.
//! * *Maud Blenkinsop* is not Maud Ashworth: *Blenkinsop* has a capital, and is on no list of words. In German every
//!   noun has a capital, so there the word must be on a list of surnames or end like one. In a text of fewer than six
//!   words the language is unknown, and the name is reported.
//!
//! Both need a record that shows which name is the surname. Such a place is neither replaced nor reported.
//!
//! # Certain, and for a person to look at
//!
//! These are not certain by themselves:
//!
//! * names of up to four letters, the most common names of English, Swedish and German, and names that several of the
//!   searched people have,
//! * names that are also words. The words come from SCOWL (English words that are names of people) and from the stop words of sixteen
//!   languages; their licences are in `src/anonymise/text/LICENSE-WORDS`,
//! * names in small letters, and inflected names (*Kowalskiego*),
//! * a name beside another word with a capital, unless the word shows that somebody else is meant,
//! * two names of three beside another name: *Gael Henrique Vieira* is not Pedro Henrique Vieira,
//! * a name alone in a script without capitals, because there a word beside it may be another name,
//! * two names, or a name and an initial, in an e-mail address of another person,
//! * a street without its number, with the same number and another letter, or with another flat,
//! * initials alone, dates of birth, postcodes, cities, and numbers of four to six digits,
//! * a value of nothing but common words, whatever its kind: a user called *customer*, a company *Will Do*, a telephone *please call*.
//!   The words come from SCOWL (English, sizes 10 to 35), the lists above, and a short list of words of customer service,
//! * a number that reads as a day or as an amount: *2024-11-30*, *1 000 000*, *1 234 567 kr*,
//! * a part of an address: *ap. 7*, *Page 5*; an address that a hyphen, a point or a colon and a digit continue (*Storgatan 12–14*), and
//!   one with a word beside it that makes it another street (*Lilla Storgatan 12*, *10 High Street North*).
//!
//! Such a mention is certain only beside another identifier of the same person: another name, or a number, an e-mail
//! address or an address in the same sentence. Otherwise it is reported and stays. So *Ed* alone is reported, and *Ed
//! Featherstone* is replaced. A city is replaced beside a certain mention, but makes no other mention certain. Plan
//! and certificate give the number of uncertain mentions in each field. They are counted before the erasure, because
//! afterwards the person's own values are gone.
//!
//! A name that is also a word is not even reported in small letters: *I will call* does not mention Ian Will. A
//! single letter is an initial only beside a name of the same person, and only as a capital or with a full stop.
//!
//! A policy may say that in the customer's own records a name alone is certain: `{ redact = "[removed]", names = "certain" }`. Names in
//! small letters, with endings, or beside another name stay uncertain.
//!
//! # What is looked for
//!
//! The search uses every field of an identifying kind, and also dates of birth, postcodes and cities. The value may
//! be a text, bytes with UTF-8 text, or a number, because a database may convert digits into a number. A telephone
//! field may hold several numbers with labels and extensions. An e-mail field may contain `Name <mail>`, and then the
//! name is searched for, too. A value of fewer than four digits is not searched for. Two names are searched side by
//! side in two cases: both are among the first eight names of one value, or among the first sixteen names of all
//! fields. The fields of the customer's own record come first.
//!
//! An address is also searched for exactly as the field holds it. Leading zeros of a number are optional, because a
//! numeric column drops them. Digits of other scripts are equal to the usual digits.
//!
//! # Addresses and numbers of anybody
//!
//! A text may contain addresses and numbers that are in no field. Detectors find these by form and check digit:
//! e-mail addresses, telephone numbers, IBANs (mod 97), cards (Luhn), IP addresses, and the national numbers of
//! Sweden, the United Kingdom and Germany.
//!
//! A detector does not know to whom a number belongs, and one in ten other numbers has a valid check digit of a card
//! by chance. So detectors only report ([`detect`](crate::anonymise::text::detect)), unless the policy names them: `{
//! redact = "[removed]", also = ["email", "iban"] }` removes every e-mail address and every IBAN. If a named detector
//! still finds something in a text, the text is due.
//!
//! # In the texts of others
//!
//! A comment belongs to its author, but may mention somebody else. Name such texts in the map, and say in every
//! treatment what happens to mentions in them:
//!
//! ```toml
//! # map.toml
//! [mentions]
//! comment = "body"                                                       # one tenant in the whole database
//! ticket = { fields = ["subject", "text"], tenant = "organisation_id" }  # a column, or { sql = "…" }
//! ```
//!
//! ```toml
//! # policy.toml
//! [treatments.clear]
//! mention.comment = { redact = "[removed]" }
//! mention.ticket = { keep = "tickets are deleted after ninety days" }
//! ```
//!
//! Reading a million comments takes as long for one customer as for ten thousand. So a case waits before the
//! customer's own records are erased. [`Engine::redact_mentions`](crate::Engine::redact_mentions) makes one pass for
//! all waiting cases, at times that you choose. A [worker](crate::engine::Worker::redact_mentions_daily) does so
//! every day. Then the cases continue.
//!
//! * Until the pass, the customer is deactivated, but the customer's row stays, because it contains the names to
//!   search for. Make passes often enough for the deadlines of the requests.
//! * A plan reads none of these texts.
//! * Only texts of the person's own tenant are searched.
//! * A name alone is never certain there. If several waiting people have the same name, this name is not certain
//!   either.
//! * The texts are read in parts by key. An interrupted pass is repeated, and the certificate then says *or more*.
//! * A text of a customer under a hold stays, and the cases of the people mentioned in it wait. If the database
//!   refuses to change a text, the cases of the people mentioned in it are blocked.
//! * A record that a duty keeps cannot be changed. So a policy that redacts mentions in such records is refused.
//! * The SQLite store makes passes; the PostgreSQL store does not yet.
//! * Values that are no text are counted, but not searched. Columns with JSON documents cannot be named.
//!
//! The certificate gives the numbers of texts that were read, changed, or could not be read, and of uncertain
//! mentions. `cargo bench --bench mentions` compares a pass with only reading the same texts.
//!
//! # Encoded texts
//!
//! A field may contain the source of a web page or of an e-mail. If the map names the encoding, the decoded text is
//! searched:
//!
//! ```toml
//! # map.toml
//! [records.message]
//! table = "messages"
//! key = "id"
//! owner = "customer_id"
//! [records.message.fields]
//! page = { kind = "free_text", encoding = "html" }              # Bj&ouml;rk
//! mail = { kind = "free_text", encoding = "quoted_printable" }  # Bj=C3=B6rk
//! ```
//!
//! The replacement is encoded in the same way. A line of quoted-printable text that becomes too long gets a soft line
//! break. Every other byte stays. Bytes of quoted-printable text that are no valid UTF-8 are read as Windows-1252.
//! HTML tags are read as text, so *Maud* and `<b>Ashworth</b>` are two names side by side. Such a field cannot be
//! named under `[mentions]`.
//!
//! # In documents
//!
//! Each text of a JSON document, and each string of data serialised by PHP, is searched separately, after its escapes
//! are resolved: `Ashw\u006frth` is found. *Maud* in one text and *Ashworth* in the next are two separate names. A
//! whole number that belongs to a person becomes a text. Names of members are searched, too. If two names would
//! become the same, they are numbered. Every other byte of the document stays.
//!
//! # Texts that are not UTF-8
//!
//! SQLite stores any bytes as a text. Such a text is searched for what can be read: bytes that are not UTF-8 are read
//! as Windows-1252. Every byte outside a mention stays. What cannot be read may name the person, so the text counts as
//! one uncertain mention: the plan counts it, and [`ListUncertain`](crate::store::ListUncertain) names its class, key
//! and field. If the policy says `otherwise`, the whole text is replaced instead. A text with NUL characters between
//! letters, bytes in another column than a text, and a JSON document that is not UTF-8 are still refused, with class,
//! field and key. In the texts of others, such a text is never changed: it counts as unreadable, and whoever is named in
//! the rest of it is reported.
//!
//! # What is not found
//!
//! * Nicknames and misspellings: *Maudie*, *Ashwort*.
//! * Words with a hyphen at the end of a line, and letters with spaces between them: *A s h w o r t h*.
//! * Disguised addresses, such as *maud (at) example.org*. Encodings that the map does not name, or that are not
//!   listed above.
//! * Letters of another script that look the same.
//! * A mail address whose domain is written in the other of its two forms (*bücher.de*, *xn--bcher-kva.de*), and the account number of an
//!   IBAN apart from its bank code.
//! * A word of a language other than English that is common there and in none of the lists: as somebody's user name it is certain.
//! * Descriptions without a name: *the owner of the red bakery in Whitby*.
//! * Images, sound, and text within files such as PDFs.

//! What must happen, when and why.
//!
//! A policy is a short document, in TOML or JSON. The document says once what happens to each *kind* of personal
//! data. A treatment has one line per record class. Triggers choose a treatment, and guards forbid an erasure. A
//! policy is read in two steps: [`PolicyDocument::from_toml`] checks the grammar. [`PolicyDocument::check`] then
//! checks the document against a [`DataMap`](crate::DataMap), and gives a [`Policy`] that can be carried out as it
//! stands.
//!
//! | key | says |
//! |---|---|
//! | `version` | `1` |
//! | `name` | whose policy it is; for people |
//! | `sweep` | the switch: `false` means that nothing is ever erased without a request |
//! | `blast_radius` | how many customers one run may hit: `{ customers = 500, share = "2 %" }`, or one of the two. A run that would hit more stops before anything is touched, and asks. See [below](#one-run) |
//! | `four_eyes` | `true`: whoever made a plan must not approve it. See [below](#one-run) |
//! | `leftovers` | what happens when a record that stays still holds a value that was erased: `"list"` (the certificate names class and field; the default) or `"block"` (everything is undone, and the case waits for a person). See [below](#leftovers) |
//! | `time_zone` | the zone in which days are counted: `"Europe/Stockholm"`; UTC unless it says otherwise |
//! | `triggers` | `requested`, `cancelled`, `deleted`, `inactive`, `listed`, `service_ended`: the treatment, and `after` how long `since` which date; see [below](#triggers) |
//! | `guards` | `active_subscription`, `several_tenants`, `not_archived`, `unpaid_invoice`, `open_dispute`; the holds `legal_claim`, `restriction`, `authority_order`; and states of the host's own that the data map names. Each is `"block"`, `"block sweep"` (a request passes), `{ ignore = "reason" }`, `{ data = ["invoice"] }`, or `{ block = "reason", ground = "17(3)(e)", way_out = "…", data = ["invoice"] }`: `data` limits the ground to some record classes, and a legal claim needs it for a [letter](crate::plan::letter::refusal); what stops a request has a ground in law, and a state of the host's own has to name it. One that is not named blocks, if the store or a gateway tells its fact |
//! | `duties` | record classes that must be kept, by a [statute] of the table (`statute = "SE/BFL/7:2"`) or by `period`, `start`, `law` and `ground`; `from` names the field with the record's date, or `fiscal_year_ends` the one with the last day of its fiscal year. See [below](#duties) |
//! | `expire` | record classes whose records go by their own age, when their last duty ends, or because their owner is gone, whoever they belong to. See [below](#expiry) |
//! | `fiscal_year_ends` | `"06-30"`, where it is not the calendar year |
//! | `limits` | record classes that may be kept at most so long: `{ classes = ["call_record"], from = "made_at", at_most = "6 months", law = "…" }`. The check makes sure that they [expire](#expiry) in time |
//! | `suppress` | identifiers of erased customers that stay as keyed tokens, so that no importer brings anybody back: `{ kinds = ["email", "phone"], treatments = ["clear"], for = "3 years" }`. See [below](#suppression) |
//! | `privacy_law` | `"gdpr"`, `"uk_gdpr"`, `"fadp"`, `"dpdp"` or `"ccpa"`: which articles and remedies [letters](crate::plan::letter) name, and by which [regime](crate::plan::Regime) the time for an answer is counted. Without it the statutes of the duties [decide](PrivacyLaw) |
//! | `language`, `words` | the language of names and reasons in policy and map (`"en"` unless it says otherwise), and per further language what they are called there. See [below](#words) |
//! | `anonymise` | per kind of personal data, what is written in its place; see [below](#what-is-written) |
//! | `treatments` | per record class: `"delete"`, `"anonymise"`, `"blank"` (anonymised, its documents [blank](crate::anonymise::document::blank); `{ action = "blank", otherwise = "empty" }`), `"reassign"`, `{ keep = "reason" }`, or `{ action = "anonymise", keep = { field = "reason" }, fields = { field = rule }, otherwise = "remove", smallest_group = 20 }` (or `{ customers = 20, coarser = { field = "uk_area" } }`); per gateway: `gateway.stripe = "erase"`; per [recipient](crate::manual::recipients): `recipient.search = "tell"`, or `{ impossible = "reason" }`, `{ disproportionate = "reason" }`, `{ unconcerned = "reason" }`; per class of texts of others: `mention.comment = { redact = "[removed]" }`, or `{ keep = "reason" }` |
//! | `tenants` | per tenant, lines of its own: each entry replaces the one of the same name whole, `sweep` and `time_zone` too. See [below](#tenants) |
//!
//! ```toml
//! # policy.toml
//! version = 1
//! sweep = true
//!
//! [triggers]
//! requested = { treatment = "clear" }
//! cancelled = { after = "90 days", treatment = "clear" }
//!
//! [guards]
//! active_subscription = "block"
//! several_tenants = { ignore = "every customer is ours alone" }
//! not_archived = "block"
//!
//! [anonymise]
//! name = "remove"
//! email = "token"
//! password = "invalidate"
//!
//! [treatments.clear]
//! customer = "anonymise"
//! call_record = "delete"
//! order = { keep = "turnover statistics; no personal field" }
//! gateway.stripe = "erase"
//! ```
//!
//! # What is written
//! | rule | writes |
//! |---|---|
//! | `"remove"` | whatever the column takes, see below |
//! | `"clear"` | NULL |
//! | `{ constant = "gone" }` | the same value for everybody |
//! | `{ placeholder = "Erased {date}" }` | a text with the day; also `{year}` and `{token}` |
//! | `"token"`, `{ token = "uuid" }` or another [form](crate::anonymise::TokenForm) | a random value; in a column of whole numbers a number of 19 digits |
//! | `"invalidate"` | a password that nobody can log in with |
//! | `{ generalise = "uk_postcode" }` or another [generalisation](crate::anonymise::Generalisation), `{ truncate = 3 }` | a part of the old value |
//! | `"blank"`, `{ blank = { otherwise = "empty" } }`, `{ blank = { otherwise = "delete" } }` | a blank document; `otherwise` says what becomes of a file that cannot be blanked |
//! | `"redact"`, `{ redact = "[borttaget]" }` | the text without the person who is [mentioned](crate::anonymise::text) in it |
//! | `{ redact = "[removed]", also = ["email", "iban"] }` | the same, and without what these [detectors](crate::anonymise::text::Detector) find, whoever it belongs to |
//! | `{ redact = "[removed]", names = "certain" }` | the same; a first name alone is replaced too, though it is short, common or a word, unless another name stands beside it |
//! | `{ redact = "[removed]", otherwise = "remove" }` | the same; a text that cannot be read is removed as a whole |
//! | `{ own = "name" }` | the result of a [strategy of your own](crate::anonymise::OwnStrategy) |
//! | `{ keep = "reason" }` | nothing: the value stays as long as its record |
//! | `{ keep = "reason", for = "2 years" }` | nothing at first. When the period after the erasure is over, the next sweep removes the value; see [kept for a time](#kept-for-a-time) |
//!
//! The check resolves `"remove"`, and the plan shows the result. It is the first of these that the column and the field's
//! [CHECKs](crate::data_map::Check) accept:
//!
//! 1. NULL,
//! 2. the longest dated placeholder that fits (`Anonymised 2018-12-15`; for e-mail an address under `.invalid`),
//! 3. a token,
//! 4. a dash, in a column that is too short for the others and whose values need not differ.
//!
//! A value is removed, never kept, if it cannot be read as what is to be generalised.
//!
//! If a CHECK of a single field refuses what would be written, the check of the policy says so, with the path. Three conflicts are found
//! only when the store writes. The case is then blocked, and nothing is written:
//!
//! * a CHECK over several fields,
//! * a CHECK that calls a function of the host's own program,
//! * a CHECK whose answer depends on the value: of a redacted text, of a document in which a part is replaced, of a value that is made
//!   general.
//!
//! `smallest_group` stands on the customers' own class. A postcode, a year of birth and a gender together often name one person. The store
//! counts how many customers of the tenant share everything that is kept or made general. If they are too few, each of these fields is made
//! [one step more general](crate::anonymise::Generalisation::coarser): an outward code becomes its area, a month its year. A field without
//! such a step is removed. For a field that is kept as it is, `coarser` names the step. If the group is still too small, all of these fields
//! are removed. The count comes before any write, and the plan shows the result.
//!
//! # Triggers
//! | trigger | the customer | counts `since` |
//! |---|---|---|
//! | `requested` | asked for it, or an operator asks on their behalf | at once, and with `sweep = false` too |
//! | `cancelled` | is not active any more | `cancelled`, unless it says otherwise |
//! | `deleted` | is deleted in the host's own words | `deleted`, unless it says otherwise |
//! | `inactive` | whatever they are | what it says: `["last_transaction", "created"]` |
//! | `listed` | was put on a list by an operator | at once, or what it says |
//! | `service_ended` | whatever they are: their tenant's contract has ended | `service_ended`, unless it says otherwise |
//!
//! * `since` is a list of dates. The first date that the customer has counts. A customer who has none of them is not due, and the decision
//!   says so.
//! * `after` is a [calendar period](Period), counted in the policy's [time zone](crate::data_map::TimeZone).
//! * Of several triggers, the trigger that is due first counts.
//! * If a customer returns, all periods start again.
//! * If a fact cannot be read, the customer is blocked, and the decision names the fact.
//! * `ground` names the ground of Art. 17(1) GDPR that certificates record, such as `"17(1)(b)"` for a withdrawn consent. Without it a
//!   request has no ground that is recorded, and every other trigger has `"17(1)(a)"`: no longer necessary.
//! * `service_ended` may name a `hand_over` date. The host sets it when a person confirms that the tenant has its data. Before that date,
//!   nothing is erased.
//!
//! # One run
//! ```toml
//! # policy.toml
//! blast_radius = { customers = 500, share = "2 %" }
//! four_eyes = true
//!
//! [tenants.acme]
//! blast_radius = { customers = 20 }
//! ```
//!
//! * `blast_radius` protects from a wrong date in a policy or a wrong import. The line of the policy is about all customers of a run
//!   together. The line of a tenant is about this tenant's customers, in addition. A share is rounded up. The limit holds for whatever
//!   mandate a run has: a standing approval, a review, a replay. A person who wants more says the number in the
//!   [approval](crate::plan::Approval::up_to).
//! * `four_eyes`: the engine refuses an approval by the operator who made the plan, and a plan of which nobody says who made it
//!   ([`Plan::planned_by`](crate::Plan::planned_by)).
//!
//! # Duties
//! ```toml
//! # policy.toml
//! fiscal_year_ends = "06-30"
//!
//! [duties.bookkeeping]
//! classes = ["invoice"]
//! statute = "SE/BFL/7:2"
//! from = "booked_on"
//!
//! [duties.claims]
//! classes = ["order"]
//! period = "3 years"
//! start = "calendar_year"                    # as in StartRule: record_date, last_entry, fiscal_year, …
//! law = "BGB § 195, § 199"
//! ground = "17(3)(e)"
//! from = "placed_on"
//! ```
//! `fiscal_year_ends` at the top is the tenant's. A record may say itself when its fiscal year ends. A duty that counts fiscal years can take
//! the field with that last day: `fiscal_year_ends = { field = "fiscal_year_end" }` instead of `from`. So a fiscal year that is longer or
//! shorter than twelve months counts correctly.
//!
//! A duty beats treatment, request and switch. It defers, and never cancels:
//!
//! * A kept record stays byte for byte as it is, and counts as kept. The plan names every duty on the record, and the day on which the
//!   last of them ends.
//! * When the duty has ended, the sweep does what the treatment says. Nobody has to ask again, and no trigger has to apply again. What a
//!   person asked for is done with `sweep = false`, too.
//! * If the customer has returned in the meantime, all periods start again.
//! * A record whose date is missing or cannot be read is kept. The plan counts the records whose date cannot be read.
//! * A class without the field takes the date from the record that it hangs from: the lines of an invoice are kept by the invoice's day.
//! * No treatment may write over a date by which something is kept.
//! * A duty without a basis in law is an error. So is a period other than the statute's.
//!
//! *Redacted texts under a duty.* Redaction searches for the customer's own values, and these may be gone when the duty ends. The whole text
//! is then removed, or becomes what `after_duty` says beside the action of its class (`"remove"`, `"clear"`, `{ constant = … }`,
//! `{ placeholder = "…" }`). This happens only to records that the duty kept when the customer was erased. A text that was redacted before
//! stays redacted. Another field of the record has to show the difference: a field to which the treatment writes a placeholder, a token or a
//! constant. If the class has no such field, the check asks for a treatment that removes the whole text. The check asks for the same where
//! records expire when the duty ends, because the sweep may come before the expiry.
//!
//! *Tombstones.* A kept record needs the customer's own record and the records that it points at. If a treatment deletes such a class, the
//! needed rows stay as tombstones: they are anonymised at once, by the lines of `anonymise`, and deleted with the last record that needs
//! them. Plan and certificate say so, and until when. Every personal field of a tombstone needs a line in `anonymise` that the field can
//! take; anything else is an error. A tombstone cannot be handed over.
//!
//! # Leftovers
//! A copy of a name may be in a column that the map calls *not personal*: a search index, a note, a label. Inside the erasing
//! transaction, after the writes and before the commit, an SQL store looks for the identifying values that it has just erased
//! in the texts that stay in this customer's records: whole values, and certain mentions as free text is searched. Not looked at are
//! fields that the policy keeps although they name a person, and records that a duty keeps. The certificate says class, field, and the
//! number of records. After a crash the values are no longer known, and the certificate says that too.
//!
//! # Kept for a time
//! ```toml
//! # policy.toml
//! [treatments.marketing]
//! customer = { action = "anonymise", keep = { postcode = { reason = "where the audience comes from", for = "2 years" } } }
//! ```
//! A personal field that stays needs an end. The period counts from the day on which the case was closed; certificate and letter name
//! the last day. After that day the next sweep treats the field as the rule for its kind says, or by `remove` where that rule keeps it
//! too. Nobody has to ask again. If a duty releases other records in between, the day stays the same; if the customer returns, the period
//! starts again. A period needs records that can be found later: not those of a customer whose own record is deleted, not records
//! that are handed over or expire, and not records that are found by a value. A tombstone keeps no such field.
//!
//! Without a period the field stays as long as its record. Statement, letters and certificate say so, and `check` notes it.
//!
//! # What cannot be read
//! A text that is to be redacted may hold bytes, and a document may be no JSON. Such a value cannot be searched, and may hold the customer's
//! name. It blocks its customer, with class and field, and no other customer. A text that is not UTF-8 is searched for what can be read, and
//! counts as one uncertain mention.
//!
//! `otherwise` beside the action of the class, or beside `redact`, says what becomes of all such values instead: `"remove"`, `"clear"`,
//! `{ constant = … }` or `{ placeholder = "…" }`. NULL and an empty text never block. A value that a duty keeps is not read. A field that is
//! not searched is written over, whatever it holds.
//!
//! # Expiry
//! ```toml
//! # policy.toml
//! [expire]
//! call_record = { from = "made_at", after = "12 months", action = "delete" }
//! order = { from = "placed_on", after = "3 years", action = "delete" }
//! order_line = { from = "placed_on", after = "3 years", action = "delete" }     # the order's date, and with it
//! invoice = { after = "duty", action = "anonymise" }
//! comment = { ownerless = "gone", action = "delete" }
//! ```
//! A treatment is about a customer who is due. `expire` is about records, whoever they belong to: the customer may be active, and the
//! customer's own record stays as it is. The actions are those of a treatment, with `keep`, `fields` and `otherwise`. Two do not exist here:
//! `"reassign"` and `"redact"`. Nobody may know any more whose an expired record is, so nobody is searched for in its texts.
//!
//! * **By age:** `from` names the field with the record's date, its own or that of the record it hangs from, as for a duty. A record expires
//!   on the first day on which the [period](Period) is over. A record whose date is missing, cannot be read, or was cleared by a treatment
//!   never expires. The plan counts the records whose date cannot be read. A duty comes first: a record that it keeps expires when the
//!   duty has ended.
//! * **`after = "duty"`:** when the last duty on the record has ended.
//! * **`ownerless`:** because the owner is gone. `"gone"` means: the record names a customer who does not exist, or hangs from a record that
//!   does not exist. `"gone or none"` also means records that name nobody: a foreign key that was cleared when the customer left, or a
//!   guest's order that never had one. `0` or an empty text in the column counts as a customer who does not exist. Duties keep such
//!   records, too. Together with `from` and `after`, a record goes only when it is old enough for every tenant.
//! * **Found by a value:** a record whose e-mail address leads to its customer may lead to nobody. It is a guest's record, or the customer
//!   was erased while a duty kept the record. No tenant reaches such a record. So a class that is found by a value, and expires by age
//!   or after a duty, counts as if it said `ownerless = "gone or none"`: `Engine::plan_ownerless` plans it.
//!
//! An expired record stays as a tombstone while a record that has not expired needs it. Links of other records to a deleted record are cut,
//! as in any treatment, whoever has those records. If a trigger copies what is deleted to another class, that class has to expire, too. The
//! customers' own records never expire: they go by triggers.
//!
//! Holds keep a customer's records. So do all other guards that the policy lets block, except `active_subscription` and `not_archived`, which
//! only say that the person is still a customer. A customer who is connected to a tenant outside the plan is held back as well.
//!
//! `sweep = false` switches expiry off. Nothing happens by itself: `Engine::plan_expiry` and `Engine::plan_ownerless` count what has expired, a
//! person approves the digest, and `Engine::expire` does the work. If it finds far more than the plan said, it stops. A tenant's entry replaces
//! the entry of the same class, and `"off"` drops it.
//!
//! Nobody can say to which tenant a record without an owner belonged. So all tenants have the same rules for these
//! records, and the duties of all tenants count. One tenant with expiry switched off switches it off for these
//! records. The person who approves needs authority over every tenant that the policy names. To see what would expire
//! under a changed policy, make a plan under it. [`impact`](crate::plan::impact) only counts customers who are due.
//!
//! # Suppression
//! ```toml
//! # policy.toml
//! suppress = { kinds = ["email", "phone"], treatments = ["clear"], for = "3 years" }
//! ```
//! After a treatment that it names, keyed tokens of these identifiers stay in the
//! [suppression list](crate::ledger::SuppressionList). Importers, webhook handlers and mailing lists ask
//! [`Engine::was_erased`](crate::Engine::was_erased) before they write a person.
//!
//! * A kind has to say alone who is meant: `email`, `phone`, `username`, `national_id`, `tax_id`, `bank_account`,
//!   `payment_profile`, `customer_number`, or a kind of your own. A name does not.
//! * Spellings do not matter: identifiers are compared as the [search in texts](crate::anonymise::text) compares them.
//! * Beside a token there is its last day: the end of the calendar year in which the period ends. There is no case, no
//!   customer and no other date.
//! * Each tenant has its own tokens. What one tenant erased, another does not learn.
//! * Whoever has an address that an erased person shared, such as that of a family, counts as erased, too. Nobody can tell
//!   the two apart. [`Engine::let_in`](crate::Engine::let_in) takes an address out of the list: for such a stranger, and for
//!   a person who returns.
//! * The tokens have a key of their own. When you destroy it, the list is empty to everybody.
//!
//! # Words
//! Names and reasons in policy and map are written in one `language`. A [letter](crate::plan::letter) in another language needs a word
//! for each class, date and kept field, and each reason of the policy and the map in that language. What is missing is an error of the
//! check. Words of the policy's own language are optional: without them a class is called as it is spelled.
//!
//! ```toml
//! # policy.toml
//! language = "en"
//!
//! [words.sv.names]
//! customer = "kunduppgifter"
//! call_record = "samtalsuppgifter"
//! order = "beställningar"
//! "customer.postcode" = "postnummer"
//! cancelled = "uppsägningen"
//!
//! [words.sv.texts]
//! "turnover statistics; no personal field" = "omsättningsstatistik; inga personuppgifter"
//! ```
//!
//! `owners` names who is responsible for the erasure of a class: `owners = { default = "Customer service", invoice = "Finance" }`. The
//! [deletion concept](Concept) lists it.
//!
//! `requests_kept = "3 years"` says how long the [register](crate::ledger::Register) keeps a request after it has ended: its dates, clock,
//! letters and outcome, under a token and without the person. Without this line nothing is forgotten.
//!
//! `language`, `words`, `owners` and `requests_kept` decide nothing: a plan keeps its digest when they change.
//!
//! # Tenants
//! ```toml
//! # policy.toml
//! [tenants.acme]
//! triggers.cancelled = "off"
//! triggers.inactive = { since = ["last_transaction", "created"], after = "3 years", treatment = "clear" }
//! guards.not_archived = { ignore = "acme has no such status" }
//! ```
//! [`Policy::effective`] says what is in force for a tenant, and where each line comes from. A tenant's own lines touch no other tenant: the
//! plans of other tenants keep their digests.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::customer::TenantId;
use crate::data_map::{ClassName, FieldName};
use crate::digest::Digest;
use crate::treatment::{Treatment, TreatmentName};

mod blast_radius;
mod by_tenant;
mod check;
mod concept;
mod deferred;
mod document;
mod duty;
mod effective;
mod expiry;
mod fiscal_year;
mod guard;
mod keeper;
mod limit;
mod notes;
mod of_day;
mod privacy_law;
mod schema;
pub mod statute;
mod suppression;
mod trigger;
mod words;

pub use crate::data_map::{NotAPeriod, Period};
pub use blast_radius::{BlastRadius, NotAShare, Share};
use by_tenant::ByTenant;
pub use concept::{Concept, ConceptRow};
pub use deferred::{Deferred, DeferredBy, DutyTerms};
pub use document::{Choice, PolicyDocument};
pub use duty::Duty;
pub use effective::{Effective, Line, Origin};
pub use expiry::{After, Expiry, OwnerlessExpiry};
pub use fiscal_year::{FiscalYearEnd, NotAFiscalYearEnd};
pub use guard::{Ground, Guard, GuardRule, NotAGround};
use keeper::{Keeper, keepers};
pub use limit::Limit;
pub use privacy_law::{NotAPrivacyLaw, PrivacyLaw};
pub use schema::schema;
pub use statute::{StartRule, Statute};
pub use suppression::{Suppressing, Suppression};
pub use trigger::{ErasureGround, Trigger, TriggerRule};
use words::Words;
pub use words::{Dictionary, Language, NotALanguage};

/// A policy that was checked against a data map: every line of it can be carried out.
#[derive(Clone, Debug)]
pub struct Policy {
    name: Option<String>,
    everyone: Arc<Effective>,
    tenants: ByTenant,
    ownerless: Option<OwnerlessExpiry>,
    words: Words,
    owners: BTreeMap<String, String>,
    requests_kept: Option<Period>,
    digest: Digest,
    map_digest: Digest,
}

impl Policy {
    /// Whose policy this is: the `name` in the document.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// What the host's classes, fields and texts are called in a language. `None`: the policy has no words in this
    /// language, so there are no letters in it.
    pub fn words(&self, language: Language) -> Option<&Dictionary> {
        self.words.in_language(language)
    }

    /// How long a request is kept in the [register](crate::ledger::Register) after it has ended, without the person.
    /// `None`: the policy does not say, and nothing is forgotten.
    pub fn requests_kept(&self) -> Option<Period> {
        self.requests_kept
    }

    /// Whether identifiers of erased customers stay in the suppression list, for anybody.
    pub fn suppresses(&self) -> bool {
        self.all().any(|effective| effective.suppression().is_some())
    }

    /// Who is responsible for the erasure of a class: the entry under `owners`, or else the one of `default`.
    pub fn owner(&self, class: &str) -> Option<&str> {
        self.owners.get(class).or_else(|| self.owners.get("default")).map(String::as_str)
    }

    /// The rules in force for a tenant.
    pub fn effective(&self, tenant: &TenantId) -> &Effective {
        self.tenants.get(tenant).unwrap_or(&self.everyone)
    }

    /// A treatment, dated for a tenant at an instant: see [`Effective::dated`]. Stores get only dated treatments.
    pub fn dated(&self, tenant: &TenantId, treatment: &Arc<Treatment>, at: DateTime<Utc>) -> Arc<Treatment> {
        self.effective(tenant).dated(treatment, at)
    }

    /// The rules for records whose owner is gone. `None` if no such records expire.
    pub fn ownerless(&self) -> Option<&OwnerlessExpiry> {
        self.ownerless.as_ref()
    }

    /// The date fields of duties and expiry, by class: the fields whose dates keep records or let records expire. A
    /// field may be on the record itself, or on the record from which it hangs.
    pub(crate) fn date_fields(&self) -> BTreeSet<(ClassName, FieldName)> {
        let keepers = self.all().flat_map(|effective| {
            keepers(effective.duties(), effective.expiry().map_or(&[], |expiry| expiry.ages.as_slice()))
        });
        let fields = keepers.flat_map(Keeper::classes);
        fields.map(|(class, field)| (class.clone(), field.clone())).collect()
    }

    /// The treatment at an instant for records whose owner is gone. Such a record may belong to any tenant. So the
    /// duties of all tenants keep the record, each by its tenant's own fiscal year and time zone.
    pub fn ownerless_at(&self, at: DateTime<Utc>) -> Option<Arc<Treatment>> {
        let ownerless = self.ownerless.as_ref()?;
        let mut dated = Treatment::clone(&ownerless.treatment);
        for (name, class) in &mut dated.classes {
            let mut keeps = Vec::new();
            for under in &class.under_duty {
                for effective in self.all() {
                    // The record must be old enough for every tenant, by every tenant's calendar.
                    let keepers = keepers(effective.duties(), &ownerless.ages);
                    let Some(keep) = effective.under_any(&keepers, name, under, at) else { continue };
                    if !keeps.contains(&keep) {
                        keeps.push(keep);
                    }
                }
            }
            class.under_duty = keeps;
        }
        Some(Arc::new(dated))
    }

    /// The rules in force for every tenant that has no entry of its own.
    pub fn everyone(&self) -> &Effective {
        &self.everyone
    }

    /// The tenants that have an entry of their own.
    pub fn tenants(&self) -> impl Iterator<Item = &TenantId> {
        self.tenants.keys()
    }

    /// All rules that are in force for somebody: for everyone, and for each tenant with an entry.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Effective> + Clone {
        std::iter::once(&*self.everyone).chain(self.tenants.values().map(|effective| &**effective))
    }

    /// Whether the sweep erases at all, for [everyone](Self::everyone).
    pub fn sweeps(&self) -> bool {
        self.everyone.sweeps()
    }

    /// The triggers that make a customer due, for [everyone](Self::everyone).
    pub fn triggers(&self) -> &BTreeMap<Trigger, TriggerRule> {
        self.everyone.triggers()
    }

    /// The rule of a guard, for [everyone](Self::everyone).
    pub fn guard(&self, guard: &Guard) -> &GuardRule {
        self.everyone.guard(guard)
    }

    /// The treatments by name, for [everyone](Self::everyone).
    pub fn treatments(&self) -> &BTreeMap<TreatmentName, Arc<Treatment>> {
        self.everyone.treatments()
    }

    /// The digest of the document as it is written. The author's reasons are part of it, because they are the
    /// author's facts, and plans and certificates quote them. No sentence of this crate is part of it. TOML and JSON
    /// with the same content have the same digest.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The digest of the data map against which the policy was checked.
    pub fn map_digest(&self) -> Digest {
        self.map_digest
    }
}

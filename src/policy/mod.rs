//! What must happen, when and why.
//!
//! A policy is a short document, TOML or JSON. What happens to each *kind* of personal data is said once;
//! a treatment is one line per record class; triggers choose a treatment; guards forbid. It is read in two
//! steps: [`PolicyDocument::from_toml`] knows the grammar, [`PolicyDocument::check`] holds it against a
//! [`DataMap`](crate::DataMap) and gives a [`Policy`], which can be carried out as it stands.
//!
//! | key | says |
//! |---|---|
//! | `version` | `1` |
//! | `name` | whose policy it is; for people |
//! | `sweep` | the switch: `false` means that nothing is ever erased without a request |
//! | `time_zone` | the zone in which days are counted: `"Europe/Stockholm"`; UTC unless it says otherwise |
//! | `triggers` | `requested`, `cancelled`, `deleted`, `inactive`, `listed`, `service_ended`: the treatment, and `after` how long `since` which date; see [below](#triggers) |
//! | `guards` | `active_subscription`, `several_tenants`, `not_archived`, `unpaid_invoice`, `open_dispute`; the holds `legal_claim`, `restriction`, `authority_order`; and states of the host's own that the data map names. Each is `"block"`, `"block sweep"` (a request passes), `{ ignore = "reason" }`, or `{ block = "reason", ground = "17(3)(e)", way_out = "…" }`: what stops a request has a ground in law, and a state of the host's own has to name it. One that is not named blocks, if the store or a gateway tells its fact |
//! | `duties` | record classes that must be kept, by a [statute] of the table (`statute = "SE/BFL/7:2"`) or by `period`, `start`, `law` and `ground`; `from` names the field with the record's date, or `fiscal_year_ends` the one with the last day of its fiscal year. See [below](#duties) |
//! | `expire` | record classes whose records go by their own age, when their last duty ends, or because their owner is gone, whoever they belong to. See [below](#expiry) |
//! | `fiscal_year_ends` | `"06-30"`, where it is not the calendar year |
//! | `anonymise` | per kind: `"remove"`, `"clear"`, `"token"`, `"invalidate"`, `{ constant = … }`, `{ placeholder = "… {date}" }` (also `{year}` and `{token}`), `"token"` draws a number of 19 digits in a column of whole numbers, `{ token = "uuid" }` or another [form](crate::anonymise::TokenForm), `{ generalise = "uk_postcode" }` or another [generalisation](crate::anonymise::Generalisation), `{ truncate = 3 }`, `"blank"` for documents (`{ blank = { otherwise = "empty" } }` or `"delete"` says what becomes of a file that cannot be blanked), `"redact"` or `{ redact = "[borttaget]" }` for texts in which the person may be [mentioned](crate::anonymise::text), `{ redact = "[removed]", also = ["email", "iban"] }` where what these [detectors](crate::anonymise::text::Detector) find goes as well, whoever's it is, `{ redact = "[removed]", otherwise = "remove" }` where a text that cannot be read goes as a whole, `{ own = "name" }` for a [strategy of the host's own](crate::anonymise::OwnStrategy), `{ keep = "reason" }` |
//! | `treatments` | per record class: `"delete"`, `"anonymise"`, `"blank"` (anonymised, its documents [blank](crate::anonymise::document::blank); `{ action = "blank", otherwise = "empty" }`), `"reassign"`, `{ keep = "reason" }`, or `{ action = "anonymise", keep = { field = "reason" }, fields = { field = rule }, otherwise = "remove", smallest_group = 20 }` (or `{ customers = 20, coarser = { field = "uk_area" } }`); per gateway: `gateway.stripe = "erase"` |
//! | `tenants` | per tenant, lines of its own: each entry replaces the one of the same name whole, `sweep` and `time_zone` too. See [below](#tenants) |
//!
//! `"remove"` is resolved by the check and shown in the plan: NULL where that is allowed, else the longest
//! dated placeholder that fits (`Anonymised 2018-12-15`; for e-mail an address under `.invalid`), else a token, and
//! in a column too short for any of these, whose values need not differ, a dash: the first of them that the field's
//! [CHECKs](crate::data_map::Check) accept. A value that cannot be read as what is to be generalised is removed, never kept.
//!
//! What a CHECK of a single field refuses is an error, said with its path: a constant, a placeholder, an own strategy, NULL,
//! or some of what a token would come to. Three things are found only when the store is asked to write, which then blocks
//! the case with nothing written: what several fields decide together, what calls a function that only the host's own
//! program knows, and what depends on the value: a text that is redacted, a document within which something is replaced, a
//! value that is made general in a way that only some values allow.
//!
//! `smallest_group` stands on the customers' own class. A postcode, a year of birth and a gender together are often one
//! person: where fewer customers of the tenant share everything in it that is kept or made general, each of these fields is
//! first made [one step more general](crate::anonymise::Generalisation::coarser), an outward code to its area, a month to its
//! year, and what has no such step is removed; where too few share even that, all of it is removed. What is kept as it is
//! has a step where `coarser` names one. They are counted before anything is written; the plan says what it comes to.
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
//! Of the dates in `since` the first counts that the customer has; a customer who has none is not due, and the decision
//! says so. A customer of whom any fact cannot be read is blocked, and the decision names the fact. One who came back is active again, and starts anew. Of several triggers the one counts that is due first.
//! `after` is a [calendar period](Period), counted in the policy's [time zone](crate::data_map::TimeZone). `service_ended` may name a
//! `hand_over` date, which the host sets when a person confirms that the tenant has its data: before, nothing is erased.
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
//! `fiscal_year_ends` at the top is the tenant's. Where a record says itself when its fiscal year ends, a duty that counts
//! fiscal years takes that instead of a date: `fiscal_year_ends = { field = "fiscal_year_end" }` in place of `from`, a
//! field that holds the last day of the year. So years of more or less than twelve months come out right.
//!
//! A duty beats treatment, request and switch. It defers, and never cancels: a record that it keeps stays byte for byte as
//! it is, is counted as kept, and the plan names every duty on it with the day on which the last of them ends; once it has
//! ended, the sweep does what the treatment says, and nobody has to ask again: a trigger need not apply anew, and what a
//! person asked for is done with `sweep = false` too. One who came back meanwhile starts anew. A record whose date is
//! missing or cannot be read is kept; the plan counts those whose date cannot be read. A class without that field takes the date from the record that it hangs from, along
//! the links through which it belongs to its customer: the lines of an invoice by the day on which the invoice was booked.
//! No treatment may write over a date by which something is kept. A duty without a basis in law is an error, and so is
//! another period than the statute's.
//!
//! A text that is redacted needs the customer's own values, and those may be gone when a duty on the text ends. Then the
//! text is treated as a whole: it is removed, or becomes what `after_duty` says beside the action of its class (`"remove"`,
//! `"clear"`, `{ constant = … }`, `{ placeholder = "…" }`). That is done to records that the duty kept when the customer was
//! erased, and to no other: a text that was redacted before stays redacted. The record itself has to show which it is, by
//! another field to which the treatment writes a placeholder, a token or a constant. Where a class has no such field, the
//! check asks for a treatment that removes the text whole. So it is, too, where the records expire when the duty ends: the
//! sweep may come first, and an expiry is not run by itself.
//!
//! What a kept record points at, and the customer's own record, cannot go before it. Where a treatment deletes such a
//! class, the row stays as a tombstone, for those customers only of whom something is kept: it is anonymised at once, by
//! the lines of `anonymise`, and deleted with the last of the records that need it. Plan and certificate say so, and until
//! when. It is an error if a field of it has no such line, or none that it can take; handing it over is one, too.
//!
//! # What cannot be read
//! Bytes or another encoding in a text that is redacted, and a document that is no JSON, cannot be searched. Nobody can say
//! that the customer is not in it, so such a value blocks its customer, with class and field, and no other customer.
//! `otherwise` beside the action of the class, or beside `redact`, says what becomes of such a value instead: `"remove"`,
//! `"clear"`, `{ constant = … }` or `{ placeholder = "…" }`. NULL and an empty text hold nothing. What a duty keeps is not
//! read, and what is not searched is written over whatever it holds.
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
//! A treatment is about a customer who is due; `expire` is about records, whoever they belong to: the customer may
//! be active, and stays as they are. Its actions are those of a treatment, with `keep`, `fields` and `otherwise`
//! too, but for `"reassign"`, and for `"redact"`: whose a record is that expires may not be known any more, and
//! nobody is found in its texts.
//!
//! * **By age:** `from` names the field with the record's date, its own or that of what it hangs from, as for a
//!   duty. A record expires on the first day on which the [period](Period) is over. One whose date is missing or
//!   cannot be read never does, and so one whose date a treatment has cleared. The plan counts those whose date cannot be
//!   read. Duties come first: what one of them
//!   keeps expires when it has ended.
//! * **`after = "duty"`:** when the last duty on the record has ended.
//! * **`ownerless`:** because the owner is gone. `"gone"`: it names a customer who is not there,
//!   or hangs from a record that is not there. `"gone or none"`: or it names nobody. A foreign key may have been
//!   cleared when its customer went; a guest's order never had one, and goes as well. Where the database writes `0`
//!   or an empty text for nobody, that is a customer who is not there. Duties keep such records too. Beside `from` and
//!   `after` a record without an owner goes only when it is old enough, by the age that every tenant says.
//! * **Found by a value:** a record whose e-mail address leads to its customer may lead to nobody. It is a guest's, or the
//!   customer was erased while a duty kept the record. No tenant reaches such a record. So a class that is found by a value,
//!   and expires by age or after a duty, counts as if it said `ownerless = "gone or none"`: `Engine::plan_ownerless` plans it.
//!
//! A record that another one needs which has not expired stays as a tombstone until then. A link of another record
//! to one that goes is cut, as in any treatment, whoever's that record is. Where a trigger copies what goes to
//! another class, that one has to expire too. The customers' own records never expire: they go by triggers.
//!
//! Holds keep a customer's records, and so does every other guard that the policy has block, but for
//! `active_subscription` and `not_archived`: these say that the person is a customer still. Who is connected to a
//! tenant that the plan is not about is held back as well.
//!
//! `sweep = false` switches it off. Nothing happens by itself: `Engine::plan_expiry` and `Engine::plan_ownerless`
//! say what has expired, a person approves the digest, and `Engine::expire` does it; where it finds far more than the
//! plan said, it stops. A tenant's entry replaces the one of the same class, and `"off"` drops it.
//! Whose tenant's a record without an owner was nobody can say: there, tenants cannot differ, the duties of all
//! count, one tenant that is switched off switches it off, and who approves needs authority over every tenant that
//! the policy names. What a changed policy would let expire says a plan made under it;
//! [`impact`](crate::plan::impact) counts customers who are due.
//!
//! # Tenants
//! ```toml
//! # policy.toml
//! [tenants.acme]
//! triggers.cancelled = "off"
//! triggers.inactive = { since = ["last_transaction", "created"], after = "3 years", treatment = "clear" }
//! guards.not_archived = { ignore = "acme has no such status" }
//! ```
//! [`Policy::effective`] says what is in force for a tenant, and where each line comes from. What one tenant has of its
//! own touches no other: plans of theirs keep their digests.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::customer::TenantId;
use crate::data_map::{ClassName, FieldName};
use crate::digest::Digest;
use crate::treatment::{Treatment, TreatmentName};

mod by_tenant;
mod check;
mod deferred;
mod document;
mod duty;
mod effective;
mod expiry;
mod fiscal_year;
mod guard;
mod of_day;
mod period;
mod schema;
pub mod statute;
mod trigger;

use by_tenant::ByTenant;
pub use deferred::{Deferred, DeferredBy, DutyTerms};
pub use document::{Choice, PolicyDocument};
pub use duty::Duty;
pub use effective::{Effective, Line, Origin};
pub use expiry::{After, Expiry, OwnerlessExpiry};
pub use fiscal_year::{FiscalYearEnd, NotAFiscalYearEnd};
pub use guard::{Ground, Guard, GuardRule, NotAGround};
pub use period::{NotAPeriod, Period};
pub use schema::schema;
pub use statute::{StartRule, Statute};
pub use trigger::{Trigger, TriggerRule};

/// A policy that was held against a data map: every line of it can be carried out.
#[derive(Clone, Debug)]
pub struct Policy {
    name: Option<String>,
    everyone: Arc<Effective>,
    tenants: ByTenant,
    ownerless: Option<OwnerlessExpiry>,
    digest: Digest,
    map_digest: Digest,
}

impl Policy {
    /// Whose policy it is.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// What is in force for a tenant.
    pub fn effective(&self, tenant: &TenantId) -> &Effective {
        self.tenants.get(tenant).unwrap_or(&self.everyone)
    }

    /// A treatment as it stands for a tenant at an instant: see [`Effective::dated`]. Stores get dated treatments, and
    /// nothing else.
    pub fn dated(&self, tenant: &TenantId, treatment: &Arc<Treatment>, at: DateTime<Utc>) -> Arc<Treatment> {
        self.effective(tenant).dated(treatment, at)
    }

    /// What expires because its owner is gone. None where nothing does.
    pub fn ownerless(&self) -> Option<&OwnerlessExpiry> {
        self.ownerless.as_ref()
    }

    /// By class, the fields by whose dates a duty keeps records of the class, or lets them expire: of the record itself, or of
    /// that from which it hangs.
    pub(crate) fn date_fields(&self) -> BTreeSet<(ClassName, FieldName)> {
        let duties = self.all().flat_map(|effective| {
            effective.duties().iter().chain(effective.expiry().into_iter().flat_map(|expiry| &expiry.keeps))
        });
        let fields = duties.flat_map(Duty::classes);
        fields.map(|(class, field)| (class.clone(), field.clone())).collect()
    }

    /// What is done at an instant to records whose owner is gone. Such a record may be any tenant's: the duties of all
    /// keep it, each by its own fiscal year and time zone.
    pub fn ownerless_at(&self, at: DateTime<Utc>) -> Option<Arc<Treatment>> {
        let ownerless = self.ownerless.as_ref()?;
        let mut dated = Treatment::clone(&ownerless.treatment);
        for (name, class) in &mut dated.classes {
            let mut keeps = Vec::new();
            for under in &class.under_duty {
                for effective in self.all() {
                    // Every tenant's age has to be reached, by every tenant's calendar.
                    let duties = [effective.duties(), &ownerless.ages].concat();
                    let Some(keep) = effective.under_any(&duties, name, under, at) else { continue };
                    if !keeps.contains(&keep) {
                        keeps.push(keep);
                    }
                }
            }
            class.under_duty = keeps;
        }
        Some(Arc::new(dated))
    }

    /// What is in force for every tenant that has no entry of its own.
    pub fn everyone(&self) -> &Effective {
        &self.everyone
    }

    /// The tenants that have an entry of their own.
    pub fn tenants(&self) -> impl Iterator<Item = &TenantId> {
        self.tenants.keys()
    }

    /// Everything that is in force for somebody: for everyone, and for each tenant with an entry.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Effective> + Clone {
        std::iter::once(&*self.everyone).chain(self.tenants.values().map(|effective| &**effective))
    }

    /// Whether the sweep erases at all, for [everyone](Self::everyone).
    pub fn sweeps(&self) -> bool {
        self.everyone.sweeps()
    }

    /// What makes a customer due, for [everyone](Self::everyone).
    pub fn triggers(&self) -> &BTreeMap<Trigger, TriggerRule> {
        self.everyone.triggers()
    }

    /// What is said of a guard, for [everyone](Self::everyone).
    pub fn guard(&self, guard: &Guard) -> &GuardRule {
        self.everyone.guard(guard)
    }

    /// The treatments by name, for [everyone](Self::everyone).
    pub fn treatments(&self) -> &BTreeMap<TreatmentName, Arc<Treatment>> {
        self.everyone.treatments()
    }

    /// Names the document as it is written, the reasons that its author gives among it: these are the author's facts, and
    /// plans and certificates quote them. No sentence of this crate is part of it. TOML and JSON of the same content have the
    /// same digest.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Names the data map against which it was held.
    pub fn map_digest(&self) -> Digest {
        self.map_digest
    }
}

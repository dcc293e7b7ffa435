//! A short overview of policies. [`crate::policy`] has the grammar.
//!
//! * **Triggers** make a customer due: requested, cancelled, deleted, inactive, on an operator's list, or the contract of a whole
//!   organisation ended. Periods run by the calendar of the policy's time zone.
//! * **Guards** forbid an erasure, for example while a subscription is active. Each guard that stops a request names
//!   its legal ground.
//! * **Duties of retention** keep records unchanged until a period ends. The period comes from a statute, or you name
//!   it. A kept record may reference other rows, above all the customer's own row. Such a row stays as an anonymised
//!   *tombstone* until then.
//! * **Treatments** say per record class what is done: delete, anonymise, blank, hand over, keep.
//! * **Lines of one tenant** replace the general lines for the customers of this tenant.
//!
//! Questions that the engine answers:
//!
//! | question | call |
//! |---|---|
//! | Why is this the decision? | [`Engine::explain`](crate::Engine::explain) |
//! | Whom would a changed policy hit? | [`Engine::impact`](crate::Engine::impact) |
//! | Which customers are blocked because a fact cannot be read, such as a date in an unknown form? | [`Engine::unreadable`](crate::Engine::unreadable) |
//! | What do we write to the person, in English, Swedish or German? | [`plan::letter`](crate::plan::letter) |
//! | What is our deletion concept, in the terms of ISO/IEC 27555? | [`policy::Concept`](crate::policy::Concept) |
//! | May a longer law apply than the one that we named? | [`Policy::notes`](crate::Policy::notes) |
//!
//! # Letters
//!
//! A letter states only facts of the case:
//!
//! * A **confirmation** is made from the [certificate](crate::Certificate::letter_facts), never from today's policy. It lists
//!   what was done, with numbers. It says what is kept, by which law and until when, what still leads to the person,
//!   and what is not covered. If duties, the policy or the right of another person keep a part of the data, the letter says
//!   that the request is refused for this part. A record that another person has, too, is a link to the person. A person
//!   without a request gets no letter about a request.
//! * A **refusal** because of a guard names no day, because the end of the guard is unknown. Two guards are no ground
//!   for a refusal: other companies need the data, or the person asked for a restriction (Art. 18(2)). Then there is
//!   no letter, and the clock of the request continues.
//! * A **limitation period** allows you to keep data, but does not require it. A letter says "so that we can establish,
//!   exercise or defend legal claims".
//! * The **statutes** of the duties decide whether the GDPR, the UK GDPR or the Swiss FADP is cited. If they do not
//!   agree, `privacy_law` decides.
//! * The host adds facts that no policy knows: contact, authority with address, reference and day of receipt,
//!   whether the person has asked for the recipients, may object, or has consented. Without contact, authority, reference and day
//!   there is no letter.
//!
//! # Records that expire
//!
//! ```toml
//! # policy.toml
//! [expire]                                      # by their own age, whoever they belong to
//! call_record = { from = "started_at", after = "2 years", action = "delete" }
//! invoice = { after = "duty", action = "anonymise" }
//! comment = { ownerless = "gone", action = "delete" }    # records of deleted customers
//! ```
//!
//! 1. [`Engine::plan_expiry`](crate::Engine::plan_expiry) counts the records that have expired.
//!    [`Engine::plan_ownerless`](crate::Engine::plan_ownerless) counts the records whose owner is gone.
//! 2. An operator approves the digest.
//! 3. [`Engine::expire`](crate::Engine::expire) erases, reads back, and records the result in the ledger.
//!
//! Duties and holds keep their records here as well.
//!
//! # Holds
//!
//! A hold keeps data for a legal claim, at the person's own wish (Art. 18 GDPR), or on the order of an authority.
//! There are two kinds:
//!
//! | | holds of your own database | holds that an operator places here |
//! |---|---|---|
//! | where | the map names the column: `holds = "…"` | the ledger's database |
//! | on | a customer | a customer, a tenant, everything; or only some record classes of these |
//! | checked | with the facts, and in the transaction that erases | right before each step |
//! | the policy | may ignore a kind, with a reason | cannot ignore such a hold |
//! | an open case | is superseded, or blocked until somebody retries it | rests, and continues automatically after the release |
//!
//! ```
//! # use relinquish::{Engine, Error, customer::HoldGround, engine::NewHold, plan::Authority};
//! # async fn hold(engine: &Engine) -> Result<(), Box<dyn std::error::Error>> {
//! let by = Authority::new("operator-7", ["acme".into()]);
//! let hold = NewHold::on_customer("4711", HoldGround::LegalClaim, "file-2026-7".parse()?);
//! let hold = engine.place_hold(&hold, &by).await?;
//! // … months later
//! engine.lift_hold(&hold.id, &by).await?;
//! engine.resume().await?;
//! # Ok(())
//! # }
//! ```
//!
//! * **Classes.** A hold on invoices does not keep call records, because Art. 17(3) GDPR allows keeping data only to
//!   the extent that is necessary. But a case whose treatment changes invoices is stopped as a whole. To erase the
//!   other records now, write a treatment that keeps invoices, and ask for this treatment by name. A letter that
//!   refuses the whole request because of such a hold is an error.
//! * **The emergency stop** is a hold on everything. Every process on the ledger rests before its next step. A step that has begun is
//!   finished: nothing stops a transaction that is being committed.
//! * **What is kept.** While a hold is in force, the ledger's database has your own id of the customer. When the hold
//!   is lifted, the id is deleted. The dates, the ground, the reference, the operators' ids and the customer's token
//!   stay.
//!
//! # Editors
//!
//! Editors can complete a policy with its JSON Schema, `examples/schema/policy.schema.json`. Put `#:schema` and its
//! path on the first line. The schema of a map is `examples/schema/map.schema.json`.

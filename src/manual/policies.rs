//! What a policy can say, in short. [`crate::policy`] has the grammar.
//!
//! * **Duties of retention** by statute or period keep records byte for byte as they are until they end. What such a record
//!   needs, the customer's own row first, stays as an anonymised tombstone until then.
//! * **Triggers**: requested, cancelled, deleted, inactive, on an operator's list, the contract of a whole organisation ended.
//!   Calendar periods run in the policy's time zone.
//! * **Guards** name the ground in law on which a request is refused.
//! * **Lines of an organisation's own** differ from those of the others.
//!
//! A customer of whom a fact cannot be read, such as a date in a form that the map does not name, is blocked and can be listed
//! with [`Engine::unreadable`](crate::Engine::unreadable). [`Engine::explain`](crate::Engine::explain) says why a decision is as
//! it is, [`Engine::impact`](crate::Engine::impact) what a changed policy would hit, and [`plan::letter`](crate::plan::letter)
//! tells the persons concerned, in English or Swedish.
//!
//! # Records that expire
//!
//! ```toml
//! [expire]                                      # by their own age, whoever they belong to
//! call_record = { from = "started_at", after = "2 years", action = "delete" }
//! invoice = { after = "duty", action = "anonymise" }
//! comment = { ownerless = "gone", action = "delete" }    # what a deleted customer left behind
//! ```
//!
//! Records that expire go by the same way: `Engine::plan_expiry` (or `plan_ownerless`) counts them, an operator approves the
//! digest, `Engine::expire` erases and reads back, and the ledger says what came of it. Duties and holds keep what they keep.
//!
//! # Editors
//!
//! Editors complete a policy with its JSON Schema, `examples/schema/policy.schema.json`: put `#:schema` and its path on the first
//! line. `examples/schema/map.schema.json` is that of a map.

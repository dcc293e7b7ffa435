//! What is promised, what is not, and the reasons for the defaults.
//!
//! # The laws
//!
//! 1. **Non-interference.** The result never depends on the erased values. Tokens are random, and never a hash of the
//!    old value.
//! 2. **No over-erasure.** Retained fields and other customers do not change. So every sum and count over the kept
//!    data stays the same.
//! 3. **No effect without a mandate.** See [mandates](#mandates).
//! 4. **Nothing that identifies a customer leaves the stores:** not in a log, an error, a `Debug`, the ledger or a
//!    certificate. Operators have opaque ids: an id that looks like an e-mail address is refused. Plan and case book
//!    contain the host's own customer id, but no other identifier. When the case closes, it is deleted from the case
//!    book.
//! 5. **Fail closed.** An unknown column, an unknown key in a policy, a gateway out of reach, an ambiguous answer: stop and say so. Only
//!    "not found" counts as already gone.
//! 6. ***Done* is written last.**
//! 7. **Treated once.** A customer who was treated under a treatment is not due again, and no placeholder gets a new
//!    date. New records make the customer due again, and so does a treatment that erases more. Work that a duty
//!    deferred is done when the duty has ended, without a new request. If the person had made a request, this work is
//!    done even with `sweep = false`. If the customer returns, all periods start again. A customer counts as returned
//!    in three cases: the customer is no longer archived, the customer's own record has new values, or the date of
//!    last activity is later than before.
//! 8. **Honest words.** Plan and certificate say *erased in part* while something names the person, such as a record
//!    that a duty keeps or a profile that was not erased. While something else leads to the person, they say
//!    *pseudonymised* and name it. A row that stays has the customer's key. With this key and the ledger's key, the
//!    ledger's token can be computed. So they say *anonymised* only after the token was destroyed.
//!
//! # Mandates
//!
//! | mandate | covers | valid for at most |
//! |---|---|---|
//! | [approval](crate::Approval) | exactly one plan, by its digest; used once | 30 days |
//! | [approval of a review](crate::plan::review) | exactly the plans that a person confirmed, by one digest for all of them; each is used once | 30 days |
//! | [standing approval](crate::plan::StandingApproval) | customers whom a policy finds due, for named tenants and triggers, up to a number of customers per run and per day. The ledger counts them for all processes. Never a request | 400 days |
//! | [replay](crate::plan::ReplayPlan) | closed cases after a restore: the same customers, and a treatment that does at least the same | 30 days |
//! | approval of a [removal of copies](super::copies#what-is-removed-and-how) | exactly the copies of one plan, by its digest | 30 days |
//! | approval of an [expiry](#what-expires) | the rules: everything that has expired at the time of a run, in any number of runs | 30 days |
//!
//! A plan's digest covers the records that duties keep. If a duty ends after the approval, nothing is touched.
//!
//! An operator can act only for the operator's own tenants. A customer who is also connected to another tenant is
//! refused. The data map may give only the number of a customer's tenants. Then a customer with more than one tenant
//! is refused, unless the policy ignores `several_tenants` with a reason.
//!
//! # The state of a customer when a case rests
//!
//! A customer is *untouched*, *erased as planned*, or *blocked*. A blocked case names the step and the reason. The customer stays
//! deactivated, and a person decides:
//!
//! * [`retry`](crate::Engine::retry) tries the step again.
//! * [`waive`](crate::Engine::waive) continues without a gateway that refuses. The certificate says who decided this.
//! * [`cancel`](crate::Engine::cancel) ends the case, as long as no irreversible step has begun.
//!
//! # What the ledger proves
//!
//! Triggers refuse every change of an entry. But the owner of the database can remove a trigger. With the feature
//! `checkpoints`, such a change is noticed: `ledger::proof` signs the root of a tree over all entries. Store the
//! checkpoints elsewhere. Then every change of an entry that a checkpoint covers is noticed. Entries after the last
//! checkpoint are not protected. `Checkpoint::take` compares only sizes and hashes. The check of an export reads
//! every entry again. So run that check from time to time, on another machine.
//!
//! # What expires
//!
//! Records that [expire](crate::policy#expiry) give no certificate, because their customers stay. An expiry is a case of one step:
//!
//! * The case is in the case book before the first record is touched. After an interruption it is resumed.
//! * Each batch of customers is one transaction. A customer who was put on hold in the meantime is not touched.
//! * The result of each batch is read back and recorded.
//! * At the end, the ledger has the approval, and the number of expired records of each class. It also says whether
//!   the numbers are complete, because an answer of the store may have been lost.
//! * The expiry may end early: far more records had expired than the plan counted, the approval expired, or a person
//!   [cancelled](crate::Engine::cancel) the case. The ledger says which.
//!
//! Until its approval expires, the expiry can be repeated.
//!
//! The erasure of a forgotten profile at a gateway, confirmed by a person, is a case as well. It is recorded before
//! the gateway is asked. It is resumed after an interruption, and it is blocked if the gateway refuses.
//!
//! # What cannot be promised
//!
//! * **Data outside the map.** A table that is not in the map and has no foreign key to a customer is not searched.
//!   The certificate names it. A copy that another process makes elsewhere is not found. If a trigger writes to a
//!   table that is neither mapped nor ignored, the store does not open.
//! * **A worker that is stopped between two instructions.** Any number of processes work on one ledger. Each case
//!   belongs to one worker at a time, as long as its [lease](crate::engine::EngineBuilder::lease) lasts. A worker
//!   that has lost its claim writes nothing more to the ledger. A worker checks its lease right before it calls a
//!   gateway to erase. If the process is stopped after this check, and another worker claims the case, the gateway
//!   may be called twice. The second answer is *absent*. In your own database, the second erasure finds nothing left
//!   to do.
//! * **A map that changes while a case is half done.** After its first irreversible step, a case continues under the
//!   map with which it was planned. An engine with another map does not touch the case, and says so. Before that
//!   step, an engine with another policy does not touch the case either, until the approval has expired. So a rolling
//!   deployment supersedes no case.
//! * **Reassigned records** are treated and handed over in one transaction, and counted there. Afterwards they belong
//!   to the "Unknown Customer", together with the records of many others. So reading back only shows that no record
//!   belongs to the customer any more. Records that belong to them cannot be read back either. The same is true for
//!   an anonymised row that several customers shared, when the last link to it is gone.
//! * **Tombstones of others.** A kept record of another customer may reference a row. An SQL store checks all records
//!   for this, with the duties and the fiscal year of the tenant whose customer is erased. A repository shows only
//!   one customer's records, so only these are checked.
//! * **Backups.** Copies are removed by your rule. The certificate says until when they may contain the old data.
//!   Later it says since when no such copy [was seen](super::copies#the-horizon) any more. A copy outside the
//!   declared places of backups is not seen.
//! * **The suppression list** is the exception to the first law, because it depends on the erased values. It has
//!   keyed tokens with a last day, under a separate key. Plan, certificate and letter name it. Without `suppress` in
//!   the policy, there is no list.
//! * **Disks.** A [scrub](crate::Engine::scrub) removes old bytes from the database's own files: from statistics,
//!   free pages and logs. Copy-on-write file systems, solid-state disks and snapshots may keep older blocks.
//! * **Tokens in the ledger** are pseudonymous, not anonymous. Somebody who has the key and knows a customer's id can
//!   find out whether that customer was erased. The key file is beside the ledger: back the two up separately, and
//!   give the ledger a retention rule.
//!
//! # Reasons for the defaults
//!
//! * A guard that the policy does not name blocks. If the store does not know the fact of a blocking guard, the
//!   policy is refused. To ignore a guard, the policy must give a reason.
//! * Every treatment must name every record class, even a class that it keeps. Otherwise data would survive in a
//!   forgotten class.
//! * The root store is the last irreversible step, because a retry of the other steps needs its data.
//! * After a lost answer, the number of records is *unknown*. The number is never estimated. The certificate then only
//!   says that nothing is left.
//! * A placeholder has a word beside its date, because a date alone could be a date of birth. A token ends with a
//!   checksum, because a short token without a checksum could be a text that a person chose.

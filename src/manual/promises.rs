//! What is promised, what is not, and why the defaults are as they are.
//!
//! # The laws
//!
//! 1. **Non-interference.** What comes out never depends on what was erased. Tokens are random, never hashes.
//! 2. **No over-erasure.** Retained fields and other customers are the same before and after, and so is every
//!    aggregate over what the plan keeps.
//! 3. **No effect without a mandate.** An [approval](crate::Approval) of exactly this, whose digest matches. It expires, after 30
//!    days at most, is bound to tenants, and is used once. What duties keep is part of the digest: where a duty has ended
//!    since, nothing is touched. A [standing approval](crate::plan::StandingApproval) covers what a policy finds due. It names
//!    policy and data map, tenants, triggers, and how many customers at once. It holds for 366 days at most. A
//!    [replay](crate::plan::ReplayPlan) covers closed cases after a restore: the same customers, the same treatment.
//!    That of an [expiry](#what-expires) is of the rules: it holds for whatever has expired, as often as it is asked for.
//!    An operator acts within their tenants: a customer who is connected to one more is refused. Where the data map tells
//!    how many tenants there are and not which, more than one is refused, unless the policy ignores `several_tenants`
//!    with a reason.
//! 4. **Nothing that identifies a customer leaves the stores:** not in a log, an error, a `Debug`, the ledger or a
//!    certificate. Operators have opaque ids: an id that looks like an e-mail address is refused. Plan and case book carry
//!    the host's own customer id and no more; the case book is wiped when the
//!    case closes.
//! 5. **Fail closed.** An unknown column, an unknown key in a policy, a gateway out of reach, an ambiguous answer: stop
//!    and say so. Only "not found" counts as already gone.
//! 6. ***Done* is written last.**
//! 7. **Treated once.** Who was treated under a treatment is not due again, and no placeholder is dated anew; but what
//!    came since makes the customer due again, and so does what a duty had deferred, when it has ended: nobody has to ask
//!    anew, and what a person asked for needs no switch. One who came back starts anew: who is archived no more, has a
//!    later date among those by which the policy tells the inactive, or whose own record was filled again.
//! 8. **Honest words.** While something personal is kept, plan and certificate say *pseudonymised*, and through what.
//!
//! # What a case leaves when it is at rest
//!
//! A customer is *untouched*, *erased as planned*, or *blocked*: the case names the step and the reason, the customer
//! stays deactivated, and a person decides. [`retry`](crate::Engine::retry) tries the step again,
//! [`waive`](crate::Engine::waive) goes on without a gateway that refuses (the certificate says who decided so), and
//! [`cancel`](crate::Engine::cancel) gives the case up as long as nothing was begun that cannot be taken back.
//!
//! # What expires
//!
//! Records that [expire](crate::policy#expiry) give no certificate: their customers stay. An expiry is a case of one step, which
//! the case book holds before the first record is touched, and which is resumed after an interruption. Each batch of
//! customers is one transaction, in which a customer who was held meanwhile is left alone; what was done is read back, and is
//! a part of the step that is recorded. At the end the ledger says under which approval how many records of each class have
//! expired, whether that is all of it (an answer of the store may have been lost), and why it ended early, if it did: far
//! more had expired than was approved, the approval ran out, or a person [cancelled](crate::Engine::cancel) it. Until its
//! approval runs out it can be repeated.
//!
//! A profile at a gateway that was found forgotten there, and that a person confirmed, is a case as well: recorded before the
//! gateway is asked, resumed, and blocked where the gateway refuses.
//!
//! # What cannot be promised
//!
//! * **What the map does not know.** A table without a foreign key to a customer, and not in the map, is not searched;
//!   the certificate names it. A copy that another process makes elsewhere is not found. A trigger that writes to a
//!   table which nobody mapped or ignored stops the start.
//! * **A worker that is stopped between two instructions.** Any number of processes work on one ledger: each case is one
//!   worker's at a time, for as long as its [lease](crate::engine::EngineBuilder::lease) lasts, and a worker that was passed over
//!   writes nothing more to the ledger. It looks at its lease right before it asks a gateway to erase. If the process is
//!   stopped after that look and before the call, until another worker has the case, the gateway is asked twice; the second
//!   answer is *absent*. In the host's own database the second erasure finds nothing left to do.
//! * **A map that changes while a case is half done.** From the first irreversible step on a case goes forward under the
//!   map it was planned with; an engine with another map leaves it alone, and says so. Before that step, so does an engine
//!   with another policy, until the approval has run out: a rolling deployment supersedes nothing.
//! * **Reassigned records** are treated and handed over in one transaction, and counted there; afterwards they belong to
//!   the "Unknown Customer" with many others, so reading back can only show that none is the customer's any more; nor
//!   can what hangs from them be read back. The same goes for a row that several customers shared and that is anonymised,
//!   once the last link to it is gone.
//! * **Tombstones of others.** Whether a kept record still needs a row is seen among all records of an SQL store, by the
//!   duties and the fiscal year of the tenant whose customer leaves; a repository shows one customer's records, and there
//!   only these are seen.
//! * **Backups.** Copies age out by your rule. The certificate says until when they may hold the old data.
//! * **Disks.** A [scrub](crate::Engine::scrub) frees the database's own files of old bytes: statistics, free pages,
//!   logs. File systems that copy on write, solid-state disks and snapshots may keep older blocks.
//! * **Tokens in the ledger** are pseudonymous, not anonymous: who holds the key and knows a customer's id can tell
//!   whether that customer was erased. Back up the key file beside the ledger apart from the ledger, and give the ledger a
//!   retention rule.
//!
//! # Why the defaults are so
//!
//! * A guard that a policy does not name blocks; one whose fact nobody tells is an error. To pass it, somebody has to
//!   write down a reason.
//! * Every record class has to be named in every treatment, even to be kept. A class that is forgotten is how data
//!   survives.
//! * The root store comes last of what cannot be taken back, because a retry needs what it holds.
//! * After a lost answer the number of records is *unknown*, never estimated. What was verified is that nothing is left.
//! * A placeholder has a word beside its day: a bare day could not be told from a day of birth, and a short token without
//!   a long checksum could not be told from what a person chose.

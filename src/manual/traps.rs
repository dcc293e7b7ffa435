//! Typical bugs of other erasure code, and what this crate does about each.
//!
//! The bugs below are known from public bug reports, and from products that erase customers. Each section says what
//! happens, what this crate does, and which test in `tests/` shows it. If this crate does nothing about a bug, the
//! section says so.
//!
//! # Values that the column does not take
//!
//! *The trap.* The code writes "deleted" into every e-mail column. The second customer breaks the UNIQUE constraint. Elsewhere NULL goes
//! into a NOT NULL column, or a token is longer than the column.
//!
//! *Here.* The policy is checked against the constraints of the live schema before anything runs. The error names the
//! field, the constraint, and another rule that the column accepts. Placeholders and tokens are made to fit the
//! column.
//!
//! *Tests.* `a_rule_that_the_column_cannot_take_is_refused_before_anything_runs`, `what_is_removed_differs_where_null_collides`,
//! `a_token_fits_its_column_and_is_of_its_form`.
//!
//! # Marked first, erased later
//!
//! *The trap.* The code sets "erased" and then writes the fields. The process dies in between. The customer counts as
//! erased, but the data stay readable for ever.
//!
//! *Here.* *Done* is written last, after the store was read back. The tests kill a case at every boundary, and the next
//! [`resume`](crate::Engine::resume) finishes it.
//!
//! *Tests.* `a_case_that_dies_at_any_boundary_is_finished_by_resume`, `a_resume_that_dies_is_finished_by_the_next_one`.
//!
//! # Pages by offset
//!
//! *The trap.* The code reads rows 1 to 500, erases them, and continues with `OFFSET 500`. The set has shrunk, so 500
//! rows are skipped. Or the query finds the treated rows again, and never ends.
//!
//! *Here.* Customers are read by key: each page begins after the last key of the previous page. Treated records are
//! no longer due.
//!
//! *Tests.* `pages_end_and_leave_nobody_out_whatever_the_keys_hold`, `many_records_without_an_owner_go_part_by_part`,
//! `stripes_listing_goes_on_after_the_last_who_is_still_there`.
//!
//! # Checked at noon, erased at one
//!
//! *The trap.* The code checks that no subscription is active, and erases an hour later. The customer has subscribed
//! in between.
//!
//! *Here.* The case decides again on fresh facts, and the transaction that erases compares these facts once more. Gateways are asked
//! right before each profile.
//!
//! *Tests.* `a_new_subscription_voids_an_approval_and_a_new_call_record_does_not`,
//! `a_customer_who_changes_while_the_case_is_interrupted_is_not_erased`, `a_profile_that_came_while_the_records_waited_is_erased_too`.
//!
//! # The error that nobody read
//!
//! *The trap.* The code ignores the error of a `DELETE` and logs "done". Or a trigger swallows the statement, and "0 rows" counts as
//! success.
//!
//! *Here.* Every write is read back before a certificate is made. If a store did less than it claims, there is no
//! certificate. The check of the policy reports triggers that ignore or undo a write.
//!
//! *Tests.* `a_store_that_says_erased_and_did_not_gets_no_certificate`,
//! `a_trigger_that_swallows_a_delete_is_named_when_the_policy_is_checked`, `counts_are_unknown_after_a_lost_answer_and_never_invented`.
//!
//! # The key that is no key
//!
//! *The trap.* The table has no key, or the code uses a column that is not unique as key. The statement hits nobody,
//! or several people.
//!
//! *Here.* The map's keys and links must be unique in the live schema, and both ends of a link must have the same
//! collation.
//!
//! *Tests.* `a_key_tells_rows_apart`, `an_index_over_some_of_the_rows_makes_no_key`,
//! `a_link_through_numbers_that_are_not_unique_would_take_other_peoples_rows`.
//!
//! # The shared row
//!
//! *The trap.* One person is erased. An address row is erased as well, although three orders of other people use it.
//!
//! *Here.* The map says who shares a row. The row stays as long as one of these people stays, and the plan counts the
//! row.
//!
//! *Tests.* `a_row_that_several_customers_share_is_treated_with_the_last_who_leaves`, `a_shared_document_loses_all_who_share_it`.
//!
//! # The foreign key the wrong way round
//!
//! *The trap.* The code follows foreign keys in both directions. From one member it reaches the club, and from the club all other members.
//! `ON DELETE CASCADE` does the same where nobody expects it.
//!
//! *Here.* Only links that the map calls `owner` or `shared` determine the owner of a row. For every other link,
//! `ends` says what happens. A cascade into an unmapped table is an error. Random schemas are compared with an
//! oracle, cell by cell.
//!
//! *Tests.* `a_membership_goes_and_what_others_are_members_of_stays`, `a_cascade_that_would_take_what_nobody_mapped_is_an_error`,
//! `a_store_does_what_the_oracle_says`, `every_saboteur_breaks_a_law`.
//!
//! # Another program stores the person again
//!
//! *The trap.* A late webhook, the nightly import of the CRM, or the cache of an ORM writes the erased values again.
//!
//! *Here, in part.* [`Engine::concerns_erased`](crate::Engine::concerns_erased) tells a webhook handler that a
//! profile or its owner was erased. The handler has to ask. If a trigger in the database writes a value back, this is
//! noticed when the store is read back.
//!
//! **Not covered.** The crate cannot stop your own import or cache. The importer has to call
//! [`Engine::was_erased`](crate::Engine::was_erased), and the policy needs a `suppress` line. If the values come back
//! into a mapped row, the next plan finds the customer due again. Until then, this is not noticed.
//!
//! *Tests.* `an_event_about_somebody_erased_is_recognised`, `what_a_trigger_brings_back_is_not_counted`.
//!
//! # The log of the erasure names the person
//!
//! *The trap.* The audit log, the notification or the error message contains the address that was just erased.
//!
//! *Here.* Tests search the logs, errors, panics, plans, ledger and certificates of this crate for test values, in
//! many spellings and with injected faults. If a trigger of the host copies old values to an audit table, the store
//! does not open until that table is mapped, or ignored with a reason.
//!
//! **Not covered.** The logs of your own service, and e-mails that it has sent.
//!
//! *Tests.* `nothing_personal_leaves_the_store`, `whatever_fails_no_value_is_in_what_is_said_of_it`, `no_error_says_who_or_with_which_key`,
//! `a_trigger_that_copies_old_values_elsewhere_is_refused_or_mapped`.
//!
//! # The period that every update extends
//!
//! *The trap.* The retention period runs from `updated_at`. Every login, import and migration extends it. Nobody is ever due.
//!
//! *Here.* There is no default date. Each trigger and each expiry names its date, and an implausible date makes nothing due and is
//! counted.
//!
//! **Not covered.** If the policy names `updated_at`, the crate uses this date.
//!
//! *Tests.* `inactivity_counts_from_the_first_date_that_there_is`, `every_spelling_expires_or_is_counted`.
//!
//! # The hold that never ends
//!
//! *The trap.* A legal hold stops an erasure. The hold is lifted, and nobody tells the queue.
//!
//! *Here.* An operator places a hold with [`Engine::place_hold`](crate::Engine::place_hold), and lifts it with
//! [`Engine::lift_hold`](crate::Engine::lift_hold). An open case rests in the meantime, and the next
//! [`resume`](crate::Engine::resume) after the release continues it. A request with an approved plan waits in the
//! register, and the worker carries it out after the release. Holds in your own database are read each time, too. A
//! sweep or an expiry after the release finds the customer due again. If a guard of your own database has blocked a
//! case half-way, [`retry`](crate::Engine::retry) continues it.
//!
//! *Tests.* `a_hold_placed_at_any_moment_stops_the_next_irreversible_step_and_its_release_puts_the_case_back`, `a_hold_without_a_kind_holds`,
//! `the_plan_says_what_would_go_whom_a_hold_keeps_and_who_is_left_out`, `a_held_request_goes_on_by_itself_when_the_hold_is_lifted`,
//! `a_guard_cannot_be_waived_at_a_gateway`.
//!
//! # Running since March
//!
//! *The trap.* A worker dies, and its job stays "running" for ever. Or a job fails and is retried every minute, for ever.
//!
//! *Here.* A worker has a case for the time of its lease. Afterwards another worker can claim the case, and the first
//! worker can write nothing more. If a step is refused, the case is blocked until a person decides. If a gateway is
//! down, no request is sent to it for a while. A [worker](super::running) tries again after growing pauses. If all
//! attempts fail for too long, the worker blocks the case.
//!
//! *Tests.* `pauses_grow_and_nothing_is_tried_for_ever`, `a_worker_that_stalls_beyond_its_lease_is_passed_over_and_writes_nothing_more`,
//! `a_refusal_at_a_gateway_blocks_the_case_with_the_step_and_the_reason`, `a_long_retry_after_is_told_to_the_case_and_kept_for_all`.
//!
//! # "Not possible"
//!
//! *The trap.* The request is refused without a reason and without a date. The person thinks that it is a bug, and
//! complains to the authority.
//!
//! *Here.* A refusal names the guard or the duty, the legal ground, and the day on which it ends or what would end
//! it. The letter to the person is made from that decision. If there is no legal ground, no letter is written.
//!
//! *Tests.* `a_refusal_names_its_guard_and_its_ground`, `not_yet_names_the_day_and_as_of_looks_ahead`,
//! `a_refusal_reads_as_a_person_would_write_it`.

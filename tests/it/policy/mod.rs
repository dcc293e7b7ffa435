//! Tests of policies and their effects: triggers, guards, duties, periods, treatments.

pub(crate) mod after_duty;
pub(crate) mod approved_keeps;
pub(crate) mod before_approval;
pub(crate) mod dates;
pub(crate) mod duties;
pub(crate) mod group_of_others;
pub(crate) mod guards;
pub(crate) mod kept_for;
pub(crate) mod kept_with;
pub(crate) mod mistyped_words;
pub(crate) mod rules;
pub(crate) mod schemas;
pub(crate) mod situations;
pub(crate) mod smallest_group;
pub(crate) mod tenants;
pub(crate) mod tombstones;
pub(crate) mod treatments;
pub(crate) mod triggers;
pub(crate) mod ways_out;

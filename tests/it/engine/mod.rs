//! Cases from the plan to the certificate: interrupted, refused, by several workers, by an operator.

pub(crate) mod as_done;
pub(crate) mod end_to_end;
pub(crate) mod expire;
pub(crate) mod holds;
pub(crate) mod holds_of_others;
pub(crate) mod interruption;
pub(crate) mod limits;
pub(crate) mod looking;
pub(crate) mod mandates;
pub(crate) mod many;
pub(crate) mod operator;
pub(crate) mod operator_sweep;
pub(crate) mod recipients;
pub(crate) mod refusal;
pub(crate) mod replay;
pub(crate) mod requests;
pub(crate) mod review;
pub(crate) mod suppression;
pub(crate) mod sweep;
pub(crate) mod sweep_model;
pub(crate) mod sweeping;
pub(crate) mod worker;
pub(crate) mod workers;

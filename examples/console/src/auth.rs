//! The operators of the console, and their rights.

use std::collections::BTreeSet;

use relinquish::TenantId;
use relinquish::plan::{Authority, OperatorId};

/// A right of an operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Right {
    /// Look at counts, cases, requests, holds, the policy and the ledger.
    See,
    /// Open a customer's page, plan, survey, and keep the register of requests.
    Plan,
    /// Approve plans, reviews and expiries, and decide about blocked cases.
    Approve,
    /// Place and lift holds. The emergency stop needs only [`Right::See`].
    Hold,
    /// Try a changed policy, take a census and sign checkpoints.
    Administrate,
}

/// An operator who has signed in with the host. The host puts this into the extensions of each request. Without it, no
/// route of the console answers.
///
/// ```
/// use relinquish_console::{Operator, Right};
///
/// let operator = Operator::new("operator-7", ["1".into()], [Right::See, Right::Plan]);
/// assert!(!operator.may(Right::Approve));
/// ```
#[derive(Clone, Debug)]
pub struct Operator {
    authority: Authority,
    rights: BTreeSet<Right>,
}

impl Operator {
    /// An operator by an opaque id, which the ledger keeps, with the tenants whose customers the operator may see.
    pub fn new(
        id: impl Into<OperatorId>,
        tenants: impl IntoIterator<Item = TenantId>,
        rights: impl IntoIterator<Item = Right>,
    ) -> Self {
        Self { authority: Authority::new(id, tenants), rights: rights.into_iter().collect() }
    }

    /// The opaque id.
    pub fn id(&self) -> &OperatorId {
        self.authority.operator()
    }

    /// The tenants whose customers the operator may see.
    pub fn tenants(&self) -> &BTreeSet<TenantId> {
        self.authority.tenants()
    }

    /// Whether the operator has a right.
    pub fn may(&self, right: Right) -> bool {
        self.rights.contains(&right)
    }

    pub(crate) fn authority(&self) -> &Authority {
        &self.authority
    }
}

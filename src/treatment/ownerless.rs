//! Which records have no owner.

use std::fmt;

/// Which records count as ownerless.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ownerless {
    /// Records that reference a customer or a record that does not exist.
    Gone,
    /// Those records, and also records without a reference to a customer. For example, a foreign key was cleared when
    /// the customer was erased, or a guest's order never had a customer.
    GoneOrNone,
}

impl Ownerless {
    pub(crate) const ALL: [Self; 2] = [Self::Gone, Self::GoneOrNone];

    /// The name in the policy.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gone => "gone",
            Self::GoneOrNone => "gone or none",
        }
    }
}

impl fmt::Display for Ownerless {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

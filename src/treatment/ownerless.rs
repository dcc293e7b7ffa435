//! Which records have no owner.

use std::fmt;

/// Which records count as ownerless.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ownerless {
    /// Records that name a customer who does not exist, or that hang from a record that does not exist.
    Gone,
    /// Those records, and also records that name nobody. A foreign key may have been cleared when its customer was
    /// erased, and a guest's order never had a customer.
    GoneOrNone,
}

impl Ownerless {
    pub(crate) const ALL: [Self; 2] = [Self::Gone, Self::GoneOrNone];

    /// As the policy spells it.
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

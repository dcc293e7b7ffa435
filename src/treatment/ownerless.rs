//! Which records have no owner.

use std::fmt;

/// Which records count as those whose owner is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ownerless {
    /// They name a customer who is not there, or hang from a record that is not there.
    Gone,
    /// Those, and those that name nobody: a foreign key may have been cleared when its customer went, and a guest's order
    /// never had one.
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

//! Why copies that a person approved for removal are not removed.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What has changed about copies since their removal was planned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CopiesChanged {
    /// The engine has no backups of this name.
    NoPlace,
    /// The place has a different rule now.
    Rule,
    /// There is an older or younger copy with the name of a planned copy.
    Another,
    /// The rule keeps a planned copy now, because newer copies have disappeared.
    Needed,
}

impl fmt::Display for CopiesChanged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoPlace => "the engine has no backups of this name; give the builder some",
            Self::Rule => "the rule of the backups is another one now; plan again",
            Self::Another => "under the name of a planned copy there is another one now; plan again",
            Self::Needed => "a planned copy is among those that the rule keeps now; look where newer ones went, and plan again",
        })
    }
}

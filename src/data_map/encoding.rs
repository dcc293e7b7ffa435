//! How the text of a field is encoded.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How a field encodes its text. The decoded text is searched, and every byte outside a mention stays unchanged. JSON
/// documents have a separate key in the map. Data serialised by PHP are recognised by their beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Encoding {
    /// The text is not encoded.
    #[default]
    Plain,
    /// HTML: `Bj&ouml;rk` is *Björk*. Tags are read as text.
    Html,
    /// Quoted-printable, as in e-mails (RFC 2045): `Bj=C3=B6rk` is *Björk*.
    QuotedPrintable,
}

impl Encoding {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Plain, Self::Html, Self::QuotedPrintable];

    /// As maps spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Html => "html",
            Self::QuotedPrintable => "quoted_printable",
        }
    }

    /// Whether the text is not encoded.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    pub(crate) fn is_plain(&self) -> bool {
        *self == Self::Plain
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The error for a name that is no encoding.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no such encoding")]
pub struct UnknownEncoding;

impl FromStr for Encoding {
    type Err = UnknownEncoding;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|encoding| encoding.as_str() == name).ok_or(UnknownEncoding)
    }
}

//! Macros for names: types for texts that name a thing, and for texts that identify a person.

use unicode_normalization::UnicodeNormalization as _;

/// Makes a separate type for a text. A clone shares the text, because the plans, counts and cases of all customers
/// use the same few names.
macro_rules! text {
    ($(#[$doc:meta])* $name:ident, $as_str:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct $name(std::sync::Arc<str>);

        impl $name {
            /// Takes the text as it is.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into().into())
            }

            #[doc = $as_str]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self::new(text)
            }
        }
    };
}

/// Makes a type for a text that names a thing. It may be printed.
macro_rules! open_name {
    ($(#[$doc:meta])* $name:ident) => {
        crate::name::text! { $(#[$doc])* $name, "The text." }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(&self.0)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{:?}", self.0)
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

/// Makes a type for a text that identifies a person. Only `as_str` shows it; `Debug` does not, and there is no
/// `Display`.
macro_rules! closed_name {
    ($(#[$doc:meta])* $name:ident) => {
        crate::name::text! { $(#[$doc])* $name, "The text itself. Keep it out of logs and messages." }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($name), "(…)"))
            }
        }
    };
}

pub(crate) use {closed_name, open_name, text};

/// Whether an id, which the ledger keeps for good, looks like an e-mail address.
pub(crate) fn looks_like_email(id: &str) -> bool {
    // Unicode has other characters that look like an at sign, and URLs and HTML encode it.
    let lower = id.to_ascii_lowercase();
    id.nfkc().any(|c| c == '@') || lower.contains("%40") || lower.contains("&#64;")
}

//! The kinds of personal data that fields contain.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $text:literal,)*) => {
        /// A kind of personal data. A policy has one rule per kind.
        ///
        /// The names follow the Data Privacy Vocabulary (DPV-PD) where it has a plain name. A host's own kinds have
        /// the prefix `x_`, so that a misspelled name is an error and not a new kind.
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Kind {
            $(
                $(#[$doc])*
                #[doc = concat!("Maps and policies spell it `", $text, "`.")]
                $variant,
            )*
            /// The host's own kind, with its prefix: `x_membership_card`.
            Custom(String),
        }

        impl Kind {
            /// The names of the kinds that this crate knows, in maps and policies.
            pub const KNOWN: &'static [&'static str] = &[$($text),*];

            /// The name of the kind in maps and policies.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $text,)*
                    Self::Custom(name) => name,
                }
            }
        }

        impl FromStr for Kind {
            type Err = UnknownKind;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($text => Ok(Self::$variant),)*
                    _ if text.len() > 2 && text.starts_with("x_") => Ok(Self::Custom(text.to_owned())),
                    _ => Err(UnknownKind),
                }
            }
        }
    };
}

kinds! {
    /// A person's name or a part of it.
    Name = "name",
    /// The name of a company. It is personal if the company is a sole trader.
    CompanyName = "company_name",
    /// An e-mail address.
    Email = "email",
    /// A telephone or fax number.
    Phone = "phone",
    /// A street address, or a line of one.
    Address = "address",
    /// A postal code.
    Postcode = "postcode",
    /// A city or town.
    City = "city",
    /// A state, county or region.
    Region = "region",
    /// A country.
    Country = "country",
    /// A name used to log in.
    Username = "username",
    /// A password or its hash.
    Password = "password",
    /// A secret that grants access: an API key, a session or reset token.
    AccessToken = "access_token",
    /// An IP address.
    IpAddress = "ip_address",
    /// A device or cookie id, a user agent.
    Device = "device",
    /// A date of birth, or an age.
    BirthDate = "birth_date",
    /// A gender or form of address.
    Gender = "gender",
    /// A number that a state assigns to a person: personal number, passport number.
    NationalId = "national_id",
    /// A tax or VAT number.
    TaxId = "tax_id",
    /// A bank account.
    BankAccount = "bank_account",
    /// A payment card: number, last digits, holder.
    PaymentCard = "payment_card",
    /// The id of a profile at a payment gateway.
    PaymentProfile = "payment_profile",
    /// A number or code by which the host's own staff know the person.
    CustomerNumber = "customer_number",
    /// A place: coordinates, a cell, a route.
    Location = "location",
    /// A number or address that took part in a communication.
    Communication = "communication",
    /// An answer to one of the host's own questions, for example at registration.
    CustomAnswer = "custom_answer",
    /// Free text: notes, comments, invoice texts.
    FreeText = "free_text",
    /// A whole document, such as a PDF.
    Document = "document",
    /// A photograph or another image.
    Image = "image",
}

impl Kind {
    /// Whether such a value identifies a person in other places: names, addresses, numbers. This is false for free
    /// text, and for values that many people share, such as a country.
    pub fn identifies(&self) -> bool {
        !matches!(
            self,
            Self::FreeText
                | Self::CustomAnswer
                | Self::Document
                | Self::Image
                | Self::Password
                | Self::AccessToken
                | Self::Postcode
                | Self::City
                | Self::Region
                | Self::Country
                | Self::Gender
                | Self::BirthDate
                | Self::Location
                | Self::Communication
        )
    }

    /// Whether such a value is practically unique to one person. Then the value alone is enough to recognise an
    /// erased person. This is false for names, and for the last digits of a card.
    pub fn is_of_one_person(&self) -> bool {
        matches!(
            self,
            Self::Email
                | Self::Phone
                | Self::Username
                | Self::NationalId
                | Self::TaxId
                | Self::BankAccount
                | Self::PaymentProfile
                | Self::CustomerNumber
                | Self::Custom(_)
        )
    }

    /// Whether such a value is a secret that grants access. It must not be shown to anybody, not even to the person.
    pub fn is_secret(&self) -> bool {
        matches!(self, Self::Password | Self::AccessToken)
    }

    /// Whether texts are searched for such a value. These are identifying values, and values that help to decide who
    /// is meant.
    pub(crate) fn is_searched_for(&self) -> bool {
        self.identifies()
            || matches!(self, Self::BirthDate | Self::Postcode | Self::City | Self::Communication)
    }

    /// Whether such a value is a text in which mentions of people are searched.
    #[cfg_attr(
        not(any(feature = "sqlite", feature = "postgres")),
        allow(dead_code, reason = "only stores over SQL use it")
    )]
    pub(crate) fn is_text(&self) -> bool {
        matches!(self, Self::FreeText | Self::CustomAnswer | Self::Custom(_))
    }

    /// Whether such a value names its person, or may do so: identifying values, free texts, documents, images and
    /// communications. A record that keeps such a value is not pseudonymised.
    pub(crate) fn names_person(&self) -> bool {
        self.identifies()
            || matches!(self, Self::FreeText | Self::Document | Self::Image | Self::Communication)
    }

    /// Whether many people share such a value. Such a value can stay if enough people share it.
    pub(crate) fn is_general(&self) -> bool {
        matches!(
            self,
            Self::CompanyName
                | Self::Postcode
                | Self::City
                | Self::Region
                | Self::Country
                | Self::Gender
                | Self::BirthDate
                | Self::Location
                | Self::CustomAnswer
                | Self::Custom(_)
        )
    }
}

/// The error for a name that is no kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no such kind of personal data; a kind of your own starts with x_")]
pub struct UnknownKind;

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_name_is_read_back() {
        for name in Kind::KNOWN {
            assert_eq!(name.parse::<Kind>().unwrap().as_str(), *name);
        }
        assert_eq!("x_card".parse(), Ok(Kind::Custom("x_card".to_owned())));
        for wrong in ["emial", "x_", "", "Name", "not personal"] {
            assert_eq!(wrong.parse::<Kind>(), Err(UnknownKind), "{wrong}");
        }
    }
}

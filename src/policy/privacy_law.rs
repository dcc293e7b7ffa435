//! The data protection law under which a controller works.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{ErasureGround, Ground};

/// The data protection law under which a controller works. It decides which articles and remedies a letter names, and
/// by which [regime](crate::plan::Regime) the clock of a request runs.
///
/// Sources: Art. 30 and 31 of the FADP were read as [reproduced](https://lawbrary.ch/law/art/DSG-v2023.09-de-art-31/), its Art.
/// 6(4), 25 and 32 in secondary sources. So were § 1798.100(a)(3), § 1798.105 and § 1798.145 of the CCPA, and s. 8(7) and
/// 12(3) of the DPDP Act. Art. 49 FADP and s. 17(1)(a) DPDP Act are from memory. This is no legal advice.
///
/// A policy says it with `privacy_law = "uk_gdpr"`. Without this key, the [statutes](super::Statute) of the duties
/// decide: all of them have the same [basis](super::Statute::basis). A policy without such statutes is under the GDPR.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PrivacyLaw {
    /// Regulation (EU) 2016/679.
    #[default]
    Gdpr,
    /// The United Kingdom: UK GDPR and Data Protection Act 2018.
    UkGdpr,
    /// Switzerland: the Federal Act on Data Protection of 25 September 2020.
    Fadp,
    /// India: the Digital Personal Data Protection Act, 2023.
    Dpdp,
    /// California: the California Consumer Privacy Act of 2018.
    Ccpa,
}

impl PrivacyLaw {
    pub(crate) const ALL: [Self; 5] = [Self::Gdpr, Self::UkGdpr, Self::Fadp, Self::Dpdp, Self::Ccpa];

    /// The name in a policy.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gdpr => "gdpr",
            Self::UkGdpr => "uk_gdpr",
            Self::Fadp => "fadp",
            Self::Dpdp => "dpdp",
            Self::Ccpa => "ccpa",
        }
    }

    /// Cites the provision that answers to a ground, in English: `Art. 17(3)(b) UK GDPR`.
    pub fn cite(self, ground: Ground) -> String {
        let article = self.article(ground);
        match self {
            Self::Gdpr => format!("Art. {article} GDPR"),
            Self::UkGdpr => format!("Art. {article} UK GDPR"),
            Self::Fadp => format!("Art. {article} FADP"),
            Self::Dpdp => format!("s. {article} DPDP Act 2023"),
            Self::Ccpa => format!("§ {article} CCPA"),
        }
    }

    /// The article or section of this law that answers to a ground of the GDPR.
    pub(crate) fn article(self, ground: Ground) -> &'static str {
        match (self, ground) {
            (Self::Gdpr | Self::UkGdpr, _) => ground.as_str(),
            (Self::Fadp, _) => fadp(ground),
            // These two laws except legal claims from all rights, and not from erasure alone.
            (Self::Dpdp, Ground::LegalClaims) => "17(1)(a)",
            (Self::Dpdp, _) => "12(3)",
            (Self::Ccpa, Ground::LegalClaims) => "1798.145(a)",
            (Self::Ccpa, _) => "1798.105(d)",
        }
    }

    /// Cites the provision that requires an erasure, in English: `Art. 17(1)(a) GDPR`.
    pub fn cite_erasure(self, ground: ErasureGround) -> String {
        match (self, ground) {
            (Self::Gdpr, _) => format!("Art. {ground} GDPR"),
            (Self::UkGdpr, _) => format!("Art. {ground} UK GDPR"),
            (Self::Fadp, ErasureGround::NoLongerNecessary) => "Art. 6(4) FADP".to_owned(),
            (Self::Fadp, _) => "Art. 32(2)(c) FADP".to_owned(),
            (Self::Dpdp, _) => "s. 8(7) DPDP Act 2023".to_owned(),
            (Self::Ccpa, ErasureGround::NoLongerNecessary) => "§ 1798.100(a)(3) CCPA".to_owned(),
            (Self::Ccpa, _) => "§ 1798.105 CCPA".to_owned(),
        }
    }
}

/// The article of the Swiss act that answers to a ground of the GDPR. The act has no list of exceptions from erasure.
/// It justifies processing by law, by overriding interests, and by some interests that it names.
fn fadp(ground: Ground) -> &'static str {
    match ground {
        Ground::Necessary => "31(2)(a)",
        Ground::Archiving => "31(2)(e)",
        Ground::LegalObligation | Ground::LegalClaims | Ground::Expression | Ground::PublicHealth => "31(1)",
    }
}

impl fmt::Display for PrivacyLaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for PrivacyLaw {
    type Err = NotAPrivacyLaw;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|law| law.as_str() == text).ok_or(NotAPrivacyLaw)
    }
}

/// The error for a text that names no data protection law.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("write \"gdpr\", \"uk_gdpr\", \"fadp\", \"dpdp\" or \"ccpa\"")]
pub struct NotAPrivacyLaw;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ground_is_cited_by_the_law_that_applies() {
        let cited = |law: PrivacyLaw| law.cite(Ground::LegalObligation);
        assert_eq!(cited(PrivacyLaw::Gdpr), "Art. 17(3)(b) GDPR");
        assert_eq!(cited(PrivacyLaw::UkGdpr), "Art. 17(3)(b) UK GDPR");
        assert_eq!(cited(PrivacyLaw::Fadp), "Art. 31(1) FADP");
        for law in PrivacyLaw::ALL {
            assert_eq!(law.to_string().parse(), Ok(law));
            assert_eq!(serde_json::to_value(law).unwrap(), law.as_str());
        }
    }
}

//! The blast radius: how many customers one run may hit before it stops and asks.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// How many customers one run may hit. A run that would hit more stops before anything is touched, and asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlastRadius {
    pub(super) customers: Option<u64>,
    pub(super) share: Option<Share>,
}

impl BlastRadius {
    /// The number of customers that one run may hit, if the policy limits it.
    pub fn customers(&self) -> Option<u64> {
        self.customers
    }

    /// The share of all customers that one run may hit, if the policy limits it.
    pub fn share(&self) -> Option<Share> {
        self.share
    }

    /// Whether there is a limit at all.
    pub(super) fn limits_anything(&self) -> bool {
        self.customers.is_some() || self.share.is_some()
    }

    /// The number of customers that one run may hit, out of all customers.
    pub fn at_most(&self, all: u64) -> u64 {
        let share = self.share.map(|share| share.of(all));
        self.customers.into_iter().chain(share).min().unwrap_or(u64::MAX)
    }
}

impl fmt::Display for BlastRadius {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.customers, self.share) {
            (Some(customers), Some(share)) => write!(f, "{customers} customers or {share} of all"),
            (Some(customers), None) => write!(f, "{customers} customers"),
            (None, Some(share)) => write!(f, "{share} of all customers"),
            (None, None) => f.write_str("no limit"),
        }
    }
}

/// A part of all customers, such as `2 %` or `0.25 %`. It has at most two decimals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Share {
    /// In hundredths of a percent.
    hundredths: u16,
}

/// All customers, in hundredths of a percent.
const ALL: u16 = 10_000;

impl Share {
    /// A share in hundredths of a percent. `None` for 0, and for more than everybody.
    pub fn from_hundredths(hundredths: u16) -> Option<Self> {
        (1..=ALL).contains(&hundredths).then_some(Self { hundredths })
    }

    /// The number of customers that the share allows, rounded up: of few customers, a share allows at least one.
    ///
    /// ```
    /// use relinquish::policy::Share;
    ///
    /// let share: Share = "2 %".parse()?;
    /// assert_eq!([share.of(10_000), share.of(10_001), share.of(7), share.of(0)], [200, 201, 1, 0]);
    /// # Ok::<(), relinquish::policy::NotAShare>(())
    /// ```
    pub fn of(self, all: u64) -> u64 {
        let part = u128::from(all) * u128::from(self.hundredths);
        u64::try_from(part.div_ceil(u128::from(ALL))).unwrap_or(u64::MAX)
    }
}

/// The error for a text that is no share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write a part of all customers between 0.01 % and 100 %, such as \"2 %\" or \"0.25 %\"")]
pub struct NotAShare;

impl FromStr for Share {
    type Err = NotAShare;

    fn from_str(text: &str) -> Result<Self, NotAShare> {
        let number = text.trim().strip_suffix('%').ok_or(NotAShare)?.trim_end();
        let (whole, decimals) = number.split_once('.').unwrap_or((number, "00"));
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number(whole) || !is_number(decimals) || decimals.len() > 2 {
            return Err(NotAShare);
        }
        let hundredths = format!("{whole}{decimals:0<2}").parse().map_err(|_| NotAShare)?;
        Self::from_hundredths(hundredths).ok_or(NotAShare)
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, decimals) = (self.hundredths / 100, self.hundredths % 100);
        match decimals {
            0 => write!(f, "{whole} %"),
            _ if decimals % 10 == 0 => write!(f, "{whole}.{} %", decimals / 10),
            _ => write!(f, "{whole}.{decimals:02} %"),
        }
    }
}

impl Serialize for Share {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_read_as_it_is_written() {
        for hundredths in 1..=ALL {
            let share = Share::from_hundredths(hundredths).unwrap();
            assert_eq!(share.to_string().parse(), Ok(share), "{share}");
        }
        for (text, hundredths) in [("2%", 200), (" 0.5 %", 50), ("100 %", 10_000), ("0.01 %", 1)] {
            assert_eq!(text.parse(), Ok(Share { hundredths }), "{text}");
        }
        for wrong in ["", "2", "%", "0 %", "0.001 %", "101 %", "-1 %", "1e1 %", "2 % %", ".5 %", "7.%"] {
            assert_eq!(wrong.parse::<Share>(), Err(NotAShare), "{wrong}");
        }
    }

    #[test]
    fn a_run_may_hit_what_the_smaller_limit_allows() {
        let share = "1 %".parse().ok();
        for (customers, share, all, at_most) in [
            (Some(5), None, 1_000, 5),
            (None, share, 1_000, 10),
            (Some(5), share, 1_000, 5),
            (Some(50), share, 1_000, 10),
            (None, share, u64::MAX, u64::MAX / 100 + 1),
        ] {
            assert_eq!(BlastRadius { customers, share }.at_most(all), at_most);
        }
    }
}

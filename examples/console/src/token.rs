//! Form tokens. A token says which operator got which form, about what, and until when the form may be sent.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use relinquish::plan::OperatorId;

use crate::secret::{ConsoleKey, is_same};

const PURPOSE: &str = "form token";

/// How long a form is valid.
const LASTS: TimeDelta = TimeDelta::hours(2);

/// Makes a token for a form of an operator. `about` is what the form shows, such as the digest of a plan or the id of
/// a case.
pub(crate) fn issue(
    key: &ConsoleKey,
    operator: &OperatorId,
    form: &str,
    about: &str,
    now: DateTime<Utc>,
) -> String {
    let until = (now + LASTS).timestamp();
    let mac = mac(key, operator, form, about, until);
    format!("{until}.{}", BASE64_URL_SAFE_NO_PAD.encode(mac))
}

/// Whether a token belongs to this form, this operator and this matter, and is still valid.
pub(crate) fn is_valid(
    key: &ConsoleKey,
    token: &str,
    operator: &OperatorId,
    form: &str,
    about: &str,
    now: DateTime<Utc>,
) -> bool {
    let Some((until, given)) = token.split_once('.') else { return false };
    let (Ok(until), Ok(given)) = (until.parse::<i64>(), BASE64_URL_SAFE_NO_PAD.decode(given)) else {
        return false;
    };
    is_same(&given, &mac(key, operator, form, about, until)) && now.timestamp() <= until
}

fn mac(key: &ConsoleKey, operator: &OperatorId, form: &str, about: &str, until: i64) -> [u8; 32] {
    let until = until.to_be_bytes();
    key.mac(PURPOSE, &[operator.as_str().as_bytes(), form.as_bytes(), about.as_bytes(), &until])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_good_for_one_operator_form_matter_and_time() {
        let key = ConsoleKey::new([7; 32]);
        let now = "2026-11-02T09:30:00Z".parse().unwrap();
        let (ann, ben) = (OperatorId::from("ann"), OperatorId::from("ben"));
        let token = issue(&key, &ann, "approve", "d1", now);
        assert!(is_valid(&key, &token, &ann, "approve", "d1", now));
        assert!(is_valid(&key, &token, &ann, "approve", "d1", now + LASTS));
        for (who, form, about, at) in [
            (&ben, "approve", "d1", now),
            (&ann, "cancel", "d1", now),
            (&ann, "approve", "d2", now),
            (&ann, "approve", "d1", now + LASTS + TimeDelta::seconds(1)),
        ] {
            assert!(!is_valid(&key, &token, who, form, about, at), "{form} {about}");
        }
        assert!(!is_valid(&ConsoleKey::new([8; 32]), &token, &ann, "approve", "d1", now), "another key");
        let (_, mac) = token.split_once('.').unwrap();
        let later = format!("{}.{mac}", (now + LASTS).timestamp() + 60);
        assert!(!is_valid(&key, &later, &ann, "approve", "d1", now), "the end is signed");
        for broken in ["", ".", "1", "1.x", "x.y"] {
            assert!(!is_valid(&key, broken, &ann, "approve", "d1", now), "{broken}");
        }
    }
}

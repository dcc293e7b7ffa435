//! Tests `"invalidate"` with the verifiers that services use: nobody can sign in with the result, whatever they type.

// A test that cannot continue panics.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use relinquish::anonymise::{Draw, Seed, Strategy, Token, TokenForm};
use relinquish::data_map::{RecordKey, Value};

const PASSWORD: &str = "correct horse battery staple";

fn phc(password: &str, hash: &str) -> bool {
    password_auth::verify_password(password, hash).is_ok()
}

/// An error means that the verifier does not know the format of the hash.
fn django(password: &str, hash: &str) -> bool {
    djangohashers::check_password(password, hash).unwrap_or(false)
}

fn crypt(password: &str, hash: &str) -> bool {
    pwhash::unix::verify(password, hash)
}

type Verifier = fn(&str, &str) -> bool;

/// A hash of the password in each format, and the verifier that services use.
fn formats() -> [(&'static str, String, Verifier); 8] {
    [
        ("Argon2id", password_auth::generate_hash(PASSWORD), phc),
        ("scrypt", "$scrypt$ln=4,r=8,p=1$c2FsdHNhbHRzYWx0c2FsdA$jkBzE6t+3YTzAuQ1ol2ZxJUOk0akIbgat0w+kf21AT0".to_owned(), phc),
        ("PBKDF2", "$pbkdf2-sha256$i=1000,l=32$c2FsdHNhbHRzYWx0c2FsdA$31ltvuXrbs8POP2F4tw9851NSNQCQpm0sCwu2eEvId8".to_owned(), phc),
        ("Django's PBKDF2", "pbkdf2_sha256$1000$saltsalt$zzTVNkpdnDsQWZloN/zP8vUU74BCbHD/tDSXS4zXPSs=".to_owned(), django),
        ("bcrypt", pwhash::bcrypt::hash(PASSWORD).unwrap(), crypt),
        ("SHA-512 crypt", "$6$saltsalt$CPgxBHZBXfhC6lX1yxpdEsbQfXmg3WXVj8AoVwyNFLfb5AtbfM8k6A8yehv1z6sgzoH/DUIs7YK9hVnGhTjhW/".to_owned(), crypt),
        ("SHA-256 crypt", "$5$saltsalt$3hGFMknrJ4ZpFPe7XZe397oIMEp7sbvqrcsX/ONJ3i.".to_owned(), crypt),
        ("MD5 crypt", "$1$saltsalt$BsXyQbZiQujHkdhwPwdol.".to_owned(), crypt),
    ]
}

/// A column of 60 characters, as for bcrypt; one of any length; and shorter and shorter ones.
fn strategies() -> Vec<Strategy> {
    let rooms = [None, Some(59), Some(26), Some(12)];
    let tokens = rooms.into_iter().map(|room| Token::fitting(TokenForm::Plain, room));
    tokens.chain([None]).map(Strategy::Invalidate).collect()
}

#[test]
fn what_invalidate_leaves_of_a_hash_lets_nobody_in() {
    let (class, field, key) = ("customer".into(), "password".into(), RecordKey::new("7"));
    let seed = Seed::new([7; 32]);
    let draw = Draw {
        seed: &seed,
        class: &class,
        key: &key,
        field: &field,
        attempt: 0,
        date: chrono::NaiveDate::MIN,
    };
    let formats = formats();
    for (format, hash, verify) in &formats {
        assert!(verify(PASSWORD, hash), "{format}: the verifier is a real one");
        assert!(!verify("incorrect", hash), "{format}");
        for strategy in strategies() {
            assert!(!strategy.holds(&Value::from(hash.as_str())), "{format}: a hash is no erased one");
            let left = strategy.apply(&Value::from(hash.as_str()), &draw);
            let left = left.as_text().unwrap();
            assert!(strategy.holds(&Value::from(left)));
            // Also with the mark removed, as `usermod --unlock` does.
            for left in [left, &left[1..]] {
                for typed in [PASSWORD, "", hash, left, "!"] {
                    for (other, _, verify) in &formats {
                        assert!(!verify(typed, left), "{format}, verified as {other}");
                    }
                }
            }
            assert!(!djangohashers::is_password_usable(left), "Django's own mark");
        }
    }
}

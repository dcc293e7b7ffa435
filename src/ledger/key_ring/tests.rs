use std::fs;
use std::path::Path;

use chrono::DateTime;

use super::*;
use crate::digest::Digest;

fn ring(byte: u8) -> MemoryKeyRing {
    MemoryKeyRing::new(TokenKey::new([byte; 32]))
}

fn customer(tenant: &str, id: &str, seconds: Option<i64>) -> TokenOf {
    let registered = seconds.and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    TokenOf::Customer { tenant: tenant.into(), customer: id.into(), registered }
}

async fn token(ring: &dyn KeyRing, of: &TokenOf) -> SubjectToken {
    let epoch = epochs(ring, &ring.epochs().await.unwrap()).await.unwrap().pop().unwrap();
    tokens(ring, &[epoch], std::slice::from_ref(of)).await.unwrap()[0]
}

/// The expected values were computed by another program from the definition. They must never change: entries must be
/// found as long as the ledger is kept.
#[tokio::test]
async fn tokens_are_what_they_are_defined_as() {
    let ring = ring(1);
    let profile = TokenOf::Profile { gateway: "stripe".into(), profile: Digest::of_bytes(b"cus_1") };
    for (of, digits) in [
        (
            customer("acme", "42", Some(1_700_000_000)),
            "54147234fe07e1b80af79ffcf7f5bdd12365b4e55fe3e67da102a7b6a3f9bf7c",
        ),
        (customer("acme", "42", None), "fc35f0a9475883e328b819f6bc51503bf38c2144fc74d05e14e4d28516408cfe"),
        (profile, "0d01645d20c21136009608c44d413f7a69fe709da4b4ffe6ceb1b8dd9a9f7724"),
    ] {
        let token = token(&ring, &of).await;
        assert_eq!(token.to_string(), format!("1:{digits}"), "{of:?}");
        let text = serde_json::to_string(&token).unwrap();
        assert_eq!(serde_json::from_str::<SubjectToken>(&text).unwrap(), token);
    }
    let epochs = epochs(&ring, &[1]).await.unwrap();
    assert_eq!(serde_json::to_value(&epochs[0].check).unwrap(), "2e72eb6626e1d4f7");
}

#[tokio::test]
async fn every_part_of_the_identity_counts_and_parts_do_not_run_together() {
    let base = token(&ring(1), &customer("ab", "c", Some(1))).await;
    for (key, of) in [
        (2, customer("ab", "c", Some(1))),
        (1, customer("a", "bc", Some(1))),
        (1, customer("ab", "d", Some(1))),
        (1, customer("ab", "c", Some(2))),
        (1, customer("ab", "c", None)),
    ] {
        assert_ne!(token(&ring(key), &of).await, base, "{key} {of:?}");
    }
}

#[test]
fn nothing_secret_and_nobody_is_shown() {
    let of = customer("acme", "maud@ashworth.example", None);
    let mut message = Vec::new();
    of.write(&mut message);
    let request = MacRequest::new(1, [message]);
    for shown in [format!("{:?}", TokenKey::new([7; 32])), format!("{of:?}"), format!("{request:?}")] {
        assert!(!shown.contains("maud") && !shown.contains('7') && !shown.contains("109"), "{shown}");
    }
}

#[tokio::test]
async fn a_key_that_is_gone_is_said_and_never_another_one_is_taken() {
    let ring = ring(1).with_next(TokenKey::new([2; 32])).without(1);
    assert_eq!(ring.epochs().await.unwrap(), [2]);
    let error = ring.macs(&MacRequest::new(1, [b""])).await.unwrap_err();
    assert!(matches!(error, KeyRingError::NoKey { epoch: 1 }), "{error}");
}

/// A ring that answers only some of the messages.
#[derive(Debug)]
struct Lazy;

#[async_trait]
impl KeyRing for Lazy {
    async fn epochs(&self) -> Result<Vec<u32>, KeyRingError> {
        Ok(vec![1])
    }

    async fn macs(&self, request: &MacRequest) -> Result<Vec<Mac>, KeyRingError> {
        Ok(vec![[0; 32]; request.messages.len().min(1)])
    }
}

#[tokio::test]
async fn a_ring_that_does_not_answer_for_everybody_is_an_error() {
    let epochs = epochs(&Lazy, &[1]).await.unwrap();
    let of = [customer("acme", "1", None), customer("acme", "2", None)];
    let error = tokens(&Lazy, &epochs, &of).await.unwrap_err();
    assert!(matches!(error, KeyRingError::AnswerCount { asked: 2, answered: 1 }), "{error}");
    let signed = Signed::new(&Lazy, epochs[0].clone(), vec![of[0].clone()]).await.unwrap();
    assert!(signed.token(&of[1]).is_err(), "nobody gets a token that was not asked for");
}

async fn token_in(path: &Path) -> SubjectToken {
    token(&FileKeyRing::open(path).unwrap(), &customer("t", "1", None)).await
}

#[tokio::test]
async fn a_key_file_is_made_once_whole_and_for_its_owner_only() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = dir.path().join("ledger.sqlite");
    let path = FileKeyRing::path_beside(&ledger);
    let missing = FileKeyRing::open_beside(&ledger).unwrap_err();
    assert!(
        missing.is_missing() && missing.to_string().contains("restore it from its own backup"),
        "{missing}"
    );
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "to open makes nothing");

    FileKeyRing::create_beside(&ledger).unwrap();
    let made = token_in(&path).await;
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left aside");
    let again = FileKeyRing::create_beside(&ledger).unwrap_err();
    assert!(matches!(again, KeyRingError::Exists { .. }), "{again}");
    assert_eq!(token_in(&path).await, made, "the key is as it was");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left aside");

    let nowhere = FileKeyRing::create(dir.path().join("no/such/folder/keys")).unwrap_err();
    assert!(matches!(nowhere, KeyRingError::Io { doing: "made", .. }), "{nowhere}");
}

#[tokio::test]
async fn a_file_that_is_not_whole_is_no_key_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keys");
    FileKeyRing::create(&path).unwrap();
    let whole = fs::read(&path).unwrap();
    fs::write(&path, "").unwrap();
    assert!(matches!(FileKeyRing::open(&path), Err(KeyRingError::Empty)));
    for length in 1..whole.len() - 1 {
        fs::write(&path, &whole[..length]).unwrap();
        let opened = FileKeyRing::open(&path);
        assert!(matches!(opened, Err(KeyRingError::Malformed { line: 1, .. })), "{length} bytes: {opened:?}");
    }
    let digits = "ab".repeat(32);
    for (text, line) in [
        (format!("1 {digits}\n1 {digits}\n"), 2),
        (format!("1 {digits}\n2 {}\n", &digits[1..]), 2),
        (format!("1 {digits}\n\n2 {digits}\n"), 2),
        ("1 \u{e9}\n".to_owned(), 1),
        (format!("one {digits}\n"), 1),
    ] {
        fs::write(&path, &text).unwrap();
        match FileKeyRing::open(&path) {
            Err(KeyRingError::Malformed { line: found, .. }) if found == line => {}
            other => panic!("{text:?}: {other:?}"),
        }
    }
    fs::write(&path, b"1 \xff\xfe\n").unwrap();
    assert!(matches!(FileKeyRing::open(&path), Err(KeyRingError::Malformed { line: 1, .. })));
    fs::write(&path, format!("2 {digits}\n1 {digits}")).unwrap();
    assert_eq!(
        FileKeyRing::open(&path).unwrap().epochs().await.unwrap(),
        [1, 2],
        "the current one is the last"
    );
}

#[cfg(unix)]
#[test]
fn a_file_that_others_may_read_is_refused() {
    use std::os::unix::fs::PermissionsExt;

    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keys");
    FileKeyRing::create(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    for mode in [0o640, 0o604, 0o644, 0o620] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let error = FileKeyRing::open(&path).unwrap_err();
        assert!(matches!(error, KeyRingError::Permissions { .. }), "{mode:o}: {error}");
    }
}

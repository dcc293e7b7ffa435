//! The contract of a key ring.

use std::collections::BTreeSet;
use std::future::Future;

use super::law::{Broken, Law, works};
use crate::ledger::{KeyRing, KeyRingError, Mac, MacRequest};

/// A message with a text that can be searched for in outputs.
const PERSON: &[u8] = b"customer-of-the-contract";

/// Messages that differ in only one byte, or in their length. The ring must not confuse them.
fn messages() -> Vec<Vec<u8>> {
    let long = vec![b'x'; 5_000];
    let with = |end: u8| long.iter().copied().chain([end]).collect::<Vec<u8>>();
    let mut list: Vec<Vec<u8>> =
        [&b""[..], b"\0", b"\0\0", b"a", b"a\0", b"\0a", b"ab", b"ba", b" a", b"A", b"\xff\xfe", PERSON]
            .map(<[u8]>::to_vec)
            .into();
    // Lengths around the block size of the hash, and around sizes at which a service might truncate a message.
    for length in [63, 64, 65, 127, 128, 129] {
        list.push(long.iter().copied().take(length).collect());
    }
    list.extend([with(b'1'), with(b'2'), long]);
    list
}

/// Checks the promises of [`KeyRing`]. `open` is called twice, and opens the same ring each time.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// use relinquish::ledger::{MemoryKeyRing, TokenKey};
/// use relinquish::testing;
///
/// testing::key_ring(|| async { MemoryKeyRing::new(TokenKey::new([7; 32])) }).await
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`Broken`], with the law and what was found instead.
pub async fn key_ring<K, F, Opening>(open: F) -> Result<(), Broken>
where
    K: KeyRing,
    F: Fn() -> Opening,
    Opening: Future<Output = K>,
{
    let ring = open().await;
    let epochs = works("epochs", ring.epochs().await)?;
    let rise = epochs.iter().zip(epochs.iter().skip(1)).all(|(one, next)| one < next);
    Law::EpochsRise.hold(!epochs.is_empty() && rise, format_args!("the epochs are {epochs:?}"))?;
    let messages = messages();
    let mut all: Vec<(u32, Vec<Mac>)> = Vec::new();
    for epoch in &epochs {
        let macs = in_order(&ring, *epoch, &messages).await?;
        if let Some((other, _)) =
            all.iter().find(|(_, others)| others.iter().zip(&macs).any(|(one, other)| one == other))
        {
            return Err(Law::EpochsDiffer.broken(format!("epochs {other} and {epoch} compute the same")));
        }
        all.push((*epoch, macs));
    }
    let last = epochs.last().copied().unwrap_or_default();
    for epoch in [last.saturating_add(1), 0].into_iter().filter(|epoch| !epochs.contains(epoch)) {
        let answer = ring.macs(&MacRequest::new(epoch, messages.clone())).await;
        let shown = answer.as_ref().err().map(|error| format!("{error} {error:?}")).unwrap_or_default();
        Law::NoKeyIsSaid.hold(
            matches!(answer, Err(KeyRingError::NoKey { epoch: said }) if said == epoch),
            format_args!("macs under epoch {epoch}, which has no key, gave no NoKey"),
        )?;
        shows_nothing(&shown)?;
    }
    shows_nothing(&format!("{ring:?}"))?;
    let again = open().await;
    let found = works("epochs", again.epochs().await)?;
    Law::KeysStay
        .hold(found == epochs, format_args!("epochs {epochs:?} are {found:?} when it is opened again"))?;
    for (epoch, macs) in all {
        let found = works("macs", again.macs(&MacRequest::new(epoch, messages.clone())).await)?;
        Law::KeysStay.hold(
            found == macs,
            format_args!("the key of epoch {epoch} is another one when it is opened again"),
        )?;
    }
    Ok(())
}

fn shows_nothing(shown: &str) -> Result<(), Broken> {
    let bytes = PERSON.iter().map(u8::to_string).collect::<Vec<_>>().join(", ");
    let is_shown =
        shown.contains(&bytes) || std::str::from_utf8(PERSON).is_ok_and(|text| shown.contains(text));
    Law::KeyRingShowsNothing.hold(!is_shown, format_args!("a message, as text or as bytes"))
}

/// Checks that there is one answer per message, and that it does not depend on the other messages.
async fn in_order(ring: &dyn KeyRing, epoch: u32, messages: &[Vec<u8>]) -> Result<Vec<Mac>, Broken> {
    let macs = works("macs", ring.macs(&MacRequest::new(epoch, messages)).await)?;
    Law::MacsInOrder.hold(
        macs.len() == messages.len(),
        format_args!("{} messages under epoch {epoch} gave {} answers", messages.len(), macs.len()),
    )?;
    let again = works("macs", ring.macs(&MacRequest::new(epoch, messages)).await)?;
    Law::MacsRepeat
        .hold(again == macs, format_args!("the same messages under epoch {epoch} came out otherwise"))?;
    for (place, (message, mac)) in (1..).zip(messages.iter().zip(&macs)) {
        let alone = works("macs", ring.macs(&MacRequest::new(epoch, [message.clone()])).await)?;
        Law::MacsInOrder.hold(
            alone == [*mac],
            format_args!("message {place} alone under epoch {epoch} came out otherwise than among others"),
        )?;
    }
    let mut seen = BTreeSet::new();
    for (place, mac) in (1..).zip(&macs) {
        let length = messages.get(place - 1).map_or(0, Vec::len);
        Law::MacsReadAll.hold(
            seen.insert(mac),
            format_args!(
                "message {place}, of {length} bytes, came out under epoch {epoch} as another one did"
            ),
        )?;
    }
    let none = works("macs", ring.macs(&MacRequest::new(epoch, Vec::<Vec<u8>>::new())).await)?;
    Law::MacsInOrder.hold(none.is_empty(), format_args!("no message gave {} answers", none.len()))?;
    Ok(macs)
}

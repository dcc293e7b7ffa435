//! The contract of a ledger that stores the hashes of its tree.

use std::future::Future;

use chrono::DateTime;

use super::law::{Broken, Law, works};
use crate::digest::Digest;
use crate::ledger::proof::KeepsTree;
use crate::ledger::{EntryBody, Scrubbed};

/// Checks the promises of [`KeepsTree`], on a new ledger.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// use relinquish::{MemoryLedger, testing};
///
/// testing::keeps_tree(|| async { MemoryLedger::new() }).await
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`Broken`], with the law and what was found instead.
pub async fn keeps_tree<L, F, Opening>(open: F) -> Result<(), Broken>
where
    L: KeepsTree,
    F: Fn() -> Opening,
    Opening: Future<Output = L>,
{
    let ledger = open().await;
    // Entries for the hashes.
    let scrubbed = Scrubbed { through: 0, at: DateTime::UNIX_EPOCH };
    works("append", ledger.append(&vec![EntryBody::Scrubbed(scrubbed); 9]).await)?;
    counts(&ledger, 0).await?;
    works("keep_hashes", ledger.keep_hashes(0, &sample(1..=4, 0)).await)?;
    counts(&ledger, 4).await?;
    let hashes = works("hashes", ledger.hashes(&[4, 1]).await)?;
    let is_same = hashes == [hashes_of(4, 0), hashes_of(1, 0)];
    Law::HashesKept.hold(is_same, format_args!("the hashes of entries 4 and 1 are others"))?;
    let gap = ledger.keep_hashes(5, &sample(6..=7, 0)).await;
    Law::HashesWithoutGap
        .hold(gap.is_err(), format_args!("after entry 4, hashes after entry 5 were accepted"))?;
    counts(&ledger, 4).await?;
    // Another process stores the hashes of the same entries and of some more.
    works("keep_hashes", ledger.keep_hashes(2, &sample(3..=8, 9)).await)?;
    counts(&ledger, 8).await?;
    let asked = [8, 1, 9, 4, 6, 0];
    let hashes = works("hashes", ledger.hashes(&asked).await)?;
    Law::HashesKept.hold(
        hashes.len() == asked.len(),
        format_args!("{} entries gave {} answers", asked.len(), hashes.len()),
    )?;
    for (entry, found) in asked.into_iter().zip(hashes) {
        let (law, due) = match entry {
            0 | 9 => (Law::HashesOfNobody, Vec::new()),
            1..=2 => (Law::HashesKept, hashes_of(entry, 0)),
            3..=4 => (Law::HashesStay, hashes_of(entry, 0)),
            _ => (Law::HashesStay, hashes_of(entry, 9)),
        };
        law.hold(
            found == due,
            format_args!("entry {entry} has {} hashes, which are not its own", found.len()),
        )?;
    }
    Ok(())
}

async fn counts(ledger: &dyn KeepsTree, last: u64) -> Result<(), Broken> {
    let hashed = works("hashed", ledger.hashed().await)?;
    Law::HashesCounted.hold(hashed == last, format_args!("hashed is {hashed} instead of {last}"))
}

/// Sample hashes: one for each complete subtree that ends with the entry.
fn hashes_of(entry: u64, variant: u64) -> Vec<Digest> {
    let hash =
        |level: u32| Digest::of_bytes(&[entry, u64::from(level), variant].map(u64::to_be_bytes).concat());
    (0..=entry.trailing_zeros()).map(hash).collect()
}

fn sample(entries: std::ops::RangeInclusive<u64>, variant: u64) -> Vec<Vec<Digest>> {
    entries.map(|entry| hashes_of(entry, variant)).collect()
}

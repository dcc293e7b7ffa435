//! The contract of a suppression list.

use std::future::Future;

use chrono::NaiveDate;

use super::law::{Broken, Law, works};
use crate::ledger::{KeyCheck, SuppressionKey, SuppressionList, SuppressionToken};

/// Checks the promises of [`SuppressionList`]. `open` is called several times, and returns an empty list each time.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// use relinquish::{MemoryLedger, testing};
///
/// testing::suppression_list(|| async { MemoryLedger::new() }).await
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`Broken`], with the law and what was found instead.
pub async fn suppression_list<L, F, Opening>(open: F) -> Result<(), Broken>
where
    L: SuppressionList,
    F: Fn() -> Opening,
    Opening: Future<Output = L>,
{
    Bench { list: open().await }.finds().await?;
    Bench { list: open().await }.takes_out().await?;
    Bench { list: open().await }.forgets().await?;
    Bench { list: open().await }.keeps_keys().await
}

struct Bench<L> {
    list: L,
}

fn day(year: i32) -> NaiveDate {
    NaiveDate::from_ymd_opt(year, 12, 31).unwrap_or(NaiveDate::MAX)
}

/// A token of an epoch. Tokens of two epochs may have the same digits.
fn token(epoch: u32, number: u8) -> SuppressionToken {
    SuppressionToken::new(epoch, [number; 32])
}

fn key(epoch: u32, digits: &str) -> Result<SuppressionKey, Broken> {
    let check: KeyCheck = works("a check value", serde_json::from_value(digits.into()))?;
    Ok(SuppressionKey { epoch, check })
}

impl<L: SuppressionList> Bench<L> {
    async fn add(&self, tokens: &[SuppressionToken], until: NaiveDate) -> Result<(), Broken> {
        works("suppress", self.list.suppress(&key(1, "0a")?, tokens, until).await)
    }

    async fn known(&self, tokens: &[SuppressionToken], today: NaiveDate) -> Result<Vec<bool>, Broken> {
        works("suppressed", self.list.suppressed(tokens, today).await)
    }

    async fn finds(&self) -> Result<(), Broken> {
        let [one, two, other] = [token(1, 3), token(1, 1), token(2, 1)];
        self.add(&[one, two], day(2030)).await?;
        let after = day(2030).succ_opt().unwrap_or(NaiveDate::MAX);
        let on = self.known(&[one, two], day(2030)).await?;
        let late = self.known(&[one, two], after).await?;
        Law::SuppressedToLastDay.hold(
            on == [true, true] && late == [false, false],
            format_args!("on the last day {on:?}, and on the day after {late:?}"),
        )?;
        let asked = [other, one, token(1, 9), two, one];
        let found = self.known(&asked, day(2029)).await?;
        Law::SuppressedInOrder.hold(
            found == [false, true, false, true, true],
            format_args!("one of another epoch, a known one, an unknown one, two known ones: {found:?}"),
        )?;
        let none = self.known(&[], day(2029)).await?;
        Law::SuppressedInOrder.hold(none.is_empty(), format_args!("no token was asked for: {none:?}"))?;
        self.add(&[one], day(2028)).await?;
        self.add(&[two, two], day(2032)).await?;
        let found = self.known(&[one, two], day(2030)).await?;
        let later = self.known(&[one, two], day(2032)).await?;
        Law::SuppressedToLaterDay.hold(
            found == [true, true] && later == [false, true],
            format_args!("added for 2030, then for 2028 and for 2032: in 2030 {found:?}, in 2032 {later:?}"),
        )
    }

    async fn takes_out(&self) -> Result<(), Broken> {
        let [one, two, three] = [token(1, 1), token(1, 2), token(1, 3)];
        self.add(&[one, two, three], day(2030)).await?;
        let out = works("unsuppress", self.list.unsuppress(&[two, token(1, 9)]).await)?;
        let again = works("unsuppress", self.list.unsuppress(&[two]).await)?;
        let found = self.known(&[one, two, three], day(2029)).await?;
        Law::SuppressedTakenOut.hold(
            (out, again) == (1, 0) && found == [true, false, true],
            format_args!("took out {out} of one, and {again} again; of three there are {found:?}"),
        )?;
        self.add(&[two], day(2030)).await?;
        let back = self.known(&[two], day(2029)).await?;
        Law::SuppressedTakenOut
            .hold(back == [true], format_args!("a token that came back after it was taken out: {back:?}"))
    }

    async fn forgets(&self) -> Result<(), Broken> {
        let old = [token(1, 1), token(1, 2), token(1, 3)];
        let new = token(1, 4);
        self.add(&old, day(2027)).await?;
        self.add(&[new], day(2028)).await?;
        let mut counts = Vec::new();
        for _ in 0..3 {
            counts.push(works("forget_suppressed", self.list.forget_suppressed(day(2028), 2).await)?);
        }
        let left = self.known(&[old.as_slice(), &[new]].concat(), day(2020)).await?;
        Law::SuppressedForgotten.hold(
            counts == [2, 1, 0] && left == [false, false, false, true],
            format_args!(
                "three of four had ended: forgot {counts:?}, two at most each time; there are {left:?}"
            ),
        )
    }

    async fn keeps_keys(&self) -> Result<(), Broken> {
        let (first, second) = (key(1, "0a")?, key(2, "0b")?);
        for (key, number) in [(&second, 1), (&first, 2), (&key(1, "0c")?, 3)] {
            works("suppress", self.list.suppress(key, &[token(key.epoch, number)], day(2030)).await)?;
        }
        let keys = works("suppression_keys", self.list.suppression_keys().await)?;
        Law::SuppressionKeysKept.hold(
            keys == [first, second],
            format_args!(
                "{} keys of epochs {:?}",
                keys.len(),
                keys.iter().map(|key| key.epoch).collect::<Vec<_>>()
            ),
        )
    }
}

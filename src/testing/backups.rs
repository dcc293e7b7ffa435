//! The contract of backups.

use std::collections::BTreeSet;
use std::fmt;
use std::future::Future;

use super::law::{Broken, Law, works};
use crate::backup::{BackupCopy, BackupError, BackupRetention, Removed};

type Stray = Box<dyn Fn() + Send + Sync>;

/// Backups with copies, for the contract [`backups`](super::backups). A test can add what the port does not offer.
pub struct Copies<B> {
    backups: B,
    stray: Option<Stray>,
}

impl<B: fmt::Debug> fmt::Debug for Copies<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Copies").field("backups", &self.backups).finish_non_exhaustive()
    }
}

impl<B> Copies<B> {
    /// Backups with at least three copies. The contract removes some of them.
    pub fn new(backups: B) -> Self {
        Self { backups, stray: None }
    }

    /// Sets a function that puts a file among the copies that is no copy.
    #[must_use]
    pub fn stray(self, put: impl Fn() + Send + Sync + 'static) -> Self {
        Self { stray: Some(Box::new(put)), ..self }
    }
}

/// Checks what [`BackupRetention`] promises. `fresh` is called once.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # use relinquish::backup::{BackupCopy, MemoryBackups, Schedule};
/// # let schedule = Schedule::new(None, Some(30));
/// # let copies = ["2026-01-01", "2026-01-02", "2026-01-03"]
/// #     .map(|day| BackupCopy::new(format!("{day}T23:59:59Z").parse().unwrap(), day));
/// use relinquish::testing::{self, Copies};
///
/// testing::backups(|| async { Copies::new(MemoryBackups::new(schedule, copies)) }).await
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`Broken`], with the law and what was found instead.
pub async fn backups<B, F, Copying>(fresh: F) -> Result<(), Broken>
where
    B: BackupRetention,
    F: FnOnce() -> Copying,
    Copying: Future<Output = Copies<B>>,
{
    let Copies { backups, stray } = fresh().await;
    let backups = &backups as &dyn BackupRetention;
    let schedule = works("schedule", backups.schedule().await)?;
    let again = works("schedule", backups.schedule().await)?;
    Law::ScheduleStays.hold(schedule == again, format_args!("{schedule:?}, and then {again:?}"))?;

    let copies = works("copies", backups.copies().await)?;
    let names: BTreeSet<_> = copies.iter().map(|copy| &copy.name).collect();
    let rise = copies.iter().zip(copies.iter().skip(1)).all(|(one, next)| one.taken_at <= next.taken_at);
    Law::CopiesOldestFirst.hold(
        rise && names.len() == copies.len(),
        format_args!(
            "{} copies of {} names; each is as old as the next or older: {rise}",
            copies.len(),
            names.len()
        ),
    )?;
    let again = works("copies", backups.copies().await)?;
    Law::CopiesOnlyReads
        .hold(again == copies, format_args!("{} copies, and then {} or others", copies.len(), again.len()))?;
    let [oldest, second, rest @ ..] = copies.as_slice() else {
        return Err(Law::FixtureSuffices.broken(format!("{} copies; a contract needs three", copies.len())));
    };
    Law::FixtureSuffices.hold(!rest.is_empty(), format_args!("two copies; a contract needs three"))?;

    let removed = remove(backups, std::slice::from_ref(second)).await?;
    Law::CopyRemoved.hold(
        matches!(removed.as_slice(), [Ok(Removed::Done)]),
        format_args!("remove of a copy answered {}", word(&removed)),
    )?;
    let left = works("copies", backups.copies().await)?;
    Law::CopyRemoved.hold(!left.contains(second), format_args!("a copy was removed, and is there"))?;
    let expected: Vec<&BackupCopy> = copies.iter().filter(|copy| *copy != second).collect();
    Law::CopiesUntouched.hold(
        left.iter().eq(expected.iter().copied()),
        format_args!("one of {} copies was removed, and there are {}", copies.len(), left.len()),
    )?;
    let again = remove(backups, std::slice::from_ref(second)).await?;
    Law::CopyRemovedAgain.hold(
        matches!(again.as_slice(), [Ok(Removed::Already)]),
        format_args!("remove of a copy that is gone answered {}", word(&again)),
    )?;
    let both = remove(backups, &[second.clone(), oldest.clone()]).await?;
    Law::RemoveInOrder.hold(
        matches!(both.as_slice(), [Ok(Removed::Already), Ok(Removed::Done)]),
        format_args!("remove of a copy that is gone and of one that is there answered {}", word(&both)),
    )?;
    let left = works("copies", backups.copies().await)?;
    Law::CopiesUntouched.hold(
        left == rest,
        format_args!("two of {} copies were removed, and there are {}", copies.len(), left.len()),
    )?;
    if let Some(put) = stray {
        put();
        let answer = backups.copies().await;
        Law::StrayIsSaid
            .hold(answer.is_err(), format_args!("copies answered with something among them that is none"))?;
    }
    Ok(())
}

async fn remove(
    backups: &dyn BackupRetention,
    copies: &[BackupCopy],
) -> Result<Vec<Result<Removed, BackupError>>, Broken> {
    works("remove", backups.remove(copies).await)
}

fn word(answers: &[Result<Removed, BackupError>]) -> String {
    let words = answers.iter().map(|answer| match answer {
        Ok(Removed::Done) => "Done",
        Ok(Removed::Already) => "Already",
        Err(_) => "an error",
    });
    format!("[{}]", words.collect::<Vec<_>>().join(", "))
}

//! Checks the promises of a ledger about its entries.

use std::sync::Arc;

use super::case_book::lease;
use super::{Bench, Broken, Law, samples, works};
use crate::ledger::{ClosedCase, Entry, EntryBody, EntryKey, Fence, Find, LedgerError, NewCase, Opened};

fn numbers(entries: &[Entry]) -> Vec<u64> {
    entries.iter().map(|entry| entry.seq).collect()
}

/// Whether an entry is exactly the same as what was written.
fn is_as_written(entry: &Entry, body: &EntryBody) -> Result<bool, Broken> {
    let text = works("to_text", entry.body.to_text())? == works("to_text", body.to_text())?;
    let leaf = works("leaf", entry.body.leaf())? == works("leaf", body.leaf())?;
    Ok(text && leaf && entry.body.beside() == body.beside() && entry.body == *body)
}

impl Bench<'_> {
    async fn opened(&self, cases: &[&NewCase]) -> Result<Fence, Broken> {
        let cases: Vec<NewCase> = cases.iter().map(|case| (*case).clone()).collect();
        Ok(works("open", self.ledger.open(&cases, &lease("one")).await)?.fence)
    }

    async fn all(&self) -> Result<Vec<Entry>, Broken> {
        works("entries", self.ledger.entries(0, 100).await)
    }

    async fn last(&self) -> Result<u64, Broken> {
        works("last", self.ledger.last().await)
    }

    pub(super) async fn closes(&self) -> Result<(), Broken> {
        let [one, two, three] = &self.samples.cases;
        let before = self.last().await?;
        Law::EntriesNumbered
            .hold(before == 0, format_args!("a new ledger says that its last entry is {before}"))?;
        let fence = self.opened(&[&one.new, &two.new, &three.new]).await?;
        // The cases are closed in another order than they were opened.
        let closed = [&two.closed, &one.closed].map(Arc::clone);
        let entries = works("close", self.ledger.close(fence, &closed).await)?;
        let cases: Vec<_> =
            entries.iter().filter_map(|entry| entry.closed()).map(|case| case.case.clone()).collect();
        Law::CloseAnswersInOrder.hold(
            entries.len() == 2 && cases == [two.new.id.clone(), one.new.id.clone()],
            format_args!("close of case-2 and case-1 gave {} entries, of {cases:?}", entries.len()),
        )?;
        Law::EntriesNumbered.hold(
            numbers(&entries) == [1, 2] && self.last().await? == 2,
            format_args!(
                "the first two entries are {:?}, and the last is {}",
                numbers(&entries),
                self.last().await?
            ),
        )?;
        for (entry, case) in entries.iter().zip(&closed) {
            let same = is_as_written(entry, &EntryBody::Closed(Arc::clone(case)))?;
            Law::EntryKeptAsWritten
                .hold(same, format_args!("close gave the entry of {} otherwise", case.case))?;
        }
        let open = works("list", self.ledger.list(None, 100).await)?.len();
        Law::CloseWipes
            .hold(open == 1, format_args!("two of three cases were closed, and {open} are open"))?;

        // If a case is closed again, the answer is its first entry, under any claim, and together with other cases.
        let again = [Arc::clone(&one.closed), Arc::clone(&three.closed)];
        let entries = works("close again", self.ledger.close(fence, &again).await)?;
        let last = self.last().await?;
        Law::ClosesOnce.hold(
            numbers(&entries) == [2, 3] && last == 3,
            format_args!(
                "close of case-1 again beside case-3 gave entries {:?}, and the last is {last}",
                numbers(&entries)
            ),
        )?;
        let again =
            works("close again", self.ledger.close(Fence::new(9_999), &[Arc::clone(&two.closed)]).await)?;
        let last = self.last().await?;
        Law::ClosesOnce.hold(
            numbers(&again) == [1] && last == 3,
            format_args!(
                "close of case-2 again under another claim gave entries {:?}, and the last is {last}",
                numbers(&again)
            ),
        )?;
        for (seq, case) in (1..).zip([two, one, three]) {
            let found = works("entry", self.ledger.entry(&case.new.id).await)?;
            let seqs = found.as_ref().map(|entry| entry.seq);
            Law::EntryOfCase.hold(
                seqs == Some(seq),
                format_args!("the entry of {} is {seqs:?} instead of {seq}", case.new.id),
            )?;
        }
        let found = works("entry", self.ledger.entry(&samples::nobodys()).await)?;
        Law::EntryOfCase
            .hold(found.is_none(), format_args!("there is an entry of case-0, which nobody closed"))?;

        let answer =
            works("open", self.ledger.open(std::slice::from_ref(&self.samples.second), &lease("two")).await)?;
        Law::CloseWipes.hold(
            answer.cases == [Opened::Open],
            format_args!(
                "the customer of the closed case-1 gets case-9, and open answered {:?}",
                answer.cases
            ),
        )?;
        self.keeps_treatments(&[one, three].map(|case| &case.new.task)).await
    }

    /// Checks that the ledger keeps and lists the treatments under which cases were opened.
    async fn keeps_treatments(&self, of: &[&crate::ledger::Task]) -> Result<(), Broken> {
        for task in of {
            let crate::ledger::Task::Erasure(erasure) = task else { continue };
            let digest = erasure.treatment.digest();
            let found = works("treatment", self.ledger.treatment(digest).await)?;
            let same = found.is_some_and(|found| found.digest() == digest && *found == *erasure.treatment);
            Law::TreatmentKept
                .hold(same, format_args!("no treatment {}, under which a case was opened", digest.short()))?;
        }
        let listed = works("treatments", self.ledger.treatments().await)?;
        let mut digests: Vec<crate::Digest> = listed.iter().map(|listed| listed.digest()).collect();
        digests.sort_unstable();
        let mut opened: Vec<crate::Digest> = of
            .iter()
            .filter_map(|task| match task {
                crate::ledger::Task::Erasure(erasure) => Some(erasure.treatment.digest()),
                _ => None,
            })
            .collect();
        opened.sort_unstable();
        opened.dedup();
        Law::TreatmentsListed.hold(
            digests == opened,
            format_args!(
                "{} treatments are listed, and cases were opened under {}",
                digests.len(),
                opened.len()
            ),
        )?;
        let unknown =
            works("treatment", self.ledger.treatment(crate::Digest::of_bytes(b"of nothing")).await)?;
        Law::TreatmentKept.hold(unknown.is_none(), format_args!("a treatment under a digest of nothing"))
    }

    pub(super) async fn closes_all_or_nothing(&self) -> Result<(), Broken> {
        let [one, two, _] = &self.samples.cases;
        let fence = self.opened(&[&one.new]).await?;
        let answer = self.ledger.close(fence, &[Arc::clone(&one.closed), Arc::clone(&two.closed)]).await;
        Law::CloseNeedsCase.hold(
            matches!(answer, Err(LedgerError::NoSuchCase { .. })),
            format_args!("close of case-1 and of case-2, which nobody opened, gave no NoSuchCase"),
        )?;
        let (open, last) = (works("list", self.ledger.list(None, 100).await)?.len(), self.last().await?);
        Law::CloseAllOrNothing.hold(
            (open, last) == (1, 0),
            format_args!("close was refused for its second case; there are {open} open cases of one, and {last} entries"),
        )
    }

    pub(super) async fn appends(&self) -> Result<(), Broken> {
        let [one, ..] = &self.samples.cases;
        let [scrub, other] = &self.samples.scrubbed;
        let both = [scrub.clone(), other.clone()];
        let entries = works("append", self.ledger.append(&both).await)?;
        Law::EntriesNumbered.hold(
            numbers(&entries) == [1, 2],
            format_args!("append of two entries gave {:?}", numbers(&entries)),
        )?;
        let fence = self.opened(&[&one.new]).await?;
        works("close", self.ledger.close(fence, &[Arc::clone(&one.closed)]).await)?;
        let again = works("append again", self.ledger.append(std::slice::from_ref(scrub)).await)?;
        let last = self.last().await?;
        Law::AppendRepeats.hold(
            again.len() == 1 && last == 4,
            format_args!("after two entries, a close, and one of them again, the last is {last}"),
        )?;
        Law::EntriesNumbered.hold(
            numbers(&again) == [4],
            format_args!("the fourth entry has the number {:?}", numbers(&again)),
        )?;
        let closed = EntryBody::Closed(Arc::clone(&one.closed));
        let refused = self.ledger.append(&[other.clone(), closed.clone()]).await;
        let last = self.last().await?;
        Law::AppendRefusesCases.hold(
            refused.is_err() && last == 4,
            format_args!(
                "append of a closed case beside another entry: {}, and the last is {last} instead of 4",
                if refused.is_ok() { "accepted" } else { "refused" }
            ),
        )?;
        let all = self.all().await?;
        Law::EntriesPaged.hold(
            numbers(&all) == [1, 2, 3, 4],
            format_args!("entries after 0 gave {:?} of four", numbers(&all)),
        )?;
        for (entry, body) in all.iter().zip([scrub, other, &closed, scrub]) {
            let same = is_as_written(entry, body)?;
            Law::EntryKeptAsWritten
                .hold(same, format_args!("entries returned a changed entry {}", entry.seq))?;
        }
        let some = works("entries", self.ledger.entries(1, 2).await)?;
        let none = works("entries", self.ledger.entries(4, 2).await)?;
        Law::EntriesPaged.hold(
            numbers(&some) == [2, 3] && none.is_empty(),
            format_args!(
                "two entries after 1 gave {:?}, and after the last {:?}",
                numbers(&some),
                numbers(&none)
            ),
        )
    }

    pub(super) async fn finds(&self) -> Result<(), Broken> {
        let [one, two, three] = &self.samples.cases;
        let [scrub, _] = &self.samples.scrubbed;
        let fence = self.opened(&[&one.new, &two.new, &three.new]).await?;
        let closed = [one, two, three].map(|case| Arc::clone(&case.closed));
        works("close", self.ledger.close(fence, &closed).await)?;
        works("append", self.ledger.append(&[scrub.clone(), scrub.clone(), scrub.clone()]).await)?;
        let subject = |case: &ClosedCase| case.subject().map(EntryKey::subject);
        let profile = |case: &ClosedCase| case.profiles().next().map(EntryKey::profile);
        for (seq, case) in (1..).zip(&closed) {
            for (kind, key) in [("subject", subject(case)), ("profile", profile(case))] {
                let Some(key) = key else { continue };
                let found = numbers(&works("find", self.ledger.find(&Find::all([key])).await)?);
                Law::FoundByKey
                    .hold(found == [seq], format_args!("the {kind} of entry {seq} was found in {found:?}"))?;
            }
        }
        let either: Vec<EntryKey> = closed.iter().filter_map(|case| subject(case)).collect();
        let limited = Find { limit: 2, ..Find::all([EntryKey::scrub()]) };
        for (asked, find, expected) in [
            ("three subjects", Find::all(either), vec![1, 2, 3]),
            ("scrubs", Find::all([EntryKey::scrub()]), vec![4, 5, 6]),
            ("scrubs after 4", Find::all([EntryKey::scrub()]).after(4), vec![5, 6]),
            ("two scrubs", limited.clone(), vec![4, 5]),
            ("the last scrub", Find::last(EntryKey::scrub()), vec![6]),
            ("two scrubs after 4, the last first", Find { last_first: true, ..limited }.after(4), vec![6, 5]),
            (
                "a census of another map",
                Find::all([EntryKey::census(crate::Digest::of_bytes(b"of nothing"), None)]),
                vec![],
            ),
            ("no key", Find::all([]), vec![]),
        ] {
            let found = numbers(&works("find", self.ledger.find(&find).await)?);
            Law::FoundByKey
                .hold(found == expected, format_args!("{asked}: found {found:?} instead of {expected:?}"))?;
        }
        Ok(())
    }
}

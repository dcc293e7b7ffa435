//! The notice that an answer takes longer, from the clock of the request.

use super::words::fill;
use super::writer::Writer;
use super::{Fact, Letter, LetterError, Letterhead, Request};
use crate::plan::{ExtensionReason, Holidays, Regime, RequestClock, StopReason};
use crate::policy::{Effective, PrivacyLaw};

/// The notice that an answer takes longer (Art. 12(3) GDPR, Art. 12A UK GDPR). The policy is the one in force for the
/// tenant. The day of receipt is the clock's. Swiss law has such a notice for access only (Art. 18(2) of the Data
/// Protection Ordinance), so the Swiss letter names no article.
///
/// # Errors
/// [`LetterError`]: the clock was not extended, or is stopped; it counts by another law than the policy; or there is no
/// such letter under that law.
pub fn extension(
    head: &Letterhead,
    reference: &str,
    policy: &Effective,
    clock: &RequestClock,
    holidays: &Holidays,
) -> Result<Letter, LetterError> {
    let law = policy.privacy_law();
    let article = match (law, clock.regime()) {
        (PrivacyLaw::UkGdpr, Regime::Uk) => "12A",
        (PrivacyLaw::Gdpr | PrivacyLaw::UkGdpr | PrivacyLaw::Fadp, _) => "12(3)",
        (law, _) => return Err(LetterError::NoLetters { law }),
    };
    if clock.regime() != Regime::of(law, clock.received_on()) {
        return Err(LetterError::Regime { law });
    }
    let (Some(extension), Some(due)) = (clock.extension(), clock.due(holidays)) else {
        return Err(LetterError::NotExtended);
    };
    let mut writer = Writer::new(head, law)?;
    let words = writer.words;
    writer.open(words.extension, Some(&Request::new(reference, clock.received_on())))?;
    let reason = match extension.reason {
        ExtensionReason::Complexity => words.complexity,
        // Art. 12A(3) UK GDPR counts the requests of this person alone.
        ExtensionReason::NumberOfRequests if clock.regime() == Regime::Uk => words.number_of_your_requests,
        ExtensionReason::NumberOfRequests => words.number_of_requests,
    };
    let (day, article) = (writer.date(due), (words.ground)(law, article));
    let parts = [("reason", reason), ("due", &*day), ("article", &*article)];
    let text = if law == PrivacyLaw::Fadp { words.extended_swiss } else { words.extended };
    writer.paragraph(Fact::Extended(due), fill(text, &parts));
    for stop in clock.stops_that_count() {
        let Some(to) = stop.to else { continue };
        let (text, reason) = match (stop.reason, clock.regime()) {
            (StopReason::Identity, Regime::Uk) => (words.began, words.for_identity_or_fee),
            (StopReason::Identity, _) => (words.suspended, words.for_identity),
            (StopReason::Clarification, _) => (words.suspended, words.for_clarification),
        };
        let (from, to) = (writer.date(stop.from), writer.date(to));
        let text = fill(text, &[("from", &from), ("to", &to), ("reason", reason)]);
        writer.paragraph(Fact::Suspended(stop.from), text);
    }
    writer.close(false);
    Ok(writer.letter())
}

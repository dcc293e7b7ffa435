//! The contract of a recipient's adapter.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::law::{Broken, Law, works};
use crate::recipient::{Notice, Pending, Recipient, RecipientOutcome};

/// A recipient for testing an adapter: a sandbox, an imitation, a cache of the test.
#[async_trait]
pub trait RecipientFixture: Send + Sync {
    /// The adapter.
    fn recipient(&self) -> &dyn Recipient;

    /// Makes a new person whom the recipient knows, and returns a notice of the person.
    async fn make(&self) -> Notice;

    /// A notice about a person whom the recipient never knew.
    fn nobody(&self) -> Notice;

    /// Whether the recipient still has data of the person. The fixture checks this directly, not through the adapter.
    async fn holds(&self, notice: &Notice) -> bool;

    /// The present instant, as the recipient sees it.
    fn now(&self) -> DateTime<Utc>;

    /// Waits long enough for an accepted task to finish.
    async fn wait(&self);
}

/// How often a recipient may answer that it will finish later.
const POLLS: usize = 100;

/// Sends a notice about one person, and polls until the recipient has finished.
async fn finish(fixture: &dyn RecipientFixture, notice: &Notice) -> Result<RecipientOutcome, Broken> {
    let recipient = fixture.recipient();
    let mut answers = recipient.tell(std::slice::from_ref(notice), fixture.now()).await;
    for _ in 0..POLLS {
        Law::RecipientAnswersEach
            .hold(answers.len() == 1, format_args!("{} answers to one item", answers.len()))?;
        let Some(answer) = answers.pop() else { break };
        let outcome = works("tell or poll", answer)?.outcome;
        let RecipientOutcome::Accepted { receipt, .. } = outcome else { return Ok(outcome) };
        fixture.wait().await;
        let task = Pending { id: notice.id.clone(), receipt };
        answers = recipient.poll(&[task], fixture.now()).await;
    }
    Err(Law::AcceptedIsFinished.broken(format!("a task is not finished after {POLLS} questions")))
}

/// Checks the promises of [`Recipient`], on new persons of the fixture.
///
/// # Errors
/// [`Broken`], with the law and what was found instead.
pub async fn recipient(fixture: &dyn RecipientFixture) -> Result<(), Broken> {
    let recipient = fixture.recipient();
    Law::RecipientTakesSome.hold(
        recipient.max_batch() > 0 && !recipient.longest_call().is_zero(),
        format_args!("{} items at once, for {:?}", recipient.max_batch(), recipient.longest_call()),
    )?;

    let nobody = fixture.nobody();
    let outcome = finish(fixture, &nobody).await?;
    Law::StrangerIsNoFailure
        .hold(is_end(&outcome), format_args!("told of somebody it never knew: {}", word(&outcome)))?;

    let (told, neighbour) = (fixture.make().await, fixture.make().await);
    let outcome = finish(fixture, &told).await?;
    let is_left = fixture.holds(&told).await;
    Law::RecipientForgets.hold(
        outcome == RecipientOutcome::Confirmed && !is_left,
        format_args!("told of a person: {}, and the person is there: {is_left}", word(&outcome)),
    )?;
    let outcome = finish(fixture, &told).await?;
    Law::ToldAgain.hold(is_end(&outcome), format_args!("told again: {}", word(&outcome)))?;
    let stays = fixture.holds(&neighbour).await;
    Law::NeighboursStay.hold(stays, format_args!("a neighbour is gone, and another person was told of"))?;

    let most = recipient.max_batch().clamp(2, 5);
    let mut notices = vec![fixture.nobody()];
    while notices.len() < most {
        notices.push(fixture.make().await);
    }
    for some in notices.chunks(recipient.max_batch()) {
        let answers = recipient.tell(some, fixture.now()).await;
        Law::RecipientAnswersEach.hold(
            answers.len() == some.len(),
            format_args!("{} answers to {} items", answers.len(), some.len()),
        )?;
        for (place, (answer, notice)) in answers.into_iter().zip(some).enumerate() {
            let outcome = works("tell", answer)?.outcome;
            let is_left = fixture.holds(notice).await;
            Law::RecipientForgets.hold(
                !(is_end(&outcome) && is_left),
                format_args!("item {place} of a batch: {}, and the person is there", word(&outcome)),
            )?;
        }
    }
    let shown = format!("{recipient:?}");
    let mut values: Vec<String> = Vec::new();
    for notice in [&told, &neighbour] {
        values.extend(notice.customer.iter().map(|customer| customer.as_str().to_owned()));
        values.extend(notice.identifiers.iter().map(|(_, value)| value.to_owned()));
    }
    let place = values.iter().position(|value| shown.contains(value.as_str()));
    Law::RecipientShowsNobody.hold(place.is_none(), format_args!("a value, at place {place:?} of those made"))
}

fn is_end(outcome: &RecipientOutcome) -> bool {
    matches!(outcome, RecipientOutcome::Confirmed | RecipientOutcome::NothingThere)
}

/// An outcome in one word. The recipient's own text is not shown, because it may quote a value.
fn word(outcome: &RecipientOutcome) -> &'static str {
    match outcome {
        RecipientOutcome::Confirmed => "Confirmed",
        RecipientOutcome::NothingThere => "NothingThere",
        RecipientOutcome::Unidentified => "Unidentified",
        RecipientOutcome::Accepted { .. } => "Accepted",
        RecipientOutcome::Refused { .. } => "Refused",
        RecipientOutcome::Retained { .. } => "Retained",
    }
}

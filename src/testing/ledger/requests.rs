//! Checks the promises of a register. Each request is recorded once, its notes are kept, and the personal data are
//! deleted at its end.

use chrono::{Days, NaiveDate};

use super::samples::noon;
use super::{Bench, Broken, Law, Samples, works};
use crate::ledger::{Received, RequestNote, SavedRequest, Standing, WhichRequests};
use crate::request::{
    Answer, Channel, NewRequest, Request, RequestEvent, RequestId, RequestKind, Stage, Who,
};

type Found<T> = Result<T, Broken>;

fn day(n: u64) -> NaiveDate {
    noon().date_naive() + Days::new(n)
}

/// Requests of the sample persons. The first three are in the order of their ids.
fn requests() -> Vec<NewRequest> {
    let new = |(n, person): (usize, &str)| {
        let who = Who::Customer { customer: person.into() };
        let id = format!("request-{}", n + 1);
        let request = NewRequest::new(id, RequestKind::Erasure, Channel::Web, who, noon());
        request.received_on(day(10 * n as u64))
    };
    Samples::persons().take(3).enumerate().map(new).collect()
}

fn note(event: RequestEvent) -> RequestNote {
    RequestNote { at: noon(), by: Some("operator-7".into()), event }
}

/// Valid notes, in order. The last note ends the request.
fn notes() -> Vec<RequestNote> {
    vec![
        note(RequestEvent::IdentityAsked { on: day(31) }),
        note(RequestEvent::Decided { on: day(32), answer: Answer::Withdrawn }),
        note(RequestEvent::Ended { on: day(40) }),
    ]
}

/// The state of a request after some notes.
fn standing(new: &NewRequest, notes: &[RequestNote]) -> Found<Standing> {
    let mut request = Request::of(new);
    for note in notes {
        works("the kit's own note", request.apply(&note.event))?;
    }
    Ok(Standing::of(&request))
}

fn ids(requests: &[SavedRequest]) -> Vec<String> {
    requests.iter().map(|saved| saved.new.id.to_string()).collect()
}

impl Bench<'_> {
    async fn found(&self, id: &RequestId) -> Found<Option<SavedRequest>> {
        works("request", self.ledger.request(id).await)
    }

    async fn requests_of(
        &self,
        which: WhichRequests,
        after: Option<&str>,
        limit: usize,
    ) -> Found<Vec<String>> {
        let after = after.map(RequestId::from);
        Ok(ids(&works("list_requests", self.ledger.list_requests(which, after.as_ref(), limit).await)?))
    }

    pub(super) async fn registers(&self) -> Found<()> {
        let new = requests();
        let [one, two, three] = &new[..] else {
            return Err(Law::FixtureSuffices.broken("the kit has too few persons"));
        };
        // The requests are not in the order of their ids, and one of them appears twice.
        let several = [three.clone(), one.clone(), two.clone(), one.clone()];
        let answers = works("receive_requests", self.ledger.receive_requests(&several).await)?;
        let known = Received::Known(Box::new(one.clone().without_who()));
        Law::RequestReceivedOnce.hold(
            answers == [Received::New, Received::New, Received::New, known.clone()],
            format_args!("receive_requests of three requests, and the second one again, answered otherwise"),
        )?;
        let found = self.found(&one.id).await?;
        Law::RequestReceivedOnce.hold(
            found.is_some_and(|saved| saved.new == *one && saved.notes.is_empty()),
            format_args!("request-1 did not come back as it was received"),
        )?;
        self.notes(one).await?;
        self.lists_requests().await?;
        self.forgets(one).await
    }

    async fn notes(&self, one: &NewRequest) -> Found<()> {
        let all = notes();
        let [first, second, last] = &all[..] else {
            return Err(Law::FixtureSuffices.broken("the kit has too few notes"));
        };
        let two = [first.clone(), second.clone()];
        let stands = standing(one, &two)?;
        let noted = works("note_request", self.ledger.note_request(&one.id, 0, &two, &stands).await)?;
        let found = self.found(&one.id).await?;
        Law::NotesInOrder.hold(
            noted && found.as_ref().is_some_and(|saved| saved.notes == two),
            format_args!("two notes of request-1 did not come back as they were noted"),
        )?;
        for seen in [0, 1, 3] {
            let late = std::slice::from_ref(first);
            let noted = works("note_request", self.ledger.note_request(&one.id, seen, late, &stands).await)?;
            let count = self.found(&one.id).await?.map_or(0, |saved| saved.notes.len());
            Law::NoteNeedsLast.hold(
                !noted && count == 2,
                format_args!(
                    "request-1 has two notes; a note after {seen} answered {noted}, and there are {count}"
                ),
            )?;
        }
        let nobody = RequestId::from("request-0");
        let noted = works("note_request", self.ledger.note_request(&nobody, 0, &two, &stands).await)?;
        Law::NoteNeedsLast
            .hold(!noted, format_args!("a note of request-0, which nobody made, answered {noted}"))?;
        let is_known = |saved: Option<SavedRequest>| saved.is_some_and(|saved| saved.new.who.is_some());
        Law::EndWipesWho.hold(
            is_known(self.found(&one.id).await?),
            format_args!("request-1 has not ended, and nobody knows who asked"),
        )?;
        let stands = standing(one, &all)?;
        let end = std::slice::from_ref(last);
        let noted = works("note_request", self.ledger.note_request(&one.id, 2, end, &stands).await)?;
        Law::EndWipesWho.hold(
            noted && !is_known(self.found(&one.id).await?),
            format_args!("request-1 has ended, and who asked is there still"),
        )
    }

    /// The first request has ended. The second is due a month after day 10, the third after day 20.
    async fn lists_requests(&self) -> Found<()> {
        let day = |n| WhichRequests::DueBy(day(n));
        for (which, after, limit, expected) in [
            (WhichRequests::All, None, 10, vec!["request-1", "request-2", "request-3"]),
            (WhichRequests::All, Some("request-1"), 1, vec!["request-2"]),
            (WhichRequests::NotEnded, None, 10, vec!["request-2", "request-3"]),
            (WhichRequests::NotEnded, None, 1, vec!["request-2"]),
            (WhichRequests::At(Stage::Open), Some("request-2"), 10, vec!["request-3"]),
            (WhichRequests::At(Stage::Ended), None, 10, vec!["request-1"]),
            (WhichRequests::At(Stage::Running), None, 10, vec![]),
            (day(20), None, 10, vec![]),
            (day(45), None, 10, vec!["request-2"]),
            (day(90), None, 10, vec!["request-2", "request-3"]),
        ] {
            let found = self.requests_of(which, after, limit).await?;
            Law::RequestsListed.hold(
                found == expected,
                format_args!(
                    "list_requests of {which:?} after {after:?}, at most {limit}, gave {found:?} instead of {expected:?}"
                ),
            )?;
        }
        Ok(())
    }

    async fn forgets(&self, one: &NewRequest) -> Found<()> {
        let early = works("forget_requests", self.ledger.forget_requests(day(40), 10).await)?;
        let count = works("forget_requests", self.ledger.forget_requests(day(41), 10).await)?;
        let gone = self.found(&one.id).await?.is_none();
        let left = self.requests_of(WhichRequests::All, None, 10).await?;
        Law::RequestsForgotten.hold(
            (early, count, gone) == (0, 1, true) && left == ["request-2", "request-3"],
            format_args!(
                "request-1 ended on day 40; {early} were forgotten before day 40 and {count} before day 41, and {left:?} are left"
            ),
        )?;
        let again = works("receive_requests", self.ledger.receive_requests(std::slice::from_ref(one)).await)?;
        let left = self.requests_of(WhichRequests::All, None, 10).await?;
        Law::RequestsForgotten.hold(
            matches!(again[..], [Received::Known(_)]) && left.len() == 2,
            format_args!("request-1, which was forgotten, was received again"),
        )
    }

    /// Requests for the law that a ledger shows nobody.
    pub(super) async fn with_requests(&self) -> Found<Vec<SavedRequest>> {
        works("receive_requests", self.ledger.receive_requests(&requests()).await)?;
        works("list_requests", self.ledger.list_requests(WhichRequests::All, None, 10).await)
    }
}

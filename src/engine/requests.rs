//! The register of requests: receiving, noting, listing and forgetting.

use chrono::{Days, Months, NaiveDate};

use super::keys::token_of;
use super::{Engine, Error};
use crate::ledger::{LedgerError, Received, RequestNote, SavedRequest, Standing, TokenOf, WhichRequests};
use crate::plan::{ApprovalError, Authority, Holidays, OperatorId};
use crate::policy::{Effective, Period};
use crate::request::{NewRequest, Note, OutOfTurn, Request, RequestEvent, RequestId, Stage, Who};

/// How often a note is retried if another process has written a note in the meantime.
const TRIES: u32 = 5;

/// Which requests a list has. Days are days of the time zone of each request's tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestList {
    /// All requests that are kept, including those that have ended.
    All,
    /// Those that have not ended.
    Open,
    /// Those at a stage.
    At(Stage),
    /// Those for which somebody has to act within so many days from today, or had to before: see [`Request::act_by`].
    DueWithin(u32),
    /// Those for which the law demanded an answer, or that the receipt is confirmed, before today: see
    /// [`Request::must_by`].
    Overdue,
}

impl Engine {
    /// Records a request in the register. Its clock starts on the [day of receipt](NewRequest::received_on). The policy in
    /// force for the customer's tenant says in which time zone that day is, and which law sets the period. A request of a
    /// person who is no customer counts by the rules for everyone.
    ///
    /// Receiving the same request again does nothing. If a host has to record a request in its own transaction, it
    /// writes the request to the [inbox](crate::store::Inbox) instead.
    ///
    /// # Errors
    /// [`Error::NotARequest`]; [`Error::NoSuchCustomer`]; [`Error::OtherRequest`] if another request has this id. A store,
    /// keys or a ledger out of reach.
    pub async fn receive(&self, request: NewRequest) -> Result<Request, Error> {
        request.check(self.parts.clock.now())?;
        if let Some(Who::Customer { customer }) = &request.who
            && self.facts(std::slice::from_ref(customer)).await?.is_empty()
        {
            return Err(Error::NoSuchCustomer);
        }
        let request = self.completed(request).await?;
        match self.receive_all(std::slice::from_ref(&request)).await?.pop() {
            Some(Received::Known(known)) if !known.is_same(&request) => {
                Err(Error::OtherRequest { request: request.id })
            }
            _ => self.request(&request.id).await?.ok_or(Error::NoSuchRequest { request: request.id }),
        }
    }

    /// Adds the tenant, what its rules say of the clock, and the token under which the request is kept when it has ended. A
    /// customer whom the store does not know has no tenant and no token.
    pub(super) async fn completed(&self, mut request: NewRequest) -> Result<NewRequest, Error> {
        let of = match &request.who {
            Some(Who::Customer { customer }) => {
                let facts = self.facts(std::slice::from_ref(customer)).await?.remove(customer);
                request.tenant = facts.as_ref().map(|facts| facts.tenant.clone());
                facts.as_ref().map(token_of)
            }
            Some(Who::Person { address }) => Some(TokenOf::of_address(address.as_str())),
            None => None,
        };
        if let Some(of) = of {
            request.subject = Some(self.sign(vec![of.clone()]).await?.token(&of)?.to_string());
        }
        let rules = self.rules_for(&request);
        Ok(request.by(rules))
    }

    /// The rules in force for the tenant of a request. They say in which time zone its days are counted.
    pub fn rules_for(&self, request: &NewRequest) -> &Effective {
        let policy = &self.parts.policy;
        request.tenant.as_ref().map_or_else(|| policy.everyone(), |tenant| policy.effective(tenant))
    }

    pub(super) async fn receive_all(&self, requests: &[NewRequest]) -> Result<Vec<Received>, Error> {
        let answers = self.parts.ledger.receive_requests(requests).await?;
        for (request, answer) in requests.iter().zip(&answers) {
            if *answer == Received::New {
                tracing::info!(request = %request.id, kind = %request.kind, "request received");
            }
        }
        Ok(answers)
    }

    /// A request in its present state. `None` if there is no such request, or if it was forgotten.
    ///
    /// # Errors
    /// A ledger out of reach.
    pub async fn request(&self, request: &RequestId) -> Result<Option<Request>, Error> {
        Ok(self.parts.ledger.request(request).await?.map(|saved| saved.request()).transpose()?)
    }

    /// All notes on a request, each with the author and the instant.
    ///
    /// # Errors
    /// [`Error::NoSuchRequest`], or a ledger out of reach.
    pub async fn notes_of(&self, request: &RequestId) -> Result<Vec<RequestNote>, Error> {
        let none = || Error::NoSuchRequest { request: request.clone() };
        Ok(self.parts.ledger.request(request).await?.ok_or_else(none)?.notes)
    }

    /// Adds a note to a request. The day is a day where the controller is.
    ///
    /// # Errors
    /// [`Error::OutOfTurn`] if the note does not fit the state of the request. Then nothing is noted.
    /// [`Error::NoSuchRequest`]. [`Error::Approval`] for an operator of other tenants, or for an approval that is not
    /// valid now. A ledger out of reach.
    pub async fn note(
        &self,
        request: &RequestId,
        note: &Note,
        on: NaiveDate,
        by: &Authority,
    ) -> Result<Request, Error> {
        by.operator().check().map_err(ApprovalError::from)?;
        if let Note::Approve(approved) = note {
            approved.approval.valid_at(self.parts.clock.now())?;
        }
        let events = |before: &Request| {
            if let Some(tenant) = &before.new.tenant {
                by.over(tenant)?;
            }
            let is_customer = matches!(&before.new.who, Some(Who::Customer { .. }));
            if matches!(note, Note::Approve(_)) && before.ended.is_none() && !is_customer {
                return Err(Error::NoSuchCustomer);
            }
            let events = before.events_of(note, on, &self.parts.holidays);
            events.map_err(|source| out_of_turn(request, source))
        };
        self.append(request, Some(by.operator()), events).await
    }

    /// Appends the events that a closure derives from the state of a request.
    pub(super) async fn append(
        &self,
        request: &RequestId,
        by: Option<&OperatorId>,
        events: impl Fn(&Request) -> Result<Vec<RequestEvent>, Error>,
    ) -> Result<Request, Error> {
        for _ in 0..TRIES {
            let none = || Error::NoSuchRequest { request: request.clone() };
            let saved: SavedRequest = self.parts.ledger.request(request).await?.ok_or_else(none)?;
            let mut after = saved.request()?;
            let mut notes = Vec::new();
            let at = self.parts.clock.now();
            for event in events(&after)? {
                after.apply(&event).map_err(|source| out_of_turn(request, source))?;
                notes.push(RequestNote { at, by: by.cloned(), event });
            }
            if notes.is_empty() {
                return Ok(after);
            }
            let (seen, stands) = (saved.notes.len(), Standing::of(&after));
            if self.parts.ledger.note_request(request, seen, &notes, &stands).await? {
                return Ok(after);
            }
        }
        Err(LedgerError::Busy { doing: "noting a request" }.into())
    }

    /// Up to `limit` requests in the order of their ids, after the given id.
    ///
    /// # Errors
    /// A ledger out of reach.
    pub async fn requests(
        &self,
        of: RequestList,
        after: Option<&RequestId>,
        limit: usize,
    ) -> Result<Vec<Request>, Error> {
        let within = |today: NaiveDate, days: u32| {
            today.checked_add_days(Days::new(days.into())).unwrap_or(NaiveDate::MAX)
        };
        let which = match of {
            RequestList::All => WhichRequests::All,
            RequestList::Open => WhichRequests::NotEnded,
            RequestList::At(stage) => WhichRequests::At(stage),
            // Somewhere on earth it is two days later.
            RequestList::DueWithin(days) => {
                WhichRequests::DueBy(within(self.today(), days.saturating_add(2)))
            }
            RequestList::Overdue => WhichRequests::DueBy(within(self.today(), 1)),
        };
        let (now, holidays) = (self.parts.clock.now(), &self.parts.holidays);
        // The register knows neither the holidays, which move the day, nor the zone of the tenant.
        let is_listed = |request: &Request| {
            let today = self.rules_for(&request.new).time_zone().day(now);
            match of {
                RequestList::DueWithin(days) => {
                    request.act_by(holidays).is_some_and(|day| day <= within(today, days))
                }
                RequestList::Overdue => request.must_by(holidays).is_some_and(|day| day < today),
                RequestList::All | RequestList::Open | RequestList::At(_) => true,
            }
        };
        let (mut found, mut after) = (Vec::new(), after.cloned());
        while found.len() < limit {
            let page = self.parts.ledger.list_requests(which, after.as_ref(), self.parts.batch).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.new.id.clone());
            for saved in page {
                let request = saved.request()?;
                if found.len() < limit && is_listed(&request) {
                    found.push(request);
                }
            }
        }
        Ok(found)
    }

    /// Deletes old requests: those that ended longer ago than the policy keeps them (`requests_kept`). Returns their
    /// number. If the policy has no such line, nothing is deleted.
    ///
    /// # Errors
    /// A ledger out of reach.
    pub async fn forget_requests(&self) -> Result<usize, Error> {
        let Some(period) = self.parts.policy.requests_kept() else { return Ok(0) };
        let Some(before) = kept_from(period, self.today()) else { return Ok(0) };
        let mut forgotten = 0;
        loop {
            match self.parts.ledger.forget_requests(before, self.parts.batch).await? {
                0 => return Ok(forgotten),
                count => forgotten += count,
            }
        }
    }

    /// Today in the policy's time zone.
    pub(super) fn today(&self) -> NaiveDate {
        self.parts.policy.everyone().time_zone().day(self.parts.clock.now())
    }

    /// The public holidays where the controller is.
    pub fn holidays(&self) -> &Holidays {
        &self.parts.holidays
    }
}

fn out_of_turn(request: &RequestId, source: OutOfTurn) -> Error {
    Error::OutOfTurn { request: request.clone(), source }
}

/// The first possible start of a period that has not ended today.
fn kept_from(period: Period, today: NaiveDate) -> Option<NaiveDate> {
    let (years, months, days) = period.parts();
    let months = Months::new(years.saturating_mul(12).saturating_add(months));
    // Months are of different lengths, so the day is found from a few days before.
    let start = today.checked_sub_months(months)?.checked_sub_days(Days::new(u64::from(days) + 5))?;
    start.iter_days().take(12).find(|day| period.end(*day).is_none_or(|end| end > today))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_kept_to_the_last_day_of_its_period_and_no_longer() {
        for text in ["0 days", "1 day", "30 days", "1 month", "18 months", "3 years"] {
            let period: Period = text.parse().unwrap();
            let first: NaiveDate = "2024-01-28".parse().unwrap();
            for today in first.iter_days().take(800) {
                let from = kept_from(period, today).unwrap();
                assert!(period.end(from).unwrap() > today, "{text} {today}");
                assert!(period.end(from.pred_opt().unwrap()).unwrap() <= today, "{text} {today}");
            }
        }
    }
}

//! One HTTP request of an operator: the operator, the language and the fields.

use chrono::{DateTime, NaiveDate, Utc};
use http::StatusCode;
use maud::Markup;
use relinquish::engine::{Access, Purpose};
use relinquish::plan::{CaseId, ReasonCode};
use relinquish::request::Request;
use relinquish::{CustomerId, TenantId};
use serde::{Deserialize, Serialize};

use crate::answer::{Answer, Failure};
use crate::auth::{Operator, Right};
use crate::fields::Fields;
use crate::tried::Tried;
use crate::words::{Words, dates};
use crate::{Shared, layout, seal, token};

/// One HTTP request of an operator.
pub(crate) struct Visit<'c> {
    pub(crate) console: &'c Shared,
    pub(crate) operator: Operator,
    pub(crate) words: &'static Words,
    pub(crate) now: DateTime<Utc>,
    pub(crate) query: Fields,
    pub(crate) form: Fields,
    /// The item of the navigation that is open.
    pub(crate) place: Place,
}

/// An item of the navigation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Place {
    #[default]
    Home,
    Requests,
    Review,
    Cases,
    Holds,
    Expiry,
    Policy,
    Data,
    Ledger,
}

/// What the address of a person's page refers to.
#[derive(Serialize, Deserialize)]
struct Reference {
    customer: CustomerId,
}

impl Visit<'_> {
    /// # Errors
    /// The operator lacks the right.
    pub(crate) fn needs(&self, right: Right) -> Result<(), Failure> {
        if self.operator.may(right) { Ok(()) } else { Err(Failure::Lacks(right)) }
    }

    /// Checks that the operator may see a tenant. For another tenant the answer is *not found*, so it does not show
    /// that anything exists.
    ///
    /// # Errors
    /// [`Failure::NotFound`].
    pub(crate) fn over(&self, tenant: &TenantId) -> Result<(), Failure> {
        if self.operator.tenants().contains(tenant) { Ok(()) } else { Err(Failure::NotFound) }
    }

    /// An address below the console.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.console.base)
    }

    /// Answers a form with another page.
    pub(crate) fn see(&self, path: &str) -> Answer {
        Answer::See(self.url(path))
    }

    /// Seals something into an address.
    pub(crate) fn seal(&self, purpose: &str, what: &impl Serialize) -> String {
        seal::seal(&self.console.key, purpose, what, self.now)
    }

    /// Opens a sealed address.
    ///
    /// # Errors
    /// [`Failure::NotFound`] for an address of another purpose or key, or an old one.
    pub(crate) fn open<T: serde::de::DeserializeOwned>(
        &self,
        purpose: &str,
        sealed: &str,
    ) -> Result<T, Failure> {
        seal::open(&self.console.key, purpose, sealed, self.now).ok_or(Failure::NotFound)
    }

    /// The path of a person's page.
    pub(crate) fn person(&self, customer: &CustomerId) -> String {
        let reference = Reference { customer: customer.clone() };
        format!("/person/{}", self.seal("customer", &reference))
    }

    /// The customer to whom the address of a person's page refers.
    pub(crate) fn customer(&self, sealed: &str) -> Result<CustomerId, Failure> {
        Ok(self.open::<Reference>("customer", sealed)?.customer)
    }

    /// The token of a form about something.
    pub(crate) fn token(&self, form: &str, about: &str) -> String {
        token::issue(&self.console.key, self.operator.id(), form, about, self.now)
    }

    /// The sent fields of a form. There is a complaint if the form's token does not belong to this form, this matter
    /// and this operator.
    pub(crate) fn tried(&self, form: &str, about: &str) -> Tried {
        let mut tried = Tried::of(&self.form);
        let given = self.form.raw("token").unwrap_or_default();
        if !token::is_valid(&self.console.key, given, self.operator.id(), form, about, self.now) {
            tried.complain("", self.words.error_stale);
        }
        tried
    }

    /// The access to personal values: the operator and the purpose. The purpose is the typed reference, or a general
    /// one of the console if nothing was typed. `None`, with a complaint, if the reference is not a valid code.
    pub(crate) fn access(&self, tried: &mut Tried) -> Option<Access> {
        let typed = self.form.get("purpose").unwrap_or("console");
        let Ok(reason) = typed.parse::<ReasonCode>() else {
            tried.complain("purpose", self.words.reference_bad);
            return None;
        };
        tried.is_fine().then(|| Access::new(self.operator.authority().clone(), Purpose::Reason(reason)))
    }

    pub(crate) fn page(&self, title: &str, content: &Markup) -> Answer {
        self.page_as(StatusCode::OK, title, content)
    }

    /// The same page again, with the typed values and the complaints.
    pub(crate) fn page_tried(&self, title: &str, tried: &Tried, content: &Markup) -> Answer {
        if tried.is_fine() {
            return self.page(title, content);
        }
        let title = format!("{}: {title}", self.words.error);
        self.page_as(StatusCode::UNPROCESSABLE_ENTITY, &title, content)
    }

    pub(crate) fn page_as(&self, status: StatusCode, title: &str, content: &Markup) -> Answer {
        Answer::Page(status, layout::page(self, title, content))
    }

    /// Today's date in the time zone of the controller.
    pub(crate) fn today(&self) -> NaiveDate {
        self.console.engine.policy().everyone().time_zone().day(self.now)
    }

    /// Today where the tenant of a request is.
    pub(crate) fn today_for(&self, request: &Request) -> NaiveDate {
        self.console.engine.rules_for(&request.new).time_zone().day(self.now)
    }

    pub(crate) fn date(&self, day: NaiveDate) -> String {
        dates::day(self.words, day)
    }

    pub(crate) fn instant(&self, at: DateTime<Utc>) -> String {
        dates::instant(self.words, at)
    }

    pub(crate) fn number(&self, number: u64) -> String {
        dates::number(self.words, number)
    }

    pub(crate) fn case_path(case: &CaseId) -> String {
        format!("/cases/{}", crate::fields::encode(case.as_str()))
    }
}

//! Finds traces and twins: all other places in which a person appears. Each trace is certain, likely or possible, and
//! has a reason.
//!
//! One person may be in a database several times. The person may also be a second customer, a contact of a company, a
//! guest, a customer of another tenant, or a name in a text. An erasure reaches only the records of one customer. [`Engine::traces`]
//! shows the rest before anything is erased.
//!
//! | certainty | reason |
//! |---|---|
//! | certain | the same e-mail address, national number, tax number, customer number or profile at a gateway; the same name with the same telephone number, date of birth or bank account; a text with the e-mail address or such a number |
//! | likely | the same user name; the same name at the same address; the same telephone number or bank account; a text that certainly names the person |
//! | possible | the same name alone; a text that may name the person |
//!
//! Values are compared in any [spelling](super::Search::alike). A user name that looks like an e-mail address counts
//! as an e-mail address. The customer's own records are no traces.
//!
//! A *twin* is a trace in the record of another customer ([`Trace::is_twin`]). A *shared login* is a user name or an
//! e-mail address of several accounts ([`TraceReason::Login`], [`TraceReason::Email`]). If one account is erased, the
//! others must keep the login.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use super::search::{ClassFields, elsewhere, may_stand_in};
use super::{Access, Accessed, Engine, Error};
use crate::anonymise::Form;
use crate::anonymise::text::Matcher;
use crate::customer::{CustomerId, Identifiers, TenantId};
use crate::data_map::{ClassName, FieldName, Kind, RecordClass, RecordKey};
use crate::store::{Cursor, Had, ReadRecord, ReadRecords, ReadRequest, StoreError, Whose};

/// The maximum number of records in memory at once.
const PAGE: usize = 2_000;

/// How certain it is that a place is about the person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Certainty {
    /// A match in something that many people share. Somebody has to check.
    Possible,
    /// A match in something that few people share. Somebody has to check.
    Likely,
    /// A match in something that only one person has.
    Certain,
}

/// Why a place may be about the person.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TraceReason {
    /// The same e-mail address.
    Email,
    /// The same number, of a kind that is unique to a person: a national number, a tax number, a customer number, a
    /// profile at a gateway.
    Number(Kind),
    /// The same name, and the same value of this kind: a telephone number, a date of birth, a bank account, an address.
    NameAnd(Kind),
    /// The same user name: one login may open several accounts.
    Login,
    /// The same telephone number.
    Phone,
    /// The same bank account.
    BankAccount,
    /// The same name.
    Name,
    /// A text contains a value of this kind, and the value is the person's.
    Mention(Kind),
    /// A text may mention the person.
    UncertainMention,
}

/// A place in which the person may appear.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Trace {
    /// The record class.
    pub class: ClassName,
    /// The record's key. It is the host's own key and may be personal: show it only to the person who asked.
    #[serde(serialize_with = "spelled")]
    pub key: RecordKey,
    /// The customer to whom the record belongs, if any.
    pub customer: Option<CustomerId>,
    /// The tenant of that customer.
    pub tenant: Option<TenantId>,
    /// The fields that matched.
    pub fields: BTreeSet<FieldName>,
    /// How certain it is.
    pub certainty: Certainty,
    /// Why.
    pub reason: TraceReason,
}

fn spelled<S: Serializer>(key: &RecordKey, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(key.as_str())
}

impl Trace {
    /// Whether the trace is a value in the record of another customer, and not only a mention in a text there.
    pub fn is_twin(&self) -> bool {
        let is_mention = matches!(self.reason, TraceReason::Mention(_) | TraceReason::UncertainMention);
        self.customer.is_some() && !is_mention
    }
}

/// Whose traces to look for.
#[derive(Clone)]
pub enum TracesOf {
    /// Those of a customer. The values come from the customer's own records.
    Customer(CustomerId),
    /// Those of a person who is known by these values.
    Person(Identifiers),
}

/// Shows no value of the person.
impl fmt::Debug for TracesOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Customer(_) => f.write_str("Customer(…)"),
            Self::Person(identifiers) => f.debug_tuple("Person").field(identifiers).finish(),
        }
    }
}

/// The known values of the person, in the form in which values are compared.
#[derive(Default)]
struct Person {
    forms: BTreeMap<Kind, Vec<Form>>,
    names: Vec<Form>,
    texts: Identifiers,
}

/// The kinds of values by which one record is compared with another.
fn is_compared(kind: &Kind) -> bool {
    matches!(
        kind,
        Kind::Name
            | Kind::Email
            | Kind::Phone
            | Kind::Address
            | Kind::Username
            | Kind::BirthDate
            | Kind::NationalId
            | Kind::TaxId
            | Kind::BankAccount
            | Kind::PaymentProfile
            | Kind::CustomerNumber
    )
}

/// The kinds of fields that are read.
fn is_read(kind: &Kind) -> bool {
    is_compared(kind) || matches!(kind, Kind::FreeText | Kind::CustomAnswer | Kind::Communication)
}

/// The values of a record, by kind; and its whole names.
struct Values {
    of_kind: Vec<(Kind, FieldName, Vec<String>)>,
    names: Vec<String>,
    named_by: BTreeSet<FieldName>,
}

impl Values {
    fn of(fields: &ClassFields, record: &ReadRecord, is_own: impl Fn(&FieldName) -> bool) -> Self {
        let own = fields.fields.iter().filter(|field| is_own(&field.name));
        let of_kind: Vec<(Kind, FieldName, Vec<String>)> =
            own.map(|field| (field.kind.clone(), field.name.clone(), field.texts(record))).collect();
        let parts = || of_kind.iter().filter(|(kind, _, texts)| *kind == Kind::Name && !texts.is_empty());
        let all: Vec<&str> = parts().flat_map(|(.., texts)| texts).map(String::as_str).collect();
        // A name is spread over several fields, or each field has a whole one.
        let mut names: Vec<String> = all.iter().map(|name| (*name).to_owned()).collect();
        if all.len() > 1 {
            names.push(all.join(" "));
        }
        names.retain(|name| name.split_whitespace().nth(1).is_some());
        let named_by = parts().map(|(_, field, _)| field.clone()).collect();
        Self { of_kind, names, named_by }
    }
}

impl Person {
    fn learn(&mut self, values: &Values) {
        for (kind, _, texts) in values.of_kind.iter().filter(|(kind, ..)| is_compared(kind)) {
            for text in texts {
                self.texts.insert(kind.clone(), text.clone());
                self.form(kind, text);
            }
        }
        for name in &values.names {
            self.texts.insert(Kind::Name, name.clone());
            self.name(name);
        }
    }

    fn form(&mut self, kind: &Kind, text: &str) {
        if let Some(form) = Form::of(kind, text) {
            let forms = self.forms.entry(kind.clone()).or_default();
            if !forms.contains(&form) {
                forms.push(form);
            }
        }
    }

    fn name(&mut self, name: &str) {
        if let Some(form) = Form::of(&Kind::Name, name)
            && !self.names.contains(&form)
        {
            self.names.push(form);
        }
    }

    fn known_by(identifiers: &Identifiers) -> Self {
        let mut person = Self::default();
        for (kind, value) in identifiers.iter() {
            person.texts.insert(kind.clone(), value);
            person.form(kind, value);
            if *kind == Kind::Name && value.split_whitespace().nth(1).is_some() {
                person.name(value);
            }
        }
        person
    }

    /// Whether a value of this kind is the person's. It is compared with the person's values of all kinds that such a
    /// field may contain.
    fn has(&self, kind: &Kind, text: &str) -> bool {
        let own = Form::of(kind, text);
        own.is_some_and(|own| {
            let sought = self.forms.iter().filter(|(of, _)| may_stand_in(of, kind));
            sought.flat_map(|(_, forms)| forms).any(|form| form.is_like(&own))
        })
    }

    /// The strongest reason why a record may be about the person, with the fields.
    fn judge(&self, values: &Values) -> Option<(Certainty, TraceReason, BTreeSet<FieldName>)> {
        let mut same: BTreeMap<Kind, BTreeSet<FieldName>> = BTreeMap::new();
        for (kind, field, texts) in values.of_kind.iter().filter(|(kind, ..)| is_compared(kind)) {
            for text in texts.iter().filter(|text| self.has(kind, text)) {
                // A login that is an e-mail address is as strong a reason as an e-mail address.
                let kind = if *kind == Kind::Username && text.contains('@') { &Kind::Email } else { kind };
                same.entry(kind.clone()).or_default().insert(field.clone());
            }
        }
        let is_named = values.names.iter().any(|name| {
            Form::of(&Kind::Name, name).is_some_and(|own| self.names.iter().any(|form| form.is_like(&own)))
        });
        let with_name = |kind: &Kind| {
            let fields = same.get(kind).filter(|_| is_named)?;
            Some(fields.iter().chain(&values.named_by).cloned().collect::<BTreeSet<_>>())
        };
        if let Some(fields) = same.get(&Kind::Email) {
            return Some((Certainty::Certain, TraceReason::Email, fields.clone()));
        }
        for kind in [Kind::NationalId, Kind::TaxId, Kind::CustomerNumber, Kind::PaymentProfile] {
            if let Some(fields) = same.get(&kind) {
                return Some((Certainty::Certain, TraceReason::Number(kind), fields.clone()));
            }
        }
        for kind in [Kind::BirthDate, Kind::Phone, Kind::BankAccount] {
            if let Some(fields) = with_name(&kind) {
                return Some((Certainty::Certain, TraceReason::NameAnd(kind), fields));
            }
        }
        if let Some(fields) = same.get(&Kind::Username) {
            return Some((Certainty::Likely, TraceReason::Login, fields.clone()));
        }
        if let Some(fields) = with_name(&Kind::Address) {
            return Some((Certainty::Likely, TraceReason::NameAnd(Kind::Address), fields));
        }
        for (kind, reason) in
            [(Kind::Phone, TraceReason::Phone), (Kind::BankAccount, TraceReason::BankAccount)]
        {
            if let Some(fields) = same.get(&kind) {
                return Some((Certainty::Likely, reason, fields.clone()));
            }
        }
        is_named.then(|| (Certainty::Possible, TraceReason::Name, values.named_by.clone()))
    }
}

/// The strongest mention of a person in a record's texts.
fn mentions(matcher: &Matcher, values: &Values) -> Option<(Certainty, TraceReason, BTreeSet<FieldName>)> {
    let mut best: Option<(Certainty, TraceReason, BTreeSet<FieldName>)> = None;
    let mut scanner = matcher.scanner();
    for (kind, field, texts) in &values.of_kind {
        if !matches!(kind, Kind::FreeText | Kind::CustomAnswer) {
            continue;
        }
        for text in texts {
            scanner.each(text, |mention| {
                let is_number = matches!(
                    mention.kind,
                    Kind::Email
                        | Kind::NationalId
                        | Kind::TaxId
                        | Kind::CustomerNumber
                        | Kind::PaymentProfile
                );
                let (certainty, reason) = match (mention.is_certain, is_number) {
                    (true, true) => (Certainty::Certain, TraceReason::Mention(mention.kind.clone())),
                    (true, false) => (Certainty::Likely, TraceReason::Mention(mention.kind.clone())),
                    (false, _) => (Certainty::Possible, TraceReason::UncertainMention),
                };
                match &mut best {
                    Some((most, _, fields)) if *most >= certainty => {
                        if *most == certainty {
                            fields.insert(field.clone());
                        }
                    }
                    _ => best = Some((certainty, reason, BTreeSet::from([field.clone()]))),
                }
            });
        }
    }
    best
}

impl Engine {
    /// Looks for all other places in which a person appears. So no twin is forgotten, and no shared login is erased
    /// from other accounts. Values are compared in any [spelling](super::Search::alike).
    ///
    /// | certainty | reason |
    /// |---|---|
    /// | certain | the same e-mail address, national number, tax number, customer number or profile at a gateway; the same name with the same telephone number, date of birth or bank account; a text with such an address or number |
    /// | likely | the same user name; the same name at the same address; the same telephone number or bank account; a text that certainly names the person |
    /// | possible | the same name alone; a text that may name the person |
    ///
    /// Reads all records of the classes with personal fields, page by page. So use it for a review, and not for each
    /// login. The access is written to the host's access log before anything is read.
    ///
    /// Traces in records of customers of tenants that are not the operator's are counted, but not returned.
    ///
    /// # Errors
    /// [`Error::NoSuchCustomer`]. [`Error::Approval`] for an operator of other tenants. [`Error::NotForRequest`] if the
    /// identity of the person is not confirmed. [`Error::NoRecords`], [`Error::NoAccessLog`], [`Error::AccessLog`]. A store
    /// or a ledger out of reach.
    pub async fn traces(&self, of: &TracesOf, access: &Access) -> Result<Tracing, Error> {
        let reads = Arc::clone(self.parts.reads.as_ref().ok_or(Error::NoRecords)?);
        let mut own = HashSet::new();
        let (customer, person) = match of {
            TracesOf::Customer(customer) => {
                let found = self.parts.store.facts(std::slice::from_ref(customer)).await?;
                let facts = found.into_iter().next().ok_or(Error::NoSuchCustomer)?;
                let tenants = std::iter::once(&facts.tenant).chain(&facts.connected);
                let what = Accessed::Traces { customer: Some(customer.clone()) };
                self.access(access, Some(customer), tenants, what).await?;
                (Some(customer.clone()), self.known_of(customer, &*reads, &mut own).await?)
            }
            TracesOf::Person(identifiers) => {
                self.access(access, None, [], Accessed::Traces { customer: None }).await?;
                (None, Person::known_by(identifiers))
            }
        };
        let matcher = Matcher::new([&person.texts])
            .map_err(|error| StoreError::failed("looking for a person in texts", error.to_string()))?;
        let classes: Vec<ClassName> = self
            .data_map()
            .classes()
            .filter(|class| class.store().is_none())
            .filter(|class| class.fields().iter().any(|field| field.kind().is_some_and(is_read)))
            .map(|class| class.name().clone())
            .collect();
        Ok(Tracing {
            engine: self.clone(),
            reads,
            customer,
            person,
            matcher,
            own,
            tenants: access.by().tenants().clone(),
            classes: classes.into_iter(),
            at: None,
            withheld: 0,
        })
    }

    /// Everything that a customer's own records say about the person. Adds to `own` the keys of those of the
    /// customer's records that owner links may not reach.
    async fn known_of(
        &self,
        customer: &CustomerId,
        reads: &dyn ReadRecords,
        own: &mut HashSet<(ClassName, RecordKey)>,
    ) -> Result<Person, Error> {
        let mut person = Person::default();
        let shared = self.data_map().shared_classes();
        for class in self.data_map().classes() {
            let wanted = ClassFields::wanted(class, is_read);
            let mut request = ReadRequest::new(class.name().clone(), Whose::Of(vec![customer.clone()]), PAGE)
                .fields(wanted);
            loop {
                let page = reads.read_records(&request).await?;
                let fields = ClassFields::of(class, &page.fields, is_read);
                for record in &page.records {
                    if shared.contains(class.name())
                        && record.had != Had::ByOthers
                        && let Some(key) = fields.key(record)
                    {
                        own.insert((class.name().clone(), key));
                    }
                    // If others have the record too, its values may be theirs.
                    if record.had == Had::Alone {
                        let of_others: BTreeSet<&FieldName> =
                            record.of_others.iter().filter_map(|place| page.fields.get(*place)).collect();
                        let values = Values::of(&fields, record, |field| !of_others.contains(field));
                        person.learn(&values);
                    }
                }
                match page.next {
                    Some(next) => request = request.after(Some(next)),
                    None => break,
                }
            }
        }
        Ok(person)
    }
}

/// The class that is read.
struct At {
    class: ClassName,
    after: Option<Cursor>,
}

/// A search for traces in progress. Made by [`Engine::traces`].
pub struct Tracing {
    engine: Engine,
    reads: Arc<dyn ReadRecords>,
    customer: Option<CustomerId>,
    person: Person,
    matcher: Matcher,
    own: HashSet<(ClassName, RecordKey)>,
    tenants: BTreeSet<TenantId>,
    classes: std::vec::IntoIter<ClassName>,
    at: Option<At>,
    withheld: u64,
}

impl fmt::Debug for Tracing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tracing").field("withheld", &self.withheld).finish_non_exhaustive()
    }
}

impl Tracing {
    /// The number of traces left out so far, because the operator has no authority over the tenant of their customer.
    pub fn withheld(&self) -> u64 {
        self.withheld
    }

    /// The classes that are not searched, because they are in a store beside the root store.
    pub fn elsewhere(&self) -> Vec<ClassName> {
        elsewhere(self.engine.data_map())
    }

    /// The traces in the next page of records. The list may be empty although more traces follow. `None` when
    /// everything was read. Memory is bounded by the page.
    ///
    /// # Errors
    /// A store out of reach. The page can be asked for again.
    pub async fn next(&mut self) -> Result<Option<Vec<Trace>>, Error> {
        let at = match self.at.take() {
            Some(at) => at,
            None => match self.classes.next() {
                Some(class) => At { class, after: None },
                None => return Ok(None),
            },
        };
        let Some(class) = self.engine.data_map().class(at.class.as_str()).cloned() else {
            return Ok(Some(Vec::new()));
        };
        let request = ReadRequest::new(at.class.clone(), Whose::Everybody, PAGE)
            .after(at.after.clone())
            .fields(ClassFields::wanted(&class, is_read))
            .with_owners();
        let found = self.look(&class, &request).await;
        let (traces, withheld, next) = match found {
            Ok(found) => found,
            Err(error) => {
                self.at = Some(at);
                return Err(error);
            }
        };
        self.withheld += withheld;
        self.at = next.map(|after| At { class: at.class, after: Some(after) });
        Ok(Some(traces))
    }

    /// The traces in a page of records, the number of traces left out, and the cursor of the next page.
    async fn look(
        &self,
        class: &RecordClass,
        request: &ReadRequest,
    ) -> Result<(Vec<Trace>, u64, Option<Cursor>), Error> {
        let page = self.reads.read_records(request).await?;
        let fields = ClassFields::of(class, &page.fields, is_read);
        let mut traces: Vec<Trace> = Vec::new();
        for record in &page.records {
            let is_own = self.customer.is_some() && record.owner == self.customer;
            let Some(key) = fields.key(record).filter(|_| !is_own) else { continue };
            let values = Values::of(&fields, record, |_| true);
            let (same, mentioned) = (self.person.judge(&values), mentions(&self.matcher, &values));
            let strongest = match (same, mentioned) {
                (Some(same), Some(mentioned)) if mentioned.0 > same.0 => Some(mentioned),
                (Some(same), _) => Some(same),
                (None, mentioned) => mentioned,
            };
            let Some((certainty, reason, fields)) = strongest else { continue };
            if self.own.contains(&(class.name().clone(), key.clone())) {
                continue;
            }
            let (class, customer) = (class.name().clone(), record.owner.clone());
            traces.push(Trace { class, key, customer, tenant: None, fields, certainty, reason });
        }
        let owners: BTreeSet<CustomerId> = traces.iter().filter_map(|trace| trace.customer.clone()).collect();
        let owners: Vec<CustomerId> = owners.into_iter().collect();
        let facts =
            if owners.is_empty() { Vec::new() } else { self.engine.parts.store.facts(&owners).await? };
        let tenants: BTreeMap<CustomerId, TenantId> =
            facts.into_iter().map(|facts| (facts.id, facts.tenant)).collect();
        for trace in &mut traces {
            trace.tenant = trace.customer.as_ref().and_then(|customer| tenants.get(customer)).cloned();
        }
        let before = traces.len();
        traces.retain(|trace| trace.tenant.as_ref().is_none_or(|tenant| self.tenants.contains(tenant)));
        let withheld = (before - traces.len()) as u64;
        Ok((traces, withheld, page.next))
    }
}

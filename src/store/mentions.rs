//! Mentions of people in texts. Uncertain mentions are listed row by row, for a person to check. Mentions in the
//! texts of other people are replaced, for many people in one pass.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Serialize, Serializer};

use super::{Batch, Cursor, HeldCustomers, StoreError, TallyRequest};
use crate::anonymise::text::{Matcher, Scanner, TooManyPeople};
use crate::customer::{Identifiers, TenantId};
use crate::data_map::{ClassName, FieldName, RecordKey};
use crate::treatment::MentionCounts;

/// Uncertain mentions in one text. They may mean the customer. They are not replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct UncertainMention {
    /// The class of the record.
    pub class: ClassName,
    /// The record's key. It is the host's own key and may be personal: show the list only to the person who asked for
    /// it.
    #[serde(serialize_with = "spelled")]
    pub key: RecordKey,
    /// The field.
    pub field: FieldName,
    /// The number of mentions in the field.
    pub mentions: u64,
}

fn spelled<S: Serializer>(key: &RecordKey, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(key.as_str())
}

/// A store that can list the [mentions](crate::store::Uncertain) that a tally counts.
///
/// Ask before an erasure. Afterwards the values by which a mention is found are gone.
#[async_trait]
pub trait ListUncertain: Debug + Send + Sync + 'static {
    /// For each customer, the uncertain mentions that the treatment would leave, by class and key.
    ///
    /// **Idempotency:** reads only. **Partial failure:** per customer; a customer who does not exist has no mentions.
    /// **Cancel safety:** safe. **Errors:** [`StoreError`].
    async fn list_uncertain(
        &self,
        request: &TallyRequest,
    ) -> Result<Batch<Vec<UncertainMention>>, StoreError>;
}

macro_rules! forward {
    ($($pointer:ident),*) => {$(
        #[async_trait]
        impl<T: ListUncertain + ?Sized> ListUncertain for $pointer<T> {
            async fn list_uncertain(
                &self,
                request: &TallyRequest,
            ) -> Result<Batch<Vec<UncertainMention>>, StoreError> {
                (**self).list_uncertain(request).await
            }
        }
    )*};
}

forward!(Arc, Box);

/// A person for whom the texts of other people are searched. `Debug` shows nothing about the person.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Mentioned {
    /// The tenant. Only texts of this tenant are searched for the person.
    pub tenant: TenantId,
    /// The values by which the person is found.
    pub identifiers: Identifiers,
    /// The text that replaces a mention, by class. A class without an entry stays as it is.
    pub with: BTreeMap<ClassName, String>,
}

impl Mentioned {
    /// A person of a tenant.
    pub fn new(
        tenant: impl Into<TenantId>,
        identifiers: Identifiers,
        with: BTreeMap<ClassName, String>,
    ) -> Self {
        Self { tenant: tenant.into(), identifiers, with }
    }
}

/// The people of one tenant whose mentions are replaced by the same texts.
struct Group {
    with: BTreeMap<ClassName, String>,
    /// The position of each person in the request.
    people: Vec<usize>,
    matcher: Matcher,
}

/// A request to replace the mentions of some people in the texts of other people, in one pass over all texts.
#[derive(Clone)]
#[non_exhaustive]
pub struct MentionsRequest {
    groups: Arc<HashMap<TenantId, Vec<Group>>>,
    /// Customers whose records must stay as they are.
    pub held: Arc<HeldCustomers>,
    /// The largest number of rows in one part.
    pub rows: usize,
}

impl std::fmt::Debug for MentionsRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MentionsRequest").field("tenants", &self.groups.len()).finish_non_exhaustive()
    }
}

/// The default number of rows in one part.
const ROWS: usize = 2_000;

impl MentionsRequest {
    /// A request for some people, in this order.
    ///
    /// # Errors
    /// [`TooManyPeople`] if there are more people than one pass can search for.
    pub fn new(people: &[Mentioned]) -> Result<Self, TooManyPeople> {
        let mut sorted = BTreeMap::<(&TenantId, &BTreeMap<ClassName, String>), Vec<usize>>::new();
        for (n, person) in people.iter().enumerate() {
            sorted.entry((&person.tenant, &person.with)).or_default().push(n);
        }
        let mut groups = HashMap::<TenantId, Vec<Group>>::new();
        for ((tenant, with), members) in sorted {
            let identifiers = members.iter().filter_map(|n| people.get(*n)).map(|person| &person.identifiers);
            let matcher = Matcher::new(identifiers)?;
            groups.entry(tenant.clone()).or_default().push(Group {
                with: with.clone(),
                people: members,
                matcher,
            });
        }
        Ok(Self { groups: Arc::new(groups), held: Arc::default(), rows: ROWS })
    }

    /// Names customers whose records must stay as they are. Mentions in these records are counted in
    /// [`MentionCounts::held`].
    #[must_use]
    pub fn held(self, held: Arc<HeldCustomers>) -> Self {
        Self { held, ..self }
    }

    /// The same request with another number of rows in one part: at least 1.
    #[must_use]
    pub fn rows(self, rows: usize) -> Self {
        Self { rows: rows.max(1), ..self }
    }

    /// Whether a class has texts that are searched.
    pub fn searches(&self, class: &ClassName) -> bool {
        self.groups.values().flatten().any(|group| group.with.contains_key(class))
    }

    /// A searcher that searches one text after the other.
    pub fn searcher(&self) -> Searcher<'_> {
        Searcher(self.groups.iter().map(|(tenant, groups)| (tenant, scanners(groups))).collect())
    }
}

fn scanners(groups: &[Group]) -> Vec<(&Group, Scanner<'_>)> {
    groups.iter().map(|group| (group, group.matcher.scanner())).collect()
}

/// Searches one text after the other. It reuses its buffers for the next text.
pub struct Searcher<'r>(HashMap<&'r TenantId, Vec<(&'r Group, Scanner<'r>)>>);

impl Debug for Searcher<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Searcher").field("tenants", &self.0.len()).finish_non_exhaustive()
    }
}

impl Searcher<'_> {
    /// Searches a text of a tenant's record of a class.
    pub fn search(&mut self, class: &ClassName, tenant: &TenantId, text: &str) -> Searched {
        let mut searched = Searched::default();
        for (group, scanner) in self.0.get_mut(tenant).into_iter().flatten() {
            let Some(with) = group.with.get(class) else { continue };
            let now = searched.text.as_deref().unwrap_or(text);
            let (mut certain, mut uncertain) = (BTreeSet::new(), Vec::new());
            let whom = |people: &[u32]| -> Vec<usize> {
                let places = people.iter().filter_map(|n| usize::try_from(*n).ok());
                places.filter_map(|n| group.people.get(n).copied()).collect()
            };
            let redacted = scanner.redact_telling(now, with, |people, is_certain| {
                if is_certain { certain.extend(whom(people)) } else { uncertain.extend(whom(people)) }
            });
            if redacted.is_some() {
                searched.text = redacted;
            }
            searched.mentioned.extend(certain);
            searched.uncertain.extend(uncertain);
        }
        searched
    }
}

/// The result of searching one text. People are named by their position in the request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Searched {
    /// The text without the mentions. `None` if the text stays as it is.
    pub text: Option<String>,
    /// The people whose mentions are replaced.
    pub mentioned: Vec<usize>,
    /// The person of each mention that is not certain. Such mentions stay.
    pub uncertain: Vec<usize>,
}

/// The result of one part of a pass.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MentionsPart {
    /// Texts that were read, by tenant.
    pub read: BTreeMap<TenantId, u64>,
    /// Texts that cannot be read, by tenant: bytes, or text in another encoding. They were not changed.
    pub unreadable: BTreeMap<TenantId, u64>,
    /// The results for the people who were found, by person.
    pub of: BTreeMap<usize, MentionCounts>,
    /// Why a text could not be written, without a value.
    pub refused: Option<String>,
    /// Where the next part begins. `None` if everything was read.
    pub next: Option<Cursor>,
}

/// A store whose records may mention people to whom the records do not belong.
#[async_trait]
pub trait RedactMentions: Debug + Send + Sync + 'static {
    /// Searches the next part of the texts that the data map names as [mentions](crate::DataMap::mentions), and
    /// writes those that change. `after` is the end of the previous part.
    ///
    /// **Idempotency:** a text without a mention stays as it is, so a part can be repeated, and a pass can start
    /// again. **Partial failure:** a text that cannot be written stays, and is counted in [`MentionCounts::refused`]
    /// of every person whom it mentions. **Cancel safety:** dropping the future leaves each text either unchanged or
    /// done. **Errors:** [`StoreError`] if the store cannot be read.
    async fn redact_mentions(
        &self,
        request: &MentionsRequest,
        after: Option<&Cursor>,
    ) -> Result<MentionsPart, StoreError>;
}

macro_rules! forward_redact_mentions {
    ($($pointer:ident),*) => {$(
        #[async_trait]
        impl<T: RedactMentions + ?Sized> RedactMentions for $pointer<T> {
            async fn redact_mentions(
                &self,
                request: &MentionsRequest,
                after: Option<&Cursor>,
            ) -> Result<MentionsPart, StoreError> {
                (**self).redact_mentions(request, after).await
            }
        }
    )*};
}

forward_redact_mentions!(Arc, Box);

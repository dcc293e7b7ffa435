//! Recipients in the host's own reach, and one saboteur per law. The webhook is held to the contract in `tests/gateways`.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use relinquish::data_map::{Kind, RecipientName};
use relinquish::recipient::{
    Answers, FunctionRecipient, KeyCopies, KeyCopy, KeyLocation, Notice, Pending, PersonKeys, Receipt,
    RecipientError, RecipientOutcome, ShreddingRecipient,
};
use relinquish::testing::{self, Law, RecipientFixture};
use relinquish::{CustomerId, Recipient};

use super::assert_caught;

/// The people whom a recipient knows, by key.
type People = Arc<Mutex<BTreeSet<String>>>;

fn key(notice: &Notice) -> String {
    notice.customer.as_ref().map(CustomerId::as_str).unwrap_or_default().to_owned()
}

struct Fixture<R> {
    adapter: R,
    people: People,
    made: AtomicU32,
    days: AtomicU32,
}

impl<R> Fixture<R> {
    fn new(adapter: impl FnOnce(People) -> R) -> Self {
        let people = People::default();
        Self {
            adapter: adapter(Arc::clone(&people)),
            people,
            made: AtomicU32::new(0),
            days: AtomicU32::new(0),
        }
    }
}

fn notice(person: &str) -> Notice {
    let mut notice = Notice::new(format!("notice-{person}"), "acme", DateTime::UNIX_EPOCH);
    notice.customer = Some(person.into());
    notice.identifiers.insert(Kind::Email, format!("{person}@example.org"));
    notice
}

#[async_trait]
impl<R: Recipient> RecipientFixture for Fixture<R> {
    fn recipient(&self) -> &dyn Recipient {
        &self.adapter
    }

    async fn make(&self) -> Notice {
        let person = format!("maud-{}", self.made.fetch_add(1, Ordering::SeqCst));
        self.people.lock().unwrap().insert(person.clone());
        notice(&person)
    }

    fn nobody(&self) -> Notice {
        notice("theo-nobody")
    }

    async fn holds(&self, notice: &Notice) -> bool {
        self.people.lock().unwrap().contains(&key(notice))
    }

    fn now(&self) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(self.days.load(Ordering::SeqCst).into())
    }

    async fn wait(&self) {
        self.days.fetch_add(1, Ordering::SeqCst);
    }
}

fn function(people: People) -> FunctionRecipient {
    FunctionRecipient::new("cache", Duration::from_secs(1), move |notice| {
        let was_there = people.lock().unwrap().remove(&key(&notice));
        async move { Ok(if was_there { RecipientOutcome::Confirmed } else { RecipientOutcome::NothingThere }) }
    })
}

/// Keys whose backups are gone after three days.
struct Keys(People, Mutex<BTreeSet<String>>);

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys")
    }
}

#[async_trait]
impl PersonKeys for Keys {
    async fn destroy(&self, notice: &Notice) -> Result<Option<Receipt>, RecipientError> {
        let key = key(notice);
        let mut destroyed = self.1.lock().unwrap();
        if self.0.lock().unwrap().remove(&key) {
            destroyed.insert(format!("key of {}", notice.id));
        }
        let receipt = format!("key of {}", notice.id);
        Ok(destroyed.contains(&receipt).then(|| receipt.into()))
    }

    async fn copies(&self, _: &Receipt, now: DateTime<Utc>) -> Result<KeyCopies, RecipientError> {
        let until = DateTime::UNIX_EPOCH + TimeDelta::days(3);
        let copy = KeyCopy { location: KeyLocation::Backups, until: Some(until) };
        Ok(if now < until { vec![copy] } else { Vec::new() })
    }
}

#[tokio::test]
async fn a_function_keeps_the_contract() {
    testing::recipient(&Fixture::new(function)).await.unwrap();
}

#[tokio::test]
async fn shredding_keeps_the_contract() {
    let shredding =
        |people| ShreddingRecipient::new("events", Keys(people, Mutex::default()), Duration::from_secs(1));
    testing::recipient(&Fixture::new(shredding)).await.unwrap();
}

pub(super) const CAUGHT: &[Law] = &[
    Law::RecipientTakesSome,
    Law::RecipientAnswersEach,
    Law::RecipientForgets,
    Law::ToldAgain,
    Law::StrangerIsNoFailure,
    Law::NeighboursStay,
    Law::AcceptedIsFinished,
    Law::RecipientShowsNobody,
];

#[tokio::test]
async fn whoever_breaks_a_law_is_caught_at_it() {
    for law in CAUGHT {
        let wrong = Fixture::new(|people| Wrong { inner: function(Arc::clone(&people)), people, law: *law });
        assert_caught(*law, testing::recipient(&wrong).await);
    }
}

/// A recipient that breaks one law.
struct Wrong {
    inner: FunctionRecipient,
    people: People,
    law: Law,
}

impl fmt::Debug for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.law {
            Law::RecipientShowsNobody => write!(f, "Wrong({:?})", self.people.lock().unwrap()),
            _ => f.write_str("Wrong"),
        }
    }
}

#[async_trait]
impl Recipient for Wrong {
    fn recipient(&self) -> &RecipientName {
        self.inner.recipient()
    }

    fn max_batch(&self) -> usize {
        if self.law == Law::RecipientTakesSome { 0 } else { 3 }
    }

    fn longest_call(&self) -> Duration {
        self.inner.longest_call()
    }

    async fn tell(&self, notices: &[Notice], now: DateTime<Utc>) -> Answers {
        let refused = || RecipientOutcome::Refused { reason: "unknown".to_owned() };
        match self.law {
            Law::RecipientForgets => notices.iter().map(|_| Ok(RecipientOutcome::Confirmed.into())).collect(),
            Law::AcceptedIsFinished => {
                notices.iter().map(|_| Ok(RecipientOutcome::accepted("later").into())).collect()
            }
            _ => {
                let mut answers = self.inner.tell(notices, now).await;
                for (answer, notice) in answers.iter_mut().zip(notices) {
                    let was_unknown = answer.as_ref().unwrap().outcome == RecipientOutcome::NothingThere;
                    let is_nobody = key(notice).ends_with("nobody");
                    match self.law {
                        Law::StrangerIsNoFailure if is_nobody => *answer = Ok(refused().into()),
                        Law::ToldAgain if was_unknown && !is_nobody => *answer = Ok(refused().into()),
                        Law::NeighboursStay => self.people.lock().unwrap().clear(),
                        _ => {}
                    }
                }
                if self.law == Law::RecipientAnswersEach {
                    answers.pop();
                }
                answers
            }
        }
    }

    async fn poll(&self, pending: &[Pending], _: DateTime<Utc>) -> Answers {
        pending.iter().map(|_| Ok(RecipientOutcome::accepted("later").into())).collect()
    }
}

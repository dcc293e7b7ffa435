//! How fast a gateway is asked: token buckets that all clones of an adapter share.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The longest that a request waits for its turn before its case is told to come back later.
const LONGEST: Duration = Duration::from_secs(20);

/// How many requests a gateway allows per second.
///
/// The gateway's own figures, as its manual has them: the adapter keeps three per cent below, so that requests that
/// bunch on their way are still no more than allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    all: u32,
    per_endpoint: Option<u32>,
    erasures: Option<u32>,
}

impl Limits {
    /// So many requests per second, of whatever kind. At least 1.
    pub fn per_second(all: u32) -> Self {
        Self { all: all.max(1), per_endpoint: None, erasures: None }
    }

    /// And no more than so many of each kind.
    #[must_use]
    pub fn per_endpoint(mut self, requests: u32) -> Self {
        self.per_endpoint = Some(requests.max(1));
        self
    }

    /// And no more than so many that erase, whatever holds for the other kinds.
    #[must_use]
    pub fn erasures(mut self, requests: u32) -> Self {
        self.erasures = Some(requests.max(1));
        self
    }

    fn of(&self, endpoint: Endpoint) -> Option<u32> {
        let erasures = self.erasures.filter(|_| endpoint.erases);
        erasures.or(self.per_endpoint)
    }
}

/// A kind of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Endpoint {
    pub(crate) name: &'static str,
    /// Whether it takes effect, so that a lost answer leaves a doubt.
    pub(crate) writes: bool,
    /// Whether it is the one that erases a profile.
    pub(crate) erases: bool,
}

impl Endpoint {
    pub(crate) const fn reading(name: &'static str) -> Self {
        Self { name, writes: false, erases: false }
    }

    #[cfg(feature = "stripe")]
    pub(crate) const fn writing(name: &'static str) -> Self {
        Self { name, writes: true, erases: false }
    }

    pub(crate) const fn erasing(name: &'static str) -> Self {
        Self { name, writes: true, erases: true }
    }
}

/// A token bucket as its virtual schedule (ITU-T I.371, the generic cell rate algorithm): instead of counting tokens it
/// remembers when the next one is due.
#[derive(Debug)]
struct Bucket {
    interval: Duration,
    /// How far ahead of the schedule a request may be: the tokens saved up.
    ahead: Duration,
    due: Duration,
}

impl Bucket {
    fn new(per_second: u32) -> Self {
        let interval = Duration::from_secs(1).mul_f64(1.0 / (f64::from(per_second) * 0.97));
        Self { interval, ahead: interval * (per_second / 50).saturating_sub(1), due: Duration::ZERO }
    }

    /// How long the next request would wait.
    fn wait(&self, now: Duration) -> Duration {
        self.due.saturating_sub(self.ahead).saturating_sub(now)
    }

    /// Takes a token.
    fn take(&mut self, now: Duration) {
        self.due = self.due.max(now) + self.interval;
    }

    /// Lets nobody pass for a while.
    fn pause(&mut self, now: Duration, pause: Duration) {
        self.due = self.due.max(now + pause + self.ahead);
    }
}

#[derive(Debug)]
struct Buckets {
    all: Bucket,
    each: HashMap<&'static str, Bucket>,
}

/// The turns of one gateway.
#[derive(Debug)]
pub(crate) struct Pace {
    limits: Limits,
    buckets: Mutex<Buckets>,
    start: Instant,
}

impl Pace {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            buckets: Mutex::new(Buckets { all: Bucket::new(limits.all), each: HashMap::new() }),
            start: Instant::now(),
        }
    }

    /// Waits for a turn.
    ///
    /// # Errors
    /// How long it would be, if that is too long to wait here.
    pub(crate) async fn turn(&self, endpoint: Endpoint) -> Result<(), Duration> {
        let wait = self.reserve(endpoint, self.start.elapsed())?;
        if !wait.is_zero() {
            futures_timer::Delay::new(wait).await;
        }
        Ok(())
    }

    fn reserve(&self, endpoint: Endpoint, now: Duration) -> Result<Duration, Duration> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let Buckets { all, each } = &mut *buckets;
        let mut own =
            self.limits.of(endpoint).map(|n| each.entry(endpoint.name).or_insert_with(|| Bucket::new(n)));
        let wait = own.as_ref().map_or(Duration::ZERO, |own| own.wait(now)).max(all.wait(now));
        if wait > LONGEST {
            return Err(wait);
        }
        all.take(now);
        if let Some(own) = &mut own {
            own.take(now);
        }
        Ok(wait)
    }

    /// The gateway asked to be left alone for a while.
    pub(crate) fn pause(&self, pause: Duration) {
        let now = self.start.elapsed();
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner).all.pause(now, pause);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const READ: Endpoint = Endpoint::reading("read");
    const ERASE: Endpoint = Endpoint::erasing("erase");

    /// When so many requests that all come at once are sent.
    fn sent(pace: &Pace, endpoint: Endpoint, requests: u32) -> Vec<Duration> {
        (0..requests).map(|_| pace.reserve(endpoint, Duration::ZERO).unwrap()).collect()
    }

    #[test]
    fn no_second_has_more_requests_than_allowed() {
        for limit in [1, 2, 10, 25, 100, 1000] {
            let pace = Pace::new(Limits::per_second(limit));
            let times = sent(&pace, READ, limit * 5);
            for start in &times {
                let within = |time: &&Duration| **time >= *start && **time < *start + Duration::from_secs(1);
                let count = times.iter().filter(within).count();
                assert!(count <= limit as usize, "{count} in a second, {limit} allowed");
            }
            assert!(times.last().unwrap().as_secs_f64() < 5.0 / 0.96, "and not much less");
        }
    }

    #[test]
    fn each_kind_has_a_bucket_of_its_own_below_that_of_all() {
        let pace = Pace::new(Limits::per_second(1000).per_endpoint(25).erasures(100));
        assert!(*sent(&pace, READ, 26).last().unwrap() >= Duration::from_secs(1));
        assert!(*sent(&pace, ERASE, 26).last().unwrap() < Duration::from_millis(300));
        assert!(pace.reserve(READ, Duration::from_secs(60)).unwrap().is_zero(), "tokens come back");
    }

    #[test]
    fn a_pause_holds_for_everyone_and_a_long_one_is_told() {
        let pace = Pace::new(Limits::per_second(100));
        pace.pause(Duration::from_secs(3));
        assert!(pace.reserve(ERASE, Duration::from_secs(1)).unwrap() > Duration::from_millis(1900));
        pace.pause(Duration::from_secs(600));
        let told = pace.reserve(READ, Duration::ZERO).unwrap_err();
        assert!(told > Duration::from_secs(599), "{told:?}");
    }
}

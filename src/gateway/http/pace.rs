//! Rate limits of a gateway: token buckets that all clones of an adapter share.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::lock::Mutex as Turn;

/// The longest time that a request waits for a token. If the wait would be longer, the case is retried later.
const LONGEST: Duration = Duration::from_secs(20);

/// The longest time for both waits: for the limit of the whole gateway, and for the limit of the endpoint.
pub(crate) const LONGEST_TURN: Duration = LONGEST.saturating_mul(2);

/// The number of requests that a gateway allows per second.
///
/// Give the figures from the gateway's manual. The adapter stays three per cent below them, because requests may
/// arrive closer together than they were sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    all: u32,
    per_endpoint: Option<u32>,
    erasures: Option<u32>,
}

impl Limits {
    /// Sets the limit for all requests per second together. At least 1.
    pub fn per_second(all: u32) -> Self {
        Self { all: all.max(1), per_endpoint: None, erasures: None }
    }

    /// Sets the limit for each kind of request.
    #[must_use]
    pub fn per_endpoint(mut self, requests: u32) -> Self {
        self.per_endpoint = Some(requests.max(1));
        self
    }

    /// Sets the limit for requests that erase. It replaces the limit for each kind.
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
    /// Whether the request changes something. Then a lost answer leaves the result unknown.
    pub(crate) writes: bool,
    /// Whether the request erases a profile.
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

/// A token bucket, implemented as a virtual schedule (ITU-T I.371, generic cell rate algorithm). Instead of counting
/// tokens, it stores when the next token is due.
#[derive(Debug)]
struct Bucket {
    interval: Duration,
    /// How far ahead of the schedule a request may be. This corresponds to saved tokens.
    ahead: Duration,
    due: Duration,
}

impl Bucket {
    fn new(per_second: u32) -> Self {
        let interval = Duration::from_secs(1).mul_f64(1.0 / (f64::from(per_second) * 0.97));
        Self { interval, ahead: interval * (per_second / 50).saturating_sub(1), due: Duration::ZERO }
    }

    /// The time that the next request would wait.
    fn wait(&self, now: Duration) -> Duration {
        self.due.saturating_sub(self.ahead).saturating_sub(now)
    }

    /// Takes a token.
    fn take(&mut self, now: Duration) {
        self.due = self.due.max(now) + self.interval;
    }

    /// Blocks all requests for some time.
    fn pause(&mut self, now: Duration, pause: Duration) {
        self.due = self.due.max(now + pause + self.ahead);
    }
}

/// A bucket with a queue. The first request waits for a token, and the others wait in the queue. So delayed requests
/// are not all sent at once.
#[derive(Debug)]
struct Queue {
    bucket: Mutex<Bucket>,
    first: Turn<()>,
}

impl Queue {
    fn new(per_second: u32) -> Self {
        Self { bucket: Mutex::new(Bucket::new(per_second)), first: Turn::new(()) }
    }

    fn lock(&self) -> MutexGuard<'_, Bucket> {
        self.bucket.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a token and takes it.
    async fn token(&self, start: Instant) -> Result<(), Duration> {
        let _first = self.first.lock().await;
        loop {
            let wait = {
                let (mut bucket, now) = (self.lock(), start.elapsed());
                let wait = bucket.wait(now);
                if wait.is_zero() {
                    bucket.take(now);
                    return Ok(());
                }
                wait
            };
            if wait > LONGEST {
                return Err(wait);
            }
            futures_timer::Delay::new(wait).await;
        }
    }
}

/// The rate limiter of one gateway.
#[derive(Debug)]
pub(crate) struct Pace {
    limits: Limits,
    all: Queue,
    each: Mutex<HashMap<&'static str, Arc<Queue>>>,
    start: Instant,
}

impl Pace {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { limits, all: Queue::new(limits.all), each: Mutex::default(), start: Instant::now() }
    }

    /// Waits for a turn.
    ///
    /// # Errors
    /// The time to wait, if it is too long to wait here.
    pub(crate) async fn turn(&self, endpoint: Endpoint) -> Result<(), Duration> {
        if let Some(own) = self.own(endpoint) {
            own.token(self.start).await?;
        }
        self.all.token(self.start).await
    }

    fn own(&self, endpoint: Endpoint) -> Option<Arc<Queue>> {
        let limit = self.limits.of(endpoint)?;
        let mut each = self.each.lock().unwrap_or_else(PoisonError::into_inner);
        Some(Arc::clone(each.entry(endpoint.name).or_insert_with(|| Arc::new(Queue::new(limit)))))
    }

    /// Stops all requests for some time, because the gateway asked for a pause.
    pub(crate) fn pause(&self, pause: Duration) {
        self.all.lock().pause(self.start.elapsed(), pause);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const READ: Endpoint = Endpoint::reading("read");
    const ERASE: Endpoint = Endpoint::erasing("erase");

    /// The times at which requests are sent if all of them wait from the beginning. `stall`: the machine stops for
    /// some time after this request.
    fn sent(limit: u32, requests: u32, stall: Option<(u32, Duration)>) -> Vec<Duration> {
        let (mut bucket, mut now) = (Bucket::new(limit), Duration::ZERO);
        let times = (0..requests).map(|n| {
            now += bucket.wait(now);
            now += stall.filter(|(after, _)| *after == n).map_or(Duration::ZERO, |(_, time)| time);
            bucket.take(now);
            now
        });
        times.collect()
    }

    #[test]
    fn no_second_has_more_requests_than_allowed_also_after_a_stall() {
        for limit in [1, 2, 10, 25, 100, 1000] {
            for stall in
                [None, Some((limit, Duration::from_millis(700))), Some((limit + 7, Duration::from_secs(3)))]
            {
                let times = sent(limit, limit * 5, stall);
                for start in &times {
                    let within =
                        |time: &&Duration| **time >= *start && **time < *start + Duration::from_secs(1);
                    let count = times.iter().filter(within).count();
                    assert!(count <= limit as usize, "{count} in a second, {limit} allowed");
                }
                let lost = stall.map_or(0.0, |(_, time)| time.as_secs_f64());
                assert!(times.last().unwrap().as_secs_f64() < 5.0 / 0.96 + lost, "and not much less");
            }
        }
    }

    #[test]
    fn each_kind_has_a_limit_of_its_own_below_that_of_all() {
        let limits = Limits::per_second(1000).per_endpoint(25).erasures(100);
        assert_eq!((limits.of(READ), limits.of(ERASE)), (Some(25), Some(100)));
        assert_eq!(Limits::per_second(1000).of(ERASE), None);
        let pace = Pace::new(limits);
        let own = |endpoint| pace.own(endpoint).unwrap();
        own(READ).lock().take(Duration::from_secs(60));
        assert!(!own(READ).lock().wait(Duration::from_secs(60)).is_zero());
        assert!(
            own(ERASE).lock().wait(Duration::from_secs(60)).is_zero(),
            "another kind does not wait for it"
        );
    }

    #[test]
    fn a_pause_holds_for_everyone() {
        let mut bucket = Bucket::new(100);
        bucket.pause(Duration::from_secs(1), Duration::from_secs(3));
        assert_eq!(bucket.wait(Duration::from_secs(2)), Duration::from_secs(2));
        assert!(bucket.wait(Duration::from_secs(4)).is_zero());
    }

    #[tokio::test]
    async fn a_pause_too_long_to_sit_out_is_told() {
        let pace = Pace::new(Limits::per_second(100));
        pace.pause(Duration::from_secs(600));
        let told = pace.turn(READ).await.unwrap_err();
        assert!(told > Duration::from_secs(500), "{told:?}");
    }
}

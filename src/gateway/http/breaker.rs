//! A circuit breaker. While a gateway is down, no requests are sent for some time. Then one request probes whether it
//! is back.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

#[derive(Debug, Default)]
struct State {
    /// Consecutive failures since the last answer.
    failures: u32,
    /// Until when nobody asks.
    until: Option<Duration>,
    /// Whether a probe is in progress.
    probing: bool,
}

/// The breaker of one gateway, shared between the clones of an adapter.
#[derive(Debug)]
pub(crate) struct Breaker {
    most: u32,
    pause: Duration,
    state: Mutex<State>,
    start: Instant,
}

/// A permit to send one request. If it is dropped without a result, as by a cancelled request, the state of the
/// gateway stays as it was.
#[derive(Debug)]
pub(crate) struct Permit<'b> {
    breaker: &'b Breaker,
    probe: bool,
}

impl Breaker {
    pub(crate) fn new(most: u32, pause: Duration) -> Self {
        Self { most: most.max(1), pause, state: Mutex::default(), start: Instant::now() }
    }

    /// Asks for a permit to send a request.
    ///
    /// # Errors
    /// The time after which a retry makes sense.
    pub(crate) fn permit(&self) -> Result<Permit<'_>, Duration> {
        self.permit_at(self.start.elapsed())
    }

    fn permit_at(&self, now: Duration) -> Result<Permit<'_>, Duration> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(until) = state.until else { return Ok(Permit { breaker: self, probe: false }) };
        if now < until {
            return Err(until.saturating_sub(now));
        }
        if state.probing {
            return Err(Duration::from_secs(1));
        }
        state.probing = true;
        Ok(Permit { breaker: self, probe: true })
    }

    fn failed_at(&self, now: Duration) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.failures = state.failures.saturating_add(1);
        if state.failures >= self.most {
            state.until = Some(now + self.pause);
        }
    }
}

impl Permit<'_> {
    /// The gateway answered.
    pub(crate) fn answered(self) {
        let mut state = self.breaker.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.failures = 0;
        state.until = None;
    }

    /// It did not.
    pub(crate) fn failed(self) {
        self.breaker.failed_at(self.breaker.start.elapsed());
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if self.probe {
            self.breaker.state.lock().unwrap_or_else(PoisonError::into_inner).probing = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn after_some_failures_nobody_asks_and_then_one() {
        let breaker = Breaker::new(3, SECOND * 30);
        for _ in 0..3 {
            drop(breaker.permit_at(SECOND).unwrap());
            breaker.failed_at(SECOND);
        }
        assert_eq!(breaker.permit_at(SECOND * 11).unwrap_err(), SECOND * 20);
        let probe = breaker.permit_at(SECOND * 31).unwrap();
        assert!(breaker.permit_at(SECOND * 31).is_err(), "one tries, the others wait");
        breaker.failed_at(SECOND * 32);
        drop(probe);
        assert_eq!(breaker.permit_at(SECOND * 33).unwrap_err(), SECOND * 29, "still down");
        breaker.permit_at(SECOND * 62).unwrap().answered();
        for _ in 0..2 {
            breaker.permit_at(SECOND * 62).unwrap();
            breaker.failed_at(SECOND * 62);
        }
        assert!(breaker.permit_at(SECOND * 62).is_ok(), "it counts anew");
    }

    #[test]
    fn a_probe_that_is_cancelled_lets_another_try() {
        let breaker = Breaker::new(1, SECOND);
        breaker.failed_at(Duration::ZERO);
        drop(breaker.permit_at(SECOND * 2).unwrap());
        assert!(breaker.permit_at(SECOND * 2).is_ok());
    }
}

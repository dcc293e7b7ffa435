//! The clock for leases.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, Utc};

/// A clock for leases. Only the difference between two readings matters.
#[derive(Clone)]
pub(super) struct LeaseClock(Arc<dyn Fn() -> i64 + Send + Sync>);

impl fmt::Debug for LeaseClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LeaseClock")
    }
}

impl LeaseClock {
    /// Counts from the moment when the clock was made. For ledgers in memory.
    pub(super) fn of_the_process() -> Self {
        let start = Instant::now();
        Self(Arc::new(move || i64::try_from(start.elapsed().as_millis()).unwrap_or(i64::MAX)))
    }

    /// The host's own clock.
    pub(super) fn by(now: impl Fn() -> DateTime<Utc> + Send + Sync + 'static) -> Self {
        Self(Arc::new(move || now().timestamp_millis()))
    }

    /// The reading, in milliseconds.
    pub(super) fn millis(&self) -> i64 {
        (self.0)()
    }
}

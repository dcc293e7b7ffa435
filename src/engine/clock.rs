//! Time and randomness, as arguments.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

/// Tells the time and waits. Everything in this crate that needs time uses a clock.
#[async_trait]
pub trait Clock: Debug + Send + Sync + 'static {
    /// The current instant.
    fn now(&self) -> DateTime<Utc>;

    /// Waits for a duration.
    async fn sleep(&self, time: Duration);
}

/// Implements the clock and the entropy for an adapter in an `Arc` or a `Box`.
macro_rules! forward_clock {
    ($($pointer:ident),+) => {$(
        #[async_trait]
        impl<C: Clock + ?Sized> Clock for $pointer<C> {
            fn now(&self) -> DateTime<Utc> {
                (**self).now()
            }

            async fn sleep(&self, time: Duration) {
                (**self).sleep(time).await;
            }
        }

        impl<E: Entropy + ?Sized> Entropy for $pointer<E> {
            fn fill(&self, buffer: &mut [u8]) -> Result<(), NoEntropy> {
                (**self).fill(buffer)
            }
        }
    )+};
}

forward_clock!(Arc, Box);

/// The clock of the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }

    async fn sleep(&self, time: Duration) {
        futures_timer::Delay::new(time).await;
    }
}

/// The error that no random bytes are available.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the operating system gave no randomness; nothing is erased without it")]
pub struct NoEntropy;

/// Gives random bytes.
pub trait Entropy: Debug + Send + Sync + 'static {
    /// Fills a buffer with unpredictable bytes.
    ///
    /// # Errors
    /// [`NoEntropy`] if no random bytes are available.
    fn fill(&self, buffer: &mut [u8]) -> Result<(), NoEntropy>;
}

/// The randomness of the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), NoEntropy> {
        getrandom::fill(buffer).map_err(|_| NoEntropy)
    }
}

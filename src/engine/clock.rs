//! Time and randomness, as arguments.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

/// Tells the time and waits. Everything in this crate that needs either asks one of these.
#[async_trait]
pub trait Clock: Debug + Send + Sync + 'static {
    /// The instant.
    fn now(&self) -> DateTime<Utc>;

    /// Waits so long.
    async fn sleep(&self, time: Duration);
}

/// An adapter behind a pointer is an adapter.
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

/// There is no randomness to be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the operating system gave no randomness; nothing is erased without it")]
pub struct NoEntropy;

/// Gives random bytes.
pub trait Entropy: Debug + Send + Sync + 'static {
    /// Fills a buffer with bytes that nobody can foresee.
    ///
    /// # Errors
    /// [`NoEntropy`] if there are none.
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

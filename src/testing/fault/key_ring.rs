//! Injects faults into calls to a key ring.

use async_trait::async_trait;

use super::{Faulty, said};
use crate::ledger::{KeyRing, KeyRingError, Mac, MacRequest};

#[async_trait]
impl<T: KeyRing> KeyRing for Faulty<T> {
    async fn epochs(&self) -> Result<Vec<u32>, KeyRingError> {
        self.call("epochs", self.inner.epochs(), |fault| KeyRingError::unreachable(said(fault))).await
    }

    async fn macs(&self, request: &MacRequest) -> Result<Vec<Mac>, KeyRingError> {
        self.call("macs", self.inner.macs(request), |fault| KeyRingError::unreachable(said(fault))).await
    }
}

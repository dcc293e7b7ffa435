//! Injects faults into calls to a gateway.

use std::time::Duration;

use async_trait::async_trait;

use super::{Fault, Faulty, said};
use crate::customer::{AccountId, GatewayName, ProfileId};
use crate::gateway::{
    GatewayAnswer, GatewayError, PaymentGatewayEraser, ProfileErasure, ProfileState, Receipt,
};

fn lost(gateway: &GatewayName) -> impl Fn(Fault) -> GatewayError {
    let gateway = gateway.clone();
    move |fault| match fault {
        Fault::Error => GatewayError::Unreachable { gateway: gateway.clone(), source: said(fault).into() },
        Fault::Lost => GatewayError::Unknown { gateway: gateway.clone(), source: Some(said(fault).into()) },
    }
}

#[async_trait]
impl<T: PaymentGatewayEraser> PaymentGatewayEraser for Faulty<T> {
    fn gateway(&self) -> &GatewayName {
        self.inner.gateway()
    }

    fn longest_call(&self) -> Duration {
        self.inner.longest_call()
    }

    async fn account(&self) -> Result<Option<AccountId>, GatewayError> {
        self.call("account", self.inner.account(), lost(self.inner.gateway())).await
    }

    async fn state(&self, profile: &ProfileId) -> Result<ProfileState, GatewayError> {
        self.call("state", self.inner.state(profile), lost(self.inner.gateway())).await
    }

    async fn erase(&self, erasure: &ProfileErasure) -> Result<GatewayAnswer, GatewayError> {
        self.call("erase", self.inner.erase(erasure), lost(self.inner.gateway())).await
    }

    async fn poll(&self, receipt: &Receipt) -> Result<GatewayAnswer, GatewayError> {
        self.call("poll", self.inner.poll(receipt), lost(self.inner.gateway())).await
    }
}

//! Who looks at personal data, and why. Before each search, trace or export, the engine writes an event to the host's
//! access log.

use std::fmt::{self, Debug};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{Engine, EngineBuilder, Error};
use crate::customer::{CustomerId, TenantId};
use crate::data_map::{ClassName, Kind};
use crate::plan::{ApprovalError, Authority, OperatorId, ReasonCode};
use crate::request::{Identity, RequestId, Who};

/// Why an operator looks at personal data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Purpose {
    /// To answer a request of the person. The request must be in the register, it must be this customer's, and the
    /// identity must be confirmed.
    Request(RequestId),
    /// For another reason. The host chooses the code, such as `hand-over` or `ticket-4711`.
    Reason(ReasonCode),
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(request) => write!(f, "request {request}"),
            Self::Reason(reason) => write!(f, "{reason}"),
        }
    }
}

/// Who looks at personal data, and why.
///
/// ```
/// use relinquish::engine::{Access, Purpose};
/// use relinquish::plan::Authority;
///
/// let operator = Authority::new("operator-7", ["acme".into()]);
/// let access = Access::new(operator, Purpose::Reason("ticket-4711".parse()?));
/// # assert_eq!(access.purpose().to_string(), "ticket-4711");
/// # Ok::<(), relinquish::plan::NotAReasonCode>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    by: Authority,
    purpose: Purpose,
}

impl Access {
    /// An operator with a purpose.
    pub fn new(by: Authority, purpose: Purpose) -> Self {
        Self { by, purpose }
    }

    /// The operator, with the tenants over which the operator has authority.
    pub fn by(&self) -> &Authority {
        &self.by
    }

    /// Why the operator looks.
    pub fn purpose(&self) -> &Purpose {
        &self.purpose
    }
}

/// What an operator looks at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Accessed {
    /// Everything about one customer is exported.
    Customer {
        /// The customer. This is the host's own key.
        customer: CustomerId,
    },
    /// All records of a class are exported.
    Class {
        /// The class.
        class: ClassName,
    },
    /// Everything about all customers of a tenant is exported.
    Tenant {
        /// The tenant.
        tenant: TenantId,
    },
    /// Records are searched for values of these kinds, and for keys. The event does not contain the values.
    Search {
        /// The kinds of the values.
        kinds: Vec<Kind>,
    },
    /// The names and addresses of one customer are shown.
    Identity {
        /// The customer.
        customer: CustomerId,
    },
    /// The requester of a request in the register is shown: an address, or a customer's key.
    Requester {
        /// The request.
        request: RequestId,
    },
    /// The engine looks for other places and records of the same person.
    Traces {
        /// The customer. `None`: the search began with values alone.
        customer: Option<CustomerId>,
    },
}

/// An operator is about to look at personal data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct AccessEvent {
    /// When.
    pub at: DateTime<Utc>,
    /// Who.
    pub operator: OperatorId,
    /// Why.
    pub purpose: Purpose,
    /// What.
    pub what: Accessed,
}

/// The error of a host's [`AccessLog`].
pub type AccessLogError = Box<dyn std::error::Error + Send + Sync>;

/// The host's log of who looked at personal data. The engine waits until the log has recorded the event. Only then it
/// reads the data.
#[async_trait]
pub trait AccessLog: Debug + Send + Sync + 'static {
    /// Records an event.
    ///
    /// **Idempotency:** every call is one more event. **Partial failure:** none. **Cancel safety:** if the future is
    /// dropped, the event may or may not be recorded. Nothing is read in either case. **Errors:** the host's own.
    /// After an error nothing is read.
    async fn record(&self, event: &AccessEvent) -> Result<(), AccessLogError>;
}

macro_rules! forward {
    ($($pointer:ident),*) => {$(
        #[async_trait]
        impl<T: AccessLog + ?Sized> AccessLog for $pointer<T> {
            async fn record(&self, event: &AccessEvent) -> Result<(), AccessLogError> {
                (**self).record(event).await
            }
        }
    )*};
}

forward!(Arc, Box);

/// An access log in memory. For tests, and for programs that write the events elsewhere at the end.
#[derive(Debug, Default)]
pub struct MemoryAccessLog {
    events: Mutex<Vec<AccessEvent>>,
}

impl MemoryAccessLog {
    /// An empty log.
    pub fn new() -> Self {
        Self::default()
    }

    /// The events so far, in order.
    pub fn events(&self) -> Vec<AccessEvent> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl AccessLog for MemoryAccessLog {
    async fn record(&self, event: &AccessEvent) -> Result<(), AccessLogError> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).push(event.clone());
        Ok(())
    }
}

impl EngineBuilder {
    /// Sets the host's log of who looks at personal data. Without a log the engine neither searches nor exports.
    #[must_use]
    pub fn access_log(mut self, log: impl AccessLog) -> Self {
        self.access_log = Some(Arc::new(log));
        self
    }
}

impl Engine {
    /// Checks an access to the data of one customer or of several people, and records it in the host's access log.
    pub(super) async fn access(
        &self,
        access: &Access,
        customer: Option<&CustomerId>,
        tenants: impl IntoIterator<Item = &TenantId>,
        what: Accessed,
    ) -> Result<(), Error> {
        let operator = access.by.operator();
        operator.check().map_err(ApprovalError::from)?;
        for tenant in tenants {
            access.by.over(tenant)?;
        }
        if let Purpose::Request(id) = &access.purpose {
            if matches!(what, Accessed::Class { .. } | Accessed::Tenant { .. }) {
                let why = "it is one person's; the data of many need a reason of their own";
                return Err(Error::NotForRequest { request: id.clone(), why });
            }
            self.is_confirmed(id, customer).await?;
        }
        let log = self.parts.access_log.as_ref().ok_or(Error::NoAccessLog)?;
        let event = AccessEvent {
            at: self.parts.clock.now(),
            operator: operator.clone(),
            purpose: access.purpose.clone(),
            what,
        };
        log.record(&event).await.map_err(Error::AccessLog)
    }

    /// Checks that a request is open, that it is this customer's, and that the identity is confirmed.
    async fn is_confirmed(&self, id: &RequestId, customer: Option<&CustomerId>) -> Result<(), Error> {
        let none = || Error::NoSuchRequest { request: id.clone() };
        let request = self.request(id).await?.ok_or_else(none)?;
        let refused = |why| Err(Error::NotForRequest { request: id.clone(), why });
        if request.ended.is_some() {
            return refused("it has ended");
        }
        if request.identity != Identity::Confirmed {
            return refused("nobody has confirmed who asks; note how the identity was confirmed first");
        }
        match (&request.new.who, customer) {
            (Some(Who::Customer { customer: asks }), Some(customer)) if asks == customer => Ok(()),
            // The request names no customer yet: the search may find out who the person is.
            (_, None) => Ok(()),
            _ => refused("it is a request of somebody else"),
        }
    }
}

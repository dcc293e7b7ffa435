//! The connection to one gateway: a transport with timeouts, rate limits and a circuit breaker.

use std::sync::Arc;
use std::time::Duration;

use chrono::DateTime;
use futures_timer::Delay;
use futures_util::future::{Either, select};

use super::breaker::Breaker;

use super::pace::{Endpoint, LONGEST_TURN, Pace};
use super::{Cause, Limits, Request, Response, Transport, TransportError};
use crate::gateway::{GatewayError, GatewayName};

/// The pause after an answer "too many requests" without a time.
const BUSY: Duration = Duration::from_millis(500);
/// The longest pause that is accepted from a gateway.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// The settings of a line.
#[derive(Clone, Debug)]
pub(crate) struct LineSettings {
    pub(crate) limits: Limits,
    /// The timeout until the last byte of the answer.
    pub(crate) timeout: Duration,
    /// The number of consecutive failures that opens the circuit breaker.
    pub(crate) failures: u32,
    /// For how long.
    pub(crate) pause: Duration,
}

impl LineSettings {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { limits, timeout: Duration::from_secs(30), failures: 5, pause: Duration::from_secs(30) }
    }
}

/// The connection to one gateway, shared by the clones of an adapter.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    gateway: GatewayName,
    transport: Arc<dyn Transport>,
    pace: Arc<Pace>,
    breaker: Arc<Breaker>,
    timeout: Duration,
}

impl Line {
    /// The extra time after which a transport that ignores its timeout is abandoned.
    const LATE: Duration = Duration::from_secs(1);

    pub(crate) fn new(gateway: GatewayName, transport: Arc<dyn Transport>, settings: &LineSettings) -> Self {
        Self {
            gateway,
            transport,
            pace: Arc::new(Pace::new(settings.limits)),
            breaker: Arc::new(Breaker::new(settings.failures, settings.pause)),
            timeout: settings.timeout,
        }
    }

    pub(crate) fn gateway(&self) -> &GatewayName {
        &self.gateway
    }

    /// The longest time that this number of requests takes, one after the other.
    pub(crate) fn longest(&self, requests: u32) -> Duration {
        (LONGEST_TURN + self.timeout + Self::LATE).saturating_mul(requests)
    }

    /// Waits for the rate limit, and sends a request. Returns the answer if its status is 2xx, or a 4xx that concerns
    /// the request itself.
    pub(crate) async fn send(
        &self,
        mut request: Request,
        endpoint: Endpoint,
    ) -> Result<Response, GatewayError> {
        let permit = self.breaker.permit().map_err(|retry_after| self.paused(retry_after))?;
        let permit = match self.pace.turn(endpoint).await {
            Ok(()) => permit,
            Err(retry_after) => return Err(self.busy(Some(retry_after))),
        };
        request.timeout = self.timeout;
        let response = match self.in_time(&request).await {
            Ok(response) => response,
            Err(error) => {
                permit.failed();
                tracing::debug!(gateway = %self.gateway, endpoint = endpoint.name, "no answer");
                return Err(match error {
                    TransportError::NotSent(source) => {
                        GatewayError::Unreachable { gateway: self.gateway.clone(), source }
                    }
                    error => self.unknown(error),
                });
            }
        };
        tracing::debug!(gateway = %self.gateway, endpoint = endpoint.name, status = response.status, "answer");
        match response.status {
            // 409: another request has locked the object, or uses the same key.
            429 | 409 => {
                permit.answered();
                let pause = retry_after(&response);
                if response.status == 429 {
                    self.pace.pause(pause.unwrap_or(BUSY));
                }
                Err(self.busy(pause))
            }
            300..=399 => {
                permit.answered();
                Err(self.refused("it answers with a redirect, which is not followed; mend the base URL"))
            }
            401 => {
                permit.answered();
                Err(self.refused("it does not accept the key; give the adapter the right one"))
            }
            status if status >= 500 => {
                permit.failed();
                if let Some(pause) = retry_after(&response) {
                    self.pace.pause(pause);
                }
                if status == 503 && !endpoint.writes {
                    return Err(self.busy(retry_after(&response)));
                }
                Err(self.unknown(format!("status {status}")))
            }
            _ => {
                permit.answered();
                Ok(response)
            }
        }
    }

    /// The host's own transport may ignore the timeout.
    async fn in_time(&self, request: &Request) -> Result<Response, TransportError> {
        let late = Delay::new(self.timeout + Self::LATE);
        let answer = match select(self.transport.send(request), late).await {
            Either::Left((answer, _)) => answer?,
            Either::Right(_) => return Err(TransportError::Lost("no answer in time".into())),
        };
        if answer.body.len() > request.most_bytes {
            return Err(TransportError::TooLarge { most_bytes: request.most_bytes });
        }
        Ok(answer)
    }

    pub(crate) fn busy(&self, retry_after: Option<Duration>) -> GatewayError {
        GatewayError::Busy { gateway: self.gateway.clone(), retry_after }
    }

    fn paused(&self, retry_after: Duration) -> GatewayError {
        GatewayError::Paused { gateway: self.gateway.clone(), retry_after }
    }

    /// The error for a request that may have taken effect.
    pub(crate) fn unknown(&self, source: impl Into<Cause>) -> GatewayError {
        GatewayError::Unknown { gateway: self.gateway.clone(), source: Some(source.into()) }
    }

    pub(crate) fn refused(&self, what: impl Into<String>) -> GatewayError {
        GatewayError::Refused { gateway: self.gateway.clone(), what: what.into() }
    }
}

/// The pause for which the gateway asks (RFC 9110, 10.2.3). It is a number of seconds, or a date, which is compared
/// with the date of the answer.
fn retry_after(response: &Response) -> Option<Duration> {
    let value = response.header("retry-after")?.trim();
    let pause = if let Ok(seconds) = value.parse() {
        Duration::from_secs(seconds)
    } else {
        let until = DateTime::parse_from_rfc2822(value).ok()?;
        let now = DateTime::parse_from_rfc2822(response.header("date")?).ok()?;
        (until - now).to_std().unwrap_or_default()
    };
    Some(pause.min(LONGEST))
}

/// A gateway's code, if the text looks like a code. Free text is refused, because it may quote personal data from the
/// request.
pub(crate) fn code(text: &str) -> Option<&str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.[]".contains(&byte);
    (!text.is_empty() && text.len() <= 80 && text.bytes().all(plain)).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(headers: &[(&str, &str)]) -> Option<Duration> {
        let headers = headers.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        retry_after(&Response::new(429, headers, Vec::new()))
    }

    #[test]
    fn retry_after_is_read_as_seconds_or_as_a_date() {
        assert_eq!(after(&[("retry-after", "7")]), Some(Duration::from_secs(7)));
        let date = ("date", "Sat, 21 Nov 2026 12:00:00 GMT");
        let later = ("retry-after", "Sat, 21 Nov 2026 12:01:30 GMT");
        assert_eq!(after(&[date, later]), Some(Duration::from_secs(90)));
        assert_eq!(after(&[later]), None);
        assert_eq!(after(&[("retry-after", "soon")]), None);
        assert_eq!(after(&[]), None);
    }

    #[test]
    fn free_text_is_no_code() {
        assert_eq!(code("resource_missing"), Some("resource_missing"));
        for text in ["", "No such customer: cus_1", "a\nb", "ü"] {
            assert_eq!(code(text), None);
        }
    }
}

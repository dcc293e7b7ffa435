//! Redaction jobs: a public preview of Stripe. A job also removes the personal data from a customer's charges,
//! invoices and events.
//!
//! A new job is validated by Stripe. When it is ready, the adapter has to start it, and it ends some time later. Its
//! id is the receipt. After it has succeeded, the customer is deleted, too. Source:
//! <https://docs.stripe.com/privacy/redaction>.

use serde::Deserialize;

use super::api::{PREVIEW, Reply};
use super::{Found, Stripe};
use crate::gateway::http::{Endpoint, Method, Request, code, escape};
use crate::gateway::{GatewayAnswer, GatewayError, GatewayOutcome, ProfileErasure, ProfileId, Receipt};

const READ: Endpoint = Endpoint::reading("redaction job");
const CREATE: Endpoint = Endpoint::writing("make redaction job");
const PUSH: Endpoint = Endpoint::writing("push redaction job");

#[derive(Deserialize)]
struct Job {
    id: String,
    status: String,
    #[serde(default)]
    objects: Option<Objects>,
}

#[derive(Deserialize)]
struct Objects {
    #[serde(default)]
    customers: Option<Vec<String>>,
}

impl Stripe {
    fn preview(&self, method: Method, path: &str, query: &[(&str, &str)]) -> Request {
        let mut request = self.request(method, path, query);
        request.headers.retain(|(name, _)| *name != "stripe-version");
        request.headers.push(("stripe-version", PREVIEW.to_owned()));
        request
    }

    fn job_path(&self, job: &str) -> Result<String, GatewayError> {
        let job = code(job).filter(|job| !job.starts_with('.'));
        let job = job.ok_or_else(|| self.line.refused("the receipt is no redaction job of Stripe's"))?;
        Ok(format!("/v1/privacy/redaction_jobs/{}", escape(job)))
    }

    async fn job(&self, job: &str) -> Result<Job, GatewayError> {
        let request = self.preview(Method::Get, &self.job_path(job)?, &[("expand[]", "objects")]);
        self.expect(request, READ).await
    }

    /// Makes a job for one customer, or finds the job that was made for this erasure before.
    pub(super) async fn begin_redaction(
        &self,
        erasure: &ProfileErasure,
    ) -> Result<GatewayAnswer, GatewayError> {
        let form = [("objects[customers][]", erasure.profile.as_str()), ("validation_behavior", "error")];
        let mut request = self.preview(Method::Post, "/v1/privacy/redaction_jobs", &form);
        request.headers.push(("idempotency-key", erasure.idempotency_key.clone()));
        let (made, said) = match self.ask::<Job>(request, CREATE).await? {
            Reply::Object(job, said) => (job, said),
            Reply::Failed(failure, said) => return Ok(self.blocked(&failure.describe(&said), &said)),
        };
        // For a known idempotency key, Stripe repeats its first answer. So the job may have failed in the meantime.
        if self.job(&made.id).await?.status == "failed" {
            let path = format!("{}/validate", self.job_path(&made.id)?);
            self.expect::<Job>(self.preview(Method::Post, &path, &[]), PUSH).await?;
        }
        let receipt = code(&made.id).ok_or_else(|| self.line.unknown("the job has no name"))?;
        let outcome = GatewayOutcome::Accepted { receipt: Receipt::from(receipt) };
        Ok(GatewayAnswer::new(outcome, said.request_id, "redaction job made"))
    }

    /// Asks for the state of a job. Starts the job when it is ready, and deletes the customer when it is done.
    pub(super) async fn go_on_redacting(&self, receipt: &Receipt) -> Result<GatewayAnswer, GatewayError> {
        let job = self.job(receipt.as_str()).await?;
        match job.status.as_str() {
            "ready" => {
                let path = format!("{}/run", self.job_path(receipt.as_str())?);
                self.expect::<Job>(self.preview(Method::Post, &path, &[]), PUSH).await?;
            }
            "succeeded" => {
                let customers = job.objects.and_then(|objects| objects.customers).unwrap_or_default();
                let [customer] = customers.as_slice() else {
                    return Err(self.line.refused("the redaction job is not of one customer"));
                };
                return self.delete_redacted(&ProfileId::from(customer.as_str())).await;
            }
            "failed" => {
                let reason = "the redaction job was refused: close disputes, void or settle open invoices, cancel \
                              unused payment intents, and wait until the last transaction is 90 days old";
                return Ok(GatewayOutcome::Blocked { reason: reason.to_owned() }.into());
            }
            "canceling" | "canceled" => {
                let reason = "somebody cancelled the redaction job".to_owned();
                return Ok(GatewayOutcome::Blocked { reason }.into());
            }
            // Created, validating, redacting, and states that Stripe may add later.
            _ => {}
        }
        Ok(GatewayOutcome::Accepted { receipt: receipt.clone() }.into())
    }

    async fn delete_redacted(&self, customer: &ProfileId) -> Result<GatewayAnswer, GatewayError> {
        let answer = match self.look(customer).await? {
            Found::Here(_) => self.delete(customer).await?,
            Found::Gone(said, word) => GatewayAnswer::new(GatewayOutcome::Erased, said.request_id, word),
        };
        Ok(match answer.outcome {
            GatewayOutcome::Erased | GatewayOutcome::AlreadyAbsent => {
                GatewayAnswer::new(GatewayOutcome::Erased, answer.request_id, "redacted and deleted")
            }
            _ => answer,
        })
    }
}

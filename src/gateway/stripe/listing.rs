//! Lists every customer of a Stripe account.

use std::collections::HashSet;
use std::fmt;

use async_trait::async_trait;
use chrono::DateTime;

use super::api::{CUSTOMERS, Listed as _, Reply};
use super::{Customer, Found, Stripe};
use crate::gateway::{
    GatewayError, GatewayName, ListedProfile, PaymentGatewayEraser, ProfileId, ProfileListing, ProfilePages,
    Subscriptions,
};

/// A listing in progress. It remembers the previous page, because the last customers of that page may be deleted in
/// the meantime.
struct Pages {
    stripe: Stripe,
    /// The ids of the previous page, in order.
    before: Vec<String>,
    /// The ids of the first page. If they appear again, the list has started from the beginning. Some imitations of
    /// Stripe do this when the customer before the next page is gone.
    first: HashSet<String>,
    done: bool,
}

impl fmt::Debug for Pages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pages").field("done", &self.done).finish_non_exhaustive()
    }
}

#[async_trait]
impl ProfileListing for Stripe {
    fn gateway(&self) -> &GatewayName {
        PaymentGatewayEraser::gateway(self)
    }

    async fn list(&self) -> Result<Box<dyn ProfilePages>, GatewayError> {
        let (before, first) = (Vec::new(), HashSet::new());
        Ok(Box::new(Pages { stripe: self.clone(), before, first, done: false }))
    }
}

impl Pages {
    /// The next page. It begins after the last customer of the previous page who still exists.
    async fn page(&mut self) -> Result<(Vec<Customer>, bool), GatewayError> {
        let line = &self.stripe.line;
        let mut after: Vec<&String> = self.before.iter().collect();
        loop {
            let cursor = after.pop();
            if cursor.is_none() && !self.before.is_empty() {
                return Err(
                    line.refused("all customers of a page were deleted while it was listed; list again")
                );
            }
            match self
                .stripe
                .page::<Customer>("/v1/customers", &[], cursor.map(String::as_str), CUSTOMERS)
                .await?
            {
                Reply::Object(page, _) => {
                    let anew = page.data.first().is_some_and(|found| self.first.contains(found.id()));
                    if cursor.is_none() || !anew {
                        return Ok((page.data, page.has_more));
                    }
                }
                Reply::Failed(failure, _)
                    if failure.is("resource_missing")
                        && failure.param.as_deref() == Some("starting_after") => {}
                Reply::Failed(failure, said) => return Err(line.refused(failure.describe(&said))),
            }
        }
    }
}

#[async_trait]
impl ProfilePages for Pages {
    async fn next(&mut self) -> Result<Option<Vec<ListedProfile>>, GatewayError> {
        if self.done {
            return Ok(None);
        }
        let (customers, has_more) = self.page().await?;
        // After a step back, the page may repeat customers of the previous page.
        let seen: HashSet<&str> = self.before.iter().map(String::as_str).collect();
        let mut listed = Vec::with_capacity(customers.len());
        for customer in customers.iter().filter(|customer| !customer.deleted && !seen.contains(customer.id()))
        {
            let counts = match self.stripe.subscriptions(customer.id()).await {
                Ok(counts) => counts,
                Err(error) => match self.stripe.look(&ProfileId::from(customer.id())).await? {
                    // The customer was deleted after the page was read.
                    Found::Gone(..) => continue,
                    Found::Here(_) => return Err(error),
                },
            };
            let mut profile = ListedProfile::new(customer.id());
            profile.owner = self.stripe.owner(customer);
            profile.email = customer.email.clone().filter(|email| !email.trim().is_empty());
            profile.created = customer.created.and_then(|seconds| DateTime::from_timestamp(seconds, 0));
            profile.subscriptions = Subscriptions::Counted { active: counts.active, ended: counts.ended };
            listed.push(profile);
        }
        let ids: Vec<String> = customers.iter().map(|customer| customer.id().to_owned()).collect();
        if self.before.is_empty() {
            self.first = ids.iter().cloned().collect();
        }
        self.before = ids;
        self.done = !has_more;
        Ok(Some(listed))
    }
}

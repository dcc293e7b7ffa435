//! Recognises customers who have left, also by the signs of treatments that the policy no longer has.

use std::sync::{Arc, PoisonError};

use super::{Engine, Error};
use crate::treatment::{Signs, Treatment, signs_of};

impl Engine {
    /// The signs by which a customer's own record shows that the customer has left. They come from the policy's
    /// treatments, and from every treatment under which a case was ever opened: an older policy may have written
    /// other words. The ledger is read once.
    pub(super) async fn signs(&self) -> Result<Arc<Signs>, Error> {
        {
            let known = self.parts.signs.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(known) = &*known {
                return Ok(Arc::clone(known));
            }
        }
        let then = self.parts.ledger.treatments().await?;
        let bound = |treatment: &Arc<Treatment>| match treatment.bind(&self.parts.strategies) {
            Ok(bound) => Some(bound),
            // Only the missing strategy knows what it wrote. So these customers do not count as having left, and
            // records that they share with others are kept.
            Err(missing) => {
                let treatment = treatment.name();
                tracing::warn!(%treatment, %missing, "customers whom an earlier treatment erased cannot be recognised");
                None
            }
        };
        let then: Vec<Treatment> = then.iter().filter_map(bound).collect();
        let now = self.parts.policy.all().flat_map(|policy| policy.treatments().values());
        let signs = signs_of(now.map(|treatment| &**treatment).chain(&then), self.data_map());
        let signs = Arc::new(signs);
        *self.parts.signs.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&signs));
        Ok(signs)
    }
}

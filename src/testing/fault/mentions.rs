//! Injects faults into calls that redact the texts of others.

use async_trait::async_trait;

use super::{Faulty, said};
use crate::store::{Cursor, MentionsPart, MentionsRequest, RedactMentions, StoreError};

#[async_trait]
impl<T: RedactMentions> RedactMentions for Faulty<T> {
    async fn redact_mentions(
        &self,
        request: &MentionsRequest,
        after: Option<&Cursor>,
    ) -> Result<MentionsPart, StoreError> {
        let lost = |fault| StoreError::failed("taking people out of texts", said(fault));
        self.call("redact_mentions", self.inner.redact_mentions(request, after), lost).await
    }
}

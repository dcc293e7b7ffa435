//! The engine's requests to a key ring: epochs with their check values, and tokens in batches.

use std::collections::HashMap;
use std::sync::Arc;

use super::{KeyCheck, KeyRing, KeyRingError, MacRequest, Messages, SubjectToken, TokenOf};

/// An epoch, and the check value of its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Epoch {
    pub(crate) number: u32,
    pub(crate) check: KeyCheck,
}

/// The epochs with these numbers, with the check values of their keys.
pub(crate) async fn epochs(ring: &dyn KeyRing, numbers: &[u32]) -> Result<Vec<Epoch>, KeyRingError> {
    let mut found = Vec::with_capacity(numbers.len());
    for number in numbers {
        let macs = ring.macs(&MacRequest::new(*number, [b""])).await?;
        let [mac] = macs.as_slice() else {
            return Err(KeyRingError::AnswerCount { asked: 1, answered: macs.len() });
        };
        found.push(Epoch { number: *number, check: KeyCheck::of(mac) });
    }
    Ok(found)
}

/// The tokens under the keys of these epochs: for each epoch in turn, one token per name, in order. Makes one request
/// per epoch.
pub(crate) async fn tokens(
    ring: &dyn KeyRing,
    epochs: &[Epoch],
    of: &[TokenOf],
) -> Result<Vec<SubjectToken>, KeyRingError> {
    let mut messages = Messages::default();
    for of in of {
        messages.push(|bytes| of.write(bytes));
    }
    let mut tokens = Vec::with_capacity(epochs.len() * of.len());
    tokens_of(ring, epochs, messages, |_, token| tokens.push(token)).await?;
    Ok(tokens)
}

/// Passes each token under the keys of these epochs to a closure, with the index of its message. Makes one request
/// per epoch.
pub(crate) async fn tokens_of(
    ring: &dyn KeyRing,
    epochs: &[Epoch],
    messages: Messages,
    mut each: impl FnMut(usize, SubjectToken) + Send,
) -> Result<(), KeyRingError> {
    let asked = messages.len();
    let messages = Arc::new(messages);
    for epoch in epochs.iter().filter(|_| asked > 0) {
        let request = MacRequest { epoch: epoch.number, messages: Arc::clone(&messages) };
        let macs = ring.macs(&request).await?;
        if macs.len() != asked {
            return Err(KeyRingError::AnswerCount { asked, answered: macs.len() });
        }
        for (place, mac) in macs.into_iter().enumerate() {
            each(place, SubjectToken::new(epoch.number, mac));
        }
    }
    Ok(())
}

/// Tokens that were computed in one request, under the key of the current epoch.
#[derive(Debug, Default)]
pub(crate) struct Signed {
    /// `None` if nobody was named: then no key was used.
    epoch: Option<Epoch>,
    tokens: HashMap<TokenOf, SubjectToken>,
}

impl Signed {
    pub(crate) async fn new(
        ring: &dyn KeyRing,
        epoch: Epoch,
        of: Vec<TokenOf>,
    ) -> Result<Self, KeyRingError> {
        let tokens = tokens(ring, std::slice::from_ref(&epoch), &of).await?;
        Ok(Self { epoch: Some(epoch), tokens: of.into_iter().zip(tokens).collect() })
    }

    /// The check value of the key with which the tokens were computed.
    pub(crate) fn check(&self) -> Result<&KeyCheck, KeyRingError> {
        self.epoch.as_ref().map(|epoch| &epoch.check).ok_or(KeyRingError::Empty)
    }

    /// One of the tokens. An error if this token was not requested.
    pub(crate) fn token(&self, of: &TokenOf) -> Result<SubjectToken, KeyRingError> {
        let (asked, answered) = (self.tokens.len() + 1, self.tokens.len());
        self.tokens.get(of).copied().ok_or(KeyRingError::AnswerCount { asked, answered })
    }
}

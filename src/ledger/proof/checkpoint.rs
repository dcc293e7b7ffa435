//! Checkpoints: the size and the root of the tree, signed.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{KeepsTree, ProofError, PublicKey, Signature, Signer, grown, path};
use crate::digest::Digest;
use crate::ledger::tree::{Leaves, consistency, is_consistent};

/// The beginning of a signature line: an em dash and a space.
const SIGNED_BY: &str = "\u{2014} ";

/// The size and the root of a ledger's tree at one moment, with a valid signature.
///
/// Its text has the form of the [C2SP](https://c2sp.org/tlog-checkpoint): the name of the ledger, the number of
/// entries, the root in Base64, an empty line, and signatures. Other tools for such checkpoints can store and
/// countersign it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    origin: String,
    size: u64,
    root: Digest,
    /// The whole text, with all signatures.
    text: String,
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn malformed(line: usize, why: &'static str) -> ProofError {
    ProofError::Malformed { what: "checkpoint", line, why }
}

impl Checkpoint {
    /// Takes a checkpoint of the present ledger. If an earlier checkpoint is given, checks that the ledger only grew
    /// since then.
    ///
    /// The first checkpoint reads every entry once. Each later checkpoint reads only new entries.
    ///
    /// # Errors
    /// [`ProofError::CutOff`] and [`ProofError::OtherEntries`] if the ledger is not a continuation of the earlier
    /// checkpoint. A ledger out of reach, a signer that fails.
    pub async fn take(
        ledger: &dyn KeepsTree,
        signer: &dyn Signer,
        earlier: Option<&Self>,
    ) -> Result<Self, ProofError> {
        let peaks = grown(ledger).await?;
        let (size, root) = (peaks.size(), peaks.root());
        if let Some(earlier) = earlier {
            earlier.is_beginning_of(ledger, size, root).await?;
        }
        let key = signer.public_key();
        let body = body_of(key.name(), size, root);
        let signature = signer.sign(body.as_bytes()).await?;
        let text = format!("{body}\n{SIGNED_BY}{} {}\n", key.name(), signature_text(key, &signature));
        Self::read(&text, key)
    }

    /// Reads the text of a checkpoint, and checks the signature of a key. Signatures of other keys are ignored.
    ///
    /// # Errors
    /// [`ProofError::Malformed`], [`ProofError::NotSigned`].
    pub fn read(text: &str, key: &PublicKey) -> Result<Self, ProofError> {
        let (body, signatures) = text
            .find("\n\n")
            .and_then(|end| Some((text.get(..=end)?, text.get(end + 2..)?)))
            .ok_or_else(|| malformed(1, "there is no empty line before the signatures"))?;
        let mut lines = body.lines();
        let origin = lines.next().filter(|line| !line.is_empty());
        let origin = origin.ok_or_else(|| malformed(1, "the name of the ledger is missing"))?.to_owned();
        let size =
            lines.next().and_then(|line| line.parse().ok().filter(|size: &u64| size.to_string() == line));
        let size = size.ok_or_else(|| malformed(2, "the number of entries is missing"))?;
        let root = lines.next().and_then(|line| <[u8; 32]>::try_from(STANDARD.decode(line).ok()?).ok());
        let root = Digest::from_bytes(root.ok_or_else(|| malformed(3, "the root is missing"))?);
        if lines.next().is_some() || body != body_of(&origin, size, root) {
            return Err(malformed(4, "there is more than name, number of entries and root"));
        }
        let prefix = format!("{SIGNED_BY}{} ", key.name());
        let is_valid = |line: &str| {
            let signature = line.strip_prefix(&prefix).and_then(|text| signature_of(key, text));
            signature.is_some_and(|signature| key.verifies(body.as_bytes(), &signature))
        };
        if origin != key.name() || !signatures.lines().any(is_valid) {
            return Err(ProofError::NotSigned { key: key.name().to_owned() });
        }
        Ok(Self { origin, size, root, text: text.to_owned() })
    }

    /// The name of the ledger.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The number of entries that it covers: all entries up to this number.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The root of the tree over these entries.
    pub fn root(&self) -> Digest {
        self.root
    }

    async fn is_beginning_of(
        &self,
        ledger: &dyn KeepsTree,
        size: u64,
        root: Digest,
    ) -> Result<(), ProofError> {
        if size < self.size {
            return Err(ProofError::CutOff { last: size, covered: self.size });
        }
        let ranges: Vec<Leaves> = consistency(self.size, size);
        let path = path(ledger, &ranges).await?;
        if is_consistent((self.size, self.root), (size, root), &path) {
            Ok(())
        } else {
            Err(ProofError::OtherEntries { covered: self.size })
        }
    }
}

fn body_of(origin: &str, size: u64, root: Digest) -> String {
    format!("{origin}\n{size}\n{}\n", STANDARD.encode(root.as_bytes()))
}

fn signature_text(key: &PublicKey, signature: &Signature) -> String {
    STANDARD.encode([key.hash().as_slice(), signature.as_slice()].concat())
}

fn signature_of(key: &PublicKey, text: &str) -> Option<Signature> {
    let bytes = STANDARD.decode(text).ok()?;
    let (hash, signature) = bytes.split_first_chunk::<4>()?;
    (*hash == key.hash()).then(|| signature.try_into().ok()).flatten()
}

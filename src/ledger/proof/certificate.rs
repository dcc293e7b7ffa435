//! A certificate that can be checked without the ledger. It contains the entry, the entry's path to the root, and the
//! checkpoint.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::export::Texts;
use super::{Checkpoint, KeepsTree, ProofError, PublicKey, path};
use crate::digest::{Digest, canonical};
use crate::format::Format;
use crate::ledger::certificate::Proof;
use crate::ledger::entry::leaf_of;
use crate::ledger::tree::{inclusion, is_included};
use crate::ledger::{
    Certificate, Circumstances, ClosedCase, Entry, EntryBody, EntryKey, Find, LedgerError, Scrubbed,
};
use crate::plan::CaseId;
use crate::policy::{Dictionary, Language};
use crate::treatment::Treatment;

/// A [`Certificate`] together with its proof. Anybody who has the public key can check it, without the ledger and
/// without a network.
///
/// Its [text](Self::to_text) is canonical JSON ([RFC 8785](https://www.rfc-editor.org/rfc/rfc8785)):
///
/// | field | what it is |
/// |---|---|
/// | `format` | 1 |
/// | `entry` | `seq`; `text`, which is hashed to the leaf; `beside`, the openings of its sealed values; `path`, the hashes from the leaf to the root, in hexadecimal |
/// | `circumstances` | `text` and `beside`; the entry contains the SHA-256 of the text |
/// | `treatment` | the treatment of each class and field; the circumstances contain its digest |
/// | `scrub` | the entry of the later scrub of the store's files, if there was one; in the form of `entry` |
/// | `certificate` | the same facts in readable form; it says no more than the entry |
/// | `checkpoint` | the signed checkpoint |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProvenCertificate {
    format: Format<1>,
    entry: ProvenEntry,
    circumstances: Texts,
    treatment: Arc<Treatment>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scrub: Option<ProvenEntry>,
    certificate: Value,
    checkpoint: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ProvenEntry {
    seq: u64,
    text: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    beside: Option<String>,
    path: Vec<Digest>,
}

/// A certificate that was checked.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct VerifiedCertificate {
    /// The certificate.
    pub certificate: Certificate,
    /// The checkpoint that covers its entry.
    pub checkpoint: Checkpoint,
    /// The verified text.
    text: String,
}

impl VerifiedCertificate {
    /// The certificate as one HTML page without other files. The page shows the checkpoint, and contains the verified
    /// text as a link. See [`Certificate::to_html`].
    pub fn to_html(&self, language: Language, words: Option<&Dictionary>) -> String {
        let link = format!("data:application/json;base64,{}", STANDARD.encode(&self.text));
        let checkpoint = self.checkpoint.to_string();
        let proof = Proof { checkpoint, covered: self.checkpoint.size(), link: &link };
        self.certificate.page(language, words, Some(&proof))
    }
}

fn malformed(why: &'static str) -> ProofError {
    ProofError::Malformed { what: "certificate", line: 1, why }
}

impl ProvenEntry {
    async fn of(ledger: &dyn KeepsTree, entry: &Entry, covered: u64) -> Result<Self, ProofError> {
        if entry.seq == 0 || entry.seq > covered {
            return Err(ProofError::NotCovered { entry: entry.seq, covered });
        }
        let path = path(ledger, &inclusion(entry.seq - 1, covered)).await?;
        let (text, beside) = (entry.body.to_text()?, entry.body.beside().map(str::to_owned));
        Ok(Self { seq: entry.seq, text, beside, path })
    }

    fn is_in(&self, checkpoint: &Checkpoint) -> Result<(), ProofError> {
        let covered = checkpoint.size();
        let (entry, leaf) = (self.seq, leaf_of(&self.text));
        let Some(index) = entry.checked_sub(1).filter(|index| *index < covered) else {
            return Err(ProofError::NotCovered { entry, covered });
        };
        if is_included(leaf, index, covered, &self.path, checkpoint.root()) {
            Ok(())
        } else {
            Err(ProofError::OtherEntries { covered })
        }
    }

    fn closed(&self, under: &Arc<Circumstances>) -> Result<Arc<ClosedCase>, ProofError> {
        let find = |digest| Ok((under.digest() == digest).then(|| Arc::clone(under)));
        match EntryBody::from_text::<LedgerError>(&self.text, self.beside.as_deref(), find) {
            Ok(EntryBody::Closed(closed)) => Ok(closed),
            Ok(_) => Err(malformed("the entry is not of a closed case")),
            Err(_) => Err(malformed("the entry cannot be read, or its circumstances are others")),
        }
    }

    fn scrubbed(&self) -> Result<Scrubbed, ProofError> {
        match EntryBody::from_text::<LedgerError>(&self.text, self.beside.as_deref(), |_| Ok(None)) {
            Ok(EntryBody::Scrubbed(scrubbed)) => Ok(scrubbed),
            _ => Err(malformed("the entry of the scrub cannot be read")),
        }
    }
}

impl ProvenCertificate {
    /// The certificate of a closed case, with its proof under a checkpoint. `None` if there is no such case, or if the
    /// case did not end in an erasure.
    ///
    /// # Errors
    /// [`ProofError::NotCovered`] if the case was closed after the checkpoint. [`ProofError::OtherEntries`] if the
    /// checkpoint belongs to another ledger. A ledger out of reach.
    pub async fn read(
        ledger: &dyn KeepsTree,
        case: &CaseId,
        checkpoint: &Checkpoint,
    ) -> Result<Option<Self>, ProofError> {
        let covered = checkpoint.size();
        let Some(entry) = ledger.entry(case).await? else { return Ok(None) };
        let Some(closed) = entry.closed() else { return Ok(None) };
        let Some(rules) = closed.erasure() else { return Ok(None) };
        let doing = "reading the treatment of a closed case";
        let treatment =
            ledger.treatment(rules.treatment_digest).await?.ok_or(LedgerError::Corrupt { doing })?;
        let scrubs = ledger.find(&Find::all([EntryKey::scrub()]).after(entry.seq)).await?;
        let is_after = |scrub: &&Entry| {
            scrub.seq <= covered
                && matches!(&scrub.body, EntryBody::Scrubbed(scrubbed) if scrubbed.through >= entry.seq)
        };
        let scrub = match scrubs.iter().find(is_after) {
            Some(scrub) => Some(ProvenEntry::of(ledger, scrub, covered).await?),
            None => None,
        };
        let at = scrub.as_ref().map(ProvenEntry::scrubbed).transpose()?.map(|scrubbed| scrubbed.at);
        let Some(certificate) = Certificate::of(entry.seq, closed, &treatment, at) else { return Ok(None) };
        let proven = Self {
            format: Format,
            entry: ProvenEntry::of(ledger, &entry, covered).await?,
            circumstances: Texts::of(closed.under())?,
            treatment,
            scrub,
            certificate: as_json(&certificate)?,
            checkpoint: checkpoint.to_string(),
        };
        // Check the proof before returning it: an invalid certificate is never returned.
        proven.is_in(checkpoint)?;
        Ok(Some(proven))
    }

    /// The text, as canonical JSON.
    ///
    /// # Errors
    /// [`LedgerError::Failed`] for values that JSON cannot express.
    pub fn to_text(&self) -> Result<String, LedgerError> {
        canonical(self)
            .map_err(|error| LedgerError::Failed { doing: "writing a certificate", what: error.to_string() })
    }

    /// Reads the text of a certificate, and checks it. It checks the signature of the checkpoint, the path from the
    /// entry to the root, and that the certificate agrees with the entry. Needs neither the ledger nor a network.
    ///
    /// # Errors
    /// [`ProofError`]: nothing is proved.
    ///
    /// ```
    /// # use relinquish::ledger::proof::{ProofError, ProvenCertificate};
    /// # let key = "example.com+b3c6b6f5+AQ==";
    /// let verified = ProvenCertificate::verify("{}", &key.parse().unwrap_or_else(|_| public_key()));
    /// assert!(matches!(verified, Err(ProofError::Malformed { .. })));
    /// # fn public_key() -> relinquish::ledger::proof::PublicKey {
    /// #     let one = [
    /// #         0x3d, 0x40, 0x17, 0xc3, 0xe8, 0x43, 0x89, 0x5a, 0x92, 0xb7, 0x0a, 0xa7, 0x4d, 0x1b, 0x7e, 0xbc,
    /// #         0x9c, 0x98, 0x2c, 0xcf, 0x2e, 0xc4, 0x96, 0x8c, 0xc0, 0xcd, 0x55, 0xf1, 0x2a, 0xf4, 0x66, 0x0c,
    /// #     ];
    /// #     relinquish::ledger::proof::PublicKey::new("example.com", &one).unwrap()
    /// # }
    /// ```
    pub fn verify(text: &str, key: &PublicKey) -> Result<VerifiedCertificate, ProofError> {
        let proven: Self =
            serde_json::from_str(text).map_err(|_| malformed("it is not the text of a certificate"))?;
        if proven.to_text()? != text.trim_end_matches('\n') {
            return Err(malformed("it is no canonical JSON, so somebody has changed it"));
        }
        let checkpoint = Checkpoint::read(&proven.checkpoint, key)?;
        let certificate = proven.is_in(&checkpoint)?;
        Ok(VerifiedCertificate { certificate, checkpoint, text: text.to_owned() })
    }

    /// Checks everything but the signature of the checkpoint.
    fn is_in(&self, checkpoint: &Checkpoint) -> Result<Certificate, ProofError> {
        self.entry.is_in(checkpoint)?;
        let other = |what| ProofError::OtherCertificate { what };
        let under = Circumstances::from_text(&self.circumstances.text, self.circumstances.beside.as_deref())
            .map_err(|_| malformed("the circumstances cannot be read"))?;
        if Texts::of(&under)? != self.circumstances {
            return Err(other("the circumstances"));
        }
        let closed = self.entry.closed(&Arc::new(under))?;
        let rules = closed.erasure().ok_or_else(|| malformed("the case did not end in an erasure"))?;
        if self.treatment.digest() != rules.treatment_digest {
            return Err(other("the treatment"));
        }
        let scrubbed_at = match &self.scrub {
            None => None,
            Some(scrub) => {
                scrub.is_in(checkpoint)?;
                let scrubbed = scrub.scrubbed()?;
                if scrub.seq <= self.entry.seq || scrubbed.through < self.entry.seq {
                    return Err(other("the scrub came before the erasure"));
                }
                Some(scrubbed.at)
            }
        };
        let certificate = Certificate::of(self.entry.seq, &closed, &self.treatment, scrubbed_at)
            .ok_or_else(|| malformed("the case did not end in an erasure"))?;
        if as_json(&certificate)? == self.certificate {
            Ok(certificate)
        } else {
            Err(other("the facts for reading"))
        }
    }
}

fn as_json(certificate: &Certificate) -> Result<Value, LedgerError> {
    serde_json::to_value(certificate)
        .map_err(|error| LedgerError::Failed { doing: "writing a certificate", what: error.to_string() })
}

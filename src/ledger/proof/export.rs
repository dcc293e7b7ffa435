//! Exports the whole ledger as text, and checks such a text against a checkpoint.

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, Write};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Checkpoint, ENTRIES, ProofError};
use crate::digest::Digest;
use crate::ledger::entry::leaf_of;
use crate::ledger::tree::Peaks;
use crate::ledger::{Circumstances, EntryBody, Ledger, LedgerError, next_entries};

/// A line of an export.
#[derive(Serialize, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Line {
    /// The circumstances of closed cases, before the first entry that names them.
    Circumstances(Texts),
    /// An entry.
    Entry(Numbered),
}

/// A text that is hashed, and the openings of its sealed values.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub(super) struct Texts {
    pub(super) text: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) beside: Option<String>,
}

#[derive(Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Numbered {
    seq: u64,
    text: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    beside: Option<String>,
}

impl Texts {
    pub(super) fn of(circumstances: &Circumstances) -> Result<Self, LedgerError> {
        let (text, beside) = circumstances.to_text()?;
        Ok(Self { text, beside })
    }
}

/// A cache of the circumstances that were written or read last. Entries that share circumstances usually follow each
/// other. Circumstances that have left the cache are written again.
struct Recent<T> {
    known: BTreeMap<Digest, T>,
    order: VecDeque<Digest>,
}

impl<T> Recent<T> {
    const MOST: usize = 1_000;

    fn new() -> Self {
        Self { known: BTreeMap::new(), order: VecDeque::new() }
    }

    fn get(&self, digest: Digest) -> Option<&T> {
        self.known.get(&digest)
    }

    fn put(&mut self, digest: Digest, value: T) {
        if self.order.len() == Self::MOST
            && let Some(first) = self.order.pop_front()
        {
            self.known.remove(&first);
        }
        self.order.push_back(digest);
        self.known.insert(digest, value);
    }
}

/// What an export proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct VerifiedExport {
    /// The number of entries.
    pub entries: u64,
    /// The number of entries after the checkpoint. For these there is no proof that nobody changed them.
    pub unprotected: u64,
}

fn written(error: &std::io::Error) -> LedgerError {
    LedgerError::Failed { doing: "writing the export", what: error.kind().to_string() }
}

/// Writes all entries of a ledger as lines of JSON: `{"entry":{"seq":…,"text":…,"beside":…}}`. Circumstances have
/// their own line, before the first entry that refers to them: `{"circumstances":{"text":…,"beside":…}}`.
///
/// The `text` is hashed: the leaf of an entry is the SHA-256 of a zero byte and the text. `beside` has the openings
/// of the sealed values: tokens of customers, and ids of operators. It is missing if they were destroyed. Memory is
/// bounded.
///
/// # Errors
/// A ledger out of reach, or an entry that is missing in the ledger. A failed write.
pub async fn export(ledger: &dyn Ledger, to: &mut (dyn Write + Send)) -> Result<(), ProofError> {
    let last = ledger.last().await?;
    let (mut after, mut known) = (0, Recent::new());
    while after < last {
        for entry in next_entries(ledger, after, last, ENTRIES).await? {
            after = entry.seq;
            if let Some(case) = entry.closed()
                && known.get(case.circumstances()).is_none()
            {
                known.put(case.circumstances(), ());
                write(to, &Line::Circumstances(Texts::of(case.under())?))?;
            }
            let (text, beside) = (entry.body.to_text()?, entry.body.beside().map(str::to_owned));
            write(to, &Line::Entry(Numbered { seq: entry.seq, text, beside }))?;
        }
    }
    Ok(to.flush().map_err(|error| written(&error))?)
}

fn to_text(line: &Line) -> Result<String, LedgerError> {
    let failed = |error: serde_json::Error| LedgerError::Failed {
        doing: "writing the export",
        what: error.to_string(),
    };
    serde_json::to_string(line).map_err(failed)
}

fn write(to: &mut (dyn Write + Send), line: &Line) -> Result<(), LedgerError> {
    writeln!(to, "{}", to_text(line)?).map_err(|error| written(&error))
}

/// Checks an export against a checkpoint. Needs neither the ledger nor a network.
///
/// # Errors
/// [`ProofError::CutOff`] and [`ProofError::OtherEntries`]: the export does not have the entries that the checkpoint
/// covers. [`ProofError::Malformed`], with the line, for a text that no ledger wrote.
pub fn verify_export(from: impl BufRead, checkpoint: &Checkpoint) -> Result<VerifiedExport, ProofError> {
    let (mut peaks, mut known) = (Peaks::default(), Recent::new());
    let mut named = None;
    let mut is_the_same = checkpoint.size() == 0 && peaks.root() == checkpoint.root();
    for (number, line) in (1..).zip(from.split(b'\n')) {
        let malformed = |why| ProofError::Malformed { what: "export", line: number, why };
        let line = line.map_err(|_| malformed("the line cannot be read"))?;
        let line = String::from_utf8(line).map_err(|_| malformed("the line is no UTF-8"))?;
        let read: Line =
            serde_json::from_str(&line).map_err(|_| malformed("the line is not of an export"))?;
        if to_text(&read)? != line {
            return Err(malformed("somebody has written the line otherwise"));
        }
        match read {
            Line::Circumstances(texts) => {
                let read = Circumstances::from_text(&texts.text, texts.beside.as_deref())
                    .map_err(|_| malformed("the circumstances cannot be read"))?;
                if Texts::of(&read)? != texts {
                    return Err(malformed("the circumstances have another form"));
                }
                let digest = read.digest();
                if named.is_some() || known.get(digest).is_some() {
                    return Err(malformed("the circumstances are not those of the next entry alone"));
                }
                named = Some(digest);
                known.put(digest, Arc::new(read));
            }
            Line::Entry(entry) => {
                if entry.seq != peaks.size() + 1 {
                    return Err(malformed("the number of the entry does not follow the one before"));
                }
                let find = |digest| Ok(known.get(digest).cloned());
                let body = EntryBody::from_text::<LedgerError>(&entry.text, entry.beside.as_deref(), find)
                    .map_err(|_| malformed("the entry cannot be read, or its circumstances are missing"))?;
                if named
                    .take()
                    .is_some_and(|named| body.closed().map(|case| case.circumstances()) != Some(named))
                {
                    return Err(malformed("the circumstances before the entry are not its own"));
                }
                peaks.push(leaf_of(&entry.text));
                if peaks.size() == checkpoint.size() {
                    is_the_same = peaks.root() == checkpoint.root();
                }
            }
        }
    }
    let (entries, covered) = (peaks.size(), checkpoint.size());
    if entries < covered {
        return Err(ProofError::CutOff { last: entries, covered });
    }
    if !is_the_same {
        return Err(ProofError::OtherEntries { covered });
    }
    Ok(VerifiedExport { entries, unprotected: entries - covered })
}

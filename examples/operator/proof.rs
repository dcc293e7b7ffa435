//! The commands that prove that nobody has changed the ledger: keys, checkpoints, exports, and certificates with
//! proofs.

use std::fs::{self, File, OpenOptions};
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use relinquish::SqliteLedger;
use relinquish::ledger::proof::{
    self, Checkpoint, FileSigner, ProofError, ProvenCertificate, PublicKey, Signer as _,
};
use relinquish::plan::CaseId;
use relinquish::plan::letter::Language;
use serde_json::json;

use crate::answer::{Answer, Failure};
use crate::opening::existing_ledger;

/// Arguments of `ledger`.
#[derive(Args)]
pub(crate) struct LedgerArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
#[expect(clippy::large_enum_variant, reason = "there is one in each run")]
enum What {
    /// Make a key for checkpoints, once; prints the public key
    Signer {
        /// The new file with the key; keep it apart from the ledger
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// The name of the ledger, in one word, for example erasures.example.com
        #[arg(long)]
        name: String,
    },
    /// Print a checkpoint of the ledger as it is now; keep it in another place
    Checkpoint {
        /// The ledger
        #[arg(long, value_name = "FILE")]
        ledger: PathBuf,
        /// The key, as `ledger signer` made it
        #[arg(long, value_name = "FILE")]
        signer: PathBuf,
        /// An earlier checkpoint, which the new one has to continue
        #[arg(long, value_name = "FILE")]
        after: Option<PathBuf>,
    },
    /// Write all entries as text, for `verify export`
    Export {
        /// The ledger
        #[arg(long, value_name = "FILE")]
        ledger: PathBuf,
        /// The new file; only you may read it
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Print a certificate with its proof, for `verify certificate`
    Certificate {
        /// The ledger
        #[arg(long, value_name = "FILE")]
        ledger: PathBuf,
        /// The closed case
        #[arg(long)]
        case: String,
        /// A checkpoint from after the case was closed
        #[arg(long, value_name = "FILE")]
        checkpoint: PathBuf,
        /// The public key, as `ledger signer` printed it
        #[arg(long)]
        key: PublicKey,
        /// Print a page of HTML instead, in this language: en, sv or de
        #[arg(long, value_name = "LANGUAGE")]
        html: Option<Language>,
    },
}

fn of(file: &Path) -> impl Fn(ProofError) -> Failure {
    move |source| Failure::Proof { file: file.to_owned(), source }
}

fn read_checkpoint(file: &Path, key: &PublicKey) -> Result<Checkpoint, Failure> {
    let text =
        fs::read_to_string(file).map_err(|source| Failure::Unreadable { file: file.to_owned(), source })?;
    Checkpoint::read(&text, key).map_err(of(file))
}

/// Makes keys and checkpoints, and prints proofs.
pub(crate) async fn ledger(args: &LedgerArgs) -> Result<Answer, Failure> {
    match &args.what {
        What::Signer { out, name } => {
            let signer = FileSigner::create(out, name).map_err(|error| of(out)(error.into()))?;
            let key = signer.public_key().to_string();
            Ok(Answer::done(key.as_str(), json!({ "public_key": key })))
        }
        What::Checkpoint { ledger: file, signer, after } => {
            let ledger = existing_ledger(file)?;
            let signer = FileSigner::open(signer).map_err(|error| of(signer)(error.into()))?;
            let earlier =
                after.as_deref().map(|after| read_checkpoint(after, signer.public_key())).transpose()?;
            let checkpoint = Checkpoint::take(&ledger, &signer, earlier.as_ref()).await.map_err(of(file))?;
            let json = json!({ "entries": checkpoint.size(), "checkpoint": checkpoint.to_string() });
            Ok(Answer::done(checkpoint.to_string().trim_end(), json))
        }
        What::Export { ledger: file, out } => {
            let ledger = existing_ledger(file)?;
            let mut writer = BufWriter::new(new_file(out)?);
            proof::export(&ledger, &mut writer).await.map_err(of(file))?;
            Ok(Answer::done(format!("written to {}", out.display()), json!({ "file": out })))
        }
        What::Certificate { ledger: file, case, checkpoint, key, html } => {
            let ledger = existing_ledger(file)?;
            let checkpoint = read_checkpoint(checkpoint, key)?;
            certificate(&ledger, file, &CaseId::new(case.as_str()), &checkpoint, html.map(|in_| (in_, key)))
                .await
        }
    }
}

async fn certificate(
    ledger: &SqliteLedger,
    file: &Path,
    case: &CaseId,
    checkpoint: &Checkpoint,
    html: Option<(Language, &PublicKey)>,
) -> Result<Answer, Failure> {
    let Some(proven) = ProvenCertificate::read(ledger, case, checkpoint).await.map_err(of(file))? else {
        let text =
            format!("refused: the ledger has no erasure under case {case}; the certificate names its case");
        return Ok(Answer::refused(&json!({ "case": case, "certificate": "none" }), text));
    };
    let text = proven.to_text().map_err(|error| of(file)(error.into()))?;
    if let Some((language, key)) = html {
        let verified = ProvenCertificate::verify(&text, key).map_err(of(file))?;
        let html = verified.to_html(language, None);
        return Ok(Answer::done(html.as_str(), json!({ "html": html })));
    }
    Ok(Answer::done(text.as_str(), json!({ "certificate": text })))
}

/// A new file that only its owner may read.
fn new_file(path: &Path) -> Result<File, Failure> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map_err(|source| Failure::Unwritable { file: path.to_owned(), source })
}

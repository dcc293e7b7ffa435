//! Verifies a certificate, or the export of a ledger. It needs only the public key of the ledger's signer.
//!
//! ```sh
//! cargo run --features checkpoints --example verify -- certificate certificate.json 'erasures.example.com+…+…'
//! cargo run --features checkpoints --example verify -- export ledger.jsonl checkpoint.txt 'erasures.example.com+…+…'
//! ```
//!
//! It exits with 0 if everything is proved, and with 1 if not. Neither the ledger nor a network is needed.

#![allow(clippy::print_stdout)]

use std::error::Error;
use std::fs::{self, File};
use std::io::BufReader;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use relinquish::ledger::proof::{self, Checkpoint, ProvenCertificate, PublicKey};

/// Verifies a certificate or an export of a ledger, without the ledger
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// A certificate of one erasure
    Certificate {
        /// The certificate
        file: PathBuf,
        /// The public key of the ledger's signer, as its operator has published it
        key: PublicKey,
    },
    /// All entries of a ledger, against a checkpoint that was kept elsewhere
    Export {
        /// The export
        file: PathBuf,
        /// The checkpoint
        checkpoint: PathBuf,
        /// The public key of the ledger's signer, as its operator has published it
        key: PublicKey,
    },
}

fn main() -> ExitCode {
    match verify(Arguments::parse().what) {
        Ok(proved) => {
            println!("{proved}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("not proved: {error}");
            ExitCode::FAILURE
        }
    }
}

fn verify(what: What) -> Result<String, Box<dyn Error>> {
    let named = |file: &PathBuf, error: std::io::Error| format!("{}: {error}", file.display());
    match what {
        What::Certificate { file, key } => {
            let text = fs::read_to_string(&file).map_err(|error| named(&file, error))?;
            let verified = ProvenCertificate::verify(&text, &key)?;
            let (certificate, checkpoint) = (verified.certificate, verified.checkpoint);
            Ok(format!(
                "{certificate}\nproved: it is among {} entries of {}",
                checkpoint.size(),
                checkpoint.origin()
            ))
        }
        What::Export { file, checkpoint, key } => {
            let held = fs::read_to_string(&checkpoint).map_err(|error| named(&checkpoint, error))?;
            let held = Checkpoint::read(&held, &key)?;
            let export = File::open(&file).map_err(|error| named(&file, error))?;
            let verified = proof::verify_export(BufReader::new(export), &held)?;
            let unprotected = match verified.unprotected {
                0 => String::new(),
                count => {
                    format!("; the last {count} came after the checkpoint, and nothing is proved of them")
                }
            };
            let (size, origin) = (held.size(), held.origin());
            Ok(format!("proved: the first {size} entries of {origin} are unchanged{unprotected}"))
        }
    }
}

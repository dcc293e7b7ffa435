//! The command for the suppression list: it says whether identifiers belong to somebody who was erased.

use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use relinquish::customer::Identifier;
use relinquish::data_map::Kind;
use serde_json::json;

use crate::answer::{Answer, Failure};
use crate::opening::{Documents, must_exist, read};

/// Arguments of `suppressed`.
#[derive(Args)]
pub(crate) struct SuppressedArgs {
    #[command(flatten)]
    documents: Documents,
    /// The ledger, which has the suppression list; the list's keys are in the file ….suppression.keys next to it
    #[arg(long, value_name = "FILE")]
    ledger: PathBuf,
    /// The tenant of which the person would be a customer
    #[arg(long, value_name = "TENANT")]
    tenant: String,
    /// An identifier, such as email=maud@example.org; can be given again
    #[arg(long = "identifier", value_name = "KIND=VALUE", required_unless_present = "from")]
    identifiers: Vec<Asked>,
    /// A file with one identifier per line, so that none of them stays in the history of the shell
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// Remove the identifiers from the list, because the person returns or somebody else has the same address
    #[arg(long)]
    let_in: bool,
}

#[derive(Clone)]
struct Asked {
    kind: Kind,
    value: String,
}

impl FromStr for Asked {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (kind, value) = text.split_once('=').ok_or("write KIND=VALUE, such as email=maud@example.org")?;
        let kind = kind.parse().map_err(|error| format!("{kind}: {error}"))?;
        Ok(Self { kind, value: value.to_owned() })
    }
}

/// Prints an answer for each identifier, by its number and kind.
pub(crate) async fn suppressed(args: &SuppressedArgs) -> Result<Answer, Failure> {
    must_exist(&args.ledger)?;
    let mut asked = args.identifiers.clone();
    if let Some(file) = &args.from {
        for (n, line) in read(file)?.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            match line.parse() {
                Ok(one) => asked.push(one),
                Err(why) => {
                    let why = format!("refused: line {} of {}: {why}", n + 1, file.display());
                    return Ok(Answer::refused(&json!({ "line": n + 1 }), why));
                }
            }
        }
    }
    let identifiers: Vec<Identifier> =
        asked.into_iter().map(|one| Identifier::new(args.tenant.as_str(), one.kind, one.value)).collect();
    let engine = args.documents.engine(&args.ledger).await?;
    if args.let_in {
        let tokens = engine.let_in(&identifiers).await?;
        let text = format!("{tokens} tokens taken out of the suppression list");
        return Ok(Answer::done(text, json!({ "tokens": tokens })));
    }
    let answers = engine.were_erased(&identifiers).await?;
    let lines = identifiers.iter().zip(&answers).enumerate().map(|(n, (one, known))| {
        let says = if *known { "of somebody who was erased" } else { "not in the list" };
        format!("identifier {} ({}): {says}", n + 1, one.kind)
    });
    Ok(Answer::done(lines.collect::<Vec<_>>().join("\n"), json!({ "erased": answers })))
}

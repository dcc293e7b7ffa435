//! The command for recipients: who has customers' data, how each recipient identifies a person, and what each
//! treatment tells them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use relinquish::plan::CaseId;
use relinquish::treatment::RecipientAction;
use relinquish::{Certificate, RecordStore as _};
use serde_json::{Value, json};

use crate::answer::{Answer, Failure, misfits};
use crate::opening::{Documents, existing_ledger};

/// Arguments of `recipients`.
#[derive(Args)]
pub(crate) struct RecipientsArgs {
    #[command(flatten)]
    documents: Documents,
    /// The ledger; with --case
    #[arg(long, value_name = "FILE", requires = "case")]
    ledger: Option<PathBuf>,
    /// A closed case: also what each recipient answered
    #[arg(long, value_name = "ID", requires = "ledger")]
    case: Option<String>,
}

/// Lists the recipients of the map. For each it says what the policy does, or what the recipient answered in a case.
pub(crate) async fn recipients(args: &RecipientsArgs) -> Result<Answer, Failure> {
    let opened = args.documents.open()?;
    let policy = opened.policy.check(opened.store.data_map());
    let policy = policy.map_err(|found| Failure::Misfits(misfits(&args.documents.policy, &found)))?;
    let mut lines = Vec::new();
    let mut list = Vec::new();
    for (name, by) in opened.store.data_map().recipients() {
        let words: Vec<&str> = by.words().collect();
        lines.push(format!("recipient {name}, which knows a person by {}", words.join(", ")));
        let mut treatments = BTreeMap::new();
        let tenants = policy.tenants().map(|tenant| policy.effective(tenant));
        for rules in std::iter::once(policy.everyone()).chain(tenants) {
            for (treatment, of) in rules.treatments() {
                let Some(action) = of.recipients().get(name) else { continue };
                let of = rules.tenant().map_or_else(String::new, |tenant| format!("tenant {tenant}, "));
                let said = match action {
                    RecipientAction::Tell => "told".to_owned(),
                    RecipientAction::NotTold { why, reason } => format!("not told: {why}: {reason}"),
                };
                lines.push(format!("  {of}treatment {treatment}: {said}"));
                treatments.insert(format!("{of}{treatment}"), json!(action));
            }
        }
        list.push(json!({ "recipient": name, "identified_by": by, "treatments": treatments }));
    }
    if list.is_empty() {
        lines.push("the data map names no recipient; write [recipients]".to_owned());
    }
    let mut json = json!({ "recipients": list });
    if let (Some(ledger), Some(case)) = (&args.ledger, &args.case) {
        let opened = existing_ledger(ledger)?;
        let case = CaseId::new(case.as_str());
        let certificate = Certificate::read(&opened, &case)
            .await
            .map_err(|source| Failure::Ledger { file: ledger.clone(), source })?;
        let Some(certificate) = certificate else {
            let text = format!("refused: the ledger has no erasure under case {case}");
            return Ok(Answer::refused(&json!({ "case": case, "certificate": "none" }), text));
        };
        lines.push(format!("in case {case}"));
        for told in certificate.recipients() {
            lines.push(format!("  {} {}", told.recipient, told.answer));
        }
        if let Value::Object(table) = &mut json {
            table.insert("answers".to_owned(), json!(certificate.recipients()));
        }
    }
    Ok(Answer::done(lines.join("\n"), json))
}

//! The command that exports data: about one customer, of one class, or of a tenant.

use std::io::{BufWriter, Write as _};
use std::path::PathBuf;

use clap::Args;
use relinquish::engine::PrivateFile;
use relinquish::engine::export::{Export, ExportError, ExportReport, ZipExport, write_csv, write_json};
use serde_json::json;

use crate::answer::{Answer, Failure};
use crate::find::Looking;
use crate::words::Head;

/// Arguments of `export`.
#[derive(Args)]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    looking: Looking,
    /// Everything about this customer
    #[arg(long, value_name = "ID", allow_hyphen_values = true, required_unless_present_any = ["class", "tenant"])]
    customer: Option<String>,
    /// All records of this class
    #[arg(long, value_name = "NAME", conflicts_with_all = ["customer", "tenant"])]
    class: Option<String>,
    /// Everything about all customers of this tenant
    #[arg(long, conflicts_with = "customer")]
    tenant: Option<String>,
    /// Show personal values in records that other people share; use it only after weighing their rights
    #[arg(long)]
    show_shared: bool,
    /// The archive to write: a table for each class, documents, and a page for the person if --contact is given
    #[arg(long, value_name = "FILE", required_unless_present_any = ["json_file", "csv"])]
    zip: Option<PathBuf>,
    /// The JSON document to write
    #[arg(long, value_name = "FILE", conflicts_with = "zip")]
    json_file: Option<PathBuf>,
    /// The CSV to write
    #[arg(long, value_name = "FILE", conflicts_with_all = ["zip", "json_file"])]
    csv: Option<PathBuf>,
    #[command(flatten)]
    head: Head,
}

/// Exports to a new file that only its owner may read.
pub(crate) async fn export(args: &ExportArgs) -> Result<Answer, Failure> {
    let (engine, access) = args.looking.open().await?;
    let export = match (&args.customer, &args.class, &args.tenant) {
        (Some(customer), ..) => Export::customer(customer.as_str()),
        (None, Some(class), _) => Export::class(class.as_str()),
        (None, None, tenant) => Export::tenant(tenant.as_deref().unwrap_or_default()),
    };
    let export = if args.show_shared { export.showing_shared() } else { export };
    let exporting = engine.export(&export, &access).await?;
    let chosen = [&args.zip, &args.json_file, &args.csv].into_iter().flatten().next();
    let path = chosen.cloned().unwrap_or_default();
    let failed = |error: ExportError| match error {
        ExportError::Engine(error) => Failure::from(error),
        other => Failure::Unwritable { file: path.clone(), source: std::io::Error::other(other.to_string()) },
    };
    let unwritable = |source| Failure::Unwritable { file: path.clone(), source };
    let written = if args.zip.is_some() {
        let zone = engine.policy().everyone().time_zone();
        let head = (!args.head.contact.is_empty())
            .then(|| args.head.letterhead(engine.policy(), zone))
            .transpose()
            .map_err(|error| failed(error.into()))?;
        let zip = ZipExport::at(&path);
        let zip = match &head {
            Some(head) => zip.with_index(head),
            None => zip,
        };
        zip.write(exporting).await.map_err(failed)?
    } else {
        let mut file = BufWriter::new(PrivateFile::create(&path).map_err(unwritable)?);
        let written = match &args.csv {
            Some(_) => write_csv(exporting, &mut file).await,
            None => write_json(exporting, &mut file).await,
        };
        let written = written.map_err(failed)?;
        file.flush().map_err(unwritable)?;
        let file = file.into_inner().map_err(|error| unwritable(error.into_error()))?;
        file.finish().map_err(unwritable)?;
        written
    };
    let report = written.report();
    Ok(Answer::done(said(report), json!({ "file": path, "report": report })))
}

/// A text that says what is in the export and what is left out.
fn said(report: &ExportReport) -> String {
    let records = report.records.iter().map(|(class, count)| format!("  {:<20} {count:>9}", class.as_str()));
    let left_out = report.left_out.iter().map(|left| {
        format!("  left out   {}.{}: {} of {} records", left.class, left.field, left.why, left.records)
    });
    let not_covered = report.not_covered.iter().map(|what| format!("  not covered: {what}"));
    let lines: Vec<String> = records.chain(left_out).chain(not_covered).collect();
    lines.join("\n")
}

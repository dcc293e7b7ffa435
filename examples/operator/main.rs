//! The library as a command line for administrators, over any SQLite database.
//!
//! A map says what the database contains, and a policy says what must happen to the data. `examples/chinook` has both
//! for a public sample database. The commands:
//!
//! ```text
//! cargo run --example operator -- draft --database shop.sqlite --customers clients > map.toml
//! cargo run --example operator -- check --database shop.sqlite --map map.toml --policy policy.toml
//! cargo run --example operator -- plan  --database … --map … --policy … --customer 5 --ledger ledger.sqlite
//! cargo run --example operator -- erase --database … --map … --policy … --customer 5 --ledger ledger.sqlite \
//!     --approver op-17 --digest 6b1f…
//! cargo run --example operator -- decide --database … --map … --policy … --customer 5 --explain
//! cargo run --example operator -- survey --database … --map … --policy … --ledger ledger.sqlite --out due.csv --column since
//! cargo run --example operator -- approve --review due.csv --approver op-17 --digest 6b1f…
//! cargo run --example operator -- run --database … --map … --policy … --ledger ledger.sqlite --review due.csv
//! cargo run --example operator -- stand --database … --map … --policy … --approver op-17 --tenant acme --trigger cancelled \
//!     --per-run 500 --per-day 1000 --share "2 %" --days 365 --out standing.json
//! cargo run --example operator -- run --database … --map … --policy … --ledger ledger.sqlite --standing standing.json
//! cargo run --example operator -- expire --database … --map … --policy … --tenant acme --ledger ledger.sqlite
//! cargo run --example operator -- replay --database … --map … --policy … --ledger ledger.sqlite --since 2026-11-20T02:00:00Z
//! cargo run --example operator -- backups expire --database … --map … --policy … --ledger ledger.sqlite --place nightly \
//!     --directory /backups --pattern crm-%Y-%m-%d.sqlite --beside .sha256 --newest 30 --days 30
//! cargo run --example operator -- suppressed --database … --map … --policy … --ledger ledger.sqlite --tenant acme \
//!     --identifier email=maud@example.org
//! cargo run --example operator -- impact --database … --map … --old policy.toml --new stricter.toml
//! cargo run --example operator -- unreadable --database … --map … --policy …
//! cargo run --example operator -- statement --database … --map … --policy … --lang sv
//! cargo run --example operator -- letter --database … --map … --policy … --customer 5 --kind refusal \
//!     --reference R-1 --received 2026-11-02 --contact … --authority … --authority-address …
//! cargo run --example operator -- letter --database … --map … --policy … --case 5c65… --kind confirmation \
//!     --ledger ledger.sqlite --reference R-1 --received 2026-11-02 --contact … --authority … --authority-address …
//! cargo run --example operator -- recipients --database … --map … --policy …
//! cargo run --example operator -- concept --database … --map … --policy … --csv
//! cargo run --example operator -- schema --of policy > policy.schema.json
//! cargo run --example operator -- scrub  --database … --map … --policy … --ledger ledger.sqlite
//! cargo run --example operator -- certificate --ledger ledger.sqlite --case 5c65…
//! cargo run --example operator -- certificate --ledger ledger.sqlite --case 5c65… --html sv > certificate.html
//! cargo run --example operator -- hold add --database … --map … --policy … --ledger ledger.sqlite --customer 5 \
//!     --ground legal_claim --reference file-2026-7 --approver op-17
//! cargo run --example operator -- stop --ledger ledger.sqlite --reference ticket-4711 --approver op-17
//! cargo run --example operator -- hold lift --ledger ledger.sqlite --hold 9a3c… --approver op-17
//! cargo run --example operator -- request add --database … --map … --policy … --ledger ledger.sqlite --request r-1 \
//!     --kind erasure --channel email --received 2026-11-02T09:30:00Z --customer 5
//! cargo run --example operator -- request note --database … --map … --policy … --ledger ledger.sqlite --request r-1 \
//!     --approver op-17 approve --digest 6b1f…
//! cargo run --example operator -- request list --database … --map … --policy … --ledger ledger.sqlite --near-deadline 7
//! cargo run --example operator -- worker --database … --map … --policy … --ledger ledger.sqlite --once
//! cargo run --example operator -- find --database … --map … --policy … --approver op-17 --purpose ticket-4711 \
//!     --access-log access.jsonl --kind email --value maud@example.org
//! cargo run --features export --example operator -- export --database … --map … --policy … --approver op-17 \
//!     --purpose ticket-4711 --access-log access.jsonl --customer 5 --zip data.zip --contact … --authority … --authority-address …
//! cargo run --example operator -- status --ledger ledger.sqlite --overdue
//! cargo run --features checkpoints --example operator -- ledger signer --out ledger.signer --name erasures.example.com
//! cargo run --features checkpoints --example operator -- ledger checkpoint --ledger ledger.sqlite --signer ledger.signer
//! ```
//!
//! `survey` writes the customers who are due to a file, for a person to check. `approve` approves the digest of those
//! that are left, and `run` erases exactly these. `stand` makes a standing approval, which is for a scheduler.
//!
//! `plan` shows what would be done and changes nothing. `erase` plans again, and continues only if the digest is
//! still the approved one. `resume` finishes an interrupted case. `retry` tries a blocked case again, and `cancel`
//! gives it up. `by-hand` ends a step at a gateway or recipient that a person did by hand, and `waive` leaves the
//! step out. Every command accepts `--json`.
//!
//! The exit code is 0 for success, 1 for an error, and 2 for a refusal. A refusal prints its reason, with a date if
//! there is one. Of a person, the program prints only the host's own customer id.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use serde_json::json;

use answer::{Answer, Failure};

mod answer;
mod backups;
mod commands;
mod expiry;
#[cfg(feature = "export")]
mod export;
mod find;
mod holds;
mod opening;
#[cfg(feature = "checkpoints")]
mod proof;
mod recipients;
mod replay;
mod requests;
mod suppressed;
mod sweep;
mod words;

/// Erases customers of an SQLite database: by a policy, with a plan before and a certificate after
#[derive(Parser)]
#[command(name = "operator", after_help = "Exit codes: 0 done, 2 refused, 1 error.")]
struct Cli {
    /// Answer in JSON, on standard output, errors too
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Draft the map of a database, with a mark at each guess; changes nothing
    Draft(words::DraftArgs),
    /// Check map and policy against the database
    Check(commands::CheckArgs),
    /// Show what an erasure would do; changes nothing
    Plan(commands::PlanArgs),
    /// Show what the policy decides about a customer, and why; changes nothing
    Decide(words::DecideArgs),
    /// Show which customers a changed policy would affect; changes nothing
    Impact(words::ImpactArgs),
    /// List the customers with facts that cannot be read, each with these facts; changes nothing
    Unreadable(words::UnreadableArgs),
    /// The retention policy in words for the people whose data it is about
    Statement(words::StatementArgs),
    /// A letter, made from the decision: refusal, confirmation, extension
    Letter(words::LetterArgs),
    /// List the recipients of customers' data, and what each treatment tells them; with a case, what they answered
    Recipients(recipients::RecipientsArgs),
    /// The deletion concept of map and policy, in the terms of ISO/IEC 27555
    Concept(words::ConceptArgs),
    /// The JSON Schema of a policy or a map, for editors
    Schema(words::SchemaArgs),
    /// List the records and fields that contain a value; changes nothing
    Find(find::FindArgs),
    /// List every other place in which a person appears; changes nothing
    Traces(find::TracesArgs),
    /// Export everything about a customer, one class or a tenant, to a file that only its owner may read
    #[cfg(feature = "export")]
    Export(Box<export::ExportArgs>),
    /// Erase as planned and approved, and print the certificate
    Erase(commands::EraseArgs),
    /// Survey all customers, and write those who are due as a CSV for a person to check; changes nothing
    Survey(sweep::SurveyArgs),
    /// Show what is left of a review; with its digest, approve it
    Approve(sweep::ApproveArgs),
    /// Approve in advance what the current policy will find due, within limits
    Stand(sweep::StandArgs),
    /// Erase the customers of an approved review, or those that a standing approval covers
    Run(sweep::RunArgs),
    /// Show which records have expired; with the digest of that plan, erase them
    Expire(expiry::ExpireArgs),
    /// After a restore: show which customers have to be erased again; with the digest of that replay, erase them
    Replay(replay::ReplayArgs),
    /// List backup copies and rotated logs, and remove those that their rule no longer allows
    Backups(backups::BackupsArgs),
    /// Say whether identifiers belong to somebody who was erased, or take them out of the suppression list
    Suppressed(suppressed::SuppressedArgs),
    /// Print the certificate of a closed case, as the ledger can prove it now
    Certificate(commands::CertificateArgs),
    /// List open cases, count closed ones
    Status(commands::StatusArgs),
    /// Continue every interrupted case
    Resume(commands::Host),
    /// Try a blocked case again
    Retry(commands::RetryArgs),
    /// Cancel a case before its first irreversible step
    Cancel(commands::CancelArgs),
    /// Continue a blocked case without the blocked step; the certificate says so
    Waive(commands::StepArgs),
    /// Continue a blocked case after a person did the step by hand at the gateway or recipient, with evidence
    ByHand(commands::StepArgs),
    /// Place, lift and list holds: data that must be kept for now
    Hold(holds::HoldArgs),
    /// Record, note, show and list requests of data subjects
    Request(requests::RequestArgs),
    /// Carry out approved requests and open cases, until the program is interrupted
    Worker(requests::WorkerArgs),
    /// Count open, blocked and overdue work
    Health(requests::HealthArgs),
    /// Emergency stop: every process on the ledger stops before its next step, until the hold is lifted
    Stop(holds::StopArgs),
    /// Remove erased bytes from the database's files; run it after an erasure
    Scrub(commands::ScrubArgs),
    /// Prove that nobody has changed the ledger: keys, checkpoints, exports, certificates
    #[cfg(feature = "checkpoints")]
    Ledger(proof::LedgerArgs),
}

fn main() -> ExitCode {
    match Cli::try_parse() {
        Ok(cli) => run(&cli.command).unwrap_or_else(Answer::from).print(cli.json),
        Err(usage) => explain(&usage),
    }
}

fn run(command: &Command) -> Result<Answer, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().map_err(Failure::Runtime)?;
    runtime.block_on(async {
        match command {
            Command::Check(args) => commands::check(args).await,
            Command::Plan(args) => commands::plan(args).await,
            Command::Decide(args) => words::decide(args).await,
            Command::Impact(args) => words::impact(args).await,
            Command::Unreadable(args) => words::unreadable(args).await,
            Command::Statement(args) => words::statement(args),
            Command::Letter(args) => words::letter(args).await,
            Command::Recipients(args) => recipients::recipients(args).await,
            Command::Concept(args) => words::concept(args),
            Command::Schema(args) => Ok(words::schema(args)),
            Command::Find(args) => find::find(args).await,
            Command::Traces(args) => find::traces(args).await,
            #[cfg(feature = "export")]
            Command::Export(args) => export::export(args).await,
            Command::Draft(args) => words::draft(args),
            Command::Erase(args) => commands::erase(args).await,
            Command::Survey(args) => sweep::survey(args).await,
            Command::Approve(args) => sweep::approve(args),
            Command::Stand(args) => sweep::stand(args),
            Command::Run(args) => sweep::run(args).await,
            Command::Expire(args) => expiry::expire(args).await,
            Command::Replay(args) => replay::replay(args).await,
            Command::Backups(args) => backups::backups(args).await,
            Command::Suppressed(args) => suppressed::suppressed(args).await,
            Command::Certificate(args) => commands::certificate(args).await,
            Command::Status(args) => commands::status(args).await,
            Command::Resume(host) => commands::resume(host).await,
            Command::Retry(args) => commands::retry(args).await,
            Command::Cancel(args) => commands::cancel(args).await,
            Command::Waive(args) => commands::decide_step(args, false).await,
            Command::ByHand(args) => commands::decide_step(args, true).await,
            Command::Hold(args) => holds::hold(args).await,
            Command::Request(args) => requests::request(args).await,
            Command::Worker(args) => requests::worker(args).await,
            Command::Health(args) => requests::health(args).await,
            Command::Stop(args) => holds::stop(args).await,
            Command::Scrub(args) => commands::scrub(args).await,
            #[cfg(feature = "checkpoints")]
            Command::Ledger(args) => proof::ledger(args).await,
        }
    })
}

/// Prints the help, or the error of the command line. clap would exit with 2, but here 2 means refused.
fn explain(usage: &clap::Error) -> ExitCode {
    if !usage.use_stderr() {
        return if usage.print().is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    // The arguments could not be parsed. So the program can only guess whether the user wants JSON.
    let written = if std::env::args_os().any(|argument| argument == "--json") {
        writeln!(io::stdout(), "{:#}", json!({ "error": usage.to_string() }))
    } else {
        usage.print()
    };
    // If printing fails, the exit code still shows the error.
    drop(written);
    ExitCode::FAILURE
}

//! Creates the tables of the ledger, and migrates them to a later format.

use tokio_postgres::types::Type;

use super::PostgresLedger;
use super::book::limit;
use super::connection::{Purpose, Transaction, Trouble};
use super::suppression;
use crate::ledger::LedgerError;

/// The mark by which a ledger's table `head` is recognised.
const APPLICATION: &str = "relinquish ledger";

const DOING: &str = "opening the ledger";

/// A table with one row: the format, which is the number of migrations so far, and the number of the last entry. The
/// row is locked by every transaction that migrates or appends.
const HEAD: &str = "CREATE TABLE IF NOT EXISTS head (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    application text NOT NULL,
    format bigint NOT NULL,
    last bigint NOT NULL
)";

/// The migrations of the format. A migration that was released is never changed.
pub(super) const FORMATS: [&str; 2] = [FIRST, suppression::TABLES];

/// Texts are compared byte by byte, so that ids have the same order on every server. Triggers refuse every change of
/// an entry. Terms that many open cases share are stored once. So are circumstances that many closed cases share. The
/// key of a hold is set to NULL when the hold is lifted. `who` of a request is set to NULL when the request ends. If
/// a request is forgotten, only its id stays.
const FIRST: &str = r#"
    CREATE TABLE treatment (digest text COLLATE "C" PRIMARY KEY, body text NOT NULL);
    CREATE TABLE terms (digest text COLLATE "C" PRIMARY KEY, body text NOT NULL);
    CREATE TABLE claim (
        fence bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        worker text NOT NULL,
        lasts bigint NOT NULL,
        until bigint NOT NULL
    );
    CREATE TABLE open_case (
        id text COLLATE "C" PRIMARY KEY,
        holds text COLLATE "C" NOT NULL UNIQUE,
        own text NOT NULL,
        plan bytea NOT NULL,
        terms text COLLATE "C" NOT NULL REFERENCES terms (digest),
        fence bigint
    );
    CREATE INDEX open_case_fence ON open_case (fence);
    CREATE INDEX open_case_terms ON open_case (terms);
    CREATE TABLE event (
        n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        case_id text COLLATE "C" NOT NULL REFERENCES open_case (id) ON DELETE CASCADE,
        at text NOT NULL,
        body text NOT NULL
    );
    CREATE INDEX event_case ON event (case_id, n);
    CREATE TABLE circumstances (digest text COLLATE "C" PRIMARY KEY, body text NOT NULL, beside text);
    CREATE TABLE entry (
        seq bigint PRIMARY KEY,
        case_id text COLLATE "C" UNIQUE,
        body text NOT NULL,
        beside text,
        under text COLLATE "C" REFERENCES circumstances (digest)
    );
    CREATE TABLE entry_key (key bytea NOT NULL, seq bigint NOT NULL REFERENCES entry (seq), PRIMARY KEY (key, seq));
    CREATE TABLE hold (id text COLLATE "C" PRIMARY KEY, key text COLLATE "C", stands boolean NOT NULL, body text NOT NULL);
    CREATE INDEX hold_key ON hold (key) WHERE stands;
    CREATE INDEX hold_stands ON hold (id) WHERE stands;
    CREATE TABLE request (
        id text COLLATE "C" PRIMARY KEY,
        body text,
        who text,
        notes bigint NOT NULL,
        stage text NOT NULL,
        due text COLLATE "C",
        ended text COLLATE "C"
    );
    CREATE INDEX request_stage ON request (stage, id) WHERE ended IS NULL;
    CREATE INDEX request_due ON request (due) WHERE due IS NOT NULL;
    CREATE INDEX request_ended ON request (ended) WHERE body IS NOT NULL AND ended IS NOT NULL;
    CREATE TABLE request_note (
        request text COLLATE "C" NOT NULL REFERENCES request (id),
        n bigint NOT NULL,
        body text NOT NULL,
        PRIMARY KEY (request, n)
    );
    CREATE TABLE ration (name text COLLATE "C" PRIMARY KEY, taken bigint NOT NULL);
    CREATE TABLE tree (seq bigint PRIMARY KEY REFERENCES entry (seq), hashes bytea NOT NULL);
    CREATE FUNCTION append_only() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN RAISE EXCEPTION ''the ledger is append-only''; END';
    CREATE TRIGGER stays BEFORE UPDATE OR DELETE OR TRUNCATE ON entry
        FOR EACH STATEMENT EXECUTE FUNCTION append_only();
    CREATE TRIGGER stays BEFORE UPDATE OR DELETE OR TRUNCATE ON entry_key
        FOR EACH STATEMENT EXECUTE FUNCTION append_only();
    CREATE TRIGGER stays BEFORE UPDATE OR DELETE OR TRUNCATE ON circumstances
        FOR EACH STATEMENT EXECUTE FUNCTION append_only();
"#;

/// The parameters for preparing a schema.
struct Preparing<'p> {
    /// The name of the schema, and the same name in quotes.
    schema: (&'p str, &'p str),
    formats: &'p [&'p str],
}

impl PostgresLedger {
    /// Creates the tables of a ledger in an empty schema, or migrates a ledger of an earlier release.
    pub(super) async fn prepare(&self, schema: &str, formats: &[&str]) -> Result<(), LedgerError> {
        let given = Preparing { schema: (schema, &self.schema), formats };
        self.within(DOING, Purpose::Write, &given, |on, given| Box::pin(prepare(on, given))).await
    }
}

async fn prepare(on: &Transaction, given: &Preparing<'_>) -> Result<(), Trouble> {
    let (name, quoted) = given.schema;
    let sql = "SELECT current_setting('server_version_num')::bigint, current_setting('server_version'),
        EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = $1),
        EXISTS (SELECT FROM pg_catalog.pg_class WHERE relnamespace = to_regnamespace($2)),
        to_regclass($2 || '.head') IS NOT NULL";
    let rows = on.rows(sql, &[(&name, Type::TEXT), (&quoted, Type::TEXT)]).await?;
    let row = rows.first().ok_or(LedgerError::Corrupt { doing: DOING })?;
    if row.try_get::<_, i64>(0)? < 140_000 {
        let what = format!("PostgreSQL {} is older than 14", row.try_get::<_, &str>(1)?);
        return Err(LedgerError::Failed { doing: DOING, what }.into());
    }
    let (has_schema, has_tables, has_head): (bool, bool, bool) =
        (row.try_get(2)?, row.try_get(3)?, row.try_get(4)?);
    if has_tables && !has_head {
        return Err(LedgerError::Corrupt { doing: DOING }.into());
    }
    if !has_schema {
        on.batch(&format!("CREATE SCHEMA IF NOT EXISTS {quoted}")).await?;
    }
    if !has_head {
        // If two processes start at the same time, the second process waits here for the first.
        on.batch(HEAD).await?;
        let first = "INSERT INTO head (application, format, last) VALUES ($1, 0, 0) ON CONFLICT DO NOTHING";
        on.rows(first, &[(&APPLICATION, Type::TEXT)]).await?;
    }
    let known = limit(given.formats.len());
    let had = on.rows("SELECT application, format FROM head FOR UPDATE", &[]).await?;
    let had: i64 = match had.first() {
        Some(row) if row.try_get::<_, &str>(0)? == APPLICATION => row.try_get(1)?,
        Some(_) | None => return Err(LedgerError::Corrupt { doing: DOING }.into()),
    };
    if had > known {
        return Err(LedgerError::Newer { found: had, known }.into());
    }
    for step in given.formats.iter().skip(usize::try_from(had).unwrap_or_default()) {
        on.batch(step).await?;
    }
    if had < known {
        on.rows("UPDATE head SET format = $1", &[(&known, Type::INT8)]).await?;
    }
    Ok(())
}

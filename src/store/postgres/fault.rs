//! Converts PostgreSQL's errors. A server's detail and hint are never passed on, because they contain values.

use tokio_postgres::Error;
use tokio_postgres::error::DbError;

use crate::store::sql::{Constraint, ConstraintKind, Fault};

/// An error of the server or of the connection.
pub(crate) struct Trouble {
    pub(crate) fault: Fault,
    /// Whether the whole transaction can be repeated, because it failed in a conflict with another one.
    pub(crate) is_again: bool,
    /// Whether the connection is gone, so that nobody knows what the server did.
    pub(crate) is_lost: bool,
}

impl Trouble {
    pub(crate) fn of(error: &Error) -> Self {
        let Some(refused) = error.as_db_error() else {
            return Self::lost("the connection to the server was cut");
        };
        let code = refused.code().code();
        let is_again = matches!(code, "40001" | "40P01");
        let is_lost = code.starts_with("08") || code.starts_with("57P");
        Self { fault: fault(refused, code), is_again, is_lost }
    }

    pub(crate) fn lost(what: &str) -> Self {
        Self { fault: Fault::Lost(what.to_owned()), is_again: false, is_lost: true }
    }
}

fn fault(error: &DbError, code: &str) -> Fault {
    let table = error.table().unwrap_or("a table");
    let name = error.constraint().unwrap_or("without a name");
    let constraint = |kind, what: String| Fault::Constraint(Constraint::new(kind, what));
    match code {
        "40001" | "40P01" | "55P03" => Fault::Busy,
        "57014" => Fault::Lost(
            "a statement took longer than statement_timeout allows, or somebody cancelled it".to_owned(),
        ),
        "25006" => Fault::ReadOnly,
        "XX001" | "XX002" => Fault::Corrupt,
        "23505" => constraint(ConstraintKind::Unique, format!("unique constraint {name} of {table}")),
        "23502" => {
            let column = error.column().unwrap_or("a column");
            constraint(ConstraintKind::NotNull, format!("{table}.{column} is NOT NULL"))
        }
        "23514" => {
            let of = error.table().or(error.datatype()).unwrap_or("a table");
            constraint(ConstraintKind::Check, format!("CHECK constraint {name} of {of}"))
        }
        "23503" | "23001" => constraint(ConstraintKind::ForeignKey, format!("foreign key {name} of {table}")),
        _ if code.starts_with("23") => {
            constraint(ConstraintKind::Other, format!("constraint {name} of {table}"))
        }
        "22001" => constraint(ConstraintKind::Other, "a text is longer than its column takes".to_owned()),
        // `RAISE EXCEPTION`: its text may contain any value.
        _ if code.starts_with("P0") => constraint(ConstraintKind::Trigger, "a trigger".to_owned()),
        _ if code.starts_with("08") || code.starts_with("57P") || code.starts_with("53") => {
            Fault::Lost(format!("the server ended the work (SQLSTATE {code})"))
        }
        // The login is refused, or there is no such database.
        _ if code.starts_with("28") || code == "3D000" => Fault::NotFound,
        // The text quotes the statement, which contains no value. But inside a function it may quote something that
        // the function made from a value.
        _ if code.starts_with("42") && error.where_().is_none() => Fault::Other(error.message().to_owned()),
        _ => Fault::Other(format!("PostgreSQL refused (SQLSTATE {code})")),
    }
}

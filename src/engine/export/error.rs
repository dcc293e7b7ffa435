//! Why an export could not be written.

use std::io;

use crate::engine::Error;
use crate::plan::letter::LetterError;

/// The error of an export that could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The export could not be read.
    #[error(transparent)]
    Engine(#[from] Error),
    /// The place to which it is written failed.
    #[error("the export cannot be written: {0}")]
    Write(#[from] io::Error),
    /// The page for the person lacks a word.
    #[error(transparent)]
    Words(#[from] LetterError),
}

impl From<::csv::Error> for ExportError {
    fn from(error: ::csv::Error) -> Self {
        Self::Write(error.into())
    }
}

impl From<::zip::result::ZipError> for ExportError {
    fn from(error: ::zip::result::ZipError) -> Self {
        Self::Write(error.into())
    }
}

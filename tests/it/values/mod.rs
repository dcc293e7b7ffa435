//! Tests of single values: strategies, texts, PDFs.

pub(crate) mod anonymise;
pub(crate) mod detectors;
pub(crate) mod encodings;
pub(crate) mod found;
pub(crate) mod only_mentions;
pub(crate) mod own_strategies;
#[cfg(feature = "pdf")]
pub(crate) mod pdf;
#[cfg(feature = "pdf")]
pub(crate) mod pdf_producers;
pub(crate) mod strategies;
pub(crate) mod text;
pub(crate) mod verbatim;

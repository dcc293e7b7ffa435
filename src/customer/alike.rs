//! Values as they are compared: spellings that people and programs vary are made one.

use caseless::default_case_fold_str;
use unicode_normalization::UnicodeNormalization as _;

/// A text without the space around it, in one Unicode form, and without case.
pub(crate) fn normalised(text: &str) -> String {
    let composed: String = text.trim().nfc().collect();
    default_case_fold_str(&composed).nfc().collect()
}

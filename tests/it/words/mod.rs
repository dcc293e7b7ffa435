//! Words for people, word for word: letters, plans, certificates and the manual. Whole texts are compared here and nowhere else.

pub(crate) mod letters;
pub(crate) mod manual_pages;
pub(crate) mod real_letters;
pub(crate) mod true_letters;
pub(crate) mod true_statements;
pub(crate) mod word_for_word;

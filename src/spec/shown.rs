//! Text of a class in a message.

use std::fmt;

/// Characters that are printed.
const CHARACTERS: usize = 64;

/// Prints a text of a class in quotes, escaped, and cut after 64 characters.
pub(crate) struct Shown<'a>(pub(crate) &'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.char_indices().nth(CHARACTERS) {
            Some((end, _)) => write!(f, "{:?}...", &self.0[..end]),
            None => write!(f, "{:?}", self.0),
        }
    }
}

//! A file that is written from several sources.

use std::ops::RangeInclusive;
use std::str::FromStr;

use thiserror::Error;

/// What surrounds an expression; statements take its first character with `%`, comments with `#`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Delimiters {
    /// Before an expression: `{{`, `[[`.
    pub open: String,
    /// Behind it: `}}`, `]]`.
    pub close: String,
}

/// Characters of each delimiter: fewer are found in any text, and nobody wants to type more.
const LENGTH: RangeInclusive<usize> = 2..=8;

/// Why a text does not name two delimiters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DelimitersError {
    /// Not two words.
    #[error("must be two words with one space between them, such as \"[[ ]]\"")]
    NotTwo,
    /// A character that an expression may hold, or too few or too many of them.
    #[error("each delimiter has 2 to 8 of the characters !#$%&()*,./:;<=>?@[]^`{{|}}~, such as \"[[ ]]\"")]
    BadWord,
    /// Expressions, statements and comments would start or end alike.
    #[error(
        "the delimiters, and their forms with % for statements and # for comments, must differ: use \"[[ ]]\""
    )]
    Alike,
}

impl Delimiters {
    /// What surrounds a statement: `{%` and `%}` for `{{` and `}}`.
    pub fn statement(&self) -> (String, String) {
        self.derived('%')
    }

    /// What surrounds a comment: `{#` and `#}` for `{{` and `}}`.
    pub fn comment(&self) -> (String, String) {
        self.derived('#')
    }

    fn derived(&self, mark: char) -> (String, String) {
        let open = self.open.chars().take(1).chain([mark]).collect();
        let close = [mark].into_iter().chain(self.close.chars().last()).collect();
        (open, close)
    }
}

impl Default for Delimiters {
    fn default() -> Self {
        Self { open: "{{".into(), close: "}}".into() }
    }
}

impl FromStr for Delimiters {
    type Err = DelimitersError;

    fn from_str(text: &str) -> Result<Self, DelimitersError> {
        let (open, close) = text.split_once(' ').ok_or(DelimitersError::NotTwo)?;
        if open.is_empty() || close.is_empty() || close.contains(' ') {
            return Err(DelimitersError::NotTwo);
        }
        if ![open, close].into_iter().all(is_delimiter) {
            return Err(DelimitersError::BadWord);
        }
        // With `%` or `#` behind its first character, or before its last, it would be a statement's or a comment's.
        let marked = |character: Option<char>| matches!(character, Some('%' | '#'));
        if open == close
            || marked(open.chars().nth(1))
            || marked(close.chars().rev().nth(1))
            || marked(close.chars().next())
        {
            return Err(DelimitersError::Alike);
        }
        Ok(Self { open: open.into(), close: close.into() })
    }
}

/// Punctuation but for what a string, a name, a number or the engine's `-` and `+` at a tag's edge is made of.
fn is_delimiter(word: &str) -> bool {
    let usable =
        |byte: u8| byte.is_ascii_punctuation() && !matches!(byte, b'"' | b'\'' | b'\\' | b'_' | b'-' | b'+');
    LENGTH.contains(&word.len()) && word.bytes().all(usable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_words_are_delimiters_and_give_those_of_statements_and_comments() {
        let brackets: Delimiters = "[[ ]]".parse().unwrap();
        assert_eq!((brackets.open.as_str(), brackets.close.as_str()), ("[[", "]]"));
        assert_eq!(brackets.statement(), ("[%".into(), "%]".into()));
        assert_eq!(brackets.comment(), ("[#".into(), "#]".into()));
        assert_eq!("{{ }}".parse(), Ok(Delimiters::default()));
    }

    #[test]
    fn what_cannot_be_told_apart_is_refused() {
        for alike in ["<% %>", "{# #}", "|| ||", "{{ }%}", "[[ %]]"] {
            assert_eq!(alike.parse::<Delimiters>(), Err(DelimitersError::Alike), "{alike}");
        }
    }

    #[test]
    fn words_are_short_punctuation() {
        for bad in ["{ }", "[[[[[[[[[ ]]", "aa bb", "{{ }é", "{\" \"}", "{{- -}}", "{_ _}", "\\( \\)"] {
            assert_eq!(bad.parse::<Delimiters>(), Err(DelimitersError::BadWord), "{bad}");
        }
        for bad in ["", " ", "{{", "{{}}", "{{ ", " }}", "{{  }}", "{{ }} }}", "{{ }} "] {
            assert_eq!(bad.parse::<Delimiters>(), Err(DelimitersError::NotTwo), "{bad}");
        }
    }
}

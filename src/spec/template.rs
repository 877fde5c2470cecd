//! The delimiters of a template.

use std::ops::RangeInclusive;
use std::str::FromStr;

use thiserror::Error;

/// The delimiters of expressions. Those of statements and comments follow from them: `%` and `#` replace the second character.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Delimiters {
    /// The start of an expression: `{{`, `[[`.
    pub(crate) open: String,
    /// The end of an expression: `}}`, `]]`.
    pub(crate) close: String,
}

/// Length of each delimiter in characters. A single character is too common in text; 8 are more than anyone needs.
const LENGTH: RangeInclusive<usize> = 2..=8;

/// Why a text is not two delimiters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum DelimitersError {
    /// Not two words.
    #[error("must be two words with one space between them, such as \"[[ ]]\"")]
    NotTwo,
    /// A character that an expression may contain, or a wrong length.
    #[error("each delimiter has 2 to 8 of the characters !#$%&()*,./:;<=>?@[]^`{{|}}~, such as \"[[ ]]\"")]
    BadWord,
    /// Expressions, statements and comments would start or end with the same characters.
    #[error(
        "the delimiters, and their forms with % for statements and # for comments, must differ: use \"[[ ]]\""
    )]
    Alike,
}

impl Delimiters {
    /// The delimiters of statements: `{%` and `%}` for `{{` and `}}`.
    pub(crate) fn statement(&self) -> (String, String) {
        self.derived('%')
    }

    /// The delimiters of comments: `{#` and `#}` for `{{` and `}}`.
    pub(crate) fn comment(&self) -> (String, String) {
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
        // With `%` or `#` after the first character, or before the last one, it would be the delimiter of a statement or a comment.
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

/// True for punctuation, except the characters of strings, names and numbers, and `-` and `+`, which the template engine gives a meaning at the
/// edge of a tag.
fn is_delimiter(word: &str) -> bool {
    let usable =
        |byte: u8| byte.is_ascii_punctuation() && !matches!(byte, b'"' | b'\'' | b'\\' | b'_' | b'-' | b'+');
    LENGTH.contains(&word.len()) && word.bytes().all(usable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_words_are_delimiters_and_decide_those_of_statements_and_comments() {
        let brackets: Delimiters = "[[ ]]".parse().unwrap();
        assert_eq!((brackets.open.as_str(), brackets.close.as_str()), ("[[", "]]"));
        assert_eq!(brackets.statement(), ("[%".into(), "%]".into()));
        assert_eq!(brackets.comment(), ("[#".into(), "#]".into()));
        assert_eq!("{{ }}".parse(), Ok(Delimiters::default()));
    }

    #[test]
    fn delimiters_that_are_ambiguous_are_refused() {
        for alike in ["<% %>", "{# #}", "|| ||", "{{ }%}", "[[ %]]"] {
            assert_eq!(alike.parse::<Delimiters>(), Err(DelimitersError::Alike), "{alike}");
        }
    }

    #[test]
    fn delimiters_are_short_punctuation() {
        for bad in ["{ }", "[[[[[[[[[ ]]", "aa bb", "{{ }é", "{\" \"}", "{{- -}}", "{_ _}", "\\( \\)"] {
            assert_eq!(bad.parse::<Delimiters>(), Err(DelimitersError::BadWord), "{bad}");
        }
        for bad in ["", " ", "{{", "{{}}", "{{ ", " }}", "{{  }}", "{{ }} }}", "{{ }} "] {
            assert_eq!(bad.parse::<Delimiters>(), Err(DelimitersError::NotTwo), "{bad}");
        }
    }
}

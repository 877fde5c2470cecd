//! A position in a text, and the characters after it.

use super::{Fault, YamlError};

/// A place in the text; all three count from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Characters before this place.
    pub(crate) index: usize,
    pub(crate) line: usize,
    /// In characters.
    pub(crate) column: usize,
}

impl Mark {
    /// The error that `fault` is wrong at this place.
    pub(crate) fn error(self, fault: Fault) -> YamlError {
        YamlError { line: self.line + 1, column: self.column + 1, fault }
    }
}

/// What [`Cursor::peek`] returns behind the last character. The text contains no NUL: `parser::parse` refuses it.
pub(crate) const END: char = '\0';

/// Reads a text character by character. Every method is safe to call at the end of the text.
pub(crate) struct Cursor<'t> {
    rest: &'t str,
    mark: Mark,
    /// Line breaks since the last character that was neither a blank nor a line break.
    breaks: usize,
}

impl<'t> Cursor<'t> {
    pub(crate) fn new(text: &'t str) -> Self {
        Self { rest: text, mark: Mark::default(), breaks: 0 }
    }

    pub(crate) fn mark(&self) -> Mark {
        self.mark
    }

    /// True if this line has something else than blanks before this place.
    pub(crate) fn on_line_of_content(&self) -> bool {
        self.breaks == 0
    }

    /// The character that is `ahead` characters away, [`END`] behind the last one.
    pub(crate) fn peek(&self, ahead: usize) -> char {
        self.rest.chars().nth(ahead).unwrap_or(END)
    }

    /// The next character.
    pub(crate) fn first(&self) -> char {
        self.peek(0)
    }

    /// All characters that are left.
    pub(crate) fn rest(&self) -> &'t str {
        self.rest
    }

    /// Moves past one character that is no line break, and returns it; `None` at the end.
    pub(crate) fn next(&mut self) -> Option<char> {
        let mut characters = self.rest.chars();
        let character = characters.next()?;
        self.rest = characters.as_str();
        self.mark.index += 1;
        self.mark.column += 1;
        if !is_blank(character) {
            self.breaks = 0;
        }
        Some(character)
    }

    /// Moves past `count` characters that are no line breaks.
    pub(crate) fn skip(&mut self, count: usize) {
        for _ in 0..count {
            self.next();
        }
    }

    /// Appends the next character to `text` and moves past it.
    pub(crate) fn take(&mut self, text: &mut String) {
        text.extend(self.next());
    }

    /// Moves to the first character that does not satisfy `matches`, a line break, or the end.
    pub(crate) fn skip_while(&mut self, matches: impl Fn(char) -> bool) {
        while !ends_line(self.first()) && matches(self.first()) {
            self.next();
        }
    }

    /// Moves past a line break, and returns its text in the scalar: `\n`, or the Unicode separator itself. `None` if
    /// there is no line break here. `\r\n` is one line break.
    pub(crate) fn next_break(&mut self) -> Option<char> {
        let first = self.first();
        if !is_break(first) {
            return None;
        }
        let mut characters = self.rest.chars();
        characters.next();
        self.mark.index += 1;
        if first == '\r' && characters.as_str().starts_with('\n') {
            characters.next();
            self.mark.index += 1;
        }
        self.rest = characters.as_str();
        self.mark.line += 1;
        self.mark.column = 0;
        self.breaks += 1;
        Some(if matches!(first, '\u{2028}' | '\u{2029}') { first } else { '\n' })
    }

    /// Counts the end of the text as the end of its last line.
    pub(crate) fn finish_line(&mut self) {
        if self.mark.column != 0 {
            self.mark.column = 0;
            self.mark.line += 1;
        }
    }

    /// True at `---` or `...` in the first column, followed by a blank, a line break or the end.
    pub(crate) fn at_document_marker(&self, marker: &str) -> bool {
        self.mark.column == 0 && self.rest.starts_with(marker) && ends_word(self.peek(marker.len()))
    }

    /// True at either document marker.
    pub(crate) fn at_any_document_marker(&self) -> bool {
        self.at_document_marker("---") || self.at_document_marker("...")
    }
}

/// A space or a tab.
pub(crate) fn is_blank(character: char) -> bool {
    matches!(character, ' ' | '\t')
}

/// What ends a line in YAML 1.1.
pub(crate) fn is_break(character: char) -> bool {
    matches!(character, '\r' | '\n' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// A line break or the end of the text.
pub(crate) fn ends_line(character: char) -> bool {
    is_break(character) || character == END
}

/// A blank, a line break or the end of the text.
pub(crate) fn ends_word(character: char) -> bool {
    is_blank(character) || ends_line(character)
}

/// What the names of anchors, tag handles and directives consist of.
pub(crate) fn is_name(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '_' | '-')
}

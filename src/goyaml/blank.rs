//! What stands between tokens: blanks, line breaks and comments.

use crate::goyaml::cursor::{is_blank, is_break};
use crate::goyaml::scanner::Scanner;

/// How far yaml.v3 searches for the `#` of the next comment, in characters.
const COMMENT_SEARCH: usize = 512;

impl Scanner<'_> {
    /// Moves to the next token.
    ///
    /// Tabs are allowed in a flow and between the tokens of a line, but not where a key may start: there, indentation
    /// counts.
    pub(crate) fn skip_to_token(&mut self) {
        loop {
            let tabs = self.in_flow() || !self.key_allowed;
            self.cursor.skip_while(|character| character == ' ' || tabs && character == '\t');
            if self.cursor.first() == '#' {
                self.skip_comments();
            }
            if self.cursor.next_break().is_none() {
                return;
            }
            if !self.in_flow() {
                self.key_allowed = true;
            }
        }
    }

    /// Moves past a comment and the comments on the lines below it. yaml.v3 skips tabs before those.
    fn skip_comments(&mut self) {
        loop {
            self.cursor.skip_while(|_| true);
            let between = |character| is_blank(character) || matches!(character, '\r' | '\n');
            let mut after =
                self.cursor.rest().chars().take(COMMENT_SEARCH).skip_while(|character| between(*character));
            if !self.cursor.rest().starts_with(['\r', '\n']) || after.next() != Some('#') {
                return;
            }
            while self.cursor.first() != '#' {
                if self.cursor.next_break().is_none() {
                    self.cursor.skip(1);
                }
            }
        }
    }

    /// Moves past the comment that stands behind a token on its line.
    pub(crate) fn skip_line_comment(&mut self) {
        let mut after =
            self.cursor.rest().chars().take(COMMENT_SEARCH).skip_while(|character| is_blank(*character));
        if self.cursor.on_line_of_content() && after.next() == Some('#') {
            self.cursor.skip_while(|_| true);
        }
    }
}

/// The blanks and line breaks between two words of a scalar.
#[derive(Default)]
pub(crate) struct Gap {
    blanks: String,
    first_break: String,
    more_breaks: String,
    /// There is a line break, perhaps one that was escaped.
    pub(crate) broken: bool,
}

impl Gap {
    /// Reads one blank or line break; false if there is none.
    pub(crate) fn read(&mut self, scanner: &mut Scanner<'_>) -> bool {
        let cursor = &mut scanner.cursor;
        if is_blank(cursor.first()) {
            let blank = cursor.next();
            if !self.broken {
                self.blanks.extend(blank);
            }
            return true;
        }
        if !is_break(cursor.first()) {
            return false;
        }
        let target = if self.broken { &mut self.more_breaks } else { &mut self.first_break };
        target.extend(cursor.next_break());
        self.broken = true;
        true
    }

    /// Appends what the gap means: its blanks; a space for one line break; for more of them, all but the first.
    pub(crate) fn fold_into(self, text: &mut String) {
        if !self.broken {
            text.push_str(&self.blanks);
        } else if self.first_break != "\n" {
            text.push_str(&self.first_break);
            text.push_str(&self.more_breaks);
        } else if self.more_breaks.is_empty() {
            text.push(' ');
        } else {
            text.push_str(&self.more_breaks);
        }
    }
}

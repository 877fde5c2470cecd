//! Scans scalars without quotes.

use super::YamlError;
use crate::goyaml::blank::Gap;
use crate::goyaml::cursor::ends_word;
use crate::goyaml::scanner::Scanner;
use crate::goyaml::token::{Token, TokenKind};

impl Scanner<'_> {
    /// A plain scalar; it may go on over several lines that stand deeper than its block.
    pub(crate) fn scan_plain(&mut self) -> Result<Token, YamlError> {
        let indent = self.indent.map_or(0, |column| column + 1);
        let (start, mut end) = (self.cursor.mark(), self.cursor.mark());
        let (mut text, mut gap) = (String::new(), Gap::default());
        while !self.cursor.at_any_document_marker() && self.cursor.first() != '#' {
            while !ends_word(self.cursor.first()) && !self.at_plain_end() {
                std::mem::take(&mut gap).fold_into(&mut text);
                self.cursor.take(&mut text);
                end = self.cursor.mark();
            }
            if !self.read_plain_gap(&mut gap, indent)?
                || !self.in_flow() && self.cursor.mark().column < indent
            {
                break;
            }
        }
        self.key_allowed |= gap.broken;
        Ok(Token { kind: TokenKind::Scalar { text, plain: true }, start, end })
    }

    /// A `:` with a blank behind it, or a character that a flow needs for itself.
    fn at_plain_end(&self) -> bool {
        let first = self.cursor.first();
        first == ':' && ends_word(self.cursor.peek(1)) || self.in_flow() && ",?[]{}".contains(first)
    }

    /// Reads the blanks and line breaks behind a word; false if there are none.
    fn read_plain_gap(&mut self, gap: &mut Gap, indent: usize) -> Result<bool, YamlError> {
        let mut found = false;
        loop {
            if gap.broken && self.cursor.first() == '\t' && self.cursor.mark().column < indent {
                return self.syntax(); // a tab as indentation
            }
            if !gap.read(self) {
                return Ok(found);
            }
            found = true;
        }
    }
}

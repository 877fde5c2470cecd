//! Scans scalars in single and double quotes.

use super::YamlError;
use crate::goyaml::blank::Gap;
use crate::goyaml::cursor::{ends_word, is_break};
use crate::goyaml::scanner::Scanner;
use crate::goyaml::token::{Token, TokenKind};

impl Scanner<'_> {
    /// A scalar in the quotes that the next character is.
    pub(crate) fn scan_quoted(&mut self) -> Result<Token, YamlError> {
        let start = self.cursor.mark();
        let quote = self.cursor.first();
        self.cursor.skip(1);
        let mut text = String::new();
        loop {
            if self.cursor.at_any_document_marker() || self.cursor.rest().is_empty() {
                return self.syntax();
            }
            let mut gap = Gap::default();
            gap.broken = self.scan_quoted_word(quote, &mut text)?;
            if self.cursor.first() == quote {
                break;
            }
            while gap.read(self) {}
            gap.fold_into(&mut text);
        }
        self.cursor.skip(1);
        Ok(self.token(start, TokenKind::Scalar { text, plain: false }))
    }

    /// Scans up to a blank, a line break or the closing quote. True if it ends with an escaped line break.
    fn scan_quoted_word(&mut self, quote: char, text: &mut String) -> Result<bool, YamlError> {
        while !ends_word(self.cursor.first()) {
            match (self.cursor.first(), self.cursor.peek(1)) {
                ('\'', '\'') if quote == '\'' => {
                    text.push('\'');
                    self.cursor.skip(2);
                }
                (first, _) if first == quote => return Ok(false),
                ('\\', second) if quote == '"' && is_break(second) => {
                    self.cursor.skip(1);
                    self.cursor.next_break();
                    return Ok(true);
                }
                ('\\', second) if quote == '"' => self.scan_escape(second, text)?,
                _ => self.cursor.take(text),
            }
        }
        Ok(false)
    }

    /// A `\` and the character `code` behind it. yaml.v3 does not know `\/`, which YAML 1.2 added.
    fn scan_escape(&mut self, code: char, text: &mut String) -> Result<(), YamlError> {
        let character = match code {
            '0' => '\0',
            'a' => '\u{7}',
            'b' => '\u{8}',
            't' | '\t' => '\t',
            'n' => '\n',
            'v' => '\u{b}',
            'f' => '\u{c}',
            'r' => '\r',
            'e' => '\u{1b}',
            ' ' | '"' | '\'' | '\\' => code,
            'N' => '\u{85}',
            '_' => '\u{a0}',
            'L' => '\u{2028}',
            'P' => '\u{2029}',
            'x' => return self.scan_code_point(2, text),
            'u' => return self.scan_code_point(4, text),
            'U' => return self.scan_code_point(8, text),
            _ => return self.syntax(),
        };
        text.push(character);
        self.cursor.skip(2);
        Ok(())
    }

    fn scan_code_point(&mut self, digits: usize, text: &mut String) -> Result<(), YamlError> {
        self.cursor.skip(2);
        let value = self.scan_hexadecimal(digits)?;
        let Some(character) = char::from_u32(value) else { return self.syntax() };
        text.push(character);
        Ok(())
    }
}

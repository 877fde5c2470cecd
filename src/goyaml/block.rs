//! Scans block scalars, `|` and `>`.

use super::YamlError;
use crate::goyaml::cursor::{END, Mark, ends_line, is_blank, is_break};
use crate::goyaml::scanner::Scanner;
use crate::goyaml::token::{Token, TokenKind};

/// What the header says about the line breaks at the end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Chomping {
    /// `-`: none.
    Strip,
    /// One.
    Clip,
    /// `+`: all.
    Keep,
}

impl Scanner<'_> {
    /// A block scalar with its header.
    pub(crate) fn scan_block_scalar(&mut self) -> Result<Token, YamlError> {
        let start = self.cursor.mark();
        let folded = self.cursor.next() == Some('>');
        let (chomping, increment) = self.scan_block_header()?;
        let mut end = self.cursor.mark();
        let mut indent = increment.map(|increment| self.indent.unwrap_or(0) + increment);
        let (mut text, mut line_break, mut more_breaks) = (String::new(), None, String::new());
        let mut after_blank = false;
        let mut column = self.scan_block_breaks(&mut indent, &mut more_breaks, &mut end)?;
        while self.cursor.mark().column == column && self.cursor.first() != END {
            let at_blank = is_blank(self.cursor.first());
            if folded && !after_blank && !at_blank && line_break == Some('\n') {
                text.extend(more_breaks.is_empty().then_some(' '));
            } else {
                text.extend(line_break);
            }
            text.push_str(&more_breaks);
            more_breaks.clear();
            after_blank = at_blank;
            while !ends_line(self.cursor.first()) {
                self.cursor.take(&mut text);
            }
            line_break = self.cursor.next_break();
            column = self.scan_block_breaks(&mut indent, &mut more_breaks, &mut end)?;
        }
        if chomping != Chomping::Strip {
            text.extend(line_break);
        }
        if chomping == Chomping::Keep {
            text.push_str(&more_breaks);
        }
        Ok(Token { kind: TokenKind::Scalar { text, plain: false }, start, end })
    }

    /// The chomping and the indentation, in either order, and the rest of the line.
    fn scan_block_header(&mut self) -> Result<(Chomping, Option<usize>), YamlError> {
        let mut chomping = self.scan_chomping();
        let increment = match self.cursor.first().to_digit(10) {
            Some(0) => return self.syntax(),
            Some(digit) => {
                self.cursor.skip(1);
                usize::try_from(digit).ok()
            }
            None => None,
        };
        if chomping.is_none() && increment.is_some() {
            chomping = self.scan_chomping();
        }
        self.scan_rest_of_line()?;
        Ok((chomping.unwrap_or(Chomping::Clip), increment))
    }

    fn scan_chomping(&mut self) -> Option<Chomping> {
        let chomping = match self.cursor.first() {
            '+' => Chomping::Keep,
            '-' => Chomping::Strip,
            _ => return None,
        };
        self.cursor.skip(1);
        Some(chomping)
    }

    /// Reads indentation and empty lines; sets the indentation, if it is not known yet, and returns it.
    fn scan_block_breaks(
        &mut self,
        indent: &mut Option<usize>,
        breaks: &mut String,
        end: &mut Mark,
    ) -> Result<usize, YamlError> {
        *end = self.cursor.mark();
        let mut deepest = 0;
        loop {
            let is_indentation = |column: usize| indent.is_none_or(|indent| column < indent);
            while self.cursor.first() == ' ' && is_indentation(self.cursor.mark().column) {
                self.cursor.skip(1);
            }
            let column = self.cursor.mark().column;
            deepest = deepest.max(column);
            if self.cursor.first() == '\t' && is_indentation(column) {
                return self.syntax();
            }
            if !is_break(self.cursor.first()) {
                break;
            }
            breaks.extend(self.cursor.next_break());
            *end = self.cursor.mark();
        }
        let least = self.indent.map_or(1, |column| column + 1);
        Ok(*indent.get_or_insert(deepest.max(least)))
    }
}

//! Scans anchors, aliases, tags and directives.

use super::{Fault, YamlError};
use crate::goyaml::cursor::{END, Mark, ends_line, ends_word, is_blank, is_name};
use crate::goyaml::scanner::Scanner;
use crate::goyaml::token::{Token, TokenKind};

/// Digits of each number in `%YAML 1.1`, at most.
const VERSION_DIGITS: usize = 2;

impl Scanner<'_> {
    /// `&name` or `*name`.
    pub(crate) fn scan_anchor(&mut self) -> Result<Token, YamlError> {
        let start = self.cursor.mark();
        let alias = self.cursor.next() == Some('*');
        let name = self.scan_name();
        let after = self.cursor.first();
        if name.is_empty() || !(ends_word(after) || "?:,]}%@`".contains(after)) {
            return self.syntax();
        }
        Ok(self.token(start, if alias { TokenKind::Alias(name) } else { TokenKind::Anchor(name) }))
    }

    /// `!<uri>`, `!handle!suffix`, `!suffix` or `!`.
    pub(crate) fn scan_tag(&mut self) -> Result<Token, YamlError> {
        let start = self.cursor.mark();
        let (handle, suffix) = if self.cursor.peek(1) == '<' {
            self.cursor.skip(2);
            let uri = self.scan_uri("")?;
            self.expect('>')?;
            (String::new(), uri)
        } else {
            self.scan_short_tag()?
        };
        if !ends_word(self.cursor.first()) {
            return self.syntax();
        }
        Ok(self.token(start, TokenKind::Tag { handle, suffix }))
    }

    fn scan_short_tag(&mut self) -> Result<(String, String), YamlError> {
        let handle = self.scan_handle()?;
        if handle.len() > 1 && handle.ends_with('!') {
            let suffix = self.scan_uri("")?;
            return Ok((handle, suffix));
        }
        let suffix = self.scan_uri(&handle)?;
        let handle = "!".to_owned();
        Ok(if suffix.is_empty() { (suffix, handle) } else { (handle, suffix) })
    }

    /// A `!`, the name behind it, and a second `!` if there is one.
    fn scan_handle(&mut self) -> Result<String, YamlError> {
        self.expect('!')?;
        let mut handle = "!".to_owned() + &self.scan_name();
        if self.cursor.first() == '!' {
            self.cursor.take(&mut handle);
        }
        Ok(handle)
    }

    /// The rest of a URI whose first characters `head`, a `!` and more, were scanned already.
    fn scan_uri(&mut self, head: &str) -> Result<String, YamlError> {
        let mut bytes = head.strip_prefix('!').unwrap_or(head).as_bytes().to_vec();
        let start = self.cursor.mark();
        while is_name(self.cursor.first()) || ";/?:@&=+$,.!~*'()[]%".contains(self.cursor.first()) {
            if self.cursor.first() == '%' {
                self.scan_uri_escape(&mut bytes)?;
            } else {
                bytes.extend(self.cursor.next().and_then(|character| u8::try_from(character).ok()));
            }
        }
        if head.is_empty() && self.cursor.mark() == start {
            return self.syntax();
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// One character as `%E2%82%AC`.
    fn scan_uri_escape(&mut self, bytes: &mut Vec<u8>) -> Result<(), YamlError> {
        let first = self.scan_octet()?;
        let more = match first {
            0..0x80 => 0,
            0xc0..0xe0 => 1,
            0xe0..0xf0 => 2,
            0xf0..0xf8 => 3,
            _ => return self.syntax(),
        };
        bytes.push(first);
        for _ in 0..more {
            let octet = self.scan_octet()?;
            if octet & 0xc0 != 0x80 {
                return self.syntax();
            }
            bytes.push(octet);
        }
        Ok(())
    }

    fn scan_octet(&mut self) -> Result<u8, YamlError> {
        self.expect('%')?;
        let value = self.scan_hexadecimal(2)?;
        u8::try_from(value).or_else(|_| self.syntax())
    }

    /// A number of exactly `digits` hexadecimal digits.
    pub(crate) fn scan_hexadecimal(&mut self, digits: usize) -> Result<u32, YamlError> {
        let mut value = 0_u32;
        for _ in 0..digits {
            let Some(digit) = self.cursor.first().to_digit(16) else { return self.syntax() };
            value = value.wrapping_shl(4) | digit;
            self.cursor.skip(1);
        }
        Ok(value)
    }

    /// A line of `%YAML` or `%TAG`.
    pub(crate) fn scan_directive(&mut self) -> Result<Token, YamlError> {
        let start = self.cursor.mark();
        self.expect('%')?;
        let name = self.scan_name();
        if !ends_word(self.cursor.first()) {
            return self.syntax();
        }
        self.cursor.skip_while(is_blank);
        let kind = match name.as_str() {
            "YAML" => self.scan_version()?,
            "TAG" => self.scan_tag_directive()?,
            _ => return self.syntax(),
        };
        let token = self.token(start, kind);
        self.scan_rest_of_line()?;
        Ok(token)
    }

    /// Blanks, a comment, and the end of the line.
    pub(crate) fn scan_rest_of_line(&mut self) -> Result<(), YamlError> {
        self.cursor.skip_while(is_blank);
        if self.cursor.first() == '#' {
            self.cursor.skip_while(|_| true);
        }
        if !ends_line(self.cursor.first()) {
            return self.syntax();
        }
        self.cursor.next_break();
        Ok(())
    }

    fn scan_version(&mut self) -> Result<TokenKind, YamlError> {
        let major = self.scan_version_number()?;
        self.expect('.')?;
        Ok(TokenKind::Version { major, minor: self.scan_version_number()? })
    }

    fn scan_version_number(&mut self) -> Result<u32, YamlError> {
        let mut digits = String::new();
        while self.cursor.first().is_ascii_digit() && digits.len() <= VERSION_DIGITS {
            self.cursor.take(&mut digits);
        }
        match digits.parse() {
            Ok(number) if digits.len() <= VERSION_DIGITS => Ok(number),
            _ => self.syntax(),
        }
    }

    fn scan_tag_directive(&mut self) -> Result<TokenKind, YamlError> {
        let handle = self.scan_handle()?;
        if handle.len() > 1 && !handle.ends_with('!') || !is_blank(self.cursor.first()) {
            return self.syntax();
        }
        self.cursor.skip_while(is_blank);
        let prefix = self.scan_uri("")?;
        if !ends_word(self.cursor.first()) {
            return self.syntax();
        }
        Ok(TokenKind::TagDirective { handle, prefix })
    }

    fn scan_name(&mut self) -> String {
        let mut name = String::new();
        while is_name(self.cursor.first()) {
            self.cursor.take(&mut name);
        }
        name
    }

    fn expect(&mut self, character: char) -> Result<(), YamlError> {
        if self.cursor.first() != character || character == END {
            return self.syntax();
        }
        self.cursor.skip(1);
        Ok(())
    }

    /// The token between `start` and this place.
    pub(crate) fn token(&self, start: Mark, kind: TokenKind) -> Token {
        Token { kind, start, end: self.cursor.mark() }
    }

    /// The error that this place is no YAML.
    pub(crate) fn syntax<T>(&self) -> Result<T, YamlError> {
        Err(self.cursor.mark().error(Fault::Syntax))
    }
}

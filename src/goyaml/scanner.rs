//! Text -> tokens. Follows the scanner of yaml.v3 (libyaml with changes), including how far it scans ahead: an error
//! behind the first document counts only if yaml.v3 would see it.

use std::collections::VecDeque;

use super::{Fault, YamlError};
use crate::goyaml::cursor::{Cursor, Mark, ends_word};
use crate::goyaml::token::{Token, TokenKind};

/// Tokens that are scanned before the first of them is handed out.
const AHEAD: usize = 3;

/// Characters between the start of a key and its `:`, at most.
const KEY_LENGTH: usize = 1024;

/// Cuts a text into tokens on request.
pub(crate) struct Scanner<'t> {
    pub(crate) cursor: Cursor<'t>,
    /// Tokens that are scanned and not taken yet.
    queue: VecDeque<Token>,
    /// Tokens that were taken: the number of the first in `queue`.
    taken: usize,
    /// The first token in `queue` is final: no key or mapping can be inserted before it.
    ready: bool,
    started: bool,
    ended: bool,
    /// The column of the innermost block; `None` outside of all.
    pub(crate) indent: Option<usize>,
    /// The columns of the blocks around it.
    indents: Vec<Option<usize>>,
    /// One for the block context, and one for each `[` and `{` that is open.
    levels: Vec<Level>,
    /// A key without `?` may start here.
    pub(crate) key_allowed: bool,
}

/// The possible key of one flow level.
#[derive(Default)]
struct Level {
    key: Option<PossibleKey>,
    /// The token at which the level began, or the last one that could be a key.
    last_token: usize,
}

/// A token that is a key if a `:` follows it.
#[derive(Clone, Copy)]
struct PossibleKey {
    /// It stands at the column of its block, where only a key can stand.
    required: bool,
    /// It is not taken before it is known whether it is a key.
    awaited: bool,
    token: usize,
    mark: Mark,
}

impl<'t> Scanner<'t> {
    pub(crate) fn new(text: &'t str) -> Self {
        Self {
            cursor: Cursor::new(text),
            queue: VecDeque::new(),
            taken: 0,
            ready: false,
            started: false,
            ended: false,
            indent: None,
            indents: Vec::new(),
            levels: vec![Level::default()],
            key_allowed: true,
        }
    }

    /// The next token. After the last one, [`TokenKind::StreamEnd`] again and again.
    pub(crate) fn peek(&mut self) -> Result<&Token, YamlError> {
        if !self.ready {
            self.fill()?;
            self.ready = true;
        }
        let mark = self.cursor.mark();
        self.queue.front().ok_or(mark.error(Fault::Syntax))
    }

    /// The next token, and moves to the one behind it.
    pub(crate) fn take(&mut self) -> Result<Token, YamlError> {
        self.peek()?;
        self.ready = false;
        self.taken += 1;
        self.queue.pop_front().ok_or(self.cursor.mark().error(Fault::Syntax))
    }

    /// True inside `[]` or `{}`.
    pub(crate) fn in_flow(&self) -> bool {
        self.levels.len() > 1
    }

    /// Scans until the first token of the queue is final.
    fn fill(&mut self) -> Result<(), YamlError> {
        while self.queue.len() < AHEAD || !self.ended && self.first_may_be_key()? {
            self.fetch()?;
        }
        Ok(())
    }

    fn first_may_be_key(&mut self) -> Result<bool, YamlError> {
        let first = self.taken;
        let waits = |level: &Level| level.key.is_some_and(|key| key.awaited && key.token == first);
        match self.levels.iter().position(waits) {
            Some(level) => Ok(self.valid_key(level)?.is_some()),
            None => Ok(false),
        }
    }

    /// The possible key of `level`, unless its line or its length is over, where a `:` would make no key of it.
    fn valid_key(&mut self, level: usize) -> Result<Option<PossibleKey>, YamlError> {
        let now = self.cursor.mark();
        let Some(level) = self.levels.get_mut(level) else { return Ok(None) };
        let Some(key) = level.key else { return Ok(None) };
        if key.mark.line >= now.line && key.mark.index + KEY_LENGTH >= now.index {
            return Ok(Some(key));
        }
        if key.required {
            return Err(now.error(Fault::Syntax));
        }
        level.key = None;
        Ok(None)
    }

    /// Scans one token, and the ends of blocks before it.
    fn fetch(&mut self) -> Result<(), YamlError> {
        if !self.started {
            self.started = true;
            self.push(Token::implied(TokenKind::StreamStart, self.cursor.mark()));
            return Ok(());
        }
        self.skip_to_token();
        let mark = self.cursor.mark();
        self.close_blocks(Some(mark.column));
        if self.cursor.rest().is_empty() {
            return self.fetch_end();
        }
        if mark.column == 0 && self.cursor.first() == '%' {
            self.leave_blocks()?;
            let token = self.scan_directive()?;
            self.push(token);
            return Ok(());
        }
        for (marker, kind) in [("---", TokenKind::DocumentStart), ("...", TokenKind::DocumentEnd)] {
            if self.cursor.at_document_marker(marker) {
                self.leave_blocks()?;
                self.push_indicator(kind, marker.len());
                return Ok(());
            }
        }
        self.fetch_content()?;
        if self.queue.back().is_none_or(|token| token.kind != TokenKind::BlockEntry) {
            self.skip_line_comment();
        }
        Ok(())
    }

    fn fetch_end(&mut self) -> Result<(), YamlError> {
        self.cursor.finish_line();
        self.leave_blocks()?;
        self.ended = true;
        self.push(Token::implied(TokenKind::StreamEnd, self.cursor.mark()));
        Ok(())
    }

    /// A document or its directives begin or end: all blocks end.
    fn leave_blocks(&mut self) -> Result<(), YamlError> {
        self.close_blocks(None);
        self.drop_key()?;
        self.key_allowed = false;
        Ok(())
    }

    fn fetch_content(&mut self) -> Result<(), YamlError> {
        let (first, second) = (self.cursor.first(), self.cursor.peek(1));
        match first {
            '[' => self.fetch_flow_start(TokenKind::FlowSequenceStart),
            '{' => self.fetch_flow_start(TokenKind::FlowMappingStart),
            ']' => self.fetch_flow_end(TokenKind::FlowSequenceEnd),
            '}' => self.fetch_flow_end(TokenKind::FlowMappingEnd),
            ',' => self.fetch_flow_entry(),
            '-' if ends_word(second) => self.fetch_block_entry(),
            '?' if self.in_flow() || ends_word(second) => self.fetch_key(),
            ':' if self.in_flow() || ends_word(second) => self.fetch_value(),
            '*' | '&' => self.fetch_word(Self::scan_anchor),
            '!' => self.fetch_word(Self::scan_tag),
            '|' | '>' if !self.in_flow() => self.fetch_block_scalar(),
            '\'' | '"' => self.fetch_word(Self::scan_quoted),
            '|' | '>' | '#' | '%' | '@' | '`' | '\t' => Err(self.cursor.mark().error(Fault::Syntax)),
            _ => self.fetch_word(Self::scan_plain),
        }
    }

    fn fetch_flow_start(&mut self, kind: TokenKind) -> Result<(), YamlError> {
        self.save_key()?;
        let last_token = self.next_number();
        self.levels.push(Level { key: None, last_token });
        self.key_allowed = true;
        self.push_indicator(kind, 1);
        Ok(())
    }

    fn fetch_flow_end(&mut self, kind: TokenKind) -> Result<(), YamlError> {
        self.drop_key()?;
        if self.in_flow() {
            self.leave_flow();
        }
        self.key_allowed = false;
        self.push_indicator(kind, 1);
        Ok(())
    }

    /// After an empty `[]` or `{}`, yaml.v3 no longer waits for the `:` that would make it a key.
    fn leave_flow(&mut self) {
        let inner = self.levels.pop().unwrap_or_default();
        if let Some(key) = self.levels.last_mut().and_then(|outer| outer.key.as_mut()) {
            key.awaited &= key.token != inner.last_token;
        }
    }

    fn fetch_flow_entry(&mut self) -> Result<(), YamlError> {
        self.drop_key()?;
        self.key_allowed = true;
        self.push_indicator(TokenKind::FlowEntry, 1);
        Ok(())
    }

    /// In a flow, a `-` is an error that the parser finds.
    fn fetch_block_entry(&mut self) -> Result<(), YamlError> {
        if !self.in_flow() {
            self.open_block_here(TokenKind::BlockSequenceStart)?;
        }
        self.drop_key()?;
        self.key_allowed = true;
        self.push_indicator(TokenKind::BlockEntry, 1);
        Ok(())
    }

    /// A `?`.
    fn fetch_key(&mut self) -> Result<(), YamlError> {
        if !self.in_flow() {
            self.open_block_here(TokenKind::BlockMappingStart)?;
        }
        self.drop_key()?;
        self.key_allowed = !self.in_flow();
        self.push_indicator(TokenKind::Key, 1);
        Ok(())
    }

    /// A `:`. If a possible key stands before it, the tokens for the key and its mapping are inserted before that.
    fn fetch_value(&mut self) -> Result<(), YamlError> {
        if let Some(key) = self.valid_key(self.levels.len().saturating_sub(1))? {
            self.insert(key.token, Token::implied(TokenKind::Key, key.mark));
            if !self.in_flow() && self.enter_block(key.mark.column) {
                self.insert(key.token, Token::implied(TokenKind::BlockMappingStart, key.mark));
            }
            self.forget_key();
            self.key_allowed = false;
        } else {
            if !self.in_flow() {
                self.open_block_here(TokenKind::BlockMappingStart)?;
            }
            self.key_allowed = !self.in_flow();
        }
        self.push_indicator(TokenKind::Value, 1);
        Ok(())
    }

    /// A token that may be a key, and after which no key may start.
    fn fetch_word(
        &mut self,
        scan: impl FnOnce(&mut Self) -> Result<Token, YamlError>,
    ) -> Result<(), YamlError> {
        self.save_key()?;
        self.key_allowed = false;
        let token = scan(self)?;
        self.push(token);
        Ok(())
    }

    fn fetch_block_scalar(&mut self) -> Result<(), YamlError> {
        self.drop_key()?;
        self.key_allowed = true;
        let token = self.scan_block_scalar()?;
        self.push(token);
        Ok(())
    }
}

/// Blocks: the columns at which sequences and mappings stand.
impl Scanner<'_> {
    /// A block that starts at the next character, where an entry or a key must be allowed.
    fn open_block_here(&mut self, kind: TokenKind) -> Result<(), YamlError> {
        let mark = self.cursor.mark();
        if !self.key_allowed {
            return Err(mark.error(Fault::Syntax));
        }
        if self.enter_block(mark.column) {
            self.push(Token::implied(kind, mark));
        }
        Ok(())
    }

    /// False if `column` belongs to the innermost block or one around it.
    fn enter_block(&mut self, column: usize) -> bool {
        let deeper = self.indent < Some(column);
        if deeper {
            self.indents.push(self.indent);
            self.indent = Some(column);
        }
        deeper
    }

    /// Ends every block that stands deeper than `column`.
    fn close_blocks(&mut self, column: Option<usize>) {
        while !self.in_flow() && self.indent > column {
            self.push(Token::implied(TokenKind::BlockEnd, self.cursor.mark()));
            self.indent = self.indents.pop().flatten();
        }
    }
}

/// Possible keys, and the queue that they wait in.
impl Scanner<'_> {
    /// Remembers the next token as a possible key.
    fn save_key(&mut self) -> Result<(), YamlError> {
        if !self.key_allowed {
            return Ok(());
        }
        self.drop_key()?;
        let mark = self.cursor.mark();
        let required = !self.in_flow() && self.indent == Some(mark.column);
        let token = self.next_number();
        if let Some(level) = self.levels.last_mut() {
            *level =
                Level { key: Some(PossibleKey { required, awaited: true, token, mark }), last_token: token };
        }
        Ok(())
    }

    /// The possible key of this level is none: an error if only a key can stand there.
    fn drop_key(&mut self) -> Result<(), YamlError> {
        if self.levels.last().and_then(|level| level.key).is_some_and(|key| key.required) {
            return Err(self.cursor.mark().error(Fault::Syntax));
        }
        self.forget_key();
        Ok(())
    }

    fn forget_key(&mut self) {
        if let Some(level) = self.levels.last_mut() {
            level.key = None;
        }
    }

    /// The number of the token that is pushed next.
    fn next_number(&self) -> usize {
        self.taken + self.queue.len()
    }

    fn push(&mut self, token: Token) {
        self.queue.push_back(token);
    }

    /// Pushes the token of the next `length` characters.
    fn push_indicator(&mut self, kind: TokenKind, length: usize) {
        let start = self.cursor.mark();
        self.cursor.skip(length);
        self.push(Token { kind, start, end: self.cursor.mark() });
    }

    /// Inserts a token before that of `number`; at the end if that was taken already, as yaml.v3 does.
    fn insert(&mut self, number: usize, token: Token) {
        let place = number.checked_sub(self.taken).unwrap_or(self.queue.len());
        self.queue.insert(place.min(self.queue.len()), token);
    }
}

//! Tokens -> nodes. The grammar, and where it accepts and refuses what, is that of yaml.v3.

use std::collections::HashMap;

use super::{Fault, YamlError};
use crate::goyaml::cursor::Mark;
use crate::goyaml::scanner::Scanner;
use crate::goyaml::token::{Token, TokenKind};
use crate::goyaml::tree::{DEPTH, Kind, Node, NodeId, Tree};

/// Parses the first document of `text`.
pub(crate) fn parse(text: &str) -> Result<Tree, YamlError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    check(text)?;
    let mut parser = Parser::new(text);
    let root = parser.document()?;
    Ok(Tree::new(parser.nodes, root))
}

/// Refuses the characters that yaml.v3 refuses (YAML 1.1, `c-printable`).
fn check(text: &str) -> Result<(), YamlError> {
    let mut mark = Mark::default();
    for character in text.chars() {
        let allowed = matches!(character,
            '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
        if !allowed {
            return Err(mark.error(Fault::Character));
        }
        mark.column += 1;
        if character == '\n' {
            mark = Mark { line: mark.line + 1, ..Mark::default() };
        }
    }
    Ok(())
}

/// Builds the nodes of the first document.
struct Parser<'t> {
    scanner: Scanner<'t>,
    nodes: Vec<Node>,
    anchors: HashMap<String, NodeId>,
    /// The handles of tags, and what they stand for.
    handles: Vec<(String, String)>,
    /// Sequences and mappings around the current node.
    depth: usize,
}

/// What may stand where a node is expected.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Context {
    /// A flow node.
    Flow,
    /// A block node.
    Block,
    /// The key or value of a block mapping: also a sequence at the column of the mapping.
    BlockMapping,
}

/// The anchor and the tag before a node, and where they start.
struct Properties {
    start: Mark,
    anchor: Option<String>,
    tag: Option<String>,
}

impl<'t> Parser<'t> {
    fn new(text: &'t str) -> Self {
        Self {
            scanner: Scanner::new(text),
            nodes: Vec::new(),
            anchors: HashMap::new(),
            handles: Vec::new(),
            depth: 0,
        }
    }

    /// The root of the first document; `None` without any.
    fn document(&mut self) -> Result<Option<NodeId>, YamlError> {
        self.scanner.take()?;
        let explicit = match self.scanner.peek()?.kind {
            TokenKind::StreamEnd => return Ok(None),
            TokenKind::Version { .. } | TokenKind::TagDirective { .. } | TokenKind::DocumentStart => true,
            _ => false,
        };
        self.directives()?;
        let root = if explicit { self.explicit_document()? } else { self.node(Context::Block)? };
        self.scanner.peek()?;
        Ok(Some(root))
    }

    fn explicit_document(&mut self) -> Result<NodeId, YamlError> {
        let start = self.scanner.take()?;
        if start.kind != TokenKind::DocumentStart {
            return Err(start.start.error(Fault::Syntax));
        }
        let token = self.scanner.peek()?;
        let mark = token.start;
        match token.kind {
            TokenKind::Version { .. }
            | TokenKind::TagDirective { .. }
            | TokenKind::DocumentStart
            | TokenKind::DocumentEnd
            | TokenKind::StreamEnd => Ok(self.empty(mark)),
            _ => self.node(Context::Block),
        }
    }

    fn directives(&mut self) -> Result<(), YamlError> {
        let mut version = false;
        while let TokenKind::Version { .. } | TokenKind::TagDirective { .. } = self.scanner.peek()?.kind {
            let Token { kind, start, .. } = self.scanner.take()?;
            match kind {
                TokenKind::Version { major: 1, minor: 1 } if !version => version = true,
                TokenKind::TagDirective { handle, prefix } if self.prefix(&handle).is_none() => {
                    self.handles.push((handle, prefix));
                }
                _ => return Err(start.error(Fault::Syntax)),
            }
        }
        for (handle, prefix) in [("!", "!"), ("!!", "tag:yaml.org,2002:")] {
            if self.prefix(handle).is_none() {
                self.handles.push((handle.to_owned(), prefix.to_owned()));
            }
        }
        Ok(())
    }

    fn prefix(&self, handle: &str) -> Option<&str> {
        self.handles.iter().find(|(name, _)| name == handle).map(|(_, prefix)| prefix.as_str())
    }

    fn node(&mut self, context: Context) -> Result<NodeId, YamlError> {
        if let TokenKind::Alias(_) = self.scanner.peek()?.kind {
            return self.alias();
        }
        let properties = self.properties()?;
        let token = self.scanner.peek()?;
        let mark = token.start;
        match token.kind {
            TokenKind::BlockEntry if context == Context::BlockMapping => {
                self.collection(properties, Self::indentless_sequence)
            }
            TokenKind::Scalar { .. } => self.scalar(properties),
            TokenKind::FlowSequenceStart => self.collection(properties, Self::flow_sequence),
            TokenKind::FlowMappingStart => self.collection(properties, Self::flow_mapping),
            TokenKind::BlockSequenceStart if context != Context::Flow => {
                self.collection(properties, Self::block_sequence)
            }
            TokenKind::BlockMappingStart if context != Context::Flow => {
                self.collection(properties, Self::block_mapping)
            }
            _ if properties.anchor.is_some() || properties.tag.is_some() => {
                Ok(self.add(properties, Kind::Scalar { text: String::new(), plain: true }))
            }
            _ => Err(mark.error(Fault::Syntax)),
        }
    }

    fn alias(&mut self) -> Result<NodeId, YamlError> {
        let Token { kind, start, .. } = self.scanner.take()?;
        let target = match kind {
            TokenKind::Alias(name) => self.anchors.get(&name).copied().ok_or(start.error(Fault::Anchor))?,
            _ => return Err(start.error(Fault::Syntax)),
        };
        Ok(self.add(Properties { start, anchor: None, tag: None }, Kind::Alias(target)))
    }

    /// An anchor and a tag, in either order, each at most once.
    fn properties(&mut self) -> Result<Properties, YamlError> {
        let mut properties = Properties { start: self.scanner.peek()?.start, anchor: None, tag: None };
        loop {
            match self.scanner.peek()?.kind {
                TokenKind::Anchor(_) if properties.anchor.is_none() => {
                    if let TokenKind::Anchor(name) = self.scanner.take()?.kind {
                        properties.anchor = Some(name);
                    }
                }
                TokenKind::Tag { .. } if properties.tag.is_none() => properties.tag = Some(self.tag()?),
                _ => return Ok(properties),
            }
        }
    }

    /// A tag with its handle replaced by what that stands for.
    fn tag(&mut self) -> Result<String, YamlError> {
        let Token { kind, start, .. } = self.scanner.take()?;
        self.scanner.peek()?;
        match kind {
            TokenKind::Tag { handle, suffix } if handle.is_empty() => Ok(suffix),
            TokenKind::Tag { handle, suffix } => match self.prefix(&handle) {
                Some(prefix) => Ok(prefix.to_owned() + &suffix),
                None => Err(start.error(Fault::Syntax)),
            },
            _ => Err(start.error(Fault::Syntax)),
        }
    }

    fn scalar(&mut self, properties: Properties) -> Result<NodeId, YamlError> {
        match self.scanner.take()?.kind {
            TokenKind::Scalar { text, plain } => Ok(self.add(properties, Kind::Scalar { text, plain })),
            _ => Err(properties.start.error(Fault::Syntax)),
        }
    }

    /// A null that the text leaves out.
    fn empty(&mut self, start: Mark) -> NodeId {
        let properties = Properties { start, anchor: None, tag: None };
        self.add(properties, Kind::Scalar { text: String::new(), plain: true })
    }

    fn add(&mut self, properties: Properties, kind: Kind) -> NodeId {
        let id = self.nodes.len();
        self.nodes.push(Node::new(kind, properties.tag, properties.start));
        if let Some(anchor) = properties.anchor {
            self.anchors.insert(anchor, id);
        }
        id
    }

    /// A node whose members `members` reads. Its anchor is known to its members.
    fn collection(
        &mut self,
        properties: Properties,
        members: impl FnOnce(&mut Self) -> Result<Kind, YamlError>,
    ) -> Result<NodeId, YamlError> {
        let start = properties.start;
        let id = self.add(properties, Kind::Sequence(Vec::new()));
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(start.error(Fault::Deep));
        }
        let kind = members(self)?;
        self.depth -= 1;
        if let Some(node) = self.nodes.get_mut(id) {
            node.kind = kind;
        }
        Ok(id)
    }

    /// The node behind an indicator that ended at `mark`, empty if one of the tokens in `ends` follows.
    fn node_unless(&mut self, ends: &[TokenKind], mark: Mark, context: Context) -> Result<NodeId, YamlError> {
        if ends.contains(&self.scanner.peek()?.kind) {
            return Ok(self.empty(mark));
        }
        self.node(context)
    }
}

/// Sequences and mappings by indentation.
impl Parser<'_> {
    fn block_sequence(&mut self) -> Result<Kind, YamlError> {
        self.scanner.take()?;
        let mut members = Vec::new();
        loop {
            let token = self.scanner.take()?;
            match token.kind {
                TokenKind::BlockEntry => {
                    members.push(self.node_unless(
                        &[TokenKind::BlockEntry, TokenKind::BlockEnd],
                        token.end,
                        Context::Block,
                    )?);
                }
                TokenKind::BlockEnd => return Ok(Kind::Sequence(members)),
                _ => return Err(token.start.error(Fault::Syntax)),
            }
        }
    }

    /// A sequence at the column of the mapping that it is a value of; nothing marks its end.
    fn indentless_sequence(&mut self) -> Result<Kind, YamlError> {
        const ENDS: [TokenKind; 4] =
            [TokenKind::BlockEntry, TokenKind::Key, TokenKind::Value, TokenKind::BlockEnd];
        let mut members = Vec::new();
        while self.scanner.peek()?.kind == TokenKind::BlockEntry {
            let mark = self.scanner.take()?.end;
            members.push(self.node_unless(&ENDS, mark, Context::Block)?);
        }
        Ok(Kind::Sequence(members))
    }

    fn block_mapping(&mut self) -> Result<Kind, YamlError> {
        const ENDS: [TokenKind; 3] = [TokenKind::Key, TokenKind::Value, TokenKind::BlockEnd];
        self.scanner.take()?;
        let mut pairs = Vec::new();
        loop {
            let token = self.scanner.take()?;
            match token.kind {
                TokenKind::Key => {}
                TokenKind::BlockEnd => return Ok(Kind::Mapping(pairs)),
                _ => return Err(token.start.error(Fault::Syntax)),
            }
            let key = self.node_unless(&ENDS, token.end, Context::BlockMapping)?;
            let after = self.scanner.peek()?;
            let (mark, valued) = (after.start, after.kind == TokenKind::Value);
            let value = if valued {
                let mark = self.scanner.take()?.end;
                self.node_unless(&ENDS, mark, Context::BlockMapping)?
            } else {
                self.empty(mark)
            };
            pairs.push((key, value));
        }
    }
}

/// Sequences and mappings in brackets.
impl Parser<'_> {
    fn flow_sequence(&mut self) -> Result<Kind, YamlError> {
        self.scanner.take()?;
        let mut members = Vec::new();
        while !self.at_flow_end(&TokenKind::FlowSequenceEnd, members.is_empty())? {
            members.push(match self.scanner.peek()?.kind {
                TokenKind::Key => {
                    let start = self.scanner.take()?.start;
                    self.collection(Properties { start, anchor: None, tag: None }, Self::flow_pair)?
                }
                _ => self.node(Context::Flow)?,
            });
        }
        Ok(Kind::Sequence(members))
    }

    /// Moves past the `,` before a member, which the first one does not need, and past the end. True at the end.
    fn at_flow_end(&mut self, end: &TokenKind, first: bool) -> Result<bool, YamlError> {
        let token = self.scanner.peek()?;
        if token.kind != *end && !first {
            if token.kind != TokenKind::FlowEntry {
                return Err(token.start.error(Fault::Syntax));
            }
            self.scanner.take()?;
        }
        let ended = self.scanner.peek()?.kind == *end;
        if ended {
            self.scanner.take()?;
        }
        Ok(ended)
    }

    /// A mapping of one pair inside `[]`, behind its `?`.
    fn flow_pair(&mut self) -> Result<Kind, YamlError> {
        const ENDS: [TokenKind; 2] = [TokenKind::FlowEntry, TokenKind::FlowSequenceEnd];
        let key = match self.scanner.peek()?.kind {
            // yaml.v3 skips the token that follows an empty key.
            TokenKind::Value | TokenKind::FlowEntry | TokenKind::FlowSequenceEnd => {
                let mark = self.scanner.take()?.end;
                self.empty(mark)
            }
            _ => self.node(Context::Flow)?,
        };
        let value = self.flow_value(&ENDS)?;
        self.scanner.peek()?;
        Ok(Kind::Mapping(vec![(key, value)]))
    }

    fn flow_mapping(&mut self) -> Result<Kind, YamlError> {
        const KEY_ENDS: [TokenKind; 3] = [TokenKind::Value, TokenKind::FlowEntry, TokenKind::FlowMappingEnd];
        const VALUE_ENDS: [TokenKind; 2] = [TokenKind::FlowEntry, TokenKind::FlowMappingEnd];
        self.scanner.take()?;
        let mut pairs = Vec::new();
        while !self.at_flow_end(&TokenKind::FlowMappingEnd, pairs.is_empty())? {
            pairs.push(if self.scanner.peek()?.kind == TokenKind::Key {
                let mark = self.scanner.take()?.end;
                let key = self.node_unless(&KEY_ENDS, mark, Context::Flow)?;
                (key, self.flow_value(&VALUE_ENDS)?)
            } else {
                let key = self.node(Context::Flow)?;
                let mark = self.scanner.peek()?.start;
                (key, self.empty(mark))
            });
        }
        Ok(Kind::Mapping(pairs))
    }

    /// The `:` behind a key and its value, empty without either.
    fn flow_value(&mut self, ends: &[TokenKind]) -> Result<NodeId, YamlError> {
        let token = self.scanner.peek()?;
        let mark = token.start;
        if token.kind != TokenKind::Value {
            return Ok(self.empty(mark));
        }
        self.scanner.take()?;
        self.node_unless(ends, mark, Context::Flow)
    }
}

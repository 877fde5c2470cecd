//! Text -> nodes, within limits.

use std::collections::HashMap;
use std::panic::catch_unwind;

use libyaml_safer::{Encoding, Event, EventData, Mark, Parser, ScalarStyle};

use super::{Fault, YamlError};

/// Levels of lists and mappings, the whole included.
pub(super) const DEPTH: usize = 32;

/// A node's place in its tree.
pub(super) type NodeId = usize;

/// The first document of a text; later ones are not looked at, as go-yaml's `Unmarshal` does not.
pub(super) struct Tree {
    nodes: Vec<Node>,
    /// `None` for a text without any value.
    pub(super) root: Option<NodeId>,
}

/// One value as written: not yet resolved to a type.
pub(super) struct Node {
    pub(super) kind: Kind,
    /// In short form (`!!str`, `!local`); `None` without a tag and for the tag `!`, which says nothing.
    pub(super) tag: Option<String>,
    line: usize,
    column: usize,
}

pub(super) enum Kind {
    Scalar {
        text: String,
        /// Without quotes and not a block: only then may it be something else than text.
        plain: bool,
    },
    Sequence(Vec<NodeId>),
    Mapping(Vec<(NodeId, NodeId)>),
    Alias(NodeId),
}

impl Node {
    pub(super) fn fault(&self, fault: Fault) -> YamlError {
        YamlError { line: self.line, column: self.column, fault }
    }
}

impl Tree {
    /// Reads the first document of `text`.
    ///
    /// The scanner panics at a few texts that are no YAML (a tag before a comma); nothing of it outlives that.
    pub(super) fn read(text: &str) -> Result<Self, YamlError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        allowed(text)?;
        catch_unwind(|| Self::scan(text)).unwrap_or(Err(YamlError { line: 1, column: 1, fault: Fault::Syntax }))
    }

    fn scan(text: &str) -> Result<Self, YamlError> {
        let ended = Ended::new(text);
        let mut build = Build { unfinished: ended.unfinished, ..Build::default() };
        let mut parser = Parser::new();
        parser.set_encoding(Encoding::Utf8);
        parser.set_input(ended.text.as_bytes());
        for event in parser {
            let event = event.map_err(|error| at(error.problem_mark().unwrap_or_default(), Fault::Syntax))?;
            if matches!(event.data, EventData::DocumentEnd { .. } | EventData::StreamEnd) {
                break;
            }
            build.take(event)?;
        }
        Ok(Self { nodes: build.nodes, root: build.root })
    }

    /// The node itself, which may be an alias.
    pub(super) fn raw(&self, id: NodeId) -> &Node {
        &self.nodes[id]
    }

    /// The node that `id` stands for: an alias is followed, once, for no alias points to an alias.
    pub(super) fn node(&self, id: NodeId) -> &Node {
        match self.nodes[id].kind {
            Kind::Alias(target) => &self.nodes[target],
            _ => &self.nodes[id],
        }
    }
}

/// Refuses what go-yaml's reader refuses (YAML 1.1, `c-printable`), and the scanner here would pass.
fn allowed(text: &str) -> Result<(), YamlError> {
    let (mut line, mut column) = (1, 1);
    for character in text.chars() {
        let fits = matches!(character,
            '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
        if !fits {
            return Err(YamlError { line, column, fault: Fault::Character });
        }
        (line, column) = if character == '\n' { (line + 1, 1) } else { (line, column + 1) };
    }
    Ok(())
}

fn at(mark: Mark, fault: Fault) -> YamlError {
    let from_one = |place: u64| usize::try_from(place).unwrap_or(usize::MAX - 1) + 1;
    YamlError { line: from_one(mark.line), column: from_one(mark.column), fault }
}

/// A text with the start of a next document behind it: the scanner panics at some texts that just stop, which libyaml reads as if
/// a NUL followed.
struct Ended {
    text: String,
    /// The line that the text did not end, from 0: a block of text there has no line break of its own at its end.
    unfinished: Option<u64>,
}

/// What ends a line in YAML 1.1.
const BREAKS: [char; 5] = ['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}'];

impl Ended {
    fn new(text: &str) -> Self {
        let text = match text.trim_end_matches(' ') {
            trimmed if trimmed.ends_with(BREAKS) => trimmed,
            _ => text,
        };
        if text.is_empty() || text.ends_with(BREAKS) {
            return Self { text: format!("{text}---\n"), unfinished: None };
        }
        let breaks = text.replace("\r\n", "\n").matches(BREAKS).count();
        Self { text: format!("{text}\n---\n"), unfinished: u64::try_from(breaks).ok() }
    }
}

/// A tree while its events come in: nodes above the current one wait on `open`.
#[derive(Default)]
struct Build {
    nodes: Vec<Node>,
    root: Option<NodeId>,
    open: Vec<Open>,
    anchors: HashMap<String, NodeId>,
    unfinished: Option<u64>,
}

struct Open {
    id: NodeId,
    key: Option<NodeId>,
}

impl Build {
    fn take(&mut self, event: Event) -> Result<(), YamlError> {
        let mark = event.start_mark;
        let (kind, anchor, tag) = match event.data {
            EventData::Scalar { mut value, style, anchor, tag, .. } => {
                let block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
                if block && self.unfinished.is_some_and(|line| event.end_mark.line > line) && value.ends_with('\n') {
                    value.pop();
                }
                (Kind::Scalar { text: value, plain: style == ScalarStyle::Plain }, anchor, tag)
            }
            EventData::SequenceStart { anchor, tag, .. } => (Kind::Sequence(Vec::new()), anchor, tag),
            EventData::MappingStart { anchor, tag, .. } => (Kind::Mapping(Vec::new()), anchor, tag),
            EventData::Alias { anchor } => (Kind::Alias(*self.anchors.get(&anchor).ok_or(at(mark, Fault::Anchor))?), None, None),
            EventData::SequenceEnd | EventData::MappingEnd => {
                self.open.pop();
                return Ok(());
            }
            _ => return Ok(()),
        };
        let opens = matches!(kind, Kind::Sequence(_) | Kind::Mapping(_));
        let id = self.nodes.len();
        let YamlError { line, column, .. } = at(mark, Fault::Syntax);
        self.nodes.push(Node { kind, tag: tag.and_then(short), line, column });
        self.hang(id);
        if let Some(anchor) = anchor {
            self.anchors.insert(anchor, id);
        }
        if opens {
            self.open.push(Open { id, key: None });
        }
        if self.open.len() > DEPTH { Err(at(mark, Fault::Deep)) } else { Ok(()) }
    }

    /// Puts a new node below the innermost open one.
    fn hang(&mut self, id: NodeId) {
        let Some(parent) = self.open.last_mut() else {
            self.root.get_or_insert(id);
            return;
        };
        match &mut self.nodes[parent.id].kind {
            Kind::Sequence(members) => members.push(id),
            Kind::Mapping(pairs) => match parent.key.take() {
                Some(key) => pairs.push((key, id)),
                None => parent.key = Some(id),
            },
            Kind::Scalar { .. } | Kind::Alias(_) => {}
        }
    }
}

/// `tag:yaml.org,2002:str` -> `!!str`.
fn short(tag: String) -> Option<String> {
    match tag.strip_prefix("tag:yaml.org,2002:") {
        Some(name) => Some(format!("!!{name}")),
        None => Some(tag).filter(|tag| tag != "!"),
    }
}

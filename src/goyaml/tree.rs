//! The nodes of a text.

use super::{Fault, YamlError};
use crate::goyaml::cursor::Mark;

/// Levels of lists and mappings, at most; the outermost is the first.
pub(crate) const DEPTH: usize = 32;

/// The index of a node in its tree.
pub(crate) type NodeId = usize;

/// The first document of a text. Like `yaml.Unmarshal` of Go, this ignores the documents after it.
pub(crate) struct Tree {
    nodes: Vec<Node>,
    /// `None` for a text without any value.
    pub(crate) root: Option<NodeId>,
}

/// One value as written: not yet resolved to a type.
pub(crate) struct Node {
    pub(crate) kind: Kind,
    /// In short form (`!!str`, `!local`); `None` without a tag and for the tag `!`, which has no meaning.
    pub(crate) tag: Option<String>,
    mark: Mark,
}

/// What a node consists of.
pub(crate) enum Kind {
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
    pub(crate) fn new(kind: Kind, tag: Option<String>, mark: Mark) -> Self {
        Self { kind, tag: tag.and_then(short), mark }
    }

    /// The error that `fault` is wrong with this node.
    pub(crate) fn fault(&self, fault: Fault) -> YamlError {
        self.mark.error(fault)
    }
}

impl Tree {
    pub(crate) fn new(nodes: Vec<Node>, root: Option<NodeId>) -> Self {
        Self { nodes, root }
    }

    /// The node itself, which may be an alias. `id` comes from this tree.
    pub(crate) fn raw(&self, id: NodeId) -> &Node {
        &self.nodes[id]
    }

    /// The node that `id` stands for: the target of an alias, which is never an alias itself. `id` comes from this tree.
    pub(crate) fn node(&self, id: NodeId) -> &Node {
        match self.nodes[id].kind {
            Kind::Alias(target) => &self.nodes[target],
            _ => &self.nodes[id],
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

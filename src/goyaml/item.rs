//! Nodes -> items: the values of our own fields, each with its place, before a field's type is known.

use serde_json::Value;

use super::decode::{Decoder, json};
use super::tree::{Kind, NodeId};
use super::{Fault, YamlError};

/// A value as written. May hold secrets: it prints as its place.
#[derive(Clone, PartialEq)]
pub struct Item {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// What stands there.
    pub kind: ItemKind,
}

/// What a value is made of.
#[derive(Clone, PartialEq)]
pub enum ItemKind {
    /// Nothing, `null` or `~`.
    Null,
    /// A text, a number, a truth value: as it is written, and as JSON holds it.
    Scalar {
        /// As a field of text takes it: `010` stays `010`.
        text: String,
        /// By go-yaml's rules: `010` is 8.
        value: Value,
    },
    /// A list.
    List(Vec<Item>),
    /// A mapping, in its order, no name twice.
    Map(Vec<(String, Item)>),
}

impl std::fmt::Debug for Item {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Item({}:{})", self.line, self.column)
    }
}

impl Item {
    /// The value as JSON holds it.
    pub fn json(&self) -> Value {
        match &self.kind {
            ItemKind::Null => Value::Null,
            ItemKind::Scalar { value, .. } => value.clone(),
            ItemKind::List(items) => items.iter().map(Self::json).collect(),
            ItemKind::Map(members) => members.iter().map(|(name, item)| (name.clone(), item.json())).collect(),
        }
    }
}

impl Decoder<'_> {
    /// The item at `id`, `depth` levels below its object; `None` after a fault.
    pub(super) fn item(&mut self, id: NodeId, depth: usize) -> Option<Item> {
        let node = self.step(id, depth)?;
        let YamlError { line, column, .. } = node.fault(Fault::Syntax);
        let kind = match &node.kind {
            Kind::Scalar { .. } => {
                let text = self.scalar_text(id);
                match json(self.scalar(node)?) {
                    Some(Value::Null) => ItemKind::Null,
                    Some(value) => ItemKind::Scalar { text: text?, value },
                    None => return self.wrong(node, Fault::NotFinite),
                }
            }
            Kind::Sequence(members) => ItemKind::List(members.iter().filter_map(|member| self.item(*member, depth + 1)).collect()),
            Kind::Mapping(_) => {
                let pairs = self.pairs(node);
                ItemKind::Map(pairs.into_iter().filter_map(|(name, value)| Some((name, self.item(value, depth + 1)?))).collect())
            }
            Kind::Alias(_) => return None,
        };
        Some(Item { line, column, kind })
    }
}

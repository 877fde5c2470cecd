//! Nodes -> items: values with their places, for a caller that does not use the types of Go.

use serde_json::Value;

use super::{Decoder, Fault, YamlError, parse};
use crate::goyaml::decode::json;
use crate::goyaml::tree::{Kind, NodeId};

/// A value as written. It may contain secrets, so `Debug` prints only its place.
#[derive(Clone, PartialEq)]
pub(crate) struct Item {
    /// From 1.
    pub(crate) line: usize,
    /// In characters, from 1.
    pub(crate) column: usize,
    /// The value.
    pub(crate) kind: ItemKind,
}

/// The value of an item.
#[derive(Clone, PartialEq)]
pub(crate) enum ItemKind {
    /// Nothing, `null` or `~`.
    Null,
    /// A text, a number or a boolean.
    Scalar {
        /// As a Go `string`: `010` stays `010`.
        text: String,
        /// As a Go `any`, in the form of JSON: `010` is 8.
        value: Value,
    },
    /// A list.
    List(Vec<Item>),
    /// A mapping in the order of the text; no name occurs twice.
    Map(Vec<(String, Item)>),
}

impl std::fmt::Debug for Item {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Item({}:{})", self.line, self.column)
    }
}

impl Item {
    /// The value as JSON.
    pub(crate) fn json(&self) -> Value {
        match &self.kind {
            ItemKind::Null => Value::Null,
            ItemKind::Scalar { value, .. } => value.clone(),
            ItemKind::List(items) => items.iter().map(Self::json).collect(),
            ItemKind::Map(members) => {
                members.iter().map(|(name, item)| (name.clone(), item.json())).collect()
            }
        }
    }
}

/// The value of a whole text as JSON; null for an empty text, `None` if it is not YAML.
pub(crate) fn value(text: &str) -> Option<Value> {
    let tree = parse(text).ok()?;
    let Some(root) = tree.root else { return Some(Value::Null) };
    let mut decoder = Decoder::new(&tree, &[]);
    let item = decoder.item(root)?;
    decoder.take_faults().is_empty().then(|| item.json())
}

impl Decoder<'_> {
    /// The item of `id`; `None` after a fault.
    pub(crate) fn item(&mut self, id: NodeId) -> Option<Item> {
        self.item_at(id, 1)
    }

    fn item_at(&mut self, id: NodeId, depth: usize) -> Option<Item> {
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
            Kind::Sequence(members) => {
                ItemKind::List(members.iter().filter_map(|member| self.item_at(*member, depth + 1)).collect())
            }
            Kind::Mapping(_) => {
                let pairs = self.pairs(node);
                ItemKind::Map(
                    pairs
                        .into_iter()
                        .filter_map(|(name, value)| Some((name, self.item_at(value, depth + 1)?)))
                        .collect(),
                )
            }
            Kind::Alias(_) => return None,
        };
        Some(Item { line, column, kind })
    }
}

//! Nodes -> entries, in the types of the Go providers' fields: whatever is no string there stays what it is.

use std::collections::HashSet;
use std::fmt;

use serde_json::{Map, Value};

use super::item::Item;
use super::number::Number;
use super::resolve::{Scalar, is_merge, is_null, is_text, resolve};
use super::tree::{DEPTH, Kind, Node, NodeId, Tree};
use super::{Fault, YamlError};

/// Bytes of all values that are looked at, repeated ones of aliases counted each time: a long text behind many aliases is small on the
/// wire and large in memory.
pub(super) const BYTES: usize = 1024 * 1024;

/// Values looked at in one text, repeated ones of aliases counted each time.
pub(super) const STEPS: usize = 100_000;

/// One member of `objects` as written, nothing checked yet; a field that is absent or null is empty.
#[derive(Default, PartialEq)]
pub struct Entry {
    /// The file's name.
    pub object_name: String,
    /// The path, with or without `v1/` and query.
    pub secret_path: String,
    /// The member of the answer.
    pub secret_key: String,
    /// The HTTP method.
    pub method: String,
    /// The body; may hold secrets.
    pub secret_args: Option<Value>,
    /// The mode, 0 for the default.
    pub file_permission: u32,
    /// How the value is encoded.
    pub encoding: String,
    /// Fields that only we know.
    pub ours: Vec<(String, Item)>,
    /// Fields that nobody knows; the Go providers pass over them.
    pub unknown: Vec<String>,
}

impl Entry {
    /// Every field of the Go providers.
    pub const FIELDS: [&str; 7] = ["objectName", "secretPath", "secretKey", "method", "secretArgs", "filePermission", "encoding"];
}

/// Without `secretArgs`, which may hold secrets.
impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry").field("object_name", &self.object_name).field("secret_path", &self.secret_path).finish_non_exhaustive()
    }
}

/// The members of the list in `text`, none for an empty text; null members are left out, as Go does.
///
/// All faults at once, save that one in the syntax hides what follows it. Of other fields than the Go providers' only those named in
/// `ours` are looked into.
pub fn entries(text: &str, ours: &[&str]) -> Result<Vec<Entry>, Vec<YamlError>> {
    let tree = Tree::read(text).map_err(|error| vec![error])?;
    let mut decoder = Decoder { tree: &tree, ours, steps: 0, bytes: 0, faults: Vec::new() };
    let entries = decoder.list();
    if decoder.faults.is_empty() { Ok(entries) } else { Err(decoder.faults) }
}

pub(super) struct Decoder<'t> {
    tree: &'t Tree,
    ours: &'t [&'t str],
    steps: usize,
    bytes: usize,
    faults: Vec<YamlError>,
}

impl<'t> Decoder<'t> {
    fn list(&mut self) -> Vec<Entry> {
        let Some(root) = self.tree.root.map(|root| self.tree.node(root)) else { return Vec::new() };
        match &root.kind {
            Kind::Sequence(members) => members.iter().filter_map(|member| self.entry(*member)).collect(),
            _ if is_null(root) => Vec::new(),
            _ => self.wrong(root, Fault::NotList).unwrap_or_default(),
        }
    }

    fn entry(&mut self, id: NodeId) -> Option<Entry> {
        let node = self.step(id, 0)?;
        match &node.kind {
            Kind::Mapping(_) => {}
            _ if is_null(node) => return None,
            _ => return self.wrong(node, Fault::NotMapping),
        }
        let mut entry = Entry::default();
        for (name, value) in self.pairs(node) {
            match name.as_str() {
                "objectName" => entry.object_name = self.text(value),
                "secretPath" => entry.secret_path = self.text(value),
                "secretKey" => entry.secret_key = self.text(value),
                "method" => entry.method = self.text(value),
                "encoding" => entry.encoding = self.text(value),
                "filePermission" => entry.file_permission = self.permission(value),
                "secretArgs" => entry.secret_args = self.arguments(value),
                other if self.ours.contains(&other) => entry.ours.extend(self.item(value, 1).map(|item| (name, item))),
                _ => entry.unknown.push(name),
            }
        }
        Some(entry)
    }

    /// A field of text: anything scalar is taken as it is written, as in `secretKey: 010`.
    fn text(&mut self, id: NodeId) -> String {
        self.scalar_text(id).unwrap_or_default()
    }

    /// The text of a scalar as a string or key takes it; `None` for null and after a fault.
    pub(super) fn scalar_text(&mut self, id: NodeId) -> Option<String> {
        let node = self.step(id, 0)?;
        let Kind::Scalar { text, .. } = &node.kind else { return self.wrong(node, Fault::NotText) };
        match self.scalar(node)? {
            Scalar::Null => None,
            Scalar::Binary(decoded) => Some(decoded),
            _ => Some(text.clone()),
        }
    }

    /// A Go `os.FileMode`: any whole number of 32 bits, and a float without its fraction.
    fn permission(&mut self, id: NodeId) -> u32 {
        let Some(node) = self.step(id, 0) else { return 0 };
        let mode = match self.scalar(node) {
            Some(Scalar::Null) => return 0,
            Some(Scalar::Number(Number::Integer(mode))) => u32::try_from(mode).ok(),
            Some(Scalar::Number(Number::Float(mode))) if mode > -1.0 && mode <= f64::from(u32::MAX) => Some(mode as u32),
            Some(_) => None,
            None if matches!(node.kind, Kind::Scalar { .. }) => return 0, // its fault is told already
            None => None,
        };
        mode.or_else(|| self.wrong(node, Fault::NotPermission)).unwrap_or_default()
    }

    fn arguments(&mut self, id: NodeId) -> Option<Value> {
        let node = self.step(id, 0)?;
        match &node.kind {
            Kind::Mapping(_) => self.object(node, 1),
            _ if is_null(node) => None,
            _ => self.wrong(node, Fault::NotArguments),
        }
    }

    /// A value of any type below `secretArgs`, as Go's JSON holds it.
    fn value(&mut self, id: NodeId, depth: usize) -> Option<Value> {
        let node = self.step(id, depth)?;
        match &node.kind {
            Kind::Scalar { .. } => {
                let scalar = self.scalar(node)?;
                json(scalar).or_else(|| self.wrong(node, Fault::NotFinite))
            }
            Kind::Sequence(members) => Some(members.iter().filter_map(|member| self.value(*member, depth + 1)).collect()),
            Kind::Mapping(pairs) => match pairs.iter().find(|(key, _)| !is_text(self.tree.node(*key)) && !is_merge(self.tree.raw(*key))) {
                Some((key, _)) => self.wrong(self.tree.raw(*key), Fault::KeyNotText),
                None => self.object(node, depth + 1),
            },
            Kind::Alias(_) => None,
        }
    }

    fn object(&mut self, node: &'t Node, depth: usize) -> Option<Value> {
        let pairs = self.pairs(node);
        let members = pairs.into_iter().filter_map(|(name, value)| Some((name, self.value(value, depth)?)));
        Some(Value::Object(members.collect::<Map<_, _>>()))
    }

    pub(super) fn scalar(&mut self, node: &Node) -> Option<Scalar> {
        let Kind::Scalar { text, plain } = &node.kind else { return None };
        resolve(text, *plain, node.tag.as_deref()).map_err(|fault| self.faults.push(node.fault(fault))).ok()
    }

    /// Follows `id`, counting; `None` past a limit.
    pub(super) fn step(&mut self, id: NodeId, depth: usize) -> Option<&'t Node> {
        let node = self.tree.node(id);
        self.steps += 1;
        if let Kind::Scalar { text, .. } = &node.kind {
            self.bytes += text.len();
        }
        let fits = self.steps <= STEPS && self.bytes <= BYTES;
        let fault = if fits { Fault::Deep } else { Fault::Large };
        if depth <= DEPTH && fits {
            return Some(node);
        }
        if self.faults.last().is_none_or(|last| last.fault != fault) {
            self.faults.push(node.fault(fault));
        }
        None
    }

    pub(super) fn wrong<T>(&mut self, node: &Node, fault: Fault) -> Option<T> {
        self.faults.push(node.fault(fault));
        None
    }
}

/// Merge keys: `<<` adds the pairs of other mappings behind a mapping's own; of equal names the first counts.
impl<'t> Decoder<'t> {
    pub(super) fn pairs(&mut self, node: &'t Node) -> Vec<(String, NodeId)> {
        let mut found = Pairs::default();
        self.gather(node, &mut found, 0);
        found.pairs
    }

    fn gather(&mut self, node: &'t Node, found: &mut Pairs, depth: usize) {
        let Kind::Mapping(pairs) = &node.kind else { return };
        if let Some(second) = self.duplicate(pairs) {
            self.faults.push(second.fault(Fault::DuplicateKey));
            return;
        }
        let mut merged = None;
        for (key, value) in pairs {
            if is_merge(self.tree.raw(*key)) {
                merged = Some(*value);
            } else if let Some(name) = self.scalar_text(*key) {
                let field = Entry::FIELDS.contains(&name.as_str());
                if !found.add(name, *value) && field && depth == 0 {
                    self.faults.push(self.tree.raw(*key).fault(Fault::DuplicateKey)); // one of them is an alias
                }
            }
        }
        if let Some(merged) = merged {
            self.merge(merged, found, depth);
        }
    }

    fn merge(&mut self, id: NodeId, found: &mut Pairs, depth: usize) {
        let Some(node) = self.step(id, depth) else { return };
        match (&self.tree.raw(id).kind, &node.kind) {
            (_, Kind::Mapping(_)) => self.gather(node, found, depth + 1),
            (Kind::Sequence(members), _) => members.iter().for_each(|member| match self.step(*member, depth) {
                Some(mapping) if matches!(mapping.kind, Kind::Mapping(_)) => self.gather(mapping, found, depth + 1),
                Some(other) => self.faults.push(other.fault(Fault::Merge)),
                None => {}
            }),
            _ => self.faults.push(node.fault(Fault::Merge)),
        }
    }

    /// The first key that repeats an earlier one; text and number of one spelling are one key to Go.
    fn duplicate(&self, pairs: &[(NodeId, NodeId)]) -> Option<&'t Node> {
        let mut seen = HashSet::new();
        let keys = pairs.iter().map(|(key, _)| self.tree.raw(*key));
        keys.filter(|key| matches!(key.kind, Kind::Scalar { .. })).find(|key| match &key.kind {
            Kind::Scalar { text, .. } => !seen.insert(text.as_str()),
            _ => false,
        })
    }
}

#[derive(Default)]
struct Pairs {
    pairs: Vec<(String, NodeId)>,
    names: HashSet<String>,
}

impl Pairs {
    /// False when the name is there already.
    fn add(&mut self, name: String, value: NodeId) -> bool {
        let new = self.names.insert(name.clone());
        if new {
            self.pairs.push((name, value));
        }
        new
    }
}

/// A scalar in Go's JSON; `None` for what JSON cannot hold.
pub(super) fn json(scalar: Scalar) -> Option<Value> {
    Some(match scalar {
        Scalar::Null => Value::Null,
        Scalar::Bool(value) => value.into(),
        Scalar::Time(text) | Scalar::Text(text) | Scalar::Binary(text) => text.into(),
        Scalar::Number(Number::Integer(value)) => Value::Number(value.to_string().parse().ok()?),
        Scalar::Number(Number::Float(value)) => Value::Number(go_float(value)?.parse().ok()?),
    })
}

/// The text of `value` in Go's `encoding/json`: as short as possible, with an exponent below 1e-6 and from 1e21 on.
fn go_float(value: f64) -> Option<String> {
    if !value.is_finite() {
        return None;
    }
    let short = format!("{value:e}");
    let mantissa = short.split_once('e').map_or(short.as_str(), |(mantissa, _)| mantissa);
    let digits = mantissa.bytes().filter(u8::is_ascii_digit).count();
    // Of two texts that are equally short and equally near, Go takes the even one, as formatting with a precision does.
    let exact = format!("{value:.*e}", digits.saturating_sub(1));
    let text = if exact.parse() == Ok(value) { exact } else { short };
    let size = value.abs();
    if size == 0.0 || (1e-6..1e21).contains(&size) {
        return plain_notation(&text);
    }
    Some(if text.contains("e-") { text } else { text.replace('e', "e+") })
}

/// `1.25e1` -> `12.5`.
fn plain_notation(text: &str) -> Option<String> {
    let (mantissa, exponent) = text.split_once('e')?;
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |mantissa| ("-", mantissa));
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let exponent: isize = exponent.parse().ok()?;
    let Ok(whole) = usize::try_from(exponent) else {
        return Some(format!("{sign}0.{}{digits}", "0".repeat(exponent.unsigned_abs() - 1)));
    };
    Some(match digits.split_at_checked(whole + 1) {
        Some((digits, "")) => format!("{sign}{digits}"),
        Some((digits, fraction)) => format!("{sign}{digits}.{fraction}"),
        None => format!("{sign}{digits:0<width$}", width = whole + 1),
    })
}

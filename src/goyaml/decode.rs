//! Nodes -> values of the types that a caller wants, by the rules of Go's `yaml.Unmarshal` for those types.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::{Fault, YamlError};
use crate::goyaml::number::Number;
use crate::goyaml::resolve::{Scalar, is_merge, is_null, is_text, resolve};
use crate::goyaml::tree::{DEPTH, Kind, Node, NodeId, Tree};

/// Bytes of all values that are decoded, at most. A value counts once for each alias: a long text behind many aliases is short in the
/// document and large in memory.
const BYTES: usize = 1024 * 1024;

/// Values that are decoded from one text, at most. A value counts once for each alias.
const STEPS: usize = 100_000;

/// Decodes the nodes of one text, and collects all that is wrong with them.
pub(crate) struct Decoder<'t> {
    tree: &'t Tree,
    /// The fields of the Go struct that a mapping is decoded into. Go refuses two keys for one field, even if an alias hides one of them.
    struct_fields: &'t [&'t str],
    steps: usize,
    bytes: usize,
    faults: Vec<YamlError>,
}

/// The types of Go, in the order in which a caller goes from the whole to its parts.
impl<'t> Decoder<'t> {
    /// Decodes `tree` with Go structs that have `struct_fields`.
    pub(crate) fn new(tree: &'t Tree, struct_fields: &'t [&'t str]) -> Self {
        Self { tree, struct_fields, steps: 0, bytes: 0, faults: Vec::new() }
    }

    /// Everything that was wrong since the last call.
    pub(crate) fn take_faults(&mut self) -> Vec<YamlError> {
        std::mem::take(&mut self.faults)
    }

    /// The members of the list that the text is; none for null and for an empty text. `expected` is the message for other types.
    pub(crate) fn list(&mut self, expected: &'static str) -> &'t [NodeId] {
        let Some(root) = self.tree.root.map(|root| self.tree.node(root)) else { return &[] };
        match &root.kind {
            Kind::Sequence(members) => members,
            _ if is_null(root) => &[],
            _ => self.wrong(root, Fault::Type(expected)).unwrap_or_default(),
        }
    }

    /// The fields of a Go struct; `None` for null, and after a fault. `expected` is the message for other types.
    pub(crate) fn fields(&mut self, id: NodeId, expected: &'static str) -> Option<Vec<(String, NodeId)>> {
        let node = self.step(id, 0)?;
        match &node.kind {
            Kind::Mapping(_) => Some(self.pairs(node)),
            _ if is_null(node) => None,
            _ => self.wrong(node, Fault::Type(expected)),
        }
    }

    /// A Go `string`: every scalar as it is written, as in `secretKey: 010`.
    pub(crate) fn text(&mut self, id: NodeId) -> String {
        self.scalar_text(id).unwrap_or_default()
    }

    /// The text of a scalar as a string or key takes it; `None` for null and after a fault.
    pub(crate) fn scalar_text(&mut self, id: NodeId) -> Option<String> {
        let node = self.step(id, 0)?;
        let Kind::Scalar { text, .. } = &node.kind else { return self.wrong(node, Fault::NotText) };
        match self.scalar(node)? {
            Scalar::Null => None,
            Scalar::Binary(decoded) => Some(decoded),
            _ => Some(text.clone()),
        }
    }

    /// The text of a scalar without quotes, as written.
    pub(crate) fn plain_text(&self, id: NodeId) -> Option<&'t str> {
        match &self.tree.node(id).kind {
            Kind::Scalar { text, plain: true } => Some(text),
            Kind::Scalar { .. } | Kind::Sequence(_) | Kind::Mapping(_) | Kind::Alias(_) => None,
        }
    }

    /// A Go `uint32`, 0 for null: a whole number, or a float without its fraction. `expected` is the message for other values.
    pub(crate) fn unsigned(&mut self, id: NodeId, expected: &'static str) -> u32 {
        let Some(node) = self.step(id, 0) else { return 0 };
        let number = match self.scalar(node) {
            Some(Scalar::Null) => return 0,
            Some(Scalar::Number(Number::Integer(number))) => u32::try_from(number).ok(),
            Some(Scalar::Number(Number::Float(number))) if number > -1.0 && number <= f64::from(u32::MAX) => {
                Some(number as u32)
            }
            Some(_) => None,
            None if matches!(node.kind, Kind::Scalar { .. }) => return 0, // the fault of its tag is collected already
            None => None,
        };
        number.or_else(|| self.wrong(node, Fault::Type(expected))).unwrap_or_default()
    }

    /// A Go `map[string]any`; `None` for null, and after a fault. `expected` is the message for other types.
    pub(crate) fn map(&mut self, id: NodeId, expected: &'static str) -> Option<Value> {
        let node = self.step(id, 0)?;
        match &node.kind {
            Kind::Mapping(_) => self.object(node, 1),
            _ if is_null(node) => None,
            _ => self.wrong(node, Fault::Type(expected)),
        }
    }

    /// A Go `any`, in the form of `encoding/json`.
    fn value(&mut self, id: NodeId, depth: usize) -> Option<Value> {
        let node = self.step(id, depth)?;
        match &node.kind {
            Kind::Scalar { .. } => {
                let scalar = self.scalar(node)?;
                json(scalar).or_else(|| self.wrong(node, Fault::NotFinite))
            }
            Kind::Sequence(members) => {
                Some(members.iter().filter_map(|member| self.value(*member, depth + 1)).collect())
            }
            Kind::Mapping(pairs) => match pairs
                .iter()
                .find(|(key, _)| !is_text(self.tree.node(*key)) && !is_merge(self.tree.raw(*key)))
            {
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

    pub(crate) fn scalar(&mut self, node: &Node) -> Option<Scalar> {
        let Kind::Scalar { text, plain } = &node.kind else { return None };
        resolve(text, *plain, node.tag.as_deref()).map_err(|fault| self.faults.push(node.fault(fault))).ok()
    }

    /// The node of `id`, counted; `None` beyond a limit.
    pub(crate) fn step(&mut self, id: NodeId, depth: usize) -> Option<&'t Node> {
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

    pub(crate) fn wrong<T>(&mut self, node: &Node, fault: Fault) -> Option<T> {
        self.faults.push(node.fault(fault));
        None
    }
}

/// Merge keys: `<<` adds the pairs of other mappings after the mapping's own; of equal names the first counts.
impl<'t> Decoder<'t> {
    pub(crate) fn pairs(&mut self, node: &'t Node) -> Vec<(String, NodeId)> {
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
                let field = self.struct_fields.contains(&name.as_str());
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
            (Kind::Sequence(members), _) => {
                members.iter().for_each(|member| match self.step(*member, depth) {
                    Some(mapping) if matches!(mapping.kind, Kind::Mapping(_)) => {
                        self.gather(mapping, found, depth + 1)
                    }
                    Some(other) => self.faults.push(other.fault(Fault::Merge)),
                    None => {}
                })
            }
            _ => self.faults.push(node.fault(Fault::Merge)),
        }
    }

    /// The first key that repeats an earlier one. For Go, a text and a number of the same spelling are the same key.
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
    /// False if the name exists already.
    fn add(&mut self, name: String, value: NodeId) -> bool {
        let new = self.names.insert(name.clone());
        if new {
            self.pairs.push((name, value));
        }
        new
    }
}

/// A scalar in Go's JSON; `None` for what JSON cannot hold.
pub(crate) fn json(scalar: Scalar) -> Option<Value> {
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

//! Types of fields with text, numbers and lists.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::class::diagnostics::FieldError;
use crate::class::duration::duration;
use crate::class::entries::is_decimal;
use crate::class::schema::field::{FieldContext, FieldValue, Kind};
use crate::goyaml::{Item, ItemKind};
use crate::spec::{Body, mode};

impl FieldValue for String {
    fn kind() -> Kind {
        Kind::new("text", json!({"type": ["string", "number", "boolean"]}))
    }

    fn parse(item: &Item, at: &mut FieldContext<'_>) -> Option<Self> {
        match &item.kind {
            ItemKind::Scalar { text, .. } => Some(text.clone()),
            _ => at.error(FieldError::Type("text")),
        }
    }
}

impl FieldValue for bool {
    fn kind() -> Kind {
        Kind::new("true or false", json!({"type": "boolean"}))
    }

    fn parse(item: &Item, at: &mut FieldContext<'_>) -> Option<Self> {
        match &item.kind {
            ItemKind::Scalar { value: Value::Bool(value), .. } => Some(*value),
            _ => at.error(FieldError::Type("true or false")),
        }
    }
}

/// A whole number, 0 or more.
impl FieldValue for u32 {
    fn kind() -> Kind {
        Kind::new("whole number", json!({"type": "integer", "minimum": 0, "maximum": Self::MAX}))
    }

    fn parse(item: &Item, at: &mut FieldContext<'_>) -> Option<Self> {
        match &item.kind {
            ItemKind::Scalar { value: Value::Number(number), .. } => {
                number.as_u64().and_then(|number| Self::try_from(number).ok())
            }
            _ => None,
        }
        .or_else(|| at.error(FieldError::Type("a whole number, without quotes")))
    }
}

/// A version of a secret.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Version {
    /// The version of this number; 0 is the newest.
    Number(u32),
    /// The version before the newest.
    Previous,
}

impl FieldValue for Version {
    fn kind() -> Kind {
        Kind::new("whole number, or -1", json!({"type": "integer", "minimum": -1, "maximum": u32::MAX}))
    }

    fn parse(item: &Item, at: &mut FieldContext<'_>) -> Option<Self> {
        match &item.kind {
            ItemKind::Scalar { value: Value::Number(number), .. } if number.as_i64() == Some(-1) => {
                Some(Self::Previous)
            }
            ItemKind::Scalar { value: Value::Number(number), .. }
                if number.as_i64().is_some_and(|n| n < 0) =>
            {
                at.error(FieldError::Type("a whole number, or -1 for the version before the newest"))
            }
            _ => u32::parse(item, at).map(Self::Number),
        }
    }
}

/// Permission bits.
pub(crate) struct Mode(pub(crate) u32);

impl FieldValue for Mode {
    fn kind() -> Kind {
        // Editors use YAML 1.2, where 0640 is decimal; `0o640` is octal in both versions.
        Kind::new("mode", json!({"type": "integer", "minimum": 0, "maximum": 777}))
    }

    fn parse(item: &Item, at: &mut FieldContext<'_>) -> Option<Self> {
        let mode = u32::parse(item, at)?;
        let is_decimal = matches!(&item.kind, ItemKind::Scalar { text, .. } if is_decimal(text));
        match mode::mistake(mode, is_decimal) {
            None => Some(Self(mode)),
            Some(mistake) => at.error(FieldError::Mode(mistake)),
        }
    }
}

/// A uid or a gid. The largest number means "no id" to the kernel, so it is refused.
pub(crate) struct Id(pub(crate) u32);

impl FieldValue for Id {
    fn kind() -> Kind {
        Kind::new("whole number", json!({"type": "integer", "minimum": 0, "maximum": u32::MAX - 1}))
    }

    fn parse(item: &Item, at: &mut FieldContext<'_>) -> Option<Self> {
        let id = u32::parse(item, at)?;
        if id < u32::MAX {
            Some(Self(id))
        } else {
            at.error(FieldError::Type("a number below 4294967295, which means no id"))
        }
    }
}

/// A duration: seconds, or numbers with units.
pub(crate) struct Age(pub(crate) Duration);

impl FieldValue for Age {
    fn kind() -> Kind {
        Kind::new("duration", json!({"type": ["string", "integer"]}))
    }

    fn parse(item: &Item, at: &mut FieldContext<'_>) -> Option<Self> {
        let age = match &item.kind {
            ItemKind::Scalar { text, .. } => duration(text).map(Self),
            _ => None,
        };
        age.or_else(|| at.error(FieldError::Type("a duration, such as 30s, 5m or 0s")))
    }
}

/// One text or several: a list, or a text with commas as in Vault's own parameters.
pub(crate) struct TextList(pub(crate) Vec<String>);

impl FieldValue for TextList {
    fn kind() -> Kind {
        Kind::new("list of text", json!({"type": ["array", "string"], "items": {"type": "string"}}))
    }

    fn parse(item: &Item, at: &mut FieldContext<'_>) -> Option<Self> {
        let texts: Vec<String> = match &item.kind {
            ItemKind::Scalar { text, .. } => text.split(',').map(|text| text.trim().to_owned()).collect(),
            ItemKind::List(items) => members(items, at)?,
            _ => return at.error(FieldError::Type("a list of texts")),
        };
        if texts.iter().any(String::is_empty) {
            at.error(FieldError::Type("a list of texts, none of them empty"))
        } else {
            Some(Self(texts))
        }
    }
}

/// Every member; `None` after problems, all of which are reported.
pub(crate) fn members<T: FieldValue>(items: &[Item], at: &mut FieldContext<'_>) -> Option<Vec<T>> {
    let parsed: Vec<_> =
        items.iter().enumerate().map(|(index, item)| T::parse(item, &mut at.member(index))).collect();
    parsed.into_iter().collect()
}

impl<T: FieldValue> FieldValue for Vec<T> {
    fn kind() -> Kind {
        let Kind { description, schema } = T::kind();
        Kind::new(format!("list of {description}"), json!({"type": "array", "items": schema, "minItems": 1}))
    }

    fn parse(item: &Item, at: &mut FieldContext<'_>) -> Option<Self> {
        match &item.kind {
            ItemKind::List(items) if !items.is_empty() => members(items, at),
            _ => at.error(FieldError::Type("a list with at least one member")),
        }
    }
}

/// Named members, sorted.
impl<T: FieldValue> FieldValue for BTreeMap<String, T> {
    fn kind() -> Kind {
        let Kind { description, schema } = T::kind();
        Kind::new(
            format!("names with a {description} each"),
            json!({"type": "object", "additionalProperties": schema, "minProperties": 1}),
        )
    }

    fn parse(item: &Item, at: &mut FieldContext<'_>) -> Option<Self> {
        let ItemKind::Map(pairs) = &item.kind else {
            return at.error(FieldError::Type("a mapping from names"));
        };
        let parsed: Vec<_> = pairs
            .iter()
            .map(|(name, item)| Some((name.clone(), T::parse(item, &mut at.field(name))?)))
            .collect();
        parsed.into_iter().collect()
    }
}

impl FieldValue for Body {
    fn kind() -> Kind {
        Kind::new("mapping", json!({"type": "object"}))
    }

    fn parse(item: &Item, at: &mut FieldContext<'_>) -> Option<Self> {
        if matches!(item.kind, ItemKind::Map(_)) {
            Some(Self::new(&item.json()))
        } else {
            at.error(FieldError::Type("a mapping"))
        }
    }
}

//! The types that fields of text, numbers and words have.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::class::diagnostics::FieldError;
use crate::class::duration::duration;
use crate::class::schema::field::{At, Kind, Read};
use crate::goyaml::{Item, ItemKind};
use crate::spec::Body;

impl Read for String {
    fn kind() -> Kind {
        Kind::new("text", json!({"type": ["string", "number", "boolean"]}))
    }

    fn read(item: &Item, at: &mut At<'_>) -> Option<Self> {
        match &item.kind {
            ItemKind::Scalar { text, .. } => Some(text.clone()),
            _ => at.wrong(FieldError::Type("text")),
        }
    }
}

impl Read for bool {
    fn kind() -> Kind {
        Kind::new("true or false", json!({"type": "boolean"}))
    }

    fn read(item: &Item, at: &mut At<'_>) -> Option<Self> {
        match &item.kind {
            ItemKind::Scalar { value: Value::Bool(value), .. } => Some(*value),
            _ => at.wrong(FieldError::Type("true or false")),
        }
    }
}

/// A whole number from 0 on.
impl Read for u32 {
    fn kind() -> Kind {
        Kind::new("whole number", json!({"type": "integer", "minimum": 0, "maximum": Self::MAX}))
    }

    fn read(item: &Item, at: &mut At<'_>) -> Option<Self> {
        match &item.kind {
            ItemKind::Scalar { value: Value::Number(number), .. } => {
                number.as_u64().and_then(|number| Self::try_from(number).ok())
            }
            _ => None,
        }
        .or_else(|| at.wrong(FieldError::Type("a whole number, without quotes")))
    }
}

/// Permission bits.
pub(crate) struct Mode(pub(crate) u32);

impl Read for Mode {
    fn kind() -> Kind {
        // Editors read YAML 1.2, where 0640 is decimal; `0o640` is octal in both.
        Kind::new("mode", json!({"type": "integer", "minimum": 0, "maximum": 777}))
    }

    fn read(item: &Item, at: &mut At<'_>) -> Option<Self> {
        let mode = u32::read(item, at)?;
        if mode <= 0o777 {
            Some(Self(mode))
        } else {
            at.wrong(FieldError::Type("a mode of at most 0777, such as 0640"))
        }
    }
}

/// A uid or a gid: the largest number means none to the kernel.
pub(crate) struct Id(pub(crate) u32);

impl Read for Id {
    fn kind() -> Kind {
        Kind::new("whole number", json!({"type": "integer", "minimum": 0, "maximum": u32::MAX - 1}))
    }

    fn read(item: &Item, at: &mut At<'_>) -> Option<Self> {
        let id = u32::read(item, at)?;
        if id < u32::MAX {
            Some(Self(id))
        } else {
            at.wrong(FieldError::Type("a number below 4294967295, which means none"))
        }
    }
}

/// Seconds, or numbers with units.
pub(crate) struct Age(pub(crate) Duration);

impl Read for Age {
    fn kind() -> Kind {
        Kind::new("duration", json!({"type": ["string", "integer"]}))
    }

    fn read(item: &Item, at: &mut At<'_>) -> Option<Self> {
        let age = match &item.kind {
            ItemKind::Scalar { text, .. } => duration(text).map(Self),
            _ => None,
        };
        age.or_else(|| at.wrong(FieldError::Type("a duration, such as 30s, 5m or 0s")))
    }
}

/// One text or several: a list, or a text with commas as Vault's own parameters have it.
pub(crate) struct TextList(pub(crate) Vec<String>);

impl Read for TextList {
    fn kind() -> Kind {
        Kind::new("list of text", json!({"type": ["array", "string"], "items": {"type": "string"}}))
    }

    fn read(item: &Item, at: &mut At<'_>) -> Option<Self> {
        let texts: Vec<String> = match &item.kind {
            ItemKind::Scalar { text, .. } => text.split(',').map(|text| text.trim().to_owned()).collect(),
            ItemKind::List(items) => members(items, at)?,
            _ => return at.wrong(FieldError::Type("a list of texts")),
        };
        if texts.iter().any(String::is_empty) {
            at.wrong(FieldError::Type("a list of texts, none of them empty"))
        } else {
            Some(Self(texts))
        }
    }
}

/// Every member, or `None` after all problems.
pub(crate) fn members<T: Read>(items: &[Item], at: &mut At<'_>) -> Option<Vec<T>> {
    let read: Vec<_> =
        items.iter().enumerate().map(|(index, item)| T::read(item, &mut at.member(index))).collect();
    read.into_iter().collect()
}

impl<T: Read> Read for Vec<T> {
    fn kind() -> Kind {
        let Kind { told, schema } = T::kind();
        Kind::new(format!("list of {told}"), json!({"type": "array", "items": schema, "minItems": 1}))
    }

    fn read(item: &Item, at: &mut At<'_>) -> Option<Self> {
        match &item.kind {
            ItemKind::List(items) if !items.is_empty() => members(items, at),
            _ => at.wrong(FieldError::Type("a list with at least one member")),
        }
    }
}

/// Named members, sorted.
impl<T: Read> Read for BTreeMap<String, T> {
    fn kind() -> Kind {
        let Kind { told, schema } = T::kind();
        Kind::new(
            format!("names with a {told} each"),
            json!({"type": "object", "additionalProperties": schema, "minProperties": 1}),
        )
    }

    fn read(item: &Item, at: &mut At<'_>) -> Option<Self> {
        let ItemKind::Map(pairs) = &item.kind else {
            return at.wrong(FieldError::Type("a mapping from names"));
        };
        let read: Vec<_> = pairs
            .iter()
            .map(|(name, item)| Some((name.clone(), T::read(item, &mut at.below(name))?)))
            .collect();
        read.into_iter().collect()
    }
}

impl Read for Body {
    fn kind() -> Kind {
        Kind::new("mapping", json!({"type": "object"}))
    }

    fn read(item: &Item, at: &mut At<'_>) -> Option<Self> {
        if matches!(item.kind, ItemKind::Map(_)) {
            Some(Self::new(&item.json()))
        } else {
            at.wrong(FieldError::Type("a mapping"))
        }
    }
}

//! One field: how it is parsed, and how the reference and the schema describe it.

use serde_json::{Value, json};

use crate::class::diagnostics::{Diagnostics, FieldError, Label, SpecError};
use crate::goyaml::{Item, ItemKind};

/// A field of a mapping, as the reference and the schema describe it.
pub(crate) struct Field {
    /// The name in YAML.
    pub(crate) name: &'static str,
    /// The value if the field is absent, for people; empty for none.
    #[cfg_attr(not(test), expect(dead_code, reason = "for docs/reference.md, which a test compares"))]
    pub(crate) default: &'static str,
    /// What the field does, in one sentence.
    pub(crate) meaning: &'static str,
    /// The type of the value.
    pub(crate) kind: fn() -> Kind,
}

/// The type of a field.
pub(crate) struct Kind {
    /// For people: `text`, `list of text`.
    pub(crate) description: String,
    /// As JSON Schema.
    pub(crate) schema: Value,
}

impl Kind {
    pub(crate) fn new(description: impl Into<String>, schema: Value) -> Self {
        Self { description: description.into(), schema }
    }
}

/// A type that the value of a field can be parsed as.
pub(crate) trait FieldValue: Sized {
    /// The type, for the reference and the schema.
    fn kind() -> Kind;

    /// The value; `None` after a problem.
    fn parse(item: &Item, at: &mut FieldContext<'_>) -> Option<Self>;
}

/// The place of a value: the object, and the fields above the value.
pub(crate) struct FieldContext<'f> {
    pub(crate) object: &'f Label,
    field: String,
    /// Number of problems before this object.
    before: usize,
    pub(crate) found: &'f mut Diagnostics,
}

impl<'f> FieldContext<'f> {
    pub(crate) fn object(object: &'f Label, found: &'f mut Diagnostics) -> Self {
        Self { object, field: String::new(), before: found.count(), found }
    }

    /// The field `name` of this value.
    pub(crate) fn field(&mut self, name: &str) -> FieldContext<'_> {
        let dot = if self.field.is_empty() { "" } else { "." };
        FieldContext {
            object: self.object,
            field: format!("{}{dot}{name}", self.field),
            before: self.before,
            found: self.found,
        }
    }

    /// The member `index` of this list, from 0.
    pub(crate) fn member(&mut self, index: usize) -> FieldContext<'_> {
        FieldContext {
            object: self.object,
            field: format!("{}[{index}]", self.field),
            before: self.before,
            found: self.found,
        }
    }

    /// True while the object has no problem. A value that is missing then is really absent; otherwise it may be present but invalid.
    pub(crate) fn is_clean(&self) -> bool {
        self.found.count() == self.before
    }

    /// Records `error` for this value.
    pub(crate) fn error<T>(&mut self, error: FieldError) -> Option<T> {
        self.found.problem(SpecError::Field {
            object: self.object.clone(),
            field: self.field.clone(),
            error: Box::new(error),
        });
        None
    }

    /// The value; `None` after an error, which is recorded.
    pub(crate) fn take<T>(&mut self, result: Result<T, FieldError>) -> Option<T> {
        result.map_or_else(|error| self.error(error), Some)
    }
}

/// The fields of one mapping that are not parsed yet.
pub(crate) struct Fields<'i> {
    remaining: Vec<(&'i str, &'i Item)>,
    known: Vec<&'static str>,
}

impl<'i> Fields<'i> {
    pub(crate) fn new(pairs: &'i [(String, Item)]) -> Self {
        Self {
            remaining: pairs.iter().map(|(name, item)| (name.as_str(), item)).collect(),
            known: Vec::new(),
        }
    }

    /// The fields of the mapping `item`; `None` after a problem.
    pub(crate) fn of(item: &'i Item, at: &mut FieldContext<'_>) -> Option<Self> {
        match &item.kind {
            ItemKind::Map(pairs) => Some(Self::new(pairs)),
            _ => at.error(FieldError::Type("a mapping of fields")),
        }
    }

    /// Parses the value of `name`; `None` if it is absent or null, and after a problem.
    pub(crate) fn take<T: FieldValue>(&mut self, name: &'static str, at: &mut FieldContext<'_>) -> Option<T> {
        self.known.push(name);
        let index = self.remaining.iter().position(|(other, _)| *other == name)?;
        let (_, item) = self.remaining.swap_remove(index);
        if item.kind == ItemKind::Null { None } else { T::parse(item, &mut at.field(name)) }
    }

    /// Reports every field that was not taken as unknown.
    pub(crate) fn finish(self, at: &mut FieldContext<'_>) {
        for (name, _) in self.remaining {
            let _: Option<()> = at.field(name).error(FieldError::Unknown {
                word: name.to_owned(),
                known: self.known.clone(),
                advice: None,
            });
        }
    }
}

/// Declares a mapping as a struct of optional fields, each with its constant, name, default for people, and meaning. The parser, the reference and
/// the schema follow from it.
macro_rules! shape {
    ($($(#[doc = $about:literal])+ $visibility:vis struct $shape:ident { $($(#[doc = $meaning:literal])+ $field:ident: $type:ty = $constant:ident $name:literal, $default:literal;)+ })+) => {$(
        $(#[doc = $about])+
        #[derive(Default)]
        $visibility struct $shape {
            $($(#[doc = $meaning])+ pub(crate) $field: Option<$type>,)+
        }

        impl $shape {
            $(pub(crate) const $constant: &'static str = $name;)+

            /// The fields, in the order of the reference.
            pub(crate) const FIELDS: &'static [$crate::class::schema::field::Field] = &[$($crate::class::schema::field::Field {
                name: Self::$constant,
                default: $default,
                meaning: concat!($($meaning),+).trim_ascii(),
                kind: <$type as $crate::class::schema::field::FieldValue>::kind,
            }),+];

            /// Parses these fields of a mapping, which may contain other fields too.
            pub(crate) fn take(fields: &mut $crate::class::schema::field::Fields<'_>, at: &mut $crate::class::schema::field::FieldContext<'_>) -> Self {
                Self { $($field: fields.take(Self::$constant, at)),+ }
            }
        }

        impl $crate::class::schema::field::FieldValue for $shape {
            fn kind() -> $crate::class::schema::field::Kind {
                let about = concat!($($about),+).trim_ascii();
                $crate::class::schema::field::mapping("mapping, see below", about, &[Self::FIELDS])
            }

            fn parse(item: &$crate::goyaml::Item, at: &mut $crate::class::schema::field::FieldContext<'_>) -> Option<Self> {
                let mut fields = $crate::class::schema::field::Fields::of(item, at)?;
                let shape = Self::take(&mut fields, at);
                fields.finish(at);
                Some(shape)
            }
        }
    )+};
}
pub(crate) use shape;

/// The type of a mapping of `fields` and no others.
pub(crate) fn mapping(description: &str, about: &str, fields: &[&[Field]]) -> Kind {
    let fields = fields.iter().flat_map(|fields| fields.iter());
    let properties: serde_json::Map<_, _> =
        fields.map(|field| (field.name.to_owned(), described(field))).collect();
    Kind::new(
        description,
        json!({"type": "object", "description": about, "properties": properties, "additionalProperties": false}),
    )
}

fn described(field: &Field) -> Value {
    let mut schema = (field.kind)().schema;
    schema["description"] = field.meaning.into();
    schema
}

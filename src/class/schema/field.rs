//! One field: how it is read, and how the reference and the schema tell of it.

use serde_json::{Value, json};

use crate::class::SpecError;
use crate::class::diagnostics::{Diagnostics, FieldError, Label};
use crate::class::spelling::nearest;
use crate::goyaml::{Item, ItemKind};

/// A field of a mapping, as the reference and the schema know it.
pub(crate) struct Field {
    /// As it is written.
    pub name: &'static str,
    /// What is taken when it is left out; empty for nothing.
    pub default: &'static str,
    /// What it does, in one sentence.
    pub meaning: &'static str,
    /// What it may hold.
    pub kind: fn() -> Kind,
}

/// What a field may hold.
pub(crate) struct Kind {
    /// For people: `text`, `list of text`.
    pub told: String,
    /// As JSON Schema.
    pub schema: Value,
}

impl Kind {
    pub(crate) fn new(told: impl Into<String>, schema: Value) -> Self {
        Self { told: told.into(), schema }
    }
}

/// A type that a field's value can be read as.
pub(crate) trait Read: Sized {
    /// What such a value is, for the reference and the schema.
    fn kind() -> Kind;

    /// The value; `None` after a problem.
    fn read(item: &Item, at: &mut At<'_>) -> Option<Self>;
}

/// Where something is read: the object, and the fields on the way to it.
pub(crate) struct At<'f> {
    pub(crate) object: &'f Label,
    field: String,
    /// Problems of other objects.
    before: usize,
    pub(crate) found: &'f mut Diagnostics,
}

impl<'f> At<'f> {
    pub(crate) fn object(object: &'f Label, found: &'f mut Diagnostics) -> Self {
        Self { object, field: String::new(), before: found.count(), found }
    }

    /// One field further down.
    pub(crate) fn below(&mut self, name: &str) -> At<'_> {
        let dot = if self.field.is_empty() { "" } else { "." };
        At {
            object: self.object,
            field: format!("{}{dot}{name}", self.field),
            before: self.before,
            found: self.found,
        }
    }

    /// A member of a list, from 0.
    pub(crate) fn member(&mut self, index: usize) -> At<'_> {
        At {
            object: self.object,
            field: format!("{}[{index}]", self.field),
            before: self.before,
            found: self.found,
        }
    }

    /// True while nothing is wrong with the object: what is missing now was never written, rather than written wrongly.
    pub(crate) fn is_clean(&self) -> bool {
        self.found.count() == self.before
    }

    /// Notes what is wrong here.
    pub(crate) fn wrong<T>(&mut self, misfit: FieldError) -> Option<T> {
        self.found.problem(SpecError::Field {
            object: self.object.clone(),
            field: self.field.clone(),
            misfit: Box::new(misfit),
        });
        None
    }

    /// The value, or nothing and one more problem.
    pub(crate) fn take<T>(&mut self, result: Result<T, FieldError>) -> Option<T> {
        result.map_or_else(|misfit| self.wrong(misfit), Some)
    }
}

/// The fields of one mapping that nobody has taken yet.
pub(crate) struct Fields<'i> {
    left: Vec<(&'i str, &'i Item)>,
    known: Vec<&'static str>,
}

impl<'i> Fields<'i> {
    pub(crate) fn new(pairs: &'i [(String, Item)]) -> Self {
        Self { left: pairs.iter().map(|(name, item)| (name.as_str(), item)).collect(), known: Vec::new() }
    }

    /// The mapping at `item`; `None` after a problem.
    pub(crate) fn of(item: &'i Item, at: &mut At<'_>) -> Option<Self> {
        match &item.kind {
            ItemKind::Map(pairs) => Some(Self::new(pairs)),
            _ => at.wrong(FieldError::Type("a mapping of fields")),
        }
    }

    /// Takes the value of `name`; null is none. A value that does not fit is a problem, and none too.
    pub(crate) fn take<T: Read>(&mut self, name: &'static str, at: &mut At<'_>) -> Option<T> {
        self.known.push(name);
        let place = self.left.iter().position(|(left, _)| *left == name)?;
        let (_, item) = self.left.swap_remove(place);
        if item.kind == ItemKind::Null { None } else { T::read(item, &mut at.below(name)) }
    }

    /// Notes every field that nobody has asked for.
    pub(crate) fn end(self, at: &mut At<'_>) {
        for (name, _) in self.left {
            let _: Option<()> = at
                .below(name)
                .wrong(FieldError::Unknown { meant: nearest(name, self.known.iter().copied()) });
        }
    }
}

/// A mapping with fields of its own: a struct whose fields are optional, each with its name, its default as people read it, and
/// its meaning. Reading, the reference and the schema follow from it.
macro_rules! shape {
    ($($(#[doc = $about:literal])+ $visibility:vis struct $shape:ident { $($(#[doc = $meaning:literal])+ $field:ident: $type:ty = $name:literal, $default:literal;)+ })+) => {$(
        $(#[doc = $about])+
        #[derive(Default)]
        $visibility struct $shape {
            $($(#[doc = $meaning])+ pub(crate) $field: Option<$type>,)+
        }

        impl $shape {
            /// Its fields, in the order of the reference.
            pub(crate) const FIELDS: &'static [$crate::class::schema::field::Field] = &[$($crate::class::schema::field::Field {
                name: $name,
                default: $default,
                meaning: concat!($($meaning),+).trim_ascii(),
                kind: <$type as $crate::class::schema::field::Read>::kind,
            }),+];

            /// Takes its fields out of a mapping, which may hold others too.
            pub(crate) fn take(fields: &mut $crate::class::schema::field::Fields<'_>, at: &mut $crate::class::schema::field::At<'_>) -> Self {
                Self { $($field: fields.take($name, at)),+ }
            }
        }

        impl $crate::class::schema::field::Read for $shape {
            fn kind() -> $crate::class::schema::field::Kind {
                let about = concat!($($about),+).trim_ascii();
                $crate::class::schema::field::mapping("mapping, see below", about, &[Self::FIELDS])
            }

            fn read(item: &$crate::goyaml::Item, at: &mut $crate::class::schema::field::At<'_>) -> Option<Self> {
                let mut fields = $crate::class::schema::field::Fields::of(item, at)?;
                let shape = Self::take(&mut fields, at);
                fields.end(at);
                Some(shape)
            }
        }
    )+};
}
pub(crate) use shape;

/// The kind of a mapping of `fields` and no others.
pub(crate) fn mapping(told: &str, about: &str, fields: &[&[Field]]) -> Kind {
    let fields = fields.iter().flat_map(|fields| fields.iter());
    let properties: serde_json::Map<_, _> =
        fields.map(|field| (field.name.to_owned(), described(field))).collect();
    Kind::new(
        told,
        json!({"type": "object", "description": about, "properties": properties, "additionalProperties": false}),
    )
}

fn described(field: &Field) -> Value {
    let mut schema = (field.kind)().schema;
    schema["description"] = field.meaning.into();
    schema
}

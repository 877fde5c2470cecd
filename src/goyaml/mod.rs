//! YAML as Go's yaml.v3 reads it. Uses no other module of vaultmount.
//!
//! A text goes through `scanner` (tokens), `parser` (nodes) and `decode` (values of the types of Go). `tests/library/yaml.rs` compares the result
//! with that of yaml.v3; `docs/decisions/yaml-reader.md` says why this is our own code.

mod blank; // blanks, line breaks, comments
mod block; // block scalars
mod cursor; // a position in the text
mod decode; // nodes -> values of the types of Go
mod item; // nodes -> values with their places
mod number; // integers and floats
mod parser; // tokens -> nodes
mod plain; // plain scalars
mod quoted; // quoted scalars
mod resolve; // the type of a scalar
mod scanner; // text -> tokens
mod tag; // anchors, tags, directives
mod timestamp; // times
mod token; // what the scanner produces
mod tree; // the nodes of a text

pub(crate) use decode::Decoder;
pub(crate) use item::{Item, ItemKind, value};
pub(crate) use parser::parse;

/// Why YAML cannot be read: the place and the cause, but not the text there, which may be a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {fault}")]
pub(crate) struct YamlError {
    /// From 1.
    pub(crate) line: usize,
    /// In characters, from 1.
    pub(crate) column: usize,
    /// What is wrong there.
    pub(crate) fault: Fault,
}

/// What is wrong with a piece of YAML.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    /// The scanner or the parser cannot go on.
    #[error("not YAML: check indentation, quotes and colons")]
    Syntax,
    /// An alias without an anchor.
    #[error("an alias `*name` without an anchor `&name` before it")]
    Anchor,
    /// A character that YAML does not allow.
    #[error("a control character, which YAML allows nowhere")]
    Character,
    /// More levels than `DEPTH`. An anchor that contains itself has infinitely many.
    #[error("nested deeper than 32 levels, or an anchor that contains itself")]
    Deep,
    /// More values than `STEPS`, or more bytes in them than `BYTES`, with those that aliases repeat.
    #[error("more than 100000 values or 1 MiB of them, counting those that aliases repeat")]
    Large,
    /// Two equal keys.
    #[error("the same key twice in one mapping")]
    DuplicateKey,
    /// `<<` with something else than mappings.
    #[error("a merge key `<<` takes a mapping, or a list of mappings")]
    Merge,
    /// A value that its own tag does not allow.
    #[error("a value that does not fit its tag")]
    Tag,
    /// `!!binary` without base64.
    #[error("a !!binary value that is not base64")]
    Binary,
    /// A value of another type than the caller expects; the message is the caller's.
    #[error("{0}")]
    Type(&'static str),
    /// A list or mapping in place of text.
    #[error("this must be text, not a list or mapping")]
    NotText,
    /// A key that JSON cannot have.
    #[error("a key of a JSON object must be text: quote it")]
    KeyNotText,
    /// `.nan`, `.inf`.
    #[error("a number that JSON cannot hold")]
    NotFinite,
}

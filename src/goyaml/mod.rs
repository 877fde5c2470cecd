//! The `objects` parameter, read as go-yaml v3 reads it into the fields of the Go providers.
//!
//! The scanner is a port of libyaml, as go-yaml's is; what a scalar means, which keys are one too many and how merge
//! keys count follows go-yaml's decoder. `tests/yaml.rs` holds both against each other.

mod blank; // blanks, line breaks, comments
mod block; // block scalars
mod cursor; // a position in the text
mod decode; // nodes -> entries, in the types of the fields
mod item; // the values of our own fields
mod number; // go-yaml's integers and floats
mod parser; // tokens -> nodes
mod plain; // plain scalars
mod quoted; // quoted scalars
mod resolve; // what a scalar means
mod scanner; // text -> tokens
mod tag; // anchors, tags, directives
mod timestamp; // what go-yaml takes for a time
mod token; // what the scanner produces
mod tree; // the nodes of a text

pub use decode::{Entry, entries};
pub use item::{Item, ItemKind};

/// Why YAML cannot be read: place and cause, never the text around it, which may be a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {fault}")]
pub struct YamlError {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// What is wrong there.
    pub fault: Fault,
}

/// What is wrong with a piece of YAML.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The scanner stopped.
    #[error("not YAML: check indentation, quotes and colons")]
    Syntax,
    /// An alias of nothing.
    #[error("an alias `*name` without an anchor `&name` before it")]
    Anchor,
    /// A character that YAML does not allow.
    #[error("a control character, which YAML allows nowhere")]
    Character,
    /// More levels than `DEPTH`; an anchor that holds itself has no end of them.
    #[error("nested deeper than 32 levels, or an anchor that contains itself")]
    Deep,
    /// More nodes than `STEPS`, or more than `BYTES` in them, once aliases are followed.
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
    /// Something else than a list at the top.
    #[error("`objects` must be a list: begin each object with `- `")]
    NotList,
    /// A list member that is no mapping.
    #[error("an object must be a mapping of fields, such as `objectName: ...`")]
    NotMapping,
    /// A field of text that holds a list or mapping.
    #[error("this must be text, not a list or mapping")]
    NotText,
    /// `secretArgs` that is no mapping.
    #[error("secretArgs must be a mapping")]
    NotArguments,
    /// A key below `secretArgs` that JSON cannot hold.
    #[error("a key below secretArgs must be text: quote it")]
    KeyNotText,
    /// `.nan`, `.inf`.
    #[error("a number that JSON cannot hold")]
    NotFinite,
    /// `filePermission` that is no small whole number.
    #[error("filePermission must be a number such as 0640, without quotes")]
    NotPermission,
}

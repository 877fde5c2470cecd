//! The language of `objects`: every field, its type and its meaning, and how they become sources and files.

pub mod describe; // the reference's tables and the JSON Schema, from the fields
pub mod entry; // one entry of the list -> objects
pub mod field; // one field: how it is read and told of
pub mod file; // fields of a file -> Object
pub mod names; // names of certificates
pub mod selection; // fields of a value -> Selection
pub mod source; // fields of a source -> Source
pub mod table; // every mapping and its fields
pub mod values; // types of text and numbers
pub mod words; // types of a few words
#[cfg(test)]
mod tests;

pub use describe::{reference, schema};
pub(crate) use entry::{Objects, objects};
pub(crate) use file::Access;
pub(crate) use source::ParseContext;
pub(crate) use words::word;

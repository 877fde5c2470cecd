//! The fields of `objects`: their types and meanings, and how they become sources and files.

#[cfg(test)]
mod describe; // the reference and the JSON Schema, from the tables
pub(crate) mod entry; // the entries of the list -> objects
pub(crate) mod field; // one field: how it is parsed and described
pub(crate) mod file; // fields of a file -> Object
pub(crate) mod names; // names of certificates
pub(crate) mod source_value; // fields of a value -> SourceValue
pub(crate) mod source; // fields of a source -> Source
pub(crate) mod table; // every mapping and its fields
pub(crate) mod values; // types of text and numbers
pub(crate) mod keywords; // fields that take one of a few words
#[cfg(test)]
mod tests;

#[cfg(test)]
pub(crate) use describe::{reference, schema};
pub(crate) use entry::{Objects, objects};
pub(crate) use file::Access;
pub(crate) use keywords::keyword;
pub(crate) use source::ParseContext;

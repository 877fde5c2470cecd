//! The language of `objects`: every field, its type and its meaning, and how they become sources and files.

mod describe; // the reference's tables and the JSON Schema, from the fields
mod entry; // one entry of the list -> objects
mod field; // one field: how it is read and told of
mod file; // fields of a file -> Object
mod names; // names of certificates
mod selection; // fields of a value -> Selection
mod shapes; // every mapping and its fields
mod source; // fields of a source -> Source
mod values; // types of text and numbers
mod words; // types of a few words

pub use describe::{reference, schema};
pub(super) use entry::{Objects, objects};
pub(super) use file::Access;
pub(super) use source::Scene;
pub(super) use words::word;

#[cfg(test)]
mod tests;

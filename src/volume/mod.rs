//! The payload of a volume: paths, modes, sizes and versions of its files.

mod payload; // all files of a volume together, or none
mod version; // content -> version, keyed

pub use payload::{File, LIMIT_BYTES, Payload, PayloadError, Room};
pub use version::VersionKey;

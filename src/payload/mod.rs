//! The payload of a volume: paths, modes, sizes and versions of its files.

pub mod files; // all files of a volume together, or none
pub mod version; // content -> version, keyed

pub use files::{File, LIMIT_BYTES, Payload, PayloadError, PayloadQuota};
pub use version::VersionKey;

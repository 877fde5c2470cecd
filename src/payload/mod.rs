//! The payload of a volume: paths, modes, sizes and versions of its files.

mod files; // all files of a volume, checked together
mod version; // keyed versions of files

pub(crate) use files::{File, LIMIT_BYTES, Payload, PayloadError, PayloadQuota};
pub(crate) use version::VersionKey;

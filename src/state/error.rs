//! Why state cannot be stored.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::RecordId;

/// Why the directory cannot be used, or a record cannot be written. Holds nothing of a record's content.
#[derive(Debug, Error)]
pub(crate) enum StateError {
    /// The directory is on a disk.
    #[error("state directory {0}: it is not in memory; put it on a tmpfs, as /run is")]
    NotInMemory(PathBuf),
    /// Another user may write there.
    #[error(
        "state directory {path}: its owner is {owner} and its mode {mode:o}; it must be our own (uid {us}) with mode 700"
    )]
    NotOurs {
        /// The directory.
        path: PathBuf,
        /// Uid of its owner.
        owner: u32,
        /// Its permission bits.
        mode: u32,
        /// Our uid.
        us: u32,
    },
    /// Another process uses the directory.
    #[error("state directory {0}: another vaultmount uses it; stop that one first")]
    Locked(PathBuf),
    /// A system call failed.
    #[error("state directory {path}: {doing} failed ({source})")]
    System {
        /// The directory.
        path: PathBuf,
        /// The operation.
        doing: &'static str,
        /// Why.
        source: io::Error,
    },
    /// A record is larger than the largest that is read.
    #[error("record {id} holds {bytes} bytes, more than 1 MiB, and is not stored")]
    TooLarge {
        /// The record.
        id: RecordId,
        /// Its file's size.
        bytes: usize,
    },
    /// A path is no UTF-8, and JSON holds only text.
    #[error("a path of the server's TLS setting is no UTF-8, and cannot be stored")]
    Path,
    /// The cipher or the system's random number generator failed.
    #[error("a record cannot be sealed")]
    Seal,
}

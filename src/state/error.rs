//! Why state cannot be kept.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::RecordId;
use crate::error::Reason;

/// Why the directory cannot be used, or a record not be kept. Holds nothing of a record's content.
#[derive(Debug, Error)]
pub enum StateError {
    /// Records would reach a disk.
    #[error("state directory {0}: it is not in memory; put it on a tmpfs, as /run is")]
    NotInMemory(PathBuf),
    /// Somebody else may write there.
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
    /// Another process keeps its state there.
    #[error("state directory {0}: another vaultmount uses it; stop that one first")]
    Held(PathBuf),
    /// The system refused.
    #[error("state directory {path}: {doing} failed ({source})")]
    System {
        /// The directory.
        path: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// Why.
        source: io::Error,
    },
    /// One record is larger than any is read.
    #[error("record {id} holds {bytes} bytes, more than 1 MiB, and is not kept")]
    TooLarge {
        /// Which.
        id: RecordId,
        /// Its file's size.
        bytes: usize,
    },
    /// JSON holds only text.
    #[error("a path of the server's TLS setting is no UTF-8, and cannot be kept")]
    Path,
    /// The cipher, or the system's source of randomness.
    #[error("a record cannot be sealed")]
    Seal,
}

impl StateError {
    /// The stable cause.
    pub fn reason(&self) -> Reason {
        match self {
            Self::NotInMemory(_)
            | Self::NotOurs { .. }
            | Self::Held(_)
            | Self::System { .. }
            | Self::TooLarge { .. }
            | Self::Path
            | Self::Seal => Reason::StateUnusable,
        }
    }
}

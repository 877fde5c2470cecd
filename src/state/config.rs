//! The configuration of the state directory.

use std::path::PathBuf;

/// The state directory, and what its records are bound to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StateConfig {
    /// The directory.
    pub(crate) directory: PathBuf,
    /// File with the key that the keys of the records are derived from.
    pub(crate) key_file: PathBuf,
    /// True if the file is the key of object versions, which is used if there is no other key.
    pub(crate) key_is_shared: bool,
    /// Name of the node.
    pub(crate) node: String,
}

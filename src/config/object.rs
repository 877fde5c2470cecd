//! One entry of `objects`.

use super::{MountPath, Request};

/// A file of the volume, and the call whose answer fills it.
#[derive(Clone, Debug)]
pub struct Object {
    /// Its place in the volume.
    pub name: MountPath,
    /// The call; equal ones are made once.
    pub request: Request,
    /// The member of the answer's data that the file holds; `None` for the whole response.
    pub key: Option<String>,
    /// How the member's text stands for bytes; only with `key`.
    pub encoding: Encoding,
    /// Permission bits, 1 to 0o777.
    pub mode: u32,
}

/// How a value's text stands for the file's bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// As it is.
    #[default]
    Utf8,
    /// Standard alphabet, padded.
    Base64,
    /// Pairs of hexadecimal digits.
    Hex,
}

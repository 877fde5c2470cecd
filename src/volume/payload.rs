//! All files of a volume together, or none.

use thiserror::Error;

use crate::config::MountPath;
use crate::secret::Secret;

/// Bytes over which a payload is refused: the driver takes answers up to 4 MiB, framing and versions included, and
/// turns a larger one into a code after which a pod starts on an empty volume.
const LIMIT_BYTES: usize = 3_584 * 1024;

/// Bytes over which the driver warns, and a synced Secret cannot hold it.
const LARGE_BYTES: usize = 1024 * 1024;

/// One file of a volume.
#[derive(Debug)]
pub struct File {
    /// Its place.
    pub path: MountPath,
    /// Permission bits, 1 to 0o777.
    pub mode: u32,
    /// Its bytes; they go to the driver and nowhere else.
    pub contents: Secret,
}

/// The whole content of a volume: at least one file, no two of one name (the spec's promise), small enough to travel.
#[derive(Debug)]
pub struct Payload {
    files: Vec<File>,
    bytes: usize,
}

/// The files together exceed what the driver takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the files hold {bytes} bytes together, more than {LIMIT_BYTES}")]
pub struct TooLarge {
    bytes: usize,
}

impl Payload {
    /// Takes `files` together, or none of them.
    pub fn new(files: Vec<File>) -> Result<Self, TooLarge> {
        let bytes = files.iter().map(|file| file.contents.len() + file.path.as_str().len()).sum();
        if bytes > LIMIT_BYTES { Err(TooLarge { bytes }) } else { Ok(Self { files, bytes }) }
    }

    /// Its files, in the class's order.
    pub fn files(&self) -> &[File] {
        &self.files
    }

    /// Gives its files away.
    pub fn into_files(self) -> Vec<File> {
        self.files
    }

    /// True over 1 MiB: the driver warns, and a Kubernetes Secret cannot hold it.
    pub fn is_large(&self) -> bool {
        self.bytes > LARGE_BYTES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(bytes: usize) -> File {
        File { path: "a".parse().unwrap(), mode: 0o644, contents: Secret::from(vec![b'x'; bytes]) }
    }

    #[test]
    fn files_that_the_driver_would_not_take_are_refused_together() {
        assert!(Payload::new(vec![file(LIMIT_BYTES - 1)]).is_ok_and(|payload| payload.is_large()));
        assert_eq!(Payload::new(vec![file(LIMIT_BYTES - 1), file(1)]).unwrap_err().bytes, LIMIT_BYTES + 2);
    }
}

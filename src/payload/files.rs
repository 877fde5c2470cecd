//! All files of a volume together, or none.

use thiserror::Error;

use crate::error::Reason;
use crate::secret::Secret;
use crate::spec::path::NameConflict;
use crate::spec::{MountPath, path};

/// Bytes over which a payload is refused: the driver takes answers up to 4 MiB, framing and versions included, and
/// turns a larger one into a code after which a pod starts on an empty volume.
pub const LIMIT_BYTES: usize = 3_584 * 1024;

/// Bytes over which the driver warns, and a synced Secret cannot hold it.
const LARGE_BYTES: usize = 1024 * 1024;

/// Files over which a payload is refused: the driver writes each of them at every change of one.
const LIMIT_FILES: usize = 4096;

/// What an otherwise empty volume gets: without any file and version the driver takes its old ones for current.
const PLACEHOLDER: &str = ".vaultmount";

/// One file of a volume.
#[derive(Debug)]
pub struct File {
    /// Its place.
    pub path: MountPath,
    /// Permission bits, 1 to 0o777.
    pub mode: u32,
    /// Its uid, where we write it ourselves.
    pub owner: Option<u32>,
    /// Its gid, likewise.
    pub group: Option<u32>,
    /// Its bytes; they go to the driver and nowhere else.
    pub contents: Secret,
}

/// The whole content of a volume: at least one file, no two of one name, small enough to travel.
#[derive(Debug)]
pub struct Payload {
    files: Vec<File>,
    absent: Vec<String>,
    bytes: usize,
}

/// Why files cannot be one volume.
#[derive(Debug, PartialEq, Error)]
pub enum PayloadError {
    /// They exceed together what the driver takes.
    #[error("the files hold more than {LIMIT_BYTES} bytes together")]
    Bytes,
    /// There are too many.
    #[error("there are more than {LIMIT_FILES} files: list the keys that are needed")]
    Files,
    /// Names meet, which no class tells before its keys are known.
    #[error("{0}")]
    Conflict(NameConflict),
}

impl PayloadError {
    /// The stable cause.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Bytes | Self::Files => Reason::PayloadTooLarge,
            Self::Conflict(_) => Reason::SpecInvalid,
        }
    }
}

/// What files take of a volume, while they are made: one small class may ask for a large value many times over, so what is
/// too much must be known before all of it is in memory.
#[derive(Debug, Default)]
pub struct PayloadQuota {
    files: usize,
    bytes: usize,
}

impl PayloadQuota {
    /// Counts one more file.
    pub fn take(&mut self, file: &File) -> Result<(), PayloadError> {
        self.files += 1;
        self.bytes += file.contents.len() + file.path.as_str().len();
        match self {
            Self { files, .. } if *files > LIMIT_FILES => Err(PayloadError::Files),
            Self { bytes, .. } if *bytes > LIMIT_BYTES => Err(PayloadError::Bytes),
            _ => Ok(()),
        }
    }

    /// Whether more was asked for than there is.
    pub fn is_exceeded(&self) -> bool {
        self.files > LIMIT_FILES || self.bytes > LIMIT_BYTES
    }
}

impl Payload {
    /// Takes `files` together, or none of them; `absent` are those that would be there if something had been found.
    pub fn new(mut files: Vec<File>, absent: Vec<String>) -> Result<Self, PayloadError> {
        let mut room = PayloadQuota::default();
        files.iter().try_for_each(|file| room.take(file))?;
        let paths: Vec<_> = files.iter().map(|file| file.path.clone()).collect();
        if let Some(problem) = path::conflicts(&paths).into_iter().next() {
            return Err(PayloadError::Conflict(problem));
        }
        if files.is_empty() {
            files.extend(PLACEHOLDER.parse().map(placeholder));
        }
        Ok(Self { files, absent, bytes: room.bytes })
    }

    /// Its files, in the class's order.
    pub fn files(&self) -> &[File] {
        &self.files
    }

    /// The names of those that are not there, and may be.
    pub fn absent(&self) -> &[String] {
        &self.absent
    }

    /// Its size in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The same where that is over 1 MiB: the driver warns, and a Kubernetes Secret cannot hold it.
    pub fn large(&self) -> Option<usize> {
        Some(self.bytes).filter(|bytes| *bytes > LARGE_BYTES)
    }
}

fn placeholder(path: MountPath) -> File {
    File { path, mode: 0o444, owner: None, group: None, contents: Secret::from("") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, bytes: usize) -> File {
        File {
            path: path.parse().unwrap(),
            mode: 0o644,
            owner: None,
            group: None,
            contents: Secret::from(vec![b'x'; bytes]),
        }
    }

    #[test]
    fn files_that_the_driver_would_not_take_are_refused_together() {
        assert!(
            Payload::new(vec![file("a", LIMIT_BYTES - 1)], vec![])
                .is_ok_and(|payload| payload.large() == Some(LIMIT_BYTES))
        );
        let error = Payload::new(vec![file("a", LIMIT_BYTES - 1), file("b", 1)], vec![]).unwrap_err();
        assert_eq!(error, PayloadError::Bytes);
        let many = (0..=LIMIT_FILES).map(|number| file(&number.to_string(), 0)).collect();
        assert_eq!(Payload::new(many, vec![]).unwrap_err(), PayloadError::Files);
    }

    #[test]
    fn a_volume_is_never_without_a_file() {
        let payload = Payload::new(vec![], vec!["db".into()]).unwrap();
        assert_eq!(
            payload.files().iter().map(|file| file.path.as_str()).collect::<Vec<_>>(),
            [".vaultmount"]
        );
        assert_eq!(payload.absent(), ["db"]);
    }

    #[test]
    fn names_that_meet_are_refused_when_they_are_known() {
        for (one, other) in [("a", "a"), ("a", "a/b"), ("e\u{301}", "é")] {
            assert!(
                matches!(
                    Payload::new(vec![file(one, 1), file(other, 1)], vec![]),
                    Err(PayloadError::Conflict(_))
                ),
                "{one} {other}"
            );
        }
    }
}

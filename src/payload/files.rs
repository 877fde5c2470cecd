//! All files of a volume, checked together.

use thiserror::Error;

use crate::error::Reason;
use crate::secret::Secret;
use crate::spec::path::NameConflict;
use crate::spec::{MountPath, path};

/// Limit of a payload, in bytes. The driver accepts responses up to 4 MiB, including framing and versions; for a larger response its error is
/// ResourceExhausted, after which a pod starts on an empty volume.
pub(crate) const LIMIT_BYTES: usize = 3_584 * 1024;

/// Size in bytes above which the driver logs a warning and a synced Kubernetes Secret cannot hold the content.
const LARGE_BYTES: usize = 1024 * 1024;

/// Limit of files of a payload. The driver writes all of them again when one changes.
const LIMIT_FILES: usize = 4096;

/// The only file of a volume that would be empty: without any file and version the driver would keep the old files.
const PLACEHOLDER: &str = ".vaultmount";

/// One file of a volume.
#[derive(Debug)]
pub(crate) struct File {
    /// The path in the volume.
    pub(crate) path: MountPath,
    /// Permission bits, 1 to 0o777.
    pub(crate) mode: u32,
    /// The uid, if vaultmount writes the file itself.
    pub(crate) owner: Option<u32>,
    /// The gid, if vaultmount writes the file itself.
    pub(crate) group: Option<u32>,
    /// The content; it goes only to the driver or into the volume.
    pub(crate) contents: Secret,
}

/// The whole content of a volume: at least one file, no two with the same name, within the driver's limits.
#[derive(Debug)]
pub(crate) struct Payload {
    files: Vec<File>,
    absent: Vec<String>,
    bytes: usize,
}

/// Why files cannot be the content of one volume.
#[derive(Debug, PartialEq, Error)]
pub(crate) enum PayloadError {
    /// All files together are larger than the driver accepts.
    #[error("all files together are larger than {LIMIT_BYTES} bytes")]
    Bytes,
    /// There are too many files.
    #[error("there are more than {LIMIT_FILES} files: list the keys that are needed")]
    Files,
    /// Two paths conflict. A class that selects all keys of a secret does not show this before the keys are known.
    #[error("{0}")]
    Conflict(NameConflict),
}

impl PayloadError {
    /// The reason of the failure.
    pub(crate) fn reason(&self) -> Reason {
        match self {
            Self::Bytes | Self::Files => Reason::PayloadTooLarge,
            Self::Conflict(_) => Reason::SpecInvalid,
        }
    }
}

/// Counts the files of a volume and their bytes while they are rendered. A small class can use a large value many times, so an excess must be
/// noticed before all of it is in memory.
#[derive(Debug, Default)]
pub(crate) struct PayloadQuota {
    files: usize,
    bytes: usize,
}

impl PayloadQuota {
    /// Counts `file`; fails if a limit is exceeded.
    pub(crate) fn add(&mut self, file: &File) -> Result<(), PayloadError> {
        self.files += 1;
        self.bytes += file.contents.len() + file.path.as_str().len();
        match self {
            Self { files, .. } if *files > LIMIT_FILES => Err(PayloadError::Files),
            Self { bytes, .. } if *bytes > LIMIT_BYTES => Err(PayloadError::Bytes),
            _ => Ok(()),
        }
    }

    /// Whether a limit is exceeded.
    pub(crate) fn is_exceeded(&self) -> bool {
        self.files > LIMIT_FILES || self.bytes > LIMIT_BYTES
    }
}

impl Payload {
    /// The content of a volume with `files`. `absent` are the names of optional files that do not exist.
    pub(crate) fn new(mut files: Vec<File>, absent: Vec<String>) -> Result<Self, PayloadError> {
        let mut quota = PayloadQuota::default();
        files.iter().try_for_each(|file| quota.add(file))?;
        let paths: Vec<_> = files.iter().map(|file| file.path.clone()).collect();
        if let Some(conflict) = path::conflicts(&paths).into_iter().next() {
            return Err(PayloadError::Conflict(conflict));
        }
        if files.is_empty() {
            files.extend(PLACEHOLDER.parse().map(placeholder));
        }
        Ok(Self { files, absent, bytes: quota.bytes })
    }

    /// The files, in the order of the class.
    pub(crate) fn files(&self) -> &[File] {
        &self.files
    }

    /// The names of optional files that do not exist.
    pub(crate) fn absent(&self) -> &[String] {
        &self.absent
    }

    /// The size of paths and contents, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The size in bytes if it is over 1 MiB: then the driver logs a warning, and a Kubernetes Secret cannot hold the content.
    pub(crate) fn large_size(&self) -> Option<usize> {
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
    fn files_that_exceed_the_limits_of_the_driver_are_refused() {
        assert!(
            Payload::new(vec![file("a", LIMIT_BYTES - 1)], vec![])
                .is_ok_and(|payload| payload.large_size() == Some(LIMIT_BYTES))
        );
        let error = Payload::new(vec![file("a", LIMIT_BYTES - 1), file("b", 1)], vec![]).unwrap_err();
        assert_eq!(error, PayloadError::Bytes);
        let many = (0..=LIMIT_FILES).map(|number| file(&number.to_string(), 0)).collect();
        assert_eq!(Payload::new(many, vec![]).unwrap_err(), PayloadError::Files);
    }

    #[test]
    fn a_volume_always_has_a_file() {
        let payload = Payload::new(vec![], vec!["db".into()]).unwrap();
        assert_eq!(
            payload.files().iter().map(|file| file.path.as_str()).collect::<Vec<_>>(),
            [".vaultmount"]
        );
        assert_eq!(payload.absent(), ["db"]);
    }

    #[test]
    fn conflicting_paths_are_refused() {
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

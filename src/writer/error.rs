//! Errors of writing a volume.

use std::ffi::CStr;
use std::io;
use std::path::PathBuf;

use nix::errno::Errno;
use thiserror::Error;

use crate::error::Reason;
use crate::writer::directory::MAX_DEPTH;

/// Why a volume was not written. Holds names of files, never their contents.
#[derive(Debug, Error)]
pub(crate) enum WriteError {
    /// The request's path is outside the kubelet's directory.
    #[error("{target}: this path is not below the kubelet's directory {root}; check --kubelet-dir")]
    Outside {
        /// The path of the request.
        target: PathBuf,
        /// The directory of all volumes.
        root: PathBuf,
    },
    /// The request's path does not have the form of a volume's path.
    #[error("{0}: this is not the path of a volume, <pod's uid>/volumes/kubernetes.io~csi/<name>/mount")]
    NotAVolume(PathBuf),
    /// The request's path belongs to another pod.
    #[error("{target}: this is not a volume of the pod {uid}")]
    OtherPod {
        /// The path of the request.
        target: PathBuf,
        /// The uid of the pod, from the kubelet.
        uid: String,
    },
    /// A part of the path is a link. The kubelet never creates one.
    #[error("{0}: a part of this path is a link, and links are not followed")]
    Link(PathBuf),
    /// The volume's directory does not exist.
    #[error(
        "{0}: this directory does not exist: the pod is gone, or the kubelet's directory is not mounted here"
    )]
    Missing(PathBuf, #[source] io::Error),
    /// Nothing is mounted there: the files would be written to a disk.
    #[error(
        "{0}: nothing is mounted there that vaultmount can see; mount the kubelet's pods with mountPropagation HostToContainer"
    )]
    NotMounted(PathBuf),
    /// The volume is not a tmpfs: the files could be written to a disk.
    #[error("{0}: this is not a tmpfs, which the driver mounts")]
    NotInMemory(PathBuf),
    /// The path is deeper than vaultmount can remove.
    #[error("{0}: this path is more than {MAX_DEPTH} directories deep")]
    TooDeep(String),
    /// The tmpfs is full. The volume keeps its current files.
    #[error("{0}: the volume's tmpfs has no space for it in addition to the current files, which stay")]
    Full(String, #[source] io::Error),
    /// The memory limit to which the tmpfs counts is reached. The volume keeps its current files.
    #[error("{0}: there is no memory for it; the current files stay. Raise the provider's memory limit")]
    OutOfMemory(String, #[source] io::Error),
    /// A volume that had files is empty now: the driver removes the files before it unmounts a volume.
    #[error(
        "{0}: the files were removed, so the volume is about to be unmounted; a new request of the driver fills it again"
    )]
    Ending(PathBuf),
    /// Something is mounted inside the volume.
    #[error("{0}: something is mounted on it, inside the volume; unmount that first")]
    Occupied(String),
    /// The pod sees the new files, but a later step failed.
    #[error("the files are new, but {0}")]
    AfterSwap(#[source] Box<Self>),
    /// There is more to remove than one call removes; it is not vaultmount's.
    #[error("{0}: it has too many entries to remove at once; the rest is removed with the next changes")]
    TooManyEntries(String),
    /// A system call failed.
    #[error("{doing} {name}: {source}")]
    System {
        /// The step that failed.
        doing: &'static str,
        /// The name in the volume, or a path in the kubelet's directory.
        name: String,
        /// The error of the system call.
        source: io::Error,
    },
}

impl WriteError {
    /// The reason of the failure.
    pub(crate) fn reason(&self) -> Reason {
        match self {
            Self::TooDeep(_) => Reason::SpecInvalid,
            Self::AfterSwap(error) => error.reason(),
            Self::Outside { .. }
            | Self::NotAVolume(_)
            | Self::OtherPod { .. }
            | Self::Link(_)
            | Self::Missing(..)
            | Self::NotMounted(_)
            | Self::NotInMemory(_)
            | Self::Full(..)
            | Self::OutOfMemory(..)
            | Self::Ending(_)
            | Self::Occupied(_)
            | Self::TooManyEntries(_)
            | Self::System { .. } => Reason::VolumeUnusable,
        }
    }

    /// Whether a file was removed during the write. Only the driver does that, when a volume ends.
    pub(crate) fn is_concurrent_removal(&self) -> bool {
        matches!(self, Self::System { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }

    /// Whether the pod sees the new files in spite of the error.
    pub(crate) fn is_after_swap(&self) -> bool {
        matches!(self, Self::AfterSwap(_))
    }

    /// Whether the error also occurs when a volume ends. Then it need not be reported: the end is observed elsewhere.
    pub(crate) fn is_possible_end(&self) -> bool {
        matches!(self, Self::Ending(_) | Self::Missing(..) | Self::NotMounted(_))
    }

    /// Whether the driver can write the volume although vaultmount cannot: because this process does not see the volume, or lacks
    /// permissions. All other errors concern the volume itself, whoever writes it.
    pub(crate) fn is_for_driver(&self) -> bool {
        match self {
            Self::Missing(..) | Self::NotMounted(_) => true,
            Self::System { source, .. } => {
                let permissions = [Errno::EACCES, Errno::EPERM, Errno::EROFS, Errno::ENOSYS];
                source.raw_os_error().is_some_and(|error| permissions.contains(&Errno::from_raw(error)))
            }
            Self::Outside { .. }
            | Self::NotAVolume(_)
            | Self::OtherPod { .. }
            | Self::Link(_)
            | Self::NotInMemory(_) => false,
            Self::AfterSwap(_)
            | Self::TooDeep(_)
            | Self::Full(..)
            | Self::OutOfMemory(..)
            | Self::Ending(_)
            | Self::Occupied(_)
            | Self::TooManyEntries(_) => false,
        }
    }
}

/// A name quoted for messages: any process that writes into the volume could choose its bytes.
pub(crate) fn shown(name: &CStr) -> String {
    format!("{:?}", name.to_string_lossy())
}

/// The error of a system call that failed while `doing` something with `name`.
pub(crate) fn at(doing: &'static str, name: impl Into<String>) -> impl FnOnce(Errno) -> WriteError {
    let name = name.into();
    move |error| match error {
        Errno::ENOSPC | Errno::EDQUOT => WriteError::Full(name, error.into()),
        Errno::ENOMEM => WriteError::OutOfMemory(name, error.into()),
        Errno::EBUSY | Errno::EXDEV => WriteError::Occupied(name),
        _ => WriteError::System { doing, name, source: error.into() },
    }
}

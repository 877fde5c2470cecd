//! Why a volume was not written.

use std::ffi::CStr;
use std::io;
use std::path::PathBuf;

use nix::errno::Errno;
use thiserror::Error;

use crate::error::Reason;

/// Why we do not write into a volume, or could not. Holds names of files, and nothing of what is in them.
#[derive(Debug, Error)]
pub enum WriteError {
    /// The request's path leads elsewhere.
    #[error("{target}: it is not below the kubelet's {root}; check --kubelet-dir")]
    Outside {
        /// The path of the request.
        target: PathBuf,
        /// Where volumes are.
        root: PathBuf,
    },
    /// The request's path has another form than a volume's.
    #[error("{0}: it is not the place of a volume, <pod's uid>/volumes/kubernetes.io~csi/<name>/mount")]
    NotAVolume(PathBuf),
    /// The request's path is another pod's.
    #[error("{target}: it is not a volume of the pod {uid}")]
    OtherPod {
        /// The path of the request.
        target: PathBuf,
        /// The pod that the kubelet vouches for.
        uid: String,
    },
    /// A link in the path, which the kubelet never makes.
    #[error("{0}: a part of it is a link, and none is followed")]
    Link(PathBuf),
    /// The pod is gone, or its directory is none.
    #[error("{0}: it is not there: the pod is gone, or the kubelet's directory is not mounted here")]
    Missing(PathBuf, #[source] io::Error),
    /// The files would reach a disk.
    #[error(
        "{0}: nothing is mounted there, as seen from here; mount the kubelet's pods with mountPropagation HostToContainer"
    )]
    NotMounted(PathBuf),
    /// The files might reach a disk.
    #[error("{0}: it is not a tmpfs, as the driver mounts one")]
    NotInMemory(PathBuf),
    /// Deeper than we would be able to remove again.
    #[error("{0}: it lies more than {deepest} directories deep", deepest = crate::writer::removal::DEEPEST)]
    TooDeep(String),
    /// The tmpfs is used up. The volume keeps what it had.
    #[error("{0}: the volume's tmpfs has no room for it beside the files of before, which stay")]
    Full(String, #[source] io::Error),
    /// The memory that its pages count against is used up. The volume keeps what it had.
    #[error("{0}: there is no memory for it; the files of before stay. Raise the provider's memory limit")]
    OutOfMemory(String, #[source] io::Error),
    /// A volume that was filled has no files any more, as the driver leaves it for a moment before it unmounts it.
    #[error("{0}: the files are gone, so its end has begun; it is filled again when the driver asks")]
    Ending(PathBuf),
    /// Somebody mounted something inside of the volume.
    #[error("{0}: something is mounted on it, inside of the volume; unmount that first")]
    Occupied(String),
    /// The files are new, as far as they go: what is behind that failed.
    #[error("the files are new, but {0}")]
    Behind(#[source] Box<Self>),
    /// More to clean up than is done in one go, and nothing of ours.
    #[error("{0}: it holds too much to be removed in one go; what is left is removed with the next changes")]
    Crowded(String),
    /// The system refused.
    #[error("{doing} {name}: {source}")]
    System {
        /// What was tried.
        doing: &'static str,
        /// Within the volume, or the kubelet's directory.
        name: String,
        /// Why.
        source: io::Error,
    },
}

impl WriteError {
    /// The stable cause.
    pub fn reason(&self) -> Reason {
        match self {
            Self::TooDeep(_) => Reason::SpecInvalid,
            Self::Behind(error) => error.reason(),
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
            | Self::Crowded(_)
            | Self::System { .. } => Reason::VolumeUnusable,
        }
    }

    /// Whether something was removed while we were at work in a volume, as nobody but the driver does.
    pub(crate) fn is_of_what_is_gone(&self) -> bool {
        matches!(self, Self::System { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }

    /// Whether the pod has the new files all the same.
    pub fn is_behind(&self) -> bool {
        matches!(self, Self::Behind(_))
    }

    /// Whether that is how a volume looks at its end too, which others see.
    pub fn is_of_an_end(&self) -> bool {
        matches!(self, Self::Ending(_) | Self::Missing(..) | Self::NotMounted(_))
    }

    /// Whether the driver can do what we cannot: volumes are not to be seen from here, or rights are missing. What else is wrong is
    /// wrong with the volume, whoever writes it.
    pub fn is_for_driver(&self) -> bool {
        match self {
            Self::Missing(..) | Self::NotMounted(_) => true,
            Self::System { source, .. } => {
                let rights = [Errno::EACCES, Errno::EPERM, Errno::EROFS, Errno::ENOSYS];
                source.raw_os_error().is_some_and(|error| rights.contains(&Errno::from_raw(error)))
            }
            Self::Outside { .. }
            | Self::NotAVolume(_)
            | Self::OtherPod { .. }
            | Self::Link(_)
            | Self::NotInMemory(_) => false,
            Self::Behind(_)
            | Self::TooDeep(_)
            | Self::Full(..)
            | Self::OutOfMemory(..)
            | Self::Ending(_)
            | Self::Occupied(_)
            | Self::Crowded(_) => false,
        }
    }
}

/// A name as messages show it: whoever planted it chose its bytes.
pub(crate) fn shown(name: &CStr) -> String {
    format!("{:?}", name.to_string_lossy())
}

/// What a refusal of the system means while `doing` something to `name`.
pub(crate) fn at(doing: &'static str, name: impl Into<String>) -> impl FnOnce(Errno) -> WriteError {
    let name = name.into();
    move |error| match error {
        Errno::ENOSPC | Errno::EDQUOT => WriteError::Full(name, error.into()),
        Errno::ENOMEM => WriteError::OutOfMemory(name, error.into()),
        Errno::EBUSY | Errno::EXDEV => WriteError::Occupied(name),
        _ => WriteError::System { doing, name, source: error.into() },
    }
}

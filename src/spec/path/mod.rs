//! The path of a file in the volume.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use unicode_normalization::UnicodeNormalization;

use super::Shown;

/// Maximum length of a path in bytes; the driver's limit.
const PATH_BYTES: usize = 4096;

/// Maximum length of a part of a path in bytes; the driver's limit and that of Linux.
const PART_BYTES: usize = 255;

/// A relative path, separated by `/`. The rules are stricter than the driver's, so the driver accepts each such path (`File.path`,
/// `docs/reference.md`).
///
/// ```compile_fail,E0423
/// let path = vaultmount::internals::MountPath("../outside".to_owned()); // only parsing makes one
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MountPath(String);

impl MountPath {
    /// The path as text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The path of `name` in `directory`, or in the volume itself.
    ///
    /// # Errors
    /// `name` or the whole path is no path of a file.
    pub(crate) fn below(directory: Option<&Self>, name: &str) -> Result<Self, PathError> {
        let name: Self = name.parse()?;
        directory.map_or(Ok(name.clone()), |directory| format!("{directory}/{name}").parse())
    }

    /// The directories of the path, the outermost first.
    pub(crate) fn directories(&self) -> impl Iterator<Item = &str> {
        self.0.match_indices('/').map(|(end, _)| &self.0[..end])
    }
}

impl fmt::Display for MountPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a text is not the path of a file. The message does not repeat the text, because it names the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    #[error("is missing or empty")]
    Empty,
    #[error("must be relative: remove the / in front")]
    Absolute,
    #[error("is longer than 4096 bytes")]
    Long,
    #[error("has a part longer than 255 bytes")]
    LongPart,
    #[error("has an empty part: remove the / at its end, or one of two in a row")]
    EmptyPart,
    #[error("has a part that is `.` or `..`")]
    Dots,
    #[error("begins with `..`, which the driver reserves")]
    Reserved,
    #[error("contains a control character, or one that changes the direction of the text")]
    Unprintable,
}

impl FromStr for MountPath {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        match text {
            "" => return Err(PathError::Empty),
            _ if text.starts_with('/') => return Err(PathError::Absolute),
            _ if text.len() > PATH_BYTES => return Err(PathError::Long),
            _ if text.contains(is_unprintable) => return Err(PathError::Unprintable),
            _ => {}
        }
        text.split('/').try_for_each(part)?;
        if text.starts_with("..") { Err(PathError::Reserved) } else { Ok(Self(text.into())) }
    }
}

fn part(part: &str) -> Result<(), PathError> {
    match part {
        "" => Err(PathError::EmptyPart),
        "." | ".." => Err(PathError::Dots),
        _ if part.len() > PART_BYTES => Err(PathError::LongPart),
        _ => Ok(()),
    }
}

/// True for control characters, line and paragraph separators, and the bidirectional controls of Unicode (UAX 9, 2.1 to 2.6).
pub(crate) fn is_unprintable(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// True if both names are equal in Unicode NFC: a filesystem may treat them as the same name.
pub(crate) fn is_same_name(name: &str, other: &str) -> bool {
    name.nfc().eq(other.nfc())
}

/// Names of files that one volume can contain together.
#[derive(Debug, Default)]
pub(crate) struct Names(BTreeSet<String>);

impl Names {
    /// Adds `path`, and returns true, unless it is in conflict with a path that was added before.
    pub(crate) fn insert(&mut self, path: &MountPath) -> bool {
        let composed = MountPath(path.0.nfc().collect());
        let below = format!("{composed}/");
        let is_directory = self.0.range(below.clone()..).next().is_some_and(|name| name.starts_with(&below));
        let is_below = composed.directories().any(|directory| self.0.contains(directory));
        !is_directory && !is_below && self.0.insert(composed.0)
    }
}

/// Two names that cannot both be files of one volume.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NameConflict {
    /// The same name more than once.
    #[error("objectName {} is used {times} times: each file needs its own name", Shown(.name))]
    Duplicate { name: String, times: usize },
    /// A file where another file needs a directory.
    #[error("objectNames {} and {} cannot both be files: one is the other's directory", Shown(.file), Shown(.below))]
    FileAndDirectory { file: String, below: String },
}

impl NameConflict {
    /// The names that are in conflict.
    pub(crate) fn names(&self) -> Vec<&str> {
        match self {
            Self::Duplicate { name, .. } => vec![name],
            Self::FileAndDirectory { file, below } => vec![file, below],
        }
    }
}

/// Why `paths` cannot be the files of one volume: names that are equal in Unicode NFC, although the node's filesystem would accept both,
/// and a file where another file needs a directory.
pub(crate) fn conflicts(paths: &[MountPath]) -> Vec<NameConflict> {
    let mut times = BTreeMap::new();
    for path in paths {
        let composed = MountPath(path.0.nfc().collect());
        times.entry(composed).or_insert((path, 0)).1 += 1;
    }
    let files: BTreeSet<&str> = times.keys().map(MountPath::as_str).collect();
    let duplicates = times.values().filter(|(_, times)| *times > 1);
    let duplicates =
        duplicates.map(|(path, times)| NameConflict::Duplicate { name: path.to_string(), times: *times });
    let nested = times
        .keys()
        .filter_map(|path| Some((path.directories().find(|directory| files.contains(directory))?, path)));
    let nested = nested
        .map(|(file, path)| NameConflict::FileAndDirectory { file: file.into(), below: path.to_string() });
    duplicates.chain(nested).collect()
}

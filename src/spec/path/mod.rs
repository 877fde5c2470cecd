//! A file's place in the volume.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use unicode_normalization::UnicodeNormalization;

use crate::class::SpecError;

/// Longest path in bytes, by the driver's rule.
const PATH_BYTES: usize = 4096;

/// Longest part of a path in bytes, by the driver's rule and that of Linux.
const PART_BYTES: usize = 255;

/// Relative, `/`-separated, accepted by the driver's own rule and stricter than it (facts in `docs/reference.md`).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MountPath(String);

impl MountPath {
    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path `name` below `root`, or of the volume itself.
    pub fn below(root: Option<&Self>, name: &str) -> Result<Self, PathError> {
        let name: Self = name.parse()?;
        root.map_or(Ok(name.clone()), |root| format!("{root}/{name}").parse())
    }

    /// The paths that must be directories for this one to be a file, from the outermost.
    pub fn directories(&self) -> impl Iterator<Item = &str> {
        self.0.match_indices('/').map(|(end, _)| &self.0[..end])
    }
}

impl fmt::Display for MountPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a text is no file name. The text itself is not repeated: the message names the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each text says what its variant means")]
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
    #[error("begins with `..`, which the driver keeps for itself")]
    Reserved,
    #[error("holds a control character, or one that turns the direction of writing")]
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

/// Controls, line and paragraph separators, and the bidirectional controls of Unicode (UAX 9, 2.1 to 2.6).
pub(crate) fn is_unprintable(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// Whether the node's filesystem may take both names for one: they are equal once composed (Unicode NFC).
pub fn is_one(name: &str, other: &str) -> bool {
    name.nfc().eq(other.nfc())
}

/// Names that can be files of one volume together, as far as they are known.
#[derive(Debug, Default)]
pub struct Names(BTreeSet<String>);

impl Names {
    /// True when `path` can stand beside those taken before; then it is taken too.
    pub fn take(&mut self, path: &MountPath) -> bool {
        let composed = MountPath(path.0.nfc().collect());
        let below = format!("{composed}/");
        let is_directory = self.0.range(below.clone()..).next().is_some_and(|name| name.starts_with(&below));
        let is_below = composed.directories().any(|directory| self.0.contains(directory));
        !is_directory && !is_below && self.0.insert(composed.0)
    }
}

/// What keeps `paths` from being files of one volume: names that are equal once composed (Unicode NFC), though the node's
/// filesystem would hold both, and a file where another needs a directory.
pub fn conflicts(paths: &[MountPath]) -> Vec<SpecError> {
    let mut times = BTreeMap::new();
    for path in paths {
        let composed = MountPath(path.0.nfc().collect());
        times.entry(composed).or_insert((path, 0)).1 += 1;
    }
    let files: BTreeSet<&str> = times.keys().map(MountPath::as_str).collect();
    let duplicates = times.values().filter(|(_, times)| *times > 1);
    let duplicates =
        duplicates.map(|(path, times)| SpecError::DuplicateName { name: path.to_string(), times: *times });
    let nested = times
        .keys()
        .filter_map(|path| Some((path.directories().find(|directory| files.contains(directory))?, path)));
    let nested =
        nested.map(|(file, path)| SpecError::FileAndDirectory { file: file.into(), below: path.to_string() });
    duplicates.chain(nested).collect()
}

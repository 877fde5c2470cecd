//! Writes the files of a volume in the layout of the driver's AtomicWriter.
//!
//! The files are in `..<time>`. The link `..data` points there and is replaced by one rename; each top-level name is a link through `..data`. A
//! reader sees all old files or all new ones.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Component, Path, PathBuf};
use std::time::SystemTime;

use jiff::Timestamp;
use thiserror::Error;

use crate::provider_api::File;

/// The link to the current files.
const DATA: &str = "..data";

/// The name of the new link before the rename.
const DATA_NEXT: &str = "..data_tmp";

/// How the target was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// New files were written.
    Written,
    /// The target had this content already and was not changed. As in the driver, a change of modes alone is not applied.
    Unchanged,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Written => "written",
            Self::Unchanged => "unchanged",
        })
    }
}

/// Why the files were not written. Contains paths, never contents.
#[derive(Debug, Error)]
pub(crate) enum TreeError {
    /// A path that leaves the volume, or that the driver refuses for another reason.
    #[error("the provider returned a file with the path {0:?}, which the driver refuses")]
    BadPath(String),
    /// The name of a file is used by something that is not a link of an earlier mount.
    #[error(
        "{0}: exists already and is not a link of an earlier mount; choose an empty directory with --target"
    )]
    Taken(PathBuf),
    /// A system call failed.
    #[error("{path}: {doing} failed ({source}); choose a directory that you may write with --target")]
    System {
        /// The path.
        path: PathBuf,
        /// The step that failed.
        doing: &'static str,
        /// The error of the system call.
        source: io::Error,
    },
}

/// Makes `files` the whole content of `target`.
pub(crate) fn write(target: &Path, files: &[File]) -> Result<Outcome, TreeError> {
    let tops = files.iter().map(top_level).collect::<Result<BTreeSet<_>, _>>()?;
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(target)
        .map_err(at(target, "creating the directory"))?;
    if files.is_empty() || has_contents(target, files) {
        return Ok(Outcome::Unchanged);
    }
    for top in &tops {
        check_free(&target.join(top))?;
    }
    let old = fs::read_link(target.join(DATA)).ok();
    let new = fill(target, files)?;
    swap(target, &new)?;
    for top in &tops {
        link(&Path::new(DATA).join(top), &target.join(top))?;
    }
    remove_old_links(target, &tops)?;
    old.map_or(Ok(()), |old| remove_old(target, &old))?;
    Ok(Outcome::Written)
}

/// The first part of a file's path; fails if the driver refuses the path.
fn top_level(file: &File) -> Result<PathBuf, TreeError> {
    let path = Path::new(&file.path);
    let plain = path.components().all(|part| matches!(part, Component::Normal(_)));
    let clean = path.components().collect::<PathBuf>().as_os_str() == path.as_os_str();
    let first = path.components().next();
    match first.filter(|_| plain && clean && !file.path.starts_with("..")) {
        Some(first) => Ok(first.as_os_str().into()),
        None => Err(TreeError::BadPath(file.path.clone())),
    }
}

/// True if `target` has exactly the contents of `files`.
fn has_contents(target: &Path, files: &[File]) -> bool {
    let data = target.join(DATA);
    let same = |file: &File| fs::read(data.join(&file.path)).is_ok_and(|contents| contents == file.contents);
    count_files(&data).is_ok_and(|count| count == files.len()) && files.iter().all(same)
}

fn count_files(directory: &Path) -> io::Result<usize> {
    fs::read_dir(directory)?.try_fold(0, |count, entry| {
        let entry = entry?;
        Ok(count + if entry.file_type()?.is_dir() { count_files(&entry.path())? } else { 1 })
    })
}

/// Fails if `path` exists and is not a link. The driver would remove it; here it may be a file of the user.
fn check_free(path: &Path) -> Result<(), TreeError> {
    match fs::symlink_metadata(path) {
        Ok(found) if !found.is_symlink() => Err(TreeError::Taken(path.into())),
        _ => Ok(()),
    }
}

/// Writes `files` into a new directory `..<time>` and returns its name.
fn fill(target: &Path, files: &[File]) -> Result<PathBuf, TreeError> {
    let name = time_name();
    let directory = target.join(&name);
    DirBuilder::new().mode(0o755).create(&directory).map_err(at(&directory, "creating the directory"))?;
    for file in files {
        let path = directory.join(&file.path);
        write_file(&path, file).map_err(at(&path, "writing the file"))?;
    }
    Ok(name)
}

fn write_file(path: &Path, file: &File) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o755).create(parent)?;
    }
    let mut out = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    out.write_all(&file.contents)?;
    // Exactly the requested mode, whatever the umask.
    out.set_permissions(Permissions::from_mode(u32::try_from(file.mode).unwrap_or_default() & 0o777))
}

/// `..2026_11_21_09_48_07.123456789`, UTC.
fn time_name() -> PathBuf {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let seconds = i64::try_from(now.as_secs())
        .ok()
        .and_then(|seconds| Timestamp::from_second(seconds).ok())
        .unwrap_or_default();
    format!("..{}.{:09}", seconds.strftime("%Y_%m_%d_%H_%M_%S"), now.subsec_nanos()).into()
}

/// Points `..data` to `new` in one step.
fn swap(target: &Path, new: &Path) -> Result<(), TreeError> {
    let next = target.join(DATA_NEXT);
    link(new, &next)?;
    fs::rename(&next, target.join(DATA)).map_err(at(&next, "renaming it to ..data"))
}

/// Makes `path` a link to `target`, if it is not one already.
fn link(target: &Path, path: &Path) -> Result<(), TreeError> {
    match fs::read_link(path) {
        Ok(current) if current == target => return Ok(()),
        Ok(_) => fs::remove_file(path).map_err(at(path, "removing an old link"))?,
        Err(_) => {}
    }
    symlink(target, path).map_err(at(path, "creating a link"))
}

/// Removes the links of files that are no longer among `tops`.
fn remove_old_links(target: &Path, tops: &BTreeSet<PathBuf>) -> Result<(), TreeError> {
    for entry in fs::read_dir(target).map_err(at(target, "listing the directory"))?.flatten() {
        let is_ours = fs::read_link(entry.path()).is_ok_and(|to| to.starts_with(DATA));
        if is_ours && !tops.contains(Path::new(&entry.file_name())) {
            fs::remove_file(entry.path()).map_err(at(&entry.path(), "removing an old link"))?;
        }
    }
    Ok(())
}

/// Removes the directory `..<time>` to which `..data` pointed before; never anything outside `target`.
fn remove_old(target: &Path, old: &Path) -> Result<(), TreeError> {
    let is_ours = old.components().count() == 1 && old.to_string_lossy().starts_with("..2");
    let path = target.join(old);
    if is_ours && path.exists() {
        fs::remove_dir_all(&path).map_err(at(&path, "removing the old files"))
    } else {
        Ok(())
    }
}

fn at(path: &Path, doing: &'static str) -> impl FnOnce(io::Error) -> TreeError {
    let path = path.to_path_buf();
    move |source| TreeError::System { path, doing, source }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    fn file(path: &str, mode: i32, contents: &str) -> File {
        File { path: path.into(), mode, contents: contents.into() }
    }

    fn names(target: &TempDir) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(target)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn files_have_their_contents_and_modes_in_the_layout_of_the_driver() {
        let target = TempDir::new().unwrap();
        write(target.path(), &[file("db", 0o400, "hello"), file("nested/deep/key", 0o640, "k")]).unwrap();
        assert_eq!(fs::read(target.path().join("nested/deep/key")).unwrap(), b"k");
        assert_eq!(fs::metadata(target.path().join("db")).unwrap().permissions().mode() & 0o7777, 0o400);
        assert_eq!(
            fs::metadata(target.path().join("nested/deep/key")).unwrap().permissions().mode() & 0o7777,
            0o640
        );
        assert_eq!(fs::read_link(target.path().join("db")).unwrap(), Path::new("..data/db"));
        assert_eq!(fs::read_link(target.path().join("nested")).unwrap(), Path::new("..data/nested"));
        assert_eq!(&names(&target)[1..], ["..data", "db", "nested"]);
    }

    #[test]
    fn new_files_replace_all_old_files() {
        let target = TempDir::new().unwrap();
        write(target.path(), &[file("a", 0o644, "1"), file("gone", 0o644, "1")]).unwrap();
        assert_eq!(write(target.path(), &[file("a", 0o644, "2")]).unwrap(), Outcome::Written);
        assert_eq!(fs::read(target.path().join("a")).unwrap(), b"2");
        assert_eq!(&names(&target)[1..], ["..data", "a"]);
    }

    #[test]
    fn files_with_equal_content_are_not_written_again() {
        let target = TempDir::new().unwrap();
        write(target.path(), &[file("a", 0o644, "1"), file("b/c", 0o644, "1")]).unwrap();
        let before = names(&target);
        assert_eq!(
            write(target.path(), &[file("a", 0o600, "1"), file("b/c", 0o644, "1")]).unwrap(),
            Outcome::Unchanged
        );
        assert_eq!(names(&target), before);
    }

    #[test]
    fn a_mount_that_was_killed_before_the_swap_does_not_block_the_next() {
        let target = TempDir::new().unwrap();
        symlink("..2020_01_01_00_00_00.0", target.path().join(DATA_NEXT)).unwrap();
        write(target.path(), &[file("a", 0o644, "1")]).unwrap();
        assert_eq!(fs::read(target.path().join("a")).unwrap(), b"1");
    }

    #[test]
    fn paths_that_lead_out_of_the_volume_are_refused_and_nothing_is_written() {
        for path in ["", "/etc/x", "../x", "a/../x", "..data", "..x/y", "./a", "a//b", "a/", "a/./b", "."] {
            let target = TempDir::new().unwrap();
            let result = write(target.path(), &[file("good", 0o644, "1"), file(path, 0o644, "1")]);
            assert!(matches!(result, Err(TreeError::BadPath(_))), "{path:?}: {result:?}");
            assert!(names(&target).is_empty(), "{path:?}");
        }
    }

    #[test]
    fn a_file_of_the_user_is_never_removed() {
        let target = TempDir::new().unwrap();
        fs::write(target.path().join("notes"), "mine").unwrap();
        assert!(matches!(write(target.path(), &[file("notes", 0o644, "1")]), Err(TreeError::Taken(_))));
        assert_eq!(fs::read(target.path().join("notes")).unwrap(), b"mine");
    }

    #[test]
    fn a_target_that_cannot_be_written_is_named() {
        let target = TempDir::new().unwrap();
        fs::write(target.path().join("file"), "").unwrap();
        let error =
            write(&target.path().join("file/below"), &[file("a", 0o644, "1")]).unwrap_err().to_string();
        assert!(error.contains("file/below") && error.contains("--target"), "{error}");
    }
}

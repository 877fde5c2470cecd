//! The certificate files that a class may name.

use std::fs::{self, File};
use std::io::{self, Error, ErrorKind};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};

use crate::spec::TlsSpec;

/// Which certificate files a class may name.
#[derive(Clone, Debug, Default)]
pub(crate) struct ClassFiles {
    /// The TLS settings of the process, whose files the operator chose.
    pub(crate) own: Vec<TlsSpec>,
    /// `--tls-dir`: only files below it are opened. `None` allows every file except those below `kubelet`.
    pub(crate) directory: Option<PathBuf>,
    /// `--kubelet-dir`: holds the files of pods, which are never opened.
    pub(crate) kubelet: Option<PathBuf>,
}

impl ClassFiles {
    /// True if a class chose the CAs of `spec`.
    pub(crate) fn chose_ca(&self, spec: &TlsSpec) -> bool {
        let same = |own: &TlsSpec| (&own.ca_file, &own.ca_directory) == (&spec.ca_file, &spec.ca_directory);
        (spec.ca_file.is_some() || spec.ca_directory.is_some()) && !self.own.iter().any(same)
    }

    /// Opens a file or directory for reading. Does not block: a class may name a pipe.
    pub(crate) fn open(&self, path: &Path) -> io::Result<File> {
        let file = match &self.directory {
            Some(directory) => open_below(directory, path)?,
            None => File::options().read(true).custom_flags(FLAGS.bits()).open(path)?,
        };
        // Checks the open file: a check before opening could be bypassed by a link that changes in between.
        if self.is_kubelets(&file)? {
            Err(Error::new(ErrorKind::PermissionDenied, "it is below --kubelet-dir"))
        } else {
            Ok(file)
        }
    }

    /// The paths of the entries of the directory `path`, sorted by name.
    pub(crate) fn list(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        let directory = self.open(path)?;
        let entries = fs::read_dir(in_proc(&directory))?.map(|entry| Ok(path.join(entry?.file_name())));
        let mut paths = entries.collect::<io::Result<Vec<_>>>()?;
        paths.sort();
        Ok(paths)
    }

    fn is_kubelets(&self, file: &File) -> io::Result<bool> {
        let Some(kubelet) = &self.kubelet else { return Ok(false) };
        let path = fs::read_link(in_proc(file))?;
        Ok(path.starts_with(kubelet)
            || fs::canonicalize(kubelet).is_ok_and(|kubelet| path.starts_with(kubelet)))
    }
}

const FLAGS: OFlag = OFlag::O_NONBLOCK.union(OFlag::O_NOCTTY);

/// Opens `path`, absolute or relative to `directory`. No link and no `..` in it may lead out of `directory`.
fn open_below(directory: &Path, path: &Path) -> io::Result<File> {
    let outside = |_| Error::new(ErrorKind::PermissionDenied, "it is not below --tls-dir");
    let below = if path.is_absolute() { path.strip_prefix(directory).map_err(outside)? } else { path };
    let below = if below.as_os_str().is_empty() { Path::new(".") } else { below };
    let root = File::options()
        .read(true)
        .custom_flags((OFlag::O_PATH | OFlag::O_DIRECTORY).bits())
        .open(directory)?;
    let how = OpenHow::new()
        .flags(OFlag::O_RDONLY | OFlag::O_CLOEXEC | FLAGS)
        .resolve(ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_MAGICLINKS);
    let file = openat2(root, below, how)?;
    Ok(file.into())
}

/// The kernel's link to an open file. Its target is the path of the file.
fn in_proc(file: &File) -> PathBuf {
    format!("/proc/self/fd/{}", file.as_raw_fd()).into()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// `tls/ca.pem`, `kubelet/pods/ca.pem` and `ca.pem`.
    fn directory_tree() -> tempfile::TempDir {
        let tree = tempfile::tempdir().unwrap();
        for directory in ["tls/sub", "kubelet/pods"] {
            fs::create_dir_all(tree.path().join(directory)).unwrap();
        }
        for file in ["tls/ca.pem", "kubelet/pods/ca.pem", "ca.pem"] {
            fs::write(tree.path().join(file), "text").unwrap();
        }
        tree
    }

    #[test]
    fn only_files_below_the_directory_are_opened() {
        let tree = directory_tree();
        let path_of = |name: &str| tree.path().join(name);
        symlink(path_of("ca.pem"), path_of("tls/out")).unwrap();
        symlink("../ca.pem", path_of("tls/up")).unwrap();
        symlink("..", path_of("tls/parent")).unwrap();
        symlink("../ca.pem", path_of("tls/sub/in")).unwrap();
        let files = ClassFiles { directory: Some(path_of("tls")), ..ClassFiles::default() };
        for inside in [
            path_of("tls/ca.pem"),
            path_of("tls/sub/in"),
            path_of("tls/sub/../ca.pem"),
            path_of("tls//./ca.pem"),
            "ca.pem".into(),
        ] {
            assert!(files.open(&inside).is_ok(), "{}", inside.display());
        }
        let outside = [
            path_of("ca.pem"),
            path_of("tls/../ca.pem"),
            path_of("tls/out"),
            path_of("tls/up"),
            path_of("tls/parent/ca.pem"),
            "../ca.pem".into(),
        ];
        for outside in outside.into_iter().chain([
            "/proc/self/root/etc/passwd".into(),
            path_of("tlsx/ca.pem"),
            path_of("tls/absent"),
        ]) {
            assert!(files.open(&outside).is_err(), "{}", outside.display());
        }
        assert_eq!(files.list(&path_of("tls/sub")).unwrap(), [path_of("tls/sub/in")]);
    }

    #[test]
    fn a_file_of_a_pod_is_not_opened_by_any_path() {
        let tree = directory_tree();
        let path_of = |name: &str| tree.path().join(name);
        symlink(path_of("kubelet"), path_of("alias")).unwrap();
        symlink("../kubelet/pods/ca.pem", path_of("tls/ca")).unwrap();
        for kubelet in [path_of("kubelet"), path_of("alias")] {
            for directory in [None, Some(tree.path().to_owned())] {
                let files = ClassFiles { own: Vec::new(), directory, kubelet: Some(kubelet.clone()) };
                let pods = [
                    "kubelet/pods/ca.pem",
                    "alias/pods/ca.pem",
                    "tls/ca",
                    "tls/../kubelet/pods/ca.pem",
                    "kubelet/./pods//ca.pem",
                ];
                for path in pods.map(path_of) {
                    assert!(files.open(&path).is_err(), "{}", path.display());
                }
                let open = File::open(path_of("kubelet/pods")).unwrap();
                assert!(files.open(&in_proc(&open).join("ca.pem")).is_err(), "by a link of the kernel");
                assert!(
                    files.list(&path_of("alias/pods")).is_err() && files.open(&path_of("tls/ca.pem")).is_ok()
                );
            }
        }
    }

    #[test]
    fn the_files_of_the_process_settings_are_not_chosen_by_a_class() {
        let of = |file: Option<&str>, directory: Option<&str>| TlsSpec {
            ca_file: file.map(Into::into),
            ca_directory: directory.map(Into::into),
            ..TlsSpec::default()
        };
        let files =
            ClassFiles { own: vec![of(Some("/ca"), None), of(None, Some("/cas"))], ..ClassFiles::default() };
        for own in [of(Some("/ca"), None), of(None, Some("/cas")), of(None, None)] {
            assert!(!files.chose_ca(&own), "{own:?}");
        }
        for chosen in [of(Some("/cas"), None), of(None, Some("/ca")), of(Some("/other"), None)] {
            assert!(files.chose_ca(&chosen), "{chosen:?}");
        }
    }
}

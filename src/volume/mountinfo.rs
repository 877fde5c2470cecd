//! The mounts that this process sees: `/proc/self/mountinfo` (proc_pid_mountinfo(5)).

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// The kernel's list of them.
const OURS: &str = "/proc/self/mountinfo";

/// Bytes of a list that are read at most: the kernel allows 100,000 mounts by default, and 250 bytes are a long line of a volume.
const LONGEST: u64 = 32 * 1024 * 1024;

/// Why a list cannot be read. Such a list says nothing about any mount.
#[derive(Debug, Error)]
pub(crate) enum MountinfoError {
    /// The file cannot be read.
    #[error("read {OURS}")]
    Read(#[source] io::Error),
    /// The list is longer than `LONGEST`.
    #[error("{OURS} is longer than {LONGEST} bytes")]
    TooLong,
    /// A line, counted from 1, is malformed. The list may be truncated.
    #[error("line {0} of {OURS} is no line of a mount")]
    Malformed(usize),
}

/// One mount. The kernel may use the number of a removed mount again; the new mount then usually has another device or type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mount {
    /// The number in this mount namespace.
    pub(crate) id: u64,
    /// The device as `major:minor`.
    pub(crate) device: String,
    /// The file system type, such as `tmpfs` or `overlay`.
    pub(crate) fs_type: String,
}

/// All mounts by their mount points. Where several mounts have the same mount point, the last one in the list.
#[derive(Debug, Default)]
pub(crate) struct MountPoints(HashMap<PathBuf, Mount>);

impl MountPoints {
    /// Reads the list of this process. Blocks.
    ///
    /// A list that changes while it is read may lack a mount that existed all the time. So a missing mount must be missing twice.
    pub(crate) fn read() -> Result<Self, MountinfoError> {
        let mut list = Vec::new();
        File::open(OURS)
            .and_then(|file| file.take(LONGEST + 1).read_to_end(&mut list))
            .map_err(MountinfoError::Read)?;
        Self::parse(&list)
    }

    /// Parses a list. A malformed line makes the whole list unusable, for a mount that it lacks would count as unmounted.
    pub(crate) fn parse(list: &[u8]) -> Result<Self, MountinfoError> {
        if u64::try_from(list.len()).is_ok_and(|length| length > LONGEST) {
            return Err(MountinfoError::TooLong);
        }
        let Some(whole_lines) = list.strip_suffix(b"\n") else {
            return Err(MountinfoError::Malformed(list.split(|b| *b == b'\n').count()));
        };
        let lines = whole_lines.split(|byte| *byte == b'\n').enumerate();
        lines
            .map(|(at, line)| mount(line).ok_or(MountinfoError::Malformed(at + 1)))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// The mount with exactly this mount point.
    pub(crate) fn at(&self, path: &Path) -> Option<&Mount> {
        self.0.get(path)
    }

    /// The mount through which `path` is visible: on the path, or on its nearest ancestor with a mount.
    pub(crate) fn over<'p>(&self, path: &'p Path) -> Option<(&'p Path, &Mount)> {
        path.ancestors().find_map(|point| Some((point, self.at(point)?)))
    }

    /// Whether there is a mount below `path`.
    pub(crate) fn has_below(&self, path: &Path) -> bool {
        self.0.keys().any(|point| point != path && point.starts_with(path))
    }
}

/// One line: `id parent major:minor root point options [optional fields] - type source super-options`.
fn mount(line: &[u8]) -> Option<(PathBuf, Mount)> {
    let mut fields = line.split(|byte| *byte == b' ');
    let id = text(fields.next()?)?.parse().ok()?;
    let _parent = fields.next()?;
    let device = text(fields.next()?)?.to_owned();
    let _root = fields.next()?;
    let point = PathBuf::from(OsString::from_vec(unescaped(fields.next()?)));
    let _options = fields.next()?;
    fields.find(|field| *field == b"-")?;
    let fs_type = text(fields.next()?)?.to_owned();
    point.is_absolute().then_some((point, Mount { id, device, fs_type }))
}

fn text(field: &[u8]) -> Option<&str> {
    std::str::from_utf8(field).ok()
}

/// The field without the kernel's escapes: space, tab, newline and backslash are written as a backslash and three octal digits.
fn unescaped(field: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let [first, behind @ ..] = rest {
        let (byte, next) = escaped(rest).unwrap_or((*first, behind));
        bytes.push(byte);
        rest = next;
    }
    bytes
}

/// The byte that is written as `\ooo` at the beginning, and what comes behind.
fn escaped(field: &[u8]) -> Option<(u8, &[u8])> {
    let (digits, behind) = field.strip_prefix(b"\\")?.split_at_checked(3)?;
    let octal = digits.iter().all(|digit| matches!(digit, b'0'..=b'7')).then(|| text(digits)).flatten()?;
    Some((u8::from_str_radix(octal, 8).ok()?, behind))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    const LIST: &[u8] = b"\
22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 259:1 / / rw,relatime shared:1 master:4 - ext4 /dev/root rw,discard
91 27 0:55 / /pods/a\\040b/mount rw shared:7 - tmpfs tmpfs rw,size=1024k
92 27 0:56 / /pods/\xff\\134\\011 rw propagate_from:2 unbindable - tmpfs - rw
93 27 0:57 / /pods/a\\040b/mount rw - overlay overlay rw,lowerdir=/a\\040-\\040b
";

    fn points(list: &[u8]) -> MountPoints {
        MountPoints::parse(list).unwrap()
    }

    fn fs_type<'m>(mounts: &'m MountPoints, path: &[u8]) -> Option<&'m str> {
        mounts.at(Path::new(OsStr::from_bytes(path))).map(|mount| mount.fs_type.as_str())
    }

    #[test]
    fn mount_points_are_read_with_their_types() {
        let mounts = points(LIST);
        assert_eq!(
            mounts.at(Path::new("/")),
            Some(&Mount { id: 27, device: "259:1".into(), fs_type: "ext4".into() })
        );
        assert_eq!((fs_type(&mounts, b"/proc"), fs_type(&mounts, b"/pods")), (Some("proc"), None));
    }

    #[test]
    fn a_path_of_any_bytes_is_found() {
        let mounts = points(LIST);
        assert_eq!(fs_type(&mounts, b"/pods/\xff\\\t"), Some("tmpfs"));
        assert_eq!(fs_type(&mounts, b"/pods/a b/mount/"), Some("overlay"), "the one on top");
    }

    #[test]
    fn escapes_are_the_kernels_and_nothing_else() {
        let table: [(&[u8], &[u8]); 6] = [
            (b"\\040", b" "),
            (b"\\0400", b" 0"),
            (b"\\08", b"\\08"),
            (b"\\777", b"\\777"),
            (b"a\\", b"a\\"),
            (b"\\+12", b"\\+12"),
        ];
        for (written, meant) in table {
            assert_eq!(unescaped(written), meant);
        }
    }

    #[test]
    fn the_nearest_mount_shows_a_path() {
        let mounts = points(LIST);
        let over =
            |path| mounts.over(Path::new(path)).map(|(point, mount)| (point.to_str().unwrap(), mount.id));
        assert_eq!(over("/pods/a b/mount/x/y"), Some(("/pods/a b/mount", 93)));
        assert_eq!(over("/pods/other"), Some(("/", 27)));
        assert_eq!(over("relative"), None);
    }

    #[test]
    fn a_list_that_is_cut_off_is_no_list() {
        let ends: Vec<usize> =
            (0..LIST.len()).filter(|end| MountPoints::parse(&LIST[..*end]).is_ok()).collect();
        let lines: Vec<usize> =
            LIST.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1).collect();
        assert_eq!(ends, lines[..4], "only whole lines");
    }

    #[test]
    fn a_line_that_is_no_mount_is_named_by_its_number_alone() {
        for broken in [
            "canary",
            "x 1 0:1 / /p rw - tmpfs t rw",
            "1 1 0:1 / p rw - tmpfs t rw",
            "1 1 0:1 / /p rw shared:1 tmpfs t rw",
            "",
        ] {
            let list = [LIST, broken.as_bytes(), b"\n"].concat();
            let error = MountPoints::parse(&list).unwrap_err().to_string();
            assert_eq!(error, "line 6 of /proc/self/mountinfo is no line of a mount", "{broken}");
        }
        assert!(
            matches!(MountPoints::parse(b""), Err(MountinfoError::Malformed(1))),
            "there is always a root"
        );
    }

    #[test]
    fn a_list_without_end_is_refused() {
        let line = b"91 27 0:55 / /pods/one rw shared:7 - tmpfs tmpfs rw,size=1024k\n";
        let list = line.repeat(usize::try_from(LONGEST).unwrap() / line.len() + 1);
        assert!(matches!(MountPoints::parse(&list), Err(MountinfoError::TooLong)));
    }

    #[test]
    fn our_own_mounts_are_understood() {
        let mounts = MountPoints::read().unwrap();
        assert_eq!(fs_type(&mounts, b"/proc"), Some("proc"));
    }
}

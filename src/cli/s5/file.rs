//! Reads texts from files or stdin, prints them, and replaces files.

use std::fs::{self, File, Permissions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;
use zeroize::Zeroizing;

use super::{S5Error, Unopened};
use crate::render::s5::Marker;
use crate::secret::Secret;
use crate::vault::NotOpened;

/// A text, and its name in messages.
pub(crate) struct Text {
    pub(crate) place: String,
    /// A secret: the text of `cipher` is one, and a rendered file may be.
    pub(crate) bytes: Secret,
}

impl Text {
    pub(crate) fn read(file: &Path) -> Result<Self, S5Error> {
        let bytes = fs::read(file).map_err(failed(file, "reading"))?;
        Ok(Self { place: file.display().to_string(), bytes: Secret::from(bytes) })
    }

    pub(crate) fn stdin() -> Result<Self, S5Error> {
        let mut bytes = Zeroizing::new(Vec::new());
        io::stdin().lock().read_to_end(&mut bytes).map_err(failed(Path::new("stdin"), "reading"))?;
        Ok(Self { place: "stdin".into(), bytes: Secret::from(std::mem::take(&mut *bytes)) })
    }

    pub(crate) fn unopened(&self, marker: &Marker, why: NotOpened) -> Unopened {
        Unopened { place: self.place.clone(), line: marker.line(), why }
    }
}

pub(crate) fn print(text: &[u8]) -> Result<(), S5Error> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text).and_then(|()| stdout.flush()).map_err(failed(Path::new("stdout"), "writing"))
}

/// The complete new content of a file, synced to the disk in a temporary file next to it. Removed on drop unless committed.
pub(crate) struct Staged {
    file: NamedTempFile,
    target: PathBuf,
}

impl Staged {
    /// Stages `content` for `file`, or for the target of the link `file`, with the same mode and owner.
    pub(crate) fn new(file: &Path, content: &Secret) -> Result<Self, S5Error> {
        stage(file, content).map_err(failed(file, "writing a copy next to it"))
    }

    /// Replaces the file by one rename: a reader sees the old content or the new.
    pub(crate) fn commit(self) -> Result<(), S5Error> {
        let replacing = failed(&self.target, "replacing");
        let directory = directory(&self.target).to_owned();
        self.file
            .persist(&self.target)
            .map_err(|error| error.error)
            .and_then(|_| File::open(directory)?.sync_all())
            .map_err(replacing)
    }
}

fn stage(file: &Path, content: &Secret) -> io::Result<Staged> {
    let target = fs::canonicalize(file)?;
    let found = fs::metadata(&target)?;
    if !found.is_file() {
        return Err(io::Error::new(ErrorKind::InvalidInput, "it is not a regular file"));
    }
    // The temporary file has mode 0600 until it has the right owner.
    let mut staged = NamedTempFile::new_in(directory(&target))?;
    staged.write_all(content.expose())?;
    let own = staged.as_file().metadata()?;
    if (own.uid(), own.gid()) != (found.uid(), found.gid()) {
        fchown(staged.as_file(), Some(found.uid()), Some(found.gid()))?;
    }
    staged.as_file().set_permissions(Permissions::from_mode(found.mode() & 0o7777))?;
    staged.as_file().sync_all()?;
    Ok(Staged { file: staged, target })
}

fn directory(target: &Path) -> &Path {
    target.parent().unwrap_or(Path::new("/"))
}

fn failed(place: &Path, doing: &'static str) -> impl Fn(io::Error) -> S5Error {
    let place = place.display().to_string();
    move |source| S5Error::File { place: place.clone(), doing, source }
}

//! Answers -> files: every object that has one, or why it has none.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::class::SpecError;
use crate::engine;
use crate::engine::{FetchError, Responses};
use crate::error::Reason;
use crate::mount::templates::RenderedTemplates;
use crate::payload::{File, PayloadQuota};
use crate::render;
use crate::render::format::FormatError;
use crate::secret::Secret;
use crate::spec::path::{Names, conflicts, is_one};
use crate::spec::{
    Absent, Directory, Format, Keys, MountPath, Object, Placement, SelectorPath, SelectorRoot, Source, View,
};
use crate::volume::Keyed;

/// An object without its files: which, and why.
pub(crate) struct ObjectError {
    pub(crate) name: String,
    pub(crate) miss: FetchError,
}

/// What a volume will hold.
pub(crate) struct Contents<'h> {
    pub(crate) files: Vec<File>,
    /// Of which object each of `files` is.
    givers: Vec<FileOrigin>,
    /// What keys gave the volume before; `None` at its first mount.
    had: Option<&'h Keyed>,
    room: PayloadQuota,
    /// Optional objects of which nothing was found.
    pub(crate) absent: Vec<String>,
    /// What is odd and no failure.
    pub(crate) warnings: Vec<String>,
}

/// Of which object a file is.
struct FileOrigin {
    object: String,
    /// Of which keys it is one, where they name the files.
    keys: Option<Arc<str>>,
    /// Whether it may be left out: a key that came to `*` under a pod that runs takes no name from another file.
    gives_way: bool,
}

impl FileOrigin {
    fn new(object: &Object) -> Self {
        Self { object: object.name(), keys: None, gives_way: false }
    }
}

/// Every file of the volume, which keys gave `had` before, or every object that has none.
pub(crate) fn contents<'h>(
    objects: &[Object],
    answers: &Responses<'_>,
    written: &mut RenderedTemplates,
    had: Option<&'h Keyed>,
) -> Result<Contents<'h>, Vec<ObjectError>> {
    let mut contents = Contents::new(had);
    let mut unfilled = Vec::new();
    for object in objects {
        let filled = match &object.place {
            Placement::File(name, view) => file(object, name, view, answers, written, &mut contents),
            Placement::Directory(directory) => files(object, directory, answers, &mut contents),
        };
        if let Err(miss) = filled {
            unfilled.push(ObjectError { name: object.name(), miss });
        }
        if contents.room.is_exceeded() {
            return Err(unfilled);
        }
    }
    if unfilled.is_empty() {
        unfilled = contents.settle();
    }
    if unfilled.is_empty() { Ok(contents) } else { Err(unfilled) }
}

fn file(
    object: &Object,
    name: &MountPath,
    view: &View,
    answers: &Responses<'_>,
    written: &mut RenderedTemplates,
    contents: &mut Contents<'_>,
) -> Result<(), FetchError> {
    contents.put(object, FileOrigin::new(object), name.clone(), shown(name, view, answers, written))
}

fn shown(
    name: &MountPath,
    view: &View,
    answers: &Responses<'_>,
    written: &mut RenderedTemplates,
) -> Result<Secret, FetchError> {
    match view {
        View::Response(source) => Ok(render::response(answers.start(source, SelectorRoot::Response)?)),
        View::Value(selection) => answers.bytes(selection),
        View::Document(source, start, format) => {
            document(source, *start, answers.start(source, *start)?, *format)
        }
        View::Part(source, part) => engine::part(answers, source, part),
        View::Template(_) => written.take(name),
    }
}

/// One file a key.
fn files(
    object: &Object,
    directory: &Directory,
    answers: &Responses<'_>,
    contents: &mut Contents<'_>,
) -> Result<(), FetchError> {
    let data = match answers.start(&directory.source, directory.start) {
        Err(miss) if miss.reason == Reason::NotFound && matches!(object.absent, Absent::NoFile) => {
            contents.absent.push(object.name());
            return Ok(());
        }
        data => data?,
    };
    match &directory.keys {
        Keys::All => all(object, directory, data, contents),
        Keys::Named(named) => named.iter().try_for_each(|(key, path)| {
            contents.put(object, FileOrigin::new(object), path.clone(), member(directory, data, key))
        }),
    }
}

/// Every key under its own name. One that cannot be a file is told and left out: it must not keep the others from a running pod. Of two that
/// meet the one stays that the pod has, else the first in the order of bytes.
fn all(
    object: &Object,
    directory: &Directory,
    data: &Map<String, Value>,
    contents: &mut Contents<'_>,
) -> Result<(), FetchError> {
    let of: Arc<str> = format!("{} of {}", object.name(), directory.source).into();
    let had =
        |path: &MountPath| contents.had.is_some_and(|had| had.contains(&(of.to_string(), path.to_string())));
    let was_there = |key: &str| MountPath::below(directory.root.as_ref(), key).is_ok_and(|path| had(&path));
    let keys = data.iter().filter(|(_, value)| !value.is_null()).map(|(key, _)| key.as_str());
    let (old, new): (Vec<_>, Vec<_>) = keys.partition(|key| was_there(key));
    let gives_way: BTreeSet<_> = new.iter().copied().filter(|_| contents.had.is_some()).collect();
    let (mut names, mut found, mut odd) = (Names::default(), BTreeMap::new(), BTreeMap::new());
    for key in old.into_iter().chain(new) {
        match named(directory, data, key, &mut names) {
            Ok(file) => drop(found.insert(key, file)),
            Err(why) => drop(odd.insert(key, why)),
        }
    }
    contents.warnings.extend(left_out(object, &odd));
    found.into_iter().try_for_each(|(key, (path, bytes))| {
        let giver = FileOrigin {
            keys: Some(Arc::clone(&of)),
            gives_way: gives_way.contains(key),
            ..FileOrigin::new(object)
        };
        contents.put(object, giver, path, Ok(bytes))
    })
}

/// The file of one key, or why it has none.
fn named(
    directory: &Directory,
    data: &Map<String, Value>,
    key: &str,
    names: &mut Names,
) -> Result<(MountPath, Secret), String> {
    let path = MountPath::below(directory.root.as_ref(), key).map_err(|error| format!("its name {error}"))?;
    let bytes = member(directory, data, key).map_err(|miss| miss.what)?;
    if names.take(&path) { Ok((path, bytes)) } else { Err("its name meets another key's".into()) }
}

/// Keys that a warning names; the rest is counted.
const NAMED: usize = 8;

fn left_out(object: &Object, odd: &BTreeMap<&str, String>) -> Option<String> {
    let shown = |key: &str| key.escape_debug().take(64).collect::<String>();
    let told: Vec<_> = odd
        .iter()
        .take(NAMED)
        .map(|(key, why)| format!("key \"{}\" is no file: {why}", shown(key)))
        .collect();
    let more = odd
        .len()
        .checked_sub(NAMED)
        .filter(|more| *more > 0)
        .map_or(String::new(), |more| format!("; and {more} more"));
    (!odd.is_empty()).then(|| {
        format!("object {:?}: {}{more}; rename or list them with keys", object.name(), told.join("; "))
    })
}

fn member(directory: &Directory, data: &Map<String, Value>, key: &str) -> Result<Secret, FetchError> {
    let way = SelectorPath::Key(key.to_owned());
    let value = render::value(data, &way, &directory.source)?;
    Ok(render::bytes(&value, directory.encoding, &way, &directory.source)?)
}

impl<'h> Contents<'h> {
    fn new(had: Option<&'h Keyed>) -> Self {
        let (files, givers, absent, warnings) = Default::default();
        Self { files, givers, had, room: PayloadQuota::default(), absent, warnings }
    }

    /// What keys give the volume.
    pub(crate) fn keyed(&self) -> Keyed {
        let of = |(file, giver): (&File, &FileOrigin)| {
            Some((giver.keys.as_ref()?.to_string(), file.path.to_string()))
        };
        self.files.iter().zip(&self.givers).filter_map(of).collect()
    }

    /// Takes one file, or what stands in its place when nothing was found.
    fn put(
        &mut self,
        object: &Object,
        giver: FileOrigin,
        path: MountPath,
        bytes: Result<Secret, FetchError>,
    ) -> Result<(), FetchError> {
        let contents = match (bytes, &object.absent) {
            (Err(miss), Absent::NoFile) if miss.reason == Reason::NotFound => {
                self.absent.push(path.to_string());
                return Ok(());
            }
            // A copy: the class's own text stays with it.
            (Err(miss), Absent::Default(text)) if miss.reason == Reason::NotFound => {
                Secret::from(text.expose())
            }
            (bytes, _) => bytes?,
        };
        let file = File { path, mode: object.mode, owner: object.owner, group: object.group, contents };
        self.room
            .add(&file)
            .map_err(|error| FetchError { reason: error.reason(), what: error.to_string() })?;
        self.givers.push(giver);
        self.files.push(file);
        Ok(())
    }

    /// Leaves out what gives way to another object's file; the objects of which others meet on a name have none.
    fn settle(&mut self) -> Vec<ObjectError> {
        let mut names = Names::default();
        let stays = |giver: &FileOrigin| !giver.gives_way;
        if !self
            .files
            .iter()
            .zip(&self.givers)
            .filter(|(_, giver)| stays(giver))
            .all(|(file, _)| names.take(&file.path))
        {
            return self.meeting();
        }
        let (files, givers) = (std::mem::take(&mut self.files), std::mem::take(&mut self.givers));
        for (file, giver) in files.into_iter().zip(givers) {
            if stays(&giver) || names.take(&file.path) {
                self.files.push(file);
                self.givers.push(giver);
            } else {
                let FileOrigin { object, .. } = giver;
                self.warnings.push(format!(
                    "object {object:?}: the new file {:?} is left out: its name meets another object's",
                    file.path.as_str()
                ));
            }
        }
        Vec::new()
    }

    /// The objects of which files meet on a name: no class tells them before the keys of `*` are known.
    fn meeting(&self) -> Vec<ObjectError> {
        let paths: Vec<_> = self.files.iter().map(|file| file.path.clone()).collect();
        let Some(problem) = conflicts(&paths).into_iter().next() else { return Vec::new() };
        let names = match &problem {
            SpecError::FileAndDirectory { file, below } => vec![file, below],
            SpecError::DuplicateName { name, .. } => vec![name],
            _ => Vec::new(),
        };
        let meets = |path: &MountPath| names.iter().any(|name| is_one(name, path.as_str()));
        let givers: BTreeSet<_> = paths
            .iter()
            .zip(&self.givers)
            .filter(|(path, _)| meets(path))
            .map(|(_, giver)| &giver.object)
            .collect();
        let miss = FetchError { reason: Reason::SpecInvalid, what: problem.to_string() };
        givers.into_iter().map(|name| ObjectError { name: name.clone(), miss: miss.clone() }).collect()
    }
}

/// The data alone, without what differs at every call.
fn document(
    source: &Source,
    start: SelectorRoot,
    data: &Map<String, Value>,
    format: Format,
) -> Result<Secret, FetchError> {
    let mut data = data.clone();
    if start == SelectorRoot::Response {
        data.remove("request_id");
    }
    let refused =
        |error: FormatError| FetchError { reason: error.reason(), what: format!("{source}: {error}") };
    render::format::document(&Value::Object(data), format).map_err(refused)
}

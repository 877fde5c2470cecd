//! Responses -> the files of the volume: the files of every object, or an error that names what is missing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Map, Value};

use super::failure::ObjectError;
use super::templates::RenderedTemplates;
use super::{Mount, Services, failure, report, templates};
use crate::blocking;
use crate::engine::{self, FetchError, Responses};
use crate::error::{Failure, Reason};
use crate::limits::Budget;
use crate::payload::{File, Payload, PayloadQuota};
use crate::render;
use crate::render::format::FormatError;
use crate::secret::{Secret, WipedJson, WipedMap};
use crate::spec::path::{Names, conflicts, is_same_name};
use crate::spec::{
    Absent, Directory, Format, Keys, MountPath, Object, Placement, Selector, SelectorPath, SelectorRoot,
    Source, View,
};
use crate::volume::{FetchContext, Keyed};

/// Keys that a warning names; further ones are counted.
const NAMED: usize = 8;

/// Renders the templates, then all files, and checks them together. The volume remembers which files came from keys.
pub(super) async fn render(
    services: &Services,
    mount: &Mount,
    context: &FetchContext,
    responses: Responses<'_>,
    budget: &Budget,
) -> Result<Payload, Failure> {
    let (spec, volume) = (&mount.spec, &mount.volume);
    let mut rendered =
        templates::render(&spec.pod, &spec.objects, &responses, volume.rendered(), budget).await;
    let previous = volume.keyed();
    let files = blocking::run_if_large(responses.weight(), || {
        files(&spec.objects, &responses, &mut rendered, previous.as_deref())
    });
    let files = files.map_err(|errors| failure::objects(spec, &errors))?;
    volume.set_next_keyed(files.keyed());
    let warnings = [files.warnings, context.warnings()].concat();
    report::warnings(spec, &warnings, &services.log_throttle);
    Payload::new(files.files, files.absent).map_err(|error| failure::payload(&error))
}

/// The files of a volume while they are collected.
struct Files<'p> {
    files: Vec<File>,
    /// The object that each of `files` comes from, in the same order.
    origins: Vec<FileOrigin>,
    /// The files that `keys: "*"` gave the volume at its last mount; `None` at its first mount.
    previous: Option<&'p Keyed>,
    quota: PayloadQuota,
    /// Optional objects for which Vault has nothing.
    absent: Vec<String>,
    /// What is unusual but does not fail the mount.
    warnings: Vec<String>,
}

/// The object that a file comes from.
struct FileOrigin {
    object: String,
    /// The object and source whose keys name the files. Set only for files of `keys: "*"`.
    keys: Option<Arc<str>>,
    /// Whether the file is left out if another object has a file of the same name: true for a key that is new under `*` in a running pod,
    /// which must not take a file from the pod.
    is_new_key: bool,
}

impl FileOrigin {
    fn new(object: &Object) -> Self {
        Self { object: object.name(), keys: None, is_new_key: false }
    }
}

/// Collects every file of the volume. `previous` are the files that keys gave it at its last mount.
///
/// # Errors
/// Every object that has no file, except optional ones.
fn files<'p>(
    objects: &[Object],
    responses: &Responses<'_>,
    rendered: &mut RenderedTemplates,
    previous: Option<&'p Keyed>,
) -> Result<Files<'p>, Vec<ObjectError>> {
    let mut files = Files::new(previous);
    let mut errors = Vec::new();
    for object in objects {
        let added = match &object.place {
            // One file at `path`; `view` says what it shows, for a KV secret one value of its response.
            Placement::File(path, view) => {
                let bytes = file_bytes(path, view, responses, rendered);
                files.add(object, FileOrigin::new(object), path.clone(), bytes)
            }
            Placement::Directory(directory) => add_directory(object, directory, responses, &mut files),
        };
        if let Err(error) = added {
            errors.push(ObjectError { name: object.name(), error });
        }
        if files.quota.is_exceeded() {
            return Err(errors);
        }
    }
    if errors.is_empty() {
        errors = files.resolve_conflicts();
    }
    if errors.is_empty() { Ok(files) } else { Err(errors) }
}

fn file_bytes(
    path: &MountPath,
    view: &View,
    responses: &Responses<'_>,
    rendered: &mut RenderedTemplates,
) -> Result<Secret, FetchError> {
    match view {
        View::Response(source) => Ok(render::response(responses.members(source, SelectorRoot::Response)?)),
        View::Value(value) => responses.bytes(value),
        View::Document(source, selector, format) => document(source, selector, responses, *format),
        View::Part(source, part) => engine::part(responses, source, part),
        View::Template(_) => rendered.take(path),
    }
}

/// Adds one file for each key.
fn add_directory(
    object: &Object,
    directory: &Directory,
    responses: &Responses<'_>,
    files: &mut Files<'_>,
) -> Result<(), FetchError> {
    let data = match responses.object(&directory.source, &directory.selector) {
        Err(error) if error.reason == Reason::NotFound && matches!(object.absent, Absent::NoFile) => {
            files.absent.push(object.name());
            return Ok(());
        }
        data => data?,
    };
    match &directory.keys {
        Keys::All => add_all_keys(object, directory, &data, files),
        Keys::Named(named) => named.iter().try_for_each(|(key, path)| {
            files.add(object, FileOrigin::new(object), path.clone(), member(directory, &data, key))
        }),
    }
}

/// Adds a file for every key, under the key's own name. A key that cannot be a file is left out with a warning, because it must not take
/// the other files from a running pod. Of two keys with the same file name, the one that the pod already has stays; otherwise the first
/// one in the order of bytes.
fn add_all_keys(
    object: &Object,
    directory: &Directory,
    data: &Map<String, Value>,
    files: &mut Files<'_>,
) -> Result<(), FetchError> {
    let keys_of: Arc<str> = format!("{} of {}", object.name(), directory.source).into();
    let was_file = |key: &str| {
        let path = MountPath::below(directory.path.as_ref(), key);
        let file = path.map(|path| (keys_of.to_string(), path.to_string()));
        file.is_ok_and(|file| files.previous.is_some_and(|previous| previous.contains(&file)))
    };
    let keys = data.iter().filter(|(_, value)| !value.is_null()).map(|(key, _)| key.as_str());
    let (old, new): (Vec<_>, Vec<_>) = keys.partition(|key| was_file(key));
    let new_keys: BTreeSet<_> = new.iter().copied().filter(|_| files.previous.is_some()).collect();
    let (mut names, mut found, mut unusable) = (Names::default(), BTreeMap::new(), BTreeMap::new());
    for key in old.into_iter().chain(new) {
        match key_file(directory, data, key, &mut names) {
            Ok(file) => drop(found.insert(key, file)),
            Err(why) => drop(unusable.insert(key, why)),
        }
    }
    files.warnings.extend(left_out(object, &unusable));
    found.into_iter().try_for_each(|(key, (path, bytes))| {
        let (keys, is_new_key) = (Some(Arc::clone(&keys_of)), new_keys.contains(key));
        files.add(object, FileOrigin { keys, is_new_key, ..FileOrigin::new(object) }, path, Ok(bytes))
    })
}

/// The file of one key, or why the key cannot be a file.
fn key_file(
    directory: &Directory,
    data: &Map<String, Value>,
    key: &str,
    names: &mut Names,
) -> Result<(MountPath, Secret), String> {
    let path = MountPath::below(directory.path.as_ref(), key).map_err(|error| format!("its name {error}"))?;
    let bytes = member(directory, data, key).map_err(|error| error.what)?;
    if names.insert(&path) { Ok((path, bytes)) } else { Err("another key has the same file name".into()) }
}

/// The warning about keys that cannot be files.
fn left_out(object: &Object, unusable: &BTreeMap<&str, String>) -> Option<String> {
    let shown = |key: &str| key.escape_debug().take(64).collect::<String>();
    let named = unusable.iter().take(NAMED);
    let named: Vec<_> = named.map(|(key, why)| format!("key \"{}\" is no file: {why}", shown(key))).collect();
    let more = match unusable.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    let (name, named) = (object.name(), named.join("; "));
    (!unusable.is_empty()).then(|| format!("object {name:?}: {named}{more}; rename or list them with keys"))
}

fn member(directory: &Directory, data: &Map<String, Value>, key: &str) -> Result<Secret, FetchError> {
    let path = SelectorPath::Key(key.to_owned());
    let value = render::value(data, &path, &directory.source)?;
    Ok(render::bytes(&value, directory.encoding, &path, &directory.source)?)
}

impl<'p> Files<'p> {
    fn new(previous: Option<&'p Keyed>) -> Self {
        let (files, origins, quota, absent, warnings) = Default::default();
        Self { files, origins, previous, quota, absent, warnings }
    }

    /// The files that keys give the volume.
    fn keyed(&self) -> Keyed {
        let files = self.files.iter().zip(&self.origins);
        files
            .filter_map(|(file, origin)| Some((origin.keys.as_ref()?.to_string(), file.path.to_string())))
            .collect()
    }

    /// Adds one file, or what the object says if Vault has nothing: its default text, or no file.
    fn add(
        &mut self,
        object: &Object,
        origin: FileOrigin,
        path: MountPath,
        bytes: Result<Secret, FetchError>,
    ) -> Result<(), FetchError> {
        let contents = match (bytes, &object.absent) {
            (Err(error), Absent::NoFile) if error.reason == Reason::NotFound => {
                self.absent.push(path.to_string());
                return Ok(());
            }
            (Err(error), Absent::Default(text)) if error.reason == Reason::NotFound => {
                Secret::from(text.expose())
            }
            (bytes, _) => bytes?,
        };
        let file = File { path, mode: object.mode, owner: object.owner, group: object.group, contents };
        let too_large = self.quota.add(&file);
        too_large.map_err(|error| FetchError::new(error.reason(), error.to_string()))?;
        self.origins.push(origin);
        self.files.push(file);
        Ok(())
    }

    /// Leaves out new keys whose file name another object has. Every other conflict is an error of the objects that take part in it.
    fn resolve_conflicts(&mut self) -> Vec<ObjectError> {
        let mut names = Names::default();
        let files = self.files.iter().zip(&self.origins);
        if !files.filter(|(_, origin)| !origin.is_new_key).all(|(file, _)| names.insert(&file.path)) {
            return self.conflicts();
        }
        let files = std::mem::take(&mut self.files).into_iter().zip(std::mem::take(&mut self.origins));
        for (file, origin) in files {
            if !origin.is_new_key || names.insert(&file.path) {
                self.files.push(file);
                self.origins.push(origin);
                continue;
            }
            let (object, path) = (origin.object, file.path.as_str());
            let why = "another object has a file of that name";
            self.warnings.push(format!("object {object:?}: the new file {path:?} is left out: {why}"));
        }
        Vec::new()
    }

    /// The objects with files of the same name. Parsing the class cannot find these, because the keys under `*` are known only now.
    fn conflicts(&self) -> Vec<ObjectError> {
        let paths: Vec<_> = self.files.iter().map(|file| file.path.clone()).collect();
        let Some(conflict) = conflicts(&paths).into_iter().next() else { return Vec::new() };
        let names = conflict.names();
        let is_in_conflict = |path: &MountPath| names.iter().any(|name| is_same_name(name, path.as_str()));
        let files = paths.iter().zip(&self.origins).filter(|(path, _)| is_in_conflict(path));
        let objects: BTreeSet<_> = files.map(|(_, origin)| &origin.object).collect();
        let error = FetchError::new(Reason::SpecInvalid, conflict.to_string());
        objects.into_iter().map(|name| ObjectError { name: name.clone(), error: error.clone() }).collect()
    }
}

/// The data alone, without what differs in every response.
fn document(
    source: &Source,
    selector: &Selector,
    responses: &Responses<'_>,
    format: Format,
) -> Result<Secret, FetchError> {
    let object = responses.object(source, selector)?;
    let mut data = WipedMap::copy_of(&object);
    if *selector == (Selector { root: SelectorRoot::Response, path: SelectorPath::Whole }) {
        data.remove("request_id");
    }
    let refused = |error: FormatError| FetchError::new(error.reason(), format!("{source}: {error}"));
    render::format::document(&WipedJson::from(data), format).map_err(refused)
}

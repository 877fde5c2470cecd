//! One entry of `objects` -> the objects that it stands for.

use super::Access;
use super::ParseContext;
use crate::class::diagnostics::{Diagnostics, FieldError, Label};
use crate::class::entries;
use crate::class::entries::Entry;
use crate::class::schema::field::{At, Fields};
use crate::class::schema::file::Material;
use crate::class::schema::source::Flat;
use crate::class::schema::table::{
    FileFields, MemberFields, OBJECT, ObjectFields, SelectorFields, SourceFields,
};
use crate::class::schema::values::Mode;
use crate::class::spelling::nearest;
use crate::class::{SpecError, UnknownFields};
use crate::spec::path::conflicts;
use crate::spec::{Encoding, Object, Template};
use crate::spec::{MountPath, Request};

/// Most files and directories of one class: far above any use, far below what would hold a node.
const OBJECTS: usize = 256;

/// What every entry is read with.
pub(crate) struct Objects<'o> {
    pub(crate) access: Access,
    pub(crate) scene: ParseContext<'o>,
    pub(crate) unknown: UnknownFields,
}

/// All objects of a class, in its order.
pub(crate) fn objects(text: &str, with: &Objects<'_>, found: &mut Diagnostics) -> Vec<Object> {
    let too_many = |count| SpecError::TooManyObjects { count, limit: OBJECTS };
    let entries = match entries::entries(text, &ours()) {
        Ok(entries) if entries.is_empty() => return none(found, SpecError::NoObjects),
        Ok(entries) if entries.len() > OBJECTS => return none(found, too_many(entries.len())),
        Ok(entries) => entries,
        Err(errors) => {
            errors.into_iter().for_each(|error| found.problem(SpecError::Yaml(error)));
            return Vec::new();
        }
    };
    let (mut names, mut objects) = (Vec::new(), Vec::new());
    for (index, entry) in entries.into_iter().enumerate() {
        let label = Label { name: entry.object_name.clone(), place: index + 1 };
        for (name, object) in read(entry, &label, with, found) {
            names.extend(name);
            objects.extend(object);
        }
        if objects.len() > OBJECTS {
            return none(found, too_many(objects.len()));
        }
    }
    limits(&objects, found);
    conflicts(&names).into_iter().for_each(|problem| found.problem(problem));
    objects
}

/// Most sources that the objects of one class look at together, and most keystores: each of these takes milliseconds of a core.
const SOURCES: usize = 512;
const KEYSTORES: usize = 16;

fn limits(objects: &[Object], found: &mut Diagnostics) {
    let sources = objects.iter().map(|object| object.sources().len()).sum();
    let keystores = objects.iter().filter(|object| object.is_keystore()).count();
    for (what, count, limit) in [("sources", sources, SOURCES), ("keystores", keystores, KEYSTORES)] {
        if count > limit {
            found.problem(SpecError::TooMany { what, count, limit });
        }
    }
}

fn none(found: &mut Diagnostics, problem: SpecError) -> Vec<Object> {
    found.problem(problem);
    Vec::new()
}

/// The fields that the Go providers do not have.
fn ours() -> Vec<&'static str> {
    let fields = OBJECT.iter().flat_map(|(_, fields)| fields.iter().map(|field| field.name));
    fields.filter(|name| !Entry::FIELDS.contains(name)).collect()
}

type Named = (Vec<MountPath>, Option<Object>);

fn read(mut entry: Entry, label: &Label, with: &Objects<'_>, found: &mut Diagnostics) -> Vec<Named> {
    let at = &mut At::object(label, found);
    judge(&entry, label, with.unknown, at.found);
    let ours = std::mem::take(&mut entry.ours);
    let mut fields = Fields::new(&ours);
    let source = SourceFields::take(&mut fields, at);
    let mut object = ObjectFields::take(&mut fields, at);
    let (mut file, mut pick) = (FileFields::take(&mut fields, at), SelectorFields::take(&mut fields, at));
    let files = object.files.take();
    peers(&entry, &mut file, &mut pick, files.is_none() && ours.is_empty(), at);
    let material = material(entry, source, object, with.scene, at);
    match files {
        None => vec![file.object(pick, material, with.access, with.scene, at)],
        Some(files) => several(files, &file, &pick, material, with, at),
    }
}

/// The fields that the peers have too, as they were read by the peers' rules.
fn peers(entry: &Entry, file: &mut FileFields, pick: &mut SelectorFields, only_peers: bool, at: &mut At<'_>) {
    let text = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    file.object_name = text(&entry.object_name);
    pick.secret_key = text(&entry.secret_key);
    pick.encoding = encoding(entry, only_peers, at);
    file.mode = match entry.file_permission {
        mode @ 0..=0o777 => Some(Mode(mode)),
        mode => {
            at.found.problem(SpecError::Permission { object: at.object.clone(), mode });
            None
        }
    };
}

/// The peers look at `encoding` only beside a `secretKey`; there they refuse a word that they do not know.
fn encoding(entry: &Entry, only_peers: bool, at: &mut At<'_>) -> Option<Encoding> {
    if only_peers && entry.secret_key.is_empty() {
        if !entry.encoding.is_empty() {
            at.found
                .warnings
                .push(format!("{}: encoding counts only beside secretKey, and is passed over", at.object));
        }
        return None;
    }
    match entry.encoding.to_ascii_lowercase().as_str() {
        "" | "utf-8" => None,
        "base64" => Some(Encoding::Base64),
        "hex" => Some(Encoding::Hex),
        word => {
            let meant = nearest(word, ["utf-8", "base64", "hex"]);
            at.found.problem(SpecError::Encoding { object: at.object.clone(), word: word.into(), meant });
            None
        }
    }
}

/// What the entry's files are views of.
fn material(
    entry: Entry,
    source: SourceFields,
    object: ObjectFields,
    scene: ParseContext<'_>,
    at: &mut At<'_>,
) -> Option<Material> {
    let flat = flat(&entry, &source, &object, at);
    let ObjectFields { sources, template, delimiters, content, .. } = object;
    if template.is_none() && sources.is_none() {
        if delimiters.is_some() {
            return at.below("delimiters").wrong(FieldError::Needs("template"));
        }
        return source.source(flat, content, scene, at).map(Material::Source);
    }
    if flat.is_some() || source.is_some() {
        return at.below("template").wrong(FieldError::Type("with `sources` alone: name the source there"));
    }
    let (text, sources) = match (template, sources) {
        (Some(text), Some(sources)) => (text, sources),
        (Some(_), None) => return at.below("template").wrong(FieldError::Needs("sources")),
        (None, _) => return at.below("sources").wrong(FieldError::Needs("template")),
    };
    let mut below = at.below("sources");
    let read = sources.into_iter().map(|(name, value)| {
        let mut at = below.below(&name);
        if is_identifier(&name) {
            Some((name, value.selection(scene, true, &mut at)?))
        } else {
            at.wrong(FieldError::Identifier)
        }
    });
    let sources = read.collect::<Vec<_>>().into_iter().collect::<Option<_>>();
    let delimiters = match delimiters {
        None => Some(crate::spec::Delimiters::default()),
        Some(words) => at.below("delimiters").take(words.parse().map_err(FieldError::Delimiters)),
    };
    Some(Material::Template(Template { sources: sources?, text: text.into(), delimiters: delimiters? }))
}

/// The call of the peers' form; the outer `None` where the entry has no field of it and a source of ours.
fn flat(entry: &Entry, source: &SourceFields, object: &ObjectFields, at: &mut At<'_>) -> Flat {
    let given = !entry.secret_path.is_empty() || !entry.method.is_empty() || entry.secret_args.is_some();
    let other = source.is_some() || object.template.is_some() || object.sources.is_some();
    if !given && (other || !at.is_clean()) {
        return None;
    }
    let request = Request::new(&entry.method, &entry.secret_path, entry.secret_args.as_ref());
    Some(at.found.take(request.map_err(|source| SpecError::Request { object: at.object.clone(), source })))
}

/// A name that an expression can use.
fn is_identifier(name: &str) -> bool {
    let letter = |first: char| first.is_ascii_alphabetic() || first == '_';
    name.starts_with(letter) && name.chars().all(|character| letter(character) || character.is_ascii_digit())
}

/// The members of `files`: each is a file of the one source.
fn several(
    files: Vec<MemberFields>,
    own: &FileFields,
    pick: &SelectorFields,
    material: Option<Material>,
    with: &Objects<'_>,
    at: &mut At<'_>,
) -> Vec<Named> {
    if own.is_some() || pick.is_some() || pick.encoding.is_some() {
        let _: Option<()> = at
            .below("files")
            .wrong(FieldError::Type("without fields of a file beside it: they stand in its members"));
    }
    if files.len() > OBJECTS {
        at.found.problem(SpecError::TooManyObjects { count: files.len(), limit: OBJECTS });
        return Vec::new();
    }
    let Some(material) = material else { return Vec::new() };
    let mut at = at.below("files");
    let read = files.into_iter().enumerate().map(|(index, MemberFields { file, pick })| {
        file.object(pick, Some(material.clone()), with.access, with.scene, &mut at.member(index))
    });
    read.collect()
}

/// Warns of fields that nobody knows, or refuses them: always beside fields of ours, for their author knows us, and without a `secretPath`, for
/// then one of them was to be a source.
fn judge(entry: &Entry, label: &Label, unknown: UnknownFields, found: &mut Diagnostics) {
    let known = || OBJECT.iter().flat_map(|(_, fields)| fields.iter().map(|field| field.name));
    for field in &entry.unknown {
        let problem = SpecError::UnknownField {
            object: label.clone(),
            field: field.clone(),
            meant: nearest(field, known()),
        };
        match unknown {
            UnknownFields::Warn if entry.ours.is_empty() && !entry.secret_path.is_empty() => {
                found.warnings.push(problem.to_string())
            }
            UnknownFields::Warn | UnknownFields::Error => found.problem(problem),
        }
    }
}

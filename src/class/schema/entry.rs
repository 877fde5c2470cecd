//! The entries of `objects` -> objects.

use std::collections::BTreeMap;

use crate::class::defaults::UnknownFields;
use crate::class::diagnostics::{Diagnostics, FieldError, Label, SpecError};
use crate::class::entries;
use crate::class::entries::Entry;
use crate::class::other_words;
use crate::class::schema::field::{FieldContext, Fields};
use crate::class::schema::file::{Access, Content};
use crate::class::schema::source::{ParseContext, UpstreamRequest};
use crate::class::schema::source_value::warn_of_literals;
use crate::class::schema::table::{
    FileFields, MemberFields, OBJECT, ObjectFields, SelectorFields, SourceFields,
};
use crate::class::schema::values::Mode;
use crate::class::spelling::nearest;
use crate::class::yaml_advice;
use crate::goyaml::YamlError;
use crate::spec::path::conflicts;
use crate::spec::{Delimiters, Encoding, MountPath, Object, Request, Template, mode};

/// Maximum number of files and directories of one class: far more than anyone needs, and far less than a node could not handle.
const OBJECTS: usize = 1024;

/// A class without secrets is a class that somebody is about to fill.
const NO_OBJECTS: &str = "parameter objects lists no object: the volume is empty";

/// What every entry is parsed with.
pub(crate) struct Objects<'o> {
    pub(crate) access: Access,
    pub(crate) context: ParseContext<'o>,
    pub(crate) unknown: UnknownFields,
}

/// All objects of the class, in the order of the text.
pub(crate) fn objects(text: &str, settings: &Objects<'_>, found: &mut Diagnostics) -> Vec<Object> {
    let too_many = |count| SpecError::TooManyObjects { count, limit: OBJECTS };
    let of_yaml = |error: YamlError| SpecError::Yaml { advice: yaml_advice::advice(text, &error), error };
    let entries = match entries::entries(text, &own_fields()) {
        Err(error) => return refuse(found, of_yaml(error)),
        Ok((entries, _)) if entries.len() > OBJECTS => return refuse(found, too_many(entries.len())),
        Ok((entries, outside)) => {
            if entries.is_empty() && outside.is_empty() {
                found.warnings.push(NO_OBJECTS.into());
            }
            outside.into_iter().for_each(|error| found.problem(of_yaml(error)));
            entries
        }
    };
    let (mut names, mut objects) = (Vec::new(), Vec::new());
    for (index, entry) in entries.into_iter().enumerate() {
        let label = Label { name: entry.object_name.clone(), position: index + 1 };
        let advice = |error: &YamlError| yaml_advice::advice(text, error);
        for (name, object) in parse_entry(entry, &label, &advice, settings, found) {
            names.extend(name);
            objects.extend(object);
        }
        if objects.len() > OBJECTS {
            return refuse(found, too_many(objects.len()));
        }
    }
    check_limits(&objects, found);
    conflicts(&names).into_iter().for_each(|conflict| found.problem(conflict.into()));
    objects
}

/// Maximum number of sources of one class, counted once for each object, and of keystores: each keystore takes milliseconds of CPU time.
const SOURCES: usize = 1024;
const KEYSTORES: usize = 16;

fn check_limits(objects: &[Object], found: &mut Diagnostics) {
    let sources = objects.iter().map(|object| object.sources().len()).sum();
    let keystores = objects.iter().filter(|object| object.is_keystore()).count();
    for (what, count, limit) in [("sources", sources, SOURCES), ("keystores", keystores, KEYSTORES)] {
        if count > limit {
            found.problem(SpecError::TooMany { what, count, limit });
        }
    }
}

fn refuse(found: &mut Diagnostics, problem: SpecError) -> Vec<Object> {
    found.problem(problem);
    Vec::new()
}

/// The fields that the Go providers do not have.
fn own_fields() -> Vec<&'static str> {
    let fields = OBJECT.iter().flat_map(|(_, fields)| fields.iter().map(|field| field.name));
    fields.filter(|name| !Entry::FIELDS.contains(name)).collect()
}

/// The paths of the files of an object, and the object; `None` after a problem.
type NamedObject = (Vec<MountPath>, Option<Object>);

/// The advice for a mistake in YAML.
type YamlAdvice<'a> = &'a dyn Fn(&YamlError) -> Option<&'static str>;

/// The files of an entry. The upstream providers ignore every field that they do not know. So an entry in their form, whose further fields are
/// mistakes for vaultmount, becomes a file without these fields, unless unknown fields are errors.
fn parse_entry(
    entry: Entry,
    label: &Label,
    advice: YamlAdvice<'_>,
    settings: &Objects<'_>,
    found: &mut Diagnostics,
) -> Vec<NamedObject> {
    let mut own = Diagnostics::default();
    let objects = parse_fields(entry.clone(), label, advice, settings, &mut own);
    own.advise(other_words::for_field);
    let stray = own.fields();
    if own.count() == 0 || !may_ignore(&entry, &stray, settings.unknown) {
        found.merge(own);
        return objects;
    }
    let mut upstream = entry;
    upstream.ours.retain(|(name, _)| !stray.contains(name));
    let mut rest = Diagnostics::default();
    let objects_of_rest = parse_fields(upstream, label, advice, settings, &mut rest);
    if rest.count() > 0 {
        found.merge(own);
        return objects;
    }
    let ignored = own
        .messages()
        .map(|problem| format!("{problem}; the field is ignored, as the upstream providers do"));
    rest.warnings.extend(ignored.collect::<Vec<_>>());
    found.merge(rest);
    objects_of_rest
}

/// Fields whose author writes for vaultmount: no other tool has them, or the file would be another one without them.
const DELIBERATE: [&str; 13] = [
    SourceFields::KV,
    SourceFields::PKI,
    SourceFields::TRANSIT,
    SourceFields::S5,
    SourceFields::REQUEST,
    SourceFields::VAULT_NAMESPACE,
    SourceFields::SHARE_SCOPE,
    SelectorFields::POINTER,
    SelectorFields::PARSE,
    ObjectFields::TEMPLATE,
    ObjectFields::SOURCES,
    ObjectFields::FILES,
    FileFields::DIRECTORY,
];

/// True if the fields `stray` of an entry in the form of the upstream providers may be ignored.
fn may_ignore(entry: &Entry, stray: &[String], unknown: UnknownFields) -> bool {
    let is_deliberate = entry.ours.iter().any(|(name, _)| DELIBERATE.contains(&name.as_str()));
    let is_stray = entry.ours.iter().any(|(name, _)| stray.contains(name));
    unknown == UnknownFields::Warn && !entry.secret_path.is_empty() && is_stray && !is_deliberate
}

fn parse_fields(
    mut entry: Entry,
    label: &Label,
    advice: YamlAdvice<'_>,
    settings: &Objects<'_>,
    found: &mut Diagnostics,
) -> Vec<NamedObject> {
    let at = &mut FieldContext::object(label, found);
    for error in std::mem::take(&mut entry.faults) {
        at.found.problem(SpecError::EntryYaml { object: label.clone(), advice: advice(&error), error });
    }
    check_names(&entry, label, settings.unknown, at.found);
    let ours = std::mem::take(&mut entry.ours);
    let mut fields = Fields::new(&ours);
    let source = SourceFields::take(&mut fields, at);
    let mut object = ObjectFields::take(&mut fields, at);
    let (mut file, mut selector) = (FileFields::take(&mut fields, at), SelectorFields::take(&mut fields, at));
    let files = object.files.take();
    take_upstream_fields(&entry, &mut file, &mut selector, files.is_none() && ours.is_empty(), at);
    let is_upstream = !entry.secret_path.is_empty();
    if is_upstream {
        let args = entry.secret_args.as_ref().map(ToString::to_string).unwrap_or_default();
        let names = [&entry.secret_path, &entry.object_name, &args];
        warn_of_literals(names.map(String::as_str), at);
    }
    let context = ParseContext { is_upstream, ..settings.context };
    let content = content(entry, source, object, context, at);
    match files {
        None => vec![file.object(selector, content, settings.access, context, at)],
        Some(files) => members(files, &file, &selector, content, (settings.access, context), at),
    }
}

/// Sets the fields that the upstream providers have too, which were parsed by their rules.
fn take_upstream_fields(
    entry: &Entry,
    file: &mut FileFields,
    selector: &mut SelectorFields,
    only_upstream: bool,
    at: &mut FieldContext<'_>,
) {
    let text = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    file.object_name = text(&entry.object_name);
    selector.secret_key = text(&entry.secret_key);
    selector.encoding = encoding(entry, only_upstream, at);
    file.mode = permission(entry, only_upstream, at);
}

/// The upstream providers take every number, of which the permission bits count.
fn permission(entry: &Entry, only_upstream: bool, at: &mut FieldContext<'_>) -> Option<Mode> {
    let number = entry.file_permission;
    let object = at.object.clone();
    match mode::mistake(number, entry.is_decimal_mode) {
        None => Some(Mode(number)),
        Some(mistake) if only_upstream => {
            let used = number & mode::LARGEST;
            at.found.warnings.push(format!(
                "{object}: filePermission {mistake}; the file gets 0{used:03o}, as with the upstream providers"
            ));
            Some(Mode(used))
        }
        Some(mistake) => {
            at.found.problem(SpecError::Permission { object, mistake });
            None
        }
    }
}

/// The upstream providers ignore `encoding` without `secretKey`; with it they refuse an unknown word.
fn encoding(entry: &Entry, only_upstream: bool, at: &mut FieldContext<'_>) -> Option<Encoding> {
    if only_upstream && entry.secret_key.is_empty() {
        if !entry.encoding.is_empty() {
            at.found
                .warnings
                .push(format!("{}: encoding has an effect only with secretKey, and is ignored", at.object));
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

/// The content of the entry's files; `None` after a problem.
fn content(
    entry: Entry,
    source: SourceFields,
    object: ObjectFields,
    context: ParseContext<'_>,
    at: &mut FieldContext<'_>,
) -> Option<Content> {
    let upstream = upstream_request(&entry, &source, &object, at);
    let ObjectFields { sources, template, delimiters, content, .. } = object;
    if template.is_none() && sources.is_none() {
        if delimiters.is_some() {
            return at.field(ObjectFields::DELIMITERS).error(FieldError::Needs(ObjectFields::TEMPLATE));
        }
        return source.source(upstream, content, context, at).map(Content::Source);
    }
    if upstream.is_some() || source.is_some() {
        return at
            .field(ObjectFields::TEMPLATE)
            .error(FieldError::Type("without another source: add it to `sources`"));
    }
    let (text, sources) = match (template, sources) {
        (Some(text), Some(sources)) => (text, sources),
        (Some(_), None) => {
            return at.field(ObjectFields::TEMPLATE).error(FieldError::Needs(ObjectFields::SOURCES));
        }
        (None, _) => return at.field(ObjectFields::SOURCES).error(FieldError::Needs(ObjectFields::TEMPLATE)),
    };
    let mut below = at.field(ObjectFields::SOURCES);
    let parsed = sources.into_iter().map(|(name, value)| {
        let mut at = below.field(&name);
        if is_identifier(&name) {
            let absent = value.absent.absent(&mut at);
            Some((name, (value.source_value(context, true, &mut at)?, absent?)))
        } else {
            at.error(FieldError::Identifier)
        }
    });
    let parsed = parsed.collect::<Vec<_>>().into_iter().collect::<Option<BTreeMap<_, _>>>();
    let delimiters = match delimiters {
        None => Some(Delimiters::default()),
        Some(words) => at.field(ObjectFields::DELIMITERS).take(words.parse().map_err(FieldError::Delimiters)),
    };
    let absent = parsed.iter().flatten().map(|(name, (_, absent))| (name.clone(), absent.clone())).collect();
    let sources = parsed?.into_iter().map(|(name, (value, _))| (name, value)).collect();
    Some(Content::Template(Template { sources, absent, text: text.into(), delimiters: delimiters? }))
}

/// The request in the form of the upstream providers. The outer `None` means that the entry has no field of that form, but another source.
fn upstream_request(
    entry: &Entry,
    source: &SourceFields,
    object: &ObjectFields,
    at: &mut FieldContext<'_>,
) -> UpstreamRequest {
    let present = !entry.secret_path.is_empty() || !entry.method.is_empty() || entry.secret_args.is_some();
    let other = source.is_some() || object.template.is_some() || object.sources.is_some();
    if !present && (other || !at.is_clean()) {
        return None;
    }
    let request = Request::new(&entry.method, &entry.secret_path, entry.secret_args.as_ref());
    Some(at.found.take(request.map_err(|source| SpecError::Request { object: at.object.clone(), source })))
}

/// True if expressions can use `name`.
fn is_identifier(name: &str) -> bool {
    let letter = |first: char| first.is_ascii_alphabetic() || first == '_';
    name.starts_with(letter) && name.chars().all(|character| letter(character) || character.is_ascii_digit())
}

/// The members of `files`: each is a file of the same source.
fn members(
    files: Vec<MemberFields>,
    own: &FileFields,
    selector: &SelectorFields,
    content: Option<Content>,
    (access, context): (Access, ParseContext<'_>),
    at: &mut FieldContext<'_>,
) -> Vec<NamedObject> {
    if own.is_some() || selector.is_some() || selector.encoding.is_some() {
        let _: Option<()> = at
            .field(ObjectFields::FILES)
            .error(FieldError::Type("without fields of a file next to it: set them in its members"));
    }
    if files.len() > OBJECTS {
        at.found.problem(SpecError::TooManyObjects { count: files.len(), limit: OBJECTS });
        return Vec::new();
    }
    let Some(content) = content else { return Vec::new() };
    let mut at = at.field(ObjectFields::FILES);
    let parsed = files.into_iter().enumerate().map(|(index, MemberFields { file, selector })| {
        file.object(selector, Some(content.clone()), access, context, &mut at.member(index))
    });
    parsed.collect()
}

/// Reports unknown fields, as warnings or as problems. They are always problems next to a field that only vaultmount has, because the author writes for
/// vaultmount, and without `secretPath`, because then one of them was meant to be the source.
fn check_names(entry: &Entry, label: &Label, unknown: UnknownFields, found: &mut Diagnostics) {
    let known: Vec<_> = OBJECT.iter().flat_map(|(_, fields)| fields.iter().map(|field| field.name)).collect();
    for field in &entry.unknown {
        let problem = SpecError::UnknownField {
            object: label.clone(),
            field: field.clone(),
            advice: other_words::for_field(field, &known),
        };
        match unknown {
            UnknownFields::Warn if entry.ours.is_empty() && !entry.secret_path.is_empty() => {
                found.warnings.push(problem.to_string())
            }
            UnknownFields::Warn | UnknownFields::Error => found.problem(problem),
        }
    }
}

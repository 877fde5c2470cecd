//! One entry of `objects`.

use super::path::conflicts;
use super::problem::{Found, Label};
use super::spelling::nearest;
use super::yaml::{self, Entry};
use super::{MountPath, Problem, Request, UnknownFields};

/// Most objects of one class: far above any use, far below what would hold a node.
const OBJECTS: usize = 256;

/// A file of the volume, and the call whose answer fills it.
#[derive(Clone, Debug)]
pub struct Object {
    /// Its place in the volume.
    pub name: MountPath,
    /// The call; equal ones are made once.
    pub request: Request,
    /// The member of the answer's data that the file holds; `None` for the whole response.
    pub key: Option<String>,
    /// How the member's text stands for bytes; only with `key`.
    pub encoding: Encoding,
    /// Permission bits, 1 to 0o777.
    pub mode: u32,
}

/// How a value's text stands for the file's bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// As it is.
    #[default]
    Utf8,
    /// Standard alphabet, padded.
    Base64,
    /// Pairs of hexadecimal digits.
    Hex,
}

/// All objects of a class, in its order; a file without a mode of its own gets `mode`.
pub(super) fn objects(text: &str, mode: u32, unknown: UnknownFields, found: &mut Found) -> Vec<Object> {
    let entries = match yaml::entries(text) {
        Ok(entries) if entries.is_empty() => return none(found, Problem::NoObjects),
        Ok(entries) if entries.len() > OBJECTS => return none(found, Problem::TooManyObjects { count: entries.len(), limit: OBJECTS }),
        Ok(entries) => entries,
        Err(errors) => {
            errors.into_iter().for_each(|error| found.problem(Problem::Yaml(error)));
            return Vec::new();
        }
    };
    let read = entries.iter().enumerate().map(|(index, entry)| {
        let label = Label { name: entry.object_name.clone(), place: index + 1 };
        judge(entry, &label, unknown, found);
        Object::new(entry, &label, mode, found)
    });
    let (names, objects): (Vec<_>, Vec<_>) = read.unzip();
    conflicts(&names.into_iter().flatten().collect::<Vec<_>>()).into_iter().for_each(|problem| found.problem(problem));
    objects.into_iter().flatten().collect()
}

fn none(found: &mut Found, problem: Problem) -> Vec<Object> {
    found.problem(problem);
    Vec::new()
}

impl Object {
    /// The object that `entry` describes, and its name even when the rest of it is wrong.
    fn new(entry: &Entry, label: &Label, mode: u32, found: &mut Found) -> (Option<MountPath>, Option<Self>) {
        let name = found.take(entry.object_name.parse().map_err(|source| Problem::Name { object: label.clone(), source }));
        let request = Request::new(&entry.method, &entry.secret_path, entry.secret_args.as_ref());
        let request = found.take(request.map_err(|source| Problem::Request { object: label.clone(), source }));
        let key = Some(entry.secret_key.clone()).filter(|key| !key.is_empty());
        let encoding = encoding(entry, label, found);
        let mode = match entry.file_permission {
            0 => Some(mode),
            1..=0o777 => Some(entry.file_permission),
            over => found.take(Err(Problem::Permission { object: label.clone(), mode: over })),
        };
        let object = || Some(Self { name: name.clone()?, request: request?, key, encoding: encoding?, mode: mode? });
        (name.clone(), object())
    }
}

/// The peers look at `encoding` only beside a `secretKey`; there they refuse a word that they do not know.
fn encoding(entry: &Entry, label: &Label, found: &mut Found) -> Option<Encoding> {
    if entry.secret_key.is_empty() {
        if !entry.encoding.is_empty() {
            found.warnings.push(format!("{label}: encoding counts only beside secretKey, and is passed over"));
        }
        return Some(Encoding::Utf8);
    }
    match entry.encoding.to_ascii_lowercase().as_str() {
        "" | "utf-8" => Some(Encoding::Utf8),
        "base64" => Some(Encoding::Base64),
        "hex" => Some(Encoding::Hex),
        word => {
            let meant = nearest(word, ["utf-8", "base64", "hex"]);
            found.take(Err(Problem::Encoding { object: label.clone(), word: word.into(), meant }))
        }
    }
}

/// Warns of fields that nobody knows, or refuses them.
fn judge(entry: &Entry, label: &Label, unknown: UnknownFields, found: &mut Found) {
    for field in &entry.unknown {
        let problem = Problem::UnknownField { object: label.clone(), field: field.clone(), meant: nearest(field, Entry::FIELDS) };
        match unknown {
            UnknownFields::Warn => found.warnings.push(problem.to_string()),
            UnknownFields::Error => found.problem(problem),
        }
    }
}

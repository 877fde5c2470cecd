//! Why a request cannot be used: every mistake of it at once, each with its place and what is allowed there.

use std::fmt;
use std::time::Duration;

use crate::class::token::TokenFault;
use crate::error::{Failure, Reason};
use crate::goyaml::YamlError;
use crate::spec::KeyAlgorithm;
use crate::spec::Source;
use crate::spec::address::AddressError;
use crate::spec::auth_mount::InvalidAuthMount;
use crate::spec::certificate::AliasError;
use crate::spec::path::PathError;
use crate::spec::request::{PlainPathError, RequestError};
use crate::spec::template::DelimitersError;

/// Mistakes that a message names; the rest is counted.
const NAMED: usize = 8;

/// Everything that keeps one mount from being understood; never empty.
#[derive(Debug)]
pub struct SpecErrors(Vec<SpecError>);

impl SpecErrors {
    /// The first problem's reason: those of the class come before one of the token.
    pub fn reason(&self) -> Reason {
        self.0.first().map_or(Reason::SpecInvalid, SpecError::reason)
    }

    /// All of them, in the order of the request.
    pub fn problems(&self) -> &[SpecError] {
        &self.0
    }
}

impl fmt::Display for SpecErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, problem) in self.0.iter().take(NAMED).enumerate() {
            write!(f, "{}{problem}", if at == 0 { "" } else { "; " })?;
        }
        match self.0.len().checked_sub(NAMED) {
            None | Some(0) => Ok(()),
            Some(more) => write!(f, "; and {more} more"),
        }
    }
}

impl std::error::Error for SpecErrors {}

impl From<SpecError> for SpecErrors {
    fn from(problem: SpecError) -> Self {
        Self(vec![problem])
    }
}

impl From<SpecErrors> for Failure {
    fn from(errors: SpecErrors) -> Self {
        Self::new(errors.reason(), errors.to_string())
    }
}

/// One mistake. Names and paths of a class are shown, cut and escaped; values of `secretArgs` and of tokens never.
#[derive(Debug, PartialEq, thiserror::Error)]
#[expect(missing_docs, reason = "each text says what its variant means")]
pub enum SpecError {
    #[error("the request's attributes are not a JSON object of strings (line {line}, column {column})")]
    Attributes { line: usize, column: usize },
    #[error("{what} is {bytes} bytes long; at most {limit} are read")]
    TooLong { what: String, bytes: usize, limit: usize },
    #[error("the request's {field} {fault}")]
    Call { field: &'static str, fault: &'static str },
    #[error("{key} is missing: set podInfoOnMount in the CSIDriver")]
    PodInfo { key: &'static str },
    #[error("parameter {parameter} is missing or empty: {hint}")]
    Missing { parameter: &'static str, hint: &'static str },
    #[error("parameters {one} and {other} say the same: remove one")]
    Both { one: String, other: String },
    #[error("parameter {parameter} must be true or false")]
    Bool { parameter: String },
    #[error("parameter {given} needs {missing} beside it: a client certificate is a pair")]
    HalfCertificate { given: String, missing: String },
    #[error("parameter {parameter}: {source}")]
    Address { parameter: String, source: AddressError },
    #[error("parameter {parameter} {source}")]
    Mount { parameter: String, source: InvalidAuthMount },
    #[error("auth mount {} is not one that classes may use", Shown(.mount))]
    AuthMount { mount: String },
    #[error("parameter {parameter} must not hold control characters")]
    Control { parameter: String },
    #[error("audience {} is not one that pods may log in with: use another, or add it to --allow-audience", Shown(.audience))]
    Audience { audience: String },
    #[error("parameter {} is unknown{}", Shown(.parameter), Meant(.meant))]
    UnknownParameter { parameter: String, meant: Option<String> },
    #[error("parameter objects, {0}")]
    Yaml(YamlError),
    #[error("parameter objects lists nothing: no secret would be read")]
    NoObjects,
    #[error(
        "parameter objects lists {count} objects; at most {limit} are read: split the class over two volumes"
    )]
    TooManyObjects { count: usize, limit: usize },
    #[error(
        "parameter objects has {count} {what}; at most {limit} are taken: split the class over two volumes"
    )]
    TooMany { what: &'static str, count: usize, limit: usize },
    #[error("objectName {} is given {times} times: each file needs a name of its own", Shown(.name))]
    DuplicateName { name: String, times: usize },
    #[error("objectNames {} and {} cannot both be files: one is the other's directory", Shown(.file), Shown(.below))]
    FileAndDirectory { file: String, below: String },
    #[error("{object}: {source}")]
    Request { object: Label, source: RequestError },
    #[error("parameter {parameter} must be {wanted}")]
    Parameter { parameter: &'static str, wanted: &'static str },
    #[error("{object}: filePermission {mode:#o} is over 0777")]
    Permission { object: Label, mode: u32 },
    #[error("{object}: encoding {} is unknown: utf-8, base64 or hex{}", Shown(.word), Meant(.meant))]
    Encoding { object: Label, word: String, meant: Option<String> },
    #[error("{object}: field {} is unknown{}", Shown(.field), Meant(.meant))]
    UnknownField { object: Label, field: String, meant: Option<String> },
    #[error("{object}: {}{misfit}", FieldPath(.field))]
    Field { object: Label, field: String, misfit: Box<FieldError> },
    #[error(transparent)]
    Token(#[from] TokenFault),
}

/// What is wrong with a field of ours; what was written there is shown only where it is one of a few words.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum FieldError {
    /// No value where one is needed.
    #[error("is missing: {0}")]
    Missing(&'static str),
    /// A value of another kind.
    #[error("must be {0}")]
    Type(&'static str),
    /// A word that is not among those allowed.
    #[error("{} is none of {}{}", Shown(.word), .allowed.join(", "), Meant(.meant))]
    #[expect(missing_docs, reason = "the text says what they are")]
    Word { word: String, allowed: Vec<&'static str>, meant: Option<String> },
    /// A name that nobody knows.
    #[error("is unknown{}", Meant(.meant))]
    #[expect(missing_docs, reason = "the text says what it is")]
    Unknown { meant: Option<String> },
    /// Two that exclude each other.
    #[error("has both {0} and {1}: remove one")]
    Both(&'static str, &'static str),
    /// Two sources.
    #[error("has both {0} and {1}: remove one; several sources make one file by sources and template")]
    Sources(&'static str, &'static str),
    /// One that means nothing without another.
    #[error("counts only with {0}")]
    Needs(&'static str),
    /// Nothing to read.
    #[error("has no source: give secretPath, kv, pki, transit, s5, request, or sources with a template")]
    NoSource,
    /// A source whose value could be anything.
    #[error("needs secretKey or pointer: one value is wanted")]
    NoPick,
    /// A way into what is one text.
    #[error("takes no secretKey, pointer, from or format: what is opened is one text")]
    Opened,
    /// `ca: true` beside what asks for a certificate.
    #[error("stands alone with mount: nothing is issued")]
    Alone,
    /// `${...}` of another name.
    #[error("holds ${{...}} of another name than POD_NAME, POD_NAMESPACE, POD_UID, SERVICE_ACCOUNT_NAME")]
    Variable,
    /// A name that no expression could use.
    #[error("must be letters, digits and _, for expressions to name it")]
    Identifier,
    /// A path that Vault would not take.
    #[error("{0}")]
    Path(PlainPathError),
    /// A call that is none.
    #[error("{0}")]
    Request(RequestError),
    /// A file's name.
    #[error("objectName {0}")]
    ObjectName(PathError),
    /// Another name in the volume.
    #[error("{0}")]
    Name(PathError),
    /// A form that a key of the type asked for does not have.
    #[error("must be {}, the forms of a key of {}", .0.told().1, .0.told().0)]
    KeyForm(KeyAlgorithm),
    /// The name of a keystore's entry.
    #[error("{0}")]
    Alias(AliasError),
    /// Delimiters that would be ambiguous.
    #[error("{0}")]
    Delimiters(DelimitersError),
}

/// The way to a field in front of what is wrong with it; nothing for the object itself.
struct FieldPath<'a>(&'a str);

impl fmt::Display for FieldPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, "{} ", self.0.escape_debug()) }
    }
}

impl SpecError {
    fn reason(&self) -> Reason {
        match self {
            Self::Token(fault) => fault.reason(),
            Self::AuthMount { .. } => Reason::AuthMountRefused,
            _ => Reason::SpecInvalid,
        }
    }
}

/// What is found while a request is read: parsing goes on after a mistake, so that all are told together.
#[derive(Debug, Default)]
pub(crate) struct Diagnostics {
    problems: Vec<SpecError>,
    pub(crate) warnings: Vec<String>,
    /// Every source that was read, with the `refresh` beside it.
    pub(crate) refreshes: Vec<(Source, Option<Duration>)>,
}

impl Diagnostics {
    pub(crate) fn problem(&mut self, problem: SpecError) {
        self.problems.push(problem);
    }

    /// How many problems there are so far.
    pub(crate) fn count(&self) -> usize {
        self.problems.len()
    }

    /// The value, or nothing and one more problem.
    pub(crate) fn take<T>(&mut self, result: Result<T, SpecError>) -> Option<T> {
        result.map_err(|problem| self.problem(problem)).ok()
    }

    /// `whole`, which only a problem can have kept from being there, and the warnings; or all problems.
    pub(crate) fn end<T>(self, whole: Option<T>) -> Result<(T, Vec<String>), SpecErrors> {
        match whole {
            Some(whole) if self.problems.is_empty() => Ok((whole, self.warnings)),
            _ => Err(SpecErrors(self.problems)),
        }
    }
}

/// How a message calls an object: by its name, else by its place in the list, from 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Label {
    /// Its `objectName` as written, maybe empty.
    pub name: String,
    /// Its place in the list.
    pub place: usize,
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name.is_empty() {
            write!(f, "object {}", self.place)
        } else {
            write!(f, "object {}", Shown(&self.name))
        }
    }
}

/// Text of a class in a message: escaped, in quotes, at most 64 characters of it.
pub(crate) struct Shown<'a>(pub(crate) &'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.char_indices().nth(64) {
            Some((end, _)) => write!(f, "{:?}...", &self.0[..end]),
            None => write!(f, "{:?}", self.0),
        }
    }
}

struct Meant<'a>(&'a Option<String>);

impl fmt::Display for Meant<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_ref().map_or(Ok(()), |word| write!(f, ": did you mean {word}?"))
    }
}

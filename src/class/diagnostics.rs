//! Why a request is refused: all of its mistakes, each with its place and the allowed values.

use std::fmt;
use std::time::Duration;

use crate::class::token::TokenFault;
use crate::error::{Failure, Reason};
use crate::goyaml::YamlError;
pub(crate) use crate::spec::Shown;
use crate::spec::address::AddressError;
use crate::spec::auth_mount::InvalidAuthMount;
use crate::spec::certificate::AliasError;
use crate::spec::mode::ModeMistake;
use crate::spec::path::{NameConflict, PathError};
use crate::spec::request::{PlainPathError, RequestError};
use crate::spec::template::DelimitersError;
use crate::spec::{KeyAlgorithm, Source};

/// Mistakes that a message lists. It only counts the others.
const LISTED: usize = 8;

/// All mistakes of one request; never empty.
#[derive(Debug)]
pub(crate) struct SpecErrors(Vec<SpecError>);

impl SpecErrors {
    /// The reason of the first mistake. Mistakes of the class come before one of the token.
    pub(crate) fn reason(&self) -> Reason {
        self.0.first().map_or(Reason::SpecInvalid, SpecError::reason)
    }

    #[cfg(test)]
    /// All mistakes, in the order of the request.
    pub(crate) fn problems(&self) -> &[SpecError] {
        &self.0
    }
}

impl fmt::Display for SpecErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, problem) in self.0.iter().take(LISTED).enumerate() {
            write!(f, "{}{problem}", if at == 0 { "" } else { "; " })?;
        }
        match self.0.len().checked_sub(LISTED) {
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

/// One mistake. Messages contain names and paths of the class, cut and escaped, but never values of `secretArgs` or of tokens.
#[derive(Debug, PartialEq, thiserror::Error)]
pub(crate) enum SpecError {
    #[error("the request's attributes are not a JSON object of strings (line {line}, column {column})")]
    Attributes { line: usize, column: usize },
    #[error("{what} is {bytes} bytes long; at most {limit} are allowed")]
    TooLong { what: String, bytes: usize, limit: usize },
    #[error("the request's {field} {fault}")]
    Call { field: &'static str, fault: &'static str },
    #[error("{key} is missing: set podInfoOnMount in the CSIDriver")]
    PodInfo { key: &'static str },
    #[error("parameter {parameter} is missing or empty: {hint}")]
    Missing { parameter: &'static str, hint: &'static str },
    #[error("parameters {one} and {other} have the same meaning: remove one")]
    Both { one: String, other: String },
    #[error("parameter {parameter} must be true or false")]
    Bool { parameter: String },
    #[error("parameter {present} needs {missing} too: a client certificate needs its key")]
    HalfCertificate { present: String, missing: String },
    #[error("parameter {parameter}: {source}")]
    Address { parameter: String, source: AddressError },
    #[error("parameter {parameter} {source}")]
    Mount { parameter: String, source: InvalidAuthMount },
    #[error("auth mount {} is not one that classes may use", Shown(.mount))]
    AuthMount { mount: String },
    #[error("parameter {parameter} must not contain control characters")]
    Control { parameter: String },
    #[error("audience {} may not be used to log in: use another, or add it to --allow-audience", Shown(.audience))]
    Audience { audience: String },
    #[error("parameter {} is unknown{}", Shown(.parameter), Advice(.advice))]
    UnknownParameter { parameter: String, advice: Option<String> },
    #[error("parameter objects, {}", YamlMistake(.error, .advice))]
    Yaml { error: YamlError, advice: Option<&'static str> },
    #[error("{object}, {}", YamlMistake(.error, .advice))]
    EntryYaml { object: Label, error: YamlError, advice: Option<&'static str> },
    #[error(
        "parameter objects lists {count} objects; at most {limit} are allowed: split the class over two volumes"
    )]
    TooManyObjects { count: usize, limit: usize },
    #[error(
        "parameter objects has {count} {what}; at most {limit} are allowed: split the class over two volumes"
    )]
    TooMany { what: &'static str, count: usize, limit: usize },
    #[error(transparent)]
    Name(#[from] NameConflict),
    #[error("{object}: {source}")]
    Request { object: Label, source: RequestError },
    #[error("parameter {parameter} must be {expected}")]
    Parameter { parameter: &'static str, expected: &'static str },
    #[error("{object}: filePermission {mistake}")]
    Permission { object: Label, mistake: ModeMistake },
    #[error("{object}: encoding {} is unknown: use utf-8, base64 or hex{}", Shown(.word), Meant(.meant))]
    Encoding { object: Label, word: String, meant: Option<String> },
    #[error("{object}: field {} is unknown{}", Shown(.field), Advice(.advice))]
    UnknownField { object: Label, field: String, advice: Option<String> },
    #[error("{object}: {}{error}", FieldPath(.field))]
    Field { object: Label, field: String, error: Box<FieldError> },
    #[error(transparent)]
    Token(#[from] TokenFault),
}

/// What is wrong with a field that the Go providers do not have. A message repeats the value only if the field takes one of a few words.
#[derive(Debug, PartialEq, thiserror::Error)]
pub(crate) enum FieldError {
    /// A required field is missing.
    #[error("is missing: {0}")]
    Missing(&'static str),
    /// The value has another type.
    #[error("must be {0}")]
    Type(&'static str),
    /// The mode is not one, or is meant in octal.
    #[error("{0}")]
    Mode(ModeMistake),
    /// The word is not allowed.
    #[error("{} is not one of {}{}", Shown(.word), .allowed.join(", "), Meant(.meant))]
    Word { word: String, allowed: Vec<&'static str>, meant: Option<String> },
    /// There is no field of this name.
    #[error("is unknown{}", Advice(.advice))]
    Unknown { word: String, known: Vec<&'static str>, advice: Option<String> },
    /// Two fields exclude each other.
    #[error("has both {0} and {1}: remove one")]
    Both(&'static str, &'static str),
    /// Two selectors, without a text that one of them could be inside.
    #[error(
        "has both secretKey and pointer: remove one, or set `parse` if the value of secretKey is a text that holds JSON or YAML"
    )]
    BothWithoutParse,
    /// Two sources.
    #[error("has both {0} and {1}: remove one; several sources make one file by sources and template")]
    Sources(&'static str, &'static str),
    /// The field has no effect without another one.
    #[error("has an effect only with {0}")]
    Needs(&'static str),
    /// No source.
    #[error("has no source: add secretPath, kv, pki, transit, s5, request, or sources with a template")]
    NoSource,
    /// A source without a selector, where one value is required.
    #[error("needs secretKey or pointer, which select one value")]
    NoSelector,
    /// A selector into a decrypted text.
    #[error("cannot have secretKey, pointer, from or format: the decrypted value is one text")]
    Decrypted,
    /// `ca: true` together with the fields of a certificate request.
    #[error("can only be combined with mount: no certificate is issued")]
    CaOnly,
    /// `${...}` with an unknown name.
    #[error(
        "contains ${{...}} with another name than POD_NAME, POD_NAMESPACE, POD_UID, SERVICE_ACCOUNT_NAME: write $${{ if it is meant as it is"
    )]
    Variable,
    /// A fact of the pod that is no name of Kubernetes.
    #[error("contains ${{...}} whose value is not a name of Kubernetes")]
    PodFact,
    /// A name that expressions cannot use.
    #[error("must be letters, digits and _, so that expressions can use it")]
    Identifier,
    /// The path is invalid.
    #[error("{0}")]
    Path(PlainPathError),
    /// The request is invalid.
    #[error("{0}")]
    Request(RequestError),
    /// The file name is invalid.
    #[error("objectName {0}")]
    ObjectName(PathError),
    /// Another path in the volume is invalid.
    #[error("{0}")]
    Name(PathError),
    /// A key of the requested type does not have this format.
    #[error("must be {}, the formats of a key of {}", .0.names().1, .0.names().0)]
    KeyForm(KeyAlgorithm),
    /// The name of the keystore's entry is invalid.
    #[error("{0}")]
    Alias(AliasError),
    /// The delimiters are invalid.
    #[error("{0}")]
    Delimiters(DelimitersError),
}

/// Prints the place, and the advice in place of the general cause.
struct YamlMistake<'a>(&'a YamlError, &'a Option<&'static str>);

impl fmt::Display for YamlMistake<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(YamlError { line, column, fault }, advice) = self;
        write!(f, "line {line}, column {column}: ")?;
        match advice {
            Some(advice) => f.write_str(advice),
            None => fault.fmt(f),
        }
    }
}

/// Prints the path of a field before the error; nothing for the object itself.
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
            Self::Attributes { .. }
            | Self::TooLong { .. }
            | Self::Call { .. }
            | Self::PodInfo { .. }
            | Self::Missing { .. }
            | Self::Both { .. }
            | Self::Bool { .. }
            | Self::HalfCertificate { .. }
            | Self::Address { .. }
            | Self::Mount { .. }
            | Self::Control { .. }
            | Self::Audience { .. }
            | Self::UnknownParameter { .. }
            | Self::Yaml { .. }
            | Self::EntryYaml { .. }
            | Self::TooManyObjects { .. }
            | Self::TooMany { .. }
            | Self::Name(_)
            | Self::Request { .. }
            | Self::Parameter { .. }
            | Self::Permission { .. }
            | Self::Encoding { .. }
            | Self::UnknownField { .. }
            | Self::Field { .. } => Reason::SpecInvalid,
        }
    }
}

/// What is found while a request is parsed. Parsing continues after a mistake, so that all mistakes are reported together.
#[derive(Debug, Default)]
pub(crate) struct Diagnostics {
    problems: Vec<SpecError>,
    pub(crate) warnings: Vec<String>,
    /// Every source, with its `refresh`.
    pub(crate) refreshes: Vec<(Source, Option<Duration>)>,
}

impl Diagnostics {
    pub(crate) fn problem(&mut self, problem: SpecError) {
        self.problems.push(problem);
    }

    /// The number of problems so far.
    pub(crate) fn count(&self) -> usize {
        self.problems.len()
    }

    /// Adds what `other` found.
    pub(crate) fn merge(&mut self, other: Self) {
        self.problems.extend(other.problems);
        self.warnings.extend(other.warnings);
        self.refreshes.extend(other.refreshes);
    }

    /// The fields of an object that have a problem, each without the fields below it.
    pub(crate) fn fields(&self) -> Vec<String> {
        let fields = self.problems.iter().filter_map(|problem| match problem {
            SpecError::Field { field, .. } => field.split(['.', '[']).next(),
            _ => None,
        });
        fields.map(str::to_owned).collect()
    }

    /// Adds what `advice` has for the fields that are unknown. It gets the name and the known fields of the mapping.
    pub(crate) fn advise(&mut self, advice: impl Fn(&str, &[&'static str]) -> Option<String>) {
        for problem in &mut self.problems {
            if let SpecError::Field { error, .. } = problem
                && let FieldError::Unknown { word, known, advice: new } = &mut **error
            {
                *new = advice(word, known);
            }
        }
    }

    /// The problems as texts.
    pub(crate) fn messages(&self) -> impl Iterator<Item = String> {
        self.problems.iter().map(ToString::to_string)
    }

    /// The value; `None` after an error, which is recorded as a problem.
    pub(crate) fn take<T>(&mut self, result: Result<T, SpecError>) -> Option<T> {
        result.map_err(|problem| self.problem(problem)).ok()
    }

    /// `value` and the warnings. `value` is `None` only after a problem.
    ///
    /// # Errors
    /// All problems, if there is one.
    pub(crate) fn finish<T>(self, value: Option<T>) -> Result<(T, Vec<String>), SpecErrors> {
        match value {
            Some(value) if self.problems.is_empty() => Ok((value, self.warnings)),
            _ => Err(SpecErrors(self.problems)),
        }
    }
}

/// The name of an object in messages: its own name, or its position in the list, from 1.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Label {
    /// The `objectName` as written; may be empty.
    pub(crate) name: String,
    /// The position in the list, from 1.
    pub(crate) position: usize,
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name.is_empty() {
            write!(f, "object {}", self.position)
        } else {
            write!(f, "object {}", Shown(&self.name))
        }
    }
}

/// Prints a suggestion, if there is one.
struct Meant<'a>(&'a Option<String>);

impl fmt::Display for Meant<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_ref().map_or(Ok(()), |word| write!(f, ": did you mean {word}?"))
    }
}

/// Prints what to write instead, if that is known.
struct Advice<'a>(&'a Option<String>);

impl fmt::Display for Advice<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_ref().map_or(Ok(()), |advice| write!(f, ": {advice}"))
    }
}

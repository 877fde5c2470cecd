//! Why a request cannot be used: every mistake of it at once, each with its place and what is allowed there.

use std::fmt;

use super::address::AddressError;
use super::path::PathError;
use super::request::RequestError;
use super::token::TokenFault;
use super::yaml::YamlError;
use crate::error::{Failure, Reason};

/// Mistakes that a message names; the rest is counted.
const NAMED: usize = 8;

/// Everything that keeps one mount from being understood; never empty.
#[derive(Debug)]
pub struct SpecErrors(Vec<Problem>);

impl SpecErrors {
    /// The first problem's reason: those of the class come before one of the token.
    pub fn reason(&self) -> Reason {
        self.0.first().map_or(Reason::SpecInvalid, Problem::reason)
    }

    /// All of them, in the order of the request.
    pub fn problems(&self) -> &[Problem] {
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

impl From<Problem> for SpecErrors {
    fn from(problem: Problem) -> Self {
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
pub enum Problem {
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
    #[error("parameter {parameter} must be a path without empty parts, dots alone and control characters")]
    Mount { parameter: String },
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
    #[error("parameter objects lists {count} objects; at most {limit} are read: split the class over two volumes")]
    TooManyObjects { count: usize, limit: usize },
    #[error("{object}: objectName {source}")]
    Name { object: Label, source: PathError },
    #[error("objectName {} is given {times} times: each file needs a name of its own", Shown(.name))]
    DuplicateName { name: String, times: usize },
    #[error("objectNames {} and {} cannot both be files: one is the other's directory", Shown(.file), Shown(.below))]
    FileAndDirectory { file: String, below: String },
    #[error("{object}: {source}")]
    Request { object: Label, source: RequestError },
    #[error("{object}: filePermission {mode:#o} is over 0777")]
    Permission { object: Label, mode: u32 },
    #[error("{object}: encoding {} is unknown: utf-8, base64 or hex{}", Shown(.word), Meant(.meant))]
    Encoding { object: Label, word: String, meant: Option<String> },
    #[error("{object}: field {} is unknown{}", Shown(.field), Meant(.meant))]
    UnknownField { object: Label, field: String, meant: Option<String> },
    #[error(transparent)]
    Token(#[from] TokenFault),
}

impl Problem {
    fn reason(&self) -> Reason {
        match self {
            Self::Token(fault) => fault.reason(),
            _ => Reason::SpecInvalid,
        }
    }
}

/// What is found while a request is read: parsing goes on after a mistake, so that all are told together.
#[derive(Debug, Default)]
pub(super) struct Found {
    problems: Vec<Problem>,
    pub(super) warnings: Vec<String>,
}

impl Found {
    pub(super) fn problem(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    /// The value, or nothing and one more problem.
    pub(super) fn take<T>(&mut self, result: Result<T, Problem>) -> Option<T> {
        result.map_err(|problem| self.problem(problem)).ok()
    }

    /// `whole`, which only a problem can have kept from being there, and the warnings; or all problems.
    pub(super) fn end<T>(self, whole: Option<T>) -> Result<(T, Vec<String>), SpecErrors> {
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
        if self.name.is_empty() { write!(f, "object {}", self.place) } else { write!(f, "object {}", Shown(&self.name)) }
    }
}

/// Text of a class in a message: escaped, in quotes, at most 64 characters of it.
pub(super) struct Shown<'a>(pub(super) &'a str);

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

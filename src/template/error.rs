//! Errors of templates. Every text is our own: minijinja's texts quote operands, which are secrets.

use std::{fmt, io};

use minijinja::ErrorKind;
use thiserror::Error;

use super::limits;
use crate::error::Reason;

/// Why a template was not rendered. Holds no value, and of the template's text only names.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum TemplateError {
    /// Mistakes in the template, or a value that it does not expect.
    #[error("template: {}", listed(.0))]
    Fails(Vec<Mistake>),
    /// The rendered texts of one mount are larger than a volume may be.
    #[error("the templates write more than {} MiB", limits::OUTPUT >> 20)]
    TooLong,
    /// The child exceeded its limits while it rendered this template.
    #[error("the template needs more than {} MiB or {} s: simplify it", limits::MEMORY >> 20, limits::CPU_SECONDS)]
    Killed {
        /// The number of the template among the jobs, from 0.
        job: usize,
    },
    /// The mount's deadline passed while the child rendered this template.
    #[error("the mount timed out before the template was rendered; the kubelet will retry")]
    Deadline {
        /// The number of the template among the jobs, from 0.
        job: usize,
    },
    /// The mount's deadline passed while other mounts rendered their templates: a node has one child at a time.
    #[error("timed out while this node rendered the templates of other mounts; the kubelet will retry")]
    Busy,
    /// The child cannot be started.
    #[error("the process that renders templates cannot be started: {0}")]
    NotStarted(io::ErrorKind),
    /// The child cannot set its limits, or what it wrote is not in our protocol.
    #[error("the process that renders templates failed")]
    Broken,
}

impl TemplateError {
    /// The stable cause.
    pub(crate) fn reason(&self) -> Reason {
        match self {
            Self::Fails(_) | Self::Killed { .. } => Reason::RenderFailed,
            Self::TooLong => Reason::PayloadTooLarge,
            Self::Deadline { .. } => Reason::Deadline,
            Self::Busy => Reason::Overload,
            Self::NotStarted(io::ErrorKind::WouldBlock | io::ErrorKind::OutOfMemory) => Reason::Overload,
            Self::NotStarted(_) => Reason::TemplateUnavailable,
            Self::Broken => Reason::Bug,
        }
    }

    /// The number of the template that caused an error that concerns all of them.
    pub(crate) fn job(&self) -> Option<usize> {
        match self {
            Self::Killed { job } | Self::Deadline { job } => Some(*job),
            Self::Fails(_) | Self::TooLong | Self::Busy | Self::NotStarted(_) | Self::Broken => None,
        }
    }
}

/// One mistake of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mistake {
    /// From 1.
    pub(crate) line: u32,
    /// In characters, from 1; 0 if it is not known.
    pub(crate) column: usize,
    pub(crate) cause: Cause,
    /// The wrong name; empty if it is not known.
    pub(crate) word: String,
    /// What to write instead; empty if it is not known.
    pub(crate) advice: String,
}

/// The mistakes, one after the other.
pub(crate) fn listed(mistakes: &[Mistake]) -> String {
    mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, column, cause, word, advice } = self;
        write!(f, "line {line}")?;
        if *column > 0 {
            write!(f, ", column {column}")?;
        }
        if word.is_empty() {
            return write!(f, ": {cause}");
        }
        match (cause, advice.as_str()) {
            (_, "") => write!(f, ": `{word}`: {cause}"),
            (Cause::UnknownFilter, advice) => write!(f, ": there is no filter `{word}`: {advice}"),
            (Cause::UnknownTest, advice) => write!(f, ": there is no test `{word}`: {advice}"),
            (Cause::UnknownFunction, advice) => write!(f, ": there is no function `{word}`: {advice}"),
            (Cause::UnknownSource, advice) => write!(f, ": `sources` has no `{word}`: {advice}"),
            (Cause::Undefined, advice) => write!(f, ": `{word}` does not exist: {advice}"),
            (cause, advice) => write!(f, ": `{word}`: {cause}: {advice}"),
        }
    }
}

/// Declares the causes as one table. A row is a variant, its number in the protocol between parent and child, and its text.
macro_rules! causes {
    ($($variant:ident = $number:literal, $sentence:literal;)+) => {
        /// What is wrong at a line of a template.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
        pub(crate) enum Cause {
            $(#[doc = $sentence] #[error($sentence)] $variant,)+
        }

        impl Cause {
            /// Its number in the protocol; never 0.
            pub(crate) fn number(self) -> u8 {
                match self { $(Self::$variant => $number),+ }
            }

            /// The cause with this number.
            pub(crate) fn from_number(number: u8) -> Option<Self> {
                match number { $($number => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

causes! {
    Syntax = 1, "a syntax error";
    Delimiters = 2, "these delimiters cannot be distinguished";
    Undefined = 3, "a name or key that does not exist: correct it, or use default(\"...\")";
    UnknownFilter = 4, "no such filter: docs/templates.md lists all";
    UnknownTest = 5, "no such test";
    UnknownFunction = 6, "no such function or method: there are range, dict and namespace";
    Arguments = 7, "a wrong number of arguments";
    Operation = 8, "a value of a type that this operation does not accept";
    TooMuchWork = 9, "the template takes too many steps: simplify it";
    TooLong = 10, "the text is too long";
    Null = 11, "null instead of text: use default(\"...\", true)";
    Whole = 12, "a list or a map instead of text: use json or yaml, or select a key";
    NotText = 13, "a value that cannot be written in this format: keys must be text, numbers finite, and no value undefined";
    NotQuotable = 14, "text with a character that this format cannot hold";
    NotBase64 = 15, "a value that is not base64 of UTF-8 text";
    NoCertificate = 16, "no complete CERTIFICATE block in the text";
    NoPrivateKey = 17, "the text must have exactly one complete PRIVATE KEY block";
    UnknownSource = 18, "no such name in `sources`";
    GoTemplate = 19, "a template of Go, consul-template or Vault Agent: templates here are Jinja, and secrets get a name in `sources`";
    NotJson = 20, "a value that is not JSON";
    NotYaml = 21, "a value that is not YAML";
    OpenPem = 22, "a PEM block without its END line, or with another label in it";
}

impl Cause {
    /// The minijinja error that carries this cause through the engine.
    pub(crate) fn into_error(self) -> minijinja::Error {
        minijinja::Error::new(ErrorKind::InvalidOperation, "").with_source(self)
    }
}

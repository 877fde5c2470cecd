//! Why there is no text. The words are ours alone: the engine's own quote operands, which are values of secrets.

use std::io;

use thiserror::Error;

use super::limits;
use crate::error::Reason;

/// Why a template gives no file. Holds no value and nothing of the template's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TemplateError {
    /// The template itself, or a value that it does not expect.
    #[error("line {line} of the template: {cause}")]
    Fails {
        /// The line, from 1; that of the statement's start where a statement spans several.
        line: u32,
        /// What is wrong there.
        cause: Cause,
    },
    /// The texts of one mount together exceed what a volume can hold.
    #[error("the templates write more than {} MiB", limits::OUTPUT >> 20)]
    TooLong,
    /// The child reached its limits in the template of this number, from 0.
    #[error("the template needs more than {} MiB or {} s: simplify it", limits::MEMORY >> 20, limits::CPU_SECONDS)]
    Killed {
        /// Its place among the jobs.
        job: usize,
    },
    /// The mount's time was over before the template of this number was done.
    #[error("the time of the mount ran out before the template was rendered")]
    Deadline {
        /// Its place among the jobs.
        job: usize,
    },
    /// Others' templates took the time: one child lives at a time on a node.
    #[error("other templates of this node took the time of the mount")]
    Busy,
    /// The child cannot be started.
    #[error("a process for templates cannot be started: {0}")]
    NotStarted(io::ErrorKind),
    /// The child cannot enter its limits, or its answer is not one of ours.
    #[error("the process for templates answered out of turn")]
    Broken,
}

impl TemplateError {
    /// The stable cause.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Fails { .. } | Self::Killed { .. } => Reason::RenderFailed,
            Self::TooLong => Reason::PayloadTooLarge,
            Self::Deadline { .. } => Reason::Deadline,
            Self::Busy => Reason::Overload,
            Self::NotStarted(io::ErrorKind::WouldBlock | io::ErrorKind::OutOfMemory) => Reason::Overload,
            Self::NotStarted(_) => Reason::TemplateUnavailable,
            Self::Broken => Reason::Bug,
        }
    }

    /// The place of the one template that is to blame, where an error ends all of them.
    pub fn job(&self) -> Option<usize> {
        match self {
            Self::Killed { job } | Self::Deadline { job } => Some(*job),
            Self::Fails { .. } | Self::TooLong | Self::Busy | Self::NotStarted(_) | Self::Broken => None,
        }
    }
}

/// Declares the causes as one table: a row is a variant, its number between parent and child, and its sentence.
macro_rules! causes {
    ($($variant:ident = $number:literal, $sentence:literal;)+) => {
        /// What is wrong at a line of a template.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
        pub enum Cause {
            $(#[doc = $sentence] #[error($sentence)] $variant,)+
        }

        impl Cause {
            /// Its number on the wire; 0 is none.
            pub(crate) fn number(self) -> u8 {
                match self { $(Self::$variant => $number),+ }
            }

            /// The cause of that number.
            pub(crate) fn from_number(number: u8) -> Option<Self> {
                match number { $($number => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

causes! {
    Syntax = 1, "a syntax error";
    Delimiters = 2, "these delimiters cannot be told apart";
    Undefined = 3, "a name or key that does not exist: correct it, or use default(\"...\")";
    UnknownFilter = 4, "no such filter: see docs/templates.md";
    UnknownTest = 5, "no such test: see docs/templates.md";
    UnknownFunction = 6, "no such function or method: see docs/templates.md";
    Arguments = 7, "a wrong number of arguments";
    Operation = 8, "a value of a kind that cannot be used so";
    TooMuchWork = 9, "the template takes too many steps: simplify it";
    TooLong = 10, "the text is too long";
    Null = 11, "null where text is needed: use default(\"...\", true)";
    Whole = 12, "a list or map where text is needed: use json or yaml, or name a key";
    NotText = 13, "a value that has no such form: keys must be text, numbers finite, nothing undefined";
    NotQuotable = 14, "text with a character that this form cannot hold";
    NotBase64 = 15, "a value that is not base64 of UTF-8 text";
    NoCertificate = 16, "no whole CERTIFICATE block in the text";
    NoPrivateKey = 17, "not exactly one whole PRIVATE KEY block in the text";
}

//! What the scanner cuts a text into.

use crate::goyaml::cursor::Mark;

/// A token and where it stands.
#[derive(Debug)]
pub(crate) struct Token {
    pub(crate) kind: TokenKind,
    pub(crate) start: Mark,
    pub(crate) end: Mark,
}

impl Token {
    /// A token that the text does not spell out, such as the end of a block.
    pub(crate) fn implied(kind: TokenKind, mark: Mark) -> Self {
        Self { kind, start: mark, end: mark }
    }
}

/// The tokens of YAML, named as in libyaml.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum TokenKind {
    StreamStart,
    StreamEnd,
    /// `%YAML major.minor`.
    Version {
        major: u32,
        minor: u32,
    },
    /// `%TAG handle prefix`.
    TagDirective {
        handle: String,
        prefix: String,
    },
    DocumentStart,
    DocumentEnd,
    /// The first `-` of a sequence stands deeper than the line before.
    BlockSequenceStart,
    /// The first key of a mapping stands deeper than the line before.
    BlockMappingStart,
    /// The indentation goes back.
    BlockEnd,
    FlowSequenceStart,
    FlowSequenceEnd,
    FlowMappingStart,
    FlowMappingEnd,
    /// `-`
    BlockEntry,
    /// `,`
    FlowEntry,
    /// `?`, or before a key that is found to be one by the `:` behind it.
    Key,
    /// `:`
    Value,
    Alias(String),
    Anchor(String),
    /// The handle is empty for `!<suffix>` and for `!`, whose suffix is `!`.
    Tag {
        handle: String,
        suffix: String,
    },
    /// `plain` is true without quotes, and not for a block: only then may the scalar be something else than text.
    Scalar {
        text: String,
        plain: bool,
    },
}

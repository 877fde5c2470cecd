//! A file that is written from several sources.

/// What surrounds an expression; statements take its first character with `%`, comments with `#`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Delimiters {
    /// Before an expression: `{{`, `[[`.
    pub open: String,
    /// Behind it: `}}`, `]]`.
    pub close: String,
}

impl Default for Delimiters {
    fn default() -> Self {
        Self { open: "{{".into(), close: "}}".into() }
    }
}

/// Temporary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be two words, such as `[[ ]]`")]
pub struct DelimitersError;

impl std::str::FromStr for Delimiters {
    type Err = DelimitersError;

    fn from_str(text: &str) -> Result<Self, DelimitersError> {
        let (open, close) = text.split_once(' ').ok_or(DelimitersError)?;
        Ok(Self { open: open.into(), close: close.into() })
    }
}

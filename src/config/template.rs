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

//! The whole of a secret as one document.

/// A document's language; data only, no envelope of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// JSON on several lines, members sorted.
    Json,
    /// YAML 1.2 that YAML 1.1 readers read alike.
    Yaml,
    /// TOML 1.0.
    Toml,
    /// `NAME='value'` lines, for a shell's `.` and for systemd.
    Env,
    /// Java properties, in ASCII.
    Properties,
}

//! A whole secret as one document.

/// The format of a document, which contains the data of the secret without the other fields of the response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Format {
    /// JSON on several lines, with sorted members.
    Json,
    /// YAML 1.2 that has the same meaning in YAML 1.1.
    Yaml,
    /// TOML 1.0.
    Toml,
    /// Lines `NAME='value'`, for `.` of a shell and for systemd.
    Env,
    /// Java properties, in ASCII.
    Properties,
}

//! Every flag of `serve`: one table, the peers' first.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{OsStringValueParser, PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};

use super::LifeArgs;
use super::ServerArgs;
use crate::class::{UnknownFields, go_bool};
use crate::telemetry::logs::Format;

/// The flags of `serve`. A flag of one value that is given twice counts as given last, as in Go.
///
/// Not `Debug`: an address or proxy in it may hold a password, which is refused only later.
#[derive(Args, Clone)]
pub struct ServeArgs {
    /// Unix socket for the driver, named `PROVIDER.sock`; repeatable
    #[arg(long, value_name = "PATH", default_value = "/tmp/vault.sock")]
    pub endpoint: Vec<String>,
    /// Least level of log lines: trace, debug, info, warn, error, off; another word is info [default: info]
    #[arg(long, value_name = "LEVEL")]
    pub log_level: Option<String>,
    /// Log at level debug, where --log-level is not given
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true", value_parser = truth)]
    pub debug: bool,
    /// Print the version and exit
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true", value_parser = truth)]
    pub version: bool,
    /// How --version is printed
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
    /// TCP address of /health/live and /health/ready
    #[arg(long, value_name = "HOST:PORT", default_value = ":8080")]
    pub health_addr: String,
    /// Kubernetes Secret of the peers that holds the key of versions; read once, only where --hmac-key-file is not given
    #[arg(long, value_name = "NAME")]
    pub hmac_secret_name: Option<String>,
    /// Taken for the peers' sake: there is no such cache here
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub cache_size: Option<i64>,
    /// The default server.
    #[command(flatten)]
    pub server: ServerArgs,
    /// Default auth mount, of type kubernetes or jwt
    #[arg(long, aliases = ["openbao-mount", "bao-mount"], value_name = "NAME", default_value = "kubernetes")]
    pub vault_mount: String,

    /// How log lines look
    #[arg(long, value_name = "FORMAT", default_value = "json", value_parser = format())]
    pub log_format: Format,
    /// Where tokens may be sent beside the default server: https://host:port, host or CIDR; repeatable; none: a class may choose
    #[arg(long, value_name = "ADDRESS")]
    pub allow_address: Vec<String>,
    /// Auth mount that a class may name, beside the default one; repeatable; none: every one
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub allow_auth_mount: Vec<String>,
    /// Directory below which certificate files that a class names are opened; none: every file but those below --kubelet-dir
    #[arg(long, value_name = "DIR", value_parser = path())]
    pub tls_dir: Option<PathBuf>,
    /// Audience whose tokens may be read, beside vault and openbao; repeatable; none: any but the API server's and clouds'
    #[arg(long, value_name = "AUDIENCE")]
    pub allow_audience: Vec<String>,
    /// Whether a token is asked for from Kubernetes when the driver passes none
    #[arg(long, value_enum, default_value_t)]
    pub token_requests: TokenRequests,
    /// File with the key of object versions, at least 16 bytes, the same on all nodes
    #[arg(long, value_name = "FILE", value_parser = path(), value_parser = path())]
    pub hmac_key_file: Option<PathBuf>,
    /// What a parameter or field means that nobody knows
    #[arg(long, value_name = "WHAT", default_value = "warn", value_parser = unknown())]
    pub unknown_fields: UnknownFields,
    /// Uid that may call beside 0 and our own; repeatable
    #[arg(long, value_name = "UID")]
    pub allow_peer_uid: Vec<u32>,
    /// How long mounts that have begun may take once the process is told to stop: 20s, 1m30s
    #[arg(long, value_name = "DURATION", default_value = "20s", value_parser = duration)]
    pub shutdown_timeout: Duration,
    /// Directory where dead sockets of our names are removed, for the driver would find them first; repeatable
    #[arg(long, value_name = "DIR")]
    pub also_clear_dir: Vec<PathBuf>,
    /// The life of volumes.
    #[command(flatten)]
    pub life: LifeArgs,
}

/// Form of the printed version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// One line of JSON.
    #[default]
    Json,
    /// JSON over several lines.
    JsonPretty,
    /// YAML.
    Yaml,
}

impl Output {
    /// The build's version and the API that it speaks with the driver, in this form.
    pub fn version(self) -> String {
        let (version, api) = (env!("CARGO_PKG_VERSION"), "v1alpha1");
        match self {
            Self::Json => format!(r#"{{"version":"{version}","apiVersion":"{api}"}}"#),
            Self::JsonPretty => format!("{{\n  \"version\": \"{version}\",\n  \"apiVersion\": \"{api}\"\n}}"),
            Self::Yaml => format!("version: {version}\napiVersion: {api}"),
        }
    }
}

/// What happens when the driver passes no token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum TokenRequests {
    /// The mount fails, and says what the CSIDriver lacks.
    Off,
    /// Kubernetes is asked for one, as the peers do; needs their right to create serviceaccounts/token.
    #[default]
    Auto,
}

/// A path that may be empty, which counts as none: the peers' charts pass empty flags.
pub(crate) fn path() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().map(PathBuf::from)
}

pub(crate) fn truth(text: &str) -> Result<bool, &'static str> {
    go_bool(text).ok_or("must be true or false")
}

fn format() -> impl TypedValueParser<Value = Format> {
    PossibleValuesParser::new(["json", "text"])
        .map(|word| if word == "text" { Format::Text } else { Format::Json })
}

fn unknown() -> impl TypedValueParser<Value = UnknownFields> {
    PossibleValuesParser::new(["warn", "error"])
        .map(|word| if word == "error" { UnknownFields::Error } else { UnknownFields::Warn })
}

/// A duration in Go's spelling, whole numbers only: `90s`, `1m30s`, `500ms`.
pub(crate) fn duration(text: &str) -> Result<Duration, &'static str> {
    let wrong = "must be a duration such as 20s or 1m30s";
    let mut left = text;
    let mut whole = Duration::ZERO;
    while !left.is_empty() {
        let digits = left.bytes().take_while(u8::is_ascii_digit).count();
        let (number, rest) = left.split_at(digits);
        let unit = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, rest) = rest.split_at(unit);
        let unit = match unit {
            "ms" => Duration::from_millis(1),
            "s" => Duration::from_secs(1),
            "m" => Duration::from_secs(60),
            "h" => Duration::from_secs(3600),
            _ => return Err(wrong),
        };
        let part = number.parse().ok().and_then(|number| unit.checked_mul(number));
        whole = part.and_then(|part| whole.checked_add(part)).ok_or(wrong)?;
        left = rest;
    }
    if text.is_empty() { Err(wrong) } else { Ok(whole) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_read_as_go_writes_it() {
        let cases = [("20s", 20_000), ("1m30s", 90_000), ("500ms", 500), ("2h", 7_200_000), ("0s", 0)];
        for (text, milliseconds) in cases {
            assert_eq!(duration(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
        for text in ["", "20", "s", "20x", "-1s", "1.5s", "99999999999h"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}

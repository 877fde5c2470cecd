//! Every flag of `serve`. Those of the upstream providers come first.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};

use super::ServerArgs;
use super::VolumeArgs;
use super::value_parsers::{boolean, duration, path};
use crate::class::UnknownFields;
use crate::telemetry::logs::Format;

/// The flags of `serve`. If a flag with one value is set twice, the last value counts, as in Go.
///
/// Not `Debug`: an address may contain a password, which is refused only later.
#[derive(Args, Clone)]
pub(crate) struct ServeArgs {
    /// Unix socket for the driver, named `PROVIDER.sock`; repeatable
    #[arg(long, value_name = "PATH", default_value = "/tmp/vault.sock")]
    pub(crate) endpoint: Vec<String>,
    /// Lowest level of log lines: trace, debug, info, warn, error, off; any other word means info [default: info]
    #[arg(long, value_name = "LEVEL")]
    pub(crate) log_level: Option<String>,
    /// Log at level debug, if --log-level is not set
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true", value_parser = boolean)]
    pub(crate) debug: bool,
    /// Print the version and exit
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true", value_parser = boolean)]
    pub(crate) version: bool,
    /// Format of --version
    #[arg(long, value_enum, default_value_t)]
    pub(crate) output: Output,
    /// TCP address of /health/live and /health/ready
    #[arg(long, value_name = "HOST:PORT", default_value = ":8080")]
    pub(crate) health_addr: String,
    /// Kubernetes Secret of the upstream providers with the key of object versions; read once, and only if --hmac-key-file is not set
    #[arg(long, value_name = "NAME")]
    pub(crate) hmac_secret_name: Option<String>,
    /// Ignored: accepted for compatibility with the upstream providers
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) cache_size: Option<i64>,
    /// The default server.
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    /// Default auth mount, of type kubernetes or jwt
    #[arg(long, aliases = ["openbao-mount", "bao-mount"], value_name = "NAME", default_value = "kubernetes")]
    pub(crate) vault_mount: String,

    /// Format of log lines
    #[arg(long, value_name = "FORMAT", default_value = "json", value_parser = log_format())]
    pub(crate) log_format: Format,
    /// Address that tokens may be sent to, besides the default server: https://host:port, host or CIDR; repeatable; without it a class may name any server
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) allow_address: Vec<String>,
    /// Auth mount that a class may use, besides the default one; repeatable; without it a class may use every auth mount
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) allow_auth_mount: Vec<String>,
    /// Directory of the certificate files that a class may name; without it a class may name every file except those below --kubelet-dir
    #[arg(long, value_name = "DIR", value_parser = path())]
    pub(crate) tls_dir: Option<PathBuf>,
    /// Audience that a class may use, besides vault and openbao; repeatable; without it every audience except those of the API server and of clouds
    #[arg(long, value_name = "AUDIENCE")]
    pub(crate) allow_audience: Vec<String>,
    /// Whether vaultmount requests a token from Kubernetes if the driver passes none
    #[arg(long, value_enum, default_value_t)]
    pub(crate) token_requests: TokenRequests,
    /// File with the key of object versions, at least 16 bytes, the same on all nodes
    #[arg(long, value_name = "FILE", value_parser = path())]
    pub(crate) hmac_key_file: Option<PathBuf>,
    /// What an unknown parameter or field of a class causes: a warning or an error
    #[arg(long, value_name = "WHAT", default_value = "warn", value_parser = unknown_fields())]
    pub(crate) unknown_fields: UnknownFields,
    /// Uid that may connect to the socket, besides 0 and the own uid; repeatable
    #[arg(long, value_name = "UID")]
    pub(crate) allow_peer_uid: Vec<u32>,
    /// How long running mounts may take after SIGTERM: 20s, 1m30s
    #[arg(long, value_name = "DURATION", default_value = "20s", value_parser = duration)]
    pub(crate) shutdown_timeout: Duration,
    /// Directory from which dead sockets with the name of an endpoint are removed, because the driver would find them first; repeatable
    #[arg(long, value_name = "DIR")]
    pub(crate) also_clear_dir: Vec<PathBuf>,
    /// Volumes: state, writer, limits.
    #[command(flatten)]
    pub(crate) volumes: VolumeArgs,
}

/// Format of the printed version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// One line of JSON.
    #[default]
    Json,
    /// JSON over several lines.
    JsonPretty,
    /// YAML.
    Yaml,
}

impl Output {
    /// The version of the build, and the version of the driver's API, in this format.
    pub(crate) fn version(self) -> String {
        let (version, api) = (env!("CARGO_PKG_VERSION"), "v1alpha1");
        match self {
            Self::Json => format!(r#"{{"version":"{version}","apiVersion":"{api}"}}"#),
            Self::JsonPretty => format!("{{\n  \"version\": \"{version}\",\n  \"apiVersion\": \"{api}\"\n}}"),
            Self::Yaml => format!("version: {version}\napiVersion: {api}"),
        }
    }
}

/// What happens if the driver passes no token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum TokenRequests {
    /// The mount fails; the message names the missing setting of the CSIDriver.
    Off,
    /// vaultmount requests one from Kubernetes, as the upstream providers do; needs the right to create serviceaccounts/token.
    #[default]
    Auto,
}

fn log_format() -> impl TypedValueParser<Value = Format> {
    PossibleValuesParser::new(["json", "text"])
        .map(|word| if word == "text" { Format::Text } else { Format::Json })
}

fn unknown_fields() -> impl TypedValueParser<Value = UnknownFields> {
    PossibleValuesParser::new(["warn", "error"])
        .map(|word| if word == "error" { UnknownFields::Error } else { UnknownFields::Warn })
}

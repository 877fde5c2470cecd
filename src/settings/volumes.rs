//! Flags of volumes: what is stored between mounts and over restarts, who writes the files, and how many mounts run at the same time.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use super::value_parsers::{boolean, duration, non_empty, non_empty_path, path};
use super::{Environment, SettingsError};
use crate::class::duration::duration as parse_duration;
use crate::limits::AdmissionConfig;
use crate::renewal::Bounds;
use crate::spec::{Flavor, VolumeWriter};
use crate::state::StateConfig;

/// The longest time for one request, also where the setting is 0.
const LONGEST_REQUEST: Duration = Duration::from_secs(600);

/// Flags of volumes.
#[derive(Args, Clone)]
pub(crate) struct VolumeArgs {
    /// The state directory.
    #[command(flatten)]
    pub(crate) state: StateArgs,
    /// Unix socket of operators' commands (vaultmount refresh), mode 0600 [default: control.sock in --state-dir; none without one]
    #[arg(long, value_name = "PATH", value_parser = path())]
    pub(crate) control_socket: Option<PathBuf>,
    /// The kubelet's directory in this container, with its `pods` mounted read-only and HostToContainer: shows when a volume is unmounted
    #[arg(long, value_name = "DIR", value_parser = path())]
    pub(crate) kubelet_dir: Option<PathBuf>,
    /// Who writes the files of classes without `writer`: driver, or provider, which needs --kubelet-dir and the rights of deploy/own-writer
    #[arg(long, value_name = "WHO", default_value = "driver", value_parser = writer())]
    pub(crate) writer: VolumeWriter,
    /// Watch the pods of this node at the API server, so that the state of a volume ends with its pod; needs the node's name, and the right to list and watch pods
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true", value_parser = boolean)]
    pub(crate) pod_watch: bool,
    /// Create an event at a pod when its files change, if vaultmount writes them; needs the node's name, and the right to create and patch events
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true", value_parser = boolean)]
    pub(crate) pod_events: bool,
    /// How long the last known good content is used while Vault is unreachable; a class may choose less: 24h, 90m
    #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = duration)]
    pub(crate) max_stale: Duration,
    /// `refresh` of classes without their own: the maximum age of the response of a read [default: 30s; 60s where vaultmount writes the files]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) refresh: Option<Duration>,
    /// Shortest `refresh` of a class or an object: a shorter one is raised to it, with a warning: 0s, 10s
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = duration)]
    pub(crate) min_refresh: Duration,
    /// Lowest age at which a certificate is replaced, however short its lifetime is: 0s, 10m
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = duration)]
    pub(crate) replace_after_least: Duration,
    /// Highest age at which a certificate is replaced, however long its lifetime is
    #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = duration)]
    pub(crate) replace_after_most: Duration,
    /// How often a lease, token or certificate that was issued for a pod is looked up, so that a revoked one is replaced; 0s for never
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = duration)]
    pub(crate) check_revoked: Duration,
    /// How many mounts run at the same time; others wait
    #[arg(long, value_name = "N", default_value = "256")]
    pub(crate) max_mounts: NonZeroUsize,
    /// How many mounts of the pods of one namespace run at the same time
    #[arg(long, value_name = "N", default_value = "64")]
    pub(crate) max_mounts_per_namespace: NonZeroUsize,
    /// How many requests to one server are in flight; others wait
    #[arg(long, value_name = "N", default_value = "64")]
    pub(crate) max_calls: NonZeroUsize,
    /// Time for a login, or for another request that creates something, however soon the driver gives up: the next mount finds the result [default: 60s]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) request_timeout: Option<Duration>,
    /// Log in with the headers of each read, at the default server only; for OpenBao's inline auth
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true", value_parser = boolean)]
    pub(crate) inline_auth: bool,
}

fn writer() -> impl TypedValueParser<Value = VolumeWriter> {
    PossibleValuesParser::new(["driver", "provider"])
        .map(|word| if word == "provider" { VolumeWriter::Provider } else { VolumeWriter::Driver })
}

/// The state directory, and the key of its records.
#[derive(Args, Clone)]
pub(crate) struct StateArgs {
    /// Directory on a tmpfs for sealed records of tokens, leases and certificates; without it they are lost at a restart
    #[arg(long, value_name = "DIR", value_parser = path())]
    pub(crate) state_dir: Option<PathBuf>,
    /// File with the key that seals the records, at least 32 random bytes [default: --hmac-key-file]
    #[arg(long, value_name = "FILE", value_parser = path())]
    pub(crate) state_key_file: Option<PathBuf>,
    /// Name of this node in Kubernetes, which records are bound to and whose pods are watched [default: NODE_NAME]
    #[arg(long, value_name = "NAME")]
    pub(crate) node_name: Option<String>,
}

impl VolumeArgs {
    /// The state directory; `None` without one. `hmac_key`, the key of object versions, seals the records if there is no other key.
    ///
    /// # Errors
    /// A flag needs another one that is absent.
    pub(crate) fn state(
        &self,
        hmac_key: Option<&Path>,
        environment: &Environment,
    ) -> Result<Option<StateConfig>, SettingsError> {
        self.state.clone().config(hmac_key, environment)
    }

    /// The socket of operators' commands; `None` without one.
    pub(crate) fn control_socket(&self) -> Option<PathBuf> {
        let below_state =
            || non_empty_path(self.state.state_dir.clone()).map(|directory| directory.join("control.sock"));
        non_empty_path(self.control_socket.clone()).or_else(below_state)
    }

    /// The kubelet's directory.
    ///
    /// # Errors
    /// vaultmount writes the files itself, but does not know where.
    pub(crate) fn kubelet_dir(&self) -> Result<Option<PathBuf>, SettingsError> {
        let kubelet_dir = non_empty_path(self.kubelet_dir.clone());
        if self.writer == VolumeWriter::Provider && kubelet_dir.is_none() {
            return Err(SettingsError::Needs { present: "--writer=provider", missing: "--kubelet-dir" });
        }
        Ok(kubelet_dir)
    }

    /// The node whose pods are watched; `None` without `--pod-watch`.
    ///
    /// # Errors
    /// The name of the node is unknown.
    pub(crate) fn watched_node(&self, environment: &Environment) -> Result<Option<String>, SettingsError> {
        self.pod_watch.then(|| self.state.node("--pod-watch", environment)).transpose()
    }

    /// The node that reports events of its pods; `None` without `--pod-events`.
    ///
    /// # Errors
    /// The name of the node is unknown.
    pub(crate) fn events_node(&self, environment: &Environment) -> Result<Option<String>, SettingsError> {
        self.pod_events.then(|| self.state.node("--pod-events", environment)).transpose()
    }

    /// The ages at which a certificate is replaced.
    pub(crate) fn replace_after(&self) -> Bounds {
        Bounds { least: self.replace_after_least, most: self.replace_after_most }
    }

    /// The time for a request that creates something; `None` for the default. `VAULT_CLIENT_TIMEOUT` counts below the flag.
    ///
    /// # Errors
    /// The variable is not a duration.
    pub(crate) fn request_timeout(
        &self,
        environment: &Environment,
    ) -> Result<Option<Duration>, SettingsError> {
        let variable = environment.prefixed(Flavor::Vault, "CLIENT_TIMEOUT");
        let of_variable =
            |(name, text): (String, &str)| parse_duration(text).ok_or(SettingsError::Duration(name));
        let timeout = match self.request_timeout {
            Some(timeout) => Some(timeout),
            None => variable.map(of_variable).transpose()?,
        };
        let no_limit = |timeout: Duration| if timeout.is_zero() { LONGEST_REQUEST } else { timeout };
        Ok(timeout.map(|timeout| no_limit(timeout).min(LONGEST_REQUEST)))
    }

    /// How many mounts run at the same time.
    pub(crate) fn admission(&self) -> AdmissionConfig {
        AdmissionConfig { mounts: self.max_mounts, mounts_per_namespace: self.max_mounts_per_namespace }
    }
}

impl StateArgs {
    /// The configuration; `None` without a directory.
    ///
    /// # Errors
    /// The directory has no key or no node: its records would be readable for others, or lost.
    pub(crate) fn config(
        self,
        hmac_key: Option<&Path>,
        environment: &Environment,
    ) -> Result<Option<StateConfig>, SettingsError> {
        let node = self.node("--state-dir", environment);
        let Some(directory) = non_empty_path(self.state_dir) else { return Ok(None) };
        let own = non_empty_path(self.state_key_file);
        let key_is_shared = own.is_none();
        let key_file = own.or_else(|| non_empty_path(hmac_key.map(Path::to_owned)));
        let key_file = key_file.ok_or(SettingsError::Needs {
            present: "--state-dir",
            missing: "--state-key-file or --hmac-key-file",
        })?;
        Ok(Some(StateConfig { directory, key_file, key_is_shared, node: node? }))
    }

    /// The name of the node, which `flag` needs.
    fn node(&self, flag: &'static str, environment: &Environment) -> Result<String, SettingsError> {
        let node = non_empty(self.node_name.as_deref()).or(environment.exact("NODE_NAME")).map(str::to_owned);
        node.ok_or(SettingsError::Needs { present: flag, missing: "--node-name or NODE_NAME" })
    }
}

//! What is kept between mounts and over restarts, and how much work is taken at once: flags -> settings.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use super::Environment;
use super::{SettingsError, given};
use crate::renewal::Bounds;
use crate::settings::flags::{duration, path, truth};
use crate::spec::VolumeWriter;

/// Flags of the life of volumes.
#[derive(Args, Clone)]
pub struct LifeArgs {
    /// The sealed records.
    #[command(flatten)]
    pub state: StateArgs,
    /// The kubelet's directory as this process sees it, its `pods` mounted read-only with HostToContainer: where the end of a volume is seen
    #[arg(long, value_name = "DIR", value_parser = path())]
    pub kubelet_dir: Option<PathBuf>,
    /// Who writes the files of classes that do not say: driver, or provider, which needs --kubelet-dir and the rights of deploy/own-writer
    #[arg(long, value_name = "WHO", default_value = "driver", value_parser = written_by())]
    pub writer: VolumeWriter,
    /// Watch the pods of this node at the API server: a volume ends with its pod; needs the node's name, and the right to list and watch pods
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true", value_parser = truth)]
    pub pod_watch: bool,
    /// Tell a pod by an event when its files have changed, where vaultmount writes them; needs the node's name, and the right to create and patch events
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true", value_parser = truth)]
    pub pod_events: bool,
    /// Longest time that the last good content may stand in while the server cannot answer; a class may choose less: 24h, 90m
    #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = duration)]
    pub max_stale: Duration,
    /// Youngest age at which a certificate is replaced, however short it lives: 0s, 10m
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = duration)]
    pub replace_after_least: Duration,
    /// Oldest age at which a certificate is replaced, however long it lives
    #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = duration)]
    pub replace_after_most: Duration,
    /// Mounts worked at together; further ones wait
    #[arg(long, value_name = "N", default_value = "256")]
    pub max_mounts: NonZeroUsize,
    /// The same for the pods of one namespace
    #[arg(long, value_name = "N", default_value = "64")]
    pub max_mounts_per_namespace: NonZeroUsize,
    /// Calls in flight at one server; further ones wait
    #[arg(long, value_name = "N", default_value = "64")]
    pub max_calls: NonZeroUsize,
    /// Log in by headers of each read, at the default server alone; for OpenBao's inline auth
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true", value_parser = truth)]
    pub inline_auth: bool,
}

fn written_by() -> impl TypedValueParser<Value = VolumeWriter> {
    PossibleValuesParser::new(["driver", "provider"])
        .map(|word| if word == "provider" { VolumeWriter::Provider } else { VolumeWriter::Driver })
}

/// Where the sealed records are, and what seals them.
#[derive(Args, Clone)]
pub struct StateArgs {
    /// Directory on tmpfs for sealed records of tokens, leases and certificates; none: memory only, and a restart begins anew
    #[arg(long, value_name = "DIR", value_parser = path())]
    pub state_dir: Option<PathBuf>,
    /// File with the key that seals them, at least 32 random bytes [default: --hmac-key-file]
    #[arg(long, value_name = "FILE", value_parser = path())]
    pub state_key_file: Option<PathBuf>,
    /// Name of this node in Kubernetes, which a record is bound to and whose pods are watched [default: NODE_NAME]
    #[arg(long, value_name = "NAME")]
    pub node_name: Option<String>,
}

/// What is kept between mounts, and how its end is seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LifeSettings {
    /// Sealed records; `None` keeps all in memory.
    pub state: Option<StateSettings>,
    /// The kubelet's directory; without it, and without the next, nothing tells that a volume ended.
    pub kubelet_dir: Option<PathBuf>,
    /// The node whose pods are watched.
    pub pod_watch: Option<String>,
    /// The node from which pods are told of new content.
    pub pod_events: Option<String>,
    /// The longest `maxStale` of a class.
    pub max_stale: Duration,
    /// The ages between which a certificate is replaced.
    pub replace_after: Bounds,
    /// Whether reads at the configured address carry the login themselves.
    pub inline_auth: bool,
}

/// Sealed records: where they are, and what they are bound to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateSettings {
    /// Their directory.
    pub directory: PathBuf,
    /// File with the key that theirs is made from.
    pub key_file: PathBuf,
    /// Whether that is the key of versions, which serves where there is no other.
    pub key_is_shared: bool,
    /// Name of the node.
    pub node: String,
}

/// How much is taken at once; what is beyond waits its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkLimits {
    /// Mounts in all.
    pub mounts: NonZeroUsize,
    /// Mounts of the pods of one namespace.
    pub mounts_per_namespace: NonZeroUsize,
    /// Calls in flight at one server.
    pub calls: NonZeroUsize,
}

impl LifeArgs {
    /// The settings; `hmac_key` is the key of versions, which seals where no other is given.
    pub(crate) fn settings(
        self,
        hmac_key: Option<&Path>,
        environment: &Environment,
    ) -> Result<LifeSettings, SettingsError> {
        let kubelet_dir = self.kubelet_dir.filter(|path| !path.as_os_str().is_empty());
        if self.writer == VolumeWriter::Provider && kubelet_dir.is_none() {
            return Err(SettingsError::Beside { given: "--writer=provider", missing: "--kubelet-dir" });
        }
        let watched = self.pod_watch.then(|| self.state.node("--pod-watch", environment)).transpose()?;
        let told_by = self.pod_events.then(|| self.state.node("--pod-events", environment)).transpose()?;
        Ok(LifeSettings {
            state: self.state.settings(hmac_key, environment)?,
            pod_watch: watched,
            pod_events: told_by,
            kubelet_dir,
            max_stale: self.max_stale,
            replace_after: Bounds { least: self.replace_after_least, most: self.replace_after_most },
            inline_auth: self.inline_auth,
        })
    }

    /// The bounds of work.
    pub(crate) fn limits(&self) -> WorkLimits {
        WorkLimits {
            mounts: self.max_mounts,
            mounts_per_namespace: self.max_mounts_per_namespace,
            calls: self.max_calls,
        }
    }
}

impl StateArgs {
    /// `None` without a directory; one without a key or a node is refused, for its records would be open to others or lost.
    pub fn settings(
        self,
        hmac_key: Option<&Path>,
        environment: &Environment,
    ) -> Result<Option<StateSettings>, SettingsError> {
        let file = |path: Option<PathBuf>| path.filter(|path| !path.as_os_str().is_empty());
        let node = self.node("--state-dir", environment);
        let Some(directory) = file(self.state_dir) else { return Ok(None) };
        let own = file(self.state_key_file);
        let key_is_shared = own.is_none();
        let key_file = own.or_else(|| file(hmac_key.map(Path::to_owned)));
        let key_file = key_file.ok_or(SettingsError::Beside {
            given: "--state-dir",
            missing: "--state-key-file or --hmac-key-file",
        })?;
        Ok(Some(StateSettings { directory, key_file, key_is_shared, node: node? }))
    }

    /// The name of the node, which the flag `asker` needs.
    fn node(&self, asker: &'static str, environment: &Environment) -> Result<String, SettingsError> {
        let node = given(self.node_name.as_deref()).or(environment.exact("NODE_NAME")).map(str::to_owned);
        node.ok_or(SettingsError::Beside { given: asker, missing: "--node-name or NODE_NAME" })
    }
}

//! The flags of `mount` and `prepare`.

use std::path::PathBuf;

use clap::Args;

/// What `mount` is told in the driver's place.
#[derive(Args, Clone, Debug)]
pub struct MountArgs {
    /// Manifest with the SecretProviderClass, YAML or JSON
    #[arg(long, value_name = "FILE")]
    pub class: PathBuf,
    /// The class's name, when the manifest holds several
    #[arg(long, value_name = "NAME")]
    pub class_name: Option<String>,
    /// Directory that the files go to, best on a tmpfs
    #[arg(long, value_name = "DIR")]
    pub target: PathBuf,
    /// The provider's socket [default: the one that the class's provider has on a node]
    #[arg(long, value_name = "PATH")]
    pub socket: Option<PathBuf>,
    /// The pod's namespace
    #[arg(long, default_value = "default")]
    pub namespace: String,
    /// The pod's service account
    #[arg(long, default_value = "default", value_name = "NAME")]
    pub service_account: String,
    /// The pod's name [default: the service account's]
    #[arg(long, value_name = "NAME")]
    pub pod_name: Option<String>,
    /// The pod's uid [default: made from namespace and name, the same each time]
    #[arg(long, value_name = "UID")]
    pub pod_uid: Option<String>,
    /// File with the pod's token, as `kubectl create token NAME --audience vault` gives it
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// The audience that the token was asked for with
    #[arg(long, default_value = "vault")]
    pub audience: String,
}

/// What `prepare` gives away, and to whom.
#[derive(Args, Clone, Debug)]
pub struct PrepareArgs {
    /// Directory that sockets go to; made when it is missing
    #[arg(long = "socket-dir", value_name = "DIR", required = true)]
    pub socket_dirs: Vec<PathBuf>,
    /// The group that vaultmount runs with
    #[arg(long, default_value_t = 65532)]
    pub gid: u32,
}

//! `vaultmount mount`: sends the request that the CSI driver would send, so that a class can be tried without Kubernetes.

mod csi_client; // calls a provider over its socket
mod files; // writes the files in the driver's layout
mod manifest; // parses a SecretProviderClass
mod request; // the MountRequest that driver 1.6 would send

pub(crate) use csi_client::{CallError, version};
pub(crate) use files::TreeError;
pub(crate) use manifest::ClassError;
pub(crate) use request::RequestError;

use std::path::PathBuf;

use clap::Args;
use thiserror::Error;

use crate::cli::mount_command::manifest::Class;

/// The directory in which the driver looks for the sockets of providers.
const SOCKET_DIRECTORY: &str = "/var/run/secrets-store-csi-providers";

/// Mounts a SecretProviderClass into a directory, as the CSI driver would for a pod
#[derive(Args, Debug, Clone)]
pub(crate) struct MountArgs {
    /// Manifest with the SecretProviderClass, YAML or JSON; other objects in it are ignored
    #[arg(long, value_name = "FILE")]
    pub(crate) class: PathBuf,
    /// The class's name, if the manifest contains several
    #[arg(long, value_name = "NAME")]
    pub(crate) class_name: Option<String>,
    /// Directory for the files, best on a tmpfs; created with mode 0700 if it is missing
    #[arg(long, value_name = "DIR")]
    pub(crate) target: PathBuf,
    /// The provider's socket [default: the one that the class's provider has on a node]
    #[arg(long, value_name = "PATH")]
    pub(crate) socket: Option<PathBuf>,
    /// The pod's namespace
    #[arg(long, default_value = "default")]
    pub(crate) namespace: String,
    /// The pod's service account
    #[arg(long, default_value = "default", value_name = "NAME")]
    pub(crate) service_account: String,
    /// The pod's name [default: the service account's]
    #[arg(long, value_name = "NAME")]
    pub(crate) pod_name: Option<String>,
    /// The pod's uid [default: derived from namespace and name, the same each time]
    #[arg(long, value_name = "UID")]
    pub(crate) pod_uid: Option<String>,
    /// File with the pod's token, as from `kubectl create token NAME --audience vault`
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// The audience of the token
    #[arg(long, default_value = "vault")]
    pub(crate) audience: String,
}

/// Why nothing was mounted. Contains no token and no content of a file.
#[derive(Debug, Error)]
pub(crate) enum MountCommandError {
    /// The manifest cannot be used.
    #[error(transparent)]
    Class(#[from] ClassError),
    /// The request cannot be built.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The provider did not return files.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The files cannot be written.
    #[error(transparent)]
    Tree(#[from] TreeError),
}

/// Mounts as `args` say and prints one line per version. After a failure of the provider the files in the target stay as they are.
pub(crate) async fn mount(args: &MountArgs) -> Result<(), MountCommandError> {
    let class = Class::read(&args.class, args.class_name.as_deref())?;
    let request = request::build(&class, args)?;
    let response = csi_client::mount(&socket(args, &class), request).await?;
    let outcome = files::write(&args.target, &response.files)?;
    println!("{}: {} files, {outcome}", args.target.display(), response.files.len());
    for version in &response.object_version {
        println!("{} {}", version.id, version.version);
    }
    Ok(())
}

fn socket(args: &MountArgs, class: &Class) -> PathBuf {
    args.socket
        .clone()
        .unwrap_or_else(|| PathBuf::from(format!("{SOCKET_DIRECTORY}/{}.sock", class.provider)))
}

//! `vaultmount mount`: plays the CSI driver, so that a class can be tried without Kubernetes.

pub mod csi_client; // one Mount over the provider's socket
pub mod files; // the files, laid out as the driver does
pub mod manifest; // a SecretProviderClass from its manifest
pub mod request; // the MountRequest that driver 1.6 would send

pub use csi_client::{CallError, version};
pub use files::TreeError;
pub use manifest::ClassError;
pub use request::RequestError;

use std::path::PathBuf;

use clap::Args;
use thiserror::Error;

use crate::cli::mount_command::manifest::Class;

/// Where the driver looks for the sockets of providers.
const SOCKET_DIRECTORY: &str = "/var/run/secrets-store-csi-providers";

/// Mounts a SecretProviderClass into a directory, as the CSI driver would for a pod
#[derive(Args, Debug, Clone)]
pub struct MountArgs {
    /// Manifest with the SecretProviderClass, YAML or JSON; other objects in it are passed over
    #[arg(long, value_name = "FILE")]
    pub class: PathBuf,
    /// The class's name, when the manifest holds several
    #[arg(long, value_name = "NAME")]
    pub class_name: Option<String>,
    /// Directory that the files go to, best on a tmpfs; made (mode 0700) when it is missing
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

/// Why nothing was mounted. Holds no token and no file's content.
#[derive(Debug, Error)]
pub enum MountCommandError {
    /// The manifest.
    #[error(transparent)]
    Class(#[from] ClassError),
    /// What goes into the request.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The provider.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The target directory.
    #[error(transparent)]
    Tree(#[from] TreeError),
}

/// Mounts as `args` say and prints one line a version; files that a failure finds in the target stay as they are.
pub async fn mount(args: &MountArgs) -> Result<(), MountCommandError> {
    let class = Class::read(&args.class, args.class_name.as_deref())?;
    let request = request::build(&class, args)?;
    let answer = csi_client::mount(&socket(args, &class), request).await?;
    let outcome = files::write(&args.target, &answer.files)?;
    println!("{}: {} files, {outcome}", args.target.display(), answer.files.len());
    for version in &answer.object_version {
        println!("{} {}", version.id, version.version);
    }
    Ok(())
}

fn socket(args: &MountArgs, class: &Class) -> PathBuf {
    args.socket
        .clone()
        .unwrap_or_else(|| PathBuf::from(format!("{SOCKET_DIRECTORY}/{}.sock", class.provider)))
}

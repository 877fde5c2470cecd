//! `vaultmount refresh`: the process that serves on this node fetches and issues the content of volumes again.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{ArgGroup, Args, ValueEnum};

use crate::control::{self, ControlRequest, ControlResponse};
use crate::volume::{RefreshedVolume, VolumeFilter};

/// Has the vaultmount of this node fetch and issue the content of volumes again: after credentials were revoked, or a value was changed
#[derive(Args, Clone, Debug)]
#[command(group = ArgGroup::new("what").required(true).multiple(true).args(["namespace", "pod", "class", "role", "all"]))]
pub(crate) struct RefreshArgs {
    /// Volumes of the pods of this namespace
    #[arg(long, value_name = "NAME")]
    pub(crate) namespace: Option<String>,
    /// Volumes of this pod, with its namespace: NAMESPACE/NAME
    #[arg(long, value_name = "NAMESPACE/NAME", conflicts_with = "namespace")]
    pub(crate) pod: Option<String>,
    /// Volumes of this SecretProviderClass
    #[arg(long, value_name = "NAME")]
    pub(crate) class: Option<String>,
    /// Volumes of this role of Vault
    #[arg(long, value_name = "NAME")]
    pub(crate) role: Option<String>,
    /// All volumes of the node
    #[arg(long, conflicts_with_all = ["namespace", "pod", "class", "role"])]
    pub(crate) all: bool,
    /// The socket of the process that serves: control.sock in its --state-dir, or its --control-socket
    #[arg(long, value_name = "PATH", default_value = "/run/vaultmount/control.sock")]
    pub(crate) control_socket: PathBuf,
    /// Format of the output
    #[arg(long, value_enum, default_value_t)]
    pub(crate) output: RefreshOutput,
}

/// Format of the output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum RefreshOutput {
    /// One line for each volume.
    #[default]
    Text,
    /// A list in JSON.
    Json,
}

/// No volume matches.
const NOTHING: u8 = 1;
/// The arguments are wrong.
const USAGE: u8 = 2;
/// The process did not answer.
const NO_ANSWER: u8 = 3;

/// Refreshes as `args` say. Exit codes: 0 for some volumes, 1 for none, 2 for wrong arguments, 3 if the process does not answer.
pub(crate) async fn refresh(args: &RefreshArgs) -> ExitCode {
    let filter = match filter(args) {
        Ok(filter) => filter,
        Err(usage) => {
            eprintln!("vaultmount: {usage}");
            return ExitCode::from(USAGE);
        }
    };
    match control::send(&args.control_socket, &ControlRequest::Refresh(filter)).await {
        Ok(ControlResponse::Refreshed(volumes)) => {
            print(&volumes, args.output);
            ExitCode::from(if volumes.is_empty() { NOTHING } else { 0 })
        }
        Ok(ControlResponse::Malformed) => {
            eprintln!(
                "vaultmount: the process that serves is of another version and does not know the request"
            );
            ExitCode::from(NO_ANSWER)
        }
        Err(error) => {
            eprintln!("vaultmount: {error}");
            ExitCode::from(NO_ANSWER)
        }
    }
}

fn filter(args: &RefreshArgs) -> Result<VolumeFilter, String> {
    let (namespace, pod) = match &args.pod {
        None => (args.namespace.clone(), None),
        Some(text) => match text.split_once('/') {
            Some((namespace, pod)) if !namespace.is_empty() && !pod.is_empty() => {
                (Some(namespace.to_owned()), Some(pod.to_owned()))
            }
            _ => return Err(format!("--pod {text:?}: must be NAMESPACE/NAME")),
        },
    };
    Ok(VolumeFilter { namespace, pod, class: args.class.clone(), role: args.role.clone() })
}

fn print(volumes: &[RefreshedVolume], output: RefreshOutput) {
    match output {
        RefreshOutput::Json => println!("{}", serde_json::to_string(volumes).unwrap_or_default()),
        RefreshOutput::Text => {
            for RefreshedVolume { namespace, pod, class, is_now } in volumes {
                let when = if *is_now { "now" } else { "when the driver republishes the volume next" };
                println!("{namespace}/{pod} {}: {when}", class.as_deref().unwrap_or("-"));
            }
            println!("{} volumes", volumes.len());
        }
    }
}

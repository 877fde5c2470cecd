//! The commands of the binary and their arguments; one file or folder per command.

mod go_flags; // Go's spelling of flags -> clap's
pub(crate) mod handover; // `vaultmount handover`: empties the state of a node, before another provider takes over
pub(crate) mod mount_command; // `vaultmount mount`: mounts a class without Kubernetes, as the driver would
pub(crate) mod prepare; // `vaultmount prepare`: lets an unprivileged vaultmount use the driver's directories
pub(crate) mod refresh; // `vaultmount refresh`: new content on demand
pub(crate) mod s5; // `vaultmount s5`: reads and writes ciphertext in files
pub(crate) mod serve; // `vaultmount serve`: builds all services, and serves until a signal
#[cfg(test)]
mod tests;

use std::ffi::OsString;

use clap::{Args, Parser, Subcommand};

use crate::cli::handover::HandoverArgs;
use crate::cli::mount_command::MountArgs;
use crate::cli::prepare::PrepareArgs;
use crate::cli::refresh::RefreshArgs;
use crate::cli::s5::S5Work;
use crate::settings::{Output, ServeArgs, ServerArgs};

/// A secrets-store CSI provider for HashiCorp Vault and OpenBao.
///
/// Without a command it serves, and accepts every flag of vault-csi-provider and openbao-csi-provider, with one dash or two.
#[derive(Parser)]
#[command(name = "vaultmount", disable_version_flag = true, args_override_self = true)]
#[command(after_help = "Without a command the flags are those of serve: vaultmount serve --help")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// The command that the process runs.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Answers the driver on unix sockets (the default)
    Serve(Box<ServeArgs>),
    /// Lets the user that serves write into the directories; for an init container of the same image
    Prepare(PrepareArgs),
    /// Mounts a class into a directory through a provider's socket, as the driver would
    Mount(Box<MountArgs>),
    /// Has the vaultmount of this node fetch and issue the content of volumes again
    Refresh(RefreshArgs),
    /// Encrypts and decrypts values in files, as mvisonneau/s5 does: a marker with base64 replaces a value
    S5(Box<S5Args>),
    /// Empties the state of a node, before another provider takes over
    Handover(HandoverArgs),
    /// Prints the version
    Version {
        /// Format of the output
        #[arg(long, value_enum, default_value_t)]
        output: Output,
    },
    /// Runs the process that renders templates; started by vaultmount itself
    #[command(hide = true)]
    RenderTemplates,
}

/// The arguments of `s5`: the server with the transit engine, and the work.
#[derive(Args)]
pub(crate) struct S5Args {
    /// The server with the transit engine.
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    /// The key, the token and the subcommand.
    #[command(flatten)]
    pub(crate) work: S5Work,
}

impl Command {
    /// Parses the process's arguments, whose first is the program's name.
    pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let command = Cli::try_parse_from(go_flags::normalised(arguments))?.command;
        Ok(match command {
            Self::Serve(flags) if flags.version => Self::Version { output: flags.output },
            other => other,
        })
    }
}

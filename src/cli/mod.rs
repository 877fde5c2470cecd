//! Flags and environment -> Settings.

pub mod go_flags; // Go's spelling of flags
pub mod handover; // `vaultmount handover`: empties the state, for going back to another provider
pub mod mount_command; // `vaultmount mount`: plays the driver, to try a class without Kubernetes
pub mod prepare; // `vaultmount prepare`: opens the driver's directories to an unprivileged vaultmount
pub mod s5; // `vaultmount s5`: ciphertext in files, for people
pub mod serve; // the rooms put together, and kept running until a signal
#[cfg(test)]
mod tests;

use crate::settings::{
    Environment, Output, ServeArgs, ServerArgs, Settings, SettingsError,
    TokenRequests, VersionKeySource,
};

use std::ffi::OsString;

use clap::{Args, Parser, Subcommand};

use crate::cli::handover::HandoverArgs;
use crate::cli::mount_command::MountArgs;
use crate::cli::prepare::PrepareArgs;
use crate::cli::s5::S5Work;

/// A secrets-store CSI provider for HashiCorp Vault and OpenBao.
///
/// Without a command it serves, and takes every flag of vault-csi-provider and openbao-csi-provider, with one dash or two.
#[derive(Parser)]
#[command(name = "vaultmount", disable_version_flag = true, args_override_self = true)]
#[command(
    after_help = "The flags that it takes without a command are those of serve: vaultmount serve --help"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// What the process is asked to do.
#[derive(Subcommand)]
pub enum Command {
    /// Answers the driver on unix sockets (the default)
    Serve(Box<ServeArgs>),
    /// Gives directories to the user that serves; for an init container of the same image
    Prepare(PrepareArgs),
    /// Plays the driver: mounts a class into a directory by asking a provider's socket
    Mount(Box<MountArgs>),
    /// Keeps ciphertext in files, as mvisonneau/s5 does: a marker with base64 stands for a value
    S5(Box<S5Args>),
    /// Empties the state of a node, for going back to another provider
    Handover(HandoverArgs),
    /// Prints the version
    Version {
        /// How it is printed
        #[arg(long, value_enum, default_value_t)]
        output: Output,
    },
    /// For vaultmount itself: the process that renders templates
    #[command(hide = true)]
    RenderTemplates,
}

/// The arguments of `s5`: where transit is, and what is done with it.
#[derive(Args)]
pub struct S5Args {
    /// The server.
    #[command(flatten)]
    pub server: ServerArgs,
    /// The key, the token, and what is done.
    #[command(flatten)]
    pub work: S5Work,
}

impl Command {
    /// Reads the process's arguments, its own name first.
    pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let command = Cli::try_parse_from(go_flags::normalised(arguments))?.command;
        Ok(match command {
            Self::Serve(flags) if flags.version => Self::Version { output: flags.output },
            other => other,
        })
    }
}

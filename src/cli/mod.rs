//! Flags and environment -> Settings.

mod args; // Go's spelling of flags
pub mod environment; // the peers' variables, and what becomes of each
mod flags; // every flag of `serve`: one table
mod life; // what is kept between mounts, and how much work is taken at once
mod proxy; // which proxy serves the configured address
mod server; // the server that calls go to
mod settings; // flags over environment

use std::ffi::OsString;

use clap::{Args, Parser, Subcommand};

use crate::driver::MountArgs;
use crate::handover::HandoverArgs;
use crate::prepare::PrepareArgs;
use crate::s5::S5Work;

pub use environment::Environment;
pub use flags::{Output, ServeArgs, TokenRequests};
pub use life::{LifeArgs, LifeSettings, StateArgs, StateSettings, WorkLimits};
pub use server::ServerArgs;
pub use settings::{Settings, SettingsError, VersionKeySource};

/// A secrets-store CSI provider for HashiCorp Vault and OpenBao.
///
/// Without a command it serves, and takes every flag of vault-csi-provider and openbao-csi-provider, with one dash or two.
#[derive(Parser)]
#[command(name = "vaultmount", disable_version_flag = true, args_override_self = true)]
#[command(after_help = "The flags that it takes without a command are those of serve: vaultmount serve --help")]
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
        let command = Cli::try_parse_from(args::normalised(arguments))?.command;
        Ok(match command {
            Self::Serve(flags) if flags.version => Self::Version { output: flags.output },
            other => other,
        })
    }
}

#[cfg(test)]
mod tests;

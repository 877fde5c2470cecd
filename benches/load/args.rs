//! The command line of the benchmark.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};

use crate::object_kind::ObjectKind;

/// Calls a provider's socket as the CSI driver does, and makes the same calls to OpenBao directly
#[derive(Parser, Clone)]
pub(crate) struct Args {
    /// Passed by `cargo bench`; without it nothing is measured
    #[arg(long, hide = true)]
    pub(crate) bench: bool,
    /// Measures every line of the table and writes it between the marks of this file; the options of one load have no effect then
    #[arg(long, value_name = "FILE")]
    pub(crate) write: Option<PathBuf>,
    /// The provider's binary, started again for every load
    #[arg(long, value_name = "PATH", default_value = "target/image/vaultmount")]
    pub(crate) binary: PathBuf,
    /// The socket of a provider that already runs, instead of the binary; its server must be the address of --listen
    #[arg(long, value_name = "PATH", requires = "listen")]
    pub(crate) socket: Option<PathBuf>,
    /// Address on which the counting proxy before OpenBao listens [default: a free port of 127.0.0.1]
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) listen: Option<SocketAddr>,
    /// The load of a single measurement
    #[command(flatten)]
    pub(crate) shape: Shape,
    /// How often each side is measured, in turn; the median counts
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rounds: u32,
}

/// One load.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Shape {
    /// Pods, new ones in every round
    #[arg(long, default_value_t = 100, value_parser = positive)]
    pub(crate) pods: usize,
    /// Mounts at a time
    #[arg(long, default_value_t = 8, value_parser = positive)]
    pub(crate) concurrency: usize,
    /// Service accounts that the pods are spread over [default: one a pod]
    #[arg(long, value_parser = positive)]
    pub(crate) accounts: Option<usize>,
    /// Objects in a volume, each a call of its own
    #[arg(long, default_value_t = 1, value_parser = positive)]
    pub(crate) objects: usize,
    /// What the objects are
    #[arg(long, value_enum, default_value_t)]
    pub(crate) kind: ObjectKind,
    /// Round trip time that the proxy adds before OpenBao, in milliseconds
    #[arg(long, default_value_t = 0.0)]
    pub(crate) rtt_ms: f64,
    /// How often each pod's mount is repeated after the first
    #[arg(long, default_value_t = 1)]
    pub(crate) remounts: usize,
    /// The class's `refresh`; with 0s every repeated mount reads
    #[arg(long, value_name = "DURATION", default_value = "0s")]
    pub(crate) refresh: String,
    /// Pause before each repetition, in milliseconds
    #[arg(long, default_value_t = 0)]
    pub(crate) rest_ms: u64,
}

impl Shape {
    pub(crate) fn accounts(&self) -> usize {
        self.accounts.unwrap_or(self.pods)
    }

    pub(crate) fn rtt(&self) -> Duration {
        Duration::from_secs_f64(self.rtt_ms / 1000.0)
    }

    /// The load in words: `100 pods, 8 at a time, 100 accounts, 1 object (kv)`.
    pub(crate) fn description(&self) -> String {
        let kind = self.kind.to_possible_value().map(|kind| kind.get_name().to_owned()).unwrap_or_default();
        let counts = [(self.pods, "pod"), (self.accounts(), "account"), (self.objects, "object")];
        let [pods, accounts, objects] =
            counts.map(|(count, what)| format!("{count} {what}{}", if count == 1 { "" } else { "s" }));
        let away = if self.rtt_ms > 0.0 { format!(", {} ms away", self.rtt_ms) } else { String::new() };
        format!("{pods}, {} at a time, {accounts}, {objects} ({kind}){away}", self.concurrency)
    }
}

fn positive(text: &str) -> Result<usize, &'static str> {
    text.parse().ok().filter(|&number| number > 0).ok_or("a whole number above 0 is wanted")
}

//! The benchmark: mounts over any provider's socket as the CSI driver does, compared with the same calls made directly to the server.
//!
//! `make bench` runs every line of `docs/performance.md` and writes its tables. Without `--write`, one chosen load is measured, of our own
//! provider or, with `--socket`, of an upstream provider. All sides reach a real OpenBao through the same counting proxy.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a measurement fails by panicking")]
#![cfg_attr(
    test,
    allow(
        dead_code,
        unused_imports,
        reason = "without a harness nothing calls the unit tests; `tests/library/load.rs` runs them"
    )
)]

mod args; // the command line
mod bare; // the same calls without a provider: the bound
mod check; // goal, measured figure, and whether the run fails
mod pods; // pods with their tokens and requests
mod document; // the tables in docs/performance.md
mod hop; // the proxy before the server, which counts and delays
mod table; // the lines of the table
mod object_kind; // what the files hold
mod timing; // many jobs, a number of them at a time
mod load; // all sides in turn
mod statistics; // medians and percentiles
mod process; // processor time and memory of a provider
mod provider; // the provider that is measured
mod report; // one load in full
mod environment; // OpenBao with everything that pods read
#[path = "../../tests/support"]
#[allow(dead_code, reason = "the tests use the rest")]
mod support {
    pub(crate) mod canary;
    pub(crate) mod class;
    pub(crate) mod openbao;
    pub(crate) mod vault_setup;
    pub(crate) mod token;
    pub(crate) mod wait;
    pub(crate) mod wire;

    pub(crate) use canary::canary;
}

use std::process::ExitCode;

use clap::Parser;

use args::Args;
use environment::Environment;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let args = Args::parse();
    if !args.bench {
        println!(
            "nothing is measured without --bench: use `make bench`, or `cargo bench --bench load -- --help`"
        );
        return ExitCode::SUCCESS;
    }
    let environment = Environment::build(args.listen).await;
    match &args.write {
        Some(document) => table::run(&args, &environment, document).await,
        None => report::run(&args, &environment).await,
    }
}

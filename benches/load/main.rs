//! The load driver: mounts over any provider's socket as the CSI driver does, beside the same calls to the server made by hand.
//!
//! `make bench` runs every line of `docs/performance.md` and writes its tables; without `--write` one load of choice is measured, of our
//! provider or, with `--socket`, of a peer. Both sides reach a real OpenBao through the same counting hop.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a measurement fails by panicking")]
#![cfg_attr(
    test,
    allow(
        dead_code,
        unused_imports,
        reason = "without a harness nothing calls the unit tests; `tests/library/load.rs` runs them"
    )
)]

mod args; // what can be asked for
mod bare; // the calls made by hand: the bound
mod check; // asked, measured, and whether it fails the run
mod crowd; // pods with their tokens and requests
mod document; // the tables in docs/performance.md
mod hop; // the counted and delayed way to the server
mod issue; // the lines of the table
mod kind; // what the files hold
mod lap; // many jobs, so many at a time
mod load; // both sides by turns
mod numbers; // medians and percentiles
mod process; // what a provider takes of its node
mod provider; // the provider that is measured
mod report; // one load, told in full
mod stage; // OpenBao with all that pods read
#[path = "../../tests/support"]
#[allow(dead_code, reason = "the tests use the rest")]
mod support {
    pub(crate) mod canary;
    pub(crate) mod class;
    pub(crate) mod openbao;
    pub(crate) mod seed;
    pub(crate) mod token;
    pub(crate) mod wait;
    pub(crate) mod wire;

    pub(crate) use canary::canary;
}

use std::process::ExitCode;

use clap::Parser;

use args::Args;
use stage::Stage;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let args = Args::parse();
    if !args.bench {
        println!(
            "nothing is measured without --bench: use `make bench`, or `cargo bench --bench load -- --help`"
        );
        return ExitCode::SUCCESS;
    }
    let stage = Stage::build(args.listen).await;
    match &args.write {
        Some(document) => issue::run(&args, &stage, document).await,
        None => report::run(&args, &stage).await,
    }
}

//! Long runs: an outage that no pod notices, and certificates that never expire in a pod.
//!
//! `cargo test` runs them shortly. `make soak` sets `VAULTMOUNT_SOAK_SECONDS` to ten minutes, for which the outage lasts and certificates
//! are watched, with 100 volumes.

mod certificates; // short lifetimes with a client that republishes often
mod proxy; // a proxy before the server that can be cut
mod outage; // a server that is down and comes back

use std::time::Duration;

/// Duration of a run: `VAULTMOUNT_SOAK_SECONDS`, or `short`.
fn lasting(short: Duration) -> Duration {
    let seconds = std::env::var("VAULTMOUNT_SOAK_SECONDS").ok();
    seconds.map_or(short, |seconds| Duration::from_secs(seconds.parse().unwrap()))
}

/// Whether this is the long run.
fn is_long() -> bool {
    std::env::var_os("VAULTMOUNT_SOAK_SECONDS").is_some()
}

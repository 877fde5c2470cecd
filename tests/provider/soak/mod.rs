//! What must hold for as long as a node lives: an outage that nobody in a pod sees, and certificates that never end in a pod's hands.
//!
//! `cargo test` takes a short look; `make soak` sets `VAULTMOUNT_SOAK_SECONDS` to ten minutes, for which the outage lasts and certificates
//! are watched, with 100 volumes.

mod certificates; // short lives under a client that asks often
mod proxy; // a way to the server that can be cut
mod outage; // a server that is away, and comes back

use std::time::Duration;

/// For how long things are watched: as `make soak` says, or `short`.
fn lasting(short: Duration) -> Duration {
    let told = std::env::var("VAULTMOUNT_SOAK_SECONDS").ok();
    told.map_or(short, |seconds| Duration::from_secs(seconds.parse().unwrap()))
}

/// Whether this is the long run.
fn is_long() -> bool {
    std::env::var_os("VAULTMOUNT_SOAK_SECONDS").is_some()
}

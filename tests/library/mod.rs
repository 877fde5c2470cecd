//! Single modules of the library, tested with the programs and servers that they must be compatible with.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod certificates; // keys, requests, chains and keystores, read by OpenSSL and Java
mod formats; // documents, read by the programs that people use
#[allow(dead_code, reason = "the load driver uses the rest")]
mod load; // what the benchmark in `benches/` computes
mod templates; // templates in child processes of the binary
#[path = "../support/tools.rs"]
mod tools; // the programs that people read files with
mod time_constants; // `docs/time-constants.md`, from the source
mod vault_faults; // the HTTP client and a server that misbehaves
mod vault_openbao; // the HTTP client and a real OpenBao
mod wire; // the gRPC sockets, as a driver sees them
mod writer; // volumes that vaultmount writes
mod yaml; // the `objects` of a class, as Go's yaml.v3 reads them

/// The binary that cargo built beside these tests.
fn binary() -> std::path::PathBuf {
    let tests = std::env::current_exe().unwrap();
    let binary = tests.parent().unwrap().parent().unwrap().join("vaultmount");
    assert!(binary.exists(), "{} is missing: run `cargo build` first", binary.display());
    binary
}

//! vaultmount: a secrets-store CSI provider for HashiCorp Vault and OpenBao.
//!
//! The rooms, in the order in which a request passes them; each names only rooms below it.

pub mod cli; // flags and environment -> Settings
pub mod config; // a request's attributes -> MountSpec
pub mod error; // Reason: the stable codes, and the one exit of a failure
pub mod kube; // what is asked of Kubernetes, and only when switched on: tokens, the peers' version key
pub mod plan; // objects -> the fewest calls to Vault; pure
pub mod provider; // the gRPC service: Version and Mount
pub mod render; // answers -> file contents
pub mod secret;
pub mod server; // unix sockets: modes, peers, `:authority`, deadlines, drain
pub mod telemetry; // logs and health
pub mod vault; // connections, logins and calls
pub mod volume; // the payload of a volume: paths, modes, sizes, versions // bytes that never print and are wiped

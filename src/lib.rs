//! vaultmount: a secrets-store CSI provider for HashiCorp Vault and OpenBao.
//!
//! The rooms, in the order in which a request passes them; each names only rooms below it.

pub mod cli; // flags and environment -> Settings
pub mod serve; // the rooms put together, and kept running until a signal
pub mod driver; // `vaultmount mount`: plays the driver, to try a class without Kubernetes
pub mod prepare; // `vaultmount prepare`: opens the driver's directories to an unprivileged vaultmount
pub mod s5; // `vaultmount s5`: ciphertext in files, for people
pub mod handover; // `vaultmount handover`: empties the state, for going back to another provider
pub mod server; // unix sockets: modes, peers, `:authority`, deadlines, drain
pub mod provider; // the gRPC service: Version and Mount
pub mod volumes; // what every volume of the node has, until its end
pub mod logins; // logins: shared where that is allowed, kept alive, given back
pub mod state; // what survives a restart: sealed records in memory, one file a session or volume
pub mod telemetry; // logs, metrics and health
pub mod engine; // one file an engine: its question, its call, its answer
pub mod plan; // objects -> the fewest calls to Vault; pure
pub mod rotation; // when what a volume has is renewed, made anew and forgotten; pure: clock and chance are handed in
pub mod vault; // connections, logins and calls
pub mod kube; // what is asked of Kubernetes, and only when switched on: tokens, the peers' version key, the pods of the node and their events
pub mod template; // files written from several sources, in a process of their own
pub mod render; // answers -> file contents
pub mod certificate; // certificates: keys of the node, requests, chains, keystores
pub mod writer; // volumes that we write ourselves: whole, by one rename, with owners
pub mod volume; // the payload of a volume: paths, modes, sizes, versions
pub mod config; // a request's attributes -> MountSpec
pub mod goyaml; // YAML, read as Go's yaml.v3 reads it; uses no other module of vaultmount
pub mod error; // Reason: the stable codes, and the one exit of a failure
mod supervise; // tasks that last as long as the process
pub mod aside; // long computations, beside the one thread that waits
pub mod secret; // bytes that never print and are wiped

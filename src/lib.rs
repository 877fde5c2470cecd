//! vaultmount: a secrets-store CSI provider for HashiCorp Vault and OpenBao.
//!
//! The modules, in the order in which a request passes them; each names only modules below it.

mod run; // the process: hardening, dispatch, exit code
mod cli; // commands: serve, mount, prepare, refresh, handover, s5
mod settings; // flags and environment -> Settings
mod control; // commands of an operator to the process that serves
mod server; // unix sockets: modes, peers, `:authority`, deadlines, drain
mod mount; // one mount: parse, admit, authenticate, fetch, render, publish, respond
mod volume; // state of each volume, until its end
mod cache; // issued credentials, last known good content, rendered templates
mod tokens; // Vault tokens: shared where allowed, renewed, revoked
mod state; // sealed records that survive a restart
mod telemetry; // logs, metrics and health
mod engine; // one file per engine: request, call, response
mod plan; // objects -> the fewest calls to Vault; pure
mod renewal; // when a token, lease or certificate is renewed or replaced; pure
mod vault; // connections, logins and calls
mod kube; // calls to Kubernetes, only when switched on: tokens, version key, pods, events
mod template; // templates, rendered in a child process
mod render; // Vault responses -> file contents
mod certificate; // keys of the node, requests, chains, keystores
mod writer; // volumes that vaultmount writes itself: one rename, with owners
mod payload; // all files of a volume: paths, modes, sizes, versions
mod class; // SecretProviderClass and request -> MountSpec
mod goyaml; // YAML as Go's yaml.v3 reads it
mod spec; // what a mount is: pod, server, auth, sources, objects; types only
mod single_flight; // one call for all who need its result
mod supervise; // tasks that last as long as the process
mod limits; // admission, limits of concurrent calls, memory quota, time budget, backoff
mod provider_api; // the driver's gRPC types, generated from proto/
mod error; // Reason: the stable codes, and the one exit of a failure
mod bounded_map; // a map with a fixed number of entries
mod digest; // SHA-256 over parts, each with its length in front
mod blocking; // long computations, beside the one async worker thread
mod mutex; // a mutex that a panic does not poison
mod secret; // bytes that never print and are wiped

pub use run::main;

/// Types that the examples of what does not compile need (`compile_fail` in the documentation of each).
#[doc(hidden)]
pub mod internals {
    pub use crate::certificate::Identity;
    pub use crate::limits::Budget;
    pub use crate::secret::Secret;
    pub use crate::spec::MountPath;
    pub use crate::vault::Login;
}

/// Tests of single modules beside the programs and servers that they must agree with.
#[cfg(test)]
#[path = "../tests/library/mod.rs"]
mod library;

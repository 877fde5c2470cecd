//! vaultmount: a secrets-store CSI provider for HashiCorp Vault and OpenBao.
//!
//! The modules, in the order in which a request passes them; each names only modules below it.

pub mod cli; // commands: serve, mount, prepare, handover, s5
pub mod settings; // flags and environment -> Settings
pub mod server; // unix sockets: modes, peers, `:authority`, deadlines, drain
pub mod mount; // one mount: parse, admit, authenticate, fetch, render, publish, respond
pub mod volume; // state of each volume, until its end
pub mod cache; // issued credentials, last known good content, rendered templates
pub mod tokens; // Vault tokens: shared where allowed, renewed, revoked
pub mod state; // sealed records that survive a restart
pub mod telemetry; // logs, metrics and health
pub mod engine; // one file per engine: request, call, response
pub mod plan; // objects -> the fewest calls to Vault; pure
pub mod renewal; // when a token, lease or certificate is renewed or replaced; pure
pub mod vault; // connections, logins and calls
pub mod kube; // calls to Kubernetes, only when switched on: tokens, version key, pods, events
pub mod template; // templates, rendered in a child process
pub mod render; // Vault responses -> file contents
pub mod certificate; // keys of the node, requests, chains, keystores
pub mod writer; // volumes that vaultmount writes itself: one rename, with owners
pub mod payload; // all files of a volume: paths, modes, sizes, versions
pub mod class; // SecretProviderClass and request -> MountSpec
pub mod goyaml; // YAML as Go's yaml.v3 reads it
pub mod spec; // what a mount is: pod, server, auth, sources, objects; types only
pub mod limits; // admission, memory quota, time budget, backoff
pub mod provider_api; // the driver's gRPC types, generated from proto/
pub mod error; // Reason: the stable codes, and the one exit of a failure
pub mod bounded_map; // a map with a fixed number of entries
pub mod digest; // SHA-256 over parts, each with its length in front
pub mod single_flight; // one call for all who need its result
pub mod blocking; // long computations, beside the one async worker thread
pub mod mutex; // a mutex that a panic does not poison
pub mod supervise; // tasks that last as long as the process
pub mod secret; // bytes that never print and are wiped

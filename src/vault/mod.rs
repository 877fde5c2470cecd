//! The HTTP client of Vault and OpenBao: connections, logins and calls. No other module sends HTTP requests to them.

mod call_limits; // how many calls to one server run at the same time
mod circuit; // circuit breaker: when a server is probed, and when it is down; pure
mod class_files; // the certificate files that a class may name
mod classify; // an error status and its body -> Reason
mod credential; // the token or the inline login in a call's headers
mod effect; // what a request does at the server, by method, path and engine
mod engine_refusals; // what the PKI and SSH engines refuse -> what to change
mod error; // VaultError
mod error_body; // reads the body of an error, with limits
mod handshake; // why a TLS handshake failed, in our own words
mod hints; // what the class or the server needs, for a refused call
mod http; // one HTTP request and its response, with limits on time and size
mod known_errors; // texts of the server that may be shown
mod login; // Login: the calls that a pod's Vault token may make
mod mount_lookup; // asks Vault what is mounted at a path
mod mounts; // remembers what is mounted where; "the mount is KV v2: use secret/data/devops"
mod node_identity; // refuses logins as the node
mod pinned; // a server's own certificate that is given as the CA
mod policy; // the addresses that tokens may be sent to
mod pool; // one HTTP client per server and TLS setting
mod probe; // asks a server for its health, which alone opens and closes the circuit
mod resolve; // host names -> the addresses that the policy allows
mod response; // one response
mod retry; // which calls are retried, and when; pure
mod server; // a server in one namespace: attempts, retries, redirects
mod server_warnings; // warnings in responses -> the log
mod tls; // CA and client certificates
mod token_info; // what a login response says about its token
mod transit; // encrypts one value, decrypts batches
mod upstream; // state of one server that all its calls share

pub(crate) use class_files::ClassFiles;
pub(crate) use effect::{Effect, EngineType, depends_on_engine, effect, probably_leases};
pub(crate) use error::{Hint, VaultError};
pub use login::Login;
#[cfg(test)]
pub(crate) use mounts::Mount;
pub(crate) use mounts::Mounts;
pub(crate) use policy::AllowedAddress;
pub(crate) use pool::{Outbound, Vaults};
pub(crate) use response::VaultResponse;
pub(crate) use server::Server;
pub(crate) use tls::unusable_files;
pub(crate) use token_info::{Account, TokenInfo};
pub(crate) use transit::{Batch, Item, NotOpened};

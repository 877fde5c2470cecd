//! What the tests stand on: a real server, the real binary, and the driver's side of its socket.

pub(crate) mod audit; // what the server was asked
pub(crate) mod pki; // mounts that issue certificates
pub(crate) mod canary; // values that may show up in files only
pub(crate) mod class; // a SecretProviderClass
pub(crate) mod driver; // a mount as each caller sends it
#[allow(dead_code, reason = "the vault room's own tests use all of it")]
pub(crate) mod faulty; // a server that misbehaves as told
pub(crate) mod blocking_proxy; // a way to the server that can be held shut
pub(crate) mod mounts; // volumes that the kernel knows
pub(crate) mod openbao; // a server of one's own
pub(crate) mod postgres; // a database of one's own
pub(crate) mod provider; // the binary, its sockets and its log
pub(crate) mod vault_setup; // secrets, engines, policies and roles
pub(crate) mod provider_setup; // how a provider is started
pub(crate) mod unexpected_server; // a listener that should never be called
pub(crate) mod tls; // authorities and certificates
pub(crate) mod token; // service account tokens
pub(crate) mod tools; // the programs that people read files with
pub(crate) mod volume; // the tree that the driver would write
pub(crate) mod wait; // for a condition, never for a time
pub(crate) mod wire; // the driver's gRPC types

pub(crate) use canary::canary;
pub(crate) use class::{Class, kv, object, typed};
pub(crate) use openbao::Vault;
pub(crate) use provider::Provider;
pub(crate) use serde_json::json;
pub(crate) use tonic::Code;
pub(crate) use wait::until;

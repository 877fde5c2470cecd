//! What the tests share: a real server, the real binary, and a client of its socket that acts as the driver.

pub(crate) mod audit; // the calls that the server received
pub(crate) mod pki; // PKI mounts and their certificates
pub(crate) mod canary; // values that may appear in files only
pub(crate) mod class; // a SecretProviderClass
pub(crate) mod driver; // a mount as each caller sends it
#[allow(dead_code, reason = "the tests of the vault module use all of it")]
pub(crate) mod faulty; // a server that misbehaves on request
pub(crate) mod blocking_proxy; // a proxy before the server that blocks connections
pub(crate) mod mounts; // volumes in the kernel's list of mounts
pub(crate) mod openbao; // an OpenBao for one test
pub(crate) mod postgres; // a PostgreSQL for one test
pub(crate) mod provider; // the binary, its sockets and its log
pub(crate) mod vault_setup; // secrets, engines, policies and roles
pub(crate) mod provider_setup; // how a provider is started
pub(crate) mod unexpected_server; // a listener that should never be called
pub(crate) mod tls; // CAs and certificates
pub(crate) mod token; // service account tokens
pub(crate) mod tools; // programs that read the files
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

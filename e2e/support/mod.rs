//! What the tests share.

mod certificates; // certificates of pods, checked with openssl and the API server
mod class; // a SecretProviderClass
mod cluster; // the scripts of e2e/cluster
mod database; // users of PostgreSQL
mod driver; // a client of the provider's socket
mod node; // volumes as the node sees them
mod pod; // a pod and its view of its volumes
pub(crate) mod provider; // the provider's DaemonSet
mod scenario; // a test's own namespace, role and secrets
#[path = "../../tests/support/tools.rs"]
mod tools; // the programs that people read files with
#[path = "../../tests/support/wire.rs"]
mod wire; // the driver's gRPC types
mod wait; // bounded polling, and restoring changes

pub(crate) use certificates::{Identity, belong_together, is_valid, offline_root, subject};
pub(crate) use class::Class;
pub(crate) use cluster::{OPENBAO, apply_manifest, bao, enter, kubectl, kustomize, rights, server};
pub(crate) use database::User;
pub(crate) use driver::{MountRequest, mount};
pub(crate) use node::Volumes;
pub(crate) use pod::Pod;
pub(crate) use scenario::Scenario;
pub(crate) use tools::tool;
pub(crate) use wait::{Restore, eventually, holds};

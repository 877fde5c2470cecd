//! What tests are told with.

mod certificates; // what a pod was given, as openssl and the API server take it
mod class; // a SecretProviderClass
mod cluster; // the scripts of e2e/cluster
mod database; // users of PostgreSQL
mod driver; // a caller of the provider's socket
mod node; // volumes as the node has them
mod pod; // a pod and its view of its volumes
pub(crate) mod provider; // its DaemonSet
mod scenario; // a test's own corner of the cluster
#[path = "../../tests/support/tools.rs"]
mod tools; // the programs that people read files with
#[path = "../../tests/support/wire.rs"]
mod wire; // the driver's gRPC types
mod wait; // bounded polling, and putting things back

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

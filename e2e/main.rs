//! The tests of vaultmount in a real cluster: `e2e/run` starts one, deploys the image and the manifests of `deploy/`, and runs these.
//!
//! Each test has its own Kubernetes namespace, service account, role, policy and secrets, so tests run in parallel. A test that
//! disturbs the whole cluster runs alone. Tests of one line of the CSI driver are in a module named after it.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod tests;
mod support;

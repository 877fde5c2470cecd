//! The tests of vaultmount in a real cluster: `e2e/run` starts one, deploys the image and the manifests of `deploy/`, and runs these.
//!
//! A test has a Kubernetes namespace, a service account, a role, a policy and secrets of its own, so tests run side by side; one that
//! disturbs the whole cluster runs alone. Tests that only one line of the CSI driver can tell stand in a module named after it.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod tests;
mod support;

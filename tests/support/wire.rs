//! The gRPC client of the driver, generated from `proto/service.proto` by the build script. Tests of the binary need nothing else of the crate.
#![allow(dead_code, missing_docs, unreachable_pub, clippy::all, reason = "generated")]

tonic::include_proto!("v1alpha1");

//! The driver's types, generated from `proto/service.proto`.
#![allow(missing_docs, unreachable_pub, clippy::all, reason = "generated")]

tonic::include_proto!("v1alpha1");

//! The behaviour that pods, platform engineers and Vault operators rely on: the real binary with a real OpenBao.
//!
//! Every test has its own server and provider. When a provider ends, its log (at trace) and every status that it
//! sent are searched for the test's secrets and tokens.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod optional; // objects that may be missing
mod allowed_addresses; // addresses to which tokens may be sent
mod request; // any engine, by request
mod ca_certificates; // CAs without a certificate of the pod
mod creating_calls; // logins and credentials at a slow server
mod revoked; // credentials that an operator revokes
mod bad_input; // errors that name the field, without any call
mod memory_limits; // classes and secrets over the limits of a mount
mod vault_calls; // number of calls, and tokens left on the server
mod completeness; // reasons without a test, metrics that nothing counts, flags without docs
mod directories; // a file for every key
mod documents; // a whole secret in one file, read by other programs
mod volume_end; // a volume that ends leaves no token and no lease
mod engines; // other engines, paths and namespaces
mod files; // bytes, names, modes and versions
mod health; // the health port under load
mod issued; // what a republish must not issue again
mod keystores; // PKCS #12 and JKS, by OpenSSL and Java
mod kv; // versions, selectors, and mounts without versions
mod learned_engines; // which paths are reads, learnt from the server
mod leases; // credentials that end with their lease
mod lifecycle; // health, restart and end of the process
mod login; // role, auth mount and token of a login
mod class_errors; // all mistakes of a class at once
mod node_identity; // a class never acts as the node, nor reads its files
mod model; // random steps, compared with a model of all rights
mod node_keys; // keys that never leave the node
mod shared_logins; // one login for all pods of an account
mod metrics; // metrics for dashboards
mod not_vault; // responses of a proxy or ingress before the server
mod malformed_responses; // responses that a server should never send
mod outages; // a server that is down, sealed, silent or slow
mod overload; // a tenant's trouble and a slow server, which delay no other pod
mod own_writer; // volumes that vaultmount writes
mod pki; // certificates: names, chains, keys
mod prepare; // `vaultmount prepare`, as its init container runs it
mod mount_errors; // the message that a pod's author reads
mod s5; // texts with markers
mod s5_tool; // the command `s5`: ciphertext in files
mod reproducible_files; // equal bytes and versions on every node
mod server_warnings; // warnings of the server are logged
mod settings; // sockets, prefixes, flags and environment
mod soak; // an outage and short certificates; `make soak` runs both for ten minutes
mod shared_calls; // one call for equal requests
mod state; // state that survives a restart
mod template_processes; // limits of a template
mod templates; // files of several secrets
mod tls; // trusted servers, client certificates
mod transit; // ciphertexts decrypted into files
mod unwritable; // volumes that vaultmount can no longer write
mod wrong_certificates; // certificates that differ from the request

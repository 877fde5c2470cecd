//! What a pod, a platform engineer and a Vault operator may count on: the real binary against a real OpenBao.
//!
//! Every test has a server and a provider of its own; when a provider goes, its log (at trace) and every status that it
//! sent are searched for the test's secrets and tokens.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod optional; // what is not there, and may be
mod allowed_addresses; // where tokens may be sent
mod request; // any engine, by request
mod ca_certificates; // what a pod trusts
mod bad_input; // an error that names the field, and no call
mod memory_limits; // more than a mount may take
mod vault_calls; // how often the server is asked, and what is left on it
mod completeness; // reasons without a test, metrics that nothing counts, flags without docs
mod directories; // a file for every key
mod documents; // a whole secret, read by the programs that people use
mod volume_end; // what a volume leaves behind: nothing
mod engines; // other engines, paths and namespaces
mod files; // what a pod reads
mod health; // the health port under load
mod issued; // what a republish must not make anew
mod keystores; // PKCS #12 and JKS, by OpenSSL and Java
mod kv; // versions, ways into a secret, and mounts without versions
mod leases; // what lives only as long as its lease
mod lifecycle; // health, restart and end of the process
mod login; // who logs in, where, and with which token
mod class_errors; // what a class says wrongly, all at once
mod node_identity; // a class never acts as the node, nor reads its files
mod model; // who may read what, walked at random
mod node_keys; // keys that never leave the node
mod shared_logins; // one login for all who may share it
mod metrics; // what a dashboard reads
mod not_vault; // answers of something between us and the server
mod malformed_responses; // what a server should never send
mod outages; // a server that is down, sealed, silent or slow
mod own_writer; // files that we write ourselves
mod pki; // certificates: names, chains, keys
mod prepare; // `vaultmount prepare`, as its init container runs it
mod mount_errors; // what the pod's author reads
mod s5; // texts with markers
mod s5_tool; // ciphertext in files, by the command line
mod reproducible_files; // equal on every node
mod settings; // sockets, prefixes, flags and environment
mod soak; // an outage and short certificates; `make soak` has both for ten minutes
mod shared_calls; // one call for what is one question
mod state; // what outlives a restart
mod template_processes; // what a template may take
mod templates; // files of several secrets
mod tls; // whom the provider believes
mod transit; // ciphertexts on the way into a file
mod unwritable; // files that we wrote, and cannot write any more
mod wrong_certificates; // not what was asked for, and no file

//! What a pod, a platform engineer and a Vault operator may count on: the real binary against a real OpenBao.
//!
//! Every story has a server and a provider of its own; when a provider goes, its log (at trace) and every status that it
//! sent are searched for the story's secrets and tokens.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a story fails by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod address; // where tokens may be sent
mod bad_input; // an error that names the field, and no call
mod calls; // how often the server is asked, and what is left on it
mod engines; // other engines, paths and namespaces
mod files; // what a pod reads
mod kept; // what a republish must not make anew
mod life; // health, restart and end of the process
mod login; // who logs in, where, and with which token
mod odd_answers; // what a server should never send
mod outages; // a server that is down, sealed, silent or slow
mod refusals; // what the pod's author reads
mod s5_tool; // ciphertext in files, by the command line
mod settings; // sockets, prefixes, flags and environment
mod tls; // whom the provider believes

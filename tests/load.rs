//! What the load driver of `benches/` counts and reckons with; it needs neither a server nor a provider.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]
#![allow(dead_code, reason = "the load driver uses the rest")]

#[path = "../benches/load/check.rs"]
mod check;
#[path = "../benches/load/document.rs"]
mod document;
#[path = "../benches/load/hop/head.rs"]
mod head;
#[path = "../benches/load/numbers.rs"]
mod numbers;
#[path = "../benches/load/process.rs"]
mod process;

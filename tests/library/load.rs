//! What the load driver of `benches/` counts and reckons with; it needs neither a server nor a provider.

#[path = "../../benches/load/check.rs"]
mod check;
#[path = "../../benches/load/document.rs"]
mod document;
#[path = "../../benches/load/hop/head.rs"]
mod head;
#[path = "../../benches/load/numbers.rs"]
mod numbers;
#[path = "../../benches/load/process.rs"]
mod process;

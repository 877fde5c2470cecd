//! The parts of the benchmark in `benches/` that count and compute; they need neither a server nor a provider.

#[path = "../../benches/load/check.rs"]
mod check;
#[path = "../../benches/load/document.rs"]
mod document;
#[path = "../../benches/load/hop/head.rs"]
mod head;
#[path = "../../benches/load/statistics.rs"]
mod statistics;
#[path = "../../benches/load/process.rs"]
mod process;

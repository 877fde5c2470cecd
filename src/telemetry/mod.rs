//! Logs, metrics and health.

pub mod health; // /health/live, /health/ready and /metrics over TCP
pub(crate) mod log_throttle; // repeated failures go to debug
pub mod logs; // one log line per event, to stderr
pub mod metrics; // names, labels and meanings of the metrics

//! Logs, metrics and health.

pub(crate) mod health; // /health/live, /health/ready and /metrics over TCP
pub(crate) mod log_throttle; // repeated failures go to debug
pub(crate) mod logs; // one log line per event, to stderr
pub(crate) mod metrics; // names, labels and meanings of the metrics

//! What can be seen from outside: logs, metrics and health.

pub mod health; // /health/live and /health/ready over TCP
pub mod metrics; // what is counted, for Prometheus
pub mod logs; // one line an event, to stderr

//! What can be seen from outside: logs, metrics and health.

pub mod health; // /health/live and /health/ready over TCP
pub mod log_throttle; // a failure that everybody knows by now
pub mod logs; // one line an event, to stderr
pub mod metrics; // what is counted, for Prometheus

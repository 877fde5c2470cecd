//! What can be seen from outside: logs and health.

pub mod health; // /health/live and /health/ready over TCP
pub mod logs; // one line an event, to stderr

//! Limits on scarce resources: mounts that run at the same time, memory, time, and retries.

pub(crate) mod backoff; // pauses between retries
pub mod budget; // time and memory of one mount
pub mod deadline; // when a mount's response must be ready
pub(crate) mod limiter; // work that runs at the same time, fair between namespaces
pub mod memory_quota; // memory of all responses, fair between namespaces

pub use budget::{Budget, QuotaExceeded};
pub use deadline::Deadline;
pub use limiter::AdmissionConfig;
pub use memory_quota::MemoryQuota;

//! Limits on scarce resources: mounts that run at the same time, memory, time, and retries.

pub(crate) mod adaptive; // a limit on concurrent calls that follows how a server answers
pub(crate) mod backoff; // pauses between retries
pub(crate) mod budget; // time and memory of one mount
pub(crate) mod deadline; // when a mount's response must be ready
pub(crate) mod limiter; // work that runs at the same time, fair between namespaces
pub(crate) mod memory_quota; // memory of all responses, fair between namespaces
pub(crate) mod period; // pauses between runs of something that is repeated

pub use budget::Budget;
pub(crate) use budget::QuotaExceeded;
pub(crate) use deadline::Deadline;
pub(crate) use limiter::AdmissionConfig;
pub(crate) use memory_quota::MemoryQuota;
pub(crate) use period::Period;

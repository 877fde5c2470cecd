//! Bounds on scarce things: mounts at a time, memory, time, retries.

pub mod admission; // how many mounts are at work
pub mod backoff;
pub mod budget; // until when
pub mod deadline; // when the answer must be ready
pub mod memory_quota; // memory that answers may take

pub use admission::AdmissionConfig;
pub use budget::Budget;
pub use deadline::Deadline;
pub use memory_quota::MemoryQuota;

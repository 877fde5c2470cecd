//! The gRPC service.

pub mod deadline; // when a mount's answer must be ready
pub mod wire; // the driver's types

pub use deadline::Deadline;

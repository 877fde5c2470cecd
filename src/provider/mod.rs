//! The gRPC service: Version and Mount.

pub mod deadline; // when the answer must be ready
pub mod wire; // the driver's types

mod answer; // a payload -> MountResponse
mod blame; // errors of the rooms below -> one Failure
mod contents; // answers -> files
mod fill; // the plan's calls, each stage all at once
mod give; // what a pod is to have, and who writes it
mod looks; // looks of our own, in time
mod mount; // the mount on one page
mod record; // what the log tells of a mount
mod repeats; // a failure that everybody knows by now
mod service; // requests in, answers out
mod templates; // the templates of a mount, written together
mod token; // which token logs in
mod turns; // how many mounts are at work

pub use deadline::Deadline;
pub use looks::Looks;
pub use service::{Provider, Rooms};
pub use token::Tokens;
pub use turns::Limits;

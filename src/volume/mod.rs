//! The state of each volume of the node, from its first mount until its end.

pub mod fetch_context; // one mount's way to what its volume has
pub mod gauges; // what they have, in numbers
pub mod id; // what makes a volume this one
pub mod liveness; // whether a volume lives: its mount, its pod
pub mod mountinfo; // the mounts that this process sees
pub mod own_writer; // the files that we write ourselves
pub mod persistence; // what outlives a restart
pub mod reaper; // the look around every few seconds
pub mod registry; // what every volume of the node has, until its end
pub mod sharing; // which way a source goes
pub mod state; // one volume

pub use fetch_context::FetchContext;
pub use id::VolumeId;
pub use own_writer::Job;
pub use registry::{VolumeConfig, Volumes};
pub use state::{Keyed, Volume};

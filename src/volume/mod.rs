//! The state of each volume of the node, from its first mount until its end.

pub(crate) mod fetch_context; // which tokens a mount uses, and what it reads, issues or takes from the caches
mod file_schedule; // when a volume is polled whose files vaultmount writes
pub(crate) mod gauges; // gauges of the volumes
pub(crate) mod id; // what identifies a volume
pub(crate) mod liveness; // whether a volume lives: its mount, its pod
pub(crate) mod mountinfo; // the mounts that this process sees
pub(crate) mod own_writer; // volumes whose files vaultmount writes
pub(crate) mod persistence; // volumes in records, for the next process
pub(crate) mod reaper; // removes volumes that have ended
mod refresh; // new content on demand of an operator
pub(crate) mod registry; // the volumes of the node
pub(crate) mod sharing; // which token calls a source, and who may use the response
pub(crate) mod state; // one volume

pub(crate) use fetch_context::FetchContext;
pub(crate) use id::VolumeId;
pub(crate) use own_writer::Job;
pub(crate) use refresh::{RefreshedVolume, VolumeFilter};
pub(crate) use registry::{VolumeConfig, Volumes};
pub(crate) use state::{Keyed, Volume};

//! Commands of an operator to the process that serves, over a private unix socket (mode 0600): `vaultmount refresh`.
//!
//! One request and one response for each connection, each a line of JSON. Neither holds a value or a token.

mod client; // sends a request
mod listener; // answers requests

pub(crate) use client::send;
pub(crate) use listener::ControlSocket;

use serde::{Deserialize, Serialize};

use crate::volume::{RefreshedVolume, VolumeFilter};

/// The longest line, in bytes: the volumes of a full node fit many times.
const LINE: u64 = 1024 * 1024;

/// What an operator wants.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum ControlRequest {
    /// Everything of these volumes is fetched and issued again.
    Refresh(VolumeFilter),
}

/// What was done.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum ControlResponse {
    /// The volumes whose content is fetched and issued again.
    Refreshed(Vec<RefreshedVolume>),
    /// The request cannot be read: the command is of another version.
    Malformed,
}

//! SecretProviderClass text and mount request -> `MountSpec`, or all of its mistakes at once.

pub mod attributes; // the request's JSON: parameters, the pod, its tokens
pub mod defaults; // what a class leaves out, and what it may not choose
pub mod diagnostics; // why a request cannot be used: all of it at once
pub mod duration; // durations as Vault writes them
pub mod entries; // the text of `objects` -> entries with the fields of the Go providers
pub mod parameters; // a class's parameters under the peers' three prefixes
pub mod remembered; // what a pod's own volumeAttributes say, remembered
pub mod schema; // the fields of `objects`, and how they become sources and files
pub mod server; // the server and the login, overlaid on the defaults
pub mod spelling; // the nearest right word
pub mod token; // the one token that is read, and whose it is
#[cfg(test)]
mod tests;

pub use defaults::{Audiences, Clock, Defaults, Flavor, UnknownFields};
pub use diagnostics::{SpecError, SpecErrors};
pub use remembered::RememberedRequest;
pub(crate) use server::go_bool;

//! SecretProviderClass and mount request -> `MountSpec`, or all mistakes at once.

pub(crate) mod attribute_keys; // the keys of the attributes that the kubelet and the driver set
pub(crate) mod attributes; // the attributes of a request: parameters, the pod, its tokens
pub(crate) mod defaults; // the values that a class leaves out, and the limits of its values
pub(crate) mod diagnostics; // every mistake of a request
pub(crate) mod duration; // durations as Vault writes them
pub(crate) mod entries; // the text of `objects` -> entries with the fields of the Go providers
pub(crate) mod other_words; // words of other tools, and words in the wrong place
pub(crate) mod parameter_table; // every parameter of a class
pub(crate) mod parameters; // the parameters of one request
pub(crate) mod parse; // one call of the driver -> MountSpec
pub(crate) mod remembered; // completes requests that lack the pod's own parameters
pub(crate) mod schema; // the fields of `objects`, and how they become sources and files
pub(crate) mod server; // the server and the login, over the defaults
pub(crate) mod spelling; // suggestions for misspelled words
pub(crate) mod token; // the pod's token, and the check of its claims
pub(crate) mod yaml_advice; // the usual mistakes in YAML
#[cfg(test)]
mod tests;

pub(crate) use crate::spec::{Flavor, RememberedRequest};
pub(crate) use defaults::{Audiences, Defaults, UnknownFields};
#[cfg(test)]
pub(crate) use diagnostics::SpecErrors;
pub(crate) use parse::MountCall;
pub(crate) use server::go_bool;

//! What a mount is asked to do: the request's attributes, parsed once into types that cannot be wrong.

pub mod spec; // MountSpec, the whole of it, and how it is parsed

pub mod address; // where a server is
pub mod auth_mount; // the name of an auth mount, and which a class may use
mod attributes; // the request's JSON: parameters, the pod, its tokens
pub mod certificate; // what is asked of a PKI engine, and the forms of its files
pub mod defaults; // what a class leaves out, and what it may not choose
mod duration; // durations as Vault writes them
pub mod entries; // the text of `objects` -> entries with the fields of the Go providers
pub mod format; // the whole of a secret as one document
pub mod language; // the fields of `objects`, and how they become sources and files
pub mod life; // how long what a mount got is good, and whom it is shared with
pub mod object; // what stands in the volume, and what it is a view of
mod parameters; // a class's parameters under the peers' three prefixes
pub mod path; // a file's place in the volume
pub mod pod; // whose mount it is, and its token
pub mod problem; // why a request cannot be used: all of it at once
pub mod request; // one call to Vault: method, path, query, body
pub mod published; // what a pod's own volumeAttributes say, remembered
mod server; // the server and the login, overlaid on the defaults
pub mod source; // one question to Vault
mod spelling; // the nearest right word
pub mod template; // a file from several sources
mod token; // the one token that is read, and whose it is

pub use address::Address;
pub use auth_mount::AuthMounts;
pub use certificate::{Alias, CertificateRequest, KeyAlgorithm, KeyForm, KeyPlace, KeyType, StoreForm};
pub use defaults::{Audiences, Clock, Defaults, Flavor, UnknownFields};
pub use format::Format;
pub use life::{LoginScope, Refreshes, ShareScope, WrittenBy};
pub use object::{Absent, Directory, Encoding, Keys, Keystore, Object, Part, Place, Template, View};
pub use path::MountPath;
pub use pod::{Pod, PodToken};
pub use problem::{Problem, SpecErrors};
pub use published::Published;
pub use request::{Body, Request, VaultPath};
pub(crate) use server::go_bool;
pub use source::{Inline, KvEngine, KvRead, Marked, Pick, Question, Sealed, Selection, Source, Start, Text, TransitKey, Way};
pub use spec::{AuthSpec, ClientCertificate, Digest, MountCall, MountSpec, ServerSpec, TlsSpec};
pub use template::Delimiters;

#[cfg(test)]
mod tests;

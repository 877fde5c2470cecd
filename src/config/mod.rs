//! What a mount is asked to do: the request's attributes, parsed once into types that cannot be wrong.

pub mod address; // where a server is
pub mod object; // one entry of `objects`: a file, and the call that fills it
pub mod path; // a file's place in the volume
pub mod pod; // whose mount it is, and its token
pub mod request; // one call to Vault: method, path, query, body
pub mod spec; // MountSpec, the whole of it
pub mod yaml; // the `objects` text, read as go-yaml reads it

pub use address::Address;
pub use object::{Encoding, Object};
pub use path::MountPath;
pub use pod::{Pod, PodToken};
pub use request::{Body, Request, VaultPath};
pub use spec::{AuthSpec, MountSpec, ServerSpec, TlsSpec};

//! Connections, logins and calls: the one room that speaks HTTP to Vault and OpenBao.

mod answer; // one response
mod budget; // until when
mod bytes; // memory that answers may take
mod circuit; // a server that is down is asked now and then
mod class_files; // certificate files that a class names
mod credential; // by what a call says whose it is
mod error; // VaultError
mod error_body; // what an error says, read within bounds
mod exchange; // one request and its reply over HTTP, bounded
mod facts; // what a server says of a token
mod kv_hint; // "secret/devops is secret/data/devops"
mod login; // Login: what a pod's token may do
mod node_identity; // a class never logs in as the node
mod place; // what all calls to one server share
mod policy; // where tokens may be sent
mod pool; // one HTTP client per server and TLS setting
mod refusal; // a status that is no success -> what it means
mod resolve; // names -> the addresses that the policy allows
mod retry; // what may be repeated; pure
mod sentences; // the server's words that may be shown
mod server; // a server in one namespace: asked until a reply stands
mod tls; // CA and client certificates
mod transit; // ciphertext opened in batches

pub use answer::Answer;
pub use budget::Budget;
pub use bytes::Bytes;
pub use class_files::ClassFiles;
pub use error::{Hint, VaultError};
pub use facts::{Account, Facts};
pub use login::Login;
pub use policy::{AllowedAddress, NotAnAddress};
pub use pool::{Outbound, Vaults};
pub use retry::creates;
pub use server::Server;
pub use transit::{Batch, Item, NotOpened, Opened};

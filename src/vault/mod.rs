//! Connections, logins and calls: the one room that speaks HTTP to Vault and OpenBao.

pub mod circuit; // a server that is down is asked now and then
pub mod class_files; // certificate files that a class names
pub mod classify; // a status that is no success -> what it means
pub mod credential; // by what a call says whose it is
pub mod error; // VaultError
pub mod error_body; // what an error says, read within bounds
pub mod http; // one request and its reply over HTTP, bounded
pub mod known_errors; // the server's words that may be shown
pub mod kv_hint; // "secret/devops is secret/data/devops"
pub mod login; // Login: what a pod's token may do
pub mod node_identity; // a class never logs in as the node
pub mod policy; // where tokens may be sent
pub mod pool; // one HTTP client per server and TLS setting
pub mod resolve; // names -> the addresses that the policy allows
pub mod response; // one response
pub mod retry; // what may be repeated; pure
pub mod server; // a server in one namespace: asked until a reply stands
pub mod tls; // CA and client certificates
pub mod token_info; // what a server says of a token
pub mod transit; // ciphertext opened in batches
pub mod upstream; // what all calls to one server share

pub use class_files::ClassFiles;
pub use error::{Hint, VaultError};
pub use login::Login;
pub use policy::{AllowedAddress, NotAnAddress};
pub use pool::{Outbound, Vaults};
pub use response::VaultResponse;
pub use retry::creates;
pub use server::Server;
pub use token_info::{Account, TokenInfo};
pub use transit::{Batch, Item, NotOpened, Opened};

use crate::limits::{Budget, MemoryQuota};

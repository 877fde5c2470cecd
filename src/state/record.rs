//! One file of a record: the part whose form never changes, and the body.
//!
//! ```json
//! {"vaultmount": 1, "kind": "session", "version": 1, "server": {..}, "accessor": "..", "leases": [".."], "token": "<sealed>", "body": "<sealed>"}
//! ```

use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use super::{RecordId, StateError, server};
use crate::secret::Secret;
use crate::spec::ServerSpec;
use crate::state::seal::{RecordPlace, Seal};

/// The version of bodies that this build writes. It also reads bodies of the version before and of the next version. So a reader
/// ignores members that it does not know, and a new member has a default for bodies without it.
pub(crate) const VERSION: u32 = 1;

/// The form of the file around the body. No other form exists.
const FORM: u32 = 1;

/// What a record is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Kind {
    /// A token with its leases.
    #[serde(rename = "session")]
    VaultToken,
    /// What was issued for a volume or a group. Holds no token.
    #[serde(rename = "volume")]
    Volume,
}

impl Kind {
    /// The word in the file.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::VaultToken => "session",
            Self::Volume => "volume",
        }
    }
}

/// The stable part of a record: what any version of vaultmount needs to revoke its token.
#[derive(Debug)]
pub(crate) struct Outer {
    /// What the record is of.
    pub(crate) kind: Kind,
    /// The server of the token. A volume has none, and an unusable record may not name one.
    pub(crate) server: Option<ServerSpec>,
    /// Accessor by which an operator can revoke the token, in plain text. A batch token has none.
    pub(crate) accessor: Option<String>,
    /// Ids of the token's leases, in plain text.
    pub(crate) leases: Vec<String>,
    /// The token; `None` for a volume, and for an unusable record whose token cannot be decrypted.
    pub(crate) token: Option<Secret>,
}

/// A record as it was stored.
#[derive(Debug)]
pub(crate) struct Record {
    /// The record's name.
    pub(crate) id: RecordId,
    /// The stable part.
    pub(crate) outer: Outer,
    /// What its writer stored.
    pub(crate) body: Secret,
}

/// A record whose body cannot be used. What is known of it serves to revoke its token.
#[derive(Debug)]
pub(crate) struct Unusable {
    /// The record's name.
    pub(crate) id: RecordId,
    /// What is wrong with it.
    pub(crate) why: Why,
    /// The stable part; `None` when it cannot be read either.
    pub(crate) outer: Option<Outer>,
}

/// What a file holds.
#[derive(Debug)]
pub(crate) enum StoredRecord {
    /// A record.
    Record(Record),
    /// A record that cannot be used.
    Unusable(Unusable),
}

/// Why a record cannot be used. Holds nothing of its content.
#[derive(Debug, Error, PartialEq, Eq)]
pub(crate) enum Why {
    #[error("it is a link or no file")]
    NotAFile,
    #[error("it is larger than 1 MiB")]
    TooLarge,
    #[error("it cannot be read ({0})")]
    Unreadable(std::io::ErrorKind),
    #[error("it is truncated or no record (line {line}, column {column})")]
    NoRecord { line: usize, column: usize },
    #[error("its format is {0}, and this version reads only format {FORM}")]
    Form(u32),
    #[error("its version is {0}, and this vaultmount reads {VERSION} and one more or less")]
    Version(u32),
    #[error("it cannot be decrypted: sealed with another key, on another node, or changed since")]
    Undecryptable,
    #[error("it is the record of a token, and names no server or token")]
    Incomplete,
}

impl StoredRecord {
    /// The record's name.
    pub(crate) fn id(&self) -> &RecordId {
        match self {
            Self::Record(record) => &record.id,
            Self::Unusable(unusable) => &unusable.id,
        }
    }

    /// The stable part, as far as it is known.
    pub(crate) fn outer(&self) -> Option<&Outer> {
        match self {
            Self::Record(record) => Some(&record.outer),
            Self::Unusable(unusable) => unusable.outer.as_ref(),
        }
    }
}

/// The file's JSON. Unknown members are ignored, and all members but three may be missing.
#[derive(Serialize, Deserialize)]
struct File {
    vaultmount: u32,
    kind: Kind,
    version: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    server: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    accessor: Option<String>,
    #[serde(default)]
    leases: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    #[serde(default)]
    body: String,
}

/// The file of a record with a body of `version`.
pub(crate) fn write(
    id: &RecordId,
    version: u32,
    outer: &Outer,
    body: &Secret,
    seal: &Seal,
) -> Result<Vec<u8>, StateError> {
    let mut file = File {
        vaultmount: FORM,
        kind: outer.kind,
        version,
        server: outer.server.as_ref().map(server::write).transpose()?,
        accessor: outer.accessor.clone(),
        leases: outer.leases.clone(),
        token: None,
        body: String::new(),
    };
    file.token = outer
        .token
        .as_ref()
        .map(|token| seal.close(file.tokens_place(id, &file.server_text()), token))
        .transpose()?;
    file.body = seal.close(file.bodys_place(id, &file.version_text()), body)?;
    serde_json::to_vec(&file).map_err(|_| StateError::Seal)
}

/// The record in the file `bytes`.
pub(crate) fn read(id: RecordId, bytes: &[u8], seal: &Seal) -> StoredRecord {
    let file: File = match serde_json::from_slice(bytes) {
        Ok(file) => file,
        // The text of the error may quote the file.
        Err(error) => {
            let why = Why::NoRecord { line: error.line(), column: error.column() };
            return StoredRecord::Unusable(Unusable { id, why, outer: None });
        }
    };
    let outer = file.outer(&id, seal);
    match file.body(&id, &outer, seal) {
        Ok(body) => StoredRecord::Record(Record { id, outer, body }),
        Err(why) => StoredRecord::Unusable(Unusable { id, why, outer: Some(outer) }),
    }
}

impl File {
    fn outer(&self, id: &RecordId, seal: &Seal) -> Outer {
        let token = self
            .token
            .as_ref()
            .and_then(|token| seal.open(self.tokens_place(id, &self.server_text()), token));
        Outer {
            kind: self.kind,
            server: self.server.as_ref().and_then(server::read),
            accessor: self.accessor.clone(),
            leases: self.leases.clone(),
            token,
        }
    }

    fn body(&self, id: &RecordId, outer: &Outer, seal: &Seal) -> Result<Secret, Why> {
        if self.vaultmount != FORM {
            return Err(Why::Form(self.vaultmount));
        }
        if self.version.abs_diff(VERSION) > 1 {
            return Err(Why::Version(self.version));
        }
        let body =
            seal.open(self.bodys_place(id, &self.version_text()), &self.body).ok_or(Why::Undecryptable)?;
        match (self.kind, &self.token, &outer.token, &outer.server) {
            (_, Some(_), None, _) => Err(Why::Undecryptable),
            (Kind::VaultToken, None, ..) | (Kind::VaultToken, .., None) => Err(Why::Incomplete),
            _ => Ok(body),
        }
    }

    /// Bound to the server too: a token must never be sent to another server.
    fn tokens_place<'a>(&self, id: &'a RecordId, server: &'a str) -> RecordPlace<'a> {
        RecordPlace { id, kind: self.kind.word(), part: "token", beside: server.as_bytes() }
    }

    fn bodys_place<'a>(&self, id: &'a RecordId, version: &'a str) -> RecordPlace<'a> {
        RecordPlace { id, kind: self.kind.word(), part: "body", beside: version.as_bytes() }
    }

    /// The server as compact JSON, which is the same text when it is written and when it is read. Unknown members are part of it.
    fn server_text(&self) -> String {
        self.server.as_ref().map(Value::to_string).unwrap_or_default()
    }

    fn version_text(&self) -> String {
        self.version.to_string()
    }
}

//! Secrets of a KV engine.

use http::Method;
use serde_json::Value;

use crate::spec::VaultPath;
use crate::spec::{KvEngine, KvRead, Request};
use crate::vault::{Hint, VaultError, VaultResponse};

/// The call that reads it.
pub(crate) fn request(read: &KvRead) -> Request {
    let path = match read.engine {
        KvEngine::V1 => VaultPath::join(&[&read.mount, &read.path]),
        KvEngine::V2 => VaultPath::join(&[&read.mount, "data", &read.path]),
    };
    let query = read.version.map(|version| ("version".to_owned(), version.to_string()));
    Request { method: Method::GET, path, query: query.into_iter().collect(), body: None }
}

/// The same error in the words of the question: who writes `engineVersion` has no path with `data/` to mend.
pub(crate) fn told(mut error: VaultError) -> VaultError {
    if let VaultError::Answered { hint: Some(hint), .. } = &mut error {
        *hint = Hint::Engine(if matches!(hint, Hint::Versioned(_)) { 2 } else { 1 });
    }
    error
}

/// Holds `answer` against the question: it must be one of that engine, and of that version.
pub(crate) fn held(read: &KvRead, answer: &VaultResponse) -> Result<(), VaultError> {
    let malformed = |why| Err(VaultError::Malformed { doing: format!("read {}", request(read).path), why });
    let data = answer.members().get("data").and_then(Value::as_object);
    let version = data.and_then(|data| data.get("metadata")?.get("version")?.as_u64());
    match (data, read.engine) {
        (None, _) => malformed("it holds no data"),
        (Some(_), KvEngine::V1) => Ok(()),
        (Some(data), KvEngine::V2) if !data.get("data").is_some_and(Value::is_object) => {
            malformed("it is none of KV version 2: set engineVersion: 1 if the mount has no versions")
        }
        _ if read.version.is_some_and(|asked| version != Some(asked.into())) => {
            malformed("it is of another version than was asked for")
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(version: Option<u32>, engine: KvEngine) -> KvRead {
        KvRead { mount: "secret".into(), path: "team-a/db".into(), version, engine }
    }

    #[test]
    fn a_version_2_path_gets_its_data_and_a_version_1_path_stays() {
        let two = request(&read(Some(3), KvEngine::V2));
        assert_eq!(
            (two.path.as_str(), two.query),
            ("secret/data/team-a/db", vec![("version".into(), "3".into())])
        );
        assert_eq!(request(&read(None, KvEngine::V1)).path.as_str(), "secret/team-a/db");
    }
}

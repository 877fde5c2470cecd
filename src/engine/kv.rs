//! Secrets of a KV engine: the request, the call, and the check of the response.

use http::{Method, StatusCode};
use serde_json::Value;

use super::{DataAt, Fetched};
use crate::error::Reason;
use crate::limits::Budget;
use crate::spec::{KvEngine, KvRead, Request};
use crate::vault::{Hint, Login, VaultError, VaultResponse};

/// Reads a secret, and checks that it is what `read` names.
pub(crate) async fn read(
    login: &Login,
    read: &KvRead,
    namespace: Option<&str>,
    budget: &Budget,
) -> Result<Fetched, VaultError> {
    let hinted = |error| with_engine_hint(read, error);
    let newest = login.call(&request(read), namespace, budget).await.map_err(hinted)?;
    check(read, &newest)?;
    let response = if read.previous {
        let read = KvRead { version: Some(previous(read, &newest)?), previous: false, ..read.clone() };
        let hinted = |error| with_engine_hint(&read, error);
        let response = login.call(&request(&read), namespace, budget).await.map_err(hinted)?;
        check(&read, &response)?;
        response
    } else {
        newest
    };
    let at = match read.engine {
        KvEngine::V1 => DataAt::Data,
        KvEngine::V2 => DataAt::DataData,
    };
    Ok(Fetched::VaultResponse(response, at))
}

/// The number of the version before the newest, by the metadata in the response to a read of the newest.
fn previous(read: &KvRead, newest: &VaultResponse) -> Result<u32, VaultError> {
    let metadata = newest.members().get("data").and_then(|data| data.get("metadata"));
    let number = metadata.and_then(|metadata| metadata.get("version")?.as_u64());
    let number = number.and_then(|number| u32::try_from(number).ok()?.checked_sub(1));
    // Version 1 has none before it: version 0 would be the newest again.
    number.filter(|number| *number > 0).ok_or_else(|| VaultError::Malformed {
        doing: format!("read the previous version of {}", request(read).path),
        why: "the secret has only one version: `version: -1` needs two",
    })
}

/// The request that reads the secret.
fn request(read: &KvRead) -> Request {
    let query = read.version.map(|version| ("version".to_owned(), version.to_string()));
    Request { method: Method::GET, path: read.sent_path(), query: query.into_iter().collect(), body: None }
}

/// The same error with what the class should say instead. A class that sets `engineVersion` has no path with `data/` that its author could correct. A
/// 404 of an engine of the other version does not say that the secret is absent, so no optional file goes for it.
fn with_engine_hint(read: &KvRead, mut error: VaultError) -> VaultError {
    if let (KvEngine::V2, Some(rest)) = (read.engine, read.path.strip_prefix("data/"))
        && let VaultError::Answered { status, hint, .. } = &mut error
        && matches!(*status, StatusCode::NOT_FOUND | StatusCode::FORBIDDEN)
    {
        *hint = Some(Hint::DataInPath(rest.to_owned()));
        return error;
    }
    if let (Some(version), VaultError::Answered { status, hint: hint @ None, .. }) =
        (read.version, &mut error)
        && *status == StatusCode::NOT_FOUND
    {
        *hint = Some(Hint::OfVersion(version));
    }
    if let VaultError::Answered { hint: Some(hint), reason, .. } = &mut error {
        let is_other_version = matches!(hint, Hint::Versioned(_) | Hint::Unversioned(_) | Hint::Engine(_));
        if is_other_version && *reason == Reason::NotFound {
            *reason = Reason::NoMount;
        }
        match hint {
            Hint::Versioned(_) => *hint = Hint::Engine(2),
            Hint::Unversioned(_) => *hint = Hint::Engine(1),
            _ => {}
        }
    }
    error
}

/// Checks that `response` is from an engine of the requested version, and has the requested version of the secret.
fn check(read: &KvRead, response: &VaultResponse) -> Result<(), VaultError> {
    let malformed = |why| Err(VaultError::Malformed { doing: format!("read {}", request(read).path), why });
    let Some(data) = response.members().get("data").and_then(Value::as_object) else {
        return malformed("it has no data");
    };
    let version = data.get("metadata").and_then(|metadata| metadata.get("version")?.as_u64());
    match read.engine {
        KvEngine::V1 => Ok(()),
        KvEngine::V2 if !data.get("data").is_some_and(Value::is_object) => {
            malformed("it is not from a KV v2 mount: set engineVersion: 1 if the mount is KV v1")
        }
        KvEngine::V2 if read.version.is_some_and(|requested| version != Some(requested.into())) => {
            malformed("it has another version of the secret than the requested one")
        }
        KvEngine::V2 => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(version: Option<u32>, engine: KvEngine) -> KvRead {
        KvRead { mount: "secret".into(), path: "team-a/db".into(), version, previous: false, engine }
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

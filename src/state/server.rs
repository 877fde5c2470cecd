//! A server in a form that never changes: every version of vaultmount must be able to revoke a token there.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::StateError;
use crate::spec::{ClientCertificate, ServerSpec, TlsSpec};

/// [`ServerSpec`] as it is stored. A member may be added with a default. No member is renamed or gets another meaning.
#[derive(Serialize, Deserialize)]
struct Form {
    address: String,
    #[serde(default)]
    configured: bool,
    #[serde(default)]
    namespace: Option<String>,
    #[serde(default)]
    tls: Tls,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Tls {
    ca_file: Option<PathBuf>,
    ca_directory: Option<PathBuf>,
    ca_bytes: Option<String>,
    server_name: Option<String>,
    client: Option<Client>,
    skip_verify: bool,
}

#[derive(Serialize, Deserialize)]
struct Client {
    certificate: PathBuf,
    key: PathBuf,
    #[serde(default)]
    configured: bool,
}

/// `server` in its stored form. Fails for a path that is no UTF-8.
pub(crate) fn write(server: &ServerSpec) -> Result<Value, StateError> {
    let tls = server.tls.clone();
    let form = Form {
        address: server.address.to_string(),
        configured: server.configured,
        namespace: server.namespace.clone(),
        tls: Tls {
            ca_file: tls.ca_file,
            ca_directory: tls.ca_directory,
            ca_bytes: tls.ca_bytes,
            server_name: tls.server_name,
            client: tls.client.map(|client| Client {
                certificate: client.certificate,
                key: client.key,
                configured: client.configured,
            }),
            skip_verify: tls.skip_verify,
        },
    };
    serde_json::to_value(form).map_err(|_| StateError::Path)
}

/// The server in `stored`; `None` when it is no server.
pub(crate) fn read(stored: &Value) -> Option<ServerSpec> {
    let Form { address, configured, namespace, tls } = Form::deserialize(stored).ok()?;
    let client = tls.client.map(|Client { certificate, key, configured }| ClientCertificate {
        certificate,
        key,
        configured,
    });
    let tls = TlsSpec {
        ca_file: tls.ca_file,
        ca_directory: tls.ca_directory,
        ca_bytes: tls.ca_bytes,
        server_name: tls.server_name,
        client,
        skip_verify: tls.skip_verify,
    };
    Some(ServerSpec { address: address.parse().ok()?, configured, namespace, tls })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_server_is_read_as_it_was_written() {
        let client =
            ClientCertificate { certificate: "/tls/crt".into(), key: "/tls/key".into(), configured: true };
        let tls = TlsSpec {
            ca_file: Some("/ca".into()),
            server_name: Some("vault".into()),
            client: Some(client),
            skip_verify: true,
            ..TlsSpec::default()
        };
        for address in ["https://vault:8200/prefix", "unix:///run/agent.sock"] {
            let server = ServerSpec {
                address: address.parse().unwrap(),
                configured: true,
                namespace: Some("team-a".into()),
                tls: tls.clone(),
            };
            assert_eq!(read(&write(&server).unwrap()), Some(server));
        }
    }

    #[test]
    fn members_that_another_version_lacks_or_adds_do_no_harm() {
        let server =
            read(&json!({"address": "http://vault:8200", "later": {"x": 1}, "tls": {"later": 1}})).unwrap();
        assert_eq!(
            (server.address.to_string().as_str(), server.configured, server.tls),
            ("http://vault:8200", false, TlsSpec::default())
        );
        for none in [json!(null), json!({}), json!({"address": "vault"}), json!("http://vault:8200")] {
            assert_eq!(read(&none), None, "{none}");
        }
    }
}

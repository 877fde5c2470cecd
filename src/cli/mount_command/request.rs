//! The MountRequest that driver 1.6 would send for a pod's first mount.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::MountArgs;
use crate::cli::mount_command::manifest::Class;
use crate::provider_api::MountRequest;
use crate::secret::Secret;

/// Go's `FileMode` 0644 as JSON. The driver always sends this value.
const PERMISSION: &str = "420";

/// The driver's value for a volume without `nodePublishSecretRef`: a nil map.
const NO_SECRETS: &str = "null";

/// Why the request cannot be built. Contains no token.
#[derive(Debug, Error)]
pub(crate) enum RequestError {
    /// The file does not exist, or may not be read.
    #[error("token file {path}: cannot be read")]
    TokenUnreadable {
        /// The file.
        path: PathBuf,
        /// The error of the system call.
        #[source]
        source: io::Error,
    },
    /// The file is empty, or not text.
    #[error(
        "token file {path}: contains no token; create one with `kubectl create token NAME --audience vault`"
    )]
    NoToken {
        /// The file.
        path: PathBuf,
    },
}

/// Builds the request for `class` and the pod of `args`.
pub(crate) fn build(class: &Class, args: &MountArgs) -> Result<MountRequest, RequestError> {
    let attributes = attributes(class, args, read_token(args)?.as_ref());
    Ok(MountRequest {
        attributes: json!(attributes).to_string(),
        secrets: NO_SECRETS.into(),
        target_path: args.target.display().to_string(),
        permission: PERMISSION.into(),
        current_object_version: Vec::new(),
    })
}

/// The class's parameters, overridden by the kubelet's attributes of the pod, as in the driver; then the token.
fn attributes(class: &Class, args: &MountArgs, token: Option<&Secret>) -> BTreeMap<String, String> {
    let name = args.pod_name.as_ref().unwrap_or(&args.service_account);
    let uid = args.pod_uid.clone().unwrap_or_else(|| uid(&args.namespace, name));
    let mut all = class.parameters.clone();
    all.extend([
        ("secretProviderClass".into(), class.name.clone()),
        ("csi.storage.k8s.io/pod.name".into(), name.clone()),
        ("csi.storage.k8s.io/pod.namespace".into(), args.namespace.clone()),
        ("csi.storage.k8s.io/pod.uid".into(), uid),
        ("csi.storage.k8s.io/serviceAccount.name".into(), args.service_account.clone()),
        ("csi.storage.k8s.io/ephemeral".into(), "true".into()),
    ]);
    // The token goes only to the provider, like a token of the kubelet.
    if let Some(token) = token.and_then(Secret::expose_text) {
        let tokens = json!({ &args.audience: { "token": token, "expirationTimestamp": expiry(token) } });
        all.insert("csi.storage.k8s.io/serviceAccount.tokens".into(), tokens.to_string());
    }
    all
}

fn read_token(args: &MountArgs) -> Result<Option<Secret>, RequestError> {
    let Some(path) = &args.token_file else { return Ok(None) };
    let file = Secret::from(
        fs::read(path).map_err(|source| RequestError::TokenUnreadable { path: path.clone(), source })?,
    );
    // Without the line break that editors and shells append.
    match file.expose_text().map(str::trim) {
        None | Some("") => Err(RequestError::NoToken { path: path.clone() }),
        Some(token) => Ok(Some(Secret::from(token))),
    }
}

/// The expiry of `token` in the kubelet's format (RFC 3339), from its claim `exp`, which is not verified; 1970 if it has none.
fn expiry(token: &str) -> String {
    let claims = token.split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
    let claims = claims.and_then(|json| serde_json::from_slice::<Value>(&json).ok()).unwrap_or_default();
    let end =
        claims.get("exp").and_then(Value::as_i64).and_then(|seconds| Timestamp::from_second(seconds).ok());
    end.unwrap_or_default().to_string()
}

/// A uid in the format of Kubernetes, always the same for a pod's name, so that a second mount concerns the same volume.
fn uid(namespace: &str, name: &str) -> String {
    let digest = Sha256::digest(format!("{namespace}/{name}"));
    let hex: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        mount: MountArgs,
    }

    fn args(more: &[&str]) -> MountArgs {
        Cli::parse_from(
            ["mount", "--class=c.yaml", "--target=/t", "--namespace=team-a", "--service-account=web"]
                .iter()
                .chain(more),
        )
        .mount
    }

    fn class(parameters: &[(&str, &str)]) -> Class {
        let parameters = parameters.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        Class { name: "db".into(), provider: "vault".into(), parameters }
    }

    #[test]
    fn a_request_has_the_form_of_the_drivers() {
        let request = build(&class(&[("roleName", "app")]), &args(&[])).unwrap();
        let attributes: Value = serde_json::from_str(&request.attributes).unwrap();
        let expected = json!({
            "roleName": "app",
            "secretProviderClass": "db",
            "csi.storage.k8s.io/pod.name": "web",
            "csi.storage.k8s.io/pod.namespace": "team-a",
            "csi.storage.k8s.io/pod.uid": uid("team-a", "web"),
            "csi.storage.k8s.io/serviceAccount.name": "web",
            "csi.storage.k8s.io/ephemeral": "true",
        });
        assert_eq!(attributes, expected);
        assert_eq!(
            (request.secrets.as_str(), request.permission.as_str(), request.target_path.as_str()),
            ("null", "420", "/t")
        );
    }

    #[test]
    fn a_class_cannot_override_the_attributes_of_the_pod() {
        let request =
            build(&class(&[("csi.storage.k8s.io/pod.namespace", "kube-system")]), &args(&[])).unwrap();
        assert!(!request.attributes.contains("kube-system"));
    }

    #[test]
    fn the_token_is_sent_with_its_audience_and_expiry() {
        let token = format!("h.{}.s", URL_SAFE_NO_PAD.encode(r#"{"exp":1763718487}"#));
        let all = attributes(&class(&[]), &args(&["--audience=bao"]), Some(&Secret::from(token.clone())));
        let tokens: Value = serde_json::from_str(&all["csi.storage.k8s.io/serviceAccount.tokens"]).unwrap();
        assert_eq!(
            tokens,
            json!({ "bao": { "token": token, "expirationTimestamp": "2025-11-21T09:48:07Z" } })
        );
    }

    #[test]
    fn uids_have_the_format_of_kubernetes_and_differ_between_pods() {
        assert_eq!(uid("a", "b").split('-').map(str::len).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
        assert_ne!(uid("a", "b"), uid("a", "c"));
    }

    #[test]
    fn the_error_about_an_empty_token_file_names_the_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().display().to_string();
        let error = build(&class(&[]), &args(&["--token-file", &path])).err().unwrap();
        assert!(error.to_string().contains(&path), "{error}");
    }
}

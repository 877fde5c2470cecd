//! The PKI engine: certificates that Vault issues, or signs for a key of this node, and the CAs of a mount.

use std::sync::LazyLock;

use http::Method;
use serde_json::{Map, Value, json};

use super::{EngineError, FetchError, Fetched, Responses};
use crate::blocking;
use crate::certificate::{Authorities, CertificateError, Identity, Issued, NodeKey};
use crate::error::Reason;
use crate::limits::Budget;
use crate::limits::limiter::FairLimiter;
use crate::secret::{Secret, WipedMap};
use crate::spec::{
    Body, CertificateRequest, KeyAlgorithm, KeyForm, KeyPlace, KeyType, Keystore, Part, Request, Source,
    VaultPath,
};
use crate::vault::{Login, VaultResponse};

/// Requests a certificate. Generates the key on this node if the class says so.
pub(crate) async fn certificate(
    login: &Login,
    requested: &CertificateRequest,
    namespace: Option<&str>,
    budget: &Budget,
) -> Result<Fetched, EngineError> {
    let key = match requested.key {
        KeyPlace::Vault => None,
        KeyPlace::Node(kind) => Some(node_key(kind, budget).await?),
    };
    let refused = |error| EngineError::Certificate {
        role: format!("{}/roles/{}", requested.mount, requested.role),
        error,
    };
    let csr = key.as_ref().map(|key| key.csr(requested)).transpose().map_err(refused)?;
    let response = login.call(&request(requested, csr.as_deref()), namespace, budget).await?;
    let identity = identity(requested, &response, key).map_err(refused)?;
    Ok(Fetched::Certificate(Box::new(identity), response))
}

/// One key is generated at a time: an RSA key takes a core for up to seconds, and classes may request hundreds.
static KEY_GENERATION: LazyLock<FairLimiter> = LazyLock::new(FairLimiter::one_at_a_time);

/// Generates a key on this node.
async fn node_key(kind: KeyType, budget: &Budget) -> Result<NodeKey, EngineError> {
    let failed = |reason, what: String| EngineError::Origin(FetchError::new(reason, what));
    let timed_out = |_| {
        let what = "timed out while this node generated other private keys; the kubelet will retry";
        failed(Reason::Overload, what.into())
    };
    let permit = KEY_GENERATION.acquire(budget.namespace(), budget.end()).await.map_err(timed_out)?;
    // The permit belongs to the computation: if the mount is cancelled, the computation still occupies its core until it ends.
    let generate = move || {
        let _permit = permit;
        NodeKey::generate(kind)
    };
    let generated = tokio::task::spawn_blocking(generate).await;
    generated
        .map_err(|_| failed(Reason::Bug, "generating a private key panicked".into()))?
        .map_err(|error| failed(Reason::Bug, error.to_string()))
}

/// The call: `sign` with a CSR, `issue` without one.
fn request(requested: &CertificateRequest, csr: Option<&str>) -> Request {
    let addresses: Vec<_> = requested.ip_sans.iter().map(ToString::to_string).collect();
    let options = &requested.options;
    let texts = [
        ("common_name", requested.common_name.clone()),
        ("alt_names", requested.alt_names.join(",")),
        ("ip_sans", addresses.join(",")),
        ("uri_sans", requested.uri_sans.join(",")),
        ("ttl", requested.ttl.clone().unwrap_or_default()),
        ("csr", csr.unwrap_or_default().to_owned()),
        ("other_sans", options.other_sans.join(",")),
        ("serial_number", options.serial_number.clone().unwrap_or_default()),
        ("not_after", options.not_after.clone().unwrap_or_default()),
        ("user_ids", options.user_ids.join(",")),
    ];
    let mut body: Map<String, Value> = texts
        .into_iter()
        .filter(|(_, text)| !text.is_empty())
        .map(|(name, text)| (name.into(), text.into()))
        .collect();
    body.insert("format".into(), json!("pem"));
    let call = if csr.is_some() { "sign" } else { "issue" };
    if options.exclude_cn {
        body.insert("exclude_cn_from_sans".into(), json!(true));
    }
    if let Some(kind) = options.key_type {
        let algorithm = match kind.algorithm() {
            KeyAlgorithm::Rsa => "rsa",
            KeyAlgorithm::Ec => "ec",
            KeyAlgorithm::Ed25519 => "ed25519",
        };
        body.insert("key_type".into(), json!(algorithm));
        body.insert("key_bits".into(), json!(kind.bits()));
    }
    let path = match &options.issuer {
        Some(issuer) => VaultPath::join(&[&requested.mount, "issuer", issuer, call, &requested.role]),
        None => VaultPath::join(&[&requested.mount, call, &requested.role]),
    };
    Request { method: Method::POST, path, query: Vec::new(), body: Some(Body::new(&Value::Object(body))) }
}

/// The certificate in `response`, checked against the request and against `key`, the key that this node generated.
pub(crate) fn identity(
    requested: &CertificateRequest,
    response: &VaultResponse,
    key: Option<NodeKey>,
) -> Result<Identity, CertificateError> {
    let data = response.members().get("data").and_then(Value::as_object);
    let text = |name: &str| data.and_then(|data| data.get(name)?.as_str()).filter(|text| !text.is_empty());
    let chain = data.and_then(|data| data.get("ca_chain")?.as_array());
    let issued = Issued {
        certificate: text("certificate").unwrap_or_default(),
        issuing_ca: text("issuing_ca").unwrap_or_default(),
        ca_chain: chain.into_iter().flatten().filter_map(Value::as_str).collect(),
        private_key: text("private_key"),
    };
    Identity::new(requested, &issued, key)
}

/// Reads the CAs of a mount. Issues nothing and needs no policy.
///
/// The chain of a root CA is the root itself, or empty with servers that leave roots out of chains; then the CA is read by a second call.
pub(crate) async fn authorities(
    login: &Login,
    mount: &str,
    namespace: Option<&str>,
    budget: &Budget,
) -> Result<Fetched, EngineError> {
    let read = |serial| {
        let request = Request {
            method: Method::GET,
            path: VaultPath::join(&[mount, "cert", serial]),
            query: Vec::new(),
            body: None,
        };
        async move { login.call(&request, namespace, budget).await }
    };
    let mut response = read("ca_chain").await?;
    if certificates(&response).is_none() {
        response = read("ca").await?;
    }
    let refused = |error| EngineError::Certificate { role: format!("{mount}/cert/ca"), error };
    let authorities = Authorities::new(&[certificates(&response).unwrap_or_default()]).map_err(refused)?;
    Ok(Fetched::Authorities(Box::new(authorities), response))
}

/// The certificates in a response to `cert/<serial>`, all in one text; `None` if there is none.
fn certificates(response: &VaultResponse) -> Option<&str> {
    response.members().get("data")?.get("certificate")?.as_str().filter(|text| !text.is_empty())
}

/// The content of a file that shows `part` of the certificate `source`.
pub(crate) fn part(responses: &Responses<'_>, source: &Source, part: &Part) -> Result<Secret, FetchError> {
    let fetched = responses.get(source)?;
    let refused = |error: CertificateError| FetchError::new(error.reason(), format!("{source}: {error}"));
    let password = |store: &Keystore| responses.bytes(&store.password);
    match (fetched, part) {
        (Fetched::Certificate(identity, _), Part::Keystore(store)) => {
            let password = password(store)?;
            blocking::run(|| identity.keystore(store.form, &store.alias, &password)).map_err(refused)
        }
        (Fetched::Certificate(identity, _), Part::Truststore(store)) => {
            let password = password(store)?;
            blocking::run(|| identity.authorities().truststore(store.form, &store.alias, &password))
                .map_err(refused)
        }
        (Fetched::Authorities(authorities, _), Part::Truststore(store)) => {
            let password = password(store)?;
            blocking::run(|| authorities.truststore(store.form, &store.alias, &password)).map_err(refused)
        }
        (Fetched::Certificate(identity, _), part) => of_identity(identity, part).map_err(refused),
        (Fetched::Authorities(authorities, _), part) => of_authorities(authorities, part).map_err(refused),
        (Fetched::VaultResponse(..) | Fetched::Text(..), _) => {
            Err(FetchError::new(Reason::Bug, format!("{source} is not a certificate")))
        }
    }
}

fn of_identity(identity: &Identity, part: &Part) -> Result<Secret, CertificateError> {
    match part {
        Part::Certificate => identity.certificate().map(Secret::from),
        Part::CertificateChain => identity.certificate_chain().map(Secret::from),
        Part::FullChain => identity.full_chain().map(Secret::from),
        Part::PrivateKey(form) => identity.private_key(*form),
        Part::Bundle(form) => identity.bundle(*form),
        Part::Chain | Part::IssuingCa | Part::Ca | Part::Keystore(_) | Part::Truststore(_) => {
            of_authorities(identity.authorities(), part)
        }
    }
}

/// A class cannot name any other part of a mount's CAs: the parser refuses it.
fn of_authorities(authorities: &Authorities, part: &Part) -> Result<Secret, CertificateError> {
    match part {
        Part::Chain => authorities.chain().map(Secret::from),
        Part::IssuingCa => authorities.issuing_ca().map(Secret::from),
        Part::Ca
        | Part::Certificate
        | Part::CertificateChain
        | Part::FullChain
        | Part::PrivateKey(_)
        | Part::Bundle(_)
        | Part::Keystore(_)
        | Part::Truststore(_) => authorities.ca().map(Secret::from),
    }
}

/// All parts that are text, by their names in a class: the value that templates get of a certificate.
pub(crate) fn texts(fetched: &Fetched) -> Result<WipedMap, CertificateError> {
    let parts: &[(&str, Part)] = match fetched {
        Fetched::Certificate(..) => &[
            ("certificate", Part::Certificate),
            ("certificateChain", Part::CertificateChain),
            ("fullChain", Part::FullChain),
            ("privateKey", Part::PrivateKey(KeyForm::Pkcs8)),
            ("chain", Part::Chain),
            ("issuingCa", Part::IssuingCa),
            ("ca", Part::Ca),
        ],
        Fetched::Authorities(..) | Fetched::VaultResponse(..) | Fetched::Text(..) => {
            &[("chain", Part::Chain), ("issuingCa", Part::IssuingCa), ("ca", Part::Ca)]
        }
    };
    let text = |part: &Part| match fetched {
        Fetched::Certificate(identity, _) => of_identity(identity, part),
        Fetched::Authorities(authorities, _) => of_authorities(authorities, part),
        Fetched::VaultResponse(..) | Fetched::Text(..) => Ok(Secret::from("")),
    };
    let mut texts = WipedMap::default();
    for (name, part) in parts {
        // Into the template's sources, which are wiped.
        let value = Value::from(text(part)?.expose_text().unwrap_or_default());
        texts.insert((*name).to_owned(), value.into());
    }
    Ok(texts)
}

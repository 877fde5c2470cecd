//! Certificates: issued, or signed for a key of this node, and the CAs of a mount.

use std::sync::LazyLock;

use http::Method;
use serde_json::{Map, Value, json};
use tokio::time::timeout_at;

use super::{EngineError, FetchError, Fetched, Responses};
use crate::blocking;
use crate::certificate::{Authorities, CertificateError, Identity, Issued, NodeKey};
use crate::engine::queue::Queue;
use crate::error::Reason;
use crate::limits::Budget;
use crate::secret::Secret;
use crate::spec::VaultPath;
use crate::spec::{Body, CertificateRequest, KeyForm, KeyPlace, KeyType, Keystore, Part, Request, Source};
use crate::vault::{Login, VaultResponse};

/// Asks for a certificate, with a key that is made here where the class says so.
pub(crate) async fn certificate(
    login: &Login,
    ask: &CertificateRequest,
    namespace: Option<&str>,
    budget: &Budget,
) -> Result<Fetched, EngineError> {
    let node = match ask.key {
        KeyPlace::Vault => None,
        KeyPlace::Node(kind) => Some(node_key(kind, budget).await?),
    };
    let refused =
        |error| EngineError::Certificate { role: format!("{}/roles/{}", ask.mount, ask.role), error };
    let csr = node.as_ref().map(|key| key.csr(ask)).transpose().map_err(refused)?;
    let answer = login.call(&request(ask, csr.as_deref()), namespace, budget).await?;
    let identity = identity(ask, &answer, node).map_err(refused)?;
    Ok(Fetched::Certificate(Box::new(identity), answer))
}

/// Who makes keys: one of RSA takes a core for up to seconds, and classes may ask for hundreds.
static MAKER: LazyLock<Queue> = LazyLock::new(Queue::default);

/// A new key of this node.
async fn node_key(kind: KeyType, budget: &Budget) -> Result<NodeKey, EngineError> {
    let late = |_| {
        EngineError::Origin(FetchError {
            reason: Reason::Overload,
            what: "other keys of this node took the time of the mount".into(),
        })
    };
    let turn = timeout_at(budget.end(), MAKER.turn(budget.namespace())).await.map_err(late)?;
    // Who no longer waits has the maker busy all the same.
    let make = move || {
        let _turn = turn;
        NodeKey::generate(kind)
    };
    let made = tokio::task::spawn_blocking(make).await;
    let broken = |what: String| EngineError::Origin(FetchError { reason: Reason::Bug, what });
    made.map_err(|_| broken("making a key ended in a panic".into()))?
        .map_err(|error| broken(error.to_string()))
}

/// The call for `ask`: `sign` with a CSR, `issue` without.
fn request(ask: &CertificateRequest, csr: Option<&str>) -> Request {
    let addresses: Vec<_> = ask.ip_sans.iter().map(ToString::to_string).collect();
    let texts = [
        ("common_name", ask.common_name.clone()),
        ("alt_names", ask.alt_names.join(",")),
        ("ip_sans", addresses.join(",")),
        ("uri_sans", ask.uri_sans.join(",")),
        ("ttl", ask.ttl.clone().unwrap_or_default()),
        ("csr", csr.unwrap_or_default().to_owned()),
    ];
    let mut body: Map<String, Value> = texts
        .into_iter()
        .filter(|(_, text)| !text.is_empty())
        .map(|(name, text)| (name.into(), text.into()))
        .collect();
    body.insert("format".into(), json!("pem"));
    let call = if csr.is_some() { "sign" } else { "issue" };
    let path = VaultPath::join(&[&ask.mount, call, &ask.role]);
    Request { method: Method::POST, path, query: Vec::new(), body: Some(Body::new(&Value::Object(body))) }
}

/// The certificate in `answer`, held against `ask` and the key.
pub(crate) fn identity(
    ask: &CertificateRequest,
    answer: &VaultResponse,
    node: Option<NodeKey>,
) -> Result<Identity, CertificateError> {
    let data = answer.members().get("data").and_then(Value::as_object);
    let text = |name: &str| data.and_then(|data| data.get(name)?.as_str()).filter(|text| !text.is_empty());
    let chain = data.and_then(|data| data.get("ca_chain")?.as_array());
    let issued = Issued {
        certificate: text("certificate").unwrap_or_default(),
        issuing_ca: text("issuing_ca").unwrap_or_default(),
        ca_chain: chain.into_iter().flatten().filter_map(Value::as_str).collect(),
        private_key: text("private_key"),
    };
    Identity::new(ask, &issued, node)
}

/// Reads the CAs of a mount; nothing is issued, and no policy is needed.
///
/// The chain of a root is the root itself, or nothing with servers that leave roots out of chains: then it is asked for alone.
pub(crate) async fn authorities(
    login: &Login,
    mount: &str,
    namespace: Option<&str>,
    budget: &Budget,
) -> Result<Fetched, EngineError> {
    let ask = |serial| {
        let request = Request {
            method: Method::GET,
            path: VaultPath::join(&[mount, "cert", serial]),
            query: Vec::new(),
            body: None,
        };
        async move { login.call(&request, namespace, budget).await }
    };
    let mut answer = ask("ca_chain").await?;
    if held(&answer).is_none() {
        answer = ask("ca").await?;
    }
    let refused = |error| EngineError::Certificate { role: format!("{mount}/cert/ca"), error };
    let authorities = Authorities::new(&[held(&answer).unwrap_or_default()]).map_err(refused)?;
    Ok(Fetched::Authorities(Box::new(authorities), answer))
}

/// The certificates of an answer to `cert/<serial>`, all in one text; `None` without any.
fn held(answer: &VaultResponse) -> Option<&str> {
    answer.members().get("data")?.get("certificate")?.as_str().filter(|text| !text.is_empty())
}

/// The part of `source` that a file shows.
pub fn part(answers: &Responses<'_>, source: &Source, part: &Part) -> Result<Secret, FetchError> {
    let fetched = answers.of(source)?;
    let refused =
        |error: CertificateError| FetchError { reason: error.reason(), what: format!("{source}: {error}") };
    let password = |store: &Keystore| answers.bytes(&store.password);
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
            Err(FetchError { reason: Reason::Bug, what: format!("{source} is no certificate") })
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
        part => of_authorities(identity.authorities(), part),
    }
}

/// `Part` has nothing else that a class can ask of CAs alone.
fn of_authorities(authorities: &Authorities, part: &Part) -> Result<Secret, CertificateError> {
    match part {
        Part::Chain => authorities.chain().map(Secret::from),
        Part::IssuingCa => authorities.issuing_ca().map(Secret::from),
        _ => authorities.ca().map(Secret::from),
    }
}

/// All parts that are text, by their names in a class: what a template sees of a certificate.
pub(crate) fn texts(fetched: &Fetched) -> Result<Map<String, Value>, CertificateError> {
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
        _ => &[("chain", Part::Chain), ("issuingCa", Part::IssuingCa), ("ca", Part::Ca)],
    };
    let text = |part: &Part| match fetched {
        Fetched::Certificate(identity, _) => of_identity(identity, part),
        Fetched::Authorities(authorities, _) => of_authorities(authorities, part),
        Fetched::VaultResponse(..) | Fetched::Text(..) => Ok(Secret::from("")),
    };
    parts
        .iter()
        .map(|(name, part)| Ok(((*name).to_owned(), text(part)?.expose_text().unwrap_or_default().into())))
        .collect()
}

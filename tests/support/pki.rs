//! CAs in PKI mounts, and programs that read their certificates.

use serde_json::{Value, json};

use super::class::{Class, object};
use super::openbao::Vault;
use super::tools::tool;
use super::volume::Volume;

impl Vault {
    /// A root at the mount `root`, and at `pki` a CA that it signed, with the root's certificate; each has the role `web`.
    pub(crate) async fn authorities(&self) {
        self.root_authority("root").await;
        self.intermediate("pki").await;
        let root = self.authority("root").await;
        self.write("pki/issuers/import/cert", json!({ "pem_bundle": root })).await;
    }

    /// A root at `mount`.
    pub(crate) async fn root_authority(&self, mount: &str) {
        self.enable(mount, "pki", json!({})).await;
        self.write(
            &format!("{mount}/root/generate/internal"),
            json!({ "common_name": "Example Root", "key_type": "ec" }),
        )
        .await;
        self.certificates(mount, "web", json!({})).await;
    }

    /// A CA at `mount` that `root` signed, without the root's certificate.
    pub(crate) async fn intermediate(&self, mount: &str) {
        self.enable(mount, "pki", json!({})).await;
        let path = format!("{mount}/intermediate/generate/internal");
        let request = self.write(&path, json!({ "common_name": "Example Issuing", "key_type": "ec" })).await;
        let signed = self
            .write("root/root/sign-intermediate", json!({ "csr": request["data"]["csr"], "ttl": "700h" }))
            .await;
        self.write(
            &format!("{mount}/intermediate/set-signed"),
            json!({ "certificate": signed["data"]["certificate"] }),
        )
        .await;
        self.certificates(mount, "web", json!({})).await;
    }

    /// A role for names below `example.com`, addresses and SPIFFE IDs, with `changes`; the policy `web` may issue and sign with it.
    pub(crate) async fn certificates(&self, mount: &str, role: &str, changes: Value) {
        let mut whole = json!({
            "allowed_domains": ["example.com"], "allow_subdomains": true, "allow_ip_sans": true, "allowed_uri_sans": ["spiffe://example.com/*"],
            "key_type": "ec", "ttl": "24h", "max_ttl": "72h",
        });
        whole.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        self.write(&format!("{mount}/roles/{role}"), whole).await;
        for call in ["issue", "sign"] {
            self.allow(&format!("{mount}/{call}/{role}"), &["update"]).await;
        }
    }

    /// The certificate of the mount's own CA.
    pub(crate) async fn authority(&self, mount: &str) -> String {
        let answer = self.call(reqwest::Method::GET, "", &format!("{mount}/cert/ca"), &json!({})).await;
        answer["data"]["certificate"].as_str().unwrap().trim_end().to_owned() + "\n"
    }
}

/// A class of one certificate of the role `web` at `pki`, with a file `<part>` for each of `parts`.
pub(crate) fn certificate(ask: Value, parts: &[&str]) -> Class {
    let files: Vec<_> = parts.iter().map(|part| json!({ "objectName": part, "part": part })).collect();
    issued(ask, &Value::from(files))
}

/// The same with these files.
pub(crate) fn issued(ask: Value, files: &Value) -> Class {
    let mut whole = json!({ "mount": "pki", "role": "web" });
    whole.as_object_mut().unwrap().extend(ask.as_object().unwrap().clone());
    object(json!({ "pki": whole, "files": files }))
}

/// Output of OpenSSL.
pub(crate) fn openssl(arguments: &[&str], input: &str) -> String {
    tool("openssl", arguments, input.as_bytes())
}

/// The text form of a certificate.
pub(crate) fn certificate_text(certificate: &str) -> String {
    openssl(&["x509", "-noout", "-text", "-nameopt", "RFC2253"], certificate)
}

/// The public key of a certificate.
pub(crate) fn certified_key(certificate: &str) -> String {
    openssl(&["x509", "-noout", "-pubkey"], certificate)
}

/// The public key of a private key.
pub(crate) fn public_key(key: &str) -> String {
    openssl(&["pkey", "-pubout"], key)
}

impl Volume<'_> {
    /// The labels of the file's PEM blocks, in order.
    pub(crate) fn labels(&self, name: &str) -> Vec<String> {
        let text = self.read(name);
        text.lines()
            .filter_map(|line| line.strip_prefix("-----BEGIN ")?.strip_suffix("-----"))
            .map(Into::into)
            .collect()
    }
}

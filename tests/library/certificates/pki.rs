//! CAs, certificate requests and responses, all created by OpenSSL.

use std::fs;

use crate::certificate::{Identity, Issued, NodeKey};
use crate::spec::{CertificateRequest, KeyPlace, KeyType};
use tempfile::TempDir;

use crate::library::tools::tool;

/// A root, a CA below it, and the certificates that they sign.
pub(crate) struct Pki(pub(crate) TempDir);

impl Pki {
    pub(crate) fn new() -> Self {
        let pki = Self(TempDir::new().unwrap());
        let (root, low) = (pki.path("root"), pki.path("low"));
        openssl(
            &[
                "req",
                "-x509",
                "-newkey",
                "rsa:2048",
                "-nodes",
                "-subj",
                "/CN=root",
                "-keyout",
                &root,
                "-out",
                &format!("{root}.pem"),
            ],
            "",
        );
        openssl(&["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384", "-out", &low], "");
        let request = openssl(
            &[
                "req",
                "-new",
                "-key",
                &low,
                "-subj",
                "/CN=low",
                "-addext",
                "basicConstraints=critical,CA:TRUE",
            ],
            "",
        );
        fs::write(pki.path("low.pem"), pki.sign("root", &request)).unwrap();
        pki
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.0.path().join(name).into_os_string().into_string().unwrap()
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    pub(crate) fn write(&self, name: &str, content: &[u8]) -> String {
        fs::write(self.path(name), content).unwrap();
        self.path(name)
    }

    pub(crate) fn sign(&self, ca: &str, request: &str) -> String {
        let (key, certificate) = (self.path(ca), self.path(&format!("{ca}.pem")));
        openssl(
            &[
                "x509",
                "-req",
                "-CA",
                &certificate,
                "-CAkey",
                &key,
                "-days",
                "3",
                "-copy_extensions",
                "copyall",
            ],
            request,
        )
    }

    /// The response of a role's `sign`.
    pub(crate) fn sign_node_key(&self, kind: KeyType) -> Identity {
        let key = NodeKey::generate(kind).unwrap();
        let leaf = self.sign("low", &key.csr(&ask()).unwrap());
        self.identity(&leaf, None, Some(key))
    }

    /// The response of `issue`, with a key in the form that OpenSSL writes.
    pub(crate) fn issue(&self, key: &str) -> Identity {
        let file = self.write("leaf.key", key.as_bytes());
        let names = "subjectAltName=DNS:web.example,DNS:*.web.example,email:ops@example,IP:10.0.0.7,IP:fd00::7,URI:spiffe://example/web";
        let leaf = self.sign(
            "low",
            &openssl(&["req", "-new", "-key", &file, "-subj", "/CN=web.example", "-addext", names], ""),
        );
        self.write("leaf.pem", leaf.as_bytes());
        self.identity(&leaf, Some(key), None)
    }

    pub(crate) fn identity(&self, leaf: &str, private_key: Option<&str>, node: Option<NodeKey>) -> Identity {
        let (low, root) = (self.read("low.pem"), self.read("root.pem"));
        let issued = Issued { certificate: leaf, issuing_ca: &low, ca_chain: vec![&root, &low], private_key };
        Identity::new(&ask(), &issued, node).unwrap()
    }
}

pub(crate) fn ask() -> CertificateRequest {
    CertificateRequest {
        mount: "pki".to_owned(),
        role: "web".to_owned(),
        common_name: "web.example".to_owned(),
        alt_names: vec!["web.example".to_owned(), "*.web.example".to_owned(), "ops@example".to_owned()],
        ip_sans: vec!["10.0.0.7".parse().unwrap(), "fd00::7".parse().unwrap()],
        uri_sans: vec!["spiffe://example/web".to_owned()],
        ttl: None,
        key: KeyPlace::Vault,
        options: Default::default(),
    }
}

pub(crate) fn openssl(arguments: &[&str], input: &str) -> String {
    tool("openssl", arguments, input.as_bytes())
}

pub(crate) fn keytool(arguments: &[&str]) -> String {
    tool("keytool", &[&["-J-XX:TieredStopAtLevel=1"], arguments].concat(), b"")
}

pub(crate) fn genpkey(options: &[&str]) -> String {
    openssl(&[&["genpkey"], options].concat(), "")
}

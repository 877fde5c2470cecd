//! Certificates of pods, checked with openssl and the API server.

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use super::cluster::{state, try_kubectl};
use super::tool;

/// Whether `key` is the private key of the first certificate in `certificates`.
pub(crate) fn belong_together(certificates: &str, key: &str) -> bool {
    let certified = tool("openssl", &["x509", "-noout", "-pubkey"], certificates.as_bytes());
    certified == tool("openssl", &["pkey", "-pubout"], key.as_bytes())
}

/// Fails when the first certificate in `certificates` has ended.
pub(crate) fn is_valid(certificates: &str) {
    tool("openssl", &["x509", "-noout", "-checkend", "0"], certificates.as_bytes());
}

/// The subject of the first certificate in `certificates`, as in `CN=jane,O=readers`.
pub(crate) fn subject(certificates: &str) -> String {
    let line =
        tool("openssl", &["x509", "-noout", "-subject", "-nameopt", "RFC2253"], certificates.as_bytes());
    line.trim().trim_start_matches("subject=").into()
}

/// The certificate of the root that signed OpenBao's intermediate at `pki_int`.
pub(crate) fn offline_root() -> String {
    fs::read_to_string(state("pki/offline.crt")).unwrap()
}

/// A client certificate with its chain, and its key, as files for programs that take nothing else.
pub(crate) struct Identity(TempDir);

impl Identity {
    pub(crate) fn new(chain: &str, key: &str) -> Self {
        let dir = TempDir::new().unwrap();
        fs::write(dir.path().join("tls.crt"), chain).unwrap();
        fs::write(dir.path().join("tls.key"), key).unwrap();
        Self(dir)
    }

    /// Fails unless openssl verifies its certificate, through the other certificates of its chain, with `root` as the only trusted CA.
    pub(crate) fn leads_to(&self, root: &str) {
        let (chain, trusted) = (self.path("tls.crt"), self.path("root.crt"));
        fs::write(&trusted, root).unwrap();
        let (chain, trusted) = (chain.to_str().unwrap(), trusted.to_str().unwrap());
        tool(
            "openssl",
            &["verify", "-no-CApath", "-no-CAstore", "-CAfile", trusted, "-untrusted", chain, chain],
            b"",
        );
    }

    /// Runs kubectl with this client certificate.
    pub(crate) fn kubectl(&self, arguments: &[&str]) -> Result<String, String> {
        let [chain, key] = ["tls.crt", "tls.key"].map(|file| self.path(file));
        let own =
            [format!("--client-certificate={}", chain.display()), format!("--client-key={}", key.display())];
        try_kubectl(&[&own.each_ref().map(String::as_str), arguments].concat())
    }

    fn path(&self, file: &str) -> PathBuf {
        self.0.path().join(file)
    }
}

//! CAs and certificates, created for each test.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};
use tempfile::TempDir;

use super::openbao::Listener;
use super::pki::openssl;

/// A CA, and the directory with its files.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    home: TempDir,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let home = TempDir::new().unwrap();
        fs::create_dir(home.path().join("ca.d")).unwrap();
        fs::write(home.path().join("ca.d/ca.pem"), issuer.pem()).unwrap();
        Self { issuer, home }
    }

    pub(crate) fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// A directory that contains only its certificate.
    pub(crate) fn directory(&self) -> PathBuf {
        self.home.path().join("ca.d")
    }

    /// Its certificate, in a file.
    pub(crate) fn file(&self) -> PathBuf {
        self.directory().join("ca.pem")
    }

    /// A certificate for `names` and its key, in files.
    pub(crate) fn certificate(&self, names: &[&str]) -> (PathBuf, PathBuf) {
        let mut params =
            CertificateParams::new(names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>()).unwrap();
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let place = |kind: &str| self.home.path().join(format!("{}.{kind}", names[0]));
        fs::write(place("crt"), certificate.pem()).unwrap();
        fs::write(place("key"), key.serialize_pem()).unwrap();
        (place("crt"), place("key"))
    }

    /// A listener for `names`.
    pub(crate) fn listener(&self, names: &[&str]) -> Listener {
        Listener { certificate_and_key: Some(self.certificate(names)), ..Listener::default() }
    }

    /// A listener for `127.0.0.1` that requires client certificates of the same CA.
    pub(crate) fn mutual_listener(&self) -> Listener {
        Listener { client_ca: Some(self.file()), ..self.listener(&["127.0.0.1"]) }
    }
}

/// A self-signed certificate and its key, which a server shows.
pub(crate) struct SelfSigned {
    home: TempDir,
}

impl SelfSigned {
    /// As OpenSSL creates it for `subjectAltName=<name>`: marked as a CA, or without a mark.
    pub(crate) fn by_openssl(name: &str, is_ca: bool) -> Self {
        let created = Self { home: TempDir::new().unwrap() };
        let (bare, certificate, key) = (created.file("bare.conf"), created.file("crt"), created.file("key"));
        fs::write(&bare, "[req]\ndistinguished_name=dn\n[dn]\n").unwrap();
        let (bare, certificate, key) = (text(&bare), text(&certificate), text(&key));
        let names = format!("subjectAltName={name}");
        let mut arguments = vec!["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
        arguments.extend(["-nodes", "-subj", "/CN=vault", "-addext", &names]);
        arguments.extend(["-keyout", &key, "-out", &certificate]);
        if !is_ca {
            arguments.extend(["-config", &bare]);
        }
        openssl(&arguments, "");
        let shown = openssl(&["x509", "-noout", "-text", "-in", &certificate], "");
        assert_eq!(shown.contains("CA:TRUE"), is_ca, "{shown}");
        created
    }

    /// For `127.0.0.1`, and expired.
    pub(crate) fn expired() -> Self {
        let created = Self { home: TempDir::new().unwrap() };
        let mut params = CertificateParams::new(vec!["127.0.0.1".into()]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        (params.not_before, params.not_after) =
            (rcgen::date_time_ymd(2020, 1, 1), rcgen::date_time_ymd(2021, 1, 1));
        let key = KeyPair::generate().unwrap();
        fs::write(created.file("crt"), params.self_signed(&key).unwrap().pem()).unwrap();
        fs::write(created.file("key"), key.serialize_pem()).unwrap();
        created
    }

    fn file(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// The certificate, in a file.
    pub(crate) fn certificate(&self) -> String {
        text(&self.file("crt"))
    }

    pub(crate) fn listener(&self) -> Listener {
        Listener { certificate_and_key: Some((self.file("crt"), self.file("key"))), ..Listener::default() }
    }
}

/// A path as a parameter's value.
pub(crate) fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

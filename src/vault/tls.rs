//! CA and client certificates -> a TLS setting.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use nix::fcntl::OFlag;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tracing::debug;

use super::ClassFiles;
use super::VaultError;
use crate::spec::{ClientCertificate, TlsSpec};

/// Bytes of a file of certificates: all CAs of Mozilla take a quarter of that.
const LARGEST: u64 = 1024 * 1024;

/// What tells whether the files of a setting are still those that were read: name, size and time of change of each.
pub(crate) type Fingerprint = Vec<(PathBuf, u64, Option<SystemTime>)>;

/// Reads every file of `spec` into a TLS setting that offers HTTP/2 and HTTP/1.1. TLS 1.2 or newer.
pub(crate) fn setting(spec: &TlsSpec, class: Option<&ClassFiles>) -> Result<ClientConfig, VaultError> {
    let (ca, client) = Chooser::of(spec, class);
    let provider = Arc::new(ring::default_provider());
    let wrong = |error: rustls::Error| VaultError::TlsSetting(error.to_string());
    let versions = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(wrong)?;
    let verified = if spec.skip_verify {
        versions.dangerous().with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
    } else {
        versions.with_root_certificates(roots(spec, ca).map_err(|error| ca.error(error))?)
    };
    let mut setting = match &spec.client {
        Some(pair) => {
            let read = chain(pair, client).and_then(|chain| Ok((chain, key(pair, client)?)));
            let (chain, key) = read.map_err(|error| client.error(error))?;
            verified.with_client_auth_cert(chain, key).map_err(|error| client.error(wrong(error)))?
        }
        None => verified.with_no_client_auth(),
    };
    setting.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(setting)
}

/// The state of the files that `spec` names; one that cannot be opened counts as empty.
pub(crate) fn fingerprint(spec: &TlsSpec, class: Option<&ClassFiles>) -> Fingerprint {
    let (ca, client) = Chooser::of(spec, class);
    let mut files: Vec<(PathBuf, Chooser<'_>)> = spec.ca_file.iter().map(|file| (file.clone(), ca)).collect();
    let entries = spec.ca_directory.iter().flat_map(|directory| ca.entries(directory).unwrap_or_default());
    files.extend(entries.map(|file| (file, ca)));
    files.extend(
        spec.client
            .iter()
            .flat_map(|pair| [pair.certificate.clone(), pair.key.clone()])
            .map(|file| (file, client)),
    );
    let state = |(file, chooser): (PathBuf, Chooser<'_>)| {
        let metadata = chooser.metadata(&file).ok();
        (
            file,
            metadata.as_ref().map_or(0, fs::Metadata::len),
            metadata.and_then(|metadata| metadata.modified().ok()),
        )
    };
    files.into_iter().map(state).collect()
}

/// Who chose a file: that decides where it may be, and what an error tells.
#[derive(Clone, Copy)]
enum Chooser<'a> {
    /// The operator, who may name any file and learns what is wrong with it.
    Operator,
    /// The author of a class.
    Class(&'a ClassFiles),
}

impl<'a> Chooser<'a> {
    /// Who chose the CAs of `spec`, and who its client certificate.
    fn of(spec: &TlsSpec, class: Option<&'a ClassFiles>) -> (Self, Self) {
        let chosen = |by_class: bool| class.filter(|_| by_class).map_or(Self::Operator, Self::Class);
        let ca = class.is_some_and(|class| class.chose_ca(spec));
        (chosen(ca), chosen(spec.client.as_ref().is_some_and(|client| !client.configured)))
    }

    fn open(self, path: &Path) -> io::Result<File> {
        match self {
            Self::Operator => File::options().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path),
            Self::Class(files) => files.open(path),
        }
    }

    fn metadata(self, path: &Path) -> io::Result<fs::Metadata> {
        match self {
            Self::Operator => fs::metadata(path),
            Self::Class(files) => files.open(path)?.metadata(),
        }
    }

    /// The files of a directory by name, as the upstream providers read it: every regular file, links to files too, no folder.
    fn entries(self, directory: &Path) -> io::Result<Vec<PathBuf>> {
        let mut paths = match self {
            Self::Operator => {
                fs::read_dir(directory)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?
            }
            Self::Class(files) => files.list(directory)?,
        };
        // What cannot be opened stays, so that it is an error, but for a link to nowhere.
        paths.retain(|path| match self.metadata(path) {
            Ok(metadata) => metadata.is_file(),
            Err(error) => error.kind() != io::ErrorKind::NotFound,
        });
        paths.sort();
        Ok(paths)
    }

    /// What leaves the process of `error`. The author of a class could find out by it which files the node has.
    fn error(self, error: VaultError) -> VaultError {
        match self {
            Self::Operator => error,
            Self::Class(_) => {
                debug!("a certificate file of a class cannot be used: {error}");
                VaultError::ClassFile
            }
        }
    }
}

/// The CAs: text beats file beats directory; without any, the system's, or Mozilla's where the system has none (an image
/// from scratch).
fn roots(spec: &TlsSpec, chooser: Chooser<'_>) -> Result<RootCertStore, VaultError> {
    let mut roots = RootCertStore::empty();
    if let Some(text) = &spec.ca_bytes {
        add(&mut roots, "CA certificates in", Path::new("the environment"), text.as_bytes())?;
    } else if let Some(file) = &spec.ca_file {
        add(&mut roots, "CA file", file, &read("CA file", file, chooser)?)?;
    } else if let Some(directory) = &spec.ca_directory {
        let files =
            chooser.entries(directory).map_err(|error| unusable("CA directory", directory, &error))?;
        for file in files {
            add(&mut roots, "CA file", &file, &read("CA file", &file, chooser)?)?;
        }
        // An empty directory of a class would fail later, in other words than one that is missing.
        if matches!(chooser, Chooser::Class(_)) && roots.is_empty() {
            return Err(unusable("CA directory", directory, &"it holds no certificate"));
        }
    } else {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
    }
    Ok(roots)
}

fn add(roots: &mut RootCertStore, what: &'static str, path: &Path, pem: &[u8]) -> Result<(), VaultError> {
    let certificates = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>();
    let certificates = certificates.map_err(|_| unusable(what, path, &"it is no PEM"))?;
    if certificates.is_empty() {
        return Err(unusable(what, path, &"it holds no certificate"));
    }
    certificates
        .into_iter()
        .try_for_each(|certificate| roots.add(certificate))
        .map_err(|error| unusable(what, path, &error))
}

fn chain(
    client: &ClientCertificate,
    chooser: Chooser<'_>,
) -> Result<Vec<CertificateDer<'static>>, VaultError> {
    let (what, path) = ("client certificate", client.certificate.as_path());
    let chain = CertificateDer::pem_slice_iter(&read(what, path, chooser)?)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| unusable(what, path, &"it is no PEM"))?;
    if chain.is_empty() { Err(unusable(what, path, &"it holds no certificate")) } else { Ok(chain) }
}

fn key(client: &ClientCertificate, chooser: Chooser<'_>) -> Result<PrivateKeyDer<'static>, VaultError> {
    let (what, path) = ("client key", client.key.as_path());
    // The error of a key file is not shown: it may quote the file.
    PrivateKeyDer::from_pem_slice(&read(what, path, chooser)?)
        .map_err(|_| unusable(what, path, &"it holds no private key in PEM"))
}

/// A class chooses the path: whatever is no file of a sensible size neither ends in memory nor keeps anybody waiting.
fn read(what: &'static str, path: &Path, chooser: Chooser<'_>) -> Result<Vec<u8>, VaultError> {
    let failed = |error: io::Error| unusable(what, path, &error.kind());
    let file = chooser.open(path).map_err(failed)?;
    if !file.metadata().map_err(failed)?.is_file() {
        return Err(unusable(what, path, &"it is no file"));
    }
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > LARGEST {
        Err(unusable(what, path, &"it is larger than 1 MiB"))
    } else {
        Ok(bytes)
    }
}

fn unusable(what: &'static str, path: &Path, why: &dyn std::fmt::Display) -> VaultError {
    VaultError::TlsFile { what, path: path.to_owned(), why: why.to_string() }
}

/// Takes any certificate: what `skip verify` asks for. Signatures are still checked, so the peer holds the key of whatever it shows.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use nix::sys::stat::Mode;
    use nix::unistd::mkfifo;

    use super::*;

    #[test]
    fn what_is_no_file_of_certificates_keeps_nobody_waiting() {
        let folder = tempfile::tempdir().unwrap();
        let (pipe, large) = (folder.path().join("pipe"), folder.path().join("large"));
        mkfifo(&pipe, Mode::S_IRUSR).unwrap();
        File::create(&large).unwrap().set_len(LARGEST + 1).unwrap();
        for path in [Path::new("/dev/zero"), &pipe, &large, folder.path()] {
            assert!(
                matches!(read("CA file", path, Chooser::Operator), Err(VaultError::TlsFile { .. })),
                "{}",
                path.display()
            );
        }
    }
}

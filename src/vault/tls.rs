//! Reads CA and client certificates, and builds the TLS configuration of a client.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use nix::fcntl::OFlag;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tracing::debug;

use super::pinned::PinnedVerifier;
use super::{ClassFiles, VaultError};
use crate::spec::{ClientCertificate, TlsSpec};

/// The largest certificate file: all CAs of Mozilla take a quarter of it.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// The state of all files of a TLS setting: path, size and modification time of each. A changed file has another one.
pub(crate) type Fingerprint = Vec<(PathBuf, u64, Option<SystemTime>)>;

/// The TLS configuration for `spec`, with TLS 1.2 or newer; it offers HTTP/2 and HTTP/1.1. Reads every file of `spec`.
pub(crate) fn client_config(spec: &TlsSpec, class: Option<&ClassFiles>) -> Result<ClientConfig, VaultError> {
    let (ca, client) = Chooser::of(spec, class);
    let provider = Arc::new(ring::default_provider());
    let wrong = |error: rustls::Error| VaultError::TlsSetting(error.to_string());
    let versions = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(wrong)?;
    let verified = if spec.skip_verify {
        versions.dangerous().with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
    } else {
        let trusted = TrustedCas::read(spec, ca).map_err(|error| ca.error(error))?;
        if trusted.given.is_empty() {
            versions.with_root_certificates(trusted.roots)
        } else {
            let inner = WebPkiServerVerifier::builder_with_provider(trusted.roots.into(), provider);
            let inner = inner.build().map_err(|error| VaultError::TlsSetting(error.to_string()))?;
            let verifier = PinnedVerifier::new(inner, trusted.given);
            versions.dangerous().with_custom_certificate_verifier(Arc::new(verifier))
        }
    };
    let mut config = match &spec.client {
        Some(pair) => {
            let read = chain(pair, client).and_then(|chain| Ok((chain, key(pair, client)?)));
            let (chain, key) = read.map_err(|error| client.error(error))?;
            verified.with_client_auth_cert(chain, key).map_err(|error| client.error(unfit(pair, &error)))?
        }
        None => verified.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// What is wrong with the files of the process's own setting, as [`client_config`] will find it: every file, not only the first. It does not look
/// for CAs of the system.
pub(crate) fn unusable_files(spec: &TlsSpec) -> Vec<VaultError> {
    let mut found = Vec::new();
    let names_ca = spec.ca_file.is_some() || spec.ca_directory.is_some() || spec.ca_bytes.is_some();
    if names_ca && !spec.skip_verify {
        let trusted = TrustedCas::read(spec, Chooser::Operator);
        let directory = spec.ca_directory.as_deref();
        let read = trusted.and_then(|trusted| directory.map_or(Ok(()), |path| trusted.is_not_empty(path)));
        found.extend(read.err());
    }
    if let Some(pair) = &spec.client {
        let (chain, key) = (chain(pair, Chooser::Operator), key(pair, Chooser::Operator));
        found.extend([chain.err(), key.err()].into_iter().flatten());
        if found.is_empty() {
            found.extend(client_config(spec, None).err());
        }
    }
    found
}

/// The state of the files of `spec`. A file that cannot be opened counts as empty.
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

/// Who chose a file. This decides where the file may be, and how much an error says.
#[derive(Clone, Copy)]
enum Chooser<'a> {
    /// The operator, who may name any file; errors say what is wrong with it.
    Operator,
    /// The author of a class, who may name only the files that [`ClassFiles`] allows; errors say nothing about them.
    Class(&'a ClassFiles),
}

impl<'a> Chooser<'a> {
    /// Who chose the CAs of `spec`, and who chose its client certificate.
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

    /// The files of a directory, sorted by name. As with the upstream providers these are all regular files and links to files, but no directories.
    fn entries(self, directory: &Path) -> io::Result<Vec<PathBuf>> {
        let mut paths = match self {
            Self::Operator => {
                fs::read_dir(directory)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?
            }
            Self::Class(files) => files.list(directory)?,
        };
        // A file that cannot be opened stays in the list, so that it is an error later. Only a dangling link is skipped.
        paths.retain(|path| match self.metadata(path) {
            Ok(metadata) => metadata.is_file(),
            Err(error) => error.kind() != io::ErrorKind::NotFound,
        });
        paths.sort();
        Ok(paths)
    }

    /// The error that the user gets. From a detailed error the author of a class could find out which files exist on the node.
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

/// The trusted CAs.
struct TrustedCas {
    roots: RootCertStore,
    /// Those of the setting, without the CAs of the system: a server may also show one of them as its own certificate.
    given: Vec<CertificateDer<'static>>,
}

impl TrustedCas {
    /// The PEM text takes precedence over the file, and the file over the directory. Without any of them, the CAs of the system; in an image
    /// without CAs those of Mozilla.
    fn read(spec: &TlsSpec, chooser: Chooser<'_>) -> Result<Self, VaultError> {
        let mut trusted = Self { roots: RootCertStore::empty(), given: Vec::new() };
        if let Some(text) = &spec.ca_bytes {
            trusted.add("CA certificates in", Path::new("the environment"), text.as_bytes())?;
        } else if let Some(file) = &spec.ca_file {
            trusted.add("CA file", file, &read("CA file", file, chooser)?)?;
        } else if let Some(directory) = &spec.ca_directory {
            let files =
                chooser.entries(directory).map_err(|error| unusable("CA directory", directory, &error))?;
            for file in files {
                trusted.add("CA file", &file, &read("CA file", &file, chooser)?)?;
            }
            // Without this check an empty directory of a class would fail later, with another error than a missing directory.
            if matches!(chooser, Chooser::Class(_)) {
                trusted.is_not_empty(directory)?;
            }
        } else {
            trusted.roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if trusted.roots.is_empty() {
                trusted.roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
            }
        }
        Ok(trusted)
    }

    fn add(&mut self, what: &'static str, path: &Path, pem: &[u8]) -> Result<(), VaultError> {
        let certificates = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>();
        let certificates = certificates.map_err(|_| unusable(what, path, &"it is not PEM"))?;
        if certificates.is_empty() {
            return Err(unusable(what, path, &"it has no certificate"));
        }
        for certificate in certificates {
            self.roots.add(certificate.clone()).map_err(|error| unusable(what, path, &error))?;
            self.given.push(certificate);
        }
        Ok(())
    }

    fn is_not_empty(&self, directory: &Path) -> Result<(), VaultError> {
        if self.roots.is_empty() {
            Err(unusable("CA directory", directory, &"it has no certificate"))
        } else {
            Ok(())
        }
    }
}

fn chain(
    client: &ClientCertificate,
    chooser: Chooser<'_>,
) -> Result<Vec<CertificateDer<'static>>, VaultError> {
    let (what, path) = ("client certificate", client.certificate.as_path());
    let chain = CertificateDer::pem_slice_iter(&read(what, path, chooser)?)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| unusable(what, path, &"it is not PEM"))?;
    if chain.is_empty() { Err(unusable(what, path, &"it has no certificate")) } else { Ok(chain) }
}

fn key(client: &ClientCertificate, chooser: Chooser<'_>) -> Result<PrivateKeyDer<'static>, VaultError> {
    let (what, path) = ("client key", client.key.as_path());
    // The parser's error is not shown, because it may quote the file.
    PrivateKeyDer::from_pem_slice(&read(what, path, chooser)?)
        .map_err(|_| unusable(what, path, &"it has no private key in PEM"))
}

/// Reads a certificate file. Refuses what is not a regular file and what is larger than 1 MiB: a class chooses the path, which may be a device or a
/// pipe.
fn read(what: &'static str, path: &Path, chooser: Chooser<'_>) -> Result<Vec<u8>, VaultError> {
    let failed = |error: io::Error| unusable(what, path, &error.kind());
    let file = chooser.open(path).map_err(failed)?;
    if !file.metadata().map_err(failed)?.is_file() {
        return Err(unusable(what, path, &"it is not a regular file"));
    }
    let mut bytes = Vec::new();
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        Err(unusable(what, path, &"it is larger than 1 MiB"))
    } else {
        Ok(bytes)
    }
}

/// Why certificate and key do not make a pair.
fn unfit(pair: &ClientCertificate, error: &rustls::Error) -> VaultError {
    let why = match error {
        rustls::Error::InconsistentKeys(_) => "it does not belong to the client certificate",
        _ => "its kind, or the form of the client certificate, is not supported",
    };
    unusable("client key", &pair.key, &why)
}

fn unusable(what: &'static str, path: &Path, why: &dyn std::fmt::Display) -> VaultError {
    VaultError::TlsFile { what, path: path.to_owned(), why: why.to_string() }
}

/// Accepts any server certificate, for the setting that skips verification. Still checks signatures: the server must have the key of the certificate
/// that it shows.
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
    fn a_path_that_is_not_a_certificate_file_fails_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let (pipe, large) = (folder.path().join("pipe"), folder.path().join("large"));
        mkfifo(&pipe, Mode::S_IRUSR).unwrap();
        File::create(&large).unwrap().set_len(MAX_FILE_BYTES + 1).unwrap();
        for path in [Path::new("/dev/zero"), &pipe, &large, folder.path()] {
            assert!(
                matches!(read("CA file", path, Chooser::Operator), Err(VaultError::TlsFile { .. })),
                "{}",
                path.display()
            );
        }
    }
}

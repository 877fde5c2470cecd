//! Trusts a server's own certificate that is given as the CA, as Go and curl do.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, SignatureScheme};
use x509_parser::prelude::{FromDer, X509Certificate};

/// The text of webpki's error for a server that shows the certificate of a CA as its own.
const CA_AS_SERVER: &str = "CaUsedAsEndEntity";

/// Verifies a server's certificate as rustls does, with one exception: a server may show one of the given CA certificates itself. OpenSSL marks
/// a self-signed certificate as a CA, and rustls accepts no CA as a server.
#[derive(Debug)]
pub(super) struct PinnedVerifier {
    /// Verifies everything else, also the signature of the handshake: the server must have the certificate's key.
    inner: Arc<WebPkiServerVerifier>,
    /// The given CA certificates.
    pinned: Vec<CertificateDer<'static>>,
}

impl PinnedVerifier {
    pub(super) fn new(inner: Arc<WebPkiServerVerifier>, pinned: Vec<CertificateDer<'static>>) -> Self {
        Self { inner, pinned }
    }
}

impl ServerCertVerifier for PinnedVerifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match self.inner.verify_server_cert(certificate, intermediates, name, ocsp, now) {
            Err(error)
                if is_ca_as_server(&error) && self.pinned.iter().any(|pinned| **pinned == **certificate) =>
            {
                verify_pinned(certificate, name, now)
            }
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// Whether the server showed the certificate of a CA as its own. rustls has no variant of its own for this error.
pub(super) fn is_ca_as_server(error: &rustls::Error) -> bool {
    matches!(error, rustls::Error::InvalidCertificate(CertificateError::Other(other)) if other.0.to_string() == CA_AS_SERVER)
}

/// What remains to be checked of a certificate that is trusted by its bytes: names, dates and purpose.
fn verify_pinned(
    certificate: &CertificateDer<'_>,
    name: &ServerName<'_>,
    now: UnixTime,
) -> Result<ServerCertVerified, rustls::Error> {
    let (_, parsed) = X509Certificate::from_der(certificate).map_err(|_| CertificateError::BadEncoding)?;
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    if now < parsed.validity().not_before.timestamp() {
        return Err(CertificateError::NotValidYet.into());
    }
    if now > parsed.validity().not_after.timestamp() {
        return Err(CertificateError::Expired.into());
    }
    let usage = parsed.extended_key_usage().map_err(|_| CertificateError::BadEncoding)?;
    if usage.is_some_and(|usage| !usage.value.any && !usage.value.server_auth) {
        return Err(CertificateError::InvalidPurpose.into());
    }
    verify_server_name(&ParsedCertificate::try_from(certificate)?, name)?;
    Ok(ServerCertVerified::assertion())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, KeyPair, date_time_ymd};
    use rustls::RootCertStore;
    use rustls::crypto::ring;

    use super::*;

    /// A self-signed certificate as OpenSSL makes it, valid in the year 2030, with `changes`.
    fn certificate(changes: impl FnOnce(&mut CertificateParams)) -> CertificateDer<'static> {
        let mut params = CertificateParams::new(vec!["127.0.0.1".into(), "vault.example".into()]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        (params.not_before, params.not_after) = (date_time_ymd(2030, 1, 1), date_time_ymd(2031, 1, 1));
        changes(&mut params);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone()
    }

    /// Verifies `shown` at a Unix time, where `given` are the CA certificates.
    fn verify(
        given: &[&CertificateDer<'static>],
        shown: &CertificateDer<'static>,
        name: &str,
        now: u64,
    ) -> Result<(), rustls::Error> {
        let mut roots = RootCertStore::empty();
        given.iter().for_each(|&given| roots.add(given.clone()).unwrap());
        let inner =
            WebPkiServerVerifier::builder_with_provider(roots.into(), ring::default_provider().into());
        let verifier =
            PinnedVerifier::new(inner.build().unwrap(), given.iter().map(|&given| given.clone()).collect());
        let (name, now) =
            (ServerName::try_from(name).unwrap(), UnixTime::since_unix_epoch(Duration::from_secs(now)));
        verifier.verify_server_cert(shown, &[], &name, &[], now).map(|_| ())
    }

    /// Seconds of a day in 2029, 2030 and 2031.
    const BEFORE: u64 = 1_890_000_000;
    const VALID: u64 = 1_900_000_000;
    const AFTER: u64 = 1_930_000_000;

    #[test]
    fn a_server_may_show_the_given_certificate() {
        let (ours, other) = (certificate(|_| ()), certificate(|_| ()));
        let leaf = certificate(|params| params.is_ca = IsCa::NoCa);
        let usable =
            certificate(|params| params.extended_key_usages.push(ExtendedKeyUsagePurpose::ServerAuth));
        for (given, shown) in
            [(&[&ours][..], &ours), (&[&other, &ours], &ours), (&[&leaf], &leaf), (&[&usable], &usable)]
        {
            for name in ["127.0.0.1", "vault.example"] {
                assert_eq!(verify(given, shown, name, VALID), Ok(()), "{name}");
            }
        }
    }

    #[test]
    fn another_certificate_name_date_or_purpose_is_refused() {
        let (ours, other) = (certificate(|_| ()), certificate(|_| ()));
        let client =
            certificate(|params| params.extended_key_usages.push(ExtendedKeyUsagePurpose::ClientAuth));
        for (given, shown, name, now, cause) in [
            (&ours, &other, "127.0.0.1", VALID, CA_AS_SERVER),
            (&ours, &ours, "127.0.0.2", VALID, "not valid for name"),
            (&ours, &ours, "other.example", VALID, "not valid for name"),
            (&ours, &ours, "127.0.0.1", BEFORE, "not valid yet"),
            (&ours, &ours, "127.0.0.1", AFTER, "expired"),
            (&client, &client, "127.0.0.1", VALID, "InvalidPurpose"),
        ] {
            let error = verify(&[given], shown, name, now).unwrap_err();
            let text = format!("{error} {error:?}");
            assert!(text.contains(cause), "{cause}: {text}");
        }
    }

    /// rustls checks the dates before; this is the second lock.
    #[test]
    fn the_dates_of_a_given_certificate_are_checked() {
        let (ours, name) = (certificate(|_| ()), ServerName::try_from("127.0.0.1").unwrap());
        let at = |now| verify_pinned(&ours, &name, UnixTime::since_unix_epoch(Duration::from_secs(now)));
        let refused = |now| at(now).map(|_| ()).unwrap_err();
        assert_eq!(refused(BEFORE), CertificateError::NotValidYet.into());
        assert_eq!(refused(AFTER), CertificateError::Expired.into());
        assert!(at(VALID).is_ok());
    }
}

//! Why a TLS handshake failed, in our own words.

use rustls::{AlertDescription, CertificateError, Error, InvalidMessage, PeerIncompatible};

use super::pinned;

/// What is wrong, and with which of the two certificates. The same failure always has the same text: it contains no time, and nothing that the
/// server sent.
pub(super) fn failure_text(error: &Error) -> String {
    match error {
        error if pinned::is_ca_as_server(error) => {
            "the server shows the certificate of a CA as its own, which is trusted only if this same certificate is given as the CA".into()
        }
        Error::InvalidCertificate(invalid) => format!("the server's certificate {}", certificate_text(invalid)),
        Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            "the server does not speak TLS at this port: it expects http://, or TLS has another port".into()
        }
        Error::AlertReceived(alert) => alert_text(*alert).into(),
        Error::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13) => {
            alert_text(AlertDescription::ProtocolVersion).into()
        }
        Error::PeerIncompatible(_) => alert_text(AlertDescription::HandshakeFailure).into(),
        Error::NoCertificatesPresented => "the server has no certificate".into(),
        _ => "the server's messages are not those of a TLS server".into(),
    }
}

/// What is wrong with the server's certificate.
fn certificate_text(invalid: &CertificateError) -> String {
    use CertificateError::{
        BadEncoding, BadSignature, Expired, ExpiredContext, InvalidPurpose, InvalidPurposeContext,
        NotValidForName, NotValidForNameContext, NotValidYet, NotValidYetContext, UnknownIssuer,
    };
    let text = match invalid {
        Expired | ExpiredContext { .. } => "has expired",
        NotValidYet | NotValidYetContext { .. } => "is not valid yet",
        // The signature is bad if a trusted CA only has the same name as the issuer.
        UnknownIssuer | BadSignature => "is not signed by a trusted CA",
        NotValidForNameContext { expected, .. } => {
            return format!("is not for the expected name {}", expected.to_str());
        }
        NotValidForName => "is not for the expected name",
        InvalidPurpose | InvalidPurposeContext { .. } => "is not for servers",
        BadEncoding => "cannot be read",
        _ => "cannot be used: its form, its chain or its kind of signature is not supported",
    };
    text.into()
}

/// What the server's alert means.
fn alert_text(alert: AlertDescription) -> &'static str {
    match alert {
        AlertDescription::CertificateRequired => "the server wants a client certificate",
        // Servers with TLS 1.2 answer a missing certificate so.
        AlertDescription::BadCertificate
        | AlertDescription::NoCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateUnknown
        | AlertDescription::AccessDenied => {
            "the server wants a client certificate, or does not accept the one it got"
        }
        AlertDescription::UnknownCA => "the server does not trust the CA of the client certificate",
        AlertDescription::CertificateExpired => "for the server the client certificate has expired",
        AlertDescription::CertificateRevoked => "for the server the client certificate is revoked",
        AlertDescription::UnrecognisedName => {
            "the server has no certificate for the name that it was called by"
        }
        AlertDescription::ProtocolVersion => "the server speaks neither TLS 1.2 nor TLS 1.3",
        AlertDescription::HandshakeFailure | AlertDescription::InsufficientSecurity => {
            "the server and vaultmount have no cipher in common, or the server wants a client certificate"
        }
        _ => "the server ended the handshake with an error",
    }
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::{ServerName, UnixTime};

    use super::*;

    #[test]
    fn every_failure_has_a_text_of_our_own() {
        let expired = |time| CertificateError::ExpiredContext {
            time: UnixTime::since_unix_epoch(std::time::Duration::from_secs(time)),
            not_after: UnixTime::since_unix_epoch(std::time::Duration::from_secs(1)),
        };
        let name = CertificateError::NotValidForNameContext {
            expected: ServerName::try_from("vault.example").unwrap(),
            presented: vec!["DnsName(\"other.example\")".into()],
        };
        for (error, text) in [
            (Error::InvalidCertificate(expired(2)), "the server's certificate has expired"),
            (Error::InvalidCertificate(expired(3)), "the server's certificate has expired"),
            (CertificateError::NotValidYet.into(), "the server's certificate is not valid yet"),
            (
                CertificateError::UnknownIssuer.into(),
                "the server's certificate is not signed by a trusted CA",
            ),
            (name.into(), "the server's certificate is not for the expected name vault.example"),
            (
                InvalidMessage::InvalidContentType.into(),
                "the server does not speak TLS at this port: it expects http://, or TLS has another port",
            ),
            (
                Error::AlertReceived(AlertDescription::CertificateRequired),
                "the server wants a client certificate",
            ),
            (
                Error::PeerIncompatible(PeerIncompatible::NoCipherSuitesInCommon),
                "the server and vaultmount have no cipher in common, or the server wants a client certificate",
            ),
            (Error::DecryptError, "the server's messages are not those of a TLS server"),
        ] {
            assert_eq!(failure_text(&error), text, "{error:?}");
        }
    }
}

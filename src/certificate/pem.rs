//! PEM blocks.

use rsa::pkcs8::LineEnding;
use rsa::pkcs8::der::pem::encode_string;
use zeroize::Zeroizing;

use super::CertificateError;

/// One PEM block with lines of 64 characters, ending with a newline (RFC 7468).
pub(crate) fn pem_text(label: &str, der: &[u8]) -> Result<Zeroizing<String>, CertificateError> {
    let text = encode_string(label, LineEnding::LF, der);
    text.map(Zeroizing::new).map_err(|_| CertificateError::NotEncoded { what: "PEM" })
}

//! Why a mount failed: the stable reasons, who mends each, and the status that leaves the process.

use std::fmt;

use tonic::{Code, Status};

/// The stable cause of a failure: documented in `docs/errors.md`, used as the metric label, never renamed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// The class, the pod's attributes or the request itself cannot be used.
    SpecInvalid,
    /// The class names a server that tokens may not be sent to.
    AddressRefused,
    /// No token of the wanted audience came with the request.
    TokenMissing,
    /// The pod's token has ended.
    TokenExpired,
    /// The token belongs to another pod, account or namespace than the kubelet vouches for.
    TokenMismatch,
    /// The server refused the login and said why.
    LoginDenied,
    /// The server refused the login with a bare 403, which may also mean that its own look-up failed.
    LoginUnclear,
    /// The server refused a call of a token that it had just given.
    ReadDenied,
    /// No such path, version or key.
    NotFound,
    /// The server understood the call and does not accept it (400, 405, 413).
    Rejected,
    /// No connection, no answer in time, or the connection broke.
    Unreachable,
    /// The server is sealed, not initialised, or has no active node.
    Sealed,
    /// The server limits us (429), still after our own retries.
    Busy,
    /// The server failed inside (5xx), still after our own retries.
    ServerError,
    /// The server's certificate is not trusted, or ours cannot be used.
    Tls,
    /// The server sends us to a place where tokens may not go.
    Redirect,
    /// The answer is not what the API promises.
    Malformed,
    /// The time of this mount ran out.
    Deadline,
    /// A value cannot be brought into the wanted form.
    RenderFailed,
    /// The files together, or one answer, exceed the limit.
    PayloadTooLarge,
    /// This process has too much to do.
    Overload,
    /// What this process keeps on disk cannot be used.
    StateUnusable,
    /// A defect of ours, a panic too.
    Bug,
}

/// What is known of a reason beside its name.
struct Facts {
    code: &'static str,
    status: Code,
    mender: &'static str,
    remedy: &'static str,
}

impl Reason {
    /// Every reason, in the order of the documentation.
    pub const ALL: [Self; 23] = [
        Self::SpecInvalid,
        Self::AddressRefused,
        Self::TokenMissing,
        Self::TokenExpired,
        Self::TokenMismatch,
        Self::LoginDenied,
        Self::LoginUnclear,
        Self::ReadDenied,
        Self::NotFound,
        Self::Rejected,
        Self::Unreachable,
        Self::Sealed,
        Self::Busy,
        Self::ServerError,
        Self::Tls,
        Self::Redirect,
        Self::Malformed,
        Self::Deadline,
        Self::RenderFailed,
        Self::PayloadTooLarge,
        Self::Overload,
        Self::StateUnusable,
        Self::Bug,
    ];

    /// The name that messages start with.
    pub fn code(self) -> &'static str {
        self.facts().code
    }

    /// Who mends it.
    pub fn mender(self) -> &'static str {
        self.facts().mender
    }

    /// The next step of whoever mends it.
    pub fn remedy(self) -> &'static str {
        self.facts().remedy
    }

    /// The gRPC code it leaves with: never one of the five after which driver 1.6 starts a pod on an empty volume.
    pub fn status(self) -> Code {
        self.facts().status
    }

    fn facts(self) -> Facts {
        use Code::{FailedPrecondition, Internal, InvalidArgument, NotFound, PermissionDenied, Unauthenticated};
        let facts = |code, status, mender, remedy| Facts { code, status, mender, remedy };
        match self {
            Self::SpecInvalid => {
                facts("spec.invalid", InvalidArgument, "author of the SecretProviderClass", "correct the SecretProviderClass")
            }
            Self::AddressRefused => facts(
                "address.refused",
                PermissionDenied,
                "author of the SecretProviderClass",
                "use an allowed address, or have it added to --allow-address",
            ),
            Self::TokenMissing => facts(
                "token.missing",
                FailedPrecondition,
                "operator of the cluster",
                "add the audience to spec.tokenRequests of the CSIDriver",
            ),
            Self::TokenExpired => facts(
                "token.expired",
                FailedPrecondition,
                "operator of the cluster",
                "turn requiresRepublish on in the CSIDriver, and check the node's clock",
            ),
            Self::TokenMismatch => facts(
                "token.mismatch",
                Unauthenticated,
                "operator of the cluster",
                "remove csi.storage.k8s.io/* keys from volumeAttributes and the class",
            ),
            Self::LoginDenied => {
                facts("vault.login_denied", Unauthenticated, "operator of Vault", "bind the service account and audience in the role")
            }
            Self::LoginUnclear => facts(
                "vault.login_unclear",
                FailedPrecondition,
                "operator of Vault",
                "check the role's bindings, then the auth mount's kubernetes_host, CA and reviewer token",
            ),
            Self::ReadDenied => facts("vault.read_denied", PermissionDenied, "operator of Vault", "allow the path in a policy of the role"),
            Self::NotFound => facts("vault.not_found", NotFound, "author of the SecretProviderClass", "check path, version and key"),
            Self::Rejected => facts(
                "vault.rejected",
                InvalidArgument,
                "author of the SecretProviderClass",
                "check method, path and arguments against the engine's API",
            ),
            Self::Unreachable => facts(
                "vault.unreachable",
                FailedPrecondition,
                "operator of Vault",
                "check that the server runs and can be reached from the node",
            ),
            Self::Sealed => facts("vault.sealed", FailedPrecondition, "operator of Vault", "unseal the server"),
            Self::Busy => facts("vault.busy", FailedPrecondition, "operator of Vault", "raise the server's quota, or wait"),
            Self::ServerError => facts("vault.error", FailedPrecondition, "operator of Vault", "see the server's log"),
            Self::Tls => facts(
                "vault.tls",
                FailedPrecondition,
                "operator of the cluster",
                "check the CA, the server's name and the client certificate",
            ),
            Self::Redirect => facts(
                "vault.redirect",
                FailedPrecondition,
                "operator of Vault",
                "correct the server's api_addr, or add it to --allow-address",
            ),
            Self::Malformed => facts(
                "vault.malformed",
                FailedPrecondition,
                "operator of Vault",
                "check that the address is that of a Vault or OpenBao server",
            ),
            Self::Deadline => {
                facts("deadline", FailedPrecondition, "operator of Vault", "find out why the server is slow; the kubelet tries again")
            }
            Self::RenderFailed => {
                facts("render.failed", FailedPrecondition, "author of the SecretProviderClass", "check encoding and value")
            }
            Self::PayloadTooLarge => {
                facts("payload.too_large", FailedPrecondition, "author of the SecretProviderClass", "split the class over two volumes")
            }
            Self::Overload => facts("overload", FailedPrecondition, "operator of the node", "wait; the kubelet tries again"),
            Self::StateUnusable => {
                facts("state.unusable", FailedPrecondition, "operator of the node", "check the provider's directories and its log")
            }
            Self::Bug => facts("bug", Internal, "authors of vaultmount", "report it with the provider's log"),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// A failed mount, ready to leave: its reason and the text for the pod's author, the same text for the same failure.
#[derive(Debug)]
pub struct Failure {
    /// The stable cause.
    pub reason: Reason,
    /// What failed and where; the reason and the remedy are added on the way out.
    pub what: String,
}

/// Longest status text, in bytes: what a Kubernetes event keeps of it beside the driver's own words.
const MESSAGE_BYTES: usize = 900;

impl Failure {
    /// A failure for `reason`, told as `what`.
    pub fn new(reason: Reason, what: impl Into<String>) -> Self {
        Self { reason, what: what.into() }
    }

    /// The whole text: reason, what failed, what to do; cut at a character's edge to stay below the event's limit.
    pub fn message(&self) -> String {
        let remedy = format!("; {}", self.reason.remedy());
        let mut text = format!("{}: {}", self.reason, self.what);
        let room = MESSAGE_BYTES - remedy.len();
        if text.len() > room {
            text.truncate(text.floor_char_boundary(room - "...".len()));
            text.push_str("...");
        }
        text + &remedy
    }
}

/// The one exit of a failure: nothing else makes a status.
impl From<Failure> for Status {
    fn from(failure: Failure) -> Self {
        Self::new(failure.reason.status(), failure.message())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_reason_leaves_with_a_code_that_starts_a_pod_on_an_empty_volume() {
        let forbidden = [Code::Unavailable, Code::DeadlineExceeded, Code::ResourceExhausted, Code::Aborted, Code::Cancelled];
        for reason in Reason::ALL {
            assert!(!forbidden.contains(&reason.status()), "{reason}");
        }
    }

    #[test]
    fn every_reason_has_a_name_of_its_own() {
        let names: std::collections::HashSet<_> = Reason::ALL.iter().map(|reason| reason.code()).collect();
        assert_eq!(names.len(), Reason::ALL.len());
    }

    #[test]
    fn a_long_message_keeps_its_remedy_and_fits_an_event() {
        let message = Failure::new(Reason::NotFound, "é".repeat(2000)).message();
        assert!(message.len() <= MESSAGE_BYTES && message.ends_with("check path, version and key"), "{message}");
    }
}

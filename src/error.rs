//! Why a mount failed: the stable reasons, who mends each, and the status that leaves the process.

use std::fmt;

use tonic::{Code, Status};

/// Declares the reasons as one table: a row is a variant, its name, its gRPC code, who mends it and how; the row's doc
/// comment is also its text in `docs/errors.md`.
macro_rules! reasons {
    ($($(#[doc = $meaning:literal])+ $variant:ident = $name:literal, $status:ident, $mender:literal, $remedy:literal;)+) => {
        /// The stable cause of a failure: documented in `docs/errors.md`, used as the metric label, never renamed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Reason {
            $($(#[doc = $meaning])+ $variant,)+
        }

        impl Reason {
            /// Every reason, in the order of the documentation.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The name that messages start with.
            pub fn code(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            /// The gRPC code it leaves with: never one of the five after which driver 1.6 starts a pod on an empty volume.
            pub fn status(self) -> Code {
                match self { $(Self::$variant => Code::$status),+ }
            }

            /// Who mends it.
            pub fn mender(self) -> &'static str {
                match self { $(Self::$variant => $mender),+ }
            }

            /// The next step of whoever mends it.
            pub fn remedy(self) -> &'static str {
                match self { $(Self::$variant => $remedy),+ }
            }

            /// What it means, in one sentence.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$variant => concat!($($meaning),+).trim_ascii()),+ }
            }
        }
    };
}

reasons! {
    /// The class, the pod's attributes or the request itself cannot be used.
    SpecInvalid = "spec.invalid", InvalidArgument, "the SecretProviderClass's author",
        "correct the SecretProviderClass";
    /// The class names a server that tokens may not be sent to.
    AddressRefused = "address.refused", PermissionDenied, "the SecretProviderClass's author",
        "use an allowed address, or have it added to --allow-address";
    /// The class names an auth mount that classes may not use, or one whose login is not the pod's own.
    AuthMountRefused = "auth_mount.refused", PermissionDenied, "the SecretProviderClass's author",
        "use an auth mount that logs in the pod's service account, or have it added to --allow-auth-mount";
    /// No token of the wanted audience came with the request.
    TokenMissing = "token.missing", FailedPrecondition, "the cluster's operator",
        "add the audience to spec.tokenRequests of the CSIDriver, and turn on requiresRepublish";
    /// The pod's token has ended.
    TokenExpired = "token.expired", FailedPrecondition, "the cluster's operator",
        "turn requiresRepublish on in the CSIDriver, and check the node's clock";
    /// The token belongs to another pod, account or namespace than the kubelet vouches for.
    TokenMismatch = "token.mismatch", Unauthenticated, "the cluster's operator",
        "remove csi.storage.k8s.io/ keys from volumeAttributes and the class";
    /// The server refused the login and said why.
    LoginDenied = "vault.login_denied", Unauthenticated, "Vault's operator",
        "bind the service account, namespace and audience in the role";
    /// The server refused the login with a bare 403, which it also answers when its own TokenReview fails.
    LoginUnclear = "vault.login_unclear", FailedPrecondition, "Vault's operator",
        "check the role's bindings, then the auth mount's kubernetes_host, CA and reviewer token";
    /// The server refused a call of a token that it had just given.
    ReadDenied = "vault.read_denied", PermissionDenied, "Vault's operator",
        "allow the path in a policy of the role";
    /// No engine is mounted at the path, or the namespace does not exist: a mistake in the class, or a mount that is being moved.
    NoMount = "vault.no_mount", FailedPrecondition, "the SecretProviderClass's author",
        "check the mount and the namespace; what is being moved is found again by itself";
    /// No such path, version or key.
    NotFound = "vault.not_found", NotFound, "the SecretProviderClass's author",
        "check path, version and key";
    /// The server understood the call and does not accept it (400, 405, 413).
    Rejected = "vault.rejected", InvalidArgument, "the SecretProviderClass's author",
        "check method, path and arguments against the engine's API";
    /// No connection, no answer in time, or the connection broke.
    Unreachable = "vault.unreachable", FailedPrecondition, "Vault's operator",
        "check that the server runs and can be reached from the node";
    /// The server is sealed, not initialised, or has no active node.
    TransitCiphertext = "vault.sealed", FailedPrecondition, "Vault's operator",
        "unseal the server";
    /// The server limits us (429), still after our own retries.
    Busy = "vault.busy", FailedPrecondition, "Vault's operator",
        "raise the server's quota, or wait";
    /// The server failed inside (5xx), or it cannot serve the call for now (412, a KV upgrade), still after our own retries.
    ServerError = "vault.error", FailedPrecondition, "Vault's operator",
        "see the server's log";
    /// The server's certificate is not trusted, or ours cannot be used.
    Tls = "vault.tls", FailedPrecondition, "the cluster's operator",
        "check the CA, the server's name and the client certificate";
    /// The server sends us to a place where tokens may not go.
    Redirect = "vault.redirect", FailedPrecondition, "Vault's operator",
        "correct the server's api_addr, or add it to --allow-address";
    /// The answer is not what the API promises, or it is none of Vault: an ingress, a mesh or a gateway has answered.
    Malformed = "vault.malformed", FailedPrecondition, "Vault's operator",
        "check that the address is that of a Vault or OpenBao server, and the path one that answers with data";
    /// The time of this mount ran out.
    Deadline = "deadline", FailedPrecondition, "Vault's operator",
        "find out why the server is slow; the kubelet tries again";
    /// A value cannot be brought into the wanted form.
    RenderFailed = "render.failed", FailedPrecondition, "the SecretProviderClass's author",
        "check encoding, template and value";
    /// The files together, or one answer, exceed the limit.
    PayloadTooLarge = "payload.too_large", FailedPrecondition, "the SecretProviderClass's author",
        "split the class over several volumes";
    /// This process has too much to do.
    Overload = "overload", FailedPrecondition, "the node's operator",
        "wait; the kubelet tries again";
    /// The process that writes templates cannot be started.
    StateUnusable = "state.unusable", FailedPrecondition, "the node's operator",
        "look at the provider's log, and restart it on that node";
    /// The volume on the node cannot be written: a link in its path, no tmpfs, no room, or another pod's.
    VolumeUnusable = "volume.unusable", FailedPrecondition, "the node's operator",
        "look at the volume's directory on the node";
    /// A defect of ours, a panic too.
    Bug = "bug", Internal, "vaultmount's authors",
        "report it with the provider's log";
}

impl Reason {
    /// Whether the same question may be answered later though nobody changes anything about it: an outage, and not a no.
    pub fn is_passing(self) -> bool {
        match self {
            Self::LoginUnclear
            | Self::Unreachable
            | Self::TransitCiphertext
            | Self::Busy
            | Self::ServerError
            | Self::Tls
            | Self::Redirect
            | Self::Malformed
            | Self::NoMount
            | Self::Deadline
            | Self::Overload
            | Self::StateUnusable
            | Self::VolumeUnusable
            | Self::Bug => true,
            Self::SpecInvalid
            | Self::AddressRefused
            | Self::AuthMountRefused
            | Self::TokenMissing
            | Self::TokenExpired
            | Self::TokenMismatch
            | Self::LoginDenied
            | Self::ReadDenied
            | Self::NotFound
            | Self::Rejected
            | Self::RenderFailed
            | Self::PayloadTooLarge => false,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// A failed mount, ready to leave: its reason and the text for the pod's author, the same text for the same failure.
#[derive(Clone, Debug)]
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
        let forbidden = [
            Code::Unavailable,
            Code::DeadlineExceeded,
            Code::ResourceExhausted,
            Code::Aborted,
            Code::Cancelled,
        ];
        for reason in Reason::ALL {
            assert!(!forbidden.contains(&reason.status()), "{reason}");
        }
    }

    #[test]
    fn every_reason_has_a_name_of_its_own() {
        let names: std::collections::HashSet<_> = Reason::ALL.iter().map(|reason| reason.code()).collect();
        assert_eq!(names.len(), Reason::ALL.len());
    }

    /// Names of `tests/golden/names-0.1.0.txt`: dashboards and alerts use them. A new one is added there by hand.
    #[test]
    fn reasons_keep_the_names_of_0_1_0() {
        let reasons = Reason::ALL.iter().map(|reason| format!("reason {reason} {:?}", reason.status()));
        crate::state::golden::is_named("reason", reasons);
    }

    /// The text of `docs/errors.md`; written anew by `UPDATE_DOCS=1 cargo test errors`.
    fn document() -> String {
        let mut text = String::from(
            "# Errors\n\nEvery failure starts with one of these names. They are never renamed. Written from `src/error.rs`.\n",
        );
        for reason in Reason::ALL {
            text += &format!("\n## {reason}\n{}\n\n", reason.meaning());
            text += &format!(
                "- gRPC code: {:?}\n- Mended by: {}\n- Next step: {}\n",
                reason.status(),
                reason.mender(),
                reason.remedy()
            );
        }
        text
    }

    #[test]
    fn the_documentation_of_errors_is_the_table() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/errors.md");
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(path, document()).unwrap();
        }
        assert_eq!(
            std::fs::read_to_string(path).unwrap(),
            document(),
            "run `UPDATE_DOCS=1 cargo test --lib errors`"
        );
    }

    #[test]
    fn a_long_message_keeps_its_remedy_and_fits_an_event() {
        let message = Failure::new(Reason::NotFound, "é".repeat(2000)).message();
        assert!(
            message.len() <= MESSAGE_BYTES && message.ends_with("check path, version and key"),
            "{message}"
        );
    }
}

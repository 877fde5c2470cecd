//! Why a mount failed: the stable reasons, who can fix each, and the gRPC status.

use std::fmt;

use tonic::{Code, Status};

/// Declares the reasons as one table: variant, name, gRPC code, who can fix it, and how. The doc comment of a row is also its text in
/// `docs/errors.md`.
macro_rules! reasons {
    ($($(#[doc = $meaning:literal])+ $variant:ident = $name:literal, $status:ident, $fixed_by:literal, $remedy:literal;)+) => {
        /// The stable cause of a failure: documented in `docs/errors.md`, used as the metric label, never renamed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub(crate) enum Reason {
            $($(#[doc = $meaning])+ $variant,)+
        }

        impl Reason {
            /// Every reason, in the order of the documentation.
            pub(crate) const ALL: &[Self] = &[$(Self::$variant),+];

            /// The name, which messages start with.
            pub(crate) fn code(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            /// The gRPC code: never one of the five after which driver 1.6 starts a pod on an empty volume.
            pub(crate) fn status(self) -> Code {
                match self { $(Self::$variant => Code::$status),+ }
            }

            /// Who can fix it.
            #[cfg(test)]
            pub(crate) fn fixed_by(self) -> &'static str {
                match self { $(Self::$variant => $fixed_by),+ }
            }

            /// What to do.
            pub(crate) fn remedy(self) -> &'static str {
                match self { $(Self::$variant => $remedy),+ }
            }

            /// The meaning, in one sentence.
            #[cfg(test)]
            pub(crate) fn meaning(self) -> &'static str {
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
    /// The request contains no token of the requested audience.
    TokenMissing = "token.missing", FailedPrecondition, "the cluster's operator",
        "add the audience to spec.tokenRequests of the CSIDriver, and turn on requiresRepublish";
    /// The pod's token has expired.
    TokenExpired = "token.expired", FailedPrecondition, "the cluster's operator",
        "turn requiresRepublish on in the CSIDriver, and check the node's clock";
    /// The token belongs to another pod, account or namespace than the kubelet reports.
    TokenMismatch = "token.mismatch", Unauthenticated, "the cluster's operator",
        "remove csi.storage.k8s.io/ keys from volumeAttributes and the class";
    /// The server refused the login and said why.
    LoginDenied = "vault.login_denied", Unauthenticated, "Vault's operator",
        "bind the service account, namespace and audience in the role";
    /// The server refused the login with status 403 and no reason. It also does so if its own TokenReview fails.
    LoginUnclear = "vault.login_unclear", FailedPrecondition, "Vault's operator",
        "check the role's bindings, then the auth mount's kubernetes_host, CA and reviewer token";
    /// The server refused a request with a token that it had just issued.
    ReadDenied = "vault.read_denied", PermissionDenied, "Vault's operator",
        "allow the path in a policy of the role";
    /// No engine is mounted at the path, or another one than the class expects, or the namespace does not exist: a mistake in the class, or a mount that is being moved.
    NoMount = "vault.no_mount", FailedPrecondition, "the SecretProviderClass's author",
        "check the mount and the namespace; if the mount is being moved, wait";
    /// The path, version or key does not exist.
    NotFound = "vault.not_found", NotFound, "the SecretProviderClass's author",
        "check path, version and key";
    /// The server does not accept the request (400, 405, 413).
    Rejected = "vault.rejected", InvalidArgument, "the SecretProviderClass's author",
        "check method, path and arguments against the engine's API";
    /// No connection, no response in time, or a broken connection.
    Unreachable = "vault.unreachable", FailedPrecondition, "Vault's operator",
        "check that the server runs and can be reached from the node";
    /// The server is sealed, not initialised, or has no active node.
    Sealed = "vault.sealed", FailedPrecondition, "Vault's operator",
        "unseal the server";
    /// The server limits the rate of requests (429), also after retries.
    Busy = "vault.busy", FailedPrecondition, "Vault's operator",
        "raise the server's quota, or wait";
    /// The server has an internal error (5xx), or it cannot handle the request at the moment (412, a KV upgrade), also after retries.
    ServerError = "vault.error", FailedPrecondition, "Vault's operator",
        "see the server's log";
    /// The server's certificate is not trusted, or the client certificate cannot be used.
    Tls = "vault.tls", FailedPrecondition, "the cluster's operator",
        "check the CA, the server's name and the client certificate";
    /// The server redirects to an address that tokens may not be sent to.
    Redirect = "vault.redirect", FailedPrecondition, "Vault's operator",
        "correct the server's api_addr, or add it to --allow-address";
    /// The response is not what the API documents, or it does not come from Vault: an ingress, a mesh or a gateway has responded.
    Malformed = "vault.malformed", FailedPrecondition, "Vault's operator",
        "check that the address is that of a Vault or OpenBao server, and that the path returns data";
    /// The mount timed out.
    Deadline = "deadline", FailedPrecondition, "Vault's operator",
        "find out why the server is slow; the kubelet retries";
    /// A value cannot be converted to the requested format.
    RenderFailed = "render.failed", FailedPrecondition, "the SecretProviderClass's author",
        "check encoding, template and value";
    /// All files together, or one response, exceed the limit.
    PayloadTooLarge = "payload.too_large", FailedPrecondition, "the SecretProviderClass's author",
        "split the class over several volumes";
    /// Too many mounts, or too large ones, at the same time.
    Overload = "overload", FailedPrecondition, "the node's operator",
        "wait; the kubelet retries";
    /// The process that renders templates cannot be started.
    TemplateUnavailable = "template.unavailable", FailedPrecondition, "the node's operator",
        "check the provider's log, and restart the provider on the node";
    /// The volume on the node cannot be written: its path contains a symbolic link, it is not a tmpfs, it is full, or it belongs to another pod.
    VolumeUnusable = "volume.unusable", FailedPrecondition, "the node's operator",
        "check the volume's directory on the node";
    /// A defect of vaultmount, including a panic.
    Bug = "bug", Internal, "vaultmount's authors",
        "report it, with the provider's log";
}

impl Reason {
    /// True if the same request may succeed later without a change to it: an outage rather than a refusal.
    pub(crate) fn is_passing(self) -> bool {
        match self {
            Self::LoginUnclear
            | Self::Unreachable
            | Self::Sealed
            | Self::Busy
            | Self::ServerError
            | Self::Tls
            | Self::Redirect
            | Self::Malformed
            | Self::NoMount
            | Self::Deadline
            | Self::Overload
            | Self::TemplateUnavailable
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

/// A failed mount: its reason, and the message for the pod's author. The same failure has the same message each time.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    /// The stable cause.
    pub(crate) reason: Reason,
    /// What failed, and where. [`Self::message`] adds the reason and the remedy.
    pub(crate) what: String,
    /// `what` also says what to do. Then the remedy of the reason does not follow it.
    pub(crate) has_remedy: bool,
}

/// Maximum length of the status message, in bytes: what fits into a Kubernetes event with the text that the driver adds.
const MESSAGE_BYTES: usize = 900;

impl Failure {
    /// A failure for `reason`; `what` says what failed, and where.
    pub(crate) fn new(reason: Reason, what: impl Into<String>) -> Self {
        Self { reason, what: what.into(), has_remedy: false }
    }

    /// The same failure. `has_remedy` says whether its text also says what to do.
    pub(crate) fn with_remedy(self, has_remedy: bool) -> Self {
        Self { has_remedy, ..self }
    }

    /// The whole message: reason, what failed, what to do. What failed is cut at the end of a character, so that the message fits into an event.
    pub(crate) fn message(&self) -> String {
        let remedy = if self.has_remedy { String::new() } else { format!("; {}", self.reason.remedy()) };
        let mut text = format!("{}: {}", self.reason, self.what);
        let limit = MESSAGE_BYTES - remedy.len();
        if text.len() > limit {
            text.truncate(text.floor_char_boundary(limit - "...".len()));
            text.push_str("...");
        }
        text + &remedy
    }
}

/// Every status of a failure is created here.
impl From<Failure> for Status {
    fn from(failure: Failure) -> Self {
        Self::new(failure.reason.status(), failure.message())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_reason_has_a_code_that_starts_a_pod_on_an_empty_volume() {
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
    fn every_reason_has_its_own_name() {
        let names: std::collections::HashSet<_> = Reason::ALL.iter().map(|reason| reason.code()).collect();
        assert_eq!(names.len(), Reason::ALL.len());
    }

    /// `tests/golden/names-0.1.0.txt` lists the names, which dashboards and alerts use. A new name is added to it by hand.
    #[test]
    fn reasons_keep_the_names_of_0_1_0() {
        let reasons = Reason::ALL.iter().map(|reason| format!("reason {reason} {:?}", reason.status()));
        crate::state::golden::is_named("reason", reasons);
    }

    /// The text of `docs/errors.md`, which `UPDATE_DOCS=1 cargo test errors` updates.
    fn document() -> String {
        let mut text = String::from(
            "# Errors\n\nEvery failure starts with one of these names. They are never renamed. Generated from `src/error.rs`.\n",
        );
        for reason in Reason::ALL {
            text += &format!("\n## {reason}\n{}\n\n", reason.meaning());
            text += &format!(
                "- gRPC code: {:?}\n- Fixed by: {}\n- Next step: {}\n",
                reason.status(),
                reason.fixed_by(),
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
    fn a_specific_remedy_replaces_that_of_the_reason() {
        let failure = Failure::new(Reason::NotFound, "the mount is KV v2: use secret/data/devops");
        assert!(failure.message().ends_with("; check path, version and key"));
        let message = failure.with_remedy(true).message();
        assert_eq!(message, "vault.not_found: the mount is KV v2: use secret/data/devops");
    }

    #[test]
    fn a_long_message_keeps_its_remedy_and_fits_into_an_event() {
        let message = Failure::new(Reason::NotFound, "é".repeat(2000)).message();
        assert!(
            message.len() <= MESSAGE_BYTES && message.ends_with("check path, version and key"),
            "{message}"
        );
    }
}

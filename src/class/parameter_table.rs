//! Every parameter of a class: the one table for parsing, the reference and the check for unknown names.

use crate::spec::Flavor;

/// A parameter of a class, as the reference describes it.
#[derive(Clone, Copy)]
pub(crate) struct Parameter {
    /// The name, without `vault`, `bao` or `openbao` if it is prefixed.
    pub(crate) name: &'static str,
    pub(crate) prefixed: bool,
    /// The type of the value, for people.
    #[cfg_attr(not(test), expect(dead_code, reason = "for docs/reference.md, which a test compares"))]
    pub(crate) value_type: &'static str,
    #[cfg_attr(not(test), expect(dead_code, reason = "for docs/reference.md, which a test compares"))]
    pub(crate) default: &'static str,
    /// The flag that limits the values of a class.
    #[cfg_attr(not(test), expect(dead_code, reason = "for docs/reference.md, which a test compares"))]
    pub(crate) limited_by: &'static str,
    #[cfg_attr(not(test), expect(dead_code, reason = "for docs/reference.md, which a test compares"))]
    pub(crate) meaning: &'static str,
}

/// Declares the parameters: constant, prefixed or plain, name, type, default, the flag that limits it, and meaning.
macro_rules! parameters {
    ($($constant:ident = $kind:ident $name:literal, $value_type:literal, $default:literal, $limited_by:literal, $meaning:literal;)+) => {
        $(pub(crate) const $constant: Parameter = Parameter {
            name: $name,
            prefixed: matches!(stringify!($kind).as_bytes(), b"prefixed"),
            value_type: $value_type,
            default: $default,
            limited_by: $limited_by,
            meaning: $meaning,
        };)+

        /// Every parameter, in the order of the reference.
        pub(crate) const PARAMETERS: &[Parameter] = &[$($constant),+];
    };
}

parameters! {
    ROLE_NAME = prefixed "RoleName", "text", "this or `roleName`", "", "The role to log in with.";
    PLAIN_ROLE_NAME = plain "roleName", "text", "this or a prefixed one", "", "The same without a prefix; the prefixed name has priority.";
    ADDRESS = prefixed "Address", "address", "`--vault-addr`", "`--allow-address`", "Address of the server: `http://`, `https://` or `unix://`, without user, query and fragment.";
    NAMESPACE = prefixed "Namespace", "path", "`--vault-namespace`", "", "Namespace of the login, and of every source without its own namespace.";
    AUTH_MOUNT_PATH = prefixed "AuthMountPath", "path", "`--vault-mount`", "`--allow-auth-mount`", "Auth mount, of type kubernetes or jwt.";
    KUBERNETES_MOUNT_PATH = prefixed "KubernetesMountPath", "path", "`--vault-mount`", "`--allow-auth-mount`", "The old name of `AuthMountPath`; both names in one class, even empty, are an error.";
    AUDIENCE = plain "audience", "text", "`vault`; on `openbao.sock` `openbao`; of a token that vaultmount requests from Kubernetes, the API server's", "`--allow-audience`", "Audience of the pod's token that logs in; see [Audiences](#audiences).";
    CA_CERT_PATH = prefixed "CACertPath", "file", "the flag's", "`--tls-dir`", "PEM file of CAs in the provider's container; replaces every other choice of CAs.";
    CA_DIRECTORY = prefixed "CADirectory", "directory", "the flag's", "`--tls-dir`", "Directory of PEM files of CAs; `CACertPath` has priority.";
    TLS_SERVER_NAME = prefixed "TLSServerName", "text", "the flag's", "", "Server name to request and to verify.";
    TLS_CLIENT_CERT_PATH = prefixed "TLSClientCertPath", "file", "the flag's", "`--allow-address`, `--tls-dir`", "Client certificate; an error without its key.";
    TLS_CLIENT_KEY_PATH = prefixed "TLSClientKeyPath", "file", "the flag's", "`--allow-address`, `--tls-dir`", "Key of the client certificate; an error without the certificate.";
    SKIP_TLS_VERIFY = prefixed "SkipTLSVerify", "true or false", "`false`", "", "Accept any certificate of the server, in Go's spellings (`1`, `t`, `TRUE`, ...); `false` does not override the flag.";
    LOGIN = plain "login", "`shared`, `pod`, `transient`", "`shared`", "", "Who uses one login: all pods of the service account on the node, one pod, or only this mount, which revokes the token at its end.";
    WRITER = plain "writer", "`driver`, `provider`", "`--writer`", "`--kubelet-dir`", "Who writes the files: the driver, with root as the owner, or vaultmount, which sets owners and polls Vault itself; see [operations](operations.md#written-by-vaultmount).";
    SHARE_SCOPE = plain "shareScope", "`pod`, `serviceAccount`", "`pod`", "", "Who uses an issued certificate or leased credential: one pod, or all pods of its service account on the node, if the server names the account in its response to the login.";
    REFRESH = plain "refresh", "duration", "`30s`; if vaultmount writes the files `60s`", "", "Maximum age of the response of a read at a republish, and in files that vaultmount writes; also how long an issued secret without an end time is cached. `0s` sends a request every time, and every second if vaultmount writes the files.";
    MAX_STALE = plain "maxStale", "duration", "`24h`", "`--max-stale`", "How long the last known good content is used while Vault is unreachable; never at a first mount.";
    FILE_PERMISSION = plain "filePermission", "mode", "the request's, `0644`", "", "Mode of files without their own mode, in octal with a leading 0, from 0 to 0777; 0 means the default.";
    OWNER = plain "owner", "whole number", "root", "", "Owner of files without their own owner, a uid. Has no effect, and is reported in the log, if the driver writes the files.";
    GROUP = plain "group", "whole number", "root", "", "Group of files without their own group, a gid. Has no effect, and is reported in the log, if the driver writes the files.";
    OBJECTS = plain "objects", "YAML list", "required", "`--unknown-fields`", "The files of the volume: at most 1024 files and directories.";
}

impl Parameter {
    /// Every name of the parameter.
    pub(crate) fn names(&self) -> Vec<String> {
        if !self.prefixed {
            return vec![self.name.to_owned()];
        }
        Flavor::Vault.prefixes().iter().map(|prefix| format!("{prefix}{}", self.name)).collect()
    }
}

/// True if the parameter `name` decides which values the volume contains and how old they may be. Every other parameter decides who logs in,
/// where, and who may read the files.
pub(crate) fn is_content(name: &str) -> bool {
    [OBJECTS, REFRESH, MAX_STALE].iter().any(|parameter| parameter.name == name)
}

//! A class's parameters under the peers' three prefixes.

use std::sync::LazyLock;
use std::time::Duration;

use super::{Defaults, SpecError, UnknownFields};
use crate::class::attributes::Attributes;
use crate::class::diagnostics::Diagnostics;
use crate::class::duration::duration;
use crate::class::schema::{Access, word};
use crate::class::spelling::nearest;
use crate::spec::{LoginScope, ShareScope, VolumeWriter};

/// A parameter of a class, as the reference knows it.
pub(crate) struct Parameter {
    /// As it is written; behind `vault`, `bao` or `openbao` where it is prefixed.
    pub(crate) name: &'static str,
    pub(crate) prefixed: bool,
    pub(crate) told: &'static str,
    pub(crate) default: &'static str,
    /// The flag that limits what a class may choose.
    pub(crate) bound: &'static str,
    pub(crate) meaning: &'static str,
}

/// Declares parameters: a row is prefixed or plain, a name, its type, its default, what binds it, and its meaning.
macro_rules! parameters {
    ($($kind:ident $name:literal, $told:literal, $default:literal, $bound:literal, $meaning:literal;)+) => {
        &[$(Parameter {
            name: $name,
            prefixed: matches!(stringify!($kind).as_bytes(), b"prefixed"),
            told: $told,
            default: $default,
            bound: $bound,
            meaning: $meaning,
        }),+]
    };
}

/// Every parameter there is.
pub(crate) const PARAMETERS: &[Parameter] = parameters! {
    prefixed "RoleName", "text", "this or `roleName`", "", "The role to log in with.";
    plain "roleName", "text", "this or a prefixed one", "", "The same without a prefix; the prefixed one counts first.";
    prefixed "Address", "address", "`--vault-addr`", "`--allow-address`", "The server: `http://`, `https://` or `unix://`, without user, query and fragment.";
    prefixed "Namespace", "path", "`--vault-namespace`", "", "Namespace of the login, and of every source that names none.";
    prefixed "AuthMountPath", "path", "`--vault-mount`", "`--allow-auth-mount`", "Auth mount, of type kubernetes or jwt.";
    prefixed "KubernetesMountPath", "path", "`--vault-mount`", "`--allow-auth-mount`", "Its old name; both names in one class, even empty, are an error.";
    plain "audience", "text", "`vault`; on `openbao.sock` `openbao`; of a token that we ask Kubernetes for, the API server's", "`--allow-audience`", "Which of the pod's tokens logs in; see [Audiences](#audiences).";
    prefixed "CACertPath", "file", "the flag's", "`--tls-dir`", "PEM file of CAs in the provider's container; replaces every other choice of CAs.";
    prefixed "CADirectory", "directory", "the flag's", "`--tls-dir`", "Directory of such files; the file beats it.";
    prefixed "TLSServerName", "text", "the flag's", "", "Name to ask for and to check.";
    prefixed "TLSClientCertPath", "file", "the flag's", "`--allow-address`, `--tls-dir`", "Client certificate; an error without its key.";
    prefixed "TLSClientKeyPath", "file", "the flag's", "`--allow-address`, `--tls-dir`", "Its key; an error without the certificate.";
    prefixed "SkipTLSVerify", "true or false", "`false`", "", "Accept any certificate; in Go's spellings (`1`, `t`, `TRUE`, ...); `false` turns nothing off.";
    plain "login", "`shared`, `pod`, `transient`", "`shared`", "", "Who uses one login: all pods of the service account on the node, one pod, or this mount alone, which revokes it at its end.";
    plain "writer", "`driver`, `provider`", "`--writer`", "`--kubelet-dir`", "Who writes the files: the driver, as root's, or vaultmount, with owners and by looks of its own; see [operations](operations.md#written-by-vaultmount).";
    plain "shareScope", "`pod`, `serviceAccount`", "`pod`", "", "Whose a certificate or leased credential is: the pod's own, or that of all pods of its service account on the node, where the server names the account in its answer to the login.";
    plain "refresh", "duration", "`30s`; where vaultmount writes the files `60s`", "", "How old an answer of a read may be at a republish, in files that vaultmount writes how old it may grow, and how long one of a call that makes something is kept when it tells no end of its own; `0s` asks every time, where vaultmount writes each second.";
    plain "maxStale", "duration", "`24h`", "`--max-stale`", "How long the last good content stands in while the server cannot answer; never at a first mount.";
    plain "filePermission", "mode", "the request's, `0644`", "", "Mode of files that name none, in octal with a 0 in front, 0 to 0777; 0 is the default.";
    plain "owner", "whole number", "root", "", "Owner of files that name none, a uid; without effect, and warned of, where the driver writes the files.";
    plain "group", "whole number", "root", "", "Group of files that name none, a gid; likewise.";
    plain "objects", "YAML list", "required", "`--unknown-fields`", "What the pod wants: at most 256 files and directories.";
};

impl Parameter {
    /// Every name that it has.
    pub(crate) fn names(&self) -> Vec<String> {
        if !self.prefixed {
            return vec![self.name.to_owned()];
        }
        ["vault", "bao", "openbao"].iter().map(|prefix| format!("{prefix}{}", self.name)).collect()
    }
}

/// Whether `name` says what the volume holds, and how old that may be; every other one, who asks for it, who may read it, and from where.
pub(crate) fn is_of_content(name: &str) -> bool {
    ["objects", "refresh", "maxStale"].contains(&name)
}

/// What a class says of the life of what a mount gets.
pub(crate) struct Terms {
    pub(crate) written_by: VolumeWriter,
    pub(crate) login: LoginScope,
    pub(crate) share: ShareScope,
    pub(crate) refresh: Duration,
    pub(crate) max_stale: Duration,
}

/// The parameters of one request.
pub(crate) struct Parameters<'a> {
    attributes: &'a Attributes,
    prefixes: [&'static str; 3],
}

impl<'a> Parameters<'a> {
    pub(crate) fn new(attributes: &'a Attributes, defaults: &Defaults) -> Self {
        Self { attributes, prefixes: defaults.flavor.prefixes() }
    }

    /// The parameter `suffix` under its first prefix that is present, and that whole name; a present one counts though empty.
    pub(crate) fn prefixed(&self, suffix: &str) -> Option<(String, &'a str)> {
        let (name, value) =
            self.prefixes.iter().find_map(|prefix| self.attributes.prefixed(prefix, suffix))?;
        Some((name.to_owned(), value))
    }

    /// The same, with an empty one as good as none: what follows is the process's own setting.
    pub(crate) fn set(&self, suffix: &str) -> Option<(String, &'a str)> {
        self.prefixed(suffix).filter(|(_, value)| !value.is_empty())
    }

    pub(crate) fn plain(&self, name: &str) -> Option<&'a str> {
        self.attributes.get(name)
    }

    /// Who writes what the mount gets, how long it is good and for whom; `maxStale` may be at most that of `defaults`.
    pub(crate) fn terms(&self, defaults: &Defaults, found: &mut Diagnostics) -> Terms {
        let stale = defaults.max_stale;
        let written_by =
            self.read("writer", "driver or provider", word, found).unwrap_or(defaults.written_by);
        let refresh = self.read("refresh", "a duration, such as 30s, 5m or 0s", duration, found);
        let max_stale = self.read("maxStale", "a duration, such as 1h, 24h or 0s", duration, found);
        if max_stale.is_some_and(|asked| asked > stale) {
            found.warnings.push(format!(
                "parameter maxStale is more than --max-stale allows: {} s count",
                stale.as_secs()
            ));
        }
        Terms {
            written_by,
            login: self.read("login", "shared, pod or transient", word, found).unwrap_or_default(),
            share: self.read("shareScope", "pod or serviceAccount", word, found).unwrap_or_default(),
            refresh: refresh.unwrap_or(written_by.refresh()),
            max_stale: max_stale.map_or(stale, |asked| asked.min(stale)),
        }
    }

    /// The value of `parameter`, which must be what is `wanted`; an empty one is none.
    fn read<T>(
        &self,
        parameter: &'static str,
        wanted: &'static str,
        reads: impl FnOnce(&str) -> Option<T>,
        found: &mut Diagnostics,
    ) -> Option<T> {
        let text = self.plain(parameter).filter(|text| !text.is_empty())?;
        found.take(reads(text).ok_or(SpecError::Parameter { parameter, wanted }))
    }

    /// Mode, owner and group of files that name none; `mode` is the request's own.
    pub(crate) fn access(&self, mode: u32, found: &mut Diagnostics) -> Access {
        let mut id = |parameter| {
            self.read(
                parameter,
                "a number, such as 1000",
                |text| text.parse().ok().filter(|id| *id != u32::MAX),
                found,
            )
        };
        let (owner, group) = (id("owner"), id("group"));
        let own = self.read(
            "filePermission",
            "a mode of 0 to 0777 in octal, with a 0 in front, such as 0400",
            permission,
            found,
        );
        Access { mode: own.filter(|mode| *mode != 0).unwrap_or(mode), owner, group }
    }

    /// Warns of names that nobody knows, or refuses them.
    pub(crate) fn judge(&self, unknown: UnknownFields, found: &mut Diagnostics) {
        for name in self.attributes.written().filter(|name| !KNOWN.iter().any(|known| known == name)) {
            let known = KNOWN.iter().map(String::as_str);
            let problem = SpecError::UnknownParameter { parameter: name.into(), meant: nearest(name, known) };
            match unknown {
                UnknownFields::Warn => found.warnings.push(problem.to_string()),
                UnknownFields::Error => found.problem(problem),
            }
        }
    }
}

/// Octal behind `0` or `0o`. A parameter is text, in which `440` would be a slip for `0440`, and 0670 as a number.
fn permission(text: &str) -> Option<u32> {
    let digits = text.strip_prefix("0o").or(text.strip_prefix('0'))?;
    let mode = if digits.is_empty() { Ok(0) } else { u32::from_str_radix(digits, 8) };
    mode.ok().filter(|mode| *mode <= 0o777)
}

/// Every name of a parameter.
static KNOWN: LazyLock<Vec<String>> =
    LazyLock::new(|| PARAMETERS.iter().flat_map(Parameter::names).collect());

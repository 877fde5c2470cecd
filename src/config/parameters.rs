//! A class's parameters under the peers' three prefixes.

use std::time::Duration;

use super::attributes::Attributes;
use super::duration::duration;
use super::language::Access;
use super::problem::Found;
use super::spelling::nearest;
use super::{Defaults, Problem, UnknownFields};

/// What follows a prefix: `vaultAddress`, `baoAddress`, `openbaoAddress`.
pub(super) const PREFIXED: [&str; 11] = [
    "RoleName",
    "Address",
    "Namespace",
    "CACertPath",
    "CADirectory",
    "TLSServerName",
    "TLSClientCertPath",
    "TLSClientKeyPath",
    "SkipTLSVerify",
    "KubernetesMountPath",
    "AuthMountPath",
];

/// What has no prefix.
pub(super) const PLAIN: [&str; 7] = ["roleName", "audience", "objects", "refresh", "filePermission", "owner", "group"];

/// How long an answer is kept where the class does not say.
const REFRESH: Duration = Duration::from_secs(30);

/// The parameters of one request.
pub(super) struct Parameters<'a> {
    attributes: &'a Attributes,
    prefixes: [&'static str; 3],
}

impl<'a> Parameters<'a> {
    pub(super) fn new(attributes: &'a Attributes, defaults: &Defaults) -> Self {
        Self { attributes, prefixes: defaults.flavor.prefixes() }
    }

    /// The parameter `suffix` under its first prefix that is present, and that whole name; a present one counts though empty.
    pub(super) fn prefixed(&self, suffix: &str) -> Option<(String, &'a str)> {
        let names = self.prefixes.iter().map(|prefix| format!("{prefix}{suffix}"));
        names.filter_map(|name| self.attributes.get(&name).map(|value| (name, value))).next()
    }

    /// The same, with an empty one as good as none: what follows is the process's own setting.
    pub(super) fn set(&self, suffix: &str) -> Option<(String, &'a str)> {
        self.prefixed(suffix).filter(|(_, value)| !value.is_empty())
    }

    pub(super) fn plain(&self, name: &str) -> Option<&'a str> {
        self.attributes.get(name)
    }

    /// How long an answer is kept that tells no end of its own.
    pub(super) fn refresh(&self, found: &mut Found) -> Duration {
        let text = self.plain("refresh").filter(|text| !text.is_empty());
        let wanted = Problem::Parameter { parameter: "refresh", wanted: "a duration, such as 30s, 5m or 0s" };
        found.take(text.map(|text| duration(text).ok_or(wanted)).transpose()).flatten().unwrap_or(REFRESH)
    }

    /// Mode, owner and group of files that name none; `mode` is the request's own.
    pub(super) fn access(&self, mode: u32, found: &mut Found) -> Access {
        let mut id = |parameter: &'static str| {
            let text = self.plain(parameter).filter(|text| !text.is_empty());
            let id = text.map(|text| text.parse().map_err(|_| Problem::Parameter { parameter, wanted: "a number, such as 1000" }));
            found.take(id.transpose()).flatten()
        };
        let (owner, group) = (id("owner"), id("group"));
        let wanted = Problem::Parameter { parameter: "filePermission", wanted: "a mode of 0 to 0777, such as 0400" };
        let text = self.plain("filePermission").filter(|text| !text.is_empty());
        let own = found.take(text.map(|text| permission(text).ok_or(wanted)).transpose()).flatten();
        Access { mode: own.filter(|mode| *mode != 0).unwrap_or(mode), owner, group }
    }

    /// Warns of names that nobody knows, or refuses them.
    pub(super) fn judge(&self, unknown: UnknownFields, found: &mut Found) {
        let known = known();
        let known = || known.iter().map(String::as_str);
        for name in self.attributes.written().filter(|name| !known().any(|known| known == *name)) {
            let problem = Problem::UnknownParameter { parameter: name.into(), meant: nearest(name, known()) };
            match unknown {
                UnknownFields::Warn => found.warnings.push(problem.to_string()),
                UnknownFields::Error => found.problem(problem),
            }
        }
    }
}

/// Octal after `0` or `0o`, as in an object's `filePermission`.
fn permission(text: &str) -> Option<u32> {
    let octal = text.strip_prefix("0o").or(text.strip_prefix('0').filter(|digits| !digits.is_empty()));
    let mode = octal.map_or_else(|| text.parse(), |digits| u32::from_str_radix(digits, 8));
    mode.ok().filter(|mode| *mode <= 0o777)
}

fn known() -> Vec<String> {
    let prefixes = ["vault", "bao", "openbao"];
    let prefixed = prefixes.iter().flat_map(|prefix| PREFIXED.iter().map(move |suffix| format!("{prefix}{suffix}")));
    PLAIN.iter().map(ToString::to_string).chain(prefixed).collect()
}

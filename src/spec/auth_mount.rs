//! The name of an auth mount, and which auth mounts a class may use.

use super::path::is_unprintable;

/// The auth mount of an upstream provider whose flag is empty.
const DEFAULT: &str = "kubernetes";

/// A text is not the name of an auth mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a path without empty parts, dots alone, control characters and any of % ? # \\")]
pub(crate) struct InvalidAuthMount;

/// The name of an auth mount in the form that is compared and sent: without slashes at its ends and without `auth/` before it. `None` for an
/// empty text.
///
/// Vault compares names byte by byte, capitals too, and so does `AuthMounts`. The refused characters are those that a proxy between
/// vaultmount and Vault could decode, or could treat as the end of the path.
pub(crate) fn normalize(text: &str) -> Result<Option<String>, InvalidAuthMount> {
    let whole = text.trim_matches('/');
    let mount = whole.strip_prefix("auth/").unwrap_or(whole);
    if mount.is_empty() {
        return Ok(None);
    }
    let odd = |character: char| is_unprintable(character) || matches!(character, '%' | '?' | '#' | '\\');
    if mount.split('/').any(|part| matches!(part, "" | "." | "..")) || mount.contains(odd) {
        return Err(InvalidAuthMount);
    }
    Ok(Some(mount.to_owned()))
}

/// Which auth mounts a class may use: the default one and, with `--allow-auth-mount`, the listed ones. Without the flag, a class may use every auth mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AuthMounts {
    default: String,
    listed: Vec<String>,
}

impl Default for AuthMounts {
    fn default() -> Self {
        Self { default: DEFAULT.to_owned(), listed: Vec::new() }
    }
}

impl AuthMounts {
    /// `default` is `--vault-mount`, which may be empty; each of `listed` is one `--allow-auth-mount`.
    ///
    /// # Errors
    /// The text that is not the name of an auth mount. An empty text in the list is refused too: otherwise it would silently allow no auth
    /// mount but the default.
    pub(crate) fn new<'a>(
        default: &'a str,
        listed: &'a [String],
    ) -> Result<Self, (&'a str, InvalidAuthMount)> {
        let named = |text: &'a str| normalize(text).map_err(|error| (text, error));
        let default = named(default)?.unwrap_or_else(|| DEFAULT.to_owned());
        let listed = listed
            .iter()
            .map(|text| named(text)?.ok_or((text.as_str(), InvalidAuthMount)))
            .collect::<Result<_, _>>()?;
        Ok(Self { default, listed })
    }

    /// The auth mount of classes that do not name one.
    pub(crate) fn default_mount(&self) -> &str {
        &self.default
    }

    /// True if the operator named `mount`, as the default or in the list.
    pub(crate) fn names(&self, mount: &str) -> bool {
        self.default == mount || self.listed.iter().any(|listed| listed == mount)
    }

    /// True if a class may use `mount`.
    pub(crate) fn allow(&self, mount: &str) -> bool {
        self.listed.is_empty() || self.names(mount)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_mount_is_one_name() {
        for text in
            ["kubernetes", "/kubernetes/", "auth/kubernetes", "//auth/kubernetes//", "auth/kubernetes/"]
        {
            assert_eq!(normalize(text), Ok(Some("kubernetes".into())), "{text}");
        }
        assert_eq!(normalize("clusters/prod"), Ok(Some("clusters/prod".into())));
        assert_eq!(normalize("auth/auth/x"), Ok(Some("auth/x".into())), "a mount may have this name");
        assert_eq!((normalize(""), normalize("//")), (Ok(None), Ok(None)));
    }

    #[test]
    fn a_name_that_a_proxy_could_read_as_another_mount_is_refused() {
        for text in [
            "a//b",
            "a/../cert",
            "../cert",
            "./cert",
            "cert/.",
            "auth//cert",
            "auth/../cert",
            "c%65rt",
            "cert%2f",
            "x%2f..%2fcert",
            "cert?",
            "cert#x",
            "x\\..\\cert",
            "cert\n",
            "cert\0",
            "\u{202e}trec",
        ] {
            assert_eq!(normalize(text), Err(InvalidAuthMount), "{text:?}");
        }
    }

    #[test]
    fn with_a_list_a_class_may_use_only_the_listed_mounts_and_the_default() {
        let listed = ["/jwt/".to_owned(), "auth/clusters/prod".to_owned()];
        let mounts = AuthMounts::new("/auth/kube/", &listed).unwrap();
        for mount in ["kube", "jwt", "clusters/prod"] {
            assert!(mounts.allow(mount) && mounts.names(mount), "{mount}");
        }
        for mount in
            ["cert", "JWT", "jwt ", "jw", "jwt/x", "clusters", "prod", "kubernetes", "auth/jwt", "ｊwt"]
        {
            assert!(!mounts.allow(mount), "{mount}");
        }
        let open = AuthMounts::new("", &[]).unwrap();
        assert!(open.allow("cert") && !open.names("cert") && open.names("kubernetes"));
        assert_eq!(
            AuthMounts::new("", &[String::new()]),
            Err(("", InvalidAuthMount)),
            "an empty entry would silently allow only the default mount"
        );
    }
}

//! The user's Vault token: from a file or the environment, never from an argument, which every user of the machine can see.

use std::env;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use super::S5Error;
use crate::secret::Secret;

/// The token from `file`, or else from `VAULT_TOKEN`, `BAO_TOKEN` or `~/.vault-token`, to which `vault login` and `bao login` write it;
/// without surrounding white space.
pub(crate) fn read(file: Option<&Path>) -> Result<Secret, S5Error> {
    if let Some(file) = file {
        return read_file(file)?.ok_or(S5Error::NoToken);
    }
    let variable =
        |name| env::var_os(name).map(OsStringExt::into_vec).and_then(|text| token(Secret::from(text)));
    if let Some(token) = variable("VAULT_TOKEN").or_else(|| variable("BAO_TOKEN")) {
        return Ok(token);
    }
    let home = env::var_os("HOME").filter(|home| !home.is_empty()).ok_or(S5Error::NoToken)?;
    match read_file(&PathBuf::from(home).join(".vault-token")) {
        Err(S5Error::File { source, .. }) if source.kind() == ErrorKind::NotFound => Err(S5Error::NoToken),
        other => other?.ok_or(S5Error::NoToken),
    }
}

fn read_file(file: &Path) -> Result<Option<Secret>, S5Error> {
    let failed =
        |source| S5Error::File { place: file.display().to_string(), doing: "reading the token", source };
    fs::read(file).map(|text| token(Secret::from(text))).map_err(failed)
}

/// `text` without surrounding white space; `None` if nothing remains.
fn token(text: Secret) -> Option<Secret> {
    Some(text.expose().trim_ascii())
        .filter(|token| !token.is_empty())
        .map(|token| Secret::from(token.to_vec()))
}

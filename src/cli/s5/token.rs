//! The operator's token: from a file or the environment, never from an argument, which every user of the machine sees.

use std::env;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use super::S5Error;
use crate::secret::Secret;

/// The token in `file`, or else in `VAULT_TOKEN`, `BAO_TOKEN` or `~/.vault-token`, where `vault login` and `bao login`
/// leave it; without the white space around it.
pub(crate) fn read(file: Option<&Path>) -> Result<Secret, S5Error> {
    if let Some(file) = file {
        return stored(file)?.ok_or(S5Error::NoToken);
    }
    let set = |name| env::var_os(name).map(OsStringExt::into_vec).and_then(|text| token(Secret::from(text)));
    if let Some(token) = set("VAULT_TOKEN").or_else(|| set("BAO_TOKEN")) {
        return Ok(token);
    }
    let home = env::var_os("HOME").filter(|home| !home.is_empty()).ok_or(S5Error::NoToken)?;
    match stored(&PathBuf::from(home).join(".vault-token")) {
        Err(S5Error::File { source, .. }) if source.kind() == ErrorKind::NotFound => Err(S5Error::NoToken),
        other => other?.ok_or(S5Error::NoToken),
    }
}

fn stored(file: &Path) -> Result<Option<Secret>, S5Error> {
    let failed =
        |source| S5Error::File { place: file.display().to_string(), doing: "reading the token", source };
    fs::read(file).map(|text| token(Secret::from(text))).map_err(failed)
}

/// `None` when there is nothing but white space.
fn token(text: Secret) -> Option<Secret> {
    Some(text.expose().trim_ascii())
        .filter(|token| !token.is_empty())
        .map(|token| Secret::from(token.to_vec()))
}

//! The text of `objects` -> its entries, with the fields of the Go providers in the types that those have there.

use std::fmt;

use serde_json::Value;

use crate::goyaml::{Decoder, Fault, Item, YamlError, parse};

/// One member of `objects` as written, nothing checked yet; a field that is absent or null is empty.
#[derive(Clone, Default, PartialEq)]
pub(crate) struct Entry {
    /// The file's name.
    pub(crate) object_name: String,
    /// The path, with or without `v1/` and query.
    pub(crate) secret_path: String,
    /// The key of the value in the response.
    pub(crate) secret_key: String,
    /// The HTTP method.
    pub(crate) method: String,
    /// The body; may contain secrets.
    pub(crate) secret_args: Option<Value>,
    /// The mode, 0 for the default.
    pub(crate) file_permission: u32,
    /// The encoding of the value.
    pub(crate) encoding: String,
    /// Fields that only vaultmount knows.
    pub(crate) ours: Vec<(String, Item)>,
    /// Fields that neither vaultmount nor the Go providers know; the Go providers ignore them.
    pub(crate) unknown: Vec<String>,
    /// The mode is written as a decimal number, as in `400`.
    pub(crate) is_decimal_mode: bool,
    /// Fields whose values cannot be read; they are empty.
    pub(crate) faults: Vec<YamlError>,
}

impl Entry {
    /// Every field of the Go providers.
    pub(crate) const FIELDS: [&str; 7] =
        ["objectName", "secretPath", "secretKey", "method", "secretArgs", "filePermission", "encoding"];
}

/// Without `secretArgs`, which may contain secrets.
impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("object_name", &self.object_name)
            .field("secret_path", &self.secret_path)
            .finish_non_exhaustive()
    }
}

/// The members of the list in `text`, none for an empty text; null members are left out, as in Go. Of the fields that the Go providers
/// do not have, only those in `ours` are read. With them everything that is wrong outside of an entry.
///
/// # Errors
///
/// A mistake in the syntax, or a limit of YAML, which hide everything after them.
pub(crate) fn entries(text: &str, ours: &[&str]) -> Result<(Vec<Entry>, Vec<YamlError>), YamlError> {
    let tree = parse(text)?;
    let mut decoder = Decoder::new(&tree, &Entry::FIELDS);
    let members = decoder.list("`objects` must be a list: begin each object with `- `");
    let mut outside = decoder.take_faults();
    let mut entries = Vec::new();
    for member in members {
        let fields =
            decoder.fields(*member, "an object must be a mapping of fields, such as `objectName: ...`");
        outside.extend(decoder.take_faults());
        let Some(fields) = fields else { continue };
        if outside.last().is_some_and(|error| error.fault == Fault::DuplicateKey) && fields.is_empty() {
            continue;
        }
        let mut entry = Entry::default();
        for (name, value) in fields {
            match name.as_str() {
                "objectName" => entry.object_name = decoder.text(value),
                "secretPath" => entry.secret_path = decoder.text(value),
                "secretKey" => entry.secret_key = decoder.text(value),
                "method" => entry.method = decoder.text(value),
                "encoding" => entry.encoding = decoder.text(value),
                "filePermission" => {
                    entry.file_permission = decoder
                        .unsigned(value, "filePermission must be a number such as 0640, without quotes");
                    entry.is_decimal_mode = decoder.plain_text(value).is_some_and(is_decimal);
                }
                "secretArgs" => entry.secret_args = decoder.map(value, "secretArgs must be a mapping"),
                other if ours.contains(&other) => {
                    entry.ours.extend(decoder.item(value).map(|item| (name, item)))
                }
                _ => entry.unknown.push(name),
            }
        }
        entry.faults = decoder.take_faults();
        if let Some(limit) =
            entry.faults.iter().find(|error| matches!(error.fault, Fault::Large | Fault::Deep))
        {
            return Err(*limit);
        }
        entries.push(entry);
    }
    Ok((entries, outside))
}

/// True for a number that YAML reads as decimal: digits, the first of them not 0.
pub(crate) fn is_decimal(text: &str) -> bool {
    !text.starts_with('0') && !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

//! Secrets that cannot be printed or cloned, and that are wiped from memory on drop.

use std::fmt;
use std::io;
use std::mem;
use std::ops::Deref;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use zeroize::{Zeroize, Zeroizing};

/// Bytes from Vault, or a pod's token. Wiped on drop; not `Clone`, not `Serialize`, not `Display`.
///
/// ```compile_fail,E0599
/// let secret = vaultmount::internals::Secret::from("canary");
/// let copy = secret.clone(); // a second copy must be wiped too
/// ```
/// ```compile_fail,E0277
/// println!("{}", vaultmount::internals::Secret::from("canary"));
/// ```
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// The bytes. There is no other access (no `AsRef`, no `Borrow`); a comment at the call says where they go.
    pub(crate) fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The bytes as text, for a token or a JSON body; `None` if they are not UTF-8.
    pub(crate) fn expose_text(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }

    /// The number of bytes. Sizes are not secret.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// True if there are no bytes.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<Vec<u8>> for Secret {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }
}

impl From<Zeroizing<Vec<u8>>> for Secret {
    fn from(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self(bytes)
    }
}

impl From<SecretWriter> for Secret {
    fn from(writer: SecretWriter) -> Self {
        Self(writer.0)
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::from(text.into_bytes())
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self::from(text.as_bytes().to_vec())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Collects the bytes of a secret. Wiped on drop, and so is the old buffer when it must grow, which `Vec` and `String` leave as it is.
#[derive(Default)]
pub(crate) struct SecretWriter(Zeroizing<Vec<u8>>);

impl SecretWriter {
    /// An empty one with space for `bytes`.
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Self(Zeroizing::new(Vec::with_capacity(bytes)))
    }

    /// Appends `bytes`.
    pub(crate) fn extend_from_slice(&mut self, bytes: &[u8]) {
        append(&mut self.0, bytes);
    }

    /// Appends `text`.
    pub(crate) fn push_str(&mut self, text: &str) {
        append(&mut self.0, text.as_bytes());
    }

    /// Appends a character.
    pub(crate) fn push(&mut self, char: char) {
        append(&mut self.0, char.encode_utf8(&mut [0; 4]).as_bytes());
    }

    /// The text; empty if somebody has written bytes that are not UTF-8.
    pub(crate) fn into_text(mut self) -> Zeroizing<String> {
        Zeroizing::new(String::from_utf8(mem::take(&mut *self.0)).unwrap_or_default())
    }
}

impl<'t> Extend<&'t str> for SecretWriter {
    fn extend<I: IntoIterator<Item = &'t str>>(&mut self, texts: I) {
        texts.into_iter().for_each(|text| self.push_str(text));
    }
}

impl io::Write for SecretWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Write for SecretWriter {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push_str(text);
        Ok(())
    }
}

/// Appends `bytes` to `buffer`. When the buffer must grow, the old one is wiped.
pub(crate) fn append(buffer: &mut Zeroizing<Vec<u8>>, bytes: &[u8]) {
    let size = buffer.len() + bytes.len();
    if size > buffer.capacity() {
        let mut larger = Zeroizing::new(Vec::with_capacity(size * 2));
        larger.extend_from_slice(buffer);
        *buffer = larger;
    }
    buffer.extend_from_slice(bytes);
}

/// A JSON object that holds secrets, such as a Vault response. Its strings are wiped on drop; not `Clone`, and `Debug` prints nothing of it.
///
/// Wiped are the strings among the values. The names of members stay in memory, and so do numbers and booleans.
#[derive(Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct WipedMap(Map<String, Value>);

impl WipedMap {
    /// Adds a member.
    pub(crate) fn insert(&mut self, name: String, value: WipedJson) {
        if let Some(mut previous) = self.0.insert(name, value.into_value()) {
            wipe(&mut previous);
        }
    }

    /// Removes the member `name`, and wipes its value.
    pub(crate) fn remove(&mut self, name: &str) {
        if let Some(mut value) = self.0.remove(name) {
            wipe(&mut value);
        }
    }

    /// A copy that is wiped on drop, too.
    pub(crate) fn copy_of(members: &Map<String, Value>) -> Self {
        Self(members.clone())
    }
}

impl From<Map<String, Value>> for WipedMap {
    fn from(members: Map<String, Value>) -> Self {
        Self(members)
    }
}

impl Deref for WipedMap {
    type Target = Map<String, Value>;

    fn deref(&self) -> &Map<String, Value> {
        &self.0
    }
}

impl Drop for WipedMap {
    fn drop(&mut self) {
        self.0.values_mut().for_each(wipe);
    }
}

impl fmt::Debug for WipedMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WipedMap(..)")
    }
}

/// Any JSON value that holds secrets; see [`WipedMap`].
pub(crate) struct WipedJson(Value);

impl WipedJson {
    /// The value, for a place that wipes it itself.
    fn into_value(mut self) -> Value {
        mem::take(&mut self.0)
    }
}

impl From<Value> for WipedJson {
    fn from(value: Value) -> Self {
        Self(value)
    }
}

impl From<WipedMap> for WipedJson {
    fn from(mut members: WipedMap) -> Self {
        Self(Value::Object(mem::take(&mut members.0)))
    }
}

impl Deref for WipedJson {
    type Target = Value;

    fn deref(&self) -> &Value {
        &self.0
    }
}

impl Drop for WipedJson {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

impl fmt::Debug for WipedJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WipedJson(..)")
    }
}

/// Overwrites every string in `value`.
fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(items) => items.iter_mut().for_each(wipe),
        Value::Object(members) => members.values_mut().for_each(wipe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn debug_shows_nothing_of_a_secret() {
        assert_eq!(format!("{:?}", Secret::from("canary")), "Secret(..)");
        assert_eq!(format!("{:?}", WipedJson::from(json!("canary"))), "WipedJson(..)");
        assert_eq!(format!("{:?}", WipedMap::default()), "WipedMap(..)");
    }

    #[test]
    fn a_writer_holds_all_that_was_written_however_often_its_buffer_grew() {
        let mut writer = SecretWriter::with_capacity(1);
        for _ in 0..100 {
            writer.push('é');
            writer.extend(["ab", "c"]);
        }
        assert_eq!(*writer.into_text(), "éabc".repeat(100));
        let mut bytes = SecretWriter::default();
        bytes.extend_from_slice(&[0xff, 0]);
        assert_eq!(Secret::from(bytes).expose(), [0xff, 0]);
    }

    #[test]
    fn every_string_of_a_json_value_is_wiped() {
        let mut value = json!({"a": "canary", "b": ["canary", {"c": "canary"}], "n": 1});
        wipe(&mut value);
        assert_eq!(value, json!({"a": "", "b": ["", {"c": ""}], "n": 1}));
    }

    #[test]
    fn a_wiped_map_reads_and_writes_as_the_object_that_it_holds() {
        let mut members: WipedMap = serde_json::from_str(r#"{"a": "x", "request_id": "r"}"#).unwrap();
        members.remove("request_id");
        members.insert("b".into(), json!([1]).into());
        assert_eq!(serde_json::to_string(&members).unwrap(), r#"{"a":"x","b":[1]}"#);
        assert_eq!(*WipedJson::from(members), json!({"a": "x", "b": [1]}));
    }
}

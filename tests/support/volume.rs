//! The files that the driver would write from a response.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::wire::MountResponse;
use tonic::Code;

use super::class::Class;
use super::driver::Call;

/// A pod's volume after a mount.
pub(crate) struct Volume<'p> {
    call: Call<'p>,
    files: BTreeMap<String, (u32, Vec<u8>)>,
    versions: BTreeMap<String, String>,
    ours: bool,
}

/// A failed mount, with the text of the kubelet's event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) code: Code,
    pub(crate) text: String,
}

impl<'p> Volume<'p> {
    /// Does what the driver does with `answer`. Fails the test where the driver would write nothing, or a file that cannot be read.
    pub(super) fn new(call: Call<'p>, answer: MountResponse) -> Self {
        assert!(answer.error.is_none());
        let ours = answer.files.is_empty();
        let sent =
            answer.files.into_iter().map(|file| (file.path, (file.mode.cast_unsigned(), file.contents)));
        let files: BTreeMap<_, _> = if ours { call.written() } else { sent.collect() };
        assert!(!files.is_empty(), "the driver would write nothing");
        let versions: BTreeMap<_, _> =
            answer.object_version.into_iter().map(|object| (object.id, object.version)).collect();
        let present = versions.iter().filter(|(_, version)| *version != "absent").map(|(name, _)| name);
        assert!(present.eq(files.keys()), "one version a file: {:?} {versions:?}", files.keys());
        assert!(
            files.values().all(|(mode, _)| (1..=0o777).contains(mode)),
            "modes that the driver can write"
        );
        Self { call, files, versions, ours }
    }

    /// The current text of a file, where the provider writes.
    pub(crate) fn now(&self, name: &str) -> String {
        assert!(self.ours, "the driver writes it");
        self.call
            .written()
            .remove(name)
            .map(|(_, bytes)| String::from_utf8(bytes).unwrap())
            .unwrap_or_default()
    }

    /// The volume's directory as this process can reach it, where the provider writes.
    pub(crate) fn directory(&self) -> PathBuf {
        assert!(self.ours, "the driver writes it");
        self.call.directory()
    }

    /// The volume's directory in the provider's request.
    pub(crate) fn place(&self) -> PathBuf {
        self.call.place()
    }

    /// Whether the provider writes the volume.
    pub(crate) fn is_ours(&self) -> bool {
        self.ours
    }

    /// The file as text.
    pub(crate) fn read(&self, name: &str) -> String {
        String::from_utf8(self.bytes(name).to_vec()).unwrap()
    }

    pub(crate) fn bytes(&self, name: &str) -> &[u8] {
        &self.file(name).1
    }

    /// Permission bits.
    pub(crate) fn mode(&self, name: &str) -> u32 {
        self.file(name).0
    }

    /// The file parsed as JSON.
    pub(crate) fn json(&self, name: &str) -> serde_json::Value {
        serde_json::from_slice(self.bytes(name)).unwrap()
    }

    pub(crate) fn version(&self, name: &str) -> &str {
        &self.versions[name]
    }

    /// Every file's version by its name.
    pub(crate) fn versions(&self) -> &BTreeMap<String, String> {
        &self.versions
    }

    pub(crate) fn names(&self) -> Vec<&str> {
        self.files.keys().map(String::as_str).collect()
    }

    /// Republishes the volume, which must succeed.
    pub(crate) async fn remount(&self) -> Self {
        self.call.clone().mount().await
    }

    /// Republishes the volume, which must fail.
    pub(crate) async fn remount_fails(&self) -> Refusal {
        self.call.clone().fails().await
    }

    /// The request of the next republish after a change of the class.
    pub(crate) fn edited(&self, class: Class) -> Call<'p> {
        self.call.clone().of(class)
    }

    fn file(&self, name: &str) -> &(u32, Vec<u8>) {
        self.files.get(name).unwrap_or_else(|| panic!("no {name:?} among {:?}", self.names()))
    }
}

impl Refusal {
    /// Fails the test unless the text begins with `reason`, fits into an event and contains all of `parts`.
    pub(crate) fn tells(&self, reason: &str, parts: &[&str]) -> &Self {
        assert!(self.text.starts_with(&format!("{reason}: ")), "not {reason}: {self:?}");
        assert!(self.text.len() <= 900, "{} bytes: {}", self.text.len(), self.text);
        for part in parts {
            assert!(self.text.contains(part), "does not name {part:?}: {}", self.text);
        }
        self
    }
}

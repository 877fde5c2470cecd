//! Volumes in the kernel's list of mounts: a provider that was started with `seeing_mounts` finds them there.

use std::path::{Path, PathBuf};

use super::provider::Provider;
use super::provider_setup::KUBELET;
use super::tools::tool;

impl Provider {
    /// The kubelet's directory in this provider's settings.
    pub(crate) fn kubelet(&self) -> PathBuf {
        self.home().join(KUBELET)
    }

    /// Mounts the kubelet's directory, still without volumes, as the manifest does.
    pub(crate) fn sees_the_kubelet(&self) {
        self.run("mount -t tmpfs pods \"$1\"", &[self.kubelet().join("pods")]);
    }

    /// Mounts a tmpfs at each of `places`, as the driver does before it requests files.
    pub(crate) fn volumes_begin(&self, places: &[PathBuf]) {
        self.run("for place; do mkdir -p \"$place\" && mount -t tmpfs volume \"$place\"; done", places);
    }

    /// Unmounts them, as the kubelet does at the end of a pod.
    pub(crate) fn volumes_end(&self, places: &[PathBuf]) {
        self.run("umount \"$@\"", places);
    }

    /// A path in the provider's mount namespace, as this process can reach it.
    pub(crate) fn seen(&self, place: &Path) -> PathBuf {
        Path::new(&format!("/proc/{}/root", self.id())).join(place.strip_prefix("/").unwrap())
    }

    /// Runs `script` in the provider's mount namespace.
    pub(crate) fn run(&self, script: &str, places: &[PathBuf]) {
        let script = format!("set -e; {script}");
        let namespace = format!("--mount=/proc/{}/ns/mnt", self.id());
        let mut arguments = vec![namespace.as_str(), "sh", "-c", &script, "sh"];
        arguments.extend(places.iter().map(|place| text(place)));
        tool("nsenter", &arguments, b"");
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

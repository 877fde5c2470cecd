//! Volumes that the kernel knows: a provider that was started with `seeing_mounts` finds them in its own list of mounts.

use std::path::{Path, PathBuf};

use super::provider::Provider;
use super::provider_setup::KUBELET;
use super::tools::tool;

impl Provider {
    /// The kubelet's directory, as this provider was told.
    pub(crate) fn kubelet(&self) -> PathBuf {
        self.home().join(KUBELET)
    }

    /// Shows it the kubelet's volumes, none yet: as its manifest does, by a mount of the directory.
    pub(crate) fn sees_the_kubelet(&self) {
        self.run("mount -t tmpfs pods \"$1\"", &[self.kubelet().join("pods")]);
    }

    /// Mounts something on each of `places`, as the driver does before it asks for files.
    pub(crate) fn volumes_begin(&self, places: &[PathBuf]) {
        self.run("for place; do mkdir -p \"$place\" && mount -t tmpfs volume \"$place\"; done", places);
    }

    /// Unmounts them, as the kubelet does at the end of a pod.
    pub(crate) fn volumes_end(&self, places: &[PathBuf]) {
        self.run("umount \"$@\"", places);
    }

    /// A place among its mounts, as this process can reach it.
    pub(crate) fn seen(&self, place: &Path) -> PathBuf {
        Path::new(&format!("/proc/{}/root", self.id())).join(place.strip_prefix("/").unwrap())
    }

    /// Runs `script` among its mounts.
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

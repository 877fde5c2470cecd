//! Volumes as the node sees them, also while the kubelet does not run.

use std::time::{Duration, Instant};

use super::cluster::enter;

/// All volumes on the node whose name matches a shell pattern. A name that only one test uses matches only its volumes.
pub(crate) struct Volumes(pub(crate) &'static str);

impl Volumes {
    /// Output of a shell in the node's directory of pods, where `$files` are the files of that name.
    fn sh(&self, file: &str, line: &str) -> Result<String, String> {
        let files = format!("files='*/volumes/kubernetes.io~csi/{}/mount/{file}'", self.0);
        enter(&["sh", "-c", &format!("cd /var/lib/kubelet/pods && {files} && {line}")])
    }

    /// Number of volumes that have the file.
    pub(crate) fn count(&self, file: &str) -> usize {
        self.sh(file, "ls -d $files").unwrap_or_default().lines().count()
    }

    /// The text of the file in the only volume.
    pub(crate) fn read(&self, file: &str) -> String {
        self.sh(file, "cat $files").unwrap()
    }

    /// The target of `..data` in each volume, with its path.
    pub(crate) fn generations(&self) -> String {
        self.sh("..data", "for link in $files; do echo $link $(readlink $link); done").unwrap()
    }

    /// The time from now until the file has this text in all volumes. Fails after `seconds`.
    pub(crate) fn come_to_read(&self, file: &str, text: &str, seconds: u64) -> Duration {
        let begun = Instant::now();
        // One shell polls all the time: starting one for each poll would take as long as the time that is measured here.
        let others = format!("grep -L -x -F -e '{text}' $files");
        let line = format!(
            "end=$(($(date +%s) + {seconds})); while {others} | grep -q .; do [ $(date +%s) -lt $end ] || exit 1; sleep 0.05; done"
        );
        let waited = self.sh(file, &line);
        let took = begun.elapsed();
        assert!(
            waited.is_ok() && self.count(file) > 0,
            "not {text:?} within {seconds} s: {:?}",
            self.sh(file, &others)
        );
        took
    }

    /// Reads two files that always change together, each time through one handle of `..data`, until `reads` were consistent and `swaps` were seen,
    /// for six minutes at most. Returns the number of consistent reads, of generations seen, and of mixed reads.
    pub(crate) fn read_together(&self, [one, other]: [&str; 2], reads: usize, swaps: usize) -> [usize; 3] {
        // `cd -P` is the handle. A read whose generation was removed meanwhile does not count.
        let whole = format!(
            "a=$(cat {one} 2>/dev/null) && b=$(cat {other} 2>/dev/null) || continue; [ \"$a\" = \"$b\" ] && echo whole $PWD || echo mix $PWD"
        );
        let once = format!(
            "cd /var/lib/kubelet/pods; for data in $files; do cd -P /var/lib/kubelet/pods/$data 2>/dev/null || continue; {whole}; done"
        );
        let line = format!(
            "end=$(($(date +%s) + 360)); log=$(mktemp); while [ $(date +%s) -lt $end ]; do {{ {once}; }} >>$log; \
             [ $(grep -c ^whole $log) -ge {reads} ] && [ $(sort -u $log | wc -l) -ge {swaps} ] && break; done; \
             echo $(grep -c ^whole $log) $(sort -u $log | wc -l) $(grep -c ^mix $log); rm $log"
        );
        let found = self.sh("..data", &line).unwrap();
        let mut numbers = found.split_whitespace().map(|number| number.parse().unwrap());
        [(); 3].map(|()| numbers.next().unwrap())
    }
}

//! Volumes as the node has them, also while no kubelet answers for their pods.

use std::time::{Duration, Instant};

use super::cluster::enter;

/// All volumes on the node whose name matches a pattern of the shell's. A name that only one test uses is only its own.
pub(crate) struct Volumes(pub(crate) &'static str);

impl Volumes {
    /// What a shell prints in the node's directory of pods, where `$files` are the files of that name.
    fn sh(&self, file: &str, line: &str) -> Result<String, String> {
        let files = format!("files='*/volumes/kubernetes.io~csi/{}/mount/{file}'", self.0);
        enter(&["sh", "-c", &format!("cd /var/lib/kubelet/pods && {files} && {line}")])
    }

    /// How many of them have the file.
    pub(crate) fn count(&self, file: &str) -> usize {
        self.sh(file, "ls -d $files").unwrap_or_default().lines().count()
    }

    /// The text of the file of the one that there is.
    pub(crate) fn read(&self, file: &str) -> String {
        self.sh(file, "cat $files").unwrap()
    }

    /// Where `..data` leads to in each of them, with its path.
    pub(crate) fn generations(&self) -> String {
        self.sh("..data", "for link in $files; do echo $link $(readlink $link); done").unwrap()
    }

    /// The time from now until the file has this text in all of them; fails after `seconds`.
    pub(crate) fn come_to_read(&self, file: &str, text: &str, seconds: u64) -> Duration {
        let begun = Instant::now();
        // One shell looks all the time: to start one for each look would take as long as what is measured here.
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

    /// Reads two files that always change together, each time through one handle of `..data`, until `reads` were whole and `swaps` were seen,
    /// for three minutes at most. Gives how often they were whole, how many generations were seen, and how often they were a mix.
    pub(crate) fn read_together(&self, [one, other]: [&str; 2], reads: usize, swaps: usize) -> [usize; 3] {
        // `cd -P` is the handle; whoever finds its generation removed meanwhile has read nothing.
        let whole = format!(
            "a=$(cat {one} 2>/dev/null) && b=$(cat {other} 2>/dev/null) || continue; [ \"$a\" = \"$b\" ] && echo whole $PWD || echo mix $PWD"
        );
        let once = format!(
            "cd /var/lib/kubelet/pods; for data in $files; do cd -P /var/lib/kubelet/pods/$data 2>/dev/null || continue; {whole}; done"
        );
        let line = format!(
            "end=$(($(date +%s) + 180)); log=$(mktemp); while [ $(date +%s) -lt $end ]; do {{ {once}; }} >>$log; \
             [ $(grep -c ^whole $log) -ge {reads} ] && [ $(sort -u $log | wc -l) -ge {swaps} ] && break; done; \
             echo $(grep -c ^whole $log) $(sort -u $log | wc -l) $(grep -c ^mix $log); rm $log"
        );
        let found = self.sh("..data", &line).unwrap();
        let mut numbers = found.split_whitespace().map(|number| number.parse().unwrap());
        [(); 3].map(|()| numbers.next().unwrap())
    }
}

//! The files of volumes that we write ourselves, and when each of these is looked at.

use std::ffi::OsStr;
use std::hash::BuildHasher;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard};
use std::time::{Duration, SystemTime};

use metrics::counter;
use tokio::time::{Instant, sleep_until};
use tracing::debug;

use super::{Volume, Volumes};
use crate::blocking;
use crate::cache::issued::Issued;
use crate::class::RememberedRequest;
use crate::payload::Payload;
use crate::renewal::{PollSchedule, RenewalInputs, UnixMillis};
use crate::spec::{MountSpec, Source, VolumeWriter};
use crate::volume::id::part;
use crate::writer::{Change, Fingerprints, StaleGeneration, Target, Trigger, WriteError, Writer};

/// Within this time of a start all volumes are looked at that an earlier process wrote.
const RESUMED: Duration = Duration::from_secs(5);

/// When there is nothing to do: until somebody says so.
const NEVER: Duration = Duration::from_secs(24 * 3600);

/// How we stand to the files of a volume.
#[derive(Default)]
pub(crate) struct Files {
    /// Whether we wrote them last.
    pub(crate) ours: bool,
    /// When they are looked at next; none while somebody looks.
    look: Option<Instant>,
    /// When what a swap left may go.
    sweep: Option<Instant>,
}

/// What is due.
pub enum Job {
    /// A look at a volume whose files we wrote.
    Poll(Arc<Volume>),
    /// Removing what a swap left in it.
    RemoveStale(Arc<Volume>),
}

impl Files {
    /// As an earlier process left them: looked at soon, each volume at a time of its own, and swept, whatever becomes of the look.
    pub(crate) fn resumed(ours: bool, chance: f64) -> Self {
        let soon = ours.then(|| Instant::now() + RESUMED.mul_f64(chance));
        Self { ours, look: soon, sweep: soon }
    }

    fn next(&self) -> Option<Instant> {
        self.look.into_iter().chain(self.sweep).min()
    }

    fn leaves(&mut self, leftover: Option<StaleGeneration>) {
        let due = |leftover: StaleGeneration| {
            Instant::now() + leftover.due.duration_since(SystemTime::now()).unwrap_or_default()
        };
        self.sweep = leftover.map(due);
    }
}

impl Volumes {
    /// Who writes the files that `spec` asks for, where we do: what the driver mounts for a pod, below the directory that we were given.
    pub fn writer(&self, spec: &MountSpec) -> Option<&Writer> {
        let root = self.root.as_ref()?;
        let is_ours =
            spec.written_by == VolumeWriter::Provider && Path::new(&spec.target_path).starts_with(root);
        self.writer.as_ref().filter(|_| is_ours)
    }

    /// Why a volume of a pod is none that we could write.
    pub fn unreachable(&self) -> &'static str {
        if self.root.is_some() {
            "the volume is not below --kubelet-dir"
        } else {
            "there is no --kubelet-dir"
        }
    }

    /// Makes `payload` the files of `volume`. What it has is written down before: a process that is killed here leaves nothing unknown.
    pub async fn write(
        &self,
        writer: &Writer,
        volume: &Volume,
        payload: &Payload,
        occasion: Trigger,
    ) -> Result<Change, WriteError> {
        self.save(volume);
        let _hand = self.hand.lock().await;
        // Another volume may have begun in its place meanwhile; and at the end of the process nobody keeps what hangs on the files.
        let is_late = occasion == Trigger::Poll || self.closed.load(Ordering::Relaxed);
        if is_late && !self.remembers(volume) {
            return Err(WriteError::Ending(volume.target().path.to_owned()));
        }
        // Taken, so that nobody waits for them on the one thread; what fails costs one swap more.
        let mut marks = std::mem::take(&mut *volume.marks());
        let before = self.events.as_ref().map(|_| marks.clone());
        let written = blocking::run(|| writer.write(&volume.target(), occasion, payload, &mut marks));
        let changed = before.map(|before| before.differing(&marks));
        *volume.marks() = marks;
        let shown = match &written {
            Ok(written) => Some(written.stale),
            Err(error) if error.is_after_swap() => Some(Some(StaleGeneration::since_now())),
            Err(_) => None,
        };
        if let Some(leftover) = shown {
            self.tell(volume, changed.unwrap_or_default());
            let mut held = volume.held();
            held.files.ours = true;
            held.files.leaves(leftover);
        }
        let written = written?;
        counter!("vaultmount_writes_total", "change" => written.change.name()).increment(1);
        Ok(written.change)
    }

    /// Tells the pod that it has other content than before in the files `changed`.
    fn tell(&self, volume: &Volume, changed: Vec<String>) {
        let is_first = !volume.held().answered;
        let name = Path::new(&volume.id().target_path)
            .parent()
            .and_then(Path::file_name)
            .map(OsStr::to_string_lossy);
        if let (Some(events), Some(name), false) = (&self.events, name, is_first) {
            events.add(&volume.id().pod, &name, changed);
        }
    }

    /// The driver writes its files from now on.
    pub fn leave(&self, volume: &Volume) {
        let mut held = volume.held();
        held.token = None;
        (held.files.ours, held.files.look) = (false, None);
    }

    /// The files could not be written: they are not what Vault has.
    pub fn failed(&self, volume: &Volume) {
        volume.held().fresh = false;
    }

    /// Has a volume whose files are ours looked at again: in time for what its sources, leases and certificates say, or soon where that failed.
    pub fn look_again(&self, volume: &Volume, spec: &MountSpec, succeeded: bool) {
        let Some(cadence) = self.cadence(volume, spec) else { return };
        let now = UnixMillis::now();
        let pause = match succeeded {
            true => cadence.after_success(now, self.due_at(volume, spec, now)),
            false => cadence.after_failure(now),
        };
        self.look_after(volume, pause);
    }

    /// The same after `pause`.
    pub fn look_after(&self, volume: &Volume, pause: Duration) {
        let files = &mut volume.held().files;
        if files.ours {
            files.look = Some(Instant::now() + pause);
            self.jobs.notify_one();
        }
    }

    /// The same where nobody else has said when.
    pub fn look_unless_due(&self, volume: &Volume, pause: Duration) {
        let is_due = volume.held().files.look.is_some();
        if !is_due {
            self.look_after(volume, pause);
        }
    }

    /// How soon something is done about what is due in `volume`: when it is asked about next, or at once where we look.
    pub(crate) fn interval(&self, volume: &Volume, spec: &MountSpec) -> Duration {
        let (asked, looks) = {
            let held = volume.held();
            (held.interval.observed(), held.files.ours || !held.answered)
        };
        let cadence = self.cadence(volume, spec).filter(|_| looks);
        cadence.map_or(asked, |cadence| cadence.soon().min(asked))
    }

    /// By what the answer to `source` is judged.
    pub(crate) fn pace(&self, volume: &Volume, spec: &MountSpec, source: &Source) -> RenewalInputs {
        let (interval, refresh) = (self.interval(volume, spec), spec.refreshes.of(source));
        RenewalInputs { interval, refresh, bounds: self.bounds, chance: volume.id().chance() }
    }

    /// When the first successor may be due of what `volume` has. A lease is looked at some times before: a renewal may bring its end nearer.
    fn due_at(&self, volume: &Volume, spec: &MountSpec, now: UnixMillis) -> Option<UnixMillis> {
        let group = volume.held().group.as_ref().map(|(_, shelf)| Arc::clone(shelf));
        let made = group.iter().chain([&volume.shelf]).flat_map(|shelf| shelf.all());
        let due = |(source, made): (Source, Issued)| {
            let due = made.due_at(self.pace(volume, spec, &source))?;
            Some(if made.session().is_some() { now + due.since(now).mul_f64(0.75) } else { due })
        };
        made.filter_map(due).min()
    }

    /// When the volume that `spec` asks for is looked at, where we write its files: at the moments of all volumes of its role and account.
    pub(crate) fn cadence(&self, volume: &Volume, spec: &MountSpec) -> Option<PollSchedule> {
        self.writer(spec)?;
        Some(PollSchedule::new(spec.refreshes.shortest(), part(self.seed.hash_one(&volume.held().asker))))
    }

    /// Waits until something is due, and takes it.
    pub async fn due(&self) -> Vec<Job> {
        loop {
            let (due, next) = self.take_due(Instant::now());
            if !due.is_empty() {
                return due;
            }
            tokio::select! {
                () = sleep_until(next) => {}
                () = self.jobs.notified() => {}
            }
        }
    }

    /// Takes what is due `now`, and tells when the next is. Holds no volume longer, for one that is held has not ended.
    fn take_due(&self, now: Instant) -> (Vec<Job>, Instant) {
        let volumes = self.all();
        let due = volumes.iter().flat_map(|volume| volume.take_due(now)).collect();
        let next = volumes.iter().filter_map(|volume| volume.held().files.next()).min();
        (due, next.unwrap_or(now + NEVER))
    }

    /// Removes what swaps have left in `volume` for long enough.
    pub async fn sweep_files(&self, volume: &Volume) {
        let Some(writer) = &self.writer else { return };
        let _hand = self.hand.lock().await;
        let left = blocking::run(|| writer.remove_stale(&volume.target(), SystemTime::now()));
        match left {
            Ok(left) => volume.held().files.leaves(left),
            // The next write tries again.
            Err(error) => debug!("what a swap left stays: {error}"),
        }
        self.jobs.notify_one();
    }
}

impl Volume {
    pub(crate) fn marks(&self) -> MutexGuard<'_, Fingerprints> {
        self.marks.lock()
    }

    /// What it was last asked to hold, for a look; `None` where nobody remembers, or the driver writes.
    pub fn remembered(&self) -> Option<RememberedRequest> {
        let held = self.held();
        held.published.clone().filter(|_| held.files.ours)
    }

    /// Whether its files are ours.
    pub fn is_ours(&self) -> bool {
        self.held().files.ours
    }

    fn target(&self) -> Target<'_> {
        Target { pod_uid: &self.id().pod.uid, path: Path::new(&self.id().target_path) }
    }

    fn take_due(self: &Arc<Self>, now: Instant) -> Vec<Job> {
        let files = &mut self.held().files;
        let is_due = |at: &mut Instant| *at <= now;
        let look = files.look.take_if(is_due).map(|_| Job::Poll(Arc::clone(self)));
        let sweep = files.sweep.take_if(is_due).map(|_| Job::RemoveStale(Arc::clone(self)));
        sweep.into_iter().chain(look).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::hash::RandomState;

    use super::*;

    /// The tenths of its range that numbers are in.
    fn tenths(numbers: impl Iterator<Item = f64>) -> BTreeSet<i64> {
        numbers.map(|number| (number * 10.0) as i64).collect()
    }

    #[test]
    fn accounts_look_at_moments_of_their_own_and_a_node_at_others_than_the_next() {
        let (one, other) = (RandomState::new(), RandomState::new());
        assert!(tenths((0..200).map(|account| part(one.hash_one(account)))).len() > 5);
        assert!(tenths((0..200).map(|_| part(RandomState::new().hash_one(1)))).len() > 5);
        assert!((0..10).any(|account| part(one.hash_one(account)) != part(other.hash_one(account))));
    }

    #[test]
    fn after_a_restart_volumes_are_looked_at_one_after_the_other() {
        let now = Instant::now();
        let soon = [0.0, 0.5, 1.0]
            .map(|chance| Files::resumed(true, chance).next().unwrap().duration_since(now).as_millis() / 500);
        assert!(soon[0] < soon[1] && soon[1] < soon[2] && soon[2] <= 10, "{soon:?}");
        assert!(Files::resumed(false, 0.5).next().is_none());
    }
}

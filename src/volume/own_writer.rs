//! Volumes whose files vaultmount writes: writing them, and when each is polled.

use std::ffi::OsStr;
use std::hash::BuildHasher;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use metrics::counter;
use tokio::time::{Instant, sleep_until};
use tracing::debug;

use super::id::fraction;
use super::{Volume, Volumes};
use crate::blocking;
use crate::cache::issued::Issued;
use crate::payload::Payload;
use crate::renewal::{PollSchedule, RenewalInputs, UnixMillis};
use crate::spec::{MountSpec, Source, VolumeWriter};
use crate::writer::{Change, EmptyVolume, StaleGeneration, WriteError, Writer};

/// Longest wait when nothing is due; a change of the schedule ends it.
const NEVER: Duration = Duration::from_secs(24 * 3600);

/// What is due.
pub(crate) enum Job {
    /// Poll a volume whose files vaultmount writes.
    Poll(Arc<Volume>),
    /// Remove what a swap left in the volume.
    RemoveStale(Arc<Volume>),
}

impl Volumes {
    /// The writer of the files of `spec`, if vaultmount writes them: a volume of a pod below the kubelet's directory.
    pub(crate) fn writer(&self, spec: &MountSpec) -> Option<&Writer> {
        let root = self.root.as_ref()?;
        let is_own =
            spec.written_by == VolumeWriter::Provider && Path::new(&spec.target_path).starts_with(root);
        self.writer.as_ref().filter(|_| is_own)
    }

    /// Why vaultmount cannot write the volume of a pod.
    pub(crate) fn why_not_writable(&self) -> &'static str {
        if self.root.is_some() {
            "the volume is not below --kubelet-dir"
        } else {
            "there is no --kubelet-dir"
        }
    }

    /// Writes `payload` as the files of `volume`. Writes the volume's record before: a process that is killed here leaves nothing unrecorded.
    pub(crate) async fn write(
        &self,
        writer: &Writer,
        volume: &Volume,
        payload: &Payload,
        empty: EmptyVolume,
    ) -> Result<Change, WriteError> {
        self.save(volume);
        let _lock = self.write_lock.lock().await;
        // Another volume may have replaced this one meanwhile. During shutdown no process would keep the tokens of the new files.
        let must_be_current = empty == EmptyVolume::IsEnding || self.closed.load(Ordering::Relaxed);
        if must_be_current && !self.contains(volume) {
            return Err(WriteError::Ending(volume.target().path.to_owned()));
        }
        // Taken out, so that no other task waits for the lock while this thread writes. A failure in between costs one more swap.
        let mut fingerprints = std::mem::take(&mut *volume.fingerprints());
        let before = self.events.as_ref().map(|_| fingerprints.clone());
        let written = blocking::run(|| writer.write(&volume.target(), empty, payload, &mut fingerprints));
        let changed = before.map(|before| before.differing(&fingerprints));
        *volume.fingerprints() = fingerprints;
        let swapped = match &written {
            Ok(written) => Some(written.stale),
            Err(error) if error.is_after_swap() => Some(Some(StaleGeneration::since_now())),
            Err(_) => None,
        };
        if let Some(stale) = swapped {
            self.post_change(volume, changed.unwrap_or_default());
            let mut state = volume.state();
            state.files.is_own = true;
            state.files.set_removal(stale);
        }
        let written = written?;
        counter!("vaultmount_writes_total", "change" => written.change.name()).increment(1);
        Ok(written.change)
    }

    /// Posts an event on the pod that the files `changed` have other content. The first files of a pod are no change.
    fn post_change(&self, volume: &Volume, changed: Vec<String>) {
        if !volume.is_published() {
            return;
        }
        let directory = Path::new(&volume.id().target_path).parent();
        let name = directory.and_then(Path::file_name).map(OsStr::to_string_lossy);
        if let (Some(events), Some(name)) = (&self.events, name) {
            events.add(&volume.id().pod, &name, changed);
        }
    }

    /// Records that the driver writes the files of `volume` from now on.
    pub(crate) fn leave_to_driver(&self, volume: &Volume) {
        let mut state = volume.state();
        state.token = None;
        (state.files.is_own, state.files.poll) = (false, None);
    }

    /// Records that the files could not be written, and so are not what Vault has.
    pub(crate) fn mark_stale(&self, volume: &Volume) {
        volume.state().is_fresh = false;
    }

    /// Schedules the next poll of a volume whose files vaultmount writes: in time for its sources, leases and certificates after a success, and soon
    /// after a failure.
    pub(crate) fn schedule_poll(&self, volume: &Volume, spec: &MountSpec, succeeded: bool) {
        let Some(schedule) = self.poll_schedule(volume, spec) else { return };
        let now = UnixMillis::now();
        let pause = if succeeded {
            schedule.after_success(now, self.due_at(volume, spec, now))
        } else {
            schedule.after_failure(now, rand::random())
        };
        self.poll_after(volume, pause);
    }

    /// Schedules the next poll after `pause`.
    pub(crate) fn poll_after(&self, volume: &Volume, pause: Duration) {
        let files = &mut volume.state().files;
        if files.is_own {
            files.poll = Some(Instant::now() + pause);
            self.rescheduled.notify_one();
        }
    }

    /// Polls the volume now if it waits for its next poll: what the last poll did not wait for is there.
    pub(crate) fn poll_soon(&self, volume: &Volume) {
        let files = &mut volume.state().files;
        if let Some(poll) = &mut files.poll {
            *poll = Instant::now();
            self.rescheduled.notify_one();
        }
    }

    /// Schedules the next poll after `pause`, unless one is scheduled.
    pub(crate) fn poll_unless_scheduled(&self, volume: &Volume, pause: Duration) {
        let is_scheduled = volume.state().files.poll.is_some();
        if !is_scheduled {
            self.poll_after(volume, pause);
        }
    }

    /// How soon something due in `volume` is done: at its next republish, or at its next poll.
    pub(crate) fn interval(&self, volume: &Volume, spec: &MountSpec) -> Duration {
        let (republished, is_polled) = {
            let state = volume.state();
            (state.interval.observed(), state.files.is_own || !state.is_published)
        };
        let schedule = self.poll_schedule(volume, spec).filter(|_| is_polled);
        schedule.map_or(republished, |schedule| schedule.soon().min(republished))
    }

    /// What decides when the response of `source` is replaced.
    pub(crate) fn renewal_inputs(&self, volume: &Volume, spec: &MountSpec, source: &Source) -> RenewalInputs {
        let (interval, refresh) = (self.interval(volume, spec), spec.refreshes.of(source));
        RenewalInputs { interval, refresh, bounds: self.bounds, chance: volume.id().fraction() }
    }

    /// When the first successor in `volume` may be due. A lease is polled earlier, for a renewal may bring its end nearer.
    fn due_at(&self, volume: &Volume, spec: &MountSpec, now: UnixMillis) -> Option<UnixMillis> {
        let due = |(source, issued): (Source, Issued)| {
            let due = issued.due_at(self.renewal_inputs(volume, spec, &source))?;
            Some(if issued.token().is_some() { now + due.since(now).mul_f64(0.75) } else { due })
        };
        let issued = volume.issued_caches().into_iter().flat_map(|cache| cache.all());
        issued.filter_map(due).min()
    }

    /// When the volume of `spec` is polled, if vaultmount writes its files: at the same moments as all volumes of its role and account.
    pub(crate) fn poll_schedule(&self, volume: &Volume, spec: &MountSpec) -> Option<PollSchedule> {
        self.writer(spec)?;
        let phase = fraction(self.seed.hash_one(&volume.state().owner));
        Some(PollSchedule::new(spec.refreshes.shortest(), phase))
    }

    /// Waits until something is due, and takes it from the schedule.
    pub(crate) async fn next_jobs(&self) -> Vec<Job> {
        loop {
            let (due, next) = self.take_due(Instant::now());
            if !due.is_empty() {
                return due;
            }
            tokio::select! {
                () = sleep_until(next) => {}
                () = self.rescheduled.notified() => {}
            }
        }
    }

    /// Takes what is due at `now`, and returns when the next is. Keeps no volume afterwards: the reaper removes no volume that is in use.
    fn take_due(&self, now: Instant) -> (Vec<Job>, Instant) {
        let volumes = self.all();
        let due = volumes.iter().flat_map(|volume| take_due(volume, now)).collect();
        let next = volumes.iter().filter_map(|volume| volume.state().files.next()).min();
        (due, next.unwrap_or(now + NEVER))
    }

    /// Removes what swaps have left in `volume`.
    pub(crate) async fn remove_stale(&self, volume: &Volume) {
        let Some(writer) = &self.writer else { return };
        let _lock = self.write_lock.lock().await;
        match blocking::run(|| writer.remove_stale(&volume.target(), SystemTime::now())) {
            Ok(stale) => volume.state().files.set_removal(stale),
            // The next write tries again.
            Err(error) => debug!("a stale generation could not be removed: {error}"),
        }
        self.rescheduled.notify_one();
    }
}

fn take_due(volume: &Arc<Volume>, now: Instant) -> Vec<Job> {
    let files = &mut volume.state().files;
    let is_due = |at: &mut Instant| *at <= now;
    let poll = files.poll.take_if(is_due).map(|_| Job::Poll(Arc::clone(volume)));
    let removal = files.removal.take_if(is_due).map(|_| Job::RemoveStale(Arc::clone(volume)));
    removal.into_iter().chain(poll).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::hash::RandomState;

    use super::*;

    /// The tenths of their range that `numbers` are in.
    fn tenths(numbers: impl Iterator<Item = f64>) -> BTreeSet<i64> {
        numbers.map(|number| (number * 10.0) as i64).collect()
    }

    #[test]
    fn accounts_are_polled_at_different_moments_and_nodes_too() {
        let (one, other) = (RandomState::new(), RandomState::new());
        assert!(tenths((0..200).map(|account| fraction(one.hash_one(account)))).len() > 5);
        assert!(tenths((0..200).map(|_| fraction(RandomState::new().hash_one(1)))).len() > 5);
        assert!((0..10).any(|account| fraction(one.hash_one(account)) != fraction(other.hash_one(account))));
    }
}

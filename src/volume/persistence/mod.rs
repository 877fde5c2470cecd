//! Volumes in records, which survive a restart: what was issued for each volume, and which tokens it uses. Never values of a KV engine.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tracing::{info, warn};

use super::file_schedule::FileSchedule;
use super::liveness::Liveness;
use super::{Keyed, Volume, VolumeId, Volumes};
use crate::cache::issued::{Issued, IssuedCache, IssuedExpiry, Superseded};
use crate::class::RememberedRequest;
use crate::engine::{Fetched, StoredIssued};
use crate::renewal::{Expiry, UnixMillis};
use crate::spec::Source;
use crate::state;
use crate::state::{Kind, Outer, Record, RecordId, Store, StoredRecord, Written};
use crate::tokens::{LoginKey, VaultToken};
use crate::writer::Fingerprints;

/// The body of a record. A member that is added later needs a default, for older versions do not write it.
#[derive(Serialize, Deserialize)]
enum Body {
    #[serde(rename = "Volume")]
    Volume(Box<VolumeRecord>),
    #[serde(rename = "Group")]
    Group(Box<LoginKey>, Vec<IssuedRecord>),
}

#[derive(Serialize, Deserialize)]
struct VolumeRecord {
    #[serde(rename = "id")]
    id: VolumeId,
    #[serde(rename = "asker")]
    owner: Option<LoginKey>,
    #[serde(rename = "answered")]
    is_published: bool,
    /// Whether its mount was seen.
    #[serde(rename = "seen")]
    mount_seen: bool,
    /// Whether its pod was seen.
    #[serde(default, rename = "pod_seen")]
    pod_seen: bool,
    #[serde(rename = "published")]
    published: Option<RememberedRequest>,
    /// The token that reads. Tokens with leases are named by their leases.
    #[serde(rename = "account")]
    reader: Option<RecordId>,
    #[serde(default, rename = "own")]
    own: Vec<(Source, RecordId)>,
    #[serde(rename = "made")]
    issued: Vec<IssuedRecord>,
    #[serde(rename = "replaced")]
    superseded: Vec<(UnixMillis, RecordId)>,
    #[serde(rename = "group")]
    group: Option<LoginKey>,
    /// Whether vaultmount wrote its files.
    #[serde(default, rename = "ours")]
    is_own: bool,
    /// Fingerprints of the files that vaultmount wrote and may not read.
    #[serde(default, rename = "marks")]
    fingerprints: Fingerprints,
    #[serde(default, rename = "keyed")]
    keyed: Keyed,
}

#[derive(Serialize, Deserialize)]
struct IssuedRecord {
    #[serde(rename = "source")]
    source: Source,
    #[serde(rename = "kept")]
    stored: StoredIssued,
    #[serde(rename = "at")]
    at: UnixMillis,
    #[serde(rename = "lasts")]
    expiry: StoredExpiry,
}

#[derive(Serialize, Deserialize)]
enum StoredExpiry {
    #[serde(rename = "Leased")]
    Leased(String, RecordId),
    #[serde(rename = "Told")]
    Fixed(Expiry),
}

/// The tokens of the records.
type Tokens = HashMap<RecordId, Arc<VaultToken>>;

impl Volumes {
    /// Writes the records of `volume` and its tokens, as far as they have changed. A volume that is not current gets no record, for no process would
    /// remove it.
    pub(crate) fn save(&self, volume: &Volume) {
        let Some(store) = self.store.as_ref().filter(|_| self.contains(volume)) else { return };
        let group = volume.state().group.clone();
        let is_group_written = group.is_none_or(|(key, cache)| {
            let id = group_id(&key);
            write(store, &id, &Body::Group(Box::new(key), issued_records(&cache)), &cache.written)
        });
        let body = Body::Volume(Box::new(volume_record(volume)));
        let is_written = write(store, &volume.id().record(), &body, &volume.written);
        // Last: the next process revokes a token that no volume names, with all of its leases.
        if is_group_written && is_written {
            volume.tokens().iter().for_each(|token| token.save(store));
        }
    }

    /// Takes over the volumes of an earlier process with their tokens. For a record that cannot be used, its credential is issued again and its
    /// token is revoked where it can be decrypted. Tokens that no volume names are revoked too.
    pub(crate) fn resume(&self) {
        let Some(store) = &self.store else { return };
        let (mut tokens, mut bodies) = (Tokens::new(), Vec::new());
        let records: Vec<_> = store.records().map(Iterator::collect).unwrap_or_default();
        for stored in records {
            match stored {
                StoredRecord::Record(record) if record.outer.kind == Kind::VaultToken => {
                    let id = record.id.clone();
                    tokens.extend(self.logins.resume(record).map(|token| (id, token)));
                }
                StoredRecord::Record(record) => bodies.extend(read(store, &record)),
                StoredRecord::Unusable(unusable) => self.logins.discard(unusable),
            }
        }
        let groups: HashMap<_, _> =
            bodies.iter_mut().filter_map(|body| self.resume_group(body, &tokens)).collect();
        let volumes = bodies
            .into_iter()
            .filter(|body| matches!(body, Body::Volume(_)))
            .map(|body| self.resume_volume(body, &tokens, &groups))
            .count();
        if volumes > 0 {
            info!(volumes, logins = tokens.len(), "took over the volumes of an earlier process");
        }
    }

    /// Removes groups without members, and their records.
    pub(crate) fn remove_empty_groups(&self) {
        let mut groups = self.groups.lock();
        for (key, _) in groups.extract_if(|_, cache| cache.strong_count() == 0) {
            self.remove_record(&group_id(&key));
        }
    }

    /// Removes the record of a volume or group that has ended.
    pub(crate) fn remove_record(&self, id: &RecordId) {
        if let Some(Err(error)) = self.store.as_ref().map(|store| store.remove(id)) {
            warn!("the record of a volume or group that has ended could not be removed: {error}");
        }
    }

    fn resume_group(&self, body: &mut Body, tokens: &Tokens) -> Option<(LoginKey, Arc<IssuedCache>)> {
        let Body::Group(key, issued) = body else { return None };
        let cache = self.group_cache(key);
        fill(&cache, std::mem::take(issued), tokens);
        Some(((**key).clone(), cache))
    }

    fn resume_volume(&self, body: Body, tokens: &Tokens, groups: &HashMap<LoginKey, Arc<IssuedCache>>) {
        let Body::Volume(record) = body else { return };
        let volume = Volume::new(record.id.clone());
        if let Some(owner) = &record.owner {
            let is_leased = |issued: &&IssuedRecord| matches!(issued.expiry, StoredExpiry::Leased(..));
            let leased = record.issued.iter().filter(is_leased);
            leased.for_each(|issued| self.learned_paths.learn(&owner.server, &issued.source, true));
        }
        fill(&volume.issued, record.issued, tokens);
        *volume.fingerprints() = record.fingerprints;
        volume.resume_keyed(record.keyed);
        let token = |id: &RecordId| tokens.get(id).cloned();
        let superseded = record
            .superseded
            .into_iter()
            .filter_map(|(until, id)| Some(Superseded { until, token: token(&id)?, lease: None }));
        volume.issued.superseded().extend(superseded);
        let mut state = volume.state();
        state.owner = record.owner;
        state.is_published = record.is_published;
        state.requested_at = Some(UnixMillis::now());
        state.published = record.published;
        let own = record.own.into_iter();
        state.own = own.filter_map(|(source, id)| Some((source, token(&id)?))).collect();
        state.reader = record.reader.as_ref().and_then(token);
        state.files = FileSchedule::resumed(record.is_own, volume.id().fraction());
        state.group = record.group.and_then(|key| groups.get(&key).map(|cache| (key, Arc::clone(cache))));
        // A mounted volume proves that its pod existed, though no check saw the pod.
        let pod_seen = self.pods.is_some() && (record.mount_seen || record.pod_seen);
        state.liveness = Liveness::resumed(record.mount_seen, pod_seen);
        drop(state);
        self.insert(volume);
    }
}

fn volume_record(volume: &Volume) -> VolumeRecord {
    let issued = issued_records(&volume.issued);
    let fingerprints = volume.fingerprints().persisted();
    let keyed = volume.recorded_keyed();
    // Every member of a group records the tokens that the group has superseded.
    let superseded = volume.issued_caches().into_iter().flat_map(|cache| cache.superseded().clone());
    let superseded = superseded.map(|old| (old.until, old.token.record().clone())).collect();
    let state = volume.state();
    VolumeRecord {
        id: volume.id().clone(),
        owner: state.owner.clone(),
        is_published: state.is_published,
        mount_seen: state.liveness.saw_mount(),
        pod_seen: state.liveness.saw_pod(),
        published: state.published.clone(),
        reader: state.reader.as_ref().map(|token| token.record().clone()),
        own: state.own.iter().map(|(source, token)| (source.clone(), token.record().clone())).collect(),
        issued,
        superseded,
        group: state.group.as_ref().map(|(key, _)| key.clone()),
        is_own: state.files.is_own,
        fingerprints,
        keyed,
    }
}

/// What is in `cache`, always in the same order, so that equal caches have equal bytes.
fn issued_records(cache: &IssuedCache) -> Vec<IssuedRecord> {
    let all = cache.all().into_iter();
    let mut records: Vec<_> = all.filter_map(|(source, issued)| issued_record(source, &issued)).collect();
    records.sort_by_key(|record| (record.at, record.source.to_string()));
    records
}

fn issued_record(source: Source, issued: &Issued) -> Option<IssuedRecord> {
    let expiry = match &issued.expiry {
        IssuedExpiry::Leased(id, token) => StoredExpiry::Leased(id.clone(), token.record().clone()),
        IssuedExpiry::Fixed(expiry) => StoredExpiry::Fixed(*expiry),
    };
    Some(IssuedRecord { stored: issued.fetched.to_record(&source)?, source, at: issued.at, expiry })
}

fn fill(cache: &IssuedCache, records: Vec<IssuedRecord>, tokens: &Tokens) {
    for IssuedRecord { source, stored, at, expiry } in records {
        let expiry = match expiry {
            StoredExpiry::Leased(id, token) => {
                tokens.get(&token).map(|token| IssuedExpiry::Leased(id, Arc::clone(token)))
            }
            StoredExpiry::Fixed(expiry) => Some(IssuedExpiry::Fixed(expiry)),
        };
        if let (Some(expiry), Some(fetched)) = (expiry, Fetched::from_record(&source, stored)) {
            cache.insert(&source, Issued::new(Arc::new(fetched), at, expiry));
        }
    }
}

/// Writes `body` unless it equals the last one in `written`. Returns whether the record is up to date.
fn write(store: &Store, id: &RecordId, body: &Body, written: &Written) -> bool {
    let Some(text) = state::to_json(body) else { return false };
    let outer =
        || Outer { kind: Kind::Volume, server: None, accessor: None, leases: Vec::new(), token: None };
    let put = written.put(store, id, &text, outer);
    put.inspect_err(|error| warn!("the record of a volume could not be written: {error}")).is_ok()
}

fn read(store: &Store, record: &Record) -> Option<Body> {
    // The error's own text would quote the body.
    let body = serde_json::from_slice(record.body.expose()).ok();
    if body.is_none() {
        warn!(record = %record.id, "the record of a volume has no body that can be read: everything in it is issued again");
        let _ = store.remove(&record.id);
    }
    body
}

fn group_id(key: &LoginKey) -> RecordId {
    RecordId::of(&["group", &serde_json::to_string(key).unwrap_or_default()])
}

//! What outlives a restart: of each volume what was made for it and which logins it holds. Never what people wrote into a KV engine.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tracing::{info, warn};

use super::Keyed;
use super::{Volume, VolumeId, Volumes};
use crate::cache::issued::{Issued, IssuedCache, IssuedExpiry, Superseded};
use crate::class::RememberedRequest;
use crate::engine::{Fetched, StoredIssued};
use crate::renewal::{Expiry, UnixMillis};
use crate::secret::Secret;
use crate::spec::Source;
use crate::state::{Kind, Outer, Record, RecordId, Store, StoredRecord, Written};
use crate::tokens::{LoginKey, VaultToken};
use crate::volume::liveness::Liveness;
use crate::volume::own_writer::Files;
use crate::writer::Fingerprints;

/// A record's body. A member that is added later has a default, for the version before does not write it.
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
    asker: Option<LoginKey>,
    #[serde(rename = "answered")]
    answered: bool,
    /// Whether its mount was seen.
    #[serde(rename = "seen")]
    seen: bool,
    /// Whether its pod was; the versions before did not look.
    #[serde(default, rename = "pod_seen")]
    pod_seen: bool,
    #[serde(rename = "published")]
    published: Option<RememberedRequest>,
    /// Logins that it holds beside those of what was made.
    #[serde(rename = "account")]
    account: Option<RecordId>,
    #[serde(default, rename = "own")]
    own: Vec<(Source, RecordId)>,
    #[serde(rename = "made")]
    made: Vec<IssuedRecord>,
    #[serde(rename = "replaced")]
    replaced: Vec<(UnixMillis, RecordId)>,
    #[serde(rename = "group")]
    group: Option<LoginKey>,
    /// Whether we wrote its files, and what of them we may not read.
    #[serde(default, rename = "ours")]
    ours: bool,
    #[serde(default, rename = "marks")]
    marks: Fingerprints,
    #[serde(default, rename = "keyed")]
    keyed: Keyed,
}

#[derive(Serialize, Deserialize)]
struct IssuedRecord {
    #[serde(rename = "source")]
    source: Source,
    #[serde(rename = "kept")]
    kept: StoredIssued,
    #[serde(rename = "at")]
    at: UnixMillis,
    #[serde(rename = "lasts")]
    lasts: Until,
}

#[derive(Serialize, Deserialize)]
enum Until {
    #[serde(rename = "Leased")]
    Leased(String, RecordId),
    #[serde(rename = "Told")]
    Told(Expiry),
}

/// The logins of the records, by their names.
type Sessions = HashMap<RecordId, Arc<VaultToken>>;

impl Volumes {
    /// Writes what outlives a restart of `volume`, where it has changed; of one that is not remembered nobody would remove it.
    pub fn save(&self, volume: &Volume) {
        let Some(store) = self.store.as_ref().filter(|_| self.remembers(volume)) else { return };
        let group = volume.held().group.clone();
        let is_group_written = group.is_none_or(|(who, shelf)| {
            let id = group_id(&who);
            write(store, &id, &Body::Group(Box::new(who), of_shelf(&shelf)), &shelf.written)
        });
        let is_written =
            write(store, &volume.id().record(), &Body::Volume(Box::new(of_volume(volume))), &volume.written);
        // Last: a login that no volume names is given back by the next process, with all that hangs on it.
        if is_group_written && is_written {
            volume.sessions().iter().for_each(|session| session.save(store));
        }
    }

    /// Takes up what an earlier process left: its volumes go on with what they have. A record that cannot be used costs one issue; its token is
    /// given back where it still opens, and so is that of a login that no volume holds.
    pub fn resume(&self) {
        let Some(store) = &self.store else { return };
        let (mut sessions, mut bodies) = (Sessions::new(), Vec::new());
        let records: Vec<_> = store.records().map(Iterator::collect).unwrap_or_default();
        for found in records {
            match found {
                StoredRecord::Record(record) if record.outer.kind == Kind::VaultToken => {
                    let id = record.id.clone();
                    sessions.extend(self.logins.resume(record).map(|session| (id, session)));
                }
                StoredRecord::Record(record) => bodies.extend(read(store, &record)),
                StoredRecord::Unusable(unusable) => self.logins.discard(unusable),
            }
        }
        let groups: HashMap<_, _> =
            bodies.iter_mut().filter_map(|body| self.resume_group(body, &sessions)).collect();
        let volumes = bodies
            .into_iter()
            .filter(|body| matches!(body, Body::Volume(_)))
            .map(|body| self.resume_volume(body, &sessions, &groups))
            .count();
        if volumes > 0 {
            info!(volumes, logins = sessions.len(), "going on with what an earlier process left");
        }
    }

    /// Drops the groups that have no member any more, and their records.
    pub(crate) fn forget_groups(&self) {
        let mut groups = self.groups.lock();
        for (who, _) in groups.extract_if(|_, shelf| shelf.strong_count() == 0) {
            self.erase(&group_id(&who));
        }
    }

    /// Removes the record of what has ended.
    pub(crate) fn erase(&self, id: &RecordId) {
        if let Some(Err(error)) = self.store.as_ref().map(|store| store.remove(id)) {
            warn!("the record of a volume or a group that ended stays: {error}");
        }
    }

    fn resume_group(&self, body: &mut Body, sessions: &Sessions) -> Option<(LoginKey, Arc<IssuedCache>)> {
        let Body::Group(who, made) = body else { return None };
        let shelf = self.group(who);
        fill(&shelf, std::mem::take(made), sessions);
        Some(((**who).clone(), shelf))
    }

    fn resume_volume(&self, body: Body, sessions: &Sessions, groups: &HashMap<LoginKey, Arc<IssuedCache>>) {
        let Body::Volume(of) = body else { return };
        let volume = Volume::new(of.id.clone());
        if let Some(asker) = &of.asker {
            let leased = of.made.iter().filter(|made| matches!(made.lasts, Until::Leased(..)));
            leased.for_each(|made| self.leasing.learn(&asker.server, &made.source, true));
        }
        fill(&volume.shelf, of.made, sessions);
        *volume.marks() = of.marks;
        let login = |id: Option<RecordId>| id.and_then(|id| sessions.get(&id)).cloned();
        let mut held = volume.held();
        (held.asker, held.answered, held.asked, held.published) =
            (of.asker, of.answered, Some(UnixMillis::now()), of.published);
        held.own = of.own.into_iter().filter_map(|(source, id)| Some((source, login(Some(id))?))).collect();
        held.account = login(of.account);
        held.keyed.0 = Arc::new(of.keyed);
        held.files = Files::resumed(of.ours, volume.id().chance());
        held.group = of.group.and_then(|who| groups.get(&who).map(|shelf| (who, Arc::clone(shelf))));
        let replaced = of
            .replaced
            .into_iter()
            .filter_map(|(until, id)| Some(Superseded { until, session: login(Some(id))?, lease: None }));
        volume.shelf.replaced().extend(replaced);
        // A pod whose volume is mounted was there too, whoever looked.
        held.presence = Liveness::before(of.seen, self.pods.is_some() && (of.seen || of.pod_seen));
        drop(held);
        self.adopt(volume);
    }
}

fn of_volume(volume: &Volume) -> VolumeRecord {
    let made = of_shelf(&volume.shelf);
    let marks = volume.marks().persisted();
    let held = volume.held();
    // What a group has replaced is any member's to keep.
    let shelves = [Some(&volume.shelf), held.group.as_ref().map(|(_, shelf)| shelf)];
    let replaced = shelves.into_iter().flatten().flat_map(|shelf| shelf.replaced().clone());
    let replaced = replaced.map(|gone| (gone.until, gone.session.record().clone())).collect();
    let name = |session: &Option<Arc<VaultToken>>| session.as_ref().map(|session| session.record().clone());
    VolumeRecord {
        id: volume.id().clone(),
        asker: held.asker.clone(),
        answered: held.answered,
        seen: held.presence.saw_mount(),
        pod_seen: held.presence.saw_pod(),
        published: held.published.clone(),
        account: name(&held.account),
        own: held.own.iter().map(|(source, session)| (source.clone(), session.record().clone())).collect(),
        made,
        replaced,
        group: held.group.as_ref().map(|(who, _)| who.clone()),
        ours: held.files.ours,
        marks,
        keyed: Keyed::clone(&held.keyed.0),
    }
}

fn of_shelf(shelf: &IssuedCache) -> Vec<IssuedRecord> {
    let mut made: Vec<_> =
        shelf.all().into_iter().filter_map(|(source, made)| of_made(source, &made)).collect();
    // In one order, so that equal shelves give equal bytes.
    made.sort_by_key(|made| (made.at, made.source.to_string()));
    made
}

fn of_made(source: Source, made: &Issued) -> Option<IssuedRecord> {
    let lasts = match &made.lasts {
        IssuedExpiry::Leased(id, session) => Until::Leased(id.clone(), session.record().clone()),
        IssuedExpiry::Fixed(life) => Until::Told(*life),
    };
    Some(IssuedRecord { kept: made.fetched.to_record(&source)?, source, at: made.at, lasts })
}

fn fill(shelf: &IssuedCache, made: Vec<IssuedRecord>, sessions: &Sessions) {
    for IssuedRecord { source, kept, at, lasts } in made {
        let lasts = match lasts {
            Until::Leased(id, session) => {
                sessions.get(&session).map(|session| IssuedExpiry::Leased(id, Arc::clone(session)))
            }
            Until::Told(life) => Some(IssuedExpiry::Fixed(life)),
        };
        if let (Some(lasts), Some(fetched)) = (lasts, Fetched::from_record(&source, kept)) {
            shelf.put(&source, Issued { fetched: Arc::new(fetched), at, lasts });
        }
    }
}

/// Writes `body` unless `written` says that the same is there already; tells whether it is there.
fn write(store: &Store, id: &RecordId, body: &Body, written: &Written) -> bool {
    let Ok(text) = serde_json::to_vec(body).map(Secret::from) else { return false };
    let outer =
        || Outer { kind: Kind::Volume, server: None, accessor: None, leases: Vec::new(), token: None };
    let put = written.put(store, id, &text, outer);
    put.inspect_err(|error| warn!("what a volume has does not outlive a restart: {error}")).is_ok()
}

fn read(store: &Store, record: &Record) -> Option<Body> {
    // Its own text would quote the body.
    let body = serde_json::from_slice(record.body.expose()).ok();
    if body.is_none() {
        warn!(record = %record.id, "a record of a volume has no body that can be read: what it had is made anew");
        let _ = store.remove(&record.id);
    }
    body
}

fn group_id(who: &LoginKey) -> RecordId {
    RecordId::of(&["group", &serde_json::to_string(who).unwrap_or_default()])
}

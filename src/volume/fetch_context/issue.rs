//! What a mount makes for its volume, or finds made: leased credentials, certificates, and whatever else is no shared read.

use std::sync::Arc;

use tokio::time::timeout_at;

use crate::cache::issued::{Issued, IssuedCache, IssuedExpiry, NOT_YET};
use crate::engine;
use crate::engine::{EngineError, FetchError, FetchResult, Fetched};
use crate::error::Reason;
use crate::limits::Budget;
use crate::renewal;
use crate::renewal::{Expiry, TOGETHER, UnixMillis};
use crate::spec::{LoginScope, ShareScope, Source};
use crate::tokens::{Scope, VaultToken};
use crate::volume::FetchContext;
use crate::volume::sharing::SharingClass;

impl FetchContext<'_> {
    /// What was made for this volume or its group, made anew when its time has come. What is still of use stays when that fails for a
    /// passing reason.
    pub(crate) async fn made(&self, source: &Source, way: SharingClass, budget: &Budget) -> FetchResult {
        let shelf = self.shelf(source.share);
        let turn = shelf.turn(source);
        let late = |_| FetchError {
            reason: Reason::Deadline,
            what: format!("{source}: another volume that asks for it took all of the time"),
        };
        let _turn = timeout_at(budget.end(), turn.lock()).await.map_err(late).map_err(EngineError::Origin)?;
        if let Some(made) = self.kept(source) {
            return Ok(made.fetched);
        }
        let session = match way {
            SharingClass::Lease => self.leasing(source.share, budget).await?,
            SharingClass::SharedRead | SharingClass::Issue => self.account(budget).await?,
        };
        let old = shelf.get(source).filter(|made| made.is_of_use(self.began));
        match self.asked(session, source, way, budget).await {
            Err(error) if error.reason().is_passing() => old.map(|made| made.fetched).ok_or(error),
            outcome => outcome,
        }
    }

    async fn asked(
        &self,
        session: Arc<VaultToken>,
        source: &Source,
        way: SharingClass,
        budget: &Budget,
    ) -> FetchResult {
        self.called();
        let outcome = match engine::fetch(session.login(), source, budget).await {
            Err(error) if error.reason() == Reason::ReadDenied => {
                let Some(again) = self.again(&session, source, budget).await else {
                    self.keep_login(source, &session, way);
                    return Err(error);
                };
                let again = again?;
                self.called();
                let outcome = engine::fetch(again.login(), source, budget).await;
                again.denied(
                    source,
                    outcome.as_ref().is_err_and(|error| error.reason() == Reason::ReadDenied),
                );
                return self.kept_of(source, outcome, &again, way);
            }
            outcome => outcome,
        };
        if outcome.is_ok() {
            session.denied(source, false);
        }
        self.kept_of(source, outcome, &session, way)
    }

    /// Keeps what came by `session`, and that where the next question goes by it too.
    fn kept_of(
        &self,
        source: &Source,
        outcome: Result<Fetched, EngineError>,
        session: &Arc<VaultToken>,
        way: SharingClass,
    ) -> FetchResult {
        let outcome = outcome.map(Arc::new).inspect(|fetched| self.keep(source, fetched, session, way));
        // Of what nobody knows the end of, the login takes with it what may have been made.
        if outcome
            .as_ref()
            .map_or_else(|error| matches!(error.reason(), Reason::ReadDenied | Reason::NotFound), |_| true)
        {
            self.keep_login(source, session, way);
        }
        outcome
    }

    /// Keeps a login of the volume's own, or of its group's, by which `source` is asked again. What leases keeps its login itself, and what makes
    /// something that ends by itself goes by the account's from now on.
    fn keep_login(&self, source: &Source, session: &Arc<VaultToken>, way: SharingClass) {
        if way != SharingClass::Lease {
            return;
        }
        let is_free = session.leases() == 0 && self.spec.login != LoginScope::Transient;
        let mut held = self.volume.held();
        held.own.retain(|(of, own)| of != source && (is_free || !Arc::ptr_eq(own, session)));
        if is_free && self.way(source) == SharingClass::Lease {
            // One of each scope: those of the same one go by the same login.
            held.own.retain(|(of, _)| of.share != source.share);
            held.own.push((source.clone(), Arc::clone(session)));
        }
    }

    /// Keeps what was made for as long as it says, or as its lease lives.
    fn keep(&self, source: &Source, fetched: &Arc<Fetched>, session: &Arc<VaultToken>, way: SharingClass) {
        if fetched.is_leased() {
            self.take_lease(source, fetched, session);
            return;
        }
        if way == SharingClass::Lease {
            self.volumes.leasing.learn(&self.spec.server, source, false);
        }
        let unix = i64::try_from(self.began.0 / 1000).unwrap_or(i64::MAX);
        if let Some(life) = engine::expiry(source, fetched, unix) {
            if !self.volumes.has_room(fetched.weight()) {
                self.warn(format!(
                    "{source} is not kept, for too much is: it is made anew at every question"
                ));
                return;
            }
            self.warn_of_short(source, life);
            self.put(
                source,
                Issued { fetched: Arc::clone(fetched), at: self.began, lasts: IssuedExpiry::Fixed(life) },
            );
        }
    }

    /// What is leased stays with its login, which nobody else may join.
    pub(crate) fn take_lease(&self, source: &Source, fetched: &Arc<Fetched>, session: &Arc<VaultToken>) {
        if !fetched.is_leased() {
            return;
        }
        self.volumes.leasing.learn(&self.spec.server, source, true);
        if session.who().scope == Scope::Account {
            self.volumes.logins.detach(session);
        }
        let Some((id, ttl, renewable)) = fetched.lease() else { return };
        session.leased(id, ttl, renewable);
        self.put(
            source,
            Issued {
                fetched: Arc::clone(fetched),
                at: self.began,
                lasts: IssuedExpiry::Leased(id.to_owned(), Arc::clone(session)),
            },
        );
    }

    /// Puts `made` on its shelf. What it replaces lives on until a pod was given the files, and then for two republishes more; that of a group
    /// until every member was asked about.
    fn put(&self, source: &Source, made: Issued) {
        let shelf = self.shelf(source.share);
        let old = shelf.put(source, made);
        shelf.keep_until(NOT_YET, old.as_ref().and_then(Issued::hangs_on));
    }

    /// What was made for `source` and needs no successor yet.
    pub(crate) fn kept(&self, source: &Source) -> Option<Issued> {
        self.shelf(source.share).get(source).filter(|made| self.stays(source, made))
    }

    fn stays(&self, source: &Source, made: &Issued) -> bool {
        // Those that look at the same moment do not miss it by some milliseconds, to find it late the next time.
        let by = self.cadence.map_or(self.began, |_| self.began + TOGETHER);
        !made.is_due(by, self.volumes.pace(self.volume, self.spec, source))
    }

    fn shelf(&self, share: ShareScope) -> Arc<IssuedCache> {
        match share {
            ShareScope::Pod => Arc::clone(&self.volume.shelf),
            ShareScope::ServiceAccount => {
                let group = self.who(Scope::Group);
                // Where the server does not name the account, each pod is a group by itself.
                let who = self.volumes.logins.sharing(group, &self.spec.pod.uid);
                let mut held = self.volume.held();
                if held.group.as_ref().is_none_or(|(of, _)| *of != who) {
                    held.group = Some((who.clone(), self.volumes.group(&who)));
                }
                held.group.as_ref().map(|(_, shelf)| Arc::clone(shelf)).unwrap_or_default()
            }
        }
    }

    /// Warns of what lives too short for the republishes of its volume.
    fn warn_of_short(&self, source: &Source, life: Expiry) {
        let Expiry::Until(end) = life else { return };
        let (life, interval) = (
            UnixMillis::of_unix_seconds(end).since(self.began),
            self.volumes.interval(self.volume, self.spec),
        );
        if renewal::too_short(life, interval) {
            let (life, interval) = (life.as_secs(), interval.as_secs());
            let warning = format!(
                "{source} lives {life} s, and the volume is asked about every {interval} s: it may end before its successor comes; \
                 give it three of these at least, or have the driver ask more often (--rotation-poll-interval)"
            );
            self.warn(warning);
        }
    }

    fn warn(&self, warning: String) {
        self.warnings.lock().push(warning);
    }
}

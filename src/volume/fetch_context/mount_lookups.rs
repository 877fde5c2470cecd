//! Which engines the sources of a mount belong to, where the words of a path do not say what a read creates.

use std::sync::Arc;

use tokio::time::timeout_at;

use super::FetchContext;
use crate::limits::Budget;
use crate::spec::Source;
use crate::tokens::VaultToken;
use crate::vault::{VaultError, probably_leases};
use crate::volume::sharing::SharingClass;

impl FetchContext {
    /// Looks up the mounts of those `calls` whose class depends on the engine, each mount once. Most mounts of a volume make no call here.
    pub(super) async fn look_up_mounts(
        &self,
        calls: &[&Source],
        decrypts: bool,
        budget: &Budget,
    ) -> Result<(), VaultError> {
        let (learned, mounts) = (&self.volumes.learned_paths, self.volumes.logins.mounts());
        let mut token = None;
        for source in calls {
            // A lookup for the source before may have named this mount too.
            let is_needed = || learned.needs_lookup(&self.spec.server, source, mounts);
            if !is_needed() {
                continue;
            }
            let lock = learned.lookup_lock(&self.spec.server, source);
            let _lock = timeout_at(budget.end(), lock.lock()).await;
            if !is_needed() {
                continue; // another mount has looked it up meanwhile
            }
            let token = match &token {
                Some(token) => token,
                None => token.insert(self.looking_token(source, calls, decrypts, budget).await?),
            };
            let (_, path) = source.request.sent();
            token.login().look_up_mount(source.namespace.as_deref(), &path, budget).await;
            learned.set_looked_up(&self.spec.server, source);
        }
        Ok(())
    }

    /// The token that looks up mounts: one that the mount needs anyway, so that the lookup costs no login.
    async fn looking_token(
        &self,
        source: &Source,
        calls: &[&Source],
        decrypts: bool,
        budget: &Budget,
    ) -> Result<Arc<VaultToken>, VaultError> {
        let reads = decrypts || calls.iter().any(|source| self.class(source) != SharingClass::Lease);
        if reads || !probably_leases(&source.request.sent().1) {
            self.reading_token(budget).await
        } else {
            self.leasing_token(source.share, budget).await
        }
    }
}

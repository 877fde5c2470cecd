//! Whether what was issued for a volume still exists at the server: an operator who revokes credentials in an incident wants pods to have others.

use std::time::Duration;

use metrics::counter;

use super::FetchContext;
use crate::cache::issued::{Issued, IssuedExpiry};
use crate::engine;
use crate::engine::Existence;
use crate::limits::Budget;
use crate::renewal::{TOGETHER, UnixMillis};
use crate::spec::Source;

/// Longest time for the question. Without a response what was issued counts as existing.
const LOOKUP_TIME: Duration = Duration::from_secs(2);

impl FetchContext {
    /// Asks the server every `--check-revoked`, by one of the mounts that use it, whether what was issued still exists. What does not exist any more
    /// is never used again.
    pub(super) async fn is_revoked(&self, source: &Source, issued: &Issued, budget: &Budget) -> bool {
        let interval = self.volumes.check_revoked;
        if interval.is_zero() || !issued.begins_check(UnixMillis::now(), interval.saturating_sub(TOGETHER)) {
            return false;
        }
        let budget = budget.at_most(LOOKUP_TIME);
        let what = match self.existence(source, issued, &budget).await {
            Existence::Exists | Existence::Unknown => return false,
            Existence::Revoked => "issued",
            Existence::TokenRevoked => "token",
        };
        counter!("vaultmount_revoked_total", "what" => what).increment(1);
        self.warn(format!("{source}: what was issued has been revoked at the server, and is issued again"));
        issued.set_revoked();
        true
    }

    async fn existence(&self, source: &Source, issued: &Issued, budget: &Budget) -> Existence {
        match &issued.expiry {
            IssuedExpiry::Leased(id, token) if !issued.fetched.is_token() => {
                match engine::lease_exists(token.login(), id, budget).await {
                    // Once for each token: one whose policy denies its own lookup is valid all the same.
                    Existence::TokenRevoked if !token.is_first_failed_lookup() => Existence::Unknown,
                    existence => existence,
                }
            }
            IssuedExpiry::Leased(..) | IssuedExpiry::Fixed(_) => {
                let Ok(server) = self.volumes.logins.server(&self.spec.server) else {
                    return Existence::Unknown;
                };
                engine::exists(&server, source, &issued.fetched, budget).await
            }
        }
    }
}

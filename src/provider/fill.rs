//! The plan's calls, all at once.

use futures::stream::{self, StreamExt};

use crate::plan::Plan;
use crate::vault::{Answer, Budget, Login, VaultError};

/// Calls of one mount in flight at a time: two round trips for all but the largest classes, and no pod can take the
/// whole of a server's concurrency for itself.
const IN_FLIGHT: usize = 32;

/// Makes every call of `plan` once; the answers stand in the order of its calls.
pub(super) async fn fill(plan: &Plan<'_>, login: &Login, budget: Budget) -> Vec<Result<Answer, VaultError>> {
    let calls: Vec<_> = plan.calls.iter().map(|request| login.call(request, budget)).collect();
    stream::iter(calls).buffered(IN_FLIGHT).collect().await
}

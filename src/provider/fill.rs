//! The plan's calls: each stage all at once.

use futures::future::{BoxFuture, FutureExt};
use futures::stream::{self, StreamExt};

use crate::config::Source;
use crate::engine::{self, Answers, Outcome};
use crate::plan::{Plan, Stage};
use crate::vault::{Budget, Login};

/// Calls of one mount in flight at a time: two round trips for all but the largest classes, and no pod can take the
/// whole of a server's concurrency for itself.
const IN_FLIGHT: usize = 32;

/// Makes every call of `plan` once.
pub(super) async fn fill<'a>(plan: &Plan<'a>, login: &Login, budget: Budget) -> Answers<'a> {
    let mut answers = Answers::default();
    for stage in &plan.stages {
        let found: Vec<_> = stream::iter(calls(stage, login, &answers, budget)).buffered(IN_FLIGHT).collect().await;
        found.into_iter().flatten().for_each(|(source, outcome)| answers.add(source, outcome));
    }
    answers
}

type Call<'c, 'a> = BoxFuture<'c, Vec<(&'a Source, Outcome)>>;

fn calls<'c, 'a: 'c>(stage: &'c Stage<'a>, login: &'c Login, answers: &'c Answers<'a>, budget: Budget) -> Vec<Call<'c, 'a>> {
    let reads = stage.reads.iter().map(|source| async move { vec![(*source, engine::fetch(login, source, budget).await)] }.boxed());
    let batches = stage.batches.iter().map(|batch| engine::open(login, batch, answers, budget).boxed());
    reads.chain(batches).collect()
}

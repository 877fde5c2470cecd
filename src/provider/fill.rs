//! The plan's calls: each stage all at once.

use std::sync::Arc;

use futures::future::{BoxFuture, FutureExt};
use futures::stream::{self, StreamExt};

use super::kept::Shelf;
use crate::config::Source;
use crate::engine::{self, Answers, Outcome};
use crate::plan::{Plan, Stage};
use crate::vault::{Budget, Login};

/// Calls of one mount in flight at a time: two round trips for all but the largest classes, and no pod can take the
/// whole of a server's concurrency for itself.
const IN_FLIGHT: usize = 32;

/// Makes every call of `plan` once, but for those whose answer is kept.
pub(super) async fn fill<'a>(plan: &Plan<'a>, login: &Login, shelf: &Shelf<'_>, budget: Budget) -> Answers<'a> {
    let mut answers = Answers::default();
    for stage in &plan.stages {
        let found: Vec<_> = stream::iter(calls(stage, login, shelf, &answers, budget)).buffered(IN_FLIGHT).collect().await;
        found.into_iter().flatten().for_each(|(source, outcome)| answers.add(source, outcome));
    }
    answers
}

type Call<'c, 'a> = BoxFuture<'c, Vec<(&'a Source, Outcome)>>;

fn calls<'c, 'a: 'c>(
    stage: &'c Stage<'a>,
    login: &'c Login,
    shelf: &'c Shelf<'c>,
    answers: &'c Answers<'a>,
    budget: Budget,
) -> Vec<Call<'c, 'a>> {
    let reads = stage.reads.iter().map(|source| async move { vec![(*source, read(source, login, shelf, budget).await)] }.boxed());
    let batches = stage.batches.iter().map(|batch| engine::open(login, batch, answers, budget).boxed());
    reads.chain(batches).collect()
}

async fn read(source: &Source, login: &Login, shelf: &Shelf<'_>, budget: Budget) -> Outcome {
    if let Some(kept) = shelf.get(source) {
        return Ok(kept);
    }
    let fetched = Arc::new(engine::fetch(login, source, budget).await?);
    shelf.keep(source, &fetched);
    Ok(fetched)
}

//! The plan's calls: each stage all at once.

use futures::future::{BoxFuture, FutureExt};
use futures::stream::{self, StreamExt};

use crate::engine::{FetchResult, Responses};
use crate::limits::Budget;
use crate::plan::{Plan, Stage};
use crate::spec::Source;
use crate::volume::FetchContext;

/// Calls of one mount in flight at a time: two round trips for all but the largest classes, and no pod can take the
/// whole of a server's concurrency for itself.
const IN_FLIGHT: usize = 32;

/// Makes every call of `plan` once, but for those whose answer the volume has.
pub(crate) async fn fill<'a>(plan: &Plan<'a>, visit: &FetchContext<'_>, budget: &Budget) -> Responses<'a> {
    let mut answers = Responses::default();
    for stage in &plan.stages {
        let found: Vec<_> =
            stream::iter(calls(stage, visit, &answers, budget)).buffered(IN_FLIGHT).collect().await;
        found.into_iter().flatten().for_each(|(source, outcome)| answers.add(source, outcome));
    }
    answers
}

type Call<'c, 'a> = BoxFuture<'c, Vec<(&'a Source, FetchResult)>>;

fn calls<'c, 'a: 'c>(
    stage: &'c Stage<'a>,
    visit: &'c FetchContext<'c>,
    answers: &'c Responses<'a>,
    budget: &'c Budget,
) -> Vec<Call<'c, 'a>> {
    let reads = stage
        .reads
        .iter()
        .map(|source| async move { vec![(*source, visit.read(source, budget).await)] }.boxed());
    let batches = stage.batches.iter().map(|batch| visit.open(batch, answers, budget).boxed());
    reads.chain(batches).collect()
}

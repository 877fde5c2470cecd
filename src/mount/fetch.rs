//! The calls of the plan, each stage of it in parallel.

use futures::future::{BoxFuture, FutureExt};
use futures::stream::{self, StreamExt};

use super::report;
use crate::engine::{FetchResult, Responses};
use crate::limits::Budget;
use crate::plan::{Plan, Stage};
use crate::spec::Source;
use crate::volume::FetchContext;

/// Calls of one mount in flight at a time: two round trips for all but the largest classes, and no pod can use the
/// whole concurrency of a server alone.
const IN_FLIGHT: usize = 32;

/// Makes each call of `plan` once, except those whose response the volume already has.
pub(super) async fn fetch<'a>(context: &FetchContext<'_>, plan: &Plan<'a>, budget: &Budget) -> Responses<'a> {
    let mut responses = Responses::default();
    for stage in &plan.stages {
        let found: Vec<_> =
            stream::iter(calls(stage, context, &responses, budget)).buffered(IN_FLIGHT).collect().await;
        found.into_iter().flatten().for_each(|(source, result)| responses.add(source, result));
    }
    report::responses(context.calls(), &responses);
    responses
}

type Call<'c, 'a> = BoxFuture<'c, Vec<(&'a Source, FetchResult)>>;

fn calls<'c, 'a: 'c>(
    stage: &'c Stage<'a>,
    context: &'c FetchContext<'c>,
    responses: &'c Responses<'a>,
    budget: &'c Budget,
) -> Vec<Call<'c, 'a>> {
    let reads = stage.reads.iter();
    let reads =
        reads.map(|source| async move { vec![(*source, context.read(source, budget).await)] }.boxed());
    let batches = stage.batches.iter().map(|batch| context.open(batch, responses, budget).boxed());
    reads.chain(batches).collect()
}

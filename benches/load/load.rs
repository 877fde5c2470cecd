//! Measures all sides of a load in turn: the bare calls, the same calls after an empty call of the driver, and the provider.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use crate::args::{Args, Shape};
use crate::bare::Bare;
use crate::environment::Environment;
use crate::hop::Counts;
use crate::pods::Pods;
use crate::process::{anonymous_memory, processor_time};
use crate::provider::Provider;
use crate::statistics::median;
use crate::timing::Timing;

/// The measurements of a load, by round.
pub(crate) struct Load {
    pub(crate) shape: Shape,
    pub(crate) rounds: Vec<Round>,
}

/// The measurements of all sides, one directly after the other.
#[derive(Default)]
pub(crate) struct Round {
    pub(crate) bare: Side,
    /// The bare calls after an empty call of the driver.
    pub(crate) behind: Side,
    pub(crate) provider: Side,
    /// Memory of the provider when all pods are mounted, in KiB.
    pub(crate) memory: u64,
    pub(crate) first_answer: Option<Duration>,
}

/// One side of a round: the first mounts, and all of their repetitions together.
#[derive(Default)]
pub(crate) struct Side {
    pub(crate) cold: Part,
    pub(crate) warm: Part,
}

/// Mounts, their times and their costs.
#[derive(Default)]
pub(crate) struct Part {
    pub(crate) timing: Timing,
    pub(crate) counts: Counts,
    /// The provider's processor time.
    pub(crate) processor: Duration,
}

impl Part {
    /// Processor time per mount, in milliseconds.
    pub(crate) fn processor_ms(&self) -> f64 {
        self.processor.as_secs_f64() * 1000.0 / self.timing.each.len() as f64
    }

    /// Number of the server's requests whose class `counts` accepts.
    pub(crate) fn requests(&self, counts: impl Fn(&str) -> bool) -> f64 {
        self.counts.iter().filter(|(class, _)| counts(class)).map(|(_, count)| *count).sum::<u64>() as f64
    }
}

impl Load {
    /// Measures `shape` in several rounds. Each side comes first in a third of them.
    pub(crate) async fn measure(args: &Args, environment: &Environment, shape: &Shape) -> Self {
        eprintln!("{}", shape.description());
        environment.hop.lengthen(shape.rtt());
        let bare = Bare::to(environment.hop.url());
        let mut rounds = Vec::new();
        for number in 0..args.rounds {
            let provider = Provider::start(args, environment).await;
            warm_up(environment, shape, &bare, &provider).await;
            let mut round = Round { first_answer: provider.first_answer, ..Round::default() };
            for turn in 0..3 {
                match (number + turn) % 3 {
                    0 => round.bare = bare_side(environment, shape, &bare).await,
                    1 => round.behind = bare_side(environment, shape, &bare.behind(&provider)).await,
                    _ => round.provider = provider_side(environment, shape, &provider).await,
                }
            }
            round.memory = anonymous_memory(provider.pid);
            rounds.push(round);
        }
        environment.hop.lengthen(Duration::ZERO);
        Self { shape: shape.clone(), rounds }
    }

    /// The median over the rounds.
    pub(crate) fn median(&self, of: impl Fn(&Round) -> f64) -> f64 {
        median(self.rounds.iter().map(of))
    }
}

/// Opens connections and loads code into memory: one volume of one object for each concurrent mount.
async fn warm_up(environment: &Environment, shape: &Shape, bare: &Bare, provider: &Provider) {
    let small =
        Shape { pods: shape.concurrency.min(8), accounts: Some(1), objects: 1, remounts: 0, ..shape.clone() };
    bare_side(environment, &small, bare).await;
    provider_side(environment, &small, provider).await;
}

async fn bare_side(environment: &Environment, shape: &Shape, bare: &Bare) -> Side {
    let pods = Arc::new(Pods::new(environment, shape));
    let cold = counted(environment, None, async || log_in_and_read(shape, &pods, bare).await).await;
    let warm =
        counted(environment, None, async || repeated(shape, async || read(shape, &pods, bare).await).await)
            .await;
    Side { cold, warm }
}

async fn provider_side(environment: &Environment, shape: &Shape, provider: &Provider) -> Side {
    let (pods, pid) = (Arc::new(Pods::new(environment, shape)), Some(provider.pid));
    let cold = counted(environment, pid, async || mount_all(shape, &pods, provider).await).await;
    let warm = counted(environment, pid, async || {
        repeated(shape, async || mount_all(shape, &pods, provider).await).await
    })
    .await;
    Side { cold, warm }
}

/// All repetitions of `timing`, with a pause before each. The pauses do not count.
async fn repeated(shape: &Shape, timing: impl AsyncFn() -> Timing) -> Timing {
    let mut all = Timing::default();
    for _ in 0..shape.remounts {
        sleep(Duration::from_millis(shape.rest_ms)).await;
        all = all.and(timing().await);
    }
    all
}

/// The requests that `work` makes and the processor time of the process `pid`, including the work after the last response.
async fn counted(environment: &Environment, pid: Option<i32>, work: impl AsyncFnOnce() -> Timing) -> Part {
    let time = || pid.map(processor_time).unwrap_or_default();
    let before = time();
    let (timing, counts) = (work().await, environment.hop.counts().await);
    Part { timing, counts, processor: time() - before }
}

async fn log_in_and_read(shape: &Shape, pods: &Arc<Pods>, bare: &Bare) -> Timing {
    let (pods, bare) = (Arc::clone(pods), bare.clone());
    let mount = move |number: usize| {
        let (pods, bare) = (Arc::clone(&pods), bare.clone());
        async move {
            bare.begin().await;
            let pod = &pods.pods[number];
            let token = bare.login(&pod.login).await;
            bare.read(&token, &pods.calls).await;
            let _ = pod.token.set(token);
        }
    };
    Timing::run(shape.pods, shape.concurrency, mount).await
}

/// Reads with the tokens of `log_in_and_read`.
pub(crate) async fn read(shape: &Shape, pods: &Arc<Pods>, bare: &Bare) -> Timing {
    let (pods, bare) = (Arc::clone(pods), bare.clone());
    let mount = move |number: usize| {
        let (pods, bare) = (Arc::clone(&pods), bare.clone());
        async move {
            bare.begin().await;
            bare.read(pods.pods[number].token.get().unwrap(), &pods.calls).await;
        }
    };
    Timing::run(shape.pods, shape.concurrency, mount).await
}

async fn mount_all(shape: &Shape, pods: &Arc<Pods>, provider: &Provider) -> Timing {
    let (client, pods, files) = (provider.client.clone(), Arc::clone(pods), shape.objects);
    let mount =
        move |number: usize| Provider::mount(client.clone(), pods.pods[number].request.clone(), files);
    Timing::run(shape.pods, shape.concurrency, mount).await
}

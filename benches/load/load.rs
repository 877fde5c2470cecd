//! All sides of a load by turns: the bare calls, the same behind an empty call of the driver's, and the provider.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use crate::args::{Args, Shape};
use crate::bare::Bare;
use crate::crowd::Crowd;
use crate::hop::Counts;
use crate::lap::Lap;
use crate::numbers::median;
use crate::process::{anonymous_memory, processor_time};
use crate::provider::Provider;
use crate::stage::Stage;

/// What was measured, round by round.
pub(crate) struct Load {
    pub(crate) shape: Shape,
    pub(crate) rounds: Vec<Round>,
}

/// All sides, one right after the other.
#[derive(Default)]
pub(crate) struct Round {
    pub(crate) bare: Side,
    /// The bare calls behind an empty call of the driver's.
    pub(crate) behind: Side,
    pub(crate) provider: Side,
    /// Of the provider when all is mounted, in KiB.
    pub(crate) memory: u64,
    pub(crate) first_answer: Option<Duration>,
}

/// One side of a round: the first mounts, and all of their repetitions together.
#[derive(Default)]
pub(crate) struct Side {
    pub(crate) cold: Part,
    pub(crate) warm: Part,
}

/// Mounts, and what they took.
#[derive(Default)]
pub(crate) struct Part {
    pub(crate) lap: Lap,
    pub(crate) counts: Counts,
    /// The provider's processor time.
    pub(crate) processor: Duration,
}

impl Part {
    /// Milliseconds of processor time for each mount.
    pub(crate) fn processor_ms(&self) -> f64 {
        self.processor.as_secs_f64() * 1000.0 / self.lap.each.len() as f64
    }

    /// How many of the server's requests have a class that `counts` takes.
    pub(crate) fn requests(&self, counts: impl Fn(&str) -> bool) -> f64 {
        self.counts.iter().filter(|(class, _)| counts(class)).map(|(_, count)| *count).sum::<u64>() as f64
    }
}

impl Load {
    /// Measures `shape` so many times; each side goes first in its turn.
    pub(crate) async fn measure(args: &Args, stage: &Stage, shape: &Shape) -> Self {
        eprintln!("{}", shape.told());
        stage.hop.lengthen(shape.rtt());
        let bare = Bare::to(stage.hop.url());
        let mut rounds = Vec::new();
        for number in 0..args.rounds {
            let provider = Provider::start(args, stage).await;
            warm_up(stage, shape, &bare, &provider).await;
            let mut round = Round { first_answer: provider.first_answer, ..Round::default() };
            for turn in 0..3 {
                match (number + turn) % 3 {
                    0 => round.bare = bare_side(stage, shape, &bare).await,
                    1 => round.behind = bare_side(stage, shape, &bare.behind(&provider)).await,
                    _ => round.provider = provider_side(stage, shape, &provider).await,
                }
            }
            round.memory = anonymous_memory(provider.pid);
            rounds.push(round);
        }
        stage.hop.lengthen(Duration::ZERO);
        Self { shape: shape.clone(), rounds }
    }

    /// The median over the rounds.
    pub(crate) fn median(&self, of: impl Fn(&Round) -> f64) -> f64 {
        median(self.rounds.iter().map(of))
    }
}

/// Connections are made and code is paged in; a volume of one object for each mount that there can be at a time.
async fn warm_up(stage: &Stage, shape: &Shape, bare: &Bare, provider: &Provider) {
    let small =
        Shape { pods: shape.concurrency.min(8), accounts: Some(1), objects: 1, remounts: 0, ..shape.clone() };
    bare_side(stage, &small, bare).await;
    provider_side(stage, &small, provider).await;
}

async fn bare_side(stage: &Stage, shape: &Shape, bare: &Bare) -> Side {
    let crowd = Arc::new(Crowd::new(stage, shape));
    let cold = counted(stage, None, async || log_in_and_read(shape, &crowd, bare).await).await;
    let warm =
        counted(stage, None, async || repeated(shape, async || read(shape, &crowd, bare).await).await).await;
    Side { cold, warm }
}

async fn provider_side(stage: &Stage, shape: &Shape, provider: &Provider) -> Side {
    let (crowd, pid) = (Arc::new(Crowd::new(stage, shape)), Some(provider.pid));
    let cold = counted(stage, pid, async || mount_all(shape, &crowd, provider).await).await;
    let warm = counted(stage, pid, async || {
        repeated(shape, async || mount_all(shape, &crowd, provider).await).await
    })
    .await;
    Side { cold, warm }
}

/// All repetitions of `lap`, rested before each; the rest is no part of what they take.
async fn repeated(shape: &Shape, lap: impl AsyncFn() -> Lap) -> Lap {
    let mut all = Lap::default();
    for _ in 0..shape.remounts {
        sleep(Duration::from_millis(shape.rest_ms)).await;
        all = all.and(lap().await);
    }
    all
}

/// The requests that `work` makes and the processor time of the process `pid`, with all that is done behind the last answer.
async fn counted(stage: &Stage, pid: Option<i32>, work: impl AsyncFnOnce() -> Lap) -> Part {
    let time = || pid.map(processor_time).unwrap_or_default();
    let before = time();
    let (lap, counts) = (work().await, stage.hop.counts().await);
    Part { lap, counts, processor: time() - before }
}

async fn log_in_and_read(shape: &Shape, crowd: &Arc<Crowd>, bare: &Bare) -> Lap {
    let (crowd, bare) = (Arc::clone(crowd), bare.clone());
    let mount = move |number: usize| {
        let (crowd, bare) = (Arc::clone(&crowd), bare.clone());
        async move {
            bare.begin().await;
            let pod = &crowd.pods[number];
            let token = bare.login(&pod.login).await;
            bare.read(&token, &crowd.asks).await;
            let _ = pod.token.set(token);
        }
    };
    Lap::run(shape.pods, shape.concurrency, mount).await
}

/// With the tokens of `log_in_and_read`.
pub(crate) async fn read(shape: &Shape, crowd: &Arc<Crowd>, bare: &Bare) -> Lap {
    let (crowd, bare) = (Arc::clone(crowd), bare.clone());
    let mount = move |number: usize| {
        let (crowd, bare) = (Arc::clone(&crowd), bare.clone());
        async move {
            bare.begin().await;
            bare.read(crowd.pods[number].token.get().unwrap(), &crowd.asks).await;
        }
    };
    Lap::run(shape.pods, shape.concurrency, mount).await
}

async fn mount_all(shape: &Shape, crowd: &Arc<Crowd>, provider: &Provider) -> Lap {
    let (client, crowd, files) = (provider.client.clone(), Arc::clone(crowd), shape.objects);
    let mount =
        move |number: usize| Provider::mount(client.clone(), crowd.pods[number].request.clone(), files);
    Lap::run(shape.pods, shape.concurrency, mount).await
}

//! Runs many jobs with a limited concurrency and measures the time of each.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::statistics::percentile;

/// The measured times.
#[derive(Clone, Debug, Default)]
pub(crate) struct Timing {
    /// From the start of the first job to the end of the last.
    pub(crate) took: Duration,
    /// Time of each job, in ascending order.
    pub(crate) each: Vec<Duration>,
}

impl Timing {
    /// Runs the jobs `0..jobs`, `at_a_time` at a time.
    pub(crate) async fn run<Job>(
        jobs: usize,
        at_a_time: usize,
        job: impl Fn(usize) -> Job + Send + Sync + 'static,
    ) -> Self
    where
        Job: Future<Output = ()> + Send,
    {
        let (job, next) = (Arc::new(job), Arc::new(AtomicUsize::new(0)));
        let mut workers = JoinSet::new();
        let begun = Instant::now();
        for _ in 0..at_a_time.min(jobs) {
            let (job, next) = (Arc::clone(&job), Arc::clone(&next));
            workers.spawn(async move {
                let mut each = Vec::new();
                while let Some(number) =
                    Some(next.fetch_add(1, Ordering::Relaxed)).filter(|&number| number < jobs)
                {
                    let begun = Instant::now();
                    job(number).await;
                    each.push(begun.elapsed());
                }
                each
            });
        }
        let mut each = workers.join_all().await.concat();
        each.sort();
        Self { took: begun.elapsed(), each }
    }

    /// This measurement and the next as one: all jobs of both, and the sum of their times.
    pub(crate) fn and(mut self, next: Self) -> Self {
        self.took += next.took;
        self.each.extend(next.each);
        self.each.sort();
        self
    }

    /// Jobs per second.
    pub(crate) fn rate(&self) -> f64 {
        self.each.len() as f64 / self.took.as_secs_f64()
    }

    /// Median time of a job, in milliseconds.
    pub(crate) fn p50(&self) -> f64 {
        percentile(&self.each, 50).as_secs_f64() * 1000.0
    }

    /// 99th percentile of the time of a job, in milliseconds.
    pub(crate) fn p99(&self) -> f64 {
        percentile(&self.each, 99).as_secs_f64() * 1000.0
    }
}

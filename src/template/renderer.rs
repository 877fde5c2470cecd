//! The parent process: starts the child, sends it tasks, and reads their results.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};
use zeroize::Zeroizing;

use super::mistake::Context;
use super::protocol;
use super::{Cause, Check, Job, TemplateError, limits};
use crate::secret::Secret;
use crate::template::protocol::{Fault, ResultHeader, Sources};

/// The longest life of a child: its second of CPU time, and as much again for a busy node.
const LONGEST: Duration = Duration::from_secs(2);

/// Renders templates in child processes, one child at a time, first come, first served.
///
/// If a container runs out of memory, the kubelet has the kernel kill all its processes: with several children at a time a few templates could
/// kill the provider. A child takes milliseconds, and `LONGEST` at most.
pub(crate) struct Renderer {
    program: PathBuf,
    one_child: Semaphore,
}

impl Default for Renderer {
    /// A renderer that starts this very program. `/proc/self/exe` is the running file, even if its path was replaced since.
    fn default() -> Self {
        Self::of("/proc/self/exe")
    }
}

type Rendered = Vec<Result<Secret, TemplateError>>;

/// The results as the child sends them.
type Results = Vec<Result<Secret, Vec<Fault>>>;

/// The error for `faults`.
fn in_words(faults: &[Fault], context: &Context<'_>) -> TemplateError {
    if faults.iter().any(|fault| fault.cause == Cause::TooLong) {
        return TemplateError::TooLong;
    }
    TemplateError::Fails(faults.iter().map(|fault| context.mistake(fault)).collect())
}

impl Renderer {
    /// A renderer that starts `program`, which must be a vaultmount binary.
    pub(crate) fn of(program: impl Into<PathBuf>) -> Self {
        Self { program: program.into(), one_child: Semaphore::new(1) }
    }

    /// See [`render`](super::render).
    pub(crate) async fn render(
        &self,
        jobs: &[Job<'_>],
        deadline: Instant,
    ) -> Result<Rendered, TemplateError> {
        let tasks = jobs.iter().map(|job| (job.text, job.delimiters, Sources::Values(&job.sources)));
        let tasks = protocol::tasks(tasks).map_err(|_| TemplateError::TooLong)?;
        let results = self.run(tasks, jobs.len(), deadline).await?;
        let context = |job: &'_ Job<'_>, faults: Vec<Fault>| {
            let names = job.sources.keys().map(String::as_str).collect();
            in_words(
                &faults,
                &Context { text: job.text, delimiters: job.delimiters, names, values: Some(&job.sources) },
            )
        };
        Ok(results
            .into_iter()
            .zip(jobs)
            .map(|(result, job)| result.map_err(|faults| context(job, faults)))
            .collect())
    }

    /// See [`check()`](super::check()).
    pub(crate) async fn check(
        &self,
        templates: &[Check<'_>],
        deadline: Instant,
    ) -> Result<Vec<Result<(), TemplateError>>, TemplateError> {
        let tasks =
            templates.iter().map(|check| (check.text, check.delimiters, Sources::Names(&check.names)));
        let tasks = protocol::tasks(tasks).map_err(|_| TemplateError::TooLong)?;
        let results = self.run(tasks, templates.len(), deadline).await?;
        let context = |check: &Check<'_>, faults: Vec<Fault>| {
            let names = check.names.iter().map(String::as_str).collect();
            in_words(
                &faults,
                &Context { text: check.text, delimiters: check.delimiters, names, values: None },
            )
        };
        let results = results.into_iter().zip(templates);
        Ok(results
            .map(|(result, check)| result.map(|_| ()).map_err(|faults| context(check, faults)))
            .collect())
    }

    async fn run(
        &self,
        tasks: Zeroizing<Vec<u8>>,
        count: usize,
        deadline: Instant,
    ) -> Result<Results, TemplateError> {
        if count == 0 {
            return Ok(Vec::new());
        }
        let permit = timeout_at(deadline, self.one_child.acquire()).await;
        let _permit = permit.map_err(|_| TemplateError::Busy)?;
        let end = deadline.min(Instant::now() + LONGEST);
        let mut child = self.start()?;
        let mut results = Vec::with_capacity(count);
        let exchange = timeout_at(end, exchange(&mut child, tasks, count, &mut results)).await;
        match exchange {
            Ok(outcome) => outcome.map(|()| results),
            // Dropping the child kills it.
            Err(_) if end == deadline => Err(TemplateError::Deadline { job: results.len() }),
            Err(_) => Err(TemplateError::Killed { job: results.len() }),
        }
    }

    fn start(&self) -> Result<Child, TemplateError> {
        let mut command = Command::new(&self.program);
        command.arg("render-templates").env_clear().current_dir("/").kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        command.spawn().map_err(|error| TemplateError::NotStarted(error.kind()))
    }
}

/// Writes all tasks, then reads the results. If the child ends while it is written to, reading its results fails.
async fn exchange(
    child: &mut Child,
    tasks: Zeroizing<Vec<u8>>,
    count: usize,
    results: &mut Results,
) -> Result<(), TemplateError> {
    let (Some(mut stdin), Some(mut stdout)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(TemplateError::Broken);
    };
    let _ = stdin.write_all(&tasks).await;
    drop((stdin, tasks));
    let mut bytes_left = limits::OUTPUT;
    while results.len() < count {
        let Some(result) = read_result(&mut stdout, &mut bytes_left).await? else {
            return Err(exit_error(child, results.len()).await);
        };
        results.push(result);
    }
    Ok(())
}

/// Reads one result; `None` if the child ended before the result was complete.
async fn read_result(
    stdout: &mut ChildStdout,
    bytes_left: &mut usize,
) -> Result<Option<Result<Secret, Vec<Fault>>>, TemplateError> {
    let mut header = [0; protocol::HEADER];
    if stdout.read_exact(&mut header).await.is_err() {
        return Ok(None);
    }
    match protocol::read_header(header).ok_or(TemplateError::Broken)? {
        ResultHeader::Faults(count) => {
            let mut faults = Vec::with_capacity(count);
            for _ in 0..count {
                let mut bytes = [0; protocol::FAULT];
                if stdout.read_exact(&mut bytes).await.is_err() {
                    return Ok(None);
                }
                faults.push(protocol::read_fault(bytes).ok_or(TemplateError::Broken)?);
            }
            Ok(Some(Err(faults)))
        }
        ResultHeader::Text(length) => {
            *bytes_left = bytes_left.checked_sub(length).ok_or(TemplateError::Broken)?;
            let mut text = Zeroizing::new(vec![0; length]);
            let read = stdout.read_exact(&mut text).await.is_ok();
            Ok(read.then(|| Ok(Secret::from(std::mem::take(&mut *text)))))
        }
    }
}

/// Why the child ended. One that a signal or a panic ended has exceeded its limits. One that exited could not set its limits, or did not
/// understand the tasks.
async fn exit_error(child: &mut Child, job: usize) -> TemplateError {
    const PANICKED: i32 = 101;
    match child.wait().await.map(|status| status.code()) {
        Ok(None | Some(PANICKED)) => TemplateError::Killed { job },
        Ok(Some(_)) => TemplateError::Broken,
        Err(error) => TemplateError::NotStarted(error.kind()),
    }
}

//! The parent's side: starts the child, asks, and holds the answer against the question.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};
use zeroize::Zeroizing;

use super::protocol;
use super::{Job, TemplateError, limits};
use crate::secret::Secret;
use crate::spec::Delimiters;
use crate::template::protocol::ChildResponse;

/// How long a child may live: its second of a core, and as much again for a node that is busy.
const LONGEST: Duration = Duration::from_secs(2);

/// Renders templates in children of a program, one child at a time, and whoever asks first is first.
///
/// A kubelet lets the kernel end all processes of a container that runs out of memory: with several children a few
/// templates could end the provider. A render takes milliseconds; one that does not is over after `LONGEST`.
pub struct Renderer {
    program: PathBuf,
    seat: Semaphore,
}

impl Default for Renderer {
    /// Of this very program by the kernel's name for it: the same bytes even when the file was replaced since.
    fn default() -> Self {
        Self::of("/proc/self/exe")
    }
}

type ChildResponses = Vec<Result<Secret, TemplateError>>;

impl Renderer {
    /// One that starts `program`, a vaultmount.
    pub fn of(program: impl Into<PathBuf>) -> Self {
        Self { program: program.into(), seat: Semaphore::new(1) }
    }

    /// See [`render`](super::render).
    pub async fn render(&self, jobs: &[Job<'_>], deadline: Instant) -> Result<ChildResponses, TemplateError> {
        let tasks = jobs.iter().map(|job| (job.text, job.delimiters, Some(&job.sources)));
        self.answers(protocol::tasks(tasks).map_err(|_| TemplateError::TooLong)?, jobs.len(), deadline).await
    }

    /// See [`check`](super::check).
    pub async fn check(
        &self,
        templates: &[(&str, &Delimiters)],
        deadline: Instant,
    ) -> Result<Vec<Result<(), TemplateError>>, TemplateError> {
        let tasks = templates.iter().map(|(text, delimiters)| (*text, *delimiters, None));
        let tasks = protocol::tasks(tasks).map_err(|_| TemplateError::TooLong)?;
        let answers = self.answers(tasks, templates.len(), deadline).await?;
        Ok(answers.into_iter().map(|answer| answer.map(|_| ())).collect())
    }

    async fn answers(
        &self,
        tasks: Zeroizing<Vec<u8>>,
        count: usize,
        deadline: Instant,
    ) -> Result<ChildResponses, TemplateError> {
        if count == 0 {
            return Ok(Vec::new());
        }
        let seat = timeout_at(deadline, self.seat.acquire()).await;
        let _seat = seat.map_err(|_| TemplateError::Busy)?;
        let end = deadline.min(Instant::now() + LONGEST);
        let mut child = self.start()?;
        let mut answers = Vec::with_capacity(count);
        let exchange = timeout_at(end, exchange(&mut child, tasks, count, &mut answers)).await;
        match exchange {
            Ok(outcome) => outcome.map(|()| answers),
            // Dropping the child kills it.
            Err(_) if end == deadline => Err(TemplateError::Deadline { job: answers.len() }),
            Err(_) => Err(TemplateError::Killed { job: answers.len() }),
        }
    }

    fn start(&self) -> Result<Child, TemplateError> {
        let mut command = Command::new(&self.program);
        command.arg("render-templates").env_clear().current_dir("/").kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        command.spawn().map_err(|error| TemplateError::NotStarted(error.kind()))
    }
}

/// Writes first and reads then, as the child reads first. A child that dies while it is written to tells by its silence.
async fn exchange(
    child: &mut Child,
    tasks: Zeroizing<Vec<u8>>,
    count: usize,
    answers: &mut ChildResponses,
) -> Result<(), TemplateError> {
    let (Some(mut stdin), Some(mut stdout)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(TemplateError::Broken);
    };
    let _ = stdin.write_all(&tasks).await;
    drop((stdin, tasks));
    let mut room = limits::OUTPUT;
    while answers.len() < count {
        let Some(answer) = answer(&mut stdout, &mut room).await? else {
            return Err(ended(child, answers.len()).await);
        };
        answers.push(answer);
    }
    Ok(())
}

/// One answer; `None` when the child ends before it is complete.
async fn answer(
    stdout: &mut ChildStdout,
    room: &mut usize,
) -> Result<Option<Result<Secret, TemplateError>>, TemplateError> {
    let mut header = [0; protocol::HEADER];
    if stdout.read_exact(&mut header).await.is_err() {
        return Ok(None);
    }
    match protocol::answer(header).ok_or(TemplateError::Broken)? {
        ChildResponse::Fault(fault) => Ok(Some(Err(fault.into()))),
        ChildResponse::Text(length) => {
            *room = room.checked_sub(length).ok_or(TemplateError::Broken)?;
            let mut text = Zeroizing::new(vec![0; length]);
            let read = stdout.read_exact(&mut text).await.is_ok();
            Ok(read.then(|| Ok(Secret::from(std::mem::take(&mut *text)))))
        }
    }
}

/// A child that ends by itself could not enter its limits or did not understand us; one that a signal or a panic ends
/// has reached them.
async fn ended(child: &mut Child, job: usize) -> TemplateError {
    const PANICKED: i32 = 101;
    match child.wait().await.map(|status| status.code()) {
        Ok(None | Some(PANICKED)) => TemplateError::Killed { job },
        Ok(Some(_)) => TemplateError::Broken,
        Err(error) => TemplateError::NotStarted(error.kind()),
    }
}

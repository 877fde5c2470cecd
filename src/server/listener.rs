//! One socket: created, watched, created again when another process removed it, removed at shutdown.

use std::future;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::future::FutureExt;
use nix::errno::Errno;
use tokio::net::UnixStream;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{Endpoint, NotReadyReason, Readiness, ServerError, socket};
use crate::limits::Period;
use crate::server::socket::Bound;
use crate::server::watch::{Action, next};
use crate::supervise::supervise;

/// Time between two checks of a socket that is ours. A check is one `lstat`; a socket that another process removed is back within a second.
const CHECK_INTERVAL: Period = Period::of(Duration::from_millis(250));
/// Time between two checks of a socket path that is not ours: each check opens a connection to the other process.
const RETRY_INTERVAL: Period = Period::of(Duration::from_secs(1));
/// Steps of one check: remove a dead socket, bind, see the own socket; and the same once more if another process was faster.
const STEPS: usize = 6;
/// Pause after a failed accept. Without free file handles (EMFILE) the next accept would fail at once, and so on.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The socket of one endpoint, or the wait for its path.
pub(crate) struct SocketListener {
    endpoint: Endpoint,
    /// Sockets of the same name in directories where the driver may look first.
    shadows: Vec<PathBuf>,
    bound: Option<Bound>,
    readiness: Readiness,
    accept_failed: bool,
}

impl SocketListener {
    /// Creates the socket of `endpoint`, or starts to wait for its path. Fails when waiting would not help.
    pub(crate) fn open(
        endpoint: Endpoint,
        directories: &[PathBuf],
        readiness: Readiness,
    ) -> Result<Self, ServerError> {
        let is_other_directory = |directory: &&PathBuf| Some(directory.as_path()) != endpoint.path().parent();
        let shadows = directories
            .iter()
            .filter(is_other_directory)
            .map(|directory| endpoint.path_in(directory))
            .collect();
        let mut listener = Self { endpoint, shadows, bound: None, readiness, accept_failed: false };
        match listener.check() {
            Err(reason) if !reason.may_pass() => {
                Err(ServerError::Socket { endpoint: listener.endpoint.clone(), reason })
            }
            Ok(()) | Err(_) => Ok(listener),
        }
    }

    /// Passes every connection to `admit` until `stop` is cancelled, then removes the socket.
    pub(crate) async fn run(self, admit: impl Fn(UnixStream) + Send, stop: CancellationToken) {
        supervise("socket", (self, admit, stop), |(listener, admit, stop)| {
            listener.listen(admit, stop).boxed()
        })
        .await;
    }

    async fn listen(&mut self, admit: &mut (impl Fn(UnixStream) + Send), stop: &CancellationToken) {
        let mut next_check = Instant::now() + CHECK_INTERVAL.pause(rand::random());
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = sleep_until(next_check) => {
                    let interval = if self.check().is_ok() { CHECK_INTERVAL } else { RETRY_INTERVAL };
                    next_check = Instant::now() + interval.pause(rand::random());
                }
                stream = self.accept() => admit(stream),
            }
        }
    }

    /// Claims the socket if that is possible now, and reports its state to `readiness`; logs a change.
    fn check(&mut self) -> Result<(), NotReadyReason> {
        let checked = self.claim().and_then(|()| self.clear_shadows());
        if self.readiness.set(&self.endpoint, checked.err()) {
            match checked {
                Ok(()) => info!(socket = %self.endpoint, "listening"),
                Err(reason) => warn!(socket = %self.endpoint, "drivers cannot reach this socket: {reason}"),
            }
        }
        checked
    }

    /// Makes the socket at the endpoint's path ours, unless another process uses the path.
    fn claim(&mut self) -> Result<(), NotReadyReason> {
        let path = self.endpoint.path();
        for _ in 0..STEPS {
            let own = self.bound.as_ref().map(|bound| bound.file);
            match next(own, socket::observe(path, own)?) {
                Action::Keep => return Ok(()),
                Action::Remove(file) => socket::remove(path, file)?,
                Action::Wait(reason) => return Err(reason),
                Action::Bind => match socket::bind(path) {
                    Err(Errno::EEXIST) => {} // another process was faster: observe the path once more
                    bound => self.bound = Some(bound?),
                },
            }
        }
        Err(NotReadyReason::Taken)
    }

    /// Removes dead sockets of our name in directories where the driver may look first: it would call them until its deadline.
    fn clear_shadows(&self) -> Result<(), NotReadyReason> {
        for path in &self.shadows {
            match next(None, socket::observe(path, None)?) {
                Action::Remove(file) => socket::remove(path, file)?,
                Action::Wait(NotReadyReason::NoDirectory) | Action::Bind | Action::Keep => {}
                Action::Wait(_) => return Err(NotReadyReason::Shadowed),
            }
        }
        Ok(())
    }

    async fn accept(&mut self) -> UnixStream {
        let Some(bound) = &self.bound else { return future::pending().await };
        loop {
            match bound.listener.accept().await {
                Ok((stream, _)) => {
                    self.accept_failed = false;
                    return stream;
                }
                Err(error) => {
                    if !std::mem::replace(&mut self.accept_failed, true) {
                        warn!(socket = %self.endpoint, %error, "connections cannot be accepted; trying again");
                    }
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

/// Removes our own socket, and only ours, before the last mounts are answered. A driver that has no connection yet then fails at once and
/// the kubelet retries; a driver that loses its connection tries the path until our successor has bound it. If the socket stayed, both
/// would wait at a listener that accepts no connection any more.
impl Drop for SocketListener {
    fn drop(&mut self) {
        self.readiness.set(&self.endpoint, Some(NotReadyReason::Stopping));
        let Some(bound) = &self.bound else { return };
        if let Err(error) = socket::remove(self.endpoint.path(), bound.file) {
            warn!(socket = %self.endpoint, %error, "the own socket cannot be removed; remove it by hand");
        }
    }
}

/// Removes those of `paths` that are sockets without a listener. For root, who may connect to every socket: another user cannot
/// distinguish a dead socket of root from a live one.
pub(crate) fn remove_dead(paths: &[PathBuf]) -> std::io::Result<()> {
    let remove = |path: &Path| match next(None, socket::observe(path, None)?) {
        Action::Remove(file) => socket::remove(path, file),
        Action::Keep | Action::Bind | Action::Wait(_) => Ok(()),
    };
    Ok(paths.iter().try_for_each(|path| remove(path))?)
}

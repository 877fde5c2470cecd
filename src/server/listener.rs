//! One socket's life: made, watched, made again when somebody took it away, removed at the end.

use std::future;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::future::FutureExt;
use nix::errno::Errno;
use tokio::net::UnixStream;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::NotReadyReason;
use super::Readiness;
use super::socket;
use super::{Endpoint, ServerError};
use crate::server::socket::Bound;
use crate::server::watch::{Action, next};
use crate::supervise::supervise;

/// Time between two looks at a socket that is ours: one `lstat`, so that a stolen one is back well within a second.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Time between two looks at one that is not: each asks a foreign listener for a connection.
const ASK_EVERY: Duration = Duration::from_secs(1);
/// Steps of one look: clear, bind, see it; and once more for one who was faster.
const STEPS: usize = 6;
/// Pause after a failed accept: without file handles (EMFILE) the next one would fail at once, and so on.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The place of one endpoint.
pub(crate) struct SocketListener {
    endpoint: Endpoint,
    /// The same name in directories where the driver may look first.
    shadows: Vec<PathBuf>,
    bound: Option<Bound>,
    readiness: Readiness,
    accept_failed: bool,
}

impl SocketListener {
    /// Makes the socket of `endpoint`, or begins to wait for its name; fails when waiting would be in vain.
    pub(crate) fn open(
        endpoint: Endpoint,
        directories: &[PathBuf],
        readiness: Readiness,
    ) -> Result<Self, ServerError> {
        let elsewhere = |directory: &&PathBuf| Some(directory.as_path()) != endpoint.path().parent();
        let shadows =
            directories.iter().filter(elsewhere).map(|directory| endpoint.path_in(directory)).collect();
        let mut place = Self { endpoint, shadows, bound: None, readiness, accept_failed: false };
        place.settle();
        match place.obstacle() {
            Err(obstacle @ (NotReadyReason::NoDirectory | NotReadyReason::System(_))) => {
                Err(ServerError::Socket { endpoint: place.endpoint.clone(), obstacle })
            }
            _ => Ok(place),
        }
    }

    /// Hands every connection to `admit` until `stop`, then takes the socket's name away.
    pub(crate) async fn keep(self, admit: impl Fn(UnixStream) + Send, stop: CancellationToken) {
        supervise("socket", (self, admit, stop), |(place, admit, stop)| place.listen(admit, stop).boxed())
            .await;
    }

    async fn listen(&mut self, admit: &mut (impl Fn(UnixStream) + Send), stop: &CancellationToken) {
        let mut look = Instant::now() + LOOK_EVERY;
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = sleep_until(look) => look = Instant::now() + self.settle(),
                stream = self.accept() => admit(stream),
            }
        }
    }

    /// Does what can be done for the socket to be ours; returns when to look again.
    fn settle(&mut self) -> Duration {
        let obstacle = self.claim().and_then(|()| self.clear_shadows()).err();
        if self.readiness.note(&self.endpoint, obstacle) {
            match obstacle {
                None => info!(socket = %self.endpoint, "listening"),
                Some(obstacle) => warn!(socket = %self.endpoint, "not reachable for drivers: {obstacle}"),
            }
        }
        if obstacle.is_none() { LOOK_EVERY } else { ASK_EVERY }
    }

    fn claim(&mut self) -> Result<(), NotReadyReason> {
        let path = self.endpoint.path();
        for _ in 0..STEPS {
            let held = self.bound.as_ref().map(|bound| bound.identity);
            match next(held, socket::look(path, held)?) {
                Action::Keep => return Ok(()),
                Action::Clear(identity) => socket::clear(path, identity)?,
                Action::Wait(obstacle) => return Err(obstacle),
                Action::Bind => match socket::bind(path) {
                    Err(Errno::EEXIST) => {} // somebody was faster: look who
                    made => self.bound = Some(made?),
                },
            }
        }
        Err(NotReadyReason::Taken)
    }

    /// Removes dead sockets of our name where the driver may look first: it would call them until its deadline.
    fn clear_shadows(&self) -> Result<(), NotReadyReason> {
        for path in &self.shadows {
            match next(None, socket::look(path, None)?) {
                Action::Clear(identity) => socket::clear(path, identity)?,
                Action::Wait(NotReadyReason::NoDirectory) | Action::Bind | Action::Keep => {}
                Action::Wait(_) => return Err(NotReadyReason::Shadowed),
            }
        }
        Ok(())
    }

    fn obstacle(&self) -> Result<(), NotReadyReason> {
        let sockets = self.readiness.sockets();
        let ours = sockets.into_iter().find(|socket| socket.endpoint == self.endpoint);
        ours.and_then(|socket| socket.obstacle).map_or(Ok(()), Err)
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
                        warn!(socket = %self.endpoint, %error, "connections cannot be taken; trying again");
                    }
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

/// Removes our own socket and nobody else's, before the last mounts are answered. A driver that has no connection yet
/// fails at once and is asked again by the kubelet, and one that had its connection asks for the name until our successor
/// has it; with the name kept, both would wait at a listener that takes nobody any more.
impl Drop for SocketListener {
    fn drop(&mut self) {
        self.readiness.note(&self.endpoint, Some(NotReadyReason::Stopping));
        let Some(bound) = &self.bound else { return };
        if let Err(error) = socket::clear(self.endpoint.path(), bound.identity) {
            warn!(socket = %self.endpoint, %error, "our socket cannot be removed; remove it by hand");
        }
    }
}

impl From<Errno> for NotReadyReason {
    fn from(errno: Errno) -> Self {
        Self::System(errno)
    }
}

/// Removes those of `paths` that are sockets and have no listener. For root, who may ask them all: another user cannot
/// tell a dead socket of root's from a live one.
pub fn clear_dead(paths: &[PathBuf]) -> std::io::Result<()> {
    let clear = |path: &Path| match next(None, socket::look(path, None)?) {
        Action::Clear(identity) => socket::clear(path, identity),
        _ => Ok(()),
    };
    Ok(paths.iter().try_for_each(|path| clear(path))?)
}

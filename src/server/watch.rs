//! One socket kept ours for as long as we serve.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use super::connection;
use super::endpoint::Endpoint;
use super::guard::Grpc;
use super::socket::{self, Bound, Found};

/// How often a socket is looked at. A Go provider that stops unlinks the path it once bound, even when it is ours by then.
const LOOK: Duration = Duration::from_millis(500);
/// Pause after a failed accept: without a free file descriptor it fails at once, and for as long as it takes.
const PAUSE: Duration = Duration::from_millis(100);

/// What is wrong with each socket that does not serve; empty when all do.
#[derive(Clone, Debug, Default)]
pub struct State(Arc<Mutex<BTreeMap<PathBuf, String>>>);

impl State {
    /// `Ok` when every socket is ours, else what keeps the first from being.
    pub fn ready(&self) -> Result<(), String> {
        let wrong = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        wrong.first_key_value().map_or(Ok(()), |(path, why)| Err(format!("{}: {why}", path.display())))
    }

    /// Notes what is wrong with a socket; true when that is news.
    fn note(&self, endpoint: &Endpoint, wrong: Option<String>) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = all.remove(endpoint.path());
        let news = before != wrong;
        if let Some(wrong) = wrong {
            all.insert(endpoint.path().to_owned(), wrong);
        }
        news
    }
}

/// What to do about a socket.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    /// Go on accepting.
    Serve,
    /// Bind it (again).
    Bind,
    /// It is not ours to take: say why, and look again.
    Wait(&'static str),
}

/// What follows from what stands at the path. A live foreign listener is never displaced: its pods are being served.
fn next(found: Found) -> Step {
    match found {
        Found::Ours => Step::Serve,
        Found::Nothing | Found::Dead => Step::Bind,
        Found::Foreign => Step::Wait("another process serves this socket; stop that provider, or choose another --endpoint"),
        Found::NoSocket => Step::Wait("a file that is no socket stands here; remove it"),
    }
}

/// All sockets of the process.
#[derive(Clone)]
pub struct Sockets {
    /// Users that may connect beside root and our own.
    allow_peer_uids: Arc<[u32]>,
    shutdown: CancellationToken,
    /// Sockets and connections under way.
    tasks: TaskTracker,
    state: State,
}

impl Sockets {
    /// None yet; `allow_peer_uids` may connect to each beside root and our own user.
    pub fn new(allow_peer_uids: Vec<u32>) -> Self {
        Self {
            allow_peer_uids: allow_peer_uids.into(),
            shutdown: CancellationToken::new(),
            tasks: TaskTracker::new(),
            state: State::default(),
        }
    }

    /// Serves `grpc` at `endpoint` from now on; what keeps it from it is in the state.
    pub fn serve<G: Grpc>(&self, endpoint: Endpoint, grpc: G) {
        // Bound before the first look of anybody else, and before readiness can be asked for.
        let bound = self.keep(&endpoint, None);
        let sockets = self.clone();
        self.tasks.spawn(async move { sockets.run(&endpoint, grpc, bound).await });
    }

    /// What does not serve, and why.
    pub fn state(&self) -> State {
        self.state.clone()
    }

    /// Takes our sockets away, then waits until every request that is begun is answered.
    pub async fn drain(&self) {
        self.shutdown.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    async fn run<G: Grpc>(&self, endpoint: &Endpoint, grpc: G, mut bound: Option<Bound>) {
        let mut ticks = interval(LOOK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = self.shutdown.cancelled() => break,
                _ = ticks.tick() => bound = self.keep(endpoint, bound),
                stream = accepted(bound.as_ref()) => self.take(stream, &grpc).await,
            }
        }
        // First of all: a driver that looks for us now must find nobody rather than a socket that refuses.
        if let Some(bound) = bound {
            socket::remove(endpoint.path(), bound.identity);
        }
    }

    /// Looks at the path and does what follows; the listener that results.
    fn keep(&self, endpoint: &Endpoint, bound: Option<Bound>) -> Option<Bound> {
        let step = socket::look(endpoint.path(), bound.as_ref().map(|bound| bound.identity)).map(next);
        let (bound, wrong) = match step {
            Ok(Step::Serve) => (bound, None),
            Ok(Step::Bind) => match bind(endpoint) {
                Ok(new) => (Some(new), None),
                Err(error) => (None, Some(format!("it cannot be bound: {error}"))),
            },
            Ok(Step::Wait(why)) => (None, Some(why.to_owned())),
            Err(error) => (None, Some(format!("it cannot be looked at: {error}"))),
        };
        if self.state.note(endpoint, wrong.clone())
            && let Some(wrong) = wrong
        {
            warn!(socket = %endpoint, "not serving: {wrong}");
        }
        bound
    }

    async fn take<G: Grpc>(&self, stream: io::Result<UnixStream>, grpc: &G) {
        match stream.and_then(|stream| Ok((stream.peer_cred()?.uid(), stream))) {
            Ok((uid, stream)) if self.admits(uid) => {
                self.tasks.spawn(connection::serve(stream, grpc.clone(), self.shutdown.clone()));
            }
            Ok((uid, _)) => warn!(uid, "a connection is refused: its user is neither root, nor ours, nor in --allow-peer-uid"),
            Err(error) => {
                warn!("a connection could not be accepted: {error}");
                sleep(PAUSE).await;
            }
        }
    }

    /// The driver runs as root; whoever else may open the socket must be named.
    fn admits(&self, uid: u32) -> bool {
        uid == 0 || uid == rustix::process::geteuid().as_raw() || self.allow_peer_uids.contains(&uid)
    }
}

/// The next connection; never any while nothing is bound.
async fn accepted(bound: Option<&Bound>) -> io::Result<UnixStream> {
    match bound {
        Some(bound) => bound.listener.accept().await.map(|(stream, _)| stream),
        None => std::future::pending().await,
    }
}

fn bind(endpoint: &Endpoint) -> io::Result<Bound> {
    let bound = socket::bind_at(endpoint.path())?;
    info!(socket = %endpoint, "listening");
    Ok(bound)
}

/// Removes sockets of our names that nobody listens on from `directory`: the driver looks there first, and one dead socket
/// there hides our live one.
pub fn clear_dead(directory: &Path, endpoints: &[Endpoint]) {
    let names = endpoints.iter().filter_map(|endpoint| endpoint.path().file_name());
    for path in names.map(|name| directory.join(name)).filter(|path| fs::symlink_metadata(path).is_ok()) {
        match socket::remove_dead(&path) {
            Ok(true) => info!(socket = %path.display(), "removed: nobody listened"),
            Ok(false) => warn!(socket = %path.display(), "it hides ours from the driver; stop the provider that serves it"),
            Err(error) => warn!(socket = %path.display(), "it may hide ours from the driver, and cannot be looked at: {error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_nobody_serves_is_taken() {
        assert_eq!([Found::Ours, Found::Nothing, Found::Dead].map(next), [Step::Serve, Step::Bind, Step::Bind]);
        assert!([Found::Foreign, Found::NoSocket].map(next).iter().all(|step| matches!(step, Step::Wait(_))));
    }
}

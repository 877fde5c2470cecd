//! The proxy before the server (the "hop"): counts requests and adds a round trip time.
//!
//! It uses two blocking threads for each connection: a thread wakes fast and its sleep is exact, while the timer of an async runtime rounds up to
//! the next millisecond.

mod head; // requests among the bytes

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use head::Stream;

/// Number of calls by class, such as `GET secret/data/*`.
pub(crate) type Counts = BTreeMap<String, u64>;

/// A listener before the server, for the lifetime of the process.
pub(crate) struct Hop {
    address: SocketAddr,
    route: Arc<Route>,
}

#[derive(Default)]
struct Route {
    server: u16,
    /// Delay of one direction, in nanoseconds.
    delay: AtomicU64,
    counts: Mutex<Counts>,
    /// Requests without a response so far.
    open: AtomicU64,
}

/// After this time without a request, the load counts as finished.
const QUIET: Duration = Duration::from_millis(200);

/// Longest wait for the end of the load.
const PATIENCE: Duration = Duration::from_secs(60);

impl Hop {
    /// A proxy before the server on that port of 127.0.0.1.
    pub(crate) fn before(server: u16, listen: Option<SocketAddr>) -> Self {
        let listener = TcpListener::bind(listen.unwrap_or((Ipv4Addr::LOCALHOST, 0).into())).unwrap();
        let hop = Self {
            address: listener.local_addr().unwrap(),
            route: Arc::new(Route { server, ..Route::default() }),
        };
        let route = Arc::clone(&hop.route);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let route = Arc::clone(&route);
                thread::spawn(move || route.join(&client));
            }
        });
        hop
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Makes each round trip longer by that much, from the next byte on.
    pub(crate) fn lengthen(&self, rtt: Duration) {
        self.route.delay.store(u64::try_from(rtt.as_nanos() / 2).unwrap(), Ordering::Relaxed);
    }

    /// The calls since the last reading. Waits until no more calls arrive, because a provider may revoke its logins after its response.
    pub(crate) async fn counts(&self) -> Counts {
        let seen = || (self.route.counts().values().sum::<u64>(), self.route.open.load(Ordering::Acquire));
        let (mut before, begun) = (None, Instant::now());
        while before != Some((seen().0, 0)) {
            assert!(
                begun.elapsed() < PATIENCE,
                "the server still gets requests: {} without a response",
                seen().1
            );
            before = Some(seen());
            sleep(QUIET).await;
        }
        std::mem::take(&mut *self.route.counts())
    }
}

impl Route {
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forwards both directions of a connection until both have ended. Connecting costs a round trip too.
    fn join(&self, client: &TcpStream) {
        self.travel();
        self.travel();
        let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, self.server)) else { return };
        let asked = AtomicBool::new(false);
        let _ = client.set_nodelay(true).and(server.set_nodelay(true));
        thread::scope(|both| {
            both.spawn(|| self.requests(client, &server, &asked));
            self.answers(&server, client, &asked);
        });
        // No client waits any longer for the missing responses.
        self.answered(&asked);
    }

    fn requests(&self, client: &TcpStream, server: &TcpStream, asked: &AtomicBool) {
        let mut stream = Stream::Head(Vec::new());
        let _ = pass(client, server, |bytes| {
            let found = stream.feed(bytes);
            if !found.is_empty() {
                let mut counts = self.counts();
                found.into_iter().for_each(|call| *counts.entry(call).or_default() += 1);
                drop(counts);
                if !asked.swap(true, Ordering::AcqRel) {
                    self.open.fetch_add(1, Ordering::AcqRel);
                }
                self.travel();
            }
        });
    }

    /// Delays only the first bytes of a response: the rest follows directly.
    fn answers(&self, server: &TcpStream, client: &TcpStream, asked: &AtomicBool) {
        let _ = pass(server, client, |_| {
            if self.answered(asked) {
                self.travel();
            }
        });
    }

    /// True for the first bytes of a response.
    fn answered(&self, asked: &AtomicBool) -> bool {
        let first = asked.swap(false, Ordering::AcqRel);
        if first {
            self.open.fetch_sub(1, Ordering::AcqRel);
        }
        first
    }

    /// Waits for the delay of one direction.
    fn travel(&self) {
        let delay = self.delay.load(Ordering::Relaxed);
        if delay > 0 {
            thread::sleep(Duration::from_nanos(delay));
        }
    }
}

/// Forwards bytes until there are no more, and calls `poll` with them first.
fn pass(mut from: &TcpStream, mut to: &TcpStream, mut poll: impl FnMut(&[u8])) -> io::Result<()> {
    let mut bytes = vec![0; 64 * 1024];
    loop {
        // A broken connection ends like a closed one.
        let count = from.read(&mut bytes).unwrap_or(0);
        if count == 0 {
            return to.shutdown(Shutdown::Write);
        }
        poll(&bytes[..count]);
        to.write_all(&bytes[..count])?;
    }
}

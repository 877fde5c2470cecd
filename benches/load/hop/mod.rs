//! The way to the server: counts requests, and makes it as long as wished.
//!
//! Threads that block, two a connection: they wake as fast as anything does, and their sleep is exact where a runtime's timer rounds up to
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

/// How many calls of each class, as `GET secret/data/*`.
pub(crate) type Counts = BTreeMap<String, u64>;

/// A listener before the server; it lasts as long as the process.
pub(crate) struct Hop {
    address: SocketAddr,
    way: Arc<SelectorPath>,
}

#[derive(Default)]
struct SelectorPath {
    server: u16,
    /// Of one direction, in nanoseconds.
    delay: AtomicU64,
    counts: Mutex<Counts>,
    /// Requests without an answer yet.
    open: AtomicU64,
}

/// How long nothing may come before all is taken to be over.
const QUIET: Duration = Duration::from_millis(200);

/// How long that is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

impl Hop {
    /// Before the server on that port of 127.0.0.1.
    pub(crate) fn before(server: u16, listen: Option<SocketAddr>) -> Self {
        let listener = TcpListener::bind(listen.unwrap_or((Ipv4Addr::LOCALHOST, 0).into())).unwrap();
        let hop = Self {
            address: listener.local_addr().unwrap(),
            way: Arc::new(SelectorPath { server, ..SelectorPath::default() }),
        };
        let way = Arc::clone(&hop.way);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let way = Arc::clone(&way);
                thread::spawn(move || way.join(&client));
            }
        });
        hop
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Makes each round trip longer by that much, from the next byte on.
    pub(crate) fn lengthen(&self, rtt: Duration) {
        self.way.delay.store(u64::try_from(rtt.as_nanos() / 2).unwrap(), Ordering::Relaxed);
    }

    /// What came since the last time; waits until nothing more comes, for a provider may end its logins behind its answers.
    pub(crate) async fn counts(&self) -> Counts {
        let seen = || (self.way.counts().values().sum::<u64>(), self.way.open.load(Ordering::Acquire));
        let (mut before, begun) = (None, Instant::now());
        while before != Some((seen().0, 0)) {
            assert!(
                begun.elapsed() < PATIENCE,
                "the server is still asked: {} requests without an answer",
                seen().1
            );
            before = Some(seen());
            sleep(QUIET).await;
        }
        std::mem::take(&mut *self.way.counts())
    }
}

impl SelectorPath {
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Both directions of a connection, until each has ended. To connect costs a round trip too.
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
        // Nobody waits any more for what was not answered.
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

    /// Only the first bytes of an answer wait: the rest travels behind them.
    fn answers(&self, server: &TcpStream, client: &TcpStream, asked: &AtomicBool) {
        let _ = pass(server, client, |_| {
            if self.answered(asked) {
                self.travel();
            }
        });
    }

    /// True for the first bytes of an answer.
    fn answered(&self, asked: &AtomicBool) -> bool {
        let first = asked.swap(false, Ordering::AcqRel);
        if first {
            self.open.fetch_sub(1, Ordering::AcqRel);
        }
        first
    }

    /// One direction's time.
    fn travel(&self) {
        let delay = self.delay.load(Ordering::Relaxed);
        if delay > 0 {
            thread::sleep(Duration::from_nanos(delay));
        }
    }
}

/// Hands bytes on until there are no more, each time after `look`.
fn pass(mut from: &TcpStream, mut to: &TcpStream, mut look: impl FnMut(&[u8])) -> io::Result<()> {
    let mut bytes = vec![0; 64 * 1024];
    loop {
        // A connection that breaks ends like one that is closed.
        let count = from.read(&mut bytes).unwrap_or(0);
        if count == 0 {
            return to.shutdown(Shutdown::Write);
        }
        look(&bytes[..count]);
        to.write_all(&bytes[..count])?;
    }
}

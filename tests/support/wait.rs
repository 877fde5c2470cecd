//! Waiting for a condition, never for a time.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// Far above what any condition takes on a busy machine: reaching it means that it will never hold.
const PATIENCE: Duration = Duration::from_secs(30);

/// Asks `condition` until it gives something.
pub(crate) async fn until<T>(what: &str, mut condition: impl AsyncFnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = condition().await {
            return found;
        }
        assert!(Instant::now() < end, "waited {PATIENCE:?} in vain: {what}");
        sleep(Duration::from_millis(5)).await;
    }
}

/// A port that was free a moment ago: whoever is told to listen there must be ready to be told another.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

/// An address on which nobody else listens: of the loopback network, the part that belongs to this process.
pub(crate) fn free_address() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(8080);
    let [_, high, middle, low] = std::process::id().to_be_bytes();
    (Ipv4Addr::new(127, 64 | high, middle, low), NEXT.fetch_add(1, Ordering::Relaxed)).into()
}

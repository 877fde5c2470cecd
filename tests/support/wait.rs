//! Waiting for a condition, never for a fixed time.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// Far longer than any condition takes on a busy machine: a condition that reaches it will never hold.
const PATIENCE: Duration = Duration::from_secs(30);

/// Polls `condition` until it returns a value.
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

/// A port that was free a moment ago. Another process may take it, so the caller must be able to retry with another.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

/// An address on which no other process listens: an address of the loopback network that is derived from this process.
pub(crate) fn free_address() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(8080);
    let [_, high, middle, low] = std::process::id().to_be_bytes();
    (Ipv4Addr::new(127, 64 | high, middle, low), NEXT.fetch_add(1, Ordering::Relaxed)).into()
}

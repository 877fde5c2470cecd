//! The health port under load: it stays within its limits, and the driver keeps its connections.

use std::fs;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::support::wait::free_address;
use crate::support::*;

/// Longest wait for a response. A request that reaches it gets none.
const PATIENCE: Duration = Duration::from_secs(30);
/// Connections that the health port serves at the same time.
const CONNECTIONS: usize = 32;
/// Connections of root's processes that all sockets serve at the same time.
const DRIVER_CONNECTIONS: usize = 64;

/// A provider without a server, and the address of its health port.
async fn provider() -> (Provider, SocketAddr) {
    let health = free_address();
    let setup = Provider::facing("http://127.0.0.1:1")
        .without("--health-addr")
        .flag(format!("--health-addr={health}"));
    let provider = setup.start().await;
    until("readiness", async || (status(health, "/health/ready").await == Some(200)).then_some(())).await;
    (provider, health)
}

/// Sends `request` over a new connection and returns all that comes back.
async fn exchange(health: SocketAddr, request: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(health).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    timeout(PATIENCE, stream.read_to_string(&mut answer)).await.map_err(|_| ErrorKind::TimedOut)??;
    Ok(answer)
}

async fn get(health: SocketAddr, path: &str) -> std::io::Result<String> {
    exchange(health, &format!("GET {path} HTTP/1.1\r\nHost: health\r\nConnection: close\r\n\r\n")).await
}

fn code(answer: &str) -> Option<u16> {
    answer.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()
}

async fn status(health: SocketAddr, path: &str) -> Option<u16> {
    get(health, path).await.ok().as_deref().and_then(code)
}

/// Open file handles of the provider's process.
fn handles(provider: &Provider) -> usize {
    fs::read_dir(format!("/proc/{}/fd", provider.id())).unwrap().count()
}

/// Whether the provider serves one more connection: HTTP/2's SETTINGS arrive.
async fn is_served(stream: &mut UnixStream) -> bool {
    matches!(stream.read(&mut [0; 1]).await, Ok(1))
}

#[tokio::test]
async fn the_driver_gets_every_connection_while_the_health_port_is_overloaded() {
    let (provider, health) = provider().await;
    let (stop, ready) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let mut readers = JoinSet::new();
    for _ in 0..160 {
        let (stop, ready) = (Arc::clone(&stop), Arc::clone(&ready));
        readers.spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                // A connection that was closed in favour of another one is opened again.
                let Some(code) = status(health, "/health/ready").await else { continue };
                assert_eq!(code, 200, "the readers made each other not ready");
                ready.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    until("the readers to be answered", async || (ready.load(Ordering::Relaxed) >= 160).then_some(())).await;
    let mut refused = 0;
    for _ in 0..20 {
        let mut stream = UnixStream::connect(provider.socket("vault.sock")).await.unwrap();
        refused += usize::from(!is_served(&mut stream).await);
    }
    assert_eq!(refused, 0, "of 20 connections of the driver");
    stop.store(true, Ordering::Relaxed);
    readers.join_all().await;
}

#[tokio::test]
async fn a_provider_is_ready_while_the_driver_holds_all_of_its_connections() {
    let (provider, health) = provider().await;
    let path = provider.socket("vault.sock");
    let mut open = Vec::new();
    for _ in 0..DRIVER_CONNECTIONS {
        let mut stream = UnixStream::connect(&path).await.unwrap();
        assert!(is_served(&mut stream).await);
        open.push(stream);
    }
    assert!(!is_served(&mut UnixStream::connect(&path).await.unwrap()).await, "one too many was served");
    // A check of the sockets is reused for a second: request for longer than that.
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(3) {
        assert_eq!(status(health, "/health/ready").await, Some(200));
    }
    assert!(get(health, "/metrics").await.unwrap().contains("\nvaultmount_connections_refused_total 1\n"));
    open.pop();
    until("a free connection to be served again", async || {
        is_served(&mut UnixStream::connect(&path).await.unwrap()).await.then_some(())
    })
    .await;
}

/// Opens `count` connections, sends `bytes` on each and reads nothing. Those that the provider closes meanwhile stay in the result.
async fn crowd(health: SocketAddr, count: usize, bytes: &[u8]) -> Vec<TcpStream> {
    let open = async |_| {
        let mut stream = TcpStream::connect(health).await.unwrap();
        // The provider may already have closed the connection in favour of a newer one.
        let _ = stream.write_all(bytes).await;
        stream
    };
    join_all((0..count).map(open)).await
}

/// While `count` clients behave badly, a new client gets a response and the number of handles stays bounded. Afterwards the handles are free
/// again although no client has closed its connection.
async fn withstands(what: &str, count: usize, bytes: &[u8]) {
    let (provider, health) = provider().await;
    let before = handles(&provider);
    let clients = crowd(health, count, bytes).await;
    // On a busy machine the responses to the clients before it may take longer than the lifetime of a connection.
    until(&format!("{what}: a response to a new client"), async || {
        (status(health, "/health/live").await == Some(200)).then_some(())
    })
    .await;
    let beside = handles(&provider);
    // The connection of this request, and both ends of the probe's connection.
    assert!(beside <= before + CONNECTIONS + 4, "{what}: {before} handles became {beside}");
    until(&format!("{what}: the handles to be free again"), async || {
        (handles(&provider) <= before).then_some(())
    })
    .await;
    assert_eq!(status(health, "/health/ready").await, Some(200), "{what}");
    drop(clients);
}

#[tokio::test]
async fn requests_that_never_end_hold_few_handles_for_a_limited_time() {
    withstands("half a head", 2000, b"GET /health/live HTTP/1.1\r\nHost: health\r\n").await;
}

#[tokio::test]
async fn connections_without_a_byte_hold_few_handles_for_a_limited_time() {
    withstands("no byte", 2000, b"").await;
}

#[tokio::test]
async fn bodies_that_never_end_hold_few_handles_for_a_limited_time() {
    withstands(
        "half a body",
        500,
        b"GET /health/live HTTP/1.1\r\nHost: health\r\nContent-Length: 1000000\r\n\r\nx",
    )
    .await;
}

#[tokio::test]
async fn responses_that_are_never_read_hold_few_handles_for_a_limited_time() {
    let pipelined = b"GET /metrics HTTP/1.1\r\nHost: health\r\n\r\n".repeat(100);
    withstands("answers that nobody reads", 500, &pipelined).await;
}

#[tokio::test]
async fn heads_beyond_the_limit_are_refused() {
    let (provider, health) = provider().await;
    let before = handles(&provider);
    let head = format!("GET /health/live HTTP/1.1\r\nHost: health\r\nX: {}\r\n\r\n", "x".repeat(64 * 1024));
    // The error response, or the end of the connection before it could be read.
    assert!(!exchange(health, &head).await.is_ok_and(|answer| code(&answer) == Some(200)));
    let many: String = (0..1000).map(|number| format!("X-{number}: x\r\n")).collect();
    let many = format!("GET /health/live HTTP/1.1\r\nHost: health\r\n{many}\r\n");
    assert!(!exchange(health, &many).await.is_ok_and(|answer| code(&answer) == Some(200)));
    until("the handles to be free again", async || (handles(&provider) <= before).then_some(())).await;
}

#[tokio::test]
async fn each_connection_gets_one_answer() {
    let (_provider, health) = provider().await;
    let answers = exchange(health, &"GET /health/live HTTP/1.1\r\nHost: health\r\n\r\n".repeat(10)).await;
    // With more requests after the first, the kernel may reset the connection before the response was read.
    assert!(answers.as_deref().unwrap_or("").matches("HTTP/1.1 ").count() <= 1, "{answers:?}");
}

#[tokio::test]
async fn other_paths_are_not_found_other_methods_not_allowed_and_head_has_no_body() {
    let (_provider, health) = provider().await;
    let answer = async |method: &str, path: &str| {
        exchange(health, &format!("{method} {path} HTTP/1.1\r\nHost: health\r\nConnection: close\r\n\r\n"))
            .await
            .unwrap()
    };
    for path in ["/", "/health", "/health/live/", "/health/ready/x", "/metrics/..", "/metricsx", "//metrics"]
    {
        assert_eq!(code(&answer("GET", path).await), Some(404), "{path}");
    }
    assert_eq!(code(&answer("POST", "/none").await), Some(404));
    for path in ["/health/live", "/health/ready", "/metrics"] {
        for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"] {
            let answer = answer(method, path).await;
            assert!(
                code(&answer) == Some(405) && answer.to_lowercase().contains("\r\nallow: get, head\r\n"),
                "{method} {path}: {answer}"
            );
        }
        let (get, head) = (answer("GET", path).await, answer("HEAD", path).await);
        assert_eq!((code(&get), code(&head)), (Some(200), Some(200)), "{path}");
        // Without a mount there is no metric yet, so that page is empty.
        let has_body = !get.ends_with("\r\n\r\n") || path == "/metrics";
        assert!(has_body && head.ends_with("\r\n\r\n"), "{path}: {get}{head}");
        assert_eq!(code(&answer("GET", &format!("{path}?verbose=1")).await), Some(200), "{path}");
    }
}

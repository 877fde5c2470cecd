//! One connection: HTTP/2 until the peer leaves or we drain.

use std::convert::Infallible;
use std::pin::pin;
use std::time::Duration;

use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::UnixStream;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::authority::Mended;
use super::guard::{self, Grpc};

/// Mounts under way on one connection: the driver has one connection for all pods of its node.
const STREAMS: u32 = 1024;
/// Bytes of headers of one request; a driver's have some hundred.
const HEADER_BYTES: u32 = 64 * 1024;

/// Serves `grpc` on `stream`. At `shutdown` no new request is taken, and those begun are answered.
///
/// hyper serves it, not tonic's own server: that one stands a timeout of its own in front of everything, which answers
/// `Cancelled`, one of the codes after which a pod starts on an empty volume.
pub(super) async fn serve<G: Grpc>(stream: UnixStream, grpc: G, shutdown: CancellationToken) {
    let service = service_fn(|request| {
        let grpc = grpc.clone();
        async move { Ok::<_, Infallible>(guard::answered(grpc, request).await) }
    });
    let mut http = http2::Builder::new(TokioExecutor::new());
    http.timer(TokioTimer::new()).max_concurrent_streams(STREAMS).max_header_list_size(HEADER_BYTES);
    http.keep_alive_interval(Duration::from_secs(60)).keep_alive_timeout(Duration::from_secs(20));
    let mut connection = pin!(http.serve_connection(TokioIo::new(Mended::new(stream)), service));
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        debug!("a connection ended: {error}");
    }
}

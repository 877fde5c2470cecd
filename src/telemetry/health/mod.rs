//! `/health/live`, `/health/ready` and `/metrics` over TCP, with limits that no client can exceed.

mod connections; // at most 32 connections
mod readiness; // one check for all readers

pub(crate) use readiness::Ready;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tracing::warn;

use crate::telemetry::health::connections::{Connections, Progress};
use crate::telemetry::health::readiness::SharedCheck;

/// Time for a client to send the head of its request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// Time for a whole connection. A kubelet and Prometheus need milliseconds, and wait 10 s at most by default.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(10);
/// Buffer of one connection, and so the largest head of a request: the minimum of hyper. Prometheus sends about 300 bytes.
const BUFFER_BYTES: usize = 8 * 1024;
/// Pause after a failed accept. Without free file handles (EMFILE) the next accept would fail at once, and so on.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const PROMETHEUS: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4");

/// Listens on `address`. Separate from [`serve`], so that a port in use is an error of the start and not of a task.
pub(crate) async fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address).await
}

/// Serves the health port for as long as the process lives: live if it responds at all, ready by the result of `probe`, and the values of
/// `metrics`.
pub(crate) async fn serve<R: Ready>(listener: TcpListener, probe: Arc<R>, metrics: PrometheusHandle) {
    let responder = Responder { check: Arc::new(SharedCheck::new(probe)), metrics };
    let mut connections = Connections::default();
    let mut accept_failed = false;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                accept_failed = false;
                let responder = responder.clone();
                connections.admit(|progress| serve_connection(stream, responder, progress)).await;
            }
            Err(error) => {
                if !std::mem::replace(&mut accept_failed, true) {
                    warn!(%error, "connections to the health port cannot be accepted; trying again");
                }
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Responds to one request and closes the connection, so that no connection stays open between two probes or scrapes.
async fn serve_connection<R: Ready>(stream: TcpStream, responder: Responder<R>, progress: Progress) {
    let mut http1 = http1::Builder::new();
    http1
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(BUFFER_BYTES)
        .keep_alive(false);
    let service = service_fn(move |request| {
        progress.set_request_read();
        let responder = responder.clone();
        async move { Ok::<_, Infallible>(responder.respond(&request).await) }
    });
    // A failed connection or a violated protocol concerns only that client, and must not fill the log.
    let _ = timeout(CONNECTION_TIMEOUT, http1.serve_connection(TokioIo::new(stream), service)).await;
}

/// Responds to the requests.
struct Responder<R> {
    check: Arc<SharedCheck<R>>,
    metrics: PrometheusHandle,
}

impl<R> Clone for Responder<R> {
    fn clone(&self) -> Self {
        Self { check: Arc::clone(&self.check), metrics: self.metrics.clone() }
    }
}

impl<R: Ready> Responder<R> {
    /// The response to `request`. For HEAD, hyper omits the body.
    async fn respond<B>(&self, request: &Request<B>) -> Response<String> {
        let Some(page) = Page::at(request.uri().path()) else {
            return text(StatusCode::NOT_FOUND, "not found\n");
        };
        if ![Method::GET, Method::HEAD].contains(request.method()) {
            let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "method not allowed\n");
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return response;
        }
        match page {
            Page::Live => text(StatusCode::OK, "alive\n"),
            Page::Ready => match self.check.result().await {
                Ok(()) => text(StatusCode::OK, "ready\n"),
                Err(missing) => text(StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {missing}\n")),
            },
            Page::Metrics => response(StatusCode::OK, PROMETHEUS, self.metrics.render()),
        }
    }
}

enum Page {
    Live,
    Ready,
    Metrics,
}

impl Page {
    fn at(path: &str) -> Option<Self> {
        match path {
            "/health/live" => Some(Self::Live),
            "/health/ready" => Some(Self::Ready),
            "/metrics" => Some(Self::Metrics),
            _ => None,
        }
    }
}

fn text(status: StatusCode, body: impl Into<String>) -> Response<String> {
    response(status, TEXT, body)
}

fn response(status: StatusCode, content_type: HeaderValue, body: impl Into<String>) -> Response<String> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

//! `/health/live`, `/health/ready` and `/metrics` over TCP.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;

/// Whether this process would answer a driver: never depends on Vault, for a provider that is taken out of service
/// cannot even say what is wrong.
pub trait Ready: Send + Sync + 'static {
    /// `Ok`, or what is missing in one line that names no path and no role.
    fn ready(&self) -> impl Future<Output = Result<(), String>> + Send;
}

/// Listens on `address`; apart from [`serve`], so that a taken port ends the start and not a task.
pub async fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address).await
}

/// Serves health for as long as the process lives: alive when it answers at all, ready when `probe` says so; and the numbers of `metrics`.
pub async fn serve<R: Ready>(listener: TcpListener, probe: Arc<R>, metrics: PrometheusHandle) -> io::Result<()> {
    let health = Router::new().route("/health/live", get(|| async { "alive\n" })).route("/health/ready", get(ready::<R>)).with_state(probe);
    let numbers = get(|| async move { ([(CONTENT_TYPE, "text/plain; version=0.0.4")], metrics.render()) });
    axum::serve(listener, health.route("/metrics", numbers)).await
}

async fn ready<R: Ready>(State(probe): State<Arc<R>>) -> (StatusCode, String) {
    match probe.ready().await {
        Ok(()) => (StatusCode::OK, "ready\n".into()),
        Err(missing) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {missing}\n")),
    }
}

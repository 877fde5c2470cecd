//! `/health/live` and `/health/ready` over TCP.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use tokio::net::TcpListener;

/// Whether this process would answer a driver: never depends on Vault, for a provider that is taken out of service
/// cannot even say what is wrong.
pub trait Ready: Send + Sync + 'static {
    /// `Ok`, or what is missing in one line that names no path and no role.
    fn ready(&self) -> impl Future<Output = Result<(), String>> + Send;
}

/// Serves health on `address` for as long as the process lives: alive when it answers at all, ready when `probe` says so.
pub async fn serve<R: Ready>(address: SocketAddr, probe: Arc<R>) -> io::Result<()> {
    let routes = Router::new().route("/health/live", get(|| async { "alive\n" })).route("/health/ready", get(ready::<R>)).with_state(probe);
    axum::serve(TcpListener::bind(address).await?, routes).await
}

async fn ready<R: Ready>(State(probe): State<Arc<R>>) -> (StatusCode, String) {
    match probe.ready().await {
        Ok(()) => (StatusCode::OK, "ready\n".into()),
        Err(missing) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {missing}\n")),
    }
}

//! Sends a request to the process that serves.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::{ControlRequest, ControlResponse, LINE};

/// Time for the whole exchange.
const TIME: Duration = Duration::from_secs(10);

/// Why there is no response.
#[derive(Debug, Error)]
pub(crate) enum ControlError {
    /// No process listens at the socket, or this user may not open it.
    #[error("{path}: {source}: is vaultmount running here, with --state-dir or --control-socket, and as the same user?", path = path.display())]
    Connect {
        /// The socket.
        path: PathBuf,
        /// Why it cannot be opened.
        source: io::Error,
    },
    /// The process did not respond, or not in a form that this version reads.
    #[error("{path}: the process did not respond: it may be of another version", path = path.display())]
    NoResponse {
        /// The socket.
        path: PathBuf,
    },
}

/// Sends `request` to the process that listens at `path`.
pub(crate) async fn send(path: &Path, request: &ControlRequest) -> Result<ControlResponse, ControlError> {
    let connected = UnixStream::connect(path).await;
    let stream = connected.map_err(|source| ControlError::Connect { path: path.to_owned(), source })?;
    let response = timeout(TIME, exchange(stream, request)).await.ok().and_then(Result::ok);
    response.ok_or_else(|| ControlError::NoResponse { path: path.to_owned() })
}

async fn exchange(mut stream: UnixStream, request: &ControlRequest) -> io::Result<ControlResponse> {
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    stream.write_all(&line).await?;
    let mut response = String::new();
    BufReader::new(stream).take(LINE).read_line(&mut response).await?;
    Ok(serde_json::from_str(&response)?)
}

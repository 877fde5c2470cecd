//! Answers the requests of operators.

use std::fs;
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tracing::{debug, info};

use super::{ControlRequest, ControlResponse, LINE};
use crate::server;
use crate::volume::Volumes;

/// Connections at a time; further ones wait.
const CONNECTIONS: usize = 8;

/// Time for one connection.
const TIME: Duration = Duration::from_secs(5);

/// Pause after a connection could not be accepted: the process has too many open files.
const PAUSE: Duration = Duration::from_secs(1);

/// The socket of operators' commands. Removed when it is dropped.
pub(crate) struct ControlSocket {
    path: PathBuf,
    listener: UnixListener,
    volumes: Arc<Volumes>,
    connections: Arc<Semaphore>,
}

impl ControlSocket {
    /// Listens at `path`, in place of the socket of an earlier process. Only the own user and root may connect.
    ///
    /// # Errors
    /// If there is a file at `path` that is no socket, or its directory does not exist.
    pub(crate) fn open(path: &Path, volumes: Arc<Volumes>) -> io::Result<Self> {
        if fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket()) {
            fs::remove_file(path)?;
        }
        let listener = server::bind_private(path)?;
        Ok(Self {
            path: path.to_owned(),
            listener,
            volumes,
            connections: Arc::new(Semaphore::new(CONNECTIONS)),
        })
    }

    /// Answers requests for as long as the process lives.
    pub(crate) async fn run(&mut self) {
        loop {
            // The semaphore is never closed.
            let Ok(permit) = Arc::clone(&self.connections).acquire_owned().await else { return };
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    let volumes = Arc::clone(&self.volumes);
                    tokio::spawn(async move {
                        if !matches!(timeout(TIME, answer(stream, &volumes)).await, Ok(Ok(()))) {
                            debug!("a command over the control socket was not answered");
                        }
                        drop(permit);
                    });
                }
                Err(_) => sleep(PAUSE).await,
            }
        }
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

async fn answer(stream: UnixStream, volumes: &Volumes) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    (&mut stream).take(LINE).read_line(&mut line).await?;
    let response = match serde_json::from_str(&line) {
        Ok(ControlRequest::Refresh(filter)) => {
            let refreshed = volumes.refresh(&filter);
            info!(volumes = refreshed.len(), ?filter, "an operator wants new content");
            ControlResponse::Refreshed(refreshed)
        }
        Err(_) => ControlResponse::Malformed,
    };
    let mut line = serde_json::to_vec(&response)?;
    line.push(b'\n');
    stream.get_mut().write_all(&line).await
}

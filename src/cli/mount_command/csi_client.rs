//! Calls a provider over its socket, as the driver does.

use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;
use tonic::transport::{Channel, Endpoint, Uri};
use tonic::{Code, Request, Status};

use crate::provider_api::csi_driver_provider_client::CsiDriverProviderClient;
use crate::provider_api::{MountRequest, MountResponse, VersionRequest, VersionResponse};

/// The kubelet's timeout of a mount.
const DEADLINE: Duration = Duration::from_secs(120);

/// Largest response that the driver accepts, in bytes.
const RESPONSE_BYTES: usize = 4 * 1024 * 1024;

/// Why a provider returned no files.
#[derive(Debug, Error)]
pub(crate) enum CallError {
    /// The connection failed.
    #[error(
        "no provider answers on {socket}; start one with --endpoint={socket}, or name its socket with --socket"
    )]
    NoProvider {
        /// The socket.
        socket: PathBuf,
        /// The error of the transport.
        #[source]
        source: tonic::transport::Error,
    },
    /// The provider's error, as the driver reports it in the pod's event.
    #[error("{code:?}: {message}")]
    Refused {
        /// The gRPC code.
        code: Code,
        /// The message: reason, failure and advice.
        message: String,
    },
    /// `MountResponse.error`, which vaultmount never sends.
    #[error("the provider on {socket} answered with error code {code:?} and no message")]
    Coded {
        /// The socket.
        socket: PathBuf,
        /// The code.
        code: String,
    },
    /// The driver refuses a response without versions.
    #[error("the provider on {socket} answered without object versions; the driver would fail this mount")]
    NoVersions {
        /// The socket.
        socket: PathBuf,
    },
}

/// Calls Version of the provider on `socket`, as the driver's health check does.
pub(crate) async fn version(socket: &Path) -> Result<VersionResponse, CallError> {
    let request = VersionRequest { version: "v1alpha1".into() };
    Ok(connect(socket).await?.version(request).await.map_err(refused)?.into_inner())
}

/// Calls Mount with `request`, and checks the response by the driver's rules.
pub(crate) async fn mount(socket: &Path, request: MountRequest) -> Result<MountResponse, CallError> {
    let mut client = connect(socket).await?;
    let mut call = Request::new(request);
    call.set_timeout(DEADLINE);
    let response = client.mount(call).await.map_err(refused)?.into_inner();
    if let Some(error) = response.error.as_ref().filter(|error| !error.code.is_empty()) {
        return Err(CallError::Coded { socket: socket.into(), code: error.code.clone() });
    }
    if response.object_version.is_empty() {
        Err(CallError::NoVersions { socket: socket.into() })
    } else {
        Ok(response)
    }
}

async fn connect(socket: &Path) -> Result<CsiDriverProviderClient<Channel>, CallError> {
    let no_provider = |source| CallError::NoProvider { socket: socket.into(), source };
    // Driver 1.6 sends the authority `localhost`.
    let endpoint = Endpoint::from_shared(format!("unix://{}", socket.display())).map_err(no_provider)?;
    let channel =
        endpoint.origin(Uri::from_static("http://localhost")).connect().await.map_err(no_provider)?;
    Ok(CsiDriverProviderClient::new(channel).max_decoding_message_size(RESPONSE_BYTES))
}

fn refused(status: Status) -> CallError {
    CallError::Refused { code: status.code(), message: status.message().to_owned() }
}

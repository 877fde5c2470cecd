//! A client of the provider's socket, for requests that the driver of this cluster does not send.

use super::wire::csi_driver_provider_client::CsiDriverProviderClient;
pub(crate) use super::wire::{MountRequest, MountResponse};
use tonic::transport::Endpoint;
use tonic::{Code, Status};

/// Calls Mount on the socket of that name. The socket is in the cluster's mount namespace, reached through `/proc` of its first process.
pub(crate) fn mount(socket: &str, request: MountRequest) -> Result<MountResponse, Status> {
    let holder = std::fs::read_to_string(super::cluster::state("holder")).unwrap();
    let address =
        format!("unix:///proc/{}/root/run/secrets-store-csi-providers/{socket}.sock", holder.trim());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let endpoint = Endpoint::from_shared(address).unwrap();
        let channel =
            endpoint.connect().await.map_err(|error| Status::new(Code::Unavailable, error.to_string()))?;
        CsiDriverProviderClient::new(channel).mount(request).await.map(tonic::Response::into_inner)
    })
}

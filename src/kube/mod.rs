//! Calls to the Kubernetes API, each only when enabled: a pod's token, the version key that the upstream providers share, the pods of a
//! node, and events on pods.

pub(crate) mod events; // events on pods
pub(crate) mod pods; // watches the pods of a node

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::authentication::v1::{BoundObjectReference, TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{Secret as KubeSecret, ServiceAccount};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::PostParams;
use kube::{Api, Client, Config};
use thiserror::Error;
use tokio::sync::OnceCell;

use crate::secret::Secret;
use crate::spec::{Pod, PodToken};

/// Lifetime of a requested token, in seconds: the same as the upstream providers request, and enough for one mount.
const TOKEN_SECONDS: i64 = 900;

/// Member of the upstream providers' Secret that holds the key.
const KEY_MEMBER: &str = "key";

/// A client of the API server of this cluster, created at the first call.
#[derive(Default)]
pub(crate) struct Kubernetes {
    client: OnceCell<Client>,
}

/// Why a call to the API server failed. Holds no token, and of the response only the status and its reason.
#[derive(Debug, Error)]
pub(crate) enum KubeError {
    /// This process runs outside a cluster, or without its own service account.
    #[error("vaultmount's own service account token is not mounted")]
    OutsideCluster(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The API server refused the call.
    #[error("{call}: the API server answered {status} {reason}")]
    Refused {
        /// The call, for example `read member "key" of Secret a`.
        call: String,
        /// The HTTP status.
        status: u16,
        /// The reason of Kubernetes' Status, such as `Forbidden`.
        reason: String,
    },
    /// The call failed before the API server responded.
    #[error("{call}: the API server cannot be reached")]
    Unreachable {
        /// The call.
        call: String,
        /// The error of the client, for the log.
        #[source]
        source: Box<kube::Error>,
    },
    /// The response does not contain the requested value.
    #[error("{0}: the response does not contain it")]
    Empty(String),
    /// The response did not arrive, or did not end, in time.
    #[error("{0}: the API server did not answer in time")]
    Timeout(String),
}

impl Kubernetes {
    /// A token of `pod`'s service account, bound to the pod: for `audience`, or for the API server when there is none.
    ///
    /// Needs `create` on `serviceaccounts/token`, which the manifests of vaultmount do not grant.
    pub(crate) async fn token(&self, pod: &Pod, audience: Option<&str>) -> Result<PodToken, KubeError> {
        let call =
            || format!("request a token for service account {}/{}", pod.namespace, pod.service_account);
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client().await?, &pod.namespace);
        let answer = accounts
            .create_token_request(&pod.service_account, &PostParams::default(), &request(pod, audience))
            .await;
        let status =
            answer.map_err(|error| failure(call(), error))?.status.ok_or_else(|| KubeError::Empty(call()))?;
        Ok(PodToken::issued(Secret::from(status.token), audience.unwrap_or_default().to_owned()))
    }

    /// The version key from the upstream providers' Secret `name` in vaultmount's namespace. Creates the Secret if it does not exist, as
    /// they do.
    pub(crate) async fn version_key(&self, name: &str) -> Result<Secret, KubeError> {
        let call = || format!("read member {KEY_MEMBER:?} of Secret {name}");
        let secrets: Api<KubeSecret> = Api::default_namespaced(self.client().await?);
        let secret = match secrets.get_opt(name).await {
            Ok(Some(secret)) => Ok(secret),
            Ok(None) => match secrets.create(&PostParams::default(), &new_key(name)).await {
                // Another node has created it in the meantime.
                Err(kube::Error::Api(status)) if status.code == 409 => secrets.get(name).await,
                created => created,
            },
            Err(error) => Err(error),
        };
        let mut data = secret.map_err(|error| failure(call(), error))?.data.unwrap_or_default();
        data.remove(KEY_MEMBER).map(|key| Secret::from(key.0)).ok_or_else(|| KubeError::Empty(call()))
    }

    async fn client(&self) -> Result<Client, KubeError> {
        let connect = || async {
            let config = Config::incluster().map_err(|error| KubeError::OutsideCluster(error.into()))?;
            Client::try_from(config).map_err(|error| KubeError::OutsideCluster(error.into()))
        };
        self.client.get_or_try_init(connect).await.cloned()
    }
}

fn request(pod: &Pod, audience: Option<&str>) -> TokenRequest {
    let bound = BoundObjectReference {
        api_version: Some("v1".into()),
        kind: Some("Pod".into()),
        name: Some(pod.name.clone()),
        uid: Some(pod.uid.clone()),
    };
    let spec = TokenRequestSpec {
        audiences: audience.map(str::to_owned).into_iter().collect(),
        bound_object_ref: Some(bound),
        expiration_seconds: Some(TOKEN_SECONDS),
    };
    TokenRequest { spec, ..TokenRequest::default() }
}

fn new_key(name: &str) -> KubeSecret {
    let key = ByteString(rand::random::<[u8; 32]>().to_vec());
    KubeSecret {
        metadata: ObjectMeta { name: Some(name.into()), ..ObjectMeta::default() },
        data: Some(BTreeMap::from([(KEY_MEMBER.to_owned(), key)])),
        immutable: Some(true),
        ..KubeSecret::default()
    }
}

/// The error of `call`, which failed with `error`.
fn failure(call: String, error: kube::Error) -> KubeError {
    match error {
        kube::Error::Api(status) => KubeError::Refused { call, status: status.code, reason: status.reason },
        other => KubeError::Unreachable { call, source: Box::new(other) },
    }
}

//! What is asked of Kubernetes, and only when switched on: a pod's token, the version key that the peers share, the pods of a node, their events.

pub mod events; // events on pods
pub mod pods; // the pods of a node, followed

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::authentication::v1::{BoundObjectReference, TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{Secret as KubeSecret, ServiceAccount};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::PostParams;
use kube::{Api, Client, Config};
use thiserror::Error;
use tokio::sync::OnceCell;

use crate::error::Reason;
use crate::secret::Secret;
use crate::spec::{Pod, PodToken};

/// Life of a token that we ask for, in seconds: what the peers ask for, and enough for one mount.
const TOKEN_SECONDS: i64 = 900;

/// Member of the peers' Secret that holds the key.
const KEY_MEMBER: &str = "key";

/// The API server of our own cluster, connected at the first question.
#[derive(Default)]
pub struct Kubernetes {
    client: OnceCell<Client>,
}

/// Why the API server gave nothing. Holds no token and no text of it but its reason word.
#[derive(Debug, Error)]
pub enum KubeError {
    /// We run outside a cluster, or without a service account of our own.
    #[error("no service account of our own is mounted")]
    OutsideCluster(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The API server refused.
    #[error("{asked}: the API server answered {status} {reason}")]
    Refused {
        /// What was asked for.
        asked: String,
        /// The HTTP status.
        status: u16,
        /// Kubernetes' word for it, such as `Forbidden`.
        reason: String,
    },
    /// No answer.
    #[error("{asked}: the API server cannot be reached")]
    Unreachable {
        /// What was asked for.
        asked: String,
        /// Why; for the log.
        #[source]
        source: Box<kube::Error>,
    },
    /// An answer without what was asked for.
    #[error("{0}: the answer holds none")]
    Empty(String),
    /// An answer that began, perhaps, and did not end.
    #[error("{0}: the API server is silent")]
    Silent(String),
}

impl KubeError {
    /// The stable cause, of which a pod's author is told: whatever went wrong, the pod has no token.
    pub fn reason(&self) -> Reason {
        Reason::TokenMissing
    }
}

impl Kubernetes {
    /// A token of `pod`'s service account, bound to the pod: for `audience`, or for the API server when there is none.
    ///
    /// Needs `create` on `serviceaccounts/token`, which our manifests do not give.
    pub async fn token(&self, pod: &Pod, audience: Option<&str>) -> Result<PodToken, KubeError> {
        let asked =
            || format!("request a token for service account {}/{}", pod.namespace, pod.service_account);
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client().await?, &pod.namespace);
        let answer = accounts
            .create_token_request(&pod.service_account, &PostParams::default(), &request(pod, audience))
            .await;
        let status = answer
            .map_err(|error| refusal(asked(), error))?
            .status
            .ok_or_else(|| KubeError::Empty(asked()))?;
        Ok(PodToken::issued(Secret::from(status.token), audience.unwrap_or_default().to_owned()))
    }

    /// The key of the peers' Secret `name` in our own namespace; made when there is none, as they do.
    pub async fn version_key(&self, name: &str) -> Result<Secret, KubeError> {
        let asked = || format!("read member {KEY_MEMBER:?} of Secret {name}");
        let secrets: Api<KubeSecret> = Api::default_namespaced(self.client().await?);
        let found = match secrets.get_opt(name).await {
            Ok(Some(found)) => Ok(found),
            Ok(None) => match secrets.create(&PostParams::default(), &new_key(name)).await {
                // Another node was faster.
                Err(kube::Error::Api(status)) if status.code == 409 => secrets.get(name).await,
                made => made,
            },
            Err(error) => Err(error),
        };
        let mut data = found.map_err(|error| refusal(asked(), error))?.data.unwrap_or_default();
        data.remove(KEY_MEMBER).map(|key| Secret::from(key.0)).ok_or_else(|| KubeError::Empty(asked()))
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

fn refusal(asked: String, error: kube::Error) -> KubeError {
    match error {
        kube::Error::Api(status) => KubeError::Refused { asked, status: status.code, reason: status.reason },
        other => KubeError::Unreachable { asked, source: Box::new(other) },
    }
}

//! The same calls to the server without any provider ("bare"), all at once where possible: no provider can be faster. No provider is as fast,
//! because the driver calls it first. So the same calls are also measured after an empty call of the driver.

use std::time::Duration;

use futures::future::join_all;
use reqwest::{Client, Method, RequestBuilder};
use serde::Deserialize;

use crate::object_kind::VaultCall;
use crate::provider::{Client as DriversClient, Provider};

/// Far longer than any call takes: a call that reaches it will never be answered.
const PATIENCE: Duration = Duration::from_secs(60);

/// One client for all calls, which reuses its connections.
#[derive(Clone)]
pub(crate) struct Bare {
    client: Client,
    url: String,
    /// The provider that gets an empty call of the driver first.
    asked: Option<DriversClient>,
}

#[derive(Deserialize)]
struct Login {
    auth: Auth,
}

#[derive(Deserialize)]
struct Auth {
    client_token: String,
}

impl Bare {
    /// Calls to the server at `url`.
    pub(crate) fn to(url: String) -> Self {
        Self { client: Client::builder().no_proxy().timeout(PATIENCE).build().unwrap(), url, asked: None }
    }

    /// The same calls over the same connections, after a call of the driver that `provider` answers at once.
    pub(crate) fn behind(&self, provider: &Provider) -> Self {
        Self { asked: Some(provider.client.clone()), ..self.clone() }
    }

    /// Makes the driver's call, if there is one.
    pub(crate) async fn begin(&self) {
        if let Some(provider) = &self.asked {
            Provider::version(provider.clone()).await.unwrap();
        }
    }

    /// Logs in and returns the token.
    pub(crate) async fn login(&self, body: &str) -> String {
        let answer =
            self.answer(self.request(Method::POST, "auth/kubernetes/login").body(body.to_owned())).await;
        serde_json::from_slice::<Login>(&answer).unwrap().auth.client_token
    }

    /// Makes all the calls at once.
    pub(crate) async fn read(&self, token: &str, calls: &[VaultCall]) {
        join_all(calls.iter().map(|call| self.call(token, call))).await;
    }

    async fn call(&self, token: &str, call: &VaultCall) {
        let request = self.request(call.method.clone(), &call.path).header("X-Vault-Token", token);
        self.answer(request.body(call.body.clone().unwrap_or_default())).await;
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}/v1/{path}", self.url))
    }

    /// The whole body of a successful response.
    async fn answer(&self, request: RequestBuilder) -> Vec<u8> {
        let response = request.send().await.unwrap();
        let (status, path) = (response.status(), response.url().path().to_owned());
        assert!(status.is_success(), "{path}: {status}");
        response.bytes().await.unwrap().into()
    }
}

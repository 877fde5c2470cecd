//! The calls made by hand, as early and as many at once as they can be: no provider can be faster. None is as fast, for the driver asks
//! it first: so there are the same calls behind an empty call of the driver's, too.

use std::time::Duration;

use futures::future::join_all;
use reqwest::{Client, Method, RequestBuilder};
use serde::Deserialize;

use crate::kind::Ask;
use crate::provider::{Client as DriversClient, Provider};

/// Far above what any call takes: reaching it means that it will never be answered.
const PATIENCE: Duration = Duration::from_secs(60);

/// One client for all, with its connections kept.
#[derive(Clone)]
pub(crate) struct Bare {
    client: Client,
    url: String,
    /// Whom the driver asks first, for nothing.
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

    /// The same calls, over the same connections, behind a call of the driver's that `provider` answers at once.
    pub(crate) fn behind(&self, provider: &Provider) -> Self {
        Self { asked: Some(provider.client.clone()), ..self.clone() }
    }

    /// The driver's call, if there is to be one.
    pub(crate) async fn begin(&self) {
        if let Some(provider) = &self.asked {
            Provider::version(provider.clone()).await.unwrap();
        }
    }

    /// Logs in; gives the token.
    pub(crate) async fn login(&self, body: &str) -> String {
        let answer =
            self.answer(self.request(Method::POST, "auth/kubernetes/login").body(body.to_owned())).await;
        serde_json::from_slice::<Login>(&answer).unwrap().auth.client_token
    }

    /// Makes all the calls at once.
    pub(crate) async fn read(&self, token: &str, asks: &[Ask]) {
        join_all(asks.iter().map(|ask| self.ask(token, ask))).await;
    }

    async fn ask(&self, token: &str, ask: &Ask) {
        let request = self.request(ask.method.clone(), &ask.path).header("X-Vault-Token", token);
        self.answer(request.body(ask.body.clone().unwrap_or_default())).await;
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}/v1/{path}", self.url))
    }

    /// The whole body of a success.
    async fn answer(&self, request: RequestBuilder) -> Vec<u8> {
        let response = request.send().await.unwrap();
        let (status, path) = (response.status(), response.url().path().to_owned());
        assert!(status.is_success(), "{path}: {status}");
        response.bytes().await.unwrap().into()
    }
}

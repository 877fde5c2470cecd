//! Probes of a server: calls of our own to `sys/health`, which alone decide whether a server is down.
//!
//! They use the client, the TLS setting, the base URL and the address policy of the pods' calls, and have neither token nor namespace.

use std::sync::{Arc, Weak};
use std::time::Duration;

use http::{Method, StatusCode};
use serde::Deserialize;
use tokio::time::{Instant, sleep_until};

use super::{VaultError, Vaults, http as wire};
use crate::error::Reason;
use crate::limits::Budget;
use crate::spec::ServerSpec;
use crate::supervise::caught;
use crate::vault::classify::refused;
use crate::vault::http::{Failed, HttpRequest, HttpResponse};
use crate::vault::pool::Connection;
use crate::vault::retry::CallKind;
use crate::vault::upstream::Upstream;

/// A server that has not answered its probe after this time is down, also if it is only slow.
const TIME: Duration = Duration::from_secs(5);

/// The path and query of a probe. A standby counts as up: it forwards calls, or answers them itself.
const PATH: &str = "sys/health";
const STANDBY: [&str; 2] = ["standbyok", "perfstandbyok"];

/// Marks `upstream` as suspect: a call to it failed in a way that a server that is down could cause. Starts a probe if none is under way.
pub(crate) fn suspect(vaults: &Vaults, spec: &Arc<ServerSpec>, upstream: &Arc<Upstream>) {
    let Some(moment) = upstream.suspect() else { return };
    let (vaults, spec, upstream) = (vaults.clone(), Arc::clone(spec), Arc::downgrade(upstream));
    tokio::spawn(async move {
        let probes = probe_until_up(&vaults, &spec, &upstream, moment);
        if caught("probe", probes).await.is_none() {
            // A panic. The next failing call starts the probes again.
            upstream.upgrade().into_iter().for_each(|upstream| upstream.forget());
        }
    });
}

/// Sends probes from `moment` on, until one of them says that the server is up, or nothing uses the server any more.
async fn probe_until_up(vaults: &Vaults, spec: &ServerSpec, upstream: &Weak<Upstream>, mut moment: Instant) {
    loop {
        sleep_until(moment).await;
        let Some(upstream) = upstream.upgrade() else { return };
        // The client may have been replaced since the last probe.
        let Some(connection) = vaults.connection_of(spec, &upstream) else { return upstream.forget() };
        match upstream.probed(probe(&connection).await) {
            Some(next) => moment = next,
            None => return,
        }
    }
}

/// Sends one probe. The error says why the server is down; `None` if it is up.
///
/// Any response below 500 means up: a gateway may answer `sys/health` by itself. So does a failure that every call reports better by itself, as
/// a certificate that is not trusted.
async fn probe(connection: &Connection) -> Option<VaultError> {
    let query = STANDBY.map(|name| (name.to_owned(), "true".to_owned()));
    let request =
        HttpRequest { method: &Method::GET, query: &query, ..HttpRequest::post(PATH, "check the server") };
    let budget = Budget::lasting(TIME);
    let url = wire::url(connection.base.clone(), &request);
    let never = std::future::pending();
    let response = match wire::send(&connection.client, &url, None, &request, &budget, never).await {
        Ok(response) if response.status().is_server_error() => response,
        Ok(_) => return None,
        Err(failed) => return unreachable(failed),
    };
    let status = response.status();
    let reply = wire::read(response, &request, &budget).await;
    Some(reply.map_or_else(|_| answered(status, Reason::ServerError, None), |reply| failed_health(&reply)))
}

/// The error of a probe without a response, if it means that the server is down.
fn unreachable(failed: Failed) -> Option<VaultError> {
    match failed.error {
        VaultError::OutOfTime { doing } => {
            let why = "the server accepted the connection and does not respond";
            Some(VaultError::Unreachable { doing, why })
        }
        error => failed.outcome.is_some().then_some(error),
    }
}

/// What `sys/health` says.
#[derive(Deserialize)]
struct Health {
    initialized: bool,
    sealed: bool,
}

/// The error of a 5xx.
fn failed_health(reply: &HttpResponse) -> VaultError {
    let text = match serde_json::from_slice(&reply.body) {
        Ok(Health { initialized: false, .. }) => "the server is not initialized",
        Ok(Health { sealed: true, .. }) => "the server is sealed",
        Ok(_) | Err(_) => return refused(String::new(), CallKind::Read, reply, None),
    };
    answered(reply.status.code, Reason::Sealed, Some(text))
}

fn answered(status: StatusCode, reason: Reason, text: Option<&'static str>) -> VaultError {
    VaultError::Answered { doing: String::new(), status, reason, text, hint: None }
}

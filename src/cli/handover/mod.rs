//! `vaultmount handover`: empties the state of a node, before another provider takes over.
//!
//! With `--keep` the credentials of running pods stay valid until each expires; with `--revoke` they are revoked now.

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use futures::{StreamExt, stream};
use thiserror::Error;
use tokio::time::{MissedTickBehavior, interval};

use crate::limits::Budget;
use crate::secret::Secret;
use crate::settings::{Environment, SettingsError};
use crate::spec::ServerSpec;
use crate::state::{Directory, KeyRefused, Kind, Outer, StateError, StateKey, Store, StoredRecord};
use crate::vault::{AllowedAddress, Outbound, TokenInfo, VaultError, Vaults};

/// Tokens that are revoked at the same time.
const CONCURRENT: usize = 4;
/// Time between the starts of two revocations, so that many nodes at once do not flood the server.
const INTERVAL: Duration = Duration::from_millis(100);
/// Time for one revocation.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Empties the state directory of a node on which no vaultmount runs any more
#[derive(Args, Clone, Debug)]
pub(crate) struct HandoverArgs {
    /// Remove all records without calling a server: the credentials of pods stay valid until they expire
    #[arg(long, required_unless_present = "revoke", conflicts_with = "revoke")]
    pub(crate) keep: bool,
    /// Revoke every token, and with it all leases of the token; a record stays and is reported if its token cannot be revoked
    #[arg(long)]
    pub(crate) revoke: bool,
    /// State directory, as for serve
    #[arg(long, value_name = "DIR")]
    pub(crate) state_dir: PathBuf,
    /// File with the key of the state, as for serve
    #[arg(long, value_name = "FILE")]
    pub(crate) state_key_file: Option<PathBuf>,
    /// File with the key of object versions, as for serve; also the key of the state if --state-key-file is not set
    #[arg(long, value_name = "FILE")]
    pub(crate) hmac_key_file: Option<PathBuf>,
    /// Name of the node, as for serve
    #[arg(long, value_name = "NAME", required_if_eq("revoke", "true"))]
    pub(crate) node_name: Option<String>,
    /// Servers to which tokens may be sent besides the default server, as for serve; repeatable
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) allow_address: Vec<AllowedAddress>,
}

/// Why the state is not empty.
#[derive(Debug, Error)]
pub(crate) enum HandoverError {
    /// The state directory, or a record in it, cannot be read or removed.
    #[error(transparent)]
    State(#[from] StateError),
    /// The key file cannot be used.
    #[error(transparent)]
    Key(#[from] KeyRefused),
    /// No key file is named.
    #[error(
        "--revoke decrypts tokens: set --state-key-file, or --hmac-key-file if serve had no --state-key-file"
    )]
    NoKey,
    /// The proxy variable of the environment is wrong.
    #[error(transparent)]
    Proxy(#[from] SettingsError),
    /// Some records could not be removed. Each was reported on stderr.
    #[error("{0} records remain: revoke the tokens named above by their accessors, then run handover --keep")]
    Remaining(usize),
}

/// Empties the state as `args` say, and prints one line with the numbers of records.
pub(crate) async fn handover(args: &HandoverArgs, environment: &Environment) -> Result<(), HandoverError> {
    let directory = Directory::open(&args.state_dir, Duration::ZERO).await?;
    if args.keep { keep(&directory) } else { revoke(args, directory, environment).await }
}

fn keep(directory: &Directory) -> Result<(), HandoverError> {
    let records = directory.ids()?;
    records.iter().try_for_each(|id| directory.remove(id))?;
    println!("{} records removed, no token revoked", records.len());
    Ok(())
}

async fn revoke(
    args: &HandoverArgs,
    directory: Directory,
    environment: &Environment,
) -> Result<(), HandoverError> {
    let store = Store::new(directory, key(args)?, args.node_name.as_deref().unwrap_or_default())?;
    let found: Vec<_> = store.records()?.collect();
    let outbound = Outbound {
        allowed: args.allow_address.clone(),
        proxy: proxy(&found, environment)?,
        ..Outbound::default()
    };
    let vaults = Vaults::new(outbound);
    let outcomes = paced(found).map(|record| empty(&store, &vaults, record)).buffer_unordered(CONCURRENT);
    let outcomes: Vec<_> = outcomes.collect().await;
    let count = |outcome: Outcome| outcomes.iter().filter(|found| **found == outcome).count();
    println!(
        "{} tokens revoked, {} records without a token removed, {} records remain",
        count(Outcome::Revoked),
        count(Outcome::Removed),
        count(Outcome::Remains)
    );
    match count(Outcome::Remains) {
        0 => Ok(()),
        remaining => Err(HandoverError::Remaining(remaining)),
    }
}

fn key(args: &HandoverArgs) -> Result<StateKey, HandoverError> {
    match (&args.state_key_file, &args.hmac_key_file) {
        (Some(file), _) => Ok(StateKey::read(file)?),
        (None, Some(file)) => Ok(StateKey::read_shared(file)?),
        (None, None) => Err(HandoverError::NoKey),
    }
}

/// The proxy to the default server, if a record has a token from that server.
fn proxy(found: &[StoredRecord], environment: &Environment) -> Result<Option<url::Url>, SettingsError> {
    let mut servers = found.iter().filter_map(|record| record.outer()?.server.as_ref());
    let default = servers.find(|server| server.configured);
    default.map_or(Ok(None), |server| environment.proxy_to(&server.address))
}

/// All records; those with a token at least [`INTERVAL`] apart.
fn paced(found: Vec<StoredRecord>) -> impl futures::Stream<Item = StoredRecord> {
    let mut ticks = interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    stream::unfold((found.into_iter(), ticks), |(mut found, mut ticks)| async move {
        let next = found.next()?;
        if next.outer().is_some_and(|outer| outer.token.is_some()) {
            ticks.tick().await;
        }
        Some((next, (found, ticks)))
    })
}

/// What happened to a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// Its token was revoked, and the record removed.
    Revoked,
    /// It had no token, and was removed.
    Removed,
    /// It was not removed, and was reported on stderr.
    Remains,
}

/// Revokes the token of `record`, if it has one, and removes the record.
async fn empty(store: &Store, vaults: &Vaults, record: StoredRecord) -> Outcome {
    let revoked = match record.outer() {
        Some(Outer { kind: Kind::Volume, .. }) => Ok(Outcome::Removed),
        Some(Outer { server: Some(server), token: Some(token), .. }) => revoke_token(vaults, server, token)
            .await
            .map(|()| Outcome::Revoked)
            .map_err(|error| error.to_string()),
        Some(Outer { kind: Kind::VaultToken, .. }) | None => Err("its token is not known".to_owned()),
    };
    let removed = revoked
        .and_then(|outcome| store.remove(record.id()).map(|()| outcome).map_err(|error| error.to_string()));
    removed.unwrap_or_else(|why| {
        eprintln!("vaultmount: {}", remains(&record, &why));
        Outcome::Remains
    })
}

/// Revokes `token`, and with it all its leases.
async fn revoke_token(vaults: &Vaults, server: &ServerSpec, token: &Secret) -> Result<(), VaultError> {
    // A copy goes to the server that issued the token, and is wiped after the call.
    let login =
        vaults.server(server)?.with_token(Secret::from(token.expose().to_vec()), TokenInfo::default());
    login.revoke(&Budget::lasting(TIMEOUT)).await.map_err(|(_, error)| error)
}

/// One line for the operator, with the accessor and the lease ids by which the credentials can be revoked by hand.
fn remains(record: &StoredRecord, why: &str) -> String {
    let damage = if let StoredRecord::Unusable(unusable) = record {
        format!("; {}", unusable.why)
    } else {
        String::new()
    };
    let Some(outer) = record.outer() else {
        return format!("record {} remains: {why}{damage}", record.id());
    };
    let server = outer
        .server
        .as_ref()
        .map_or_else(|| "an unknown server".to_owned(), |server| server.address.to_string());
    let accessor = outer.accessor.as_deref().unwrap_or("none");
    let leases = outer.leases.join(", ");
    format!(
        "record {} remains: {why}{damage}; server {server}, accessor {accessor}, leases [{leases}]",
        record.id()
    )
}

//! `vaultmount handover`: empties the state of a node, for going back to another provider.
//!
//! With `--keep` running pods keep their credentials to the end of each; with `--revoke` they end now.

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

/// Tokens that are given back at a time.
const AT_A_TIME: usize = 4;
/// Time between the begins of two, so that many nodes at once do not flood the server.
const PACE: Duration = Duration::from_millis(100);
/// Time for one.
const CALL: Duration = Duration::from_secs(5);

/// Empties the state directory of a node where no vaultmount runs any more
#[derive(Args, Clone, Debug)]
pub struct HandoverArgs {
    /// Forget everything and call nobody: pods keep what they have to the end of its time
    #[arg(long, required_unless_present = "revoke", conflicts_with = "revoke")]
    pub keep: bool,
    /// Give every token back, and with it end all that was leased by it; what cannot be given back is kept and told
    #[arg(long)]
    pub revoke: bool,
    /// State directory, as serve had it
    #[arg(long, value_name = "DIR")]
    pub state_dir: PathBuf,
    /// File with the key of the state, as serve had it
    #[arg(long, value_name = "FILE")]
    pub state_key_file: Option<PathBuf>,
    /// File with the key of object versions, as serve had it; for the state where --state-key-file is not given
    #[arg(long, value_name = "FILE")]
    pub hmac_key_file: Option<PathBuf>,
    /// Name of the node, as serve had it
    #[arg(long, value_name = "NAME", required_if_eq("revoke", "true"))]
    pub node_name: Option<String>,
    /// Where tokens may be sent beside the default server, as serve had it; repeatable
    #[arg(long, value_name = "ADDRESS")]
    pub allow_address: Vec<AllowedAddress>,
}

/// Why the state is not empty.
#[derive(Debug, Error)]
pub enum HandoverError {
    /// The directory, or a record in it.
    #[error(transparent)]
    State(#[from] StateError),
    /// The file of the key.
    #[error(transparent)]
    Key(#[from] KeyRefused),
    /// No file of a key.
    #[error("--revoke opens tokens: give --state-key-file, or --hmac-key-file where serve had no other")]
    NoKey,
    /// The proxy of the environment.
    #[error(transparent)]
    Proxy(#[from] SettingsError),
    /// Each is told on stderr.
    #[error("{0} records are kept: revoke what is named above by its accessor, then run handover --keep")]
    Kept(usize),
}

/// Does what `args` say, and prints a line of what was done.
pub async fn handover(args: &HandoverArgs, environment: &Environment) -> Result<(), HandoverError> {
    let directory = Directory::open(&args.state_dir, Duration::ZERO).await?;
    if args.keep { keep(&directory) } else { revoke(args, directory, environment).await }
}

fn keep(directory: &Directory) -> Result<(), HandoverError> {
    let records = directory.ids()?;
    records.iter().try_for_each(|id| directory.remove(id))?;
    println!("{} records removed, no token given back", records.len());
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
    let ends = paced(found).map(|found| end(&store, &vaults, found)).buffer_unordered(AT_A_TIME);
    let ended: Vec<_> = ends.collect().await;
    let count = |end: End| ended.iter().filter(|ended| **ended == end).count();
    println!(
        "{} tokens given back, {} records without one removed, {} kept",
        count(End::Revoked),
        count(End::Forgotten),
        count(End::Kept)
    );
    match count(End::Kept) {
        0 => Ok(()),
        kept => Err(HandoverError::Kept(kept)),
    }
}

fn key(args: &HandoverArgs) -> Result<StateKey, HandoverError> {
    match (&args.state_key_file, &args.hmac_key_file) {
        (Some(file), _) => Ok(StateKey::read(file)?),
        (None, Some(file)) => Ok(StateKey::read_shared(file)?),
        (None, None) => Err(HandoverError::NoKey),
    }
}

/// The proxy of the process's own server, which records name when a token is from there.
fn proxy(found: &[StoredRecord], environment: &Environment) -> Result<Option<url::Url>, SettingsError> {
    let servers = found.iter().filter_map(|found| found.outer()?.server.as_ref());
    let own = servers.into_iter().find(|server| server.configured);
    own.map_or(Ok(None), |server| environment.proxy_to(&server.address))
}

/// Each record, no sooner than its turn.
fn paced(found: Vec<StoredRecord>) -> impl futures::Stream<Item = StoredRecord> {
    let mut pace = interval(PACE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    stream::unfold((found.into_iter(), pace), |(mut found, mut pace)| async move {
        let next = found.next()?;
        if next.outer().is_some_and(|outer| outer.token.is_some()) {
            pace.tick().await;
        }
        Some((next, (found, pace)))
    })
}

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// Its token is given back.
    Revoked,
    /// It had none.
    Forgotten,
    /// It is there still, and was told on stderr.
    Kept,
}

async fn end(store: &Store, vaults: &Vaults, found: StoredRecord) -> End {
    let ended = match found.outer() {
        Some(Outer { kind: Kind::Volume, .. }) => Ok(End::Forgotten),
        Some(Outer { server: Some(server), token: Some(token), .. }) => {
            match give_back(vaults, server, token).await {
                Ok(()) => Ok(End::Revoked),
                Err(error) => Err(error.to_string()),
            }
        }
        _ => Err("its token is not known".to_owned()),
    };
    let removed =
        ended.and_then(|end| store.remove(found.id()).map(|()| end).map_err(|error| error.to_string()));
    removed.unwrap_or_else(|why| {
        eprintln!("vaultmount: {}", kept(&found, &why));
        End::Kept
    })
}

/// Revokes a token, and with it all that was leased by it.
async fn give_back(vaults: &Vaults, server: &ServerSpec, token: &Secret) -> Result<(), VaultError> {
    // A copy goes to the server that gave it, and is wiped after the call.
    let login =
        vaults.server(server)?.with_token(Secret::from(token.expose().to_vec()), TokenInfo::default());
    login.revoke(&Budget::lasting(CALL)).await.map_err(|(_, error)| error)
}

/// A line for the operator: by accessor and lease ids, what is left can be revoked by hand.
fn kept(found: &StoredRecord, why: &str) -> String {
    let damage = if let StoredRecord::Unusable(unusable) = found {
        format!("; {}", unusable.why)
    } else {
        String::new()
    };
    let Some(outer) = found.outer() else { return format!("record {} is kept: {why}{damage}", found.id()) };
    let server = outer
        .server
        .as_ref()
        .map_or_else(|| "an unknown server".to_owned(), |server| server.address.to_string());
    let accessor = outer.accessor.as_deref().unwrap_or("none");
    let leases = outer.leases.join(", ");
    format!(
        "record {} is kept: {why}{damage}; server {server}, accessor {accessor}, leases [{leases}]",
        found.id()
    )
}

//! The server that calls go to: flags over environment, for `serve` and `s5` alike.

use std::path::PathBuf;

use clap::Args;
use url::Url;

use super::Environment;
use super::{SettingsError, given};
use crate::class::{Flavor, go_bool};
use crate::settings::environment::Use;
use crate::settings::flags::{path, truth};
use crate::spec::{Address, ClientCertificate, ServerSpec, TlsSpec};

/// The server that the peers' library falls back to.
const ADDRESS: &str = "https://127.0.0.1:8200";

/// Where the server is and how it is reached. Not `Debug`: an address in it may hold a password, which is refused only
/// later.
#[derive(Args, Clone)]
pub struct ServerArgs {
    /// Default server: http://, https:// or unix:// [default: https://127.0.0.1:8200]
    #[arg(long, global = true, aliases = ["openbao-addr", "bao-addr"], value_name = "URL")]
    pub vault_addr: Option<String>,
    /// Default namespace
    #[arg(long, global = true, aliases = ["openbao-namespace", "bao-namespace"], value_name = "NAME")]
    pub vault_namespace: Option<String>,
    /// PEM file of CAs that the server's certificate is checked with; beats the directory
    #[arg(long, global = true, aliases = ["openbao-tls-ca-cert", "bao-tls-ca-cert"], value_name = "FILE", value_parser = path())]
    pub vault_tls_ca_cert: Option<PathBuf>,
    /// Directory of PEM files of CAs
    #[arg(long, global = true, aliases = ["openbao-tls-ca-directory", "bao-tls-ca-directory"], value_name = "DIR", value_parser = path())]
    pub vault_tls_ca_directory: Option<PathBuf>,
    /// Name to ask for and to check in the server's certificate
    #[arg(long, global = true, aliases = ["openbao-tls-server-name", "bao-tls-server-name"], value_name = "NAME")]
    pub vault_tls_server_name: Option<String>,
    /// PEM file of our certificate, for the default server only; needs the key
    #[arg(long, global = true, aliases = ["openbao-tls-client-cert", "bao-tls-client-cert"], value_name = "FILE", value_parser = path())]
    pub vault_tls_client_cert: Option<PathBuf>,
    /// PEM file of the key of our certificate
    #[arg(long, global = true, aliases = ["openbao-tls-client-key", "bao-tls-client-key"], value_name = "FILE", value_parser = path())]
    pub vault_tls_client_key: Option<PathBuf>,
    /// Accept any certificate of a server; a class cannot turn it off
    #[arg(long, global = true, aliases = ["openbao-tls-skip-verify", "bao-tls-skip-verify"], value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true", value_parser = truth)]
    pub vault_tls_skip_verify: bool,
}

impl ServerArgs {
    /// The server of an operator's own calls, and the proxy to it.
    pub fn operators(&self, environment: &Environment) -> Result<(ServerSpec, Option<Url>), SettingsError> {
        let spec = self.spec(environment, Flavor::Vault)?;
        let proxy = environment.proxy_to(&spec.address)?;
        Ok((spec, proxy))
    }

    /// The server of classes that name none, where `flavor`'s variables come first.
    pub(crate) fn spec(
        &self,
        environment: &Environment,
        flavor: Flavor,
    ) -> Result<ServerSpec, SettingsError> {
        if let Some((name, reason)) = environment.used(Use::Refused).next() {
            return Err(SettingsError::Refused { name, reason });
        }
        let namespace = given(self.vault_namespace.as_deref())
            .or(environment.of(flavor, "NAMESPACE").map(|(_, value)| value));
        let namespace = namespace
            .map(|namespace| namespace.trim_matches('/').to_owned())
            .filter(|namespace| !namespace.is_empty());
        let (address, tls) = (self.address(environment, flavor)?, self.tls(environment, flavor)?);
        Ok(ServerSpec { address, configured: true, namespace, tls })
    }

    fn address(&self, environment: &Environment, flavor: Flavor) -> Result<Address, SettingsError> {
        let flag = given(self.vault_addr.as_deref()).map(|text| ("--vault-addr".to_owned(), text));
        let set = environment.of(flavor, "AGENT_ADDR").or(flag).or_else(|| environment.of(flavor, "ADDR"));
        let (source_name, text) = set.unwrap_or_else(|| ("the built-in address".to_owned(), ADDRESS));
        text.parse().map_err(|source| SettingsError::Address { source_name, source })
    }

    /// TLS of the environment, and that of the flags over it, as the peers' library overlays them.
    fn tls(&self, environment: &Environment, flavor: Flavor) -> Result<TlsSpec, SettingsError> {
        let value = |name| environment.of(flavor, name).map(|(_, value)| value);
        let file = |name| value(name).map(PathBuf::from);
        let skip = match environment.of(flavor, "SKIP_VERIFY") {
            Some((name, text)) => go_bool(text).ok_or(SettingsError::Bool(name))?,
            None => false,
        };
        let mut tls = TlsSpec {
            server_name: value("TLS_SERVER_NAME").map(str::to_owned),
            skip_verify: skip,
            ..TlsSpec::default()
        };
        tls.trust(file("CACERT"), value("CACERT_BYTES").map(str::to_owned), file("CAPATH"));
        tls.client =
            pair((file("CLIENT_CERT"), "VAULT_CLIENT_CERT"), (file("CLIENT_KEY"), "VAULT_CLIENT_KEY"))?;

        let path = |path: &Option<PathBuf>| path.clone().filter(|path| !path.as_os_str().is_empty());
        tls.trust(path(&self.vault_tls_ca_cert), None, path(&self.vault_tls_ca_directory));
        let (certificate, key) = (path(&self.vault_tls_client_cert), path(&self.vault_tls_client_key));
        let client = pair((certificate, "--vault-tls-client-cert"), (key, "--vault-tls-client-key"))?;
        tls.client = client.or(tls.client);
        if let Some(name) = given(self.vault_tls_server_name.as_deref()) {
            tls.server_name = Some(name.to_owned());
        }
        tls.skip_verify |= self.vault_tls_skip_verify;
        Ok(tls)
    }
}

fn pair(
    (certificate, its_name): (Option<PathBuf>, &str),
    (key, keys_name): (Option<PathBuf>, &str),
) -> Result<Option<ClientCertificate>, SettingsError> {
    match (certificate, key) {
        (Some(certificate), Some(key)) => Ok(Some(ClientCertificate { certificate, key, configured: true })),
        (None, None) => Ok(None),
        (Some(_), None) => {
            Err(SettingsError::HalfCertificate { given: its_name.into(), missing: keys_name.into() })
        }
        (None, Some(_)) => {
            Err(SettingsError::HalfCertificate { given: keys_name.into(), missing: its_name.into() })
        }
    }
}

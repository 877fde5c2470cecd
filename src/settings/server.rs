//! The default server, from flags and environment variables: for `serve` and `s5`.

use std::path::PathBuf;

use clap::Args;
use url::Url;

use super::value_parsers::{boolean, non_empty, non_empty_path, path};
use super::{Environment, SettingsError};
use crate::class::go_bool;
use crate::settings::environment::Use;
use crate::spec::{Address, ClientCertificate, Flavor, ServerSpec, TlsSpec};

/// The default address in the client library of the upstream providers.
const ADDRESS: &str = "https://127.0.0.1:8200";

/// The address of the server, and how to connect to it. Not `Debug`: an address may contain a password, which is refused only later.
#[derive(Args, Clone)]
pub(crate) struct ServerArgs {
    /// Default server: http://, https:// or unix:// [default: https://127.0.0.1:8200]
    #[arg(long, global = true, aliases = ["openbao-addr", "bao-addr"], value_name = "URL")]
    pub(crate) vault_addr: Option<String>,
    /// Default namespace
    #[arg(long, global = true, aliases = ["openbao-namespace", "bao-namespace"], value_name = "NAME")]
    pub(crate) vault_namespace: Option<String>,
    /// PEM file of CAs that verify the server's certificate; has priority over the directory
    #[arg(long, global = true, aliases = ["openbao-tls-ca-cert", "bao-tls-ca-cert"], value_name = "FILE", value_parser = path())]
    pub(crate) vault_tls_ca_cert: Option<PathBuf>,
    /// Directory of PEM files of CAs
    #[arg(long, global = true, aliases = ["openbao-tls-ca-directory", "bao-tls-ca-directory"], value_name = "DIR", value_parser = path())]
    pub(crate) vault_tls_ca_directory: Option<PathBuf>,
    /// Server name to request, and to verify in the server's certificate
    #[arg(long, global = true, aliases = ["openbao-tls-server-name", "bao-tls-server-name"], value_name = "NAME")]
    pub(crate) vault_tls_server_name: Option<String>,
    /// PEM file of the client certificate, for the default server only; needs the key
    #[arg(long, global = true, aliases = ["openbao-tls-client-cert", "bao-tls-client-cert"], value_name = "FILE", value_parser = path())]
    pub(crate) vault_tls_client_cert: Option<PathBuf>,
    /// PEM file of the key of the client certificate
    #[arg(long, global = true, aliases = ["openbao-tls-client-key", "bao-tls-client-key"], value_name = "FILE", value_parser = path())]
    pub(crate) vault_tls_client_key: Option<PathBuf>,
    /// Accept any certificate of a server; a class cannot override it
    #[arg(long, global = true, aliases = ["openbao-tls-skip-verify", "bao-tls-skip-verify"], value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true", value_parser = boolean)]
    pub(crate) vault_tls_skip_verify: bool,
}

impl ServerArgs {
    /// The server of the commands of an operator, and the proxy to it.
    pub(crate) fn operators(
        &self,
        environment: &Environment,
    ) -> Result<(ServerSpec, Option<Url>), SettingsError> {
        let spec = self.spec(environment, Flavor::Vault)?;
        let proxy = environment.proxy_to(&spec.address)?;
        Ok((spec, proxy))
    }

    /// The server of classes without their own; the variables of `flavor` have priority.
    pub(crate) fn spec(
        &self,
        environment: &Environment,
        flavor: Flavor,
    ) -> Result<ServerSpec, SettingsError> {
        if let Some((name, reason)) = environment.used(Use::Refused).next() {
            return Err(SettingsError::Refused { name, reason });
        }
        let namespace = non_empty(self.vault_namespace.as_deref())
            .or(environment.prefixed(flavor, "NAMESPACE").map(|(_, value)| value));
        let namespace = namespace
            .map(|namespace| namespace.trim_matches('/').to_owned())
            .filter(|namespace| !namespace.is_empty());
        let (address, tls) = (self.address(environment, flavor)?, self.tls(environment, flavor)?);
        Ok(ServerSpec { address, configured: true, namespace, tls })
    }

    fn address(&self, environment: &Environment, flavor: Flavor) -> Result<Address, SettingsError> {
        let flag = non_empty(self.vault_addr.as_deref()).map(|text| ("--vault-addr".to_owned(), text));
        let set = environment
            .prefixed(flavor, "AGENT_ADDR")
            .or(flag)
            .or_else(|| environment.prefixed(flavor, "ADDR"));
        let (source_name, text) = set.unwrap_or_else(|| ("the built-in address".to_owned(), ADDRESS));
        text.parse().map_err(|source| SettingsError::Address { source_name, source })
    }

    /// TLS of the flags and, below them, of the environment, combined as in the client library of the upstream providers.
    fn tls(&self, environment: &Environment, flavor: Flavor) -> Result<TlsSpec, SettingsError> {
        let value = |name| environment.prefixed(flavor, name).map(|(_, value)| value);
        let file = |name| value(name).map(PathBuf::from);
        let skip = match environment.prefixed(flavor, "SKIP_VERIFY") {
            Some((name, text)) => go_bool(text).ok_or(SettingsError::Bool(name))?,
            None => false,
        };
        let mut tls = TlsSpec {
            server_name: value("TLS_SERVER_NAME").map(str::to_owned),
            skip_verify: skip,
            ..TlsSpec::default()
        };
        tls.trust(file("CACERT"), value("CACERT_BYTES").map(str::to_owned), file("CAPATH"));
        tls.client = client_certificate(
            (file("CLIENT_CERT"), "VAULT_CLIENT_CERT"),
            (file("CLIENT_KEY"), "VAULT_CLIENT_KEY"),
        )?;

        let path = |path: &Option<PathBuf>| non_empty_path(path.clone());
        tls.trust(path(&self.vault_tls_ca_cert), None, path(&self.vault_tls_ca_directory));
        let (certificate, key) = (path(&self.vault_tls_client_cert), path(&self.vault_tls_client_key));
        let client =
            client_certificate((certificate, "--vault-tls-client-cert"), (key, "--vault-tls-client-key"))?;
        tls.client = client.or(tls.client);
        if let Some(name) = non_empty(self.vault_tls_server_name.as_deref()) {
            tls.server_name = Some(name.to_owned());
        }
        tls.skip_verify |= self.vault_tls_skip_verify;
        Ok(tls)
    }
}

/// A client certificate, unless only one of the two files is set.
fn client_certificate(
    (certificate, certificate_source): (Option<PathBuf>, &str),
    (key, key_source): (Option<PathBuf>, &str),
) -> Result<Option<ClientCertificate>, SettingsError> {
    match (certificate, key) {
        (Some(certificate), Some(key)) => Ok(Some(ClientCertificate { certificate, key, configured: true })),
        (None, None) => Ok(None),
        (Some(_), None) => Err(SettingsError::HalfCertificate {
            present: certificate_source.into(),
            missing: key_source.into(),
        }),
        (None, Some(_)) => Err(SettingsError::HalfCertificate {
            present: key_source.into(),
            missing: certificate_source.into(),
        }),
    }
}

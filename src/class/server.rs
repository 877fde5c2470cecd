//! The server and the login: what a class says, over the process's own settings.

use std::path::PathBuf;

use super::{Defaults, SpecError};
use crate::class::diagnostics::Diagnostics;
use crate::class::parameters::Parameters;
use crate::spec::auth_mount::auth_mount;
use crate::spec::path::is_unprintable;
use crate::spec::{AuthSpec, ClientCertificate, ServerSpec, TlsSpec};

/// The server that `parameters` choose; `None` after a problem.
pub(crate) fn server(
    parameters: &Parameters<'_>,
    defaults: &Defaults,
    found: &mut Diagnostics,
) -> Option<ServerSpec> {
    let address = match parameters.set("Address") {
        Some((parameter, text)) => {
            found.take(text.parse().map_err(|source| SpecError::Address { parameter, source }))
        }
        None => Some(defaults.address.clone()),
    };
    let namespace = found.take(namespace(parameters, defaults));
    let tls = tls(parameters, &defaults.tls, found);
    let address = address?;
    Some(ServerSpec { configured: address == defaults.address, address, namespace: namespace?, tls: tls? })
}

/// The login that `parameters` ask for; `None` after a problem.
pub(crate) fn auth(
    parameters: &Parameters<'_>,
    defaults: &Defaults,
    found: &mut Diagnostics,
) -> Option<AuthSpec> {
    let role = parameters
        .prefixed("RoleName")
        .map(|(_, role)| role)
        .or(parameters.plain("roleName"))
        .filter(|role| !role.is_empty());
    let missing =
        SpecError::Missing { parameter: "roleName", hint: "name the role of the auth mount to log in with" };
    let role = found.take(role.ok_or(missing));
    let mount = found.take(mount(parameters, defaults));
    let audience = parameters.plain("audience").filter(|audience| !audience.is_empty());
    let audience = found.take(match audience {
        Some(audience) if !defaults.audiences.allow(audience) => {
            Err(SpecError::Audience { audience: audience.into() })
        }
        audience => Ok(audience.map(str::to_owned)),
    });
    Some(AuthSpec { mount: mount?, role: role?.into(), audience: audience? })
}

fn namespace(parameters: &Parameters<'_>, defaults: &Defaults) -> Result<Option<String>, SpecError> {
    let Some((parameter, text)) = parameters.set("Namespace") else { return Ok(defaults.namespace.clone()) };
    if text.contains(is_unprintable) {
        return Err(SpecError::Control { parameter });
    }
    Ok(Some(text.trim_matches('/').to_owned()).filter(|namespace| !namespace.is_empty()))
}

fn mount(parameters: &Parameters<'_>, defaults: &Defaults) -> Result<String, SpecError> {
    let (parameter, text) =
        match (parameters.prefixed("KubernetesMountPath"), parameters.prefixed("AuthMountPath")) {
            (Some((one, _)), Some((other, _))) => return Err(SpecError::Both { one, other }),
            (Some(named), None) | (None, Some(named)) => named,
            (None, None) => return Ok(defaults.auth_mounts.default_mount().to_owned()),
        };
    match auth_mount(text) {
        Err(source) => Err(SpecError::Mount { parameter, source }),
        Ok(None) => Ok(defaults.auth_mounts.default_mount().to_owned()),
        Ok(Some(mount)) if !defaults.auth_mounts.allow(&mount) => Err(SpecError::AuthMount { mount }),
        Ok(Some(mount)) => Ok(mount),
    }
}

/// TLS of a class over `below`, as the peers' client overlays it: any CA of the class replaces the whole choice of CAs, a
/// skipped check stays skipped.
fn tls(parameters: &Parameters<'_>, below: &TlsSpec, found: &mut Diagnostics) -> Option<TlsSpec> {
    let path = |suffix| parameters.set(suffix).map(|(_, path)| PathBuf::from(path));
    let mut tls = below.clone();
    tls.trust(path("CACertPath"), None, path("CADirectory"));
    if let Some((_, name)) = parameters.set("TLSServerName") {
        tls.server_name = Some(name.into());
    }
    let client = found.take(client(parameters));
    if let Some(Some(client)) = &client {
        tls.client = Some(client.clone());
    }
    let skip = found.take(skip(parameters));
    tls.skip_verify |= skip?;
    client.map(|_| tls)
}

fn client(parameters: &Parameters<'_>) -> Result<Option<ClientCertificate>, SpecError> {
    let (certificate, key) = ("TLSClientCertPath", "TLSClientKeyPath");
    match (parameters.set(certificate), parameters.set(key)) {
        (Some((_, certificate)), Some((_, key))) => Ok(Some(ClientCertificate {
            certificate: certificate.into(),
            key: key.into(),
            configured: false,
        })),
        (Some((given, _)), None) => {
            Err(SpecError::HalfCertificate { missing: given.replace(certificate, key), given })
        }
        (None, Some((given, _))) => {
            Err(SpecError::HalfCertificate { missing: given.replace(key, certificate), given })
        }
        (None, None) => Ok(None),
    }
}

fn skip(parameters: &Parameters<'_>) -> Result<bool, SpecError> {
    let Some((parameter, text)) = parameters.prefixed("SkipTLSVerify") else { return Ok(false) };
    go_bool(text).ok_or(SpecError::Bool { parameter })
}

/// A truth value in Go's spellings (`strconv.ParseBool`).
pub(crate) fn go_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

//! The server and the login of a class. What the class leaves out comes from the process's own settings.

use std::path::PathBuf;

use crate::class::defaults::Defaults;
use crate::class::diagnostics::{Diagnostics, SpecError};
use crate::class::parameter_table::{
    ADDRESS, AUDIENCE, AUTH_MOUNT_PATH, CA_CERT_PATH, CA_DIRECTORY, KUBERNETES_MOUNT_PATH, NAMESPACE,
    PLAIN_ROLE_NAME, Parameter, ROLE_NAME, SKIP_TLS_VERIFY, TLS_CLIENT_CERT_PATH, TLS_CLIENT_KEY_PATH,
    TLS_SERVER_NAME,
};
use crate::class::parameters::Parameters;
use crate::spec::auth_mount::normalize;
use crate::spec::path::is_unprintable;
use crate::spec::{AuthSpec, ClientCertificate, ServerSpec, TlsSpec};

/// The server of `parameters`; `None` after a problem.
pub(crate) fn server(
    parameters: &Parameters<'_>,
    defaults: &Defaults,
    found: &mut Diagnostics,
) -> Option<ServerSpec> {
    let address = match parameters.non_empty(ADDRESS) {
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

/// The login of `parameters`; `None` after a problem.
pub(crate) fn auth(
    parameters: &Parameters<'_>,
    defaults: &Defaults,
    found: &mut Diagnostics,
) -> Option<AuthSpec> {
    let role = parameters
        .get(ROLE_NAME)
        .or_else(|| parameters.get(PLAIN_ROLE_NAME))
        .map(|(_, role)| role)
        .filter(|role| !role.is_empty());
    let missing = SpecError::Missing {
        parameter: PLAIN_ROLE_NAME.name,
        hint: "name the role of the auth mount to log in with",
    };
    let role = found.take(role.ok_or(missing));
    let mount = found.take(mount(parameters, defaults));
    found.warnings.extend(prefix_warning(parameters));
    let audience = parameters.non_empty(AUDIENCE).map(|(_, audience)| audience);
    let audience = found.take(match audience {
        Some(audience) if !defaults.audiences.allow(audience) => {
            Err(SpecError::Audience { audience: audience.into() })
        }
        audience => Ok(audience.map(str::to_owned)),
    });
    Some(AuthSpec { mount: mount?, role: role?.into(), audience: audience? })
}

fn namespace(parameters: &Parameters<'_>, defaults: &Defaults) -> Result<Option<String>, SpecError> {
    let Some((parameter, text)) = parameters.non_empty(NAMESPACE) else {
        return Ok(defaults.namespace.clone());
    };
    if text.contains(is_unprintable) {
        return Err(SpecError::Control { parameter });
    }
    Ok(Some(text.trim_matches('/').to_owned()).filter(|namespace| !namespace.is_empty()))
}

fn mount(parameters: &Parameters<'_>, defaults: &Defaults) -> Result<String, SpecError> {
    let (parameter, text) = match (parameters.get(KUBERNETES_MOUNT_PATH), parameters.get(AUTH_MOUNT_PATH)) {
        (Some((one, _)), Some((other, _))) => return Err(SpecError::Both { one, other }),
        (Some(parameter), None) | (None, Some(parameter)) => parameter,
        (None, None) => return Ok(defaults.auth_mounts.default_mount().to_owned()),
    };
    match normalize(text) {
        Err(source) => Err(SpecError::Mount { parameter, source }),
        Ok(None) => Ok(defaults.auth_mounts.default_mount().to_owned()),
        Ok(Some(mount)) if !defaults.auth_mounts.allow(&mount) => Err(SpecError::AuthMount { mount }),
        Ok(Some(mount)) => Ok(mount),
    }
}

/// The warning about `auth/` before the name of the auth mount, as the injector's annotations have it.
fn prefix_warning(parameters: &Parameters<'_>) -> Option<String> {
    let given = parameters.get(KUBERNETES_MOUNT_PATH).or_else(|| parameters.get(AUTH_MOUNT_PATH));
    let (parameter, text) = given.filter(|(_, text)| text.trim_start_matches('/').starts_with("auth/"))?;
    let name = normalize(text).ok()??;
    Some(format!("{parameter}: vaultmount adds auth/ itself, so it is left out: write {name:?}"))
}

/// The TLS settings of a class over `defaults`, combined as in the client library of the upstream providers: a CA of the class replaces the whole
/// choice of CAs, and a class cannot enable the verification that `defaults` skip.
fn tls(parameters: &Parameters<'_>, defaults: &TlsSpec, found: &mut Diagnostics) -> Option<TlsSpec> {
    let path = |parameter| parameters.non_empty(parameter).map(|(_, path)| PathBuf::from(path));
    let mut tls = defaults.clone();
    tls.trust(path(CA_CERT_PATH), None, path(CA_DIRECTORY));
    if let Some((_, name)) = parameters.non_empty(TLS_SERVER_NAME) {
        tls.server_name = Some(name.into());
    }
    let client = found.take(client_certificate(parameters));
    if let Some(Some(client)) = &client {
        tls.client = Some(client.clone());
    }
    let skip = found.take(skip_verify(parameters));
    tls.skip_verify |= skip?;
    client.map(|_| tls)
}

fn client_certificate(parameters: &Parameters<'_>) -> Result<Option<ClientCertificate>, SpecError> {
    let pair = |present: String, parameter: Parameter, other: Parameter| SpecError::HalfCertificate {
        missing: present.replace(parameter.name, other.name),
        present,
    };
    let (certificate, key) = (TLS_CLIENT_CERT_PATH, TLS_CLIENT_KEY_PATH);
    match (parameters.non_empty(certificate), parameters.non_empty(key)) {
        (Some((_, certificate)), Some((_, key))) => Ok(Some(ClientCertificate {
            certificate: certificate.into(),
            key: key.into(),
            configured: false,
        })),
        (Some((present, _)), None) => Err(pair(present, certificate, key)),
        (None, Some((present, _))) => Err(pair(present, key, certificate)),
        (None, None) => Ok(None),
    }
}

fn skip_verify(parameters: &Parameters<'_>) -> Result<bool, SpecError> {
    let Some((parameter, text)) = parameters.get(SKIP_TLS_VERIFY) else { return Ok(false) };
    go_bool(text).ok_or(SpecError::Bool { parameter })
}

/// Parses a boolean in Go's spellings (`strconv.ParseBool`).
pub(crate) fn go_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

//! One call of the driver -> `MountSpec`.

use std::time::Duration;

use crate::class::attribute_keys::CLASS;
use crate::class::attributes::{Attributes, has_secrets};
use crate::class::defaults::Defaults;
use crate::class::diagnostics::{Diagnostics, SpecError, SpecErrors};
use crate::class::parameter_table::OBJECTS;
use crate::class::parameters::{Parameters, VolumeParameters};
use crate::class::schema::{Objects, ParseContext, objects};
use crate::class::{remembered, server, token};
use crate::spec::{
    AuthSpec, MountSpec, Object, Pod, PodToken, RefreshIntervals, RememberedRequest, VolumeWriter,
};

/// One call of the driver, as it came over the socket.
pub(crate) struct MountCall<'a> {
    /// JSON: parameters, the pod, its tokens. Secret.
    pub(crate) attributes: &'a str,
    /// JSON of nodePublishSecretRef, usually `null`, `{}` or empty. Secret.
    pub(crate) secrets: &'a str,
    /// The volume's directory on the node.
    pub(crate) target_path: &'a str,
    /// JSON: the mode of files without their own mode, in decimal; may be empty.
    pub(crate) permission: &'a str,
    /// Returns the remembered request of the kubelet for the same directory.
    pub(crate) published: &'a dyn Fn() -> Option<RememberedRequest>,
}

impl MountSpec {
    /// Parses a call on a socket with `defaults`.
    ///
    /// # Errors
    /// Every mistake of the class together; if the class has none, the mistake of the pod's token.
    pub(crate) fn parse(call: &MountCall<'_>, defaults: &Defaults) -> Result<Self, SpecErrors> {
        let mut attributes = Attributes::parse(call.attributes)?;
        let mut found = Diagnostics::default();
        let mode = call.mode(&mut found);
        let published = attributes.complete(call.published, &mut found).with(mode, defaults.flavor);
        let pod = attributes.pod(&mut found);
        let parameters = Parameters::new(&attributes, defaults);
        let server = server::server(&parameters, defaults, &mut found);
        let auth = server::auth(&parameters, defaults, &mut found);
        let access = parameters.access(mode, &mut found);
        let volume = parameters.volume(defaults, &mut found);
        let context = ParseContext { pod: pod.as_ref(), share: volume.share, is_upstream: false };
        let settings = Objects { access, context, unknown: defaults.unknown_fields };
        // YAML becomes typed objects: one `Object` for each entry. `schema/table.rs` has every field, `schema/source.rs` makes the requests.
        let objects = match parameters.get(OBJECTS) {
            Some((_, text)) => objects(text, &settings, &mut found),
            None => {
                found.problem(SpecError::Missing {
                    parameter: OBJECTS.name,
                    hint: "list the files of the volume in it",
                });
                Vec::new()
            }
        };
        if volume.written_by == VolumeWriter::Driver && has_owners(&objects) {
            found.warnings.push(OWNERS_WITHOUT_EFFECT.into());
        }
        parameters.check_names(defaults.unknown_fields, &mut found);
        let refreshes = refreshes(&volume, defaults.min_refresh, &mut found);
        let parsed = || Some((pod?, server?, auth?));
        let ((pod, server, auth), warnings) = found.finish(parsed())?;
        let token = pod_token(&auth, attributes.tokens(), &pod, defaults)?;
        let class = attributes.get(CLASS).map(str::to_owned);
        let (target_path, parameters) = (call.target_path.to_owned(), attributes.digest());
        let VolumeParameters { written_by, login, max_stale, .. } = volume;
        Ok(Self {
            pod,
            class,
            server,
            auth,
            token,
            objects,
            target_path,
            written_by,
            login,
            refreshes,
            max_stale,
            parameters,
            published,
            warnings,
        })
    }

    /// The spec of the last request for the volume of `pod` at `target_path`, without a token: for a background poll.
    ///
    /// # Errors
    /// As for [`Self::parse`]: the process's settings may have changed since the request.
    pub(crate) fn from_remembered(
        remembered: &RememberedRequest,
        pod: &Pod,
        target_path: &str,
        defaults: &Defaults,
    ) -> Result<Self, SpecErrors> {
        let (attributes, permission) =
            (remembered::attributes(remembered, pod), remembered.mode().to_string());
        let published = || Some(remembered.clone());
        let call = MountCall {
            attributes: &attributes,
            secrets: "",
            target_path,
            permission: &permission,
            published: &published,
        };
        Ok(Self { published: remembered.clone(), ..Self::parse(&call, defaults)? })
    }
}

/// Without this warning only the application would notice that its files have another owner than the class sets.
const OWNERS_WITHOUT_EFFECT: &str = "owner and group have no effect if the driver writes the files, which then belong to root; set `writer: provider` to use them";

fn has_owners(objects: &[Object]) -> bool {
    objects.iter().any(|object| object.owner.is_some() || object.group.is_some())
}

/// Mode of a file if neither the object nor the driver sets one: readable by all, as the driver's own default.
const MODE: u32 = 0o644;

impl MountCall<'_> {
    /// Checks the fields besides the attributes, and returns the default mode of files.
    fn mode(&self, found: &mut Diagnostics) -> u32 {
        if self.target_path.is_empty() {
            found.problem(SpecError::Call { field: "target_path", fault: "is empty" });
        }
        if found.take(has_secrets(self.secrets)) == Some(true) {
            found.warnings.push("nodePublishSecretRef is set, but vaultmount does not use it".into());
        }
        let mode = match self.permission {
            "" => Ok(None),
            json => serde_json::from_str::<Option<u32>>(json),
        };
        let fault = SpecError::Call { field: "permission", fault: "is not a number from 0 to 511" };
        let mode = found.take(mode.ok().filter(|mode| mode.unwrap_or_default() <= 0o777).ok_or(fault));
        mode.flatten().filter(|mode| *mode != 0).unwrap_or(MODE)
    }
}

/// The only token that vaultmount reads: that of the audience of the class, or else of the socket.
fn pod_token(
    auth: &AuthSpec,
    tokens: Option<&str>,
    pod: &Pod,
    defaults: &Defaults,
) -> Result<Option<PodToken>, SpecError> {
    let audience = auth.audience.as_deref().unwrap_or(defaults.flavor.audience());
    let token = tokens.map(|tokens| token::choose(tokens, audience, pod, (defaults.clock)()));
    Ok(token.transpose()?.flatten())
}

/// How old the answers may be. Warns once if the class or an object wants them younger than `floor` allows.
fn refreshes(volume: &VolumeParameters, floor: Duration, found: &mut Diagnostics) -> RefreshIntervals {
    let requested = std::mem::take(&mut found.refreshes);
    let mut explicit = requested.iter().filter_map(|(_, refresh)| *refresh).chain(volume.refresh);
    if explicit.any(|refresh| refresh < floor) {
        found.warnings.push(format!(
            "refresh is less than --min-refresh allows: vaultmount uses {} s",
            floor.as_secs_f64()
        ));
    }
    RefreshIntervals::new(volume.refresh, volume.default_refresh, floor, requested)
}

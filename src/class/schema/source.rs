//! Fields of a source -> Source. Each engine has its own rules for which fields belong together.

use std::net::IpAddr;

use crate::class::diagnostics::FieldError;
use crate::class::duration::duration;
use crate::class::schema::field::FieldContext;
use crate::class::schema::keywords::KeyOrigin;
use crate::class::schema::names::Names;
use crate::class::schema::table::{
    KvFields, ObjectFields, PkiFields, RequestFields, S5Fields, SourceFields, SourceValueFields,
    TransitFields, UpstreamFields,
};
use crate::class::schema::values::{Age, TextList, Version};
use crate::spec::encoding::base64;
use crate::spec::path::is_unprintable;
use crate::spec::request::plain_path;
use crate::spec::{
    CertificateOptions, CertificateRequest, EngineRequest, KeyPlace, KvEngine, KvRead, Pod, Request, S5Text,
    ShareScope, Source, Text, TransitCiphertext, TransitKey,
};

/// The default transit key of s5.
const S5_KEY: &str = "default";

/// The default mount of a transit engine.
const TRANSIT: &str = "transit";

/// What every source of a class is parsed with.
#[derive(Clone, Copy, Default)]
pub(crate) struct ParseContext<'s> {
    /// The pod, whose names paths, arguments, files and certificates may contain; `None` after a problem.
    pub(crate) pod: Option<&'s Pod>,
    /// Whether the object has the form of the upstream providers, whose names of files are used as written.
    pub(crate) is_upstream: bool,
    /// The class's `shareScope`.
    pub(crate) share: ShareScope,
}

/// The request in the form of the upstream providers. The outer `None` means that no field of it is present, the inner one follows a problem.
pub(crate) type UpstreamRequest = Option<Option<Request>>;

impl SourceFields {
    /// True if one of the sources is present.
    pub(crate) fn is_some(&self) -> bool {
        self.kv.is_some()
            || self.pki.is_some()
            || self.transit.is_some()
            || self.s5.is_some()
            || self.request.is_some()
    }

    /// The source; `None` after a problem. `upstream` is the request in the form of the upstream providers, `content` that of the object.
    pub(crate) fn source(
        mut self,
        upstream: UpstreamRequest,
        content: Option<String>,
        context: ParseContext<'_>,
        at: &mut FieldContext<'_>,
    ) -> Option<Source> {
        let (refresh, share) = (self.refresh.take().map(|Age(age)| age), self.share.unwrap_or(context.share));
        let namespace = self.namespace(at)?;
        let request = only(self.requests(upstream, content, context, at), at)?;
        let share = if request.may_create() { share } else { ShareScope::default() };
        let source = Source { namespace, request, share };
        at.found.refreshes.push((source.clone(), refresh));
        Some(source)
    }

    /// The namespace, if it differs from the class's. The outer `None` follows a problem.
    fn namespace(&mut self, at: &mut FieldContext<'_>) -> Option<Option<String>> {
        let namespace = self.namespace.take().map(|namespace| namespace.trim_matches('/').to_owned());
        match namespace.filter(|namespace| !namespace.is_empty()) {
            Some(namespace) if namespace.contains(is_unprintable) => {
                at.field(Self::VAULT_NAMESPACE).error(FieldError::Type("a path without control characters"))
            }
            namespace => Some(namespace),
        }
    }

    /// The request of each source that is present, with the name of its field.
    fn requests(
        self,
        upstream: UpstreamRequest,
        content: Option<String>,
        context: ParseContext<'_>,
        at: &mut FieldContext<'_>,
    ) -> Vec<(&'static str, Option<EngineRequest>)> {
        if content.is_some() && self.s5.is_none() {
            let _: Option<()> = at.field(ObjectFields::CONTENT).error(FieldError::Needs(Self::S5));
        }
        let requests = [
            upstream.map(|request| (UpstreamFields::SECRET_PATH, request.map(EngineRequest::Request))),
            self.kv.map(|kv| (Self::KV, kv.engine_request(context.pod, &mut at.field(Self::KV)))),
            self.pki.map(|pki| (Self::PKI, pki.engine_request(context.pod, &mut at.field(Self::PKI)))),
            self.transit.map(|transit| {
                (Self::TRANSIT, transit.engine_request(context, &mut at.field(Self::TRANSIT)))
            }),
            self.request.map(|request| {
                (Self::REQUEST, request.engine_request(context.pod, &mut at.field(Self::REQUEST)))
            }),
            self.s5.map(|s5| (Self::S5, s5.engine_request(context, content, &mut at.field(Self::S5)))),
        ];
        requests.into_iter().flatten().collect()
    }
}

/// The only request; more than one, and none, is a problem.
fn only(
    requests: Vec<(&'static str, Option<EngineRequest>)>,
    at: &mut FieldContext<'_>,
) -> Option<EngineRequest> {
    let mut requests = requests.into_iter();
    match (requests.next(), requests.next()) {
        (Some((first, _)), Some((second, _))) => at.error(FieldError::Sources(first, second)),
        (Some((_, request)), None) => request,
        (None, _) if at.is_clean() => at.error(FieldError::NoSource),
        (None, _) => None,
    }
}

impl KvFields {
    fn engine_request(self, pod: Option<&Pod>, at: &mut FieldContext<'_>) -> Option<EngineRequest> {
        let location = Names { pod }.field(Self::PATH, self.path, at);
        let mount = path(Self::MOUNT, self.mount, at);
        let path = location.and_then(|location| path(Self::PATH, location, at));
        let engine = match self.engine {
            None | Some(2) => Some(KvEngine::V2),
            Some(1) => Some(KvEngine::V1),
            Some(_) => at
                .field(Self::ENGINE_VERSION)
                .error(FieldError::Type("1 or 2; a secret's version is `version`")),
        };
        let previous = self.version == Some(Version::Previous);
        let version = match self.version {
            Some(Version::Number(number)) if number != 0 => Some(number),
            _ => None,
        };
        if (version.is_some() || previous) && engine == Some(KvEngine::V1) {
            return at
                .field(Self::VERSION)
                .error(FieldError::Type("omitted: engine version 1 has no older versions"));
        }
        Some(EngineRequest::Kv(KvRead { mount: mount?, path: path?, version, previous, engine: engine? }))
    }
}

impl PkiFields {
    fn engine_request(mut self, pod: Option<&Pod>, at: &mut FieldContext<'_>) -> Option<EngineRequest> {
        let mount = path(Self::MOUNT, self.mount.take(), at);
        if self.ca == Some(true) {
            return if self.requests_certificate() {
                at.field(Self::CA).error(FieldError::CaOnly)
            } else {
                Some(EngineRequest::Authorities { mount: mount? })
            };
        }
        let role = path(Self::ROLE, self.role.take(), at);
        let names = Names { pod };
        let common_name =
            names.all(Self::COMMON_NAME, self.common_name.take().map(|name| TextList(vec![name])), at);
        let alt_names = names.all(Self::ALT_NAMES, self.alt_names.take(), at);
        let uri_sans = names.all(Self::URI_SANS, self.uri_sans.take(), at);
        let ip_sans =
            names.all(Self::IP_SANS, self.ip_sans.take(), at).and_then(|texts| addresses(&texts, at));
        if self.private_key == Some(KeyOrigin::Node) && uri_sans.iter().flatten().any(|uri| !uri.is_ascii()) {
            return at
                .field(Self::URI_SANS)
                .error(FieldError::Type("in ASCII: write other characters as %XX"));
        }
        let ttl = self.ttl.take();
        if ttl.is_some() && self.not_after.is_some() {
            return at.error(FieldError::Both(Self::TTL, Self::NOT_AFTER));
        }
        if ttl.as_ref().is_some_and(|ttl| duration(ttl).is_none()) {
            return at.field(Self::TTL).error(FieldError::Type("a duration: 24h, 90m, 3600"));
        }
        let key = match self.private_key.unwrap_or_default() {
            KeyOrigin::Node => KeyPlace::Node(self.key_type.unwrap_or_default()),
            KeyOrigin::Vault => KeyPlace::Vault,
        };
        let options = self.options(&names, at);
        let common_name = common_name?.pop().unwrap_or_default();
        let (alt_names, ip_sans, uri_sans) = (alt_names?, ip_sans?, uri_sans?);
        if common_name.is_empty() && alt_names.is_empty() && ip_sans.is_empty() && uri_sans.is_empty() {
            return at.field(Self::COMMON_NAME).error(FieldError::Missing(
                "set a name for the certificate, here or in altNames, ipSans, uriSans",
            ));
        }
        Some(EngineRequest::Certificate(Box::new(CertificateRequest {
            mount: mount?,
            role: role?,
            common_name,
            alt_names,
            ip_sans,
            uri_sans,
            ttl,
            key,
            options: options?,
        })))
    }

    fn requests_certificate(&self) -> bool {
        let names = [&self.alt_names, &self.ip_sans, &self.uri_sans, &self.other_sans, &self.user_ids];
        let texts =
            [&self.role, &self.common_name, &self.ttl, &self.not_after, &self.serial_number, &self.issuer];
        names.iter().any(|names| names.is_some())
            || texts.iter().any(|text| text.is_some())
            || self.private_key.is_some()
            || self.key_type.is_some()
            || self.exclude_cn.is_some()
    }

    /// What few requests have; `None` after a problem.
    fn options(mut self, names: &Names<'_>, at: &mut FieldContext<'_>) -> Option<CertificateOptions> {
        let other_sans = names.all(Self::OTHER_SANS, self.other_sans.take(), at);
        let user_ids = names.all(Self::USER_IDS, self.user_ids.take(), at);
        if other_sans.iter().flatten().any(|name| !is_other_name(name)) {
            return at.field(Self::OTHER_SANS).error(FieldError::Type(
                "of the form <oid>;UTF8:<text>, such as 1.3.6.1.4.1.311.20.2.3;UTF8:web",
            ));
        }
        if self.not_after.as_ref().is_some_and(|time| !is_utc(time)) {
            return at
                .field(Self::NOT_AFTER)
                .error(FieldError::Type("a time in UTC, such as 2030-01-31T00:00:00Z"));
        }
        let issuer = match self.issuer.take() {
            Some(issuer) if issuer.is_empty() || issuer.contains('/') => {
                return at
                    .field(Self::ISSUER)
                    .error(FieldError::Type("the name or the id of one CA of the mount"));
            }
            Some(issuer) => Some(path(Self::ISSUER, Some(issuer), at)?),
            None => None,
        };
        let is_of_node = self.private_key == Some(KeyOrigin::Node);
        Some(CertificateOptions {
            exclude_cn: self.exclude_cn.unwrap_or_default(),
            other_sans: other_sans?,
            serial_number: self.serial_number.filter(|number| !number.is_empty()),
            not_after: self.not_after,
            user_ids: user_ids?,
            issuer,
            key_type: self.key_type.filter(|_| !is_of_node),
        })
    }
}

/// True if `text` has the form `<oid>;UTF8:<text>` of Vault.
fn is_other_name(text: &str) -> bool {
    let Some((oid, value)) = text.split_once(';') else { return false };
    let is_oid = oid.split('.').count() > 1
        && oid.split('.').all(|arc| !arc.is_empty() && arc.bytes().all(|byte| byte.is_ascii_digit()));
    let tag = value.split_once(':').map(|(tag, _)| tag);
    is_oid && tag.is_some_and(|tag| ["utf8", "utf-8"].contains(&tag.to_ascii_lowercase().as_str()))
}

/// True if `text` has the form `2030-01-31T00:00:00Z`.
fn is_utc(text: &str) -> bool {
    let form = "0000-00-00T00:00:00Z";
    let fits = |(found, expected): (char, char)| match expected {
        '0' => found.is_ascii_digit(),
        expected => found == expected,
    };
    text.len() == form.len() && text.chars().zip(form.chars()).all(fits)
}

impl TransitFields {
    fn engine_request(self, context: ParseContext<'_>, at: &mut FieldContext<'_>) -> Option<EngineRequest> {
        let key = transit_key(self.mount, self.key, at);
        let ciphertext = text(Self::CIPHERTEXT, self.ciphertext, self.from, context, at);
        if self.context.as_ref().is_some_and(|context| base64(context.as_bytes()).is_none()) {
            return at.field(Self::CONTEXT).error(FieldError::Type("base64 of the context"));
        }
        Some(EngineRequest::Transit(TransitCiphertext {
            key: key?,
            ciphertext: ciphertext?,
            context: self.context,
        }))
    }
}

impl S5Fields {
    fn engine_request(
        self,
        context: ParseContext<'_>,
        content: Option<String>,
        at: &mut FieldContext<'_>,
    ) -> Option<EngineRequest> {
        let key = transit_key(self.mount, Some(self.key.unwrap_or_else(|| S5_KEY.into())), at);
        if content.is_none() && self.from.is_none() {
            return at.error(FieldError::Missing(
                "add `content` to the object, or `from` to `s5` with the value that contains the text",
            ));
        }
        let text = text(ObjectFields::CONTENT, content, self.from, context, at);
        Some(EngineRequest::S5(S5Text { key: key?, text: text? }))
    }
}

impl RequestFields {
    fn engine_request(self, pod: Option<&Pod>, at: &mut FieldContext<'_>) -> Option<EngineRequest> {
        let names = Names { pod };
        let (path, args) = (names.field(Self::PATH, self.path, at), names.body(Self::ARGS, self.args, at));
        let Some(path) = path? else {
            return at.field(Self::PATH).error(FieldError::Missing("set the API path"));
        };
        let request = Request::with_body(&self.method.unwrap_or_default(), &path, args?);
        at.take(request.map_err(FieldError::Request)).map(EngineRequest::Request)
    }
}

/// The text of the field `name`, or the value `from`: exactly one of them must be present.
fn text(
    name: &'static str,
    literal: Option<String>,
    from: Option<Box<SourceValueFields>>,
    context: ParseContext<'_>,
    at: &mut FieldContext<'_>,
) -> Option<Text> {
    match (literal, from) {
        (Some(literal), None) => Some(Text::Literal(literal.into())),
        (None, Some(from)) => from
            .source_value(context, false, &mut at.field(TransitFields::FROM))
            .map(|value| Text::Of(Box::new(value))),
        (Some(_), Some(_)) => at.error(FieldError::Both(name, TransitFields::FROM)),
        (None, None) => {
            at.field(name).error(FieldError::Missing("set it, or `from` with the value that contains it"))
        }
    }
}

fn transit_key(mount: Option<String>, name: Option<String>, at: &mut FieldContext<'_>) -> Option<TransitKey> {
    let mount = path(TransitFields::MOUNT, Some(mount.unwrap_or_else(|| TRANSIT.into())), at);
    let name = path(TransitFields::KEY, name, at);
    Some(TransitKey { mount: mount?, name: name? })
}

/// A required path.
fn path(name: &'static str, text: Option<String>, at: &mut FieldContext<'_>) -> Option<String> {
    let mut at = at.field(name);
    match text {
        None => at.error(FieldError::Missing("it is required")),
        Some(text) => at.take(plain_path(&text).map_err(FieldError::Path)),
    }
}

fn addresses(texts: &[String], at: &mut FieldContext<'_>) -> Option<Vec<IpAddr>> {
    let addresses: Result<_, _> = texts.iter().map(|text| text.parse()).collect();
    at.field(PkiFields::IP_SANS)
        .take(addresses.map_err(|_| FieldError::Type("IP addresses, such as 10.0.0.7")))
}

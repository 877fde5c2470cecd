//! Fields of a source -> Source: the engine's own rules for what must stand beside what.

use std::net::IpAddr;

use crate::class::diagnostics::FieldError;
use crate::class::duration::duration;
use crate::class::schema::field::At;
use crate::class::schema::names::Names;
use crate::class::schema::table::{
    KvFields, PkiFields, RequestFields, S5Fields, SourceFields, SourceValueFields, TransitFields,
};
use crate::class::schema::values::{Age, TextList};
use crate::class::schema::words::KeyMaker;
use crate::spec::Request;
use crate::spec::object::base64;
use crate::spec::request::plain_path;
use crate::spec::{CertificateRequest, KeyPlace, Pod, ShareScope};
use crate::spec::{EngineRequest, KvEngine, KvRead, S5Text, Source, Text, TransitCiphertext, TransitKey};

/// The transit key that s5 takes when none is named.
const S5_KEY: &str = "default";

/// Where transit is as a rule.
const TRANSIT: &str = "transit";

/// What every source of a class is read with.
#[derive(Clone, Copy, Default)]
pub(crate) struct ParseContext<'s> {
    /// Whose certificates they are; `None` when that is a problem of its own.
    pub(crate) pod: Option<&'s Pod>,
    /// The class's `shareScope`.
    pub(crate) share: ShareScope,
}

/// The call of the peers' form; the outer `None` where nothing of it is written, the inner one after a problem.
pub(crate) type Flat = Option<Option<Request>>;

impl SourceFields {
    pub(crate) fn is_some(&self) -> bool {
        self.kv.is_some()
            || self.pki.is_some()
            || self.transit.is_some()
            || self.s5.is_some()
            || self.request.is_some()
    }

    /// The one source among the fields, `None` after a problem; `flat` is what the peers' form gave, `content` the object's.
    pub(crate) fn source(
        mut self,
        flat: Flat,
        content: Option<String>,
        scene: ParseContext<'_>,
        at: &mut At<'_>,
    ) -> Option<Source> {
        let (refresh, share) = (self.refresh.take().map(|Age(age)| age), self.share.unwrap_or(scene.share));
        let namespace = self.namespace(at)?;
        let request = only(self.requests(flat, content, scene, at), at)?;
        let share = if request.may_create() { share } else { ShareScope::default() };
        let source = Source { namespace, request, share };
        at.found.refreshes.push((source.clone(), refresh));
        Some(source)
    }

    /// The namespace, if it is another than the class's.
    fn namespace(&mut self, at: &mut At<'_>) -> Option<Option<String>> {
        let namespace = self.namespace.take().map(|namespace| namespace.trim_matches('/').to_owned());
        match namespace.filter(|namespace| !namespace.is_empty()) {
            Some(namespace) if namespace.contains(crate::spec::path::is_unprintable) => {
                at.below("vaultNamespace").wrong(FieldError::Type("a path without control characters"))
            }
            namespace => Some(namespace),
        }
    }

    /// What each field asks for, by its name.
    fn requests(
        self,
        flat: Flat,
        content: Option<String>,
        scene: ParseContext<'_>,
        at: &mut At<'_>,
    ) -> Vec<(&'static str, Option<EngineRequest>)> {
        if content.is_some() && self.s5.is_none() {
            let _: Option<()> = at.below("content").wrong(FieldError::Needs("s5"));
        }
        let requests = [
            flat.map(|request| ("secretPath", request.map(EngineRequest::Request))),
            self.kv.map(|kv| ("kv", kv.engine_request(&mut at.below("kv")))),
            self.pki.map(|pki| ("pki", pki.engine_request(scene.pod, &mut at.below("pki")))),
            self.transit.map(|transit| ("transit", transit.engine_request(scene, &mut at.below("transit")))),
            self.request.map(|request| ("request", request.engine_request(&mut at.below("request")))),
            self.s5.map(|s5| ("s5", s5.engine_request(scene, content, &mut at.below("s5")))),
        ];
        requests.into_iter().flatten().collect()
    }
}

/// The one question that is asked.
fn only(requests: Vec<(&'static str, Option<EngineRequest>)>, at: &mut At<'_>) -> Option<EngineRequest> {
    let mut requests = requests.into_iter();
    match (requests.next(), requests.next()) {
        (Some((first, _)), Some((second, _))) => at.wrong(FieldError::Sources(first, second)),
        (Some((_, request)), None) => request,
        (None, _) if at.is_clean() => at.wrong(FieldError::NoSource),
        (None, _) => None,
    }
}

impl KvFields {
    fn engine_request(self, at: &mut At<'_>) -> Option<EngineRequest> {
        let (mount, path) = (path("mount", self.mount, at), path("path", self.path, at));
        let engine = match self.engine {
            None | Some(2) => Some(KvEngine::V2),
            Some(1) => Some(KvEngine::V1),
            Some(_) => {
                at.below("engineVersion").wrong(FieldError::Type("1 or 2; a secret's version is `version`"))
            }
        };
        let version = self.version.filter(|version| *version != 0);
        if version.is_some() && engine == Some(KvEngine::V1) {
            return at
                .below("version")
                .wrong(FieldError::Type("left out: engine version 1 keeps no older versions"));
        }
        Some(EngineRequest::Kv(KvRead { mount: mount?, path: path?, version, engine: engine? }))
    }
}

impl PkiFields {
    fn engine_request(mut self, pod: Option<&Pod>, at: &mut At<'_>) -> Option<EngineRequest> {
        let mount = path("mount", self.mount.take(), at);
        if self.ca == Some(true) {
            return if self.asks_for_names() {
                at.below("ca").wrong(FieldError::Alone)
            } else {
                Some(EngineRequest::Authorities { mount: mount? })
            };
        }
        let role = path("role", self.role.take(), at);
        let names = Names { pod };
        let common_name =
            names.all("commonName", self.common_name.take().map(|name| TextList(vec![name])), at);
        let alt_names = names.all("altNames", self.alt_names.take(), at);
        let uri_sans = names.all("uriSans", self.uri_sans.take(), at);
        let ip_sans = names.all("ipSans", self.ip_sans.take(), at).and_then(|texts| addresses(&texts, at));
        if self.private_key == Some(KeyMaker::Node) && uri_sans.iter().flatten().any(|uri| !uri.is_ascii()) {
            return at.below("uriSans").wrong(FieldError::Type("in ASCII: write other characters as %XX"));
        }
        let ttl = self.ttl.take();
        if ttl.as_ref().is_some_and(|ttl| duration(ttl).is_none()) {
            return at.below("ttl").wrong(FieldError::Type("a duration: 24h, 90m, 3600"));
        }
        let key = self.key(at);
        let common_name = common_name?.pop().unwrap_or_default();
        let (alt_names, ip_sans, uri_sans) = (alt_names?, ip_sans?, uri_sans?);
        if common_name.is_empty() && alt_names.is_empty() && ip_sans.is_empty() && uri_sans.is_empty() {
            return at.below("commonName").wrong(FieldError::Missing(
                "name whom the certificate is for, here or in altNames, ipSans, uriSans",
            ));
        }
        Some(EngineRequest::Certificate(CertificateRequest {
            mount: mount?,
            role: role?,
            common_name,
            alt_names,
            ip_sans,
            uri_sans,
            ttl,
            key: key?,
        }))
    }

    fn asks_for_names(&self) -> bool {
        let names = [&self.alt_names, &self.ip_sans, &self.uri_sans].iter().any(|names| names.is_some());
        let texts = [&self.role, &self.common_name, &self.ttl].iter().any(|text| text.is_some());
        names || texts || self.private_key.is_some() || self.key_type.is_some()
    }

    fn key(&self, at: &mut At<'_>) -> Option<KeyPlace> {
        match (self.private_key.unwrap_or_default(), self.key_type) {
            (KeyMaker::Node, kind) => Some(KeyPlace::Node(kind.unwrap_or_default())),
            (KeyMaker::Vault, None) => Some(KeyPlace::Vault),
            (KeyMaker::Vault, Some(_)) => at
                .below("keyType")
                .wrong(FieldError::Type("left out: Vault's role decides, or set privateKey: node")),
        }
    }
}

impl TransitFields {
    fn engine_request(self, scene: ParseContext<'_>, at: &mut At<'_>) -> Option<EngineRequest> {
        let key = transit_key(self.mount, self.key, at);
        let ciphertext = text("ciphertext", self.ciphertext, self.from, scene, at);
        if self.context.as_ref().is_some_and(|context| base64(context.as_bytes()).is_none()) {
            return at.below("context").wrong(FieldError::Type("base64 of the context"));
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
        scene: ParseContext<'_>,
        content: Option<String>,
        at: &mut At<'_>,
    ) -> Option<EngineRequest> {
        let key = transit_key(self.mount, Some(self.key.unwrap_or_else(|| S5_KEY.into())), at);
        if content.is_none() && self.from.is_none() {
            return at.wrong(FieldError::Missing(
                "give `content` beside it, or `from` in it with the value that holds the text",
            ));
        }
        let text = text("content", content, self.from, scene, at);
        Some(EngineRequest::S5(S5Text { key: key?, text: text? }))
    }
}

impl RequestFields {
    fn engine_request(self, at: &mut At<'_>) -> Option<EngineRequest> {
        let Some(path) = self.path else {
            return at.below("path").wrong(FieldError::Missing("give the API path"));
        };
        let request = Request::with_body(&self.method.unwrap_or_default(), &path, self.args);
        at.take(request.map_err(FieldError::Request)).map(EngineRequest::Request)
    }
}

/// A text of the class, called `name`, or a value: exactly one of them.
fn text(
    name: &'static str,
    inline: Option<String>,
    of: Option<Box<SourceValueFields>>,
    scene: ParseContext<'_>,
    at: &mut At<'_>,
) -> Option<Text> {
    match (inline, of) {
        (Some(inline), None) => Some(Text::Literal(inline.into())),
        (None, Some(of)) => {
            of.selection(scene, false, &mut at.below("from")).map(|selection| Text::Of(Box::new(selection)))
        }
        (Some(_), Some(_)) => at.wrong(FieldError::Both(name, "from")),
        (None, None) => {
            at.below(name).wrong(FieldError::Missing("give it, or `from` with the value that holds it"))
        }
    }
}

fn transit_key(mount: Option<String>, name: Option<String>, at: &mut At<'_>) -> Option<TransitKey> {
    let mount = path("mount", Some(mount.unwrap_or_else(|| TRANSIT.into())), at);
    let name = path("key", name, at);
    Some(TransitKey { mount: mount?, name: name? })
}

/// A path that must be there.
fn path(name: &'static str, text: Option<String>, at: &mut At<'_>) -> Option<String> {
    let mut at = at.below(name);
    match text {
        None => at.wrong(FieldError::Missing("it is required")),
        Some(text) => at.take(plain_path(&text).map_err(FieldError::Path)),
    }
}

fn addresses(texts: &[String], at: &mut At<'_>) -> Option<Vec<IpAddr>> {
    let addresses: Result<_, _> = texts.iter().map(|text| text.parse()).collect();
    at.below("ipSans").take(addresses.map_err(|_| FieldError::Type("IP addresses, such as 10.0.0.7")))
}
